use super::*;
use crate::clock::Timestamp;
use crate::entry::field::Field;
use crate::entry::leaf::{Baseline, Genesis, GenesisKind, Leaf, Observed, ObservedKind, VERSION};
use crate::identity::ed25519::SecretKey;
use crate::ledger::append::{Batch, Locked, Signer};
use crate::name::Origin;

const POLICY: &str = "mledger = 1\n";

/// A server's ledger, and a folder that stands for a clone's `.git`.
struct Fixture {
    folder: tempfile::TempDir,
    signer: Signer,
}

fn signer(seed: u8) -> Signer {
    Signer { origin: Origin::parse("bank.example/models").unwrap(), key: SecretKey::from_seed(&[seed; 32]) }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    Repository::init_bare(&folder.path().join("clone.git")).unwrap();
    let fixture = Fixture { folder, signer: signer(7) };
    fixture.begin("server.git");
    fixture
}

impl Fixture {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn begin(&self, server: &str) {
        let repository = Repository::init_bare(&self.path(server)).unwrap();
        let place = Place::in_repository(&self.path(server));
        place.create().unwrap();
        let mut batch = Batch { policy: Some(POLICY.to_owned()), ..Batch::default() };
        let empty = Field::text("", &mut batch.blobs);
        let genesis = Genesis {
            baseline: Baseline { commits: empty.clone(), refs: empty },
            kind: GenesisKind::Is,
            login: None,
            mledger: VERSION,
            origin: self.signer.origin.clone(),
            policy: Field::text(POLICY, &mut batch.blobs),
            time: Timestamp::from_millis(1).unwrap(),
            vkey: self.signer.vkey().to_string(),
        };
        batch.leaves.push(Leaf::Genesis(Box::new(genesis)));
        let repository = place.durable(repository).unwrap();
        Locked::create(&repository, &place, &self.signer).unwrap().append(&batch).unwrap();
    }

    /// Appends `count` entries in batches of at most `batch`; `salt` tells those of one ledger from another's.
    fn grow(&self, server: &str, count: usize, batch: usize, salt: i64) {
        let repository = Repository::open(&self.path(server)).unwrap();
        let place = Place::in_repository(&self.path(server));
        let repository = place.durable(repository).unwrap();
        let mut ledger = Locked::open(&repository, &place, &self.signer).unwrap();
        let time = Timestamp::from_millis(1_000_000 + salt).unwrap();
        let leaf = Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs: Vec::new(), time });
        let leaves = vec![leaf; count];
        for chunk in leaves.chunks(batch) {
            ledger.append(&Batch { leaves: chunk.to_vec(), ..Batch::default() }).unwrap();
        }
    }

    fn fetch(&self, server: &str) -> Result<Followed, FollowError> {
        fetch(&self.path("clone.git"), self.path(server).to_str().unwrap(), None)
    }

    fn state(&self) -> (Option<Checkpoint>, Option<crate::name::Oid>) {
        let seen = remembered(&self.path("clone.git")).unwrap();
        let log = repository(&self.path("clone.git")).unwrap().unwrap();
        (seen, log.tip(&crate::ledger::log_ref().unwrap()).unwrap())
    }
}

#[test]
fn growth_is_followed_across_seals() {
    let fixture = fixture();
    let first = fixture.fetch("server.git").unwrap();
    assert_eq!((first.old.clone(), first.new.size(), first.vkey_on_trust), (None, 1, true));
    assert_eq!(first.vkey, fixture.signer.vkey());
    let mut old = first.new;
    for (count, batch, size) in [(1, 1, 2), (3, 2, 5), (300, 300, 305), (206, 1, 511), (1, 1, 512), (600, 250, 1112)] {
        fixture.grow("server.git", count, batch, 0);
        let followed = fixture.fetch("server.git").unwrap();
        assert_eq!((followed.old, followed.new.size(), followed.vkey_on_trust), (Some(old), size, false));
        old = followed.new;
        assert_eq!(remembered(&fixture.path("clone.git")).unwrap(), Some(old.clone()));
    }
    assert_eq!(fixture.fetch("server.git").unwrap().new, old, "nothing new is fine");
}

