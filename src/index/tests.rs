use super::*;
use crate::clock::Timestamp;
use crate::entry::leaf::{
    Landed, LandedKind, Leaf, Observed, ObservedKind, Settled, State, Unexplained, Update, VERSION,
};
use crate::ledger::fixture::{self, Server};
use crate::policy::facts::Move;

fn time() -> Timestamp {
    Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap()
}

fn oid(n: u8) -> Oid {
    Oid::from_bytes([n; 20])
}

fn main() -> RefName {
    RefName::parse("refs/heads/main").unwrap()
}

fn push(old: Option<u8>, new: u8) -> Leaf {
    let update = Update {
        extra: None,
        action: if old.is_some() { Move::Update } else { Move::Create },
        new: Some(oid(new)),
        old: old.map(oid),
        refname: main(),
        tag: None,
    };
    Leaf::Push(Box::new(fixture::push(time(), update)))
}

fn landed(push: u64) -> Leaf {
    let updates = vec![Settled { refname: main(), state: State::Landed }];
    Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push, time: time(), updates })
}

fn observed() -> Leaf {
    let refs = vec![Unexplained { expected: None, refname: main(), tip: Some(oid(9)) }];
    Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time: time() })
}

fn server() -> Server {
    Server::begin(time(), &format!("{} {}\n", oid(1), oid(2)), &format!("{} {}\n", oid(1), main()))
}

impl Server {
    fn index(&self, log: &Log<'_>) -> Index {
        Index::open(&self.place.file("index.sqlite"), log).unwrap()
    }

    fn put_mark(&self) {
        let db = Connection::open(self.place.file("index.sqlite")).unwrap();
        db.execute("INSERT INTO certificates VALUES (x'77')", []).unwrap();
    }

    /// Whether the index was filled up since the mark, not made anew.
    fn has_mark(index: &Index) -> bool {
        index.0.prepare("SELECT 1 FROM certificates WHERE digest = x'77'").unwrap().exists([]).unwrap()
    }
}

#[test]
fn it_says_what_the_ledger_says() {
    let server = server();
    let index = server.index(&server.log());
    assert_eq!(index.known(&oid(1)).unwrap(), Some(Known { leaf: None, generation: 1 }));
    assert_eq!(index.tip(&main()).unwrap(), Some(oid(1)));
    assert_eq!(index.tips().unwrap(), [Tip { refname: main(), oid: oid(1), commit: Some((1, oid(1))) }]);

    let mut index = index;
    // Another push of that number never came.
    index.expect(1, Some("41:6")).unwrap();
    index.expect(1, None).unwrap();
    index.expect(1, Some("42:7")).unwrap();
    server.append(vec![push(Some(1), 3)]);
    // Whoever takes the entry in knows who waits for it, were it after the death of him who appended it.
    let mut index = server.index(&server.log());
    let open = index.open_moves().unwrap();
    let [open] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!((open.push, open.new, open.process.as_deref()), (1, Some(oid(3)), Some("42:7")));
    assert_eq!(index.tip(&main()).unwrap(), Some(oid(1)), "it was not put there yet");
    assert!(index.is_waiting("42:7").unwrap() && !index.is_waiting("41:6").unwrap());

    server.append(vec![observed(), landed(1)]);
    // What another process takes in is seen at once, as whoever waits for the lock relies on.
    server.index(&server.log());
    assert!(!index.is_waiting("42:7").unwrap());
    index.sync(&server.log()).unwrap();
    assert!(index.open_moves().unwrap().is_empty());
    assert_eq!(index.tips().unwrap(), [Tip { refname: main(), oid: oid(3), commit: None }]);
    assert!(!index.is_observed(&main(), Some(&oid(9))).unwrap(), "what landed since explains the ref");
}

#[test]
fn only_new_entries_are_taken_in_across_seals_and_processes() {
    let server = server();
    drop(server.index(&server.log()));
    server.put_mark();
    for count in [1, 2, 250, 5, 600, 1] {
        server.append((0..count).map(|_| observed()).collect());
        let index = server.index(&server.log());
        assert!(Server::has_mark(&index), "{count}");
        index.tidy().unwrap();
    }
}

#[test]
fn the_log_of_changes_stays_short() {
    let server = server();
    let length = || std::fs::metadata(server.place.file("index.sqlite-wal")).unwrap().len();
    let mut lengths = Vec::new();
    for tip in 2..90 {
        server.append(vec![push(Some(tip - 1), tip)]);
        let mut index = server.index(&server.log());
        server.append(vec![landed(u64::from(tip) * 2 - 3)]);
        index.tidy().unwrap();
        index.sync(&server.log()).unwrap();
        lengths.push(length());
    }
    assert!(lengths.iter().all(|length| *length < WAL_BYTES_MAX + 16 * 1024), "{lengths:?}");
    assert!(!lengths.is_sorted(), "it never began anew: {lengths:?}");
}

#[test]
fn an_index_ahead_of_the_log_in_hand_is_kept() {
    let server = server();
    let before = server.log();
    server.append(vec![push(Some(1), 3)]);
    drop(server.index(&server.log()));
    server.put_mark();
    let index = server.index(&before);
    assert!(Server::has_mark(&index));
    assert_eq!(index.open_moves().unwrap().len(), 1);
}

#[test]
fn an_index_of_another_ledger_or_version_is_made_anew() {
    let server = server();
    server.append(vec![push(Some(1), 3)]);
    drop(server.index(&server.log()));
    for damage in ["UPDATE meta SET root = zeroblob(32)", "UPDATE meta SET size = 99", "PRAGMA user_version = 7"] {
        server.put_mark();
        Connection::open(server.place.file("index.sqlite")).unwrap().execute_batch(damage).unwrap();
        let index = server.index(&server.log());
        assert!(!Server::has_mark(&index), "{damage}");
        assert_eq!(index.open_moves().unwrap().len(), 1, "{damage}");
    }
}

#[test]
fn making_it_goes_on_where_it_was_interrupted() {
    let server = server();
    for _ in 0..3 {
        server.append((0..200).map(|_| observed()).collect());
    }
    let log = server.log();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.sqlite");
    let mut whole = Index::open(&folder.path().join("other.sqlite"), &log).unwrap();
    let mut index = Index(Connection::open(&path).unwrap());
    let mut sizes = Vec::new();
    for _ in 0..2 {
        index.write(|write| take_in(write, &log, TILE_WIDTH).map(|done| assert!(!done))).unwrap();
        let (size, root) = stored(&index.0).unwrap().unwrap();
        assert!(log.was(size, &root).unwrap());
        sizes.push(size);
        index = Index(Connection::open(&path).unwrap());
    }
    assert_eq!(sizes, [TILE_WIDTH, 2 * TILE_WIDTH]);
    index.sync(&log).unwrap();
    assert_eq!(stored(&index.0).unwrap(), stored(&whole.0).unwrap());
    index.compact().unwrap();
    assert!(index.log_bytes() <= WAL_BYTES_MAX);
    assert_eq!(index.tips().unwrap(), whole.tips().unwrap());
    // From the middle of a bundle it gets to the ends of bundles again.
    server.append((0..200).map(|_| observed()).collect());
    let log = server.log();
    whole.take_in_by(&log, TILE_WIDTH).unwrap();
    assert!(whole.covers(&log).unwrap());
}
