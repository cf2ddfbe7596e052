//! A clone follows its remote's ledger: first sight, growth, rollback, fork, silence.

use std::path::PathBuf;

use mledger::clock::Timestamp;
use mledger::entry::field::Field;
use mledger::entry::leaf::{Baseline, Genesis, GenesisKind, Leaf, Observed, ObservedKind, VERSION};
use mledger::git::Repository;
use mledger::identity::ed25519::SecretKey;
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::place::Place;
use mledger::name::Origin;

use crate::world::{Person, World};

/// A server whose ledger is written by hand, and Alice's clone of it.
struct Office {
    world: World,
    alice: Person,
    server: PathBuf,
    clone: PathBuf,
    signer: Signer,
    policy: String,
}

fn office() -> Office {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    alice.git(world.root(), &["clone", "-q", "server.git", "clone"]).ok();
    let policy = format!(
        "mledger = 1\nname = \"models\"\n[admin]\nactors = [\"{id}\"]\nthreshold = 1\n\
         [actors.\"{id}\"]\nroles = []\nkeys = [\"{}\"]\n",
        alice.public_key(),
        id = alice.id()
    );
    let (server, clone) = (world.path("server.git"), world.path("clone"));
    let signer = Signer { origin: Origin::parse("bank.example/models").unwrap(), key: SecretKey::from_seed(&[7; 32]) };
    Office { world, alice, server, clone, signer, policy }
}

impl Office {
    fn begin(&self) {
        let repository = Repository::open(&self.server).unwrap();
        let place = Place::in_repository(&self.server);
        place.create().unwrap();
        let mut batch = Batch { policy: Some(self.policy.clone()), ..Batch::default() };
        let genesis = Genesis {
            baseline: Baseline { commits: Field::text("", &mut batch.blobs), refs: Field::text("", &mut batch.blobs) },
            kind: GenesisKind::Is,
            login: None,
            mledger: VERSION,
            origin: self.signer.origin.clone(),
            policy: Field::text(&self.policy, &mut batch.blobs),
            time: Timestamp::from_millis(1_000).unwrap(),
            vkey: self.signer.vkey().to_string(),
        };
        batch.leaves.push(Leaf::Genesis(Box::new(genesis)));
        let repository = place.durable(repository).unwrap();
        Locked::create(&repository, &place, &self.signer).unwrap().append(&batch).unwrap();
    }

    /// Appends one entry; different times make different entries.
    fn grow(&self, time: i64) {
        let repository = Repository::open(&self.server).unwrap();
        let place = Place::in_repository(&self.server);
        let time = Timestamp::from_millis(time).unwrap();
        let leaf = Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs: Vec::new(), time });
        let batch = Batch { leaves: vec![leaf], ..Batch::default() };
        let repository = place.durable(repository).unwrap();
        Locked::open(&repository, &place, &self.signer).unwrap().append(&batch).unwrap();
    }

    /// Sets the ledger back, as an administrator can who holds the key and wants it unnoticed.
    fn set_back(&self, steps: usize) {
        let target = format!("refs/mledger/log~{steps}");
        self.alice.git(&self.server, &["update-ref", "refs/mledger/log", &target]).ok();
        let message = self.alice.git(&self.server, &["log", "-1", "--format=%B", "refs/mledger/log"]).ok();
        let note =
            message.split("\n\n").skip_while(|part| !part.starts_with("bank.example")).collect::<Vec<_>>().join("\n\n");
        std::fs::write(self.server.join("mledger/last-checkpoint"), note + "\n").unwrap();
        std::fs::remove_file(self.server.join("mledger/hashes")).unwrap();
    }

    fn init(&self, words: &[&str]) -> serde_json::Value {
        let words = [&["--json", "init"], words].concat();
        serde_json::from_str(&self.alice.mledger(&self.clone, &words).ok()).unwrap()
    }

    #[track_caller]
    fn commit(&self) -> String {
        self.alice.git(&self.clone, &["commit", "-q", "--allow-empty", "-m", "work"]).ok();
        self.alice
            .git(&self.clone, &["log", "-1", "--format=%(trailers:key=Mledger-Log,valueonly)"])
            .ok()
            .trim()
            .to_owned()
    }

    fn push(&self) -> crate::world::Run {
        self.alice.git(&self.clone, &["push", "-q", "origin", "main"])
    }
}

#[test]
fn a_ledger_is_followed_and_commits_name_it() {
    let office = office();
    assert_eq!(office.init(&[])["ledger"]["state"], "not-yet");
    assert_eq!(office.commit(), "");
    office.begin();
    let report = office.init(&[]);
    assert_eq!(report["ledger"]["state"], "follows", "{report}");
    assert_eq!(report["ledger"]["enrolled"], "alice@bank.example");
    assert_eq!(report["ledger"]["vkey"], office.signer.vkey().to_string());
    assert_eq!(report["ledger"]["vkey-on-trust"], true);
    assert!(office.commit().starts_with("bank.example/models 1 sha256:"));
    office.grow(2_000);
    office.push().ok();
    assert!(office.commit().starts_with("bank.example/models 2 sha256:"), "the push looked at the ledger");
    assert_eq!(office.init(&[])["ledger"]["vkey-on-trust"], false);
    let shallow = office.alice.git(&office.clone, &["rev-parse", "--is-shallow-repository"]).ok();
    assert_eq!(shallow, "false");
}

