//! A ledger made with the library: one genesis, many accepted pushes of one signed commit each, one denial.

use std::path::{Path, PathBuf};

use mledger::clock::Timestamp;
use mledger::digest::{git_oid, sha256};
use mledger::entry::field::{Blobs, Field};
use mledger::entry::leaf::{
    Baseline, Commit, CommitKind, Genesis, GenesisKind, Landed, LandedKind, Leaf, Push, PushKind, Range, Settled,
    State, Update, VERSION, Verdict,
};
use mledger::git::{Kind, Repository};
use mledger::identity::ed25519::SecretKey;
use mledger::identity::key::PublicKey;
use mledger::identity::sshsig::{self, NAMESPACE_GIT};
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::place::Place;
use mledger::ledger::{Head, log_ref};
use mledger::name::{ActorId, Origin, RefName};
use mledger::policy::facts::{Move, Pusher};
use mledger::policy::{Code, Reason};
use mledger::tlog::bundle;

use crate::world::{Person, Run, World};

/// How many pushes were accepted; each has a commit, a push and a landed entry.
pub const PUSHES: u64 = 100;

/// Genesis, the pushes, one denial.
pub const SIZE: u64 = 1 + 3 * PUSHES + 1;

/// A bare repository with a ledger.
pub struct Fixture {
    pub world: World,
    pub person: Person,
    pub repository: PathBuf,
    pub vkey: String,
    signer: Signer,
}

impl Fixture {
    pub fn new() -> Self {
        let world = World::new();
        let person = world.person_without_key("auditor");
        let path = world.path("models.git");
        let repository = Repository::init_bare(&path).unwrap();
        let place = Place::in_repository(repository.git_dir());
        place.create().unwrap();
        let signer = signer(7);
        let vkey = signer.vkey().to_string();
        place.write("vkey", &format!("{vkey}\n"), 0o644).unwrap();
        let repository = place.durable(repository).unwrap();
        let mut locked = Locked::create(&repository, &place, &signer).unwrap();
        locked.append(&genesis(&vkey)).unwrap();
        for first in (0..PUSHES).step_by(20) {
            let leaves = (first..first + 20).flat_map(push).collect();
            locked.append(&Batch { leaves, ..Batch::default() }).unwrap();
        }
        locked.append(&Batch { leaves: vec![denial()], ..Batch::default() }).unwrap();
        assert_eq!(locked.size(), SIZE);
        drop(locked);
        Self { world, person, repository: path, vkey, signer }
    }

    /// Appends so many more entries.
    pub fn grow(&self, count: usize) {
        let repository = Repository::open(&self.repository).unwrap();
        let place = Place::in_repository(repository.git_dir());
        let repository = place.durable(repository).unwrap();
        let mut locked = Locked::open(&repository, &place, &self.signer).unwrap();
        for leaves in vec![denial(); count].chunks(100) {
            locked.append(&Batch { leaves: leaves.to_vec(), ..Batch::default() }).unwrap();
        }
    }

    /// Changes a byte of an entry in the first bundle, as somebody who can write to the repository would.
    pub fn change_sealed_entry(&self, index: usize) {
        let repository = Repository::open(&self.repository).unwrap();
        let name = log_ref().unwrap();
        let tip = repository.tip(&name).unwrap().unwrap();
        let tree = Head::read(&repository, tip).unwrap().message.tree;
        let path = "tile/entries/000";
        let old = repository.read(&repository.entry(&tree, path).unwrap().unwrap(), Kind::Blob).unwrap();
        let mut leaves: Vec<Vec<u8>> = bundle::parse(&old).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        *leaves[index].last_mut().unwrap() ^= 1;
        let blob = repository.write(Kind::Blob, &bundle::to_bytes(&leaves).unwrap()).unwrap();
        let changed = repository.write_tree(Some(&tree), &[(path.to_owned(), blob)], &[]).unwrap();
        let commit = String::from_utf8(repository.read(&tip, Kind::Commit).unwrap()).unwrap();
        let commit = commit.replace(&tree.to_string(), &changed.to_string());
        let commit = repository.write(Kind::Commit, commit.as_bytes()).unwrap();
        repository.move_ref(&name, &commit, Some(&tip), "test").unwrap();
    }

    /// Another ledger's key.
    pub fn other_vkey() -> String {
        signer(8).vkey().to_string()
    }

    /// Runs the binary in the repository.
    pub fn run(&self, words: &[&str]) -> Run {
        self.run_in(&self.repository, words)
    }

    /// Runs the binary in a folder.
    pub fn run_in(&self, dir: &Path, words: &[&str]) -> Run {
        self.person.mledger(dir, words)
    }
}

fn signer(seed: u8) -> Signer {
    Signer { origin: Origin::parse("git.bank.example/models").unwrap(), key: SecretKey::from_seed(&[seed; 32]) }
}

