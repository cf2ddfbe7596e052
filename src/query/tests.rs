use std::fs;

use proptest::prelude::*;
use proptest::sample::select as one_of;
use rusqlite::Connection;

use super::brief::Brief;
use super::*;
use crate::digest::{git_oid, sha256};
use crate::entry::denials::{Denials, Source};
use crate::entry::field::{BlobName, Field as Content};
use crate::entry::leaf::{
    Commit, CommitKind, DenialsKind, Landed, LandedKind, Leaf, Observed, ObservedKind, Push, Settled, State,
    Unexplained, Update, VERSION, Verdict, paths_text,
};
use crate::ledger::fixture::{self, Server};
use crate::ledger::log_ref;
use crate::ledger::read::TILE_WIDTH;
use crate::name::ActorId;
use crate::policy::facts::{Move, Voucher};
use crate::policy::glob::Glob;

const ACTORS: [&str; 3] = ["alice", "bob", "carol@bank.example"];
const REFS: [&str; 4] = ["refs/heads/main", "refs/heads/dev/a", "refs/heads/dev/b", "refs/tags/v1"];
const PATHS: [&str; 4] = ["models/credit/w.bin", "models/fraud/w.bin", "models", "configs/\u{e4} b.toml"];
const VERDICTS: [Verdict; 3] = [Verdict::Accepted, Verdict::Denied, Verdict::Tolerated];
const REF_GLOBS: [&str; 5] = ["main", "dev/*", "refs/**", "refs/tags/v1", "none"];
const PATH_GLOBS: [&str; 5] = ["models", "models/**/w.bin", "**", "configs/*", "model"];
const KINDS: [&str; 6] = ["genesis", "commit", "push", "landed", "observed", "denials"];

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.throw(items.len() as u64)).unwrap()]
    }

    fn actor(&mut self) -> ActorId {
        ActorId::parse(self.pick(&ACTORS)).unwrap()
    }

    fn refname(&mut self) -> RefName {
        RefName::parse(self.pick(&REFS)).unwrap()
    }

    fn paths(&mut self) -> Content {
        let count = self.throw(3);
        let paths: Vec<_> = (0..count).map(|_| RepoPath::from_bytes(self.pick(&PATHS).as_bytes()).unwrap()).collect();
        Content::Inline(paths_text(&paths))
    }

    /// Of any day of a year, in no order.
    fn time(&mut self) -> Timestamp {
        day(self.throw(365))
    }

    fn leaf(&mut self) -> Leaf {
        let time = self.time();
        match self.throw(10) {
            0..=3 => self.commit(time),
            4..=6 => self.push(time),
            7 => {
                let updates = vec![Settled { refname: self.refname(), state: State::Landed }];
                Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push: 1, time, updates })
            }
            8 => {
                let refs = vec![Unexplained { expected: None, refname: self.refname(), tip: None }];
                Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time })
            }
            _ => {
                let source = Source::Actor(self.actor());
                Leaf::Denials(Denials {
                    count: 1,
                    first: time,
                    kind: DenialsKind::Is,
                    last: time,
                    mledger: VERSION,
                    source,
                    time,
                })
            }
        }
    }

    fn commit(&mut self, time: Timestamp) -> Leaf {
        let object = format!("tree {}\n\n{}\n", git_oid("tree", b""), self.0);
        let vouched_by = (self.throw(4) == 0).then(|| Voucher { actor: self.actor(), entry: 0 });
        Leaf::Commit(Box::new(Commit {
            actor: vouched_by.is_none().then(|| self.actor()),
            key: None,
            kind: CommitKind::Is,
            manifest: Content::Inline(String::new()),
            mledger: VERSION,
            oid: git_oid("commit", object.as_bytes()),
            object: Content::Inline(object),
            own: Some(self.paths()),
            time,
            vouched_by,
        }))
    }

    fn push(&mut self, time: Timestamp) -> Leaf {
        let update = Update {
            extra: Some(self.paths()),
            action: Move::Create,
            new: Some(git_oid("commit", b"")),
            old: None,
            refname: self.refname(),
            tag: None,
        };
        Leaf::Push(Box::new(Push {
            actor: (self.throw(3) > 0).then(|| self.actor()),
            decision: self.pick(&VERDICTS),
            ..fixture::push(time, update)
        }))
    }
}

fn day(number: u64) -> Timestamp {
    let begin = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap().millis();
    Timestamp::from_millis(begin + i64::try_from(number).unwrap() * 86_400_000).unwrap()
}

fn server() -> Server {
    Server::begin(day(0), "", "")
}

fn grow(server: &Server, dice: &mut Dice, count: usize) {
    server.append((0..count).map(|_| dice.leaf()).collect());
}

fn file(server: &Server) -> PathBuf {
    server.place.file(FILE)
}

