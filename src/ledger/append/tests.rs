use std::fs;

use super::*;
use crate::entry::leaf::{Landed, LandedKind, Settled, State, VERSION};
use crate::git::Repository;
use crate::ledger::fixture::Server;
use crate::ledger::last::{CONFIG, LAST_CHECKPOINT};
use crate::ledger::log_ref;
use crate::name::RefName;
use crate::tlog::hashes::MemoryHashes;

fn time() -> Timestamp {
    Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap()
}

fn landed(push: u64, ref_bytes: usize) -> Leaf {
    let refname = RefName::parse(&format!("refs/heads/{}", "x".repeat(ref_bytes))).unwrap();
    let updates = vec![Settled { refname, state: State::Landed }];
    Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push, time: time(), updates })
}

/// A leaf of about 60 KB: some three of them are too long for a message.
fn long(push: u64) -> Leaf {
    let updates = (0..250).map(|n| {
        let refname = RefName::parse(&format!("refs/heads/{}{n:03}", "y".repeat(200))).unwrap();
        Settled { refname, state: State::Void }
    });
    Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push, time: time(), updates: updates.collect() })
}

fn begin() -> Server {
    Server::begin(time(), "", "")
}

impl Server {
    fn lock(&self) -> Result<Locked<'_>, AppendError> {
        Locked::open(&self.repository, &self.place, &self.signer)
    }

    /// Every leaf reads back, one by one and in a stream, and hashes to the signed root.
    fn check(&self, expected: &[Leaf]) {
        let log = self.log();
        assert_eq!(log.size(), expected.len() as u64 + 1);
        let mut hashes = MemoryHashes::default();
        log.each(0..log.size(), |index, bytes| {
            hashes.append(leaf_hash(bytes));
            if let Some(leaf) = index.checked_sub(1).and_then(|at| expected.get(usize::try_from(at).unwrap())) {
                assert_eq!(Leaf::parse(bytes).unwrap(), *leaf);
            }
            Ok::<_, ReadError>(())
        })
        .unwrap();
        assert_eq!(tree::root(&hashes, log.size()).unwrap(), log.head().checkpoint.root());
        assert_eq!(tree::root(&log, log.size()).unwrap(), log.head().checkpoint.root());
        for index in [1, 2, log.size() / 2, log.size() - 1] {
            if let Some(leaf) = index.checked_sub(1).and_then(|at| expected.get(usize::try_from(at).unwrap())) {
                assert_eq!(log.leaf(index).unwrap(), *leaf);
            }
        }
    }
}

#[test]
fn leaves_read_back_across_every_kind_of_seal() {
    let bench = begin();
    let mut all = Vec::new();
    // Up to right before a seal, exactly to it, over it, over several at once, and big ones before, at and after one.
    for (count, big) in
        [(254, 0), (1, 0), (1, 0), (254, 0), (3, 0), (700, 0), (0, 3), (0, 4), (50, 3), (1, 0), (300, 0), (0, 260)]
    {
        let mut leaves: Vec<Leaf> = (0..count).map(|_| landed(all.len() as u64, 3)).collect();
        leaves.extend((0..big).map(long));
        all.extend(leaves.clone());
        bench.append(leaves);
        bench.check(&all);
    }
    let log = bench.log();
    assert!(log.size() > 1500);
    let tail = bench.repository.entry_names(&log.head().message.tree, "tail").unwrap();
    assert_eq!(tail.len(), 1, "leaves too long for a message lie under `tail/` until they are sealed, and no longer");
}

#[test]
fn one_commit_per_append_and_none_for_nothing() {
    let bench = begin();
    let before = bench.log().head().commit;
    bench.append(Vec::new());
    assert_eq!(bench.log().head().commit, before);
    bench.append(vec![landed(1, 3), landed(2, 3)]);
    assert_eq!(bench.log().head().message.parent, Some(before));
}

