//! What an earlier `verify` left behind saves the next one work, and never makes it say anything else.

use std::fs;
use std::path::Path;

use mledger::clock::Timestamp;
use mledger::entry::leaf::Leaf;
use mledger::git::Repository;
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::earlier::{Earlier, FILE, Findings};
use mledger::ledger::place::Place;
use mledger::ledger::read::Log;
use mledger::ledger::verify::{Options, RefsOf, Report, verify_all, verify_new};
use mledger::name::Oid;
use serde_json::{Value, json};

use crate::bank::{Bank, report};
use crate::formats::{fits, schema};
use crate::world::Person;

const OPTIONS: Options<'_> = Options { seen: Vec::new(), objects: None, refs: RefsOf::Nobody };

/// A ledger of these leaves, appended one by one, and verified on the way.
struct ByAndBy<'a> {
    repository: &'a Repository,
    signer: &'a Signer,
    heads: Vec<Oid>,
}

impl ByAndBy<'_> {
    fn log(&self, head: usize) -> Log<'_> {
        Log::open_at(self.repository, self.heads[head], Some(&self.signer.vkey())).unwrap()
    }

    fn full(&self, head: usize) -> (Report, Option<Findings>) {
        verify_all(&self.log(head), &OPTIONS, &mut |_| ()).unwrap()
    }

    /// Verifies at one head what is new since the other, which must say what a full verification says.
    fn goes_on(&self, earlier: &Earlier, head: usize) -> Option<Findings> {
        let (onwards, findings) = verify_new(&self.log(head), &OPTIONS, earlier, true, &mut |_| ()).unwrap();
        assert_eq!(onwards.verified_before.map(|before| before.entries), onwards.ok.then(|| earlier.size()));
        assert_eq!(without_before(&onwards), without_before(&self.full(head).0));
        findings
    }
}

fn without_before(report: &Report) -> Value {
    let mut report = serde_json::to_value(report).unwrap();
    report.as_object_mut().unwrap().remove("verified_before");
    report
}

/// However much of a ledger of these leaves was verified before, what the rest is found to be is the same.
pub fn agrees(path: &Path, signer: &Signer, leaves: &[Leaf], policy: &str) {
    let repository = Repository::init_bare(path).unwrap();
    let place = Place::in_repository(repository.git_dir());
    place.create().unwrap();
    let repository = place.durable(repository).unwrap();
    let mut by_and_by = ByAndBy { repository: &repository, signer, heads: Vec::new() };
    let mut locked = Locked::create(&repository, &place, signer).unwrap();
    for (index, leaf) in leaves.iter().enumerate() {
        let policy = (index == 0).then(|| policy.to_owned());
        locked.append(&Batch { leaves: vec![leaf.clone()], policy, ..Batch::default() }).unwrap();
        by_and_by.heads.push(locked.head().unwrap().commit);
    }
    drop(locked);
    let last = leaves.len() - 1;
    let mut last_good: Option<Earlier> = None;
    for head in 0..=last {
        let findings = match &last_good {
            Some(earlier) => by_and_by.goes_on(earlier, head),
            None => by_and_by.full(head).1,
        };
        // In the midst of a push, or behind a lie, there is nothing to go on from.
        let Some(findings) = findings else { continue };
        let now = Timestamp::from_millis(i64::try_from(head).unwrap()).unwrap();
        findings.keep(&place, last_good.as_ref(), now).unwrap();
        let earlier = Earlier::open(&place, &by_and_by.log(last)).unwrap();
        by_and_by.goes_on(&earlier, last);
        assert!(earlier.size() == head as u64 + 1 && earlier.first().millis() == 0 && earlier.written() == now);
        last_good = Some(earlier);
    }
    fs::remove_dir_all(path).unwrap();
}

/// `verify` as people call it, whose word must be that of `verify --full`; with how many entries it took on trust.
fn onwards(person: &Person, dir: &Path, words: &[&str]) -> (i32, Value, u64) {
    let run = person.mledger(dir, &[&["--json", "verify"], words].concat());
    let mut said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no report: {run:#?}"));
    fits(&schema("verify-report"), &said);
    let before = said.as_object_mut().unwrap().remove("verified_before");
    (run.code.unwrap(), said, before.map_or(0, |before| before["entries"].as_u64().unwrap()))
}

/// A bank whose ledger was verified, and has a push more.
fn verified() -> (Bank, u64) {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let before = bank.holds()["size"].as_u64().unwrap();
    bank.alice.commit(&dir, "models/a", "two");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    (bank, before)
}

#[test]
fn only_what_is_new_is_verified_unless_everything_is_asked_for() {
    let (bank, before) = verified();
    let (code, said, trusted) = onwards(&bank.carol, &bank.server, &[]);
    assert_eq!((code, trusted), (0, before), "{said:#}");
    let text = bank.carol.mledger(&bank.server, &["verify"]).ok();
    assert!(text.contains(&format!("\nbefore   {before} entries verified by 20")), "{text}");
    // Another repository with the same ledger has its own memory.
    let alices = bank.world.path("alice");
    let there: Vec<u64> = (0..2).map(|_| onwards(&bank.alice, &alices, &[]).2).collect();
    assert_eq!(there, [0, before + 3]);
    let (code, full) = report(&bank.carol, &bank.server, &[]);
    assert_eq!((code, full), (0, said.clone()));
    // Now everything is known.
    assert_eq!(onwards(&bank.carol, &bank.server, &[]), (0, said.clone(), before + 3));
    // It can go at any time.
    fs::remove_file(bank.server.join("mledger").join(FILE)).unwrap();
    assert_eq!(onwards(&bank.carol, &bank.server, &[]), (0, said.clone(), 0));
    assert_eq!(onwards(&bank.carol, &bank.server, &["--objects"]).2, 0);
    assert_eq!(onwards(&bank.carol, &bank.server, &["--full"]), (0, said, 0));
}

#[test]
fn damaged_memory_is_never_believed() {
    let (bank, before) = verified();
    let file = bank.server.join("mledger").join(FILE);
    let good = fs::read(&file).unwrap();
    let (code, right, trusted) = onwards(&bank.carol, &bank.server, &[]);
    assert_eq!((code, trusted), (0, before));
    let said = |damaged: &[u8], what: &str| {
        fs::write(&file, damaged).unwrap();
        let (code, said, trusted) = onwards(&bank.carol, &bank.server, &[]);
        assert_eq!((code, &said), (0, &right), "{what}");
        trusted
    };
    let mut doubted = 0;
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut damaged = good.clone();
        damaged[at] ^= 4;
        doubted += u64::from(said(&damaged, &format!("byte {at}")) == 0);
    }
    assert!(doubted > 30, "{doubted}");
    for length in [0, 1, 39, 40, 41, good.len() / 2, good.len() - 1] {
        assert_eq!(said(&good[..length], &format!("{length} bytes")), 0);
    }
    assert_eq!(said(&[&good[..], b"x"].concat(), "a byte more"), 0);
    assert_eq!(said(&u64::MAX.to_be_bytes().repeat(5), "a footer of 2^64 bytes"), 0);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let run = bank.carol.mledger(&bank.server, &["-v", "verify"]);
    assert!(run.code == Some(0) && run.err.contains("could not be remembered"), "{run:#?}");
}

