//! What becomes of authorised pushes on real Git: they land, or they are void for ever, also where the server dies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mledger::digest::Digest;
use mledger::git::Repository;
use mledger::ledger::place::Place;
use mledger::ledger::read::Log;
use mledger::tlog::tree;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::world::{Run, write, write_script};

/// What the ledger says became of a push: ref and state.
fn settled(bank: &Bank, push: u64) -> Vec<(String, String)> {
    let rows = bank.log().into_iter().filter(|row| row["kind"] == "landed");
    let leaves: Vec<Value> = rows.map(|row| bank.leaf(row["index"].as_u64().unwrap())).collect();
    let of_push =
        leaves.iter().filter(|leaf| leaf["push"] == push).flat_map(|leaf| leaf["updates"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_push.map(|update| (text(&update["ref"]), text(&update["state"]))).collect()
}

fn pair(name: &str, state: &str) -> (String, String) {
    (name.to_owned(), state.to_owned())
}

fn of_kind(bank: &Bank, kind: &str) -> usize {
    bank.log().iter().filter(|row| row["kind"] == kind).count()
}

#[test]
fn whatever_stops_git_after_the_gate_leaves_a_void_authorisation() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    for (case, file, text) in [
        ("update", "hooks/update", "#!/bin/sh\n[ $1 != refs/heads/dev/update ]\n"),
        ("transaction", "hooks/reference-transaction", "#!/bin/sh\n[ $1 != prepared ]\n"),
        ("locked", "refs/heads/dev/locked.lock", ""),
    ] {
        let name = format!("refs/heads/dev/{case}");
        let tip = alice.commit(&dir, "models/a", case);
        write_script(&bank.server, file, text);
        let said = alice.push(&dir, &[&format!("HEAD:{name}")]).fails();
        assert!(said.contains("mledger: accepted, entry"), "{said}");
        fs::remove_file(bank.server.join(file)).unwrap();
        assert_eq!(bank.tip(&name), "");
        let push = bank.newest_push()["index"].as_u64().unwrap();
        assert_eq!(settled(&bank, push), [], "nobody has looked yet");
        assert_eq!(bank.holds()["refs"]["pending"], 0);
        // Whatever is appended next settles it.
        alice.push(&dir, &[&format!("HEAD:refs/heads/dev/then-{case}")]).ok();
        assert_eq!(settled(&bank, push), [pair(&name, "void")]);
        // From now on it explains nothing: moved there by hand, the ref stands where no entry put it.
        bank.on_server(&["update-ref", &name, &tip]);
        bank.found("ref", &format!("it stands at {tip}, but no entry put it there"));
        let observed = of_kind(&bank, "observed");
        alice.commit(&dir, "models/a", &format!("{case} again"));
        for _ in 0..3 {
            let said = alice.push(&dir, &[&format!("HEAD:{name}")]).fails();
            assert!(said.contains("moved behind the gate"), "{said}");
        }
        assert_eq!(of_kind(&bank, "observed"), observed + 1, "it is recorded once");
        bank.on_server(&["update-ref", "-d", &name]);
        alice.push(&dir, &[&format!("HEAD:{name}")]).ok();
        bank.holds();
    }
}

#[test]
fn one_refused_of_two_is_void_as_soon_as_the_other_has_landed() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    write_script(&bank.server.join("hooks"), "update", "#!/bin/sh\n[ $1 != refs/heads/dev/a ]\n");
    let tip = alice.commit(&dir, "models/a", "one");
    alice.push(&dir, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b"]).fails();
    assert_eq!((bank.tip("refs/heads/dev/a"), bank.tip("refs/heads/dev/b")), (String::new(), tip.clone()));
    let push = bank.newest_push()["index"].as_u64().unwrap();
    assert_eq!(settled(&bank, push), [pair("refs/heads/dev/b", "landed"), pair("refs/heads/dev/a", "void")]);
    bank.on_server(&["update-ref", "refs/heads/dev/a", &tip]);
    bank.found("ref", "it was made behind the gate");
}

#[test]
fn an_old_authorised_tip_is_no_better_than_any_other() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let tips: Vec<String> = ["one", "two", "three"]
        .into_iter()
        .map(|text| {
            let tip = alice.commit(&dir, "models/a", text);
            alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
            tip
        })
        .collect();
    bank.holds();
    // Each stood there by an accepted push once.
    for old in &tips[..2] {
        bank.on_server(&["update-ref", "refs/heads/dev/a", old]);
        bank.found("ref", &format!("it stands at {old}, but the ledger put it at {}", tips[2]));
    }
    let observed = of_kind(&bank, "observed");
    alice.commit(&dir, "models/a", "four");
    for _ in 0..2 {
        let said = alice.push(&dir, &["HEAD:refs/heads/dev/a"]).fails();
        assert!(said.contains("moved behind the gate"), "{said}");
    }
    // Gone is as bad, and another thing to record.
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/a"]);
    bank.found("ref", "it is gone, but the ledger put it at");
    for _ in 0..2 {
        let said = alice.push(&dir, &["HEAD:refs/heads/dev/a"]).fails();
        assert!(said.contains("it stands at nothing, but the ledger put it at"), "{said}");
    }
    let rows: Vec<Value> = bank.log().into_iter().filter(|row| row["kind"] == "observed").collect();
    assert_eq!(rows.len(), observed + 2);
    let seen = |row: &Value| bank.leaf(row["index"].as_u64().unwrap())["refs"].clone();
    let gone = json!([{ "expected": tips[2], "ref": "refs/heads/dev/a" }]);
    assert_eq!(seen(rows.last().unwrap()), gone);
    bank.on_server(&["update-ref", "refs/heads/dev/a", &tips[2]]);
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
}