#[test]
fn a_cache_that_is_gone_torn_or_wrong_is_made_anew() {
    let bench = begin();
    bench.append((0..300).map(|n| landed(n, 3)).collect());
    let path = bench.place.file("hashes");
    let good = fs::read(&path).unwrap();
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    for bytes in [&[][..], &good[..good.len() - 7], &good[..64], &wrong] {
        fs::write(&path, bytes).unwrap();
        drop(bench.lock().unwrap());
        assert!(fs::read(&path).unwrap() == good, "the cache is not what it was");
    }
    fs::remove_file(&path).unwrap();
    bench.append(vec![landed(1, 3)]);
    assert!(fs::read(&path).unwrap().starts_with(&good));
}

#[test]
fn a_wrong_hash_deep_in_the_cache_denies_no_prefix() {
    let bench = begin();
    bench.append((0..300).map(|n| landed(n, 3)).collect());
    let log = bench.log();
    let roots: Vec<_> = [0, 1, 2, 3, 17, 256, 300, 301].map(|size| (size, tree::root(&log, size).unwrap())).into();
    let path = bench.place.file("hashes");
    let mut bytes = fs::read(&path).unwrap();
    // The second leaf's hash: the root of the whole tree does not need it.
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let locked = bench.lock().unwrap();
    for (size, root) in roots {
        assert!(locked.is_prefix(size, &root).unwrap(), "{size}");
        assert!(!locked.is_prefix(size + 1, &root).unwrap(), "{size}");
    }
    assert!(!locked.is_prefix(302, &log.head().checkpoint.root()).unwrap());
}

#[test]
fn a_ledger_that_was_set_back_or_replaced_takes_nothing_more() {
    let bench = begin();
    bench.append(vec![landed(1, 3)]);
    let old = bench.log().head().commit;
    bench.append(vec![landed(2, 3)]);
    let new = bench.log().head().commit;
    let name = log_ref().unwrap();
    bench.repository.move_ref(&name, &old, Some(&new), "set back").unwrap();
    assert!(matches!(bench.lock().err(), Some(AppendError::SetBack { found: 2, signed: 3 })));

    // Another history of the same key, from a copy that did not know better.
    bench.place.remove(LAST_CHECKPOINT).unwrap();
    assert!(matches!(bench.lock().err(), Some(AppendError::NoLastCheckpoint(_))));
    let note = bench.log().head().message.note.clone();
    bench.place.write(LAST_CHECKPOINT, &note, 0o644).unwrap();
    bench.append(vec![landed(3, 3), landed(4, 3)]);
    let fork = bench.log().head().commit;
    bench.repository.move_ref(&name, &new, Some(&fork), "go back").unwrap();
    bench.place.write(LAST_CHECKPOINT, &Head::read(&bench.repository, new).unwrap().message.note, 0o644).unwrap();
    bench.repository.move_ref(&name, &fork, Some(&new), "fork").unwrap();
    assert!(matches!(bench.lock().err(), Some(AppendError::Forked { signed: 3 })));
}