#[test]
fn a_rollback_and_a_fork_name_both_checkpoints_and_change_nothing() {
    for seen_entries in [2, 260, 520] {
        let fixture = fixture();
        fixture.grow("server.git", seen_entries, 50, 0);
        fixture.begin("short.git");
        fixture.begin("fork.git");
        fixture.grow("fork.git", seen_entries, 50, 1);
        fixture.begin("long.git");
        fixture.grow("long.git", seen_entries + 300, 50, 1);
        let seen_first = fixture.fetch("server.git").unwrap().new;
        let before = fixture.state();
        match fixture.fetch("short.git").unwrap_err() {
            FollowError::RolledBack { seen, found } => assert_eq!((*seen, found.size()), (seen_first.clone(), 1)),
            other => panic!("{other}"),
        }
        for (server, size) in [("fork.git", seen_first.size()), ("long.git", seen_first.size() + 300)] {
            match fixture.fetch(server).unwrap_err() {
                FollowError::Forked { seen, found } => assert_eq!((*seen, found.size()), (seen_first.clone(), size)),
                other => panic!("{other}"),
            }
        }
        assert_eq!(fixture.state(), before);
        fixture.grow("server.git", 1, 1, 0);
        fixture.fetch("server.git").unwrap();
    }
}

#[test]
fn another_key_is_refused_whether_pinned_or_given() {
    let mut fixture = fixture();
    let (pinned, other) = (fixture.signer.vkey(), signer(8));
    let (git_dir, url) = (fixture.path("clone.git"), fixture.path("server.git").display().to_string());
    let refused = fetch(&git_dir, &url, Some(&other.vkey())).unwrap_err();
    assert!(matches!(refused, FollowError::Read(ReadError::Checkpoint(_))), "{refused}");
    assert_eq!(remembered(&git_dir).unwrap(), None);
    fetch(&git_dir, &url, Some(&pinned)).unwrap();
    assert!(matches!(fetch(&git_dir, &url, Some(&other.vkey())), Err(FollowError::OtherKey { .. })));
    fixture.signer = other;
    fixture.begin("other.git");
    let refused = fixture.fetch("other.git").unwrap_err();
    assert!(refused.is_contradiction(), "{refused}");
}

#[test]
fn absence_is_told_from_silence() {
    let fixture = fixture();
    Repository::init_bare(&fixture.path("none.git")).unwrap();
    assert!(matches!(fixture.fetch("none.git"), Err(FollowError::NoLedger)));
    assert!(matches!(fixture.fetch("nowhere.git"), Err(FollowError::Unreachable { .. })));
    fixture.fetch("server.git").unwrap();
    assert!(matches!(fixture.fetch("none.git"), Err(FollowError::Vanished { seen }) if seen.size() == 1));
    assert!(matches!(fixture.fetch("nowhere.git"), Err(FollowError::Unreachable { .. })));
}

#[test]
fn a_ledger_without_its_entries_is_damaged() {
    let fixture = fixture();
    fixture.grow("server.git", 3, 1, 0);
    let repository = Repository::open(&fixture.path("server.git")).unwrap();
    let name = crate::ledger::log_ref().unwrap();
    let tip = repository.tip(&name).unwrap().unwrap();
    let object = String::from_utf8(repository.read(&tip, crate::git::Kind::Commit).unwrap()).unwrap();
    let changed = object.replace("observed", "obferved");
    assert_ne!(object, changed);
    let forged = repository.write(crate::git::Kind::Commit, changed.as_bytes()).unwrap();
    repository.move_ref(&name, &forged, Some(&tip), "forge").unwrap();
    assert!(matches!(fixture.fetch("server.git"), Err(FollowError::Damaged { found }) if found.size() == 4));
    assert_eq!(remembered(&fixture.path("clone.git")).unwrap(), None);
}

#[test]
fn the_ledger_is_forgotten_on_demand() {
    let fixture = fixture();
    fixture.fetch("server.git").unwrap();
    forget(&fixture.path("clone.git")).unwrap();
    assert_eq!(remembered(&fixture.path("clone.git")).unwrap(), None);
    assert!(repository(&fixture.path("clone.git")).unwrap().is_none());
}

#[test]
fn only_plain_relative_paths_are_made_absolute() {
    let base = Path::new("/home/alice/model");
    for (url, expected) in [
        ("../server.git", "/home/alice/model/../server.git"),
        ("server", "/home/alice/model/server"),
        ("/srv/models.git", "/srv/models.git"),
        ("./a:b", "/home/alice/model/./a:b"),
        ("git.example:models.git", "git.example:models.git"),
        ("alice@git.example:a/b", "alice@git.example:a/b"),
        ("https://git.example/models", "https://git.example/models"),
        ("file:///srv/models.git", "file:///srv/models.git"),
        ("ext::ssh x", "ext::ssh x"),
    ] {
        assert_eq!(absolute_url(base, url), expected);
    }
}