/// Pushes as Alice by a login, so that the same push can be made again at once, and says which receive-pack it runs.
struct Pusher<'a> {
    bank: &'a Bank,
    dir: PathBuf,
    pid_file: PathBuf,
    receive: String,
}

impl<'a> Pusher<'a> {
    fn new(bank: &'a Bank) -> Self {
        let pid_file = bank.world.path("pid");
        let script = format!("echo $$ > \"{}\"; MLEDGER_LOGIN=alice exec git-receive-pack \"$0\"", pid_file.display());
        let receive = format!("--receive-pack=sh -c '{script}'");
        Self { bank, dir: bank.clone_of(&bank.alice), pid_file, receive }
    }

    fn push(&self, spec: &str) -> Run {
        self.bank.alice.push(&self.dir, &["--no-verify", "--no-signed", &self.receive, spec])
    }

    /// Pushes, and calls `strike` with the number of the receive-pack meanwhile.
    fn struck(&self, spec: &str, strike: impl FnOnce(&str)) -> Run {
        let _ = fs::remove_file(&self.pid_file);
        std::thread::scope(|scope| {
            let push = scope.spawn(|| self.push(spec));
            let pid = self.until(|| fs::read_to_string(&self.pid_file).ok().filter(|text| text.ends_with('\n')));
            strike(pid.trim());
            push.join().unwrap()
        })
    }

    /// Waits for something that must come.
    fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begin.elapsed() < Duration::from_mins(2), "it never came: {}", self.pid_file.display());
            std::thread::yield_now();
        }
    }
}

/// All processes below one.
fn below(pid: &str) -> Vec<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
    let deeper: Vec<String> = children.iter().flat_map(|child| below(child)).collect();
    [children, deeper].concat()
}

fn signal(name: &str, pid: &str) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill").args([name, pid]).stderr(Stdio::null()).status();
}

/// Kills a receive-pack and what it has started; nothing of it starts anything new meanwhile.
fn kill_all(pid: &str) {
    signal("-STOP", pid);
    for child in below(pid) {
        signal("-KILL", &child);
    }
    signal("-KILL", pid);
}

