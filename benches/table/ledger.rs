//! Ledgers of any length that hold: every signature real, every decision made by the same code as at the gate.
//!
//! Fifty actors push to a branch of their own each, one signed commit per signed push. Of three entries one is a
//! commit, one a push with its certificate, one says that the push landed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mledger::clock::Timestamp;
use mledger::digest::{Digest, git_oid, sha256};
use mledger::entry::leaf::{Landed, LandedKind, Leaf, Settled, State, VERSION};
use mledger::evidence;
use mledger::git::{Durable, Repository};
use mledger::hook::draft::Draft;
use mledger::hook::found::{Found, Material};
use mledger::hook::gather::Gathered;
use mledger::hook::pusher::LoginSource;
use mledger::hook::server_setup;
use mledger::identity::ed25519::SecretKey;
use mledger::identity::key::PublicKey;
use mledger::identity::sshsig::{self, NAMESPACE_GIT};
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::place::Place;
use mledger::ledger::read::Log;
use mledger::model::manifest::Manifest;
use mledger::name::{ActorId, Oid, Origin, RefName};
use mledger::object::commit::Commit;
use mledger::policy::Policy;
use mledger::policy::decide::decide;
use mledger::policy::facts::{Facts, LogTrailer, Move, Pusher, Signature, Update};
use rayon::prelude::*;

/// Actors, each with a key.
const ACTORS: usize = 50;

/// Pushes of each actor in one append.
const ROUNDS: usize = 100;

/// Entries per push.
const PER_PUSH: u64 = 3;

/// Makes a ledger of at least so many entries in `folder`, or takes the one that is there; returns how long that took,
/// where it was made.
pub fn ledger(entries: u64) -> (PathBuf, Option<Duration>) {
    let path = super::folder(&format!("ledger-{entries}.git"));
    let done = path.join("done");
    if done.exists() {
        return (path, None);
    }
    let _ = fs::remove_dir_all(&path);
    let begin = Instant::now();
    let mut maker = Maker::new(&path);
    maker.fill(entries);
    let took = begin.elapsed();
    fs::write(done, "").unwrap();
    (path, Some(took))
}

/// The key of an actor who may push to `refs/heads/dev/`.
pub fn actor_key() -> SecretKey {
    Author::new(0).key
}

/// An actor at work on a branch.
struct Author {
    id: ActorId,
    key: SecretKey,
    public: PublicKey,
    branch: RefName,
    tip: Option<Oid>,
    content: Digest,
    pushes: u64,
}

/// A push that is about to be decided.
struct Pushed {
    raw: Vec<u8>,
    manifest: String,
    oid: Oid,
    old: Option<Oid>,
    certificate: Vec<u8>,
}

/// Writes leaves as the gate would.
pub struct Maker {
    repository: Durable,
    place: Place,
    signer: Signer,
    policy: Policy,
    authors: Vec<Author>,
    time_ms: i64,
}

impl Maker {
    /// Begins a ledger.
    pub fn new(path: &Path) -> Self {
        let repository = Repository::init_bare(path).unwrap();
        let authors: Vec<Author> = (0..ACTORS).map(Author::new).collect();
        let policy = policy_text(&authors);
        let time = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap();
        let options = server_setup::Options {
            policy: policy.clone(),
            origin: Some(Origin::parse("git.bank.example/models").unwrap()),
            last_checkpoint: None,
            login: LoginSource::None,
            program: super::world::MLEDGER.into(),
        };
        server_setup::set_up(path, &options, time).unwrap();
        let place = Place::in_repository(repository.git_dir());
        let repository = place.durable(repository).unwrap();
        let signer = server_setup::read_signer(&place).unwrap();
        let policy = Policy::parse(&policy).unwrap();
        Self { repository, place, signer, policy, authors, time_ms: time.millis() }
    }

    /// Goes on with a ledger, for appends of one push each.
    pub fn resume(path: &Path) -> Self {
        let repository = Repository::open(path).unwrap();
        let place = Place::in_repository(repository.git_dir());
        let repository = place.durable(repository).unwrap();
        let signer = server_setup::read_signer(&place).unwrap();
        let mut authors: Vec<Author> = (0..ACTORS).map(Author::new).collect();
        let policy = Policy::parse(&policy_text(&authors)).unwrap();
        authors[0].tip = tip(&repository, &authors[0].branch);
        Self { repository, place, signer, policy, authors, time_ms: Timestamp::now().millis() }
    }

