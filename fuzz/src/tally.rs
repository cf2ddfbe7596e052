//! The file of denials that were only counted: whatever it holds, the ledger gets sound leaves, and denials keep their
//! limit.

use std::cell::LazyCell;

use mledger::clock::Timestamp;
use mledger::entry::denials::{Class, Source, minute};
use mledger::entry::field::Field;
use mledger::entry::leaf::{Baseline, Genesis, GenesisKind, Leaf, VERSION};
use mledger::git::{Durable, Repository};
use mledger::hook::tally::Tally;
use mledger::identity::ed25519::SecretKey;
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::place::Place;
use mledger::ledger::read::Log;
use mledger::name::Origin;

/// A ledger that has begun, and the folder beside it.
struct Ledger {
    place: Place,
    repository: Durable,
    _folder: tempfile::TempDir,
}

thread_local! {
    static LEDGER: LazyCell<Ledger> = LazyCell::new(Ledger::begin);
}

pub fn check(data: &[u8]) {
    LEDGER.with(|ledger| look(ledger, data));
}

fn look(ledger: &Ledger, data: &[u8]) {
    let place = &ledger.place;
    std::fs::write(place.file("denials"), data).expect("a file can be written");
    let log = Log::open(&ledger.repository, None).expect("the ledger is whole");
    let now = at(1_795_436_102_000);
    let mut tally = Tally::open(place, &log);
    let due = tally.due(log.size(), now).expect("the file can be written");
    for leaf in &due {
        let Leaf::Denials(denials) = leaf else { panic!("another kind of leaf is due") };
        assert_eq!(denials.flaw(), None);
        assert_eq!(denials.time, now);
        let bytes = leaf.to_bytes().expect("a leaf that is due can be written");
        assert_eq!(Leaf::parse(&bytes).as_ref().ok(), Some(leaf), "a leaf that is due cannot be read");
    }
    assert!(tally.due(log.size(), now).expect("the file can be written").is_empty(), "counted twice");
    // A source that has had its leaves gets no more in this minute, whoever opens the file next.
    let source = Source::Class(Class::Unknown);
    let max = source.leaves_max();
    (0..max).for_each(|_| tally.record(source.clone()));
    tally.count(source.clone(), now);
    assert!(!tally.has_room(&source));
    tally.save().expect("the file can be written");
    let mut again = Tally::open(place, &log);
    assert!(!again.has_room(&source));
    let later = at(1_795_436_102_000 + 60_000);
    assert_ne!(minute(now), minute(later));
    let due = again.due(log.size(), later).expect("the file can be written");
    let counts = |leaf: &&Leaf| matches!(leaf, Leaf::Denials(denials) if denials.source == source);
    assert_eq!(due.iter().filter(counts).count(), 1, "a count is lost");
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time")
}

impl Ledger {
    fn begin() -> Self {
        // In memory where the system has such a folder: the file is synced with each write.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder can be made");
        let repository = Repository::init_bare(&folder.path().join("models.git")).expect("a repository can be made");
        let place = Place::in_repository(repository.git_dir());
        place.create().expect("a folder can be made");
        let origin = Origin::parse("git.bank.example/models").expect("an origin");
        let signer = Signer { origin, key: SecretKey::from_seed(&[7; 32]) };
        let vkey = signer.vkey().to_string();
        place.write("vkey", &format!("{vkey}\n"), 0o644).expect("a file can be written");
        let empty = || Field::Inline(String::new());
        let genesis = Genesis {
            baseline: Baseline { commits: empty(), refs: empty() },
            kind: GenesisKind::Is,
            login: None,
            mledger: VERSION,
            origin: signer.origin.clone(),
            policy: empty(),
            time: at(1_795_000_000_000),
            vkey,
        };
        let batch = Batch { leaves: vec![Leaf::Genesis(Box::new(genesis))], policy: Some(String::new()), ..Batch::default() };
        let repository = place.durable(repository).expect("a repository can be made durable");
        let mut locked = Locked::create(&repository, &place, &signer).expect("a ledger can begin");
        locked.append(&batch).expect("a ledger can begin");
        drop(locked);
        Self { place, repository, _folder: folder }
    }
}
