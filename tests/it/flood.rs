//! Floods: what many refused pushes cost the ledger and other people.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::leaf::{Leaf, Observed, ObservedKind, Unexplained, VERSION, Verdict};
use mledger::git::Repository;
use mledger::hook::inbox::STATEMENTS_PER_HOUR_MAX;
use mledger::hook::server_setup::read_signer;
use mledger::ledger::Log;
use mledger::ledger::append::{Batch, Locked};
use mledger::ledger::place::Place;
use mledger::name::{Oid, RefName};
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::world::{Person, Run, write, write_script};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

fn leaves(bank: &Bank) -> Vec<Leaf> {
    let repository = Repository::open(&bank.server).unwrap();
    let log = Log::open(&repository, None).unwrap();
    (0..log.size()).map(|index| log.leaf(index).unwrap()).collect()
}

/// Ledger time goes on by so many seconds: it never goes back, and the server's clock could be wrong.
pub fn later(bank: &Bank, seconds: i64) {
    let repository = Repository::open(&bank.server).unwrap();
    let place = Place::in_repository(repository.git_dir());
    let signer = read_signer(&place).unwrap();
    let newest = leaves(bank).last().unwrap().time().max(Timestamp::now());
    let time = Timestamp::from_millis(newest.millis() + seconds * 1000).unwrap();
    let (refname, tip) = (RefName::parse("refs/heads/clock").unwrap(), Some(Oid::from_bytes([7; 20])));
    let refs = vec![Unexplained { expected: None, refname, tip }];
    let leaf = Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time });
    let batch = Batch { leaves: vec![leaf], ..Batch::default() };
    let repository = place.durable(repository).unwrap();
    Locked::open(&repository, &place, &signer).unwrap().append(&batch).unwrap();
}

/// Denials by source: how many have an entry, how many are counted in entries, how many wait to be counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    leaves: u64,
    counted: u64,
    waiting: u64,
}

impl Tally {
    fn all(&self) -> u64 {
        self.leaves + self.counted + self.waiting
    }
}

fn tally(bank: &Bank) -> BTreeMap<String, Tally> {
    let mut found: BTreeMap<String, Tally> = BTreeMap::new();
    for leaf in leaves(bank) {
        match leaf {
            Leaf::Push(push) if push.decision == Verdict::Denied => {
                let source = push.actor.as_ref().map_or_else(|| format!("{:?}", push.pusher), ToString::to_string);
                let source = source.split(' ').next().unwrap().to_owned();
                found.entry(source).or_default().leaves += 1;
            }
            Leaf::Denials(denials) => {
                let source = denials.source.to_string();
                let source = if source == "unknown pushers" { "Unknown".to_owned() } else { source };
                found.entry(source).or_default().counted += denials.count;
            }
            _ => {}
        }
    }
    let waiting = fs::read_to_string(bank.server.join("mledger/denials")).unwrap_or_else(|_| "{\"sources\":[]}".into());
    for of in serde_json::from_str::<Value>(&waiting).unwrap()["sources"].as_array().unwrap() {
        let source = of["source"]["actor"].as_str().unwrap_or("Unknown").to_owned();
        found.entry(source).or_default().waiting += of["count"].as_u64().unwrap();
    }
    found
}

/// The minutes of ledger time from the first entry to the last, both included.
fn minutes(bank: &Bank) -> u64 {
    let minutes: Vec<i64> = leaves(bank).iter().map(|leaf| leaf.time().millis() / 60_000).collect();
    (minutes.last().unwrap() - minutes.first().unwrap() + 1).cast_unsigned()
}