/// What a filter finds by a selection, up to where an entry cannot be read.
fn found(log: &Log<'_>, selection: &Selection, filter: &Filter, order: Order) -> (Vec<u64>, Option<String>) {
    let look = |log: &Log<'_>, index, bytes: &[u8]| {
        let brief = Brief::read(log, index, bytes, filter.paths.is_some())?;
        Ok(filter.keeps(&brief).then_some(index))
    };
    let mut entries = Vec::new();
    let searched = search(log, selection, order, look, |index| {
        entries.push(index);
        Ok::<_, ReadError>(std::ops::ControlFlow::Continue(()))
    });
    (entries, searched.err().map(|error| error.to_string()))
}

fn ask_filter(path: &Path, log: &Log<'_>, filter: &Filter) -> Answer {
    ask(path, log, Question::Filter(filter), &mut |_| {})
}

/// What is asked most.
fn alice() -> Filter {
    Filter { actor: Some(ActorId::parse("alice").unwrap()), ..Filter::default() }
}

/// Holds the index against reading every entry; it must know all that can be known.
#[track_caller]
fn check(path: &Path, log: &Log<'_>) {
    let filter = alice();
    let answer = ask_filter(path, log, &filter);
    assert!(answer.trouble.is_none(), "{:?}", answer.trouble);
    assert!(answer.selection.known >= log.head().sealed() / TILE_WIDTH);
    let (by_index, by_reading) = (answer.selection, Selection::all());
    let order = Order::NewestFirst;
    assert_eq!(found(log, &by_index, &filter, order), found(log, &by_reading, &filter, order));
    assert!(found(log, &by_index, &filter, order).0.len() > 10);
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let maybe =
        |glob: &'static [&'static str]| prop::option::of(one_of(glob).prop_map(|text| Glob::parse(text).unwrap()));
    let actor = prop::option::of(one_of(&ACTORS[..]).prop_map(|id| ActorId::parse(id).unwrap()));
    let kinds = prop::collection::vec(one_of(&KINDS[..]).prop_map(str::to_owned), 0..3);
    let time = || prop::option::of((0..365u64).prop_map(day));
    let decision = prop::option::of(one_of(&VERDICTS[..]));
    (actor, maybe(&REF_GLOBS), maybe(&PATH_GLOBS), kinds, decision, time(), time()).prop_map(
        |(actor, refs, paths, kinds, decision, since, until)| Filter {
            actor,
            refs,
            paths,
            kinds,
            decision,
            since,
            until,
        },
    )
}

#[test]
fn it_finds_what_reading_every_entry_finds() {
    let server = server();
    let mut dice = Dice(1);
    for count in [100, 155, 1, 700, 300] {
        grow(&server, &mut dice, count);
        check(&file(&server), &server.log());
    }
    let log = server.log();
    proptest!(ProptestConfig::with_cases(96), |(filter in any_filter(), newest_first: bool)| {
        let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let answer = ask_filter(&file(&server), &log, &filter);
        prop_assert!(answer.trouble.is_none());
        let selection = if filter.is_empty() { Selection::all() } else { answer.selection };
        prop_assert_eq!(found(&log, &selection, &filter, order), found(&log, &Selection::all(), &filter, order));
    });
}

#[test]
fn conditions_leave_entries_out() {
    let server = server();
    grow(&server, &mut Dice(2), 600);
    let log = server.log();
    let named = |filter: &Filter| -> usize {
        let answer = ask_filter(&file(&server), &log, filter);
        (0..answer.selection.known)
            .filter_map(|bundle| answer.selection.named.get(&bundle))
            .map(|places| (0..=u8::MAX).filter(|place| places.contains(*place)).count())
            .sum()
    };
    let of_alice = named(&alice());
    assert!((50..300).contains(&of_alice), "{of_alice}");
    let both = Filter { kinds: vec!["commit".to_owned()], ..alice() };
    assert!(named(&both) < of_alice);
    let nobody = Filter { actor: Some(ActorId::parse("mallory").unwrap()), ..Filter::default() };
    assert_eq!(named(&nobody), 0);
    let late = Filter { since: Some(day(400)), ..Filter::default() };
    assert_eq!(named(&late), 0);
}

#[test]
fn commits_are_found_by_the_beginning_of_their_names() {
    let server = server();
    grow(&server, &mut Dice(3), 600);
    let log = server.log();
    let mut count = 0;
    for index in 0..log.head().sealed() {
        let Leaf::Commit(commit) = log.leaf(index).unwrap() else { continue };
        let name = commit.oid.to_string();
        for prefix in [&name[..4], &name[..15], &name[..16], &name[..17], &name] {
            let named = ask(&file(&server), &log, Question::Commit(prefix), &mut |_| {}).selection.named;
            let places = named.get(&(index / TILE_WIDTH)).unwrap();
            assert!(places.contains(u8::try_from(index % TILE_WIDTH).unwrap()), "{prefix}");
        }
        let named = ask(&file(&server), &log, Question::Commit(&name), &mut |_| {}).selection.named;
        assert_eq!(named.len(), 1);
        count += 1;
    }
    assert!(count > 100);
}