#[test]
fn a_push_that_dies_between_its_entry_and_its_ref_is_void_at_once() {
    let bank = Bank::open_with("", &["--login", "env"]);
    let pusher = Pusher::new(&bank);
    let (hold, begun) = (bank.world.path("hold"), bank.world.path("begun"));
    let wait =
        format!("#!/bin/sh\n: > '{}'\nwhile [ -e '{}' ]; do sleep 0.01; done\n", begun.display(), hold.display());
    write_script(&bank.server.join("hooks"), "update", &wait);
    bank.alice.commit(&pusher.dir, "models/a", "one");
    fs::write(&hold, "").unwrap();
    pusher
        .struck("HEAD:refs/heads/dev/a", |pid| {
            pusher.until(|| begun.exists().then_some(()));
            // Git still may move the ref; what is pushed meanwhile does not settle it.
            let open = bank.newest_push()["index"].as_u64().unwrap();
            fs::rename(bank.server.join("hooks/update"), bank.server.join("hooks/aside")).unwrap();
            let other = bank.world.path("alice");
            bank.alice
                .push(
                    &other,
                    &[
                        "--no-signed",
                        "--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack",
                        "HEAD:refs/heads/dev/b",
                    ],
                )
                .ok();
            assert_eq!(settled(&bank, open), []);
            kill_all(pid);
        })
        .fails();
    fs::remove_file(&hold).unwrap();
    let pushes: Vec<Value> = bank.log().into_iter().filter(|row| row["kind"] == "push").collect();
    let dead = pushes[0]["index"].as_u64().unwrap();
    pusher.push("HEAD:refs/heads/dev/a").ok();
    assert_eq!(settled(&bank, dead), [pair("refs/heads/dev/a", "void")]);
    assert_eq!(bank.holds()["refs"], json!({ "covered": 3, "pending": 0 }));
}

#[test]
fn nothing_is_recorded_for_a_git_that_is_gone() {
    let bank = Bank::open_with("", &["--login", "env"]);
    let pusher = Pusher::new(&bank);
    bank.alice.commit(&pusher.dir, "models/a", "one");
    let size = bank.size();
    let lock = Place::in_repository(&bank.server).lock().unwrap();
    let file = bank.server.join("mledger/lock").canonicalize().unwrap();
    let holds = |pid: &String| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target| target == file)
    };
    let mut hook = String::new();
    let push = pusher.struck("HEAD:refs/heads/dev/a", |pid| {
        hook = pusher.until(|| below(pid).into_iter().find(holds));
        signal("-KILL", pid);
    });
    drop(lock);
    push.fails();
    pusher.until(|| (!Path::new(&format!("/proc/{hook}")).exists()).then_some(()));
    assert_eq!(bank.size(), size);
    pusher.push("HEAD:refs/heads/dev/a").ok();
    bank.holds();
}

/// What a push printed: `mledger: receipt: size 9 root sha256:…`.
fn receipts(run: &Run) -> Vec<(u64, Digest)> {
    let lines = run.err.lines().filter_map(|line| line.split_once("receipt: size ")?.1.split_once(" root "));
    let digest = |text: &str| Digest::parse(text.split_whitespace().next().unwrap()).unwrap();
    lines.map(|(size, root)| (size.parse().unwrap(), digest(root))).collect()
}