#[test]
fn a_flood_of_refused_pushes_costs_the_ledger_some_leaves_a_minute() {
    let bank = Bank::open();
    let (hers, theirs) = (bank.clone_of(&bank.alice), bank.bare_clone_of(&bank.mallory, "mallory"));
    bank.mallory.commit(&theirs, "models/m", "x");
    bank.alice.commit(&hers, "models/a", "one");
    let before = bank.size();
    let (mut counted, mut recorded) = (0, 0);
    for n in 0..200 {
        let said = bank.mallory.push(&theirs, &["-q", &format!("HEAD:refs/heads/m{n}")]).fails();
        assert!(said.contains("nobody can tell who is pushing"), "{said}");
        if said.contains("counted with others") {
            counted += 1;
        } else {
            recorded += 1;
        }
        assert_eq!(said.contains("entry "), !said.contains("counted with others"), "{said}");
        if n % 4 == 0 {
            let said = bank.alice.push(&hers, &["-q", "HEAD:refs/heads/main"]).fails();
            assert!(said.contains("may not update this ref"), "{said}");
        }
    }
    let found = tally(&bank);
    let (strangers, alice) = (&found["Unknown"], &found[&bank.alice.id()]);
    assert_eq!((strangers.all(), strangers.leaves, alice.all()), (200, recorded, 50), "{found:?}");
    assert_eq!(counted + recorded, 200);
    let minutes = minutes(&bank);
    assert!(strangers.leaves <= minutes && alice.leaves <= 10 * minutes, "{found:?} in {minutes} minutes");
    // Two leaves a minute at most tell how many more there were.
    assert!(bank.size() - before <= minutes * 13, "{} entries in {minutes} minutes", bank.size() - before);

    bank.alice.push(&hers, &["-q", "HEAD:refs/heads/dev/a"]).ok();
    later(&bank, MINUTE);
    bank.alice.push(&hers, &["-q", "HEAD:refs/heads/dev/b"]).ok();
    let found = tally(&bank);
    let (strangers, alice) = (&found["Unknown"], &found[&bank.alice.id()]);
    assert_eq!((strangers.waiting, strangers.all(), alice.waiting, alice.all()), (0, 200, 0, 50), "{found:?}");
    assert!(!bank.server.join("mledger/denials").exists());

    let report = bank.holds();
    let log = bank.log();
    let rows: Vec<&Value> = log.iter().filter(|row| row["kind"] == "denials").collect();
    assert_eq!(report["entries"]["denials"], json!(rows.len()), "{report:#}");
    assert!(rows.iter().any(|row| row["story"].as_str().unwrap().ends_with("more denials of unknown pushers")));
    assert!(rows.iter().any(|row| row["actor"] == json!(bank.alice.id())));
    let shown = bank.carol.mledger(&bank.server, &["show", &rows[0]["index"].to_string()]).ok();
    assert!(shown.contains("none of them with an entry of its own"), "{shown}");
}

#[test]
fn names_that_strangers_choose_are_one_source() {
    let bank = Bank::open_with("", &["--login", "env"]);
    let theirs = bank.bare_clone_of(&bank.mallory, "mallory");
    let mut denied = 0;
    for n in 0..6 {
        let receive = format!("--receive-pack=env MLEDGER_LOGIN=m{n} git-receive-pack");
        let said = bank.mallory.push(&theirs, &[&receive, &format!("HEAD:refs/heads/m{n}")]).fails();
        assert!(said.contains("no actor of the policy has this login"), "{said}");
        denied += u64::from(!said.contains("counted with others"));
    }
    assert!(denied <= minutes(&bank));
    // Blanks and control characters would be six bytes each in an entry.
    bank.refused("pusher-refused", "blanks or control characters", || {
        let receive = "--receive-pack=env 'MLEDGER_LOGIN=a\u{1}b' git-receive-pack";
        bank.mallory.push(&theirs, &[receive, "HEAD:refs/heads/m"])
    });
}

#[test]
fn a_damaged_count_starts_over_and_lets_nobody_in() {
    let bank = Bank::open();
    let theirs = bank.bare_clone_of(&bank.mallory, "mallory");
    let push = || bank.mallory.push(&theirs, &["HEAD:refs/heads/m"]);
    push().fails();
    for damaged in ["", "\0\0\0", "{\"minute\":0,\"recorded_at\":0,\"sources\":[]}", "[]"] {
        fs::write(bank.server.join("mledger/denials"), damaged).unwrap();
        let size = bank.size();
        push().fails();
        assert_eq!(bank.size(), size + 1, "{damaged}");
    }
    // A file that cannot be read or written is no way in either.
    fs::remove_file(bank.server.join("mledger/denials")).unwrap();
    fs::create_dir(bank.server.join("mledger/denials")).unwrap();
    push().fails();
    push().fails();
    bank.holds();
}

/// Pushes bytes to the inbox as anybody can.
fn send(person: &Person, dir: &Path, bytes: &[u8]) -> Run {
    let blob = person.write_object(dir, "blob", bytes);
    person.push(dir, &["-q", "--no-signed", &format!("{blob}:refs/mledger/inbox/{}", sha256(bytes).hex())])
}