#[test]
fn every_copy_of_the_newest_checkpoint_counts() {
    let bench = begin();
    let third = bench.repository.git_dir().join("elsewhere");
    crate::git::command::set_config(bench.repository.git_dir(), CONFIG, "elsewhere").unwrap();
    // Settings are read when a repository is opened.
    let open = || bench.place.durable(Repository::open(bench.repository.git_dir()).unwrap()).unwrap();
    let lock = || Locked::open(&open(), &bench.place, &bench.signer).err();
    assert!(matches!(lock(), Some(AppendError::NoLastCheckpoint(file)) if file == third));
    LastCheckpoint::of(&open(), &bench.place).unwrap().spread().unwrap();
    let old = bench.log().head().commit;
    Locked::open(&open(), &bench.place, &bench.signer)
        .unwrap()
        .append(&Batch { leaves: vec![landed(1, 3)], ..Batch::default() })
        .unwrap();
    let new = bench.log().head().commit;
    let note = bench.log().head().message.note.clone();
    assert_eq!(fs::read_to_string(&third).unwrap(), note);
    // The folder went back as a whole, the copy elsewhere did not.
    let name = log_ref().unwrap();
    bench.repository.move_ref(&name, &old, Some(&new), "set back").unwrap();
    bench.place.write(LAST_CHECKPOINT, &bench.log().head().message.note, 0o644).unwrap();
    assert!(matches!(lock(), Some(AppendError::SetBack { found: 1, signed: 2 })));
    // Nor does a ledger begin where one was.
    bench.repository.delete_ref(&name).unwrap();
    let begin = Locked::create(&open(), &bench.place, &bench.signer).err();
    assert!(matches!(begin, Some(AppendError::Gone { signed: 2 })));
    fs::write(&third, "rubbish").unwrap();
    assert!(matches!(lock(), Some(AppendError::Read(ReadError::NoLedger))));
    let begin = Locked::create(&open(), &bench.place, &bench.signer).err();
    assert!(matches!(begin, Some(AppendError::LastCheckpoint { file, .. }) if file == third));
}

#[test]
fn a_crash_after_the_ref_moved_costs_nothing() {
    let bench = begin();
    bench.append(vec![landed(1, 3)]);
    let (note, hashes) =
        (bench.place.read(LAST_CHECKPOINT).unwrap().unwrap(), fs::read(bench.place.file("hashes")).unwrap());
    bench.append(vec![landed(2, 3)]);
    // As if the process had died right after step 4.
    bench.place.write(LAST_CHECKPOINT, &note, 0o644).unwrap();
    fs::write(bench.place.file("hashes"), hashes).unwrap();
    bench.append(vec![landed(3, 3)]);
    bench.check(&[landed(1, 3), landed(2, 3), landed(3, 3)]);
}

#[test]
fn a_lock_left_by_a_killed_process_is_broken() {
    let bench = begin();
    let stale = bench.repository.git_dir().join("refs/mledger/log.lock");
    fs::write(&stale, "").unwrap();
    bench.append(vec![landed(1, 3)]);
    bench.check(&[landed(1, 3)]);
}

#[test]
fn a_leaf_that_is_too_long_appends_nothing() {
    let bench = begin();
    let before = bench.log().head().commit;
    let updates = (0..600).map(|n| Settled {
        refname: RefName::parse(&format!("refs/heads/{}{n}", "z".repeat(200))).unwrap(),
        state: State::Void,
    });
    let leaf = Leaf::Landed(Landed {
        kind: LandedKind::Is,
        mledger: VERSION,
        push: 1,
        time: time(),
        updates: updates.collect(),
    });
    let batch = Batch { leaves: vec![landed(1, 3), leaf], ..Batch::default() };
    assert!(matches!(bench.lock().unwrap().append(&batch), Err(AppendError::Leaf(LeafError::TooLong { .. }))));
    assert_eq!(bench.log().head().commit, before);
}

#[test]
fn what_the_ledger_was_is_told_for_every_size() {
    let bench = begin();
    let mut hashes = MemoryHashes::default();
    for count in [1, 2, 250, 3, 1, 300, 4] {
        bench.append((0..count).map(|n| landed(n, 3)).collect());
        let log = bench.log();
        log.each(hashes.size()..log.size(), |_, bytes| {
            hashes.append(leaf_hash(bytes));
            Ok::<_, ReadError>(())
        })
        .unwrap();
        for size in (0..=log.size()).filter(|size| size % 7 == 0 || log.size() - size < 9) {
            let root = tree::root(&hashes, size).unwrap();
            assert!(log.was(size, &root).unwrap(), "{size} of {}", log.size());
            assert!(!log.was(size, &leaf_hash(b"other")).unwrap(), "{size} of {}", log.size());
            assert!(!log.was(log.size() + 1 + size, &root).unwrap());
        }
    }
}