#[test]
fn a_ledger_that_goes_back_stops_the_push() {
    let office = office();
    office.begin();
    office.grow(2_000);
    office.init(&[]);
    office.commit();
    office.set_back(1);
    let err = office.push().fails();
    assert!(err.contains("rolled back: it has 1 entries") && err.contains("and had 2, root sha256:"), "{err}");
    assert_eq!(office.alice.git(&office.server, &["for-each-ref", "refs/heads"]).ok(), "", "nothing was pushed");
    assert!(office.commit().starts_with("bank.example/models 2 "), "what was seen is not forgotten");
    office.grow(3_000);
    let err = office.push().fails();
    assert!(err.contains("was replaced: its 2 entries"), "{err}");
    office.grow(4_000);
    let err = office.push().fails();
    assert!(err.contains("was replaced: its 3 entries"), "{err}");
    assert!(office.commit().starts_with("bank.example/models 2 "));
}

#[test]
fn a_ledger_that_is_gone_or_signed_by_another_stops_the_push() {
    let mut office = office();
    office.begin();
    office.init(&[]);
    office.commit();
    office.alice.git(&office.server, &["update-ref", "-d", "refs/mledger/log"]).ok();
    let err = office.push().fails();
    assert!(err.contains("ledger is gone"), "{err}");
    std::fs::remove_dir_all(office.server.join("mledger")).unwrap();
    office.signer.key = SecretKey::from_seed(&[8; 32]);
    office.begin();
    let err = office.push().fails();
    assert!(err.contains("the ledger is not what this clone saw"), "{err}");
    assert_eq!(office.alice.git(&office.server, &["for-each-ref", "refs/heads"]).ok(), "");
}

#[test]
fn a_ledger_out_of_reach_only_warns() {
    let office = office();
    office.begin();
    office.init(&[]);
    office.commit();
    let server = office.server.display().to_string();
    office.alice.git(&office.clone, &["config", "remote.origin.pushUrl", &server]).ok();
    office.alice.git(&office.clone, &["config", "remote.origin.url", "../nowhere.git"]).ok();
    let run = office.push();
    assert!(run.err.contains("was not looked at"), "{run:#?}");
    run.ok();
}

#[test]
fn relative_remotes_and_other_remotes() {
    let office = office();
    office.begin();
    office.alice.git(&office.clone, &["config", "remote.origin.url", "../server.git"]).ok();
    assert_eq!(office.init(&[])["ledger"]["state"], "follows");
    office.commit();
    office.alice.git(office.world.root(), &["init", "-q", "--bare", "fork.git"]).ok();
    office.alice.git(&office.clone, &["push", "-q", "../fork.git", "main"]).ok();
    office.set_aside();
    let err = office.alice.git(&office.clone, &["push", "-q", "../server.git", "main"]).fails();
    assert!(err.contains("ledger is gone"), "the followed remote by its address: {err}");
}

#[test]
fn a_key_that_was_told_must_be_the_ledgers() {
    let office = office();
    office.begin();
    let other = Signer { origin: office.signer.origin.clone(), key: SecretKey::from_seed(&[8; 32]) };
    let vkey = other.vkey().to_string();
    office.alice.mledger(&office.clone, &["init", "--vkey", &vkey]).fails();
    assert!(!office.clone.join(".git/mledger/vkey").exists());
    assert!(!office.clone.join(".git/hooks/pre-push").exists());
    let vkey = office.signer.vkey().to_string();
    let report = office.init(&["--vkey", &vkey]);
    assert_eq!(report["ledger"]["vkey-on-trust"], false);
}

#[test]
fn a_ledger_that_begins_after_init_is_found_by_the_next_push() {
    let office = office();
    office.alice.git(&office.clone, &["remote", "remove", "origin"]).ok();
    assert_eq!(office.init(&[])["ledger"]["state"], "no-remote");
    let server = office.server.display().to_string();
    office.alice.git(&office.clone, &["remote", "add", "origin", &server]).ok();
    office.commit();
    let run = office.push();
    assert!(!run.err.contains("ledger"), "a remote without a ledger is nobody's fault: {run:#?}");
    run.ok();
    office.begin();
    office.commit();
    let run = office.push();
    assert!(run.err.contains(&office.signer.vkey().to_string()), "{run:#?}");
    run.ok();
    assert!(office.commit().starts_with("bank.example/models 1 "));
}

impl Office {
    fn set_aside(&self) {
        self.alice.git(&self.server, &["update-ref", "-d", "refs/mledger/log"]).ok();
    }
}

#[test]
fn a_damaged_copy_is_not_fetched_into_the_clone() {
    let office = office();
    office.begin();
    office.init(&[]);
    office.commit();
    let refs = || office.alice.git(&office.clone, &["for-each-ref", "--format=%(refname)"]).ok();
    let before = refs();
    for head in ["", "nonsense\n", "ref: ../../../../etc/passwd\n"] {
        std::fs::write(office.clone.join(".git/mledger/log.git/HEAD"), head).unwrap();
        let _ = office.alice.mledger(&office.clone, &["init"]);
        let _ = office.alice.git(&office.clone, &["push", "-q", "--dry-run", "origin", "main"]);
        assert_eq!(refs(), before, "{head:?}");
        let shallow = office.alice.git(&office.clone, &["rev-parse", "--is-shallow-repository"]).ok();
        assert_eq!(shallow, "false", "{head:?}");
    }
    office.alice.mledger(&office.clone, &["doctor", "--fix"]).ok();
    assert!(office.commit().starts_with("bank.example/models 1 sha256:"));
    office.push().ok();
}