#[test]
fn a_flood_of_bad_statements_costs_a_leaf_a_minute() {
    let bank = Bank::open();
    let (carols, theirs) = (bank.clone_of(&bank.carol), bank.bare_clone_of(&bank.mallory, "mallory"));
    let before = bank.size();
    for n in 0..20 {
        let said = send(&bank.mallory, &theirs, format!("{{\"n\":{n}}}").as_bytes()).fails();
        assert!(said.contains("not a statement of a known shape"), "{said}");
    }
    assert!(bank.size() - before <= 2 * minutes(&bank));
    assert_eq!(tally(&bank)["Unknown"].all(), 20);
    apply(&bank, &carols, 0).ok();
    assert_eq!(tally(&bank)["Unknown"].all(), 20);
    later(&bank, MINUTE);
    apply(&bank, &carols, 1).ok();
    let found = tally(&bank);
    assert_eq!((found["Unknown"].all(), found["Unknown"].waiting), (20, 0));
    bank.holds();
}

/// Carol puts a policy with that number in its name in force.
fn apply(bank: &Bank, dir: &Path, number: u64) -> Run {
    let policy = bank.policy().replace("name = \"models\"", &format!("name = \"models {number}\""));
    write(dir, "new.toml", &policy);
    bank.carol.mledger(dir, &["policy", "apply", "new.toml"])
}

#[test]
fn an_actor_changes_the_policy_so_often_an_hour() {
    let bank = Bank::open();
    let carols = bank.clone_of(&bank.carol);
    for number in 0..STATEMENTS_PER_HOUR_MAX {
        apply(&bank, &carols, number).ok();
    }
    let said = apply(&bank, &carols, 99).fails();
    assert!(said.contains("20 statements within an hour"), "{said}");
    later(&bank, HOUR);
    apply(&bank, &carols, 100).ok();
    bank.holds();
}

#[test]
fn what_lies_in_the_inbox_is_swept_by_the_next_push() {
    let bank = Bank::open();
    let hers = bank.clone_of(&bank.alice);
    let main = bank.tip("refs/heads/main");
    for name in ["refs/mledger/inbox/0000", "refs/mledger/inbox/deep/er"] {
        bank.on_server(&["update-ref", name, &main]);
    }
    bank.on_server(&["pack-refs", "--all"]);
    bank.on_server(&["update-ref", "refs/mledger/inbox/loose", &main]);
    bank.on_server(&["symbolic-ref", "refs/mledger/inbox/symbolic", "refs/heads/main"]);
    bank.alice.commit(&hers, "models/a", "one");
    bank.alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
    let names: Vec<String> = bank.refs().into_keys().collect();
    assert_eq!(names, ["refs/heads/dev/a", "refs/heads/main"]);
    assert_eq!(bank.tip("refs/heads/main"), main);
    bank.holds();
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_stops_reading_holds_up_nobody() {
    let bank = Bank::open();
    let (hers, his) = (bank.clone_of(&bank.alice), bank.clone_of(&bank.bob));
    bank.alice.commit(&hers, "models/a", "one");
    bank.bob.commit(&his, "models/b", "one");
    // Where the answer to a slow push goes: a pipe that is full from the start, and that nobody reads yet.
    let pipe = bank.world.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut held = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    held.write_all(&vec![b'.'; 64 * 1024]).unwrap();
    let hook = bank.server.join("hooks/pre-receive");
    let ours = fs::read_to_string(&hook).unwrap();
    write_script(&bank.server.join("hooks"), "ours", &ours);
    let stalling = format!(
        "#!/bin/sh\nif [ -n \"$STALL\" ]; then exec 1>'{0}' 2>&1; fi\nexec \"$(dirname \"$0\")/ours\" \"$@\"\n",
        pipe.display()
    );
    write_script(&bank.server.join("hooks"), "pre-receive", &stalling);

    let size = bank.size();
    let slow = bank.alice.with("STALL", "1");
    let mut command = Command::new("git");
    command.args(["push", "-q", "origin", "HEAD:refs/heads/main"]).current_dir(&hers);
    let stalled = std::thread::spawn(move || slow.run(command.stderr(Stdio::piped()), None));
    // Its denial is in the ledger; its answer has no way out.
    while bank.size() == size {
        std::thread::yield_now();
    }
    bank.bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    assert!(!stalled.is_finished());
    let mut answer = vec![0; 64 * 1024];
    held.read_exact(&mut answer).unwrap();
    stalled.join().unwrap().fails();
    let mut said = vec![0; 64 * 1024];
    let count = held.read(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said[..count]).contains("push refused"));
    bank.holds();
}