#[test]
fn what_does_not_hold_is_neither_hidden_nor_remembered() {
    let (bank, before) = verified();
    let file = bank.server.join("mledger").join(FILE);
    let kept = fs::read(&file).unwrap();
    let tip = |nth: u64| bank.on_server(&["rev-parse", &format!("refs/mledger/log~{nth}")]);
    // A ref that was moved behind the gate, whatever was verified before.
    let head = bank.tip("refs/heads/dev/a");
    bank.on_server(&["update-ref", "refs/heads/dev/b", &head]);
    let (code, said, trusted) = onwards(&bank.carol, &bank.server, &[]);
    assert_eq!((code, said["problems"][0]["code"].as_str(), trusted), (4, Some("ref"), before));
    let (code, full) = report(&bank.carol, &bank.server, &[]);
    assert_eq!((code, &full), (4, &said));
    assert_eq!(fs::read(&file).unwrap(), kept, "a failing verification was remembered");
    fs::remove_file(&file).unwrap();
    assert_eq!(onwards(&bank.carol, &bank.server, &[]), (4, full, 0));
    assert!(!file.exists(), "a failing verification was remembered");
    fs::write(&file, &kept).unwrap();
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/b"]);
    assert_eq!(onwards(&bank.carol, &bank.server, &[]).0, 0);
    // A ledger that was set back, within what was verified and before it.
    let newest = tip(0);
    for nth in [1, 4] {
        bank.on_server(&["update-ref", "refs/mledger/log", &tip(nth)]);
        let (code, said, _) = onwards(&bank.carol, &bank.server, &[]);
        assert!(code == 4 && said.to_string().contains("it was rolled back"), "{said:#}");
        assert_eq!(said, report(&bank.carol, &bank.server, &[]).1);
        bank.on_server(&["update-ref", "refs/mledger/log", &newest]);
    }
    assert_eq!(fs::read(&file).unwrap(), kept);
}

#[test]
fn another_ledger_of_the_same_name_and_key_is_not_taken_for_what_was_verified() {
    let (bank, before) = verified();
    let file = bank.server.join("mledger").join(FILE);
    let kept = fs::read(&file).unwrap();
    // Somebody with the server's key writes another past, as long, and takes care of each checkpoint remembered here.
    let signer = mledger::hook::server_setup::read_signer(&Place::in_repository(&bank.server)).unwrap();
    let server = Repository::open(&bank.server).unwrap();
    let log = Log::open(&server, None).unwrap();
    let mut leaves: Vec<Leaf> = (0..log.size()).map(|index| log.leaf(index).unwrap()).collect();
    let Leaf::Landed(landed) = &mut leaves[3] else { panic!() };
    landed.time = Timestamp::from_millis(landed.time.millis() + 1).unwrap();
    assert!(before > 3);
    let other = bank.world.path("other.git");
    let repository = Repository::init_bare(&other).unwrap();
    let place = Place::in_repository(repository.git_dir());
    place.create().unwrap();
    let batch = Batch { leaves, policy: Some(log.policy_view().unwrap()), ..Batch::default() };
    let repository = place.durable(repository).unwrap();
    Locked::create(&repository, &place, &signer).unwrap().append(&batch).unwrap();
    fs::write(other.join("mledger").join(FILE), kept).unwrap();
    let words = ["--no-refs", "--key", &signer.vkey().to_string()];
    let (_, said, trusted) = onwards(&bank.carol, &other, &words);
    assert_eq!(trusted, 0, "{said:#}");
    assert_eq!(said, report(&bank.carol, &other, &words).1);
    // The same file without another word about it would have been right for the true ledger.
    assert_eq!(onwards(&bank.carol, &bank.server, &[]).2, before);
    assert_eq!(said["size"], json!(log.size()));
}