#[test]
fn an_entry_that_cannot_be_read_is_met_as_without_an_index() {
    let server = server();
    let mut dice = Dice(4);
    grow(&server, &mut dice, 100);
    let Leaf::Commit(mut commit) = dice.commit(day(1)) else { unreachable!() };
    commit.own = Some(Content::Blob(BlobName { sha256: sha256(b"lost"), size: 4 }));
    server.append(vec![Leaf::Commit(commit)]);
    grow(&server, &mut dice, 500);
    let log = server.log();
    for glob in PATH_GLOBS {
        let filter = Filter { paths: Some(Glob::parse(glob).unwrap()), since: Some(day(300)), ..Filter::default() };
        let selection = ask_filter(&file(&server), &log, &filter).selection;
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let by_reading = found(&log, &Selection::all(), &filter, order);
            assert_eq!(found(&log, &selection, &filter, order), by_reading);
            assert!(by_reading.1.is_some(), "{glob}");
        }
    }
}

#[test]
fn only_new_bundles_are_read() {
    let server = server();
    let mut dice = Dice(5);
    for count in [300, 1, 250, 600] {
        grow(&server, &mut dice, count);
        let known = Store::open(&file(&server)).unwrap().known().unwrap().map_or(0, |known| known.bundles);
        let mut least = u64::MAX;
        ask(&file(&server), &server.log(), Question::Filter(&alice()), &mut |done| least = least.min(done));
        assert!(least >= known * TILE_WIDTH, "{least} {known}");
    }
}