#[test]
fn whatever_moment_a_push_dies_at_nothing_acknowledged_is_lost() {
    const ROUNDS: usize = 30;
    const REFS: usize = 4;
    let bank = Bank::open_with("", &["--login", "env"]);
    let pusher = Pusher::new(&bank);
    let commits = bank.alice.import(&pusher.dir, Some("origin/main"), ROUNDS);
    let log_file = bank.server.join("refs/mledger/log");
    let head = || fs::read_to_string(&log_file).unwrap();
    let mut random = u64::from(std::process::id()) | 1;
    eprintln!("seed {random}");
    let mut below_of = |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % end
    };
    let (mut heads, mut given, mut acknowledged, mut died) = (Vec::new(), Vec::new(), BTreeMap::new(), 0);
    for (round, commit) in commits.iter().enumerate() {
        let name = format!("refs/heads/dev/{}", round % REFS);
        let spec = format!("{commit}:{name}");
        let before = head();
        let (kind, pause) = (round % 3, Duration::from_micros(below_of(30_000)));
        let run = pusher.struck(&spec, |pid| {
            let alive = || Path::new(&format!("/proc/{pid}")).exists();
            match kind {
                // As soon as the entry is there: before the answer, before the ref.
                0 => pusher.until(|| (head() != before || !alive()).then_some(())),
                // Anywhere in the hook.
                1 => {
                    pusher.until(|| (!below(pid).is_empty() || !alive()).then_some(()));
                    std::thread::sleep(pause);
                }
                // Anywhere at all.
                _ => std::thread::sleep(pause * 3),
            }
            kill_all(pid);
        });
        died += usize::from(run.code != Some(0));
        given.extend(receipts(&run));
        if run.code == Some(0) {
            acknowledged.insert(name.clone(), commit.clone());
        }
        // Other refs go on at once, and nobody has to repair anything.
        let next = pusher.push(&format!("{commit}:refs/heads/dev/next/{}", round % 3));
        given.extend(receipts(&next));
        next.ok();
        acknowledged.insert(format!("refs/heads/dev/next/{}", round % 3), commit.clone());
        for (name, tip) in &acknowledged {
            assert!(bank.tip(name) == *tip || bank.tip(name) == *commit, "{name} lost {tip}");
        }
        // On this one Git's own lock may lie: a killed Git leaves it, with or without a ledger.
        let _ = fs::remove_file(bank.server.join(format!("{name}.lock")));
        pusher.push(&spec).ok();
        acknowledged.insert(name, commit.clone());
        heads.push(head());
        if round % 6 == 5 {
            assert_eq!(bank.holds()["refs"]["pending"], 0, "a push of nobody knows whom stays open");
        }
    }
    assert!(died >= ROUNDS / 4, "only {died} of {ROUNDS} pushes were killed in time");
    for (name, tip) in &acknowledged {
        assert_eq!(bank.tip(name), *tip);
    }
    let refs = acknowledged.len() as u64 + 1;
    assert_eq!(bank.holds()["refs"], json!({ "covered": refs, "pending": 0 }));
    // One line of entries, on which every head lies that anybody saw, and every receipt that anybody got.
    for seen in &heads {
        bank.on_server(&["merge-base", "--is-ancestor", seen.trim(), "refs/mledger/log"]);
    }
    assert_eq!(bank.on_server(&["rev-list", "--min-parents=2", "refs/mledger/log"]), "");
    let repository = Repository::open(&bank.server).unwrap();
    let log = Log::open(&repository, None).unwrap();
    assert!(given.len() >= ROUNDS);
    for (size, root) in given {
        assert_eq!(tree::root(&log, size).unwrap(), root, "the receipt of size {size} does not hold");
    }
}

#[test]
fn no_push_slips_in_while_the_gate_is_set_up() {
    let bank = Bank::closed();
    bank.seed();
    let dir = bank.bare_clone_of(&bank.mallory, "early");
    let before = bank.refs();
    let place = Place::in_repository(&bank.server);
    place.create().unwrap();
    bank.mallory.commit(&dir, "models/a", "early");
    std::thread::scope(|scope| {
        // The set-up waits before its first entry.
        let lock = place.lock().unwrap();
        let gate = scope.spawn(|| bank.gate("", &[]));
        let begin = Instant::now();
        while !bank.server.join("mledger/vkey").exists() {
            assert!(begin.elapsed() < Duration::from_secs(25), "the set-up never came to its lock");
            std::thread::yield_now();
        }
        let said = bank.mallory.push(&dir, &["HEAD:refs/heads/early"]).fails();
        assert!(said.contains("the gate is being set up, and no push is accepted before it stands"), "{said}");
        assert!(said.contains("try: push again in a moment"), "{said}");
        drop(lock);
        gate.join().unwrap().ok();
    });
    assert_eq!(bank.refs(), before);
    assert_eq!(bank.holds()["refs"], json!({ "covered": 1, "pending": 0 }));
    bank.refused("pusher-unknown", "", || bank.mallory.push(&dir, &["HEAD:refs/heads/early"]));
}

#[test]
fn a_set_up_that_fails_leaves_no_gate_without_a_ledger() {
    let bank = Bank::closed();
    bank.seed();
    // Somebody else's key lies where this ledger's would.
    write(&bank.server, "mledger/ledger.key", "rubbish");
    let said = bank.gate("", &[]).fails();
    assert!(said.contains("put mledger/ledger.key and mledger/vkey back"), "{said}");
    let dir = bank.bare_clone_of(&bank.bob, "his");
    bank.bob.commit(&dir, "models/a", "one");
    bank.bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    // Interrupted for good, it denies until somebody finishes it.
    fs::remove_file(bank.server.join("mledger/ledger.key")).unwrap();
    bank.gate("", &[]).ok();
    bank.holds();
}