    fn fill(&mut self, entries: u64) {
        let mut size = 1;
        while size < entries {
            let rounds = (entries - size).div_ceil(PER_PUSH * ACTORS as u64).min(ROUNDS as u64);
            size = self.append(usize::try_from(rounds).unwrap());
        }
    }

    /// Appends so many pushes of each actor at once, and returns the ledger's size.
    pub fn append(&mut self, rounds: usize) -> u64 {
        let mut locked = Locked::open(&self.repository, &self.place, &self.signer).unwrap();
        let seen = &locked.head().unwrap().checkpoint;
        let log = format!("Mledger-Log: {} {} {}", seen.origin(), seen.size(), seen.root());
        let time_ms = self.time_ms;
        let made: Vec<Vec<Pushed>> = self
            .authors
            .par_iter_mut()
            .map(|author| (0..rounds).map(|_| author.push(&log, time_ms)).collect())
            .collect();
        let mut draft = Draft::new(locked.size(), Vec::new());
        for round in 0..rounds {
            for (author, pushes) in self.authors.iter().zip(&made) {
                self.time_ms += 1000;
                record(&mut draft, &self.policy, author, &pushes[round], locked.size(), self.time_ms);
            }
        }
        locked.append(&draft.batch).unwrap().size()
    }

    /// Appends one push with its commit, as the gate does, and returns how long the append alone took.
    pub fn append_one(&mut self) -> Duration {
        let mut locked = Locked::open(&self.repository, &self.place, &self.signer).unwrap();
        self.time_ms += 1000;
        let pushed = self.authors[0].push("Ticket: RISK-1", self.time_ms);
        let mut draft = Draft::new(locked.size(), Vec::new());
        record(&mut draft, &self.policy, &self.authors[0], &pushed, locked.size(), self.time_ms);
        let begin = Instant::now();
        locked.append(&Batch { leaves: draft.batch.leaves, ..Batch::default() }).unwrap();
        begin.elapsed()
    }
}

/// Where the newest push to a branch put it.
fn tip(repository: &Repository, branch: &RefName) -> Option<Oid> {
    let log = Log::open(repository, None).unwrap();
    let pushed = |index| match log.leaf(index).unwrap() {
        Leaf::Push(push) => push.updates.iter().find(|update| update.refname == *branch)?.new,
        _ => None,
    };
    (0..log.size()).rev().find_map(pushed)
}

fn policy_text(authors: &[Author]) -> String {
    let mut text = format!(
        "mledger = 1\nname = \"models\"\n[admin]\nactors = [\"{}\"]\nthreshold = 1\n[roles.engineer]\nallow = [\
         {{ actions = [\"commit\"], paths = [\"models/**\"] }}, \
         {{ actions = [\"create\", \"update\"], refs = [\"refs/heads/dev/**\"] }}]\n\
         [[rules]]\nname = \"bound by manifests\"\nrefs = [\"refs/heads/main\"]\nmanifest = true\n",
        authors[0].id
    );
    for author in authors {
        let _ = write!(text, "[actors.\"{}\"]\nroles = [\"engineer\"]\nkeys = [\"{}\"]\n", author.id, author.public);
    }
    text
}

impl Author {
    fn new(number: usize) -> Self {
        let key = SecretKey::from_seed(sha256(format!("actor {number}").as_bytes()).as_bytes());
        Self {
            id: ActorId::parse(&format!("actor-{number:02}@bank.example")).unwrap(),
            public: PublicKey::from_ed25519(key.public()),
            key,
            branch: RefName::parse(&format!("refs/heads/dev/actor-{number:02}")).unwrap(),
            tip: None,
            content: sha256(&number.to_be_bytes()),
            pushes: 0,
        }
    }

    /// The next commit on the branch, and the certificate that pushes it.
    fn push(&mut self, log: &str, time_ms: i64) -> Pushed {
        let (old, before) = (self.tip, self.content);
        self.pushes += 1;
        self.content = sha256(before.as_bytes());
        let manifest = self.manifest(old, before);
        let raw = self.commit(old, &manifest, log, time_ms / 1000);
        let oid = git_oid("commit", &raw);
        self.tip = Some(oid);
        let certificate = self.certificate(old, oid, time_ms / 1000);
        Pushed { raw, manifest, oid, old, certificate }
    }