#[test]
fn whatever_stands_in_its_place_goes() {
    let server = server();
    grow(&server, &mut Dice(6), 700);
    let (path, log) = (file(&server), server.log());
    check(&path, &log);
    let whole = fs::read(&path).unwrap();
    let victim = server.place.file("victim");
    fs::write(&victim, "whole").unwrap();
    let sql = |words: &str| Connection::open(&path).unwrap().execute_batch(words).unwrap();
    let cut = |length: usize| fs::write(&path, &whole[..length]).unwrap();
    let remade: [(&str, &dyn Fn()); 19] = [
        ("gone", &|| ()),
        ("empty", &|| cut(0)),
        ("one byte", &|| cut(1)),
        ("half a page", &|| cut(2048)),
        ("a page", &|| cut(4096)),
        ("half", &|| cut(whole.len() / 2)),
        ("text", &|| fs::write(&path, "no database ".repeat(1000)).unwrap()),
        ("zeros", &|| fs::write(&path, vec![0; whole.len()]).unwrap()),
        ("no header", &|| fs::write(&path, [&[0; 100], &whole[100..]].concat()).unwrap()),
        ("others' database", &|| sql("CREATE TABLE cats (name TEXT)")),
        ("newer", &|| (cut(whole.len()), sql("PRAGMA user_version = 99")).1),
        ("others' mark", &|| (cut(whole.len()), sql("PRAGMA application_id = 7")).1),
        ("no table", &|| (cut(whole.len()), sql("DROP TABLE postings")).1),
        ("another table", &|| (cut(whole.len()), sql("DROP TABLE terms; CREATE TABLE terms (cats)")).1),
        ("another root", &|| (cut(whole.len()), sql("UPDATE meta SET root = zeroblob(32)")).1),
        ("a short root", &|| (cut(whole.len()), sql("UPDATE meta SET root = x'00'")).1),
        ("too long", &|| (cut(whole.len()), sql("UPDATE meta SET bundles = 9223372036854775807")).1),
        ("negative", &|| (cut(whole.len()), sql("UPDATE meta SET bundles = -1")).1),
        ("bad postings", &|| (cut(whole.len()), sql("UPDATE postings SET places = x'0201'")).1),
    ];
    for (name, damage) in remade {
        Store::remove(&path).unwrap();
        damage();
        check(&path, &log);
        assert!(fs::metadata(&path).unwrap().len() > 4096, "{name}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, symlink};
        for target in [victim.clone(), server.place.file("dangling"), server.place.path().to_owned()] {
            Store::remove(&path).unwrap();
            symlink(target, &path).unwrap();
            check(&path, &log);
        }
        Store::remove(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        check(&path, &log);
        symlink(&victim, path.with_file_name("query.sqlite-journal")).unwrap();
        check(&path, &log);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!server.place.file("dangling").exists());
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "whole");
}

#[test]
fn flipped_bytes_hide_at_most() {
    let server = server();
    grow(&server, &mut Dice(7), 300);
    let (path, log) = (file(&server), server.log());
    check(&path, &log);
    let whole = fs::read(&path).unwrap();
    let all = found(&log, &Selection::all(), &alice(), Order::OldestFirst).0;
    for at in (0..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        let answer = ask_filter(&path, &log, &alice());
        let by_index = found(&log, &answer.selection, &alice(), Order::OldestFirst).0;
        assert!(by_index.iter().all(|entry| all.contains(entry)), "{at}");
    }
}

#[test]
fn without_a_place_every_entry_is_read() {
    let server = server();
    grow(&server, &mut Dice(8), 300);
    let log = server.log();
    let folder = server.place.file("folder");
    fs::create_dir(&folder).unwrap();
    for path in [folder, server.place.file("none/query.sqlite")] {
        let answer = ask_filter(&path, &log, &alice());
        assert!(answer.trouble.is_some());
        let by_reading = found(&log, &Selection::all(), &alice(), Order::OldestFirst);
        assert_eq!(found(&log, &answer.selection, &alice(), Order::OldestFirst), by_reading);
    }
}

#[test]
fn an_index_that_cannot_grow_is_asked_for_what_it_knows() {
    let server = server();
    let mut dice = Dice(9);
    grow(&server, &mut dice, 600);
    let path = file(&server);
    check(&path, &server.log());
    // Somebody else is about to write, and does not come to an end.
    let mut busy = Connection::open(&path).unwrap();
    let _write = busy.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    grow(&server, &mut dice, 600);
    let log = server.log();
    let answer = ask_filter(&path, &log, &alice());
    assert_eq!(answer.selection.known, 2);
    assert!(answer.trouble.is_some());
    let by_reading = found(&log, &Selection::all(), &alice(), Order::OldestFirst);
    assert_eq!(found(&log, &answer.selection, &alice(), Order::OldestFirst), by_reading);
}

#[test]
fn a_writer_that_was_killed_does_no_harm() {
    let server = server();
    let mut dice = Dice(10);
    grow(&server, &mut dice, 600);
    let path = file(&server);
    check(&path, &server.log());
    let killed = server.place.file("killed.sqlite");
    let journal = |path: &Path| path.with_file_name(format!("{}-journal", path.file_name().unwrap().to_str().unwrap()));
    {
        let mut writer = Connection::open(&path).unwrap();
        // Pages go to the file before the end of the transaction.
        writer.pragma_update(None, "cache_size", 1).unwrap();
        let write = writer.transaction().unwrap();
        write.execute("DELETE FROM postings", []).unwrap();
        write.execute("UPDATE terms SET value = 'x' || value || hex(randomblob(500))", []).unwrap();
        fs::copy(&path, &killed).unwrap();
        fs::copy(journal(&path), journal(&killed)).unwrap();
    }
    assert!(fs::metadata(journal(&killed)).unwrap().len() > 512);
    check(&killed, &server.log());
    grow(&server, &mut dice, 600);
    check(&killed, &server.log());
    check(&path, &server.log());
}

#[test]
fn an_index_of_another_ledger_is_made_anew() {
    let (server, other) = (server(), self::server());
    grow(&server, &mut Dice(11), 600);
    grow(&other, &mut Dice(12), 900);
    check(&file(&other), &other.log());
    fs::copy(file(&other), file(&server)).unwrap();
    check(&file(&server), &server.log());
    // Nor does what the longer one knew beyond come back.
    grow(&server, &mut Dice(13), 600);
    check(&file(&server), &server.log());
}

#[test]
fn a_log_that_was_opened_earlier_leaves_it_as_it_is_and_one_rolled_back_does_not() {
    let server = server();
    let mut dice = Dice(14);
    grow(&server, &mut dice, 600);
    let before = server.log();
    grow(&server, &mut dice, 600);
    check(&file(&server), &server.log());
    let known = || Store::open(&file(&server)).unwrap().known().unwrap().unwrap().bundles;
    check(&file(&server), &before);
    assert_eq!(known(), 4);
    let name = log_ref().unwrap();
    let newest = server.repository.tip(&name).unwrap().unwrap();
    server.repository.move_ref(&name, &before.head().commit, Some(&newest), "roll back").unwrap();
    check(&file(&server), &server.log());
    assert_eq!(known(), 2);
}

#[test]
fn many_may_ask_at_once() {
    let server = server();
    grow(&server, &mut Dice(15), 900);
    let (path, repository, vkey) = (file(&server), server.repository.git_dir(), server.signer.vkey());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let repository = crate::git::Repository::open(repository).unwrap();
                check(&path, &Log::open(&repository, Some(&vkey)).unwrap());
            });
        }
    });
}