fn time() -> Timestamp {
    Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap()
}

fn main_branch() -> RefName {
    RefName::parse("refs/heads/main").unwrap()
}

fn alice() -> (ActorId, SecretKey) {
    (ActorId::parse("alice@bank.example").unwrap(), SecretKey::from_seed(&[1; 32]))
}

/// Long enough to lie in a blob.
fn policy() -> String {
    let key = |seed| PublicKey::from_ed25519(SecretKey::from_seed(&[seed; 32]).public());
    format!(
        "mledger = 1\nname = \"credit models\"\n\
         [admin]\nactors = [\"bob@bank.example\"]\nthreshold = 1\n\
         [actors.\"alice@bank.example\"]\nroles = [\"engineer\"]\nkeys = [\"{}\"]\n\
         [actors.\"bob@bank.example\"]\nroles = []\nkeys = [\"{}\"]\n\
         [roles.engineer]\nallow = [{{ actions = [\"commit\", \"update\"], paths = [\"models/**\"] }}]\n{}",
        key(1),
        key(2),
        "# a long text\n".repeat(2000)
    )
}

fn genesis(vkey: &str) -> Batch {
    let mut blobs = Blobs::new();
    let empty = || Field::Inline(String::new());
    let leaf = Genesis {
        baseline: Baseline { commits: empty(), refs: empty() },
        kind: GenesisKind::Is,
        login: None,
        mledger: VERSION,
        origin: signer(7).origin,
        policy: Field::text(&policy(), &mut blobs),
        time: time(),
        vkey: vkey.to_owned(),
    };
    Batch { leaves: vec![Leaf::Genesis(Box::new(leaf))], blobs, policy: Some(policy()) }
}

/// A raw commit with Alice's signature, and its manifest.
fn commit(number: u64) -> (Vec<u8>, String) {
    let manifest = format!(
        "mledger-manifest 1\nparent -\nA 000000 100644 - {} 2 models/credit/w.bin\n",
        sha256(number.to_string().as_bytes())
    );
    let who = format!("Alice <alice@bank.example> {} +0000", 1_795_426_200 + number);
    let head = format!("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor {who}\ncommitter {who}\n");
    let message = format!("\nTrain {number}\n\nMledger-Manifest: {}\n", sha256(manifest.as_bytes()));
    let armour = sshsig::sign(&alice().1, NAMESPACE_GIT, format!("{head}{message}").as_bytes());
    let signature = armour.trim_end().replace('\n', "\n ");
    (format!("{head}gpgsig {signature}\n{message}").into_bytes(), manifest)
}

fn update() -> Update {
    Update { extra: None, action: Move::Update, new: None, old: None, refname: main_branch(), tag: None }
}

/// An accepted push of one commit: its three entries.
fn push(number: u64) -> Vec<Leaf> {
    let (first, mut blobs) = (1 + 3 * number, Blobs::new());
    let (actor, key) = alice();
    let key = PublicKey::from_ed25519(key.public()).id().clone();
    let (object, manifest) = commit(number);
    let commit = Commit {
        actor: Some(actor.clone()),
        key: Some(key.clone()),
        kind: CommitKind::Is,
        manifest: Field::text(&manifest, &mut blobs),
        mledger: VERSION,
        object: Field::bytes(&object, &mut blobs),
        oid: git_oid("commit", &object),
        own: None,
        time: time(),
        vouched_by: None,
    };
    assert!(blobs.is_empty());
    let push = Push {
        actor: Some(actor),
        certificate: None,
        clock: None,
        commits: Range { count: 1, first },
        decider: 1,
        decision: Verdict::Accepted,
        facts: None,
        kind: PushKind::Is,
        mledger: VERSION,
        policy: 0,
        pusher: Pusher::Certificate { key },
        reasons: vec![Reason::new(Code::Granted)],
        time: time(),
        updates: vec![Update { new: Some(git_oid("commit", &object)), ..update() }],
        updates_more: None,
    };
    let landed = Landed {
        kind: LandedKind::Is,
        mledger: VERSION,
        push: first + 1,
        time: time(),
        updates: vec![Settled { refname: main_branch(), state: State::Landed }],
    };
    vec![Leaf::Commit(Box::new(commit)), Leaf::Push(Box::new(push)), Leaf::Landed(landed)]
}

fn denial() -> Leaf {
    Leaf::Push(Box::new(Push {
        actor: Some(ActorId::parse("bob@bank.example").unwrap()),
        certificate: None,
        clock: None,
        commits: Range { count: 0, first: 0 },
        decider: 1,
        decision: Verdict::Denied,
        facts: None,
        kind: PushKind::Is,
        mledger: VERSION,
        policy: 0,
        pusher: Pusher::Unknown,
        reasons: vec![Reason::new(Code::NotGranted)],
        time: time(),
        updates: vec![update()],
        updates_more: None,
    }))
}