    fn manifest(&self, old: Option<Oid>, before: Digest) -> String {
        let parent = old.map_or_else(|| "-".to_owned(), |oid| oid.to_string());
        let path = format!("models/credit/{}.safetensors", self.id);
        let change = match old {
            None => format!("A 000000 100644 - {} 73400320", self.content),
            Some(_) => format!("M 100644 100644 {before} {} 73400320", self.content),
        };
        format!("mledger-manifest 1\nparent {parent}\n{change} {path}\n")
    }

    fn commit(&self, old: Option<Oid>, manifest: &str, log: &str, seconds: i64) -> Vec<u8> {
        let parent = old.map(|oid| format!("parent {oid}\n")).unwrap_or_default();
        let tree = git_oid("tree", self.content.as_bytes());
        let who = format!("{} <{}> {seconds} +0000", self.id, self.id);
        let head = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n");
        let message = format!(
            "Retrain, number {}\n\nChange-Kind: retrain\nTicket: RISK-{}\nMledger-Manifest: {}\n{log}\n",
            self.pushes,
            1000 + self.pushes,
            sha256(manifest.as_bytes())
        );
        let armour = sshsig::sign(&self.key, NAMESPACE_GIT, format!("{head}\n{message}").as_bytes());
        format!("{head}gpgsig {}\n\n{message}", armour.trim_end().replace('\n', "\n ")).into_bytes()
    }

    fn certificate(&self, old: Option<Oid>, new: Oid, seconds: i64) -> Vec<u8> {
        let old = old.unwrap_or(Oid::from_bytes([0; 20]));
        let nonce = git_oid("blob", new.as_bytes());
        let text = format!(
            "certificate version 0.1\npusher {} {seconds} +0000\npushee ssh://git.bank.example/models.git\n\
             nonce {seconds}-{nonce}\n\n{old} {new} {}\n",
            self.public.id(),
            self.branch
        );
        let armour = sshsig::sign(&self.key, NAMESPACE_GIT, text.as_bytes());
        (text + &armour).into_bytes()
    }
}

/// Decides a push as the gate does, and adds its leaves.
fn record(draft: &mut Draft, policy: &Policy, author: &Author, pushed: &Pushed, first: u64, time_ms: i64) {
    let time = Timestamp::from_millis(time_ms).unwrap();
    let key = author.public.id().clone();
    let commit = Commit::parse(&pushed.raw).unwrap();
    let manifest = Manifest::parse(pushed.manifest.as_bytes()).unwrap();
    let mut evidence = evidence::assemble(&commit, &manifest, None, Signature::Valid { key: key.clone() });
    if evidence.log.is_some() {
        evidence.facts.log = LogTrailer::Holds;
    }
    let update = Update {
        entering: vec![pushed.oid],
        extra: Vec::new(),
        action: if pushed.old.is_some() { Move::Update } else { Move::Create },
        new: Some(pushed.oid),
        old: pushed.old,
        problem: None,
        refname: author.branch.clone(),
        scopes: BTreeMap::new(),
        tag: None,
    };
    let facts = Facts {
        commits: BTreeMap::from([(pushed.oid, evidence.facts.clone())]),
        pusher: Pusher::Certificate { key },
        time,
        totals: None,
        updates: vec![update.clone()],
    };
    let decision = decide(policy, &facts);
    assert!(decision.accepted, "{:?}", decision.reasons);
    let material = Material { raw: pushed.raw.clone(), manifest: pushed.manifest.clone(), own: None };
    let gathered = Gathered {
        commits: BTreeMap::from([(pushed.oid, Found { evidence, is_readable: true, material: Some(material) })]),
        updates: vec![update],
        fresh: vec![pushed.oid],
        ..Gathered::default()
    };
    draft.let_through(&facts, &decision, &gathered, Some(&pushed.certificate), 0);
    let push = first + draft.batch.leaves.len() as u64 - 1;
    let updates = vec![Settled { refname: author.branch.clone(), state: State::Landed }];
    draft.batch.leaves.push(Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push, time, updates }));
}
