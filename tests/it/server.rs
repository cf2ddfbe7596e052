//! The server in bad company: refs moved by hand, races, kill -9, damaged files, old backups; and the policy's change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mledger::clock::Timestamp;
use mledger::digest::{leaf_hash, sha256};
use mledger::entry::leaf::{PolicyKind, VERSION};
use mledger::entry::statement::{Envelope, PolicyStatement, Statement};
use mledger::identity::sshsig;
use mledger::name::{ActorId, Origin};
use mledger::tlog::hashes::stored_position;
use serde_json::{Value, json};

use crate::bank::{Bank, ORIGIN, certified_anew};
use crate::world::{Person, Run, write};

/// The kinds of the entries from `from` on.
fn kinds(bank: &Bank, from: u64) -> Vec<String> {
    let rows = bank.log().split_off(usize::try_from(from).unwrap());
    rows.iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_ref_moved_behind_the_gate_is_found_and_stays_closed() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let start = bank.tip("refs/heads/main");
    let landed = bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    bank.holds();
    let move_to = |tip: &str| bank.on_server(&["update-ref", "refs/heads/main", tip]);
    move_to(&start);
    bank.found("ref", &format!("it stands at {start}, but the ledger put it at {landed}"));
    // The next push says so, records it once, and moves nothing.
    bob.git(&dir, &["fetch", "-q"]).ok();
    bob.commit(&dir, "models/a", "two");
    let size = bank.size();
    for _ in 0..2 {
        let said = bob.push(&dir, &["-f", "HEAD:refs/heads/main"]).fails();
        assert!(said.contains("it was moved behind the gate; an administrator must put it back"), "{said}");
        assert_eq!(bank.tip("refs/heads/main"), start);
    }
    assert_eq!(kinds(&bank, size), ["observed", "push", "push"]);
    let seen = json!([{ "expected": landed, "ref": "refs/heads/main", "tip": start }]);
    assert_eq!(bank.leaf(size)["refs"], seen);
    // Other refs go on meanwhile.
    bob.push(&dir, &["HEAD:refs/heads/dev/b"]).ok();
    move_to(&landed);
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    bank.holds();
    // Made and removed by hand.
    bank.on_server(&["update-ref", "refs/heads/dev/new", &landed]);
    bank.found("ref", "it was made behind the gate");
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/new"]);
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/b"]);
    bank.found("ref", "it was removed behind the gate");
    let said = bob.push(&dir, &["HEAD~1:refs/heads/dev/b"]).fails();
    assert!(said.contains("it stands at nothing, but the ledger put it at"), "{said}");
    // A ref so deep that others might look no further.
    write(&bank.server, &format!("refs/heads/dev/a/{}x", "a/".repeat(110)), &landed);
    bank.found("ref", "it was made behind the gate");
    write(&bank.server, "refs/heads/zz", &landed);
    let (_, report) = bank.report();
    assert_eq!(report["problems"].as_array().unwrap().len(), 3, "{report:#}");
    fs::remove_dir_all(bank.server.join("refs/heads/dev/a")).unwrap();
    fs::remove_file(bank.server.join("refs/heads/zz")).unwrap();
    // What hides or swaps history without moving a ref.
    bank.on_server(&["update-ref", "refs/heads/dev/b", &bank.tip("refs/heads/main")]);
    bank.holds();
    bank.on_server(&["update-ref", &format!("refs/replace/{landed}"), &start]);
    bank.found("ref", "it was made behind the gate");
    bank.on_server(&["update-ref", "-d", &format!("refs/replace/{landed}")]);
    write(&bank.server, "info/grafts", &format!("{landed}\n"));
    bank.found("oddity", "grafts");
    fs::remove_file(bank.server.join("info/grafts")).unwrap();
    bank.holds();
}

#[test]
fn tags_from_before_the_gate_do_not_stand_in_the_way() {
    let bank = Bank::closed();
    bank.seed();
    let seed = bank.world.path("seed");
    for (name, target) in [("v0", "HEAD"), ("tree", "HEAD^{tree}")] {
        bank.carol.git(&seed, &["tag", "-a", "-m", "old", name, target]).ok();
        bank.carol.push(&seed, &[name]).ok();
    }
    let rule = "[[rules]]\nname = \"tags\"\nrefs = [\"refs/tags/**\"]\nmanifest = true\n";
    let grants = "[roles.tagger]\nallow = [{ actions = [\"update\", \"delete\"], refs = [\"refs/tags/**\"] }]\n";
    let policy = bank.policy().replacen(
        "roles = [\"maintainer\"]\n[actors.\"alice",
        "roles = [\"maintainer\", \"tagger\"]\n[actors.\"alice",
        1,
    );
    write(bank.world.root(), "tags.toml", &(policy + grants + rule));
    bank.carol
        .mledger(
            &bank.server,
            &["init", "--origin", ORIGIN, "--policy", bank.world.path("tags.toml").to_str().unwrap()],
        )
        .ok();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/tags/v1"]).ok();
    bank.refused("update-problem", "an annotated tag from before the ledger", || {
        bob.push(&dir, &["-f", "HEAD:refs/tags/v0"])
    });
    bob.push(&dir, &[":refs/tags/v0"]).ok();
    bob.push(&dir, &["HEAD:refs/tags/v0"]).ok();
    bank.refused("update-problem", "it stands at something that is no commit", || bob.push(&dir, &[":refs/tags/tree"]));
    bob.push(&dir, &[":refs/tags/v1"]).ok();
    bank.holds();
}

#[test]
fn pushes_at_once_make_one_line() {
    const PUSHES: usize = 24;
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let commits = alice.import(&dir, Some("origin/main"), PUSHES);
    let server = bank.server.to_str().unwrap();
    // Twelve refs of their own, six for the same commit, six to the same ref.
    let spec = |n: usize| match n {
        0..12 => format!("{}:refs/heads/dev/{n}", commits[n]),
        12..18 => format!("{}:refs/heads/dev/{n}", commits[12]),
        _ => format!("{}:refs/heads/dev/one", commits[n]),
    };
    let push = |n: usize| alice.git(&dir, &["push", "--no-verify", server, &spec(n)]);
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PUSHES).map(|n| scope.spawn(move || push(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refs = bank.refs();
    for (n, run) in runs.iter().enumerate() {
        let spec = spec(n);
        let (commit, name) = spec.split_once(':').unwrap();
        assert!(n >= 18 || run.code == Some(0), "{run:#?}");
        assert!(run.code != Some(0) || refs[name] == commit || n >= 18, "{run:#?}");
    }
    let won = runs[18..].iter().filter(|run| run.code == Some(0)).count();
    assert!(won >= 1, "{:#?}", &runs[18..]);
    // One more push settles what the last ones left open.
    push(0).ok();
    alice.git(&dir, &["push", "--no-verify", server, &format!("{}:refs/heads/dev/last", commits[0])]).ok();
    let log = bank.log();
    let indices: Vec<u64> = log.iter().map(|row| row["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..log.len() as u64).collect::<Vec<_>>());
    assert_eq!(log.iter().filter(|row| row["kind"] == "push").count(), PUSHES + 1, "a push is lost");
    let mut recorded: Vec<&Value> =
        log.iter().filter(|row| row["kind"] == "commit").map(|row| &row["commit"]).collect();
    let count = recorded.len();
    recorded.sort_by_key(ToString::to_string);
    recorded.dedup();
    assert_eq!(recorded.len(), count, "a commit has two entries");
    let report = bank.holds();
    assert_eq!(report["refs"]["covered"], refs.len() as u64 + 1);
    let line = bank.on_server(&["rev-list", "--min-parents=2", "refs/mledger/log"]);
    assert_eq!(line, "", "the ledger has a merge");
}

/// Child processes of a process, by /proc.
fn children(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn kill(pid: &str) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status();
}

#[test]
fn a_push_killed_at_any_moment_hurts_nobody() {
    const ROUNDS: usize = 27;
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let commits = alice.import(&dir, Some("origin/main"), ROUNDS);
    let server = bank.server.to_str().unwrap().to_owned();
    let pid_file = bank.world.path("pid");
    let receive = format!("--receive-pack=sh -c 'echo $$ > \"{}\"; exec git-receive-pack \"$0\"'", pid_file.display());
    let mut seed = u64::from(std::process::id()) | 1;
    eprintln!("seed {seed}");
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut died = 0;
    for (round, commit) in commits.iter().enumerate() {
        let _ = fs::remove_file(&pid_file);
        let spec = format!("{commit}:refs/heads/dev/{}", round % 3);
        let words = ["push", "--no-verify", &receive, &server, &spec];
        let (with_hook, pause, only_hook) = (random(3) > 0, Duration::from_micros(random(30_000)), random(2) > 0);
        let run = std::thread::scope(|scope| {
            let push = scope.spawn(|| alice.git(&dir, &words));
            let begin = Instant::now();
            let mut receiver = String::new();
            while begin.elapsed() < Duration::from_secs(5) && !push.is_finished() {
                receiver = fs::read_to_string(&pid_file).unwrap_or_default().trim().to_owned();
                if !receiver.is_empty() && (!with_hook || !children(&receiver).is_empty()) {
                    break;
                }
            }
            std::thread::sleep(pause);
            for child in children(&receiver) {
                kill(&child);
            }
            if !only_hook && !receiver.is_empty() {
                kill(&receiver);
            }
            push.join().unwrap()
        });
        died += usize::from(run.code != Some(0));
        // Git's own locks on refs outlive its death; they are no business of the ledger's.
        for n in 0..3 {
            let _ = fs::remove_file(bank.server.join(format!("refs/heads/dev/{n}.lock")));
        }
        certified_anew(|| alice.git(&dir, &["push", "--no-verify", &server, &spec])).ok();
        assert_eq!(bank.tip(&format!("refs/heads/dev/{}", round % 3)), *commit);
        if round % 6 == 5 {
            bank.holds();
        }
    }
    assert!(died >= ROUNDS / 4, "only {died} of {ROUNDS} pushes were killed in time");
    let report = bank.holds();
    assert_eq!(report["refs"]["covered"].as_u64().unwrap() + report["refs"]["pending"].as_u64().unwrap(), 4);
}

#[test]
fn a_lock_that_a_dead_process_left_is_removed() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    write(&bank.server, "refs/mledger/log.lock", "");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    assert!(!bank.server.join("refs/mledger/log.lock").exists());
    bank.holds();
}

#[test]
fn what_stands_beside_the_ledger_can_be_made_anew() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let place = bank.server.join("mledger");
    let mut count = 0;
    let mut push = || {
        count += 1;
        alice.commit(&dir, "models/a", &count.to_string());
        alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
        bank.holds();
    };
    push();
    let old = fs::read(place.join("index.sqlite")).unwrap();
    push();
    for name in ["hashes", "index.sqlite"] {
        fs::remove_file(place.join(name)).unwrap();
        push();
        for rubbish in [&b""[..], b"rubbish", &[0xff; 8192]] {
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(place.join(format!("{name}{end}")));
            }
            fs::write(place.join(name), rubbish).unwrap();
            push();
        }
    }
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(place.join(format!("index.sqlite{end}")));
    }
    fs::write(place.join("index.sqlite"), old).unwrap();
    push();
    // A page of the tables in the middle.
    let index = rusqlite::Connection::open(place.join("index.sqlite")).unwrap();
    index.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(index);
    let mut bytes = fs::read(place.join("index.sqlite")).unwrap();
    bytes[4096..].fill(0xaa);
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(place.join(format!("index.sqlite{end}")));
    }
    fs::write(place.join("index.sqlite"), bytes).unwrap();
    let _ = alice.push(&dir, &["HEAD:refs/heads/dev/b"]);
    push();
    fs::remove_file(place.join("durable.config")).unwrap();
    push();
}

#[test]
fn a_damaged_cache_of_hashes_never_gets_into_the_ledger() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let commits = alice.import(&dir, Some("origin/main"), 300);
    let push =
        |n: usize| alice.git(&dir, &["push", "--no-verify", "origin", &format!("{}:refs/heads/dev/a", commits[n])]);
    push(100).ok();
    // Hashes that no append looks at, until the tile is sealed or a trailer is judged.
    let file = bank.server.join("mledger/hashes");
    let mut bytes = fs::read(&file).unwrap();
    for (level, index) in [(0, 5), (0, 70), (1, 3), (3, 2), (5, 0)] {
        let at = usize::try_from(stored_position(level, index)).unwrap() * 32;
        bytes[at] ^= 1;
    }
    fs::write(&file, bytes).unwrap();
    alice.git(&dir, &["reset", "-q", "--hard", &commits[100]]).ok();
    alice.commit(&dir, "models/x", "with a trailer");
    alice.push(&dir, &["HEAD:refs/heads/dev/trailer"]).ok();
    push(250).ok();
    push(299).ok();
    assert!(bank.size() > 256);
    bank.holds();
    let tile = bank.on_server(&["rev-parse", "refs/mledger/log:tile/0/000"]);
    assert_eq!(bank.on_server(&["cat-file", "-s", &tile]), "8192");
    let first = bank.carol.mledger(&bank.server, &["show", "--json", "5"]).ok();
    let hash = serde_json::from_str::<Value>(&first).unwrap()["leaf_hash"].clone();
    let leaf = bank.leaf(5).to_string();
    assert_eq!(hash, json!(leaf_hash(leaf.as_bytes()).to_string()));
}

#[test]
fn without_its_second_checkpoint_the_ledger_stops() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let last = bank.server.join("mledger/last-checkpoint");
    let good = fs::read_to_string(&last).unwrap();
    let push = || alice.git(&dir, &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/a"]);
    fs::remove_file(&last).unwrap();
    let said = bank.stopped("last-checkpoint` is missing, so a ledger set back could not be told", push);
    assert!(said.contains("try: put the file back") && said.contains("cp CLONE/.git/mledger/checkpoint"), "{said}");
    for bad in
        [String::new(), good.replace('1', "2"), "rubbish\n".to_owned(), good.replace(ORIGIN, "elsewhere.example/x")]
    {
        fs::write(&last, bad).unwrap();
        bank.stopped("the gate could not decide, so nothing was moved", push);
    }
    fs::write(&last, good).unwrap();
    push().ok();
    bank.holds();
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// The bank with two pushes and a copy of the repository from between them.
fn with_backup() -> (Bank, PathBuf, PathBuf) {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let backup = bank.world.path("backup");
    copy(&bank.server, &backup);
    bank.alice.commit(&dir, "models/a", "two");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.alice.mledger(&dir, &["verify"]).ok();
    (bank, dir, backup)
}

#[test]
fn a_repository_from_an_old_backup_does_not_fork() {
    let (bank, dir, backup) = with_backup();
    let last = fs::read(bank.server.join("mledger/last-checkpoint")).unwrap();
    fs::remove_dir_all(&bank.server).unwrap();
    copy(&backup, &bank.server);
    // The second copy lies on another volume and was not restored.
    fs::write(bank.server.join("mledger/last-checkpoint"), last).unwrap();
    bank.found("rollback", "it was rolled back");
    let said = bank.stopped("it was set back, perhaps from a backup", || {
        bank.alice.git(&dir, &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/b"])
    });
    assert!(said.contains("the ledger stands at 4 entries, but it has signed a checkpoint of 7"), "{said}");
}

#[test]
fn a_whole_restored_volume_is_found_by_every_clone() {
    let (bank, dir, backup) = with_backup();
    fs::remove_dir_all(&bank.server).unwrap();
    copy(&backup, &bank.server);
    let said = bank.stopped("the remote's ledger was rolled back: it has 4 entries", || {
        bank.alice.push(&dir, &["HEAD:refs/heads/dev/b"])
    });
    assert!(said.contains("nothing was pushed"), "{said}");
    let (code, report) = crate::bank::report(&bank.alice, &dir, &[]);
    assert_eq!((code, &report["problems"][0]["code"]), (4, &json!("rollback")), "{report:#}");
    // It forks as others push; the trailers that Alice signed say so, and so does her clone.
    let his = bank.clone_of(&bank.bob);
    for n in 0..3 {
        bank.bob.commit(&his, "models/b", &n.to_string());
        bank.bob.push(&his, &["HEAD:refs/heads/dev/bob"]).ok();
    }
    bank.holds();
    bank.stopped("the remote's ledger was replaced", || bank.alice.push(&dir, &["HEAD:refs/heads/dev/b"]));
    bank.alice.commit(&dir, "models/a", "three");
    bank.refused("log-fork", "saw another ledger", || {
        bank.alice.git(&dir, &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/b"])
    });
}

#[test]
fn a_key_that_is_not_the_ledgers_signs_nothing() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let push = || alice.git(&dir, &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/a"]);
    let file = bank.server.join("mledger/ledger.key");
    let good = fs::read(&file).unwrap();
    fs::copy(bank.carol.key_file(), &file).unwrap();
    bank.stopped("does not hold the private half of the ledger's key", push);
    fs::write(&file, "rubbish").unwrap();
    bank.stopped("cannot be read", push);
    fs::remove_file(&file).unwrap();
    bank.stopped("is missing; without it nothing can be appended", push);
    fs::write(&file, good).unwrap();
    push().ok();
    bank.holds();
}

/// `policy apply` of a text, from a clone.
fn apply(person: &Person, dir: &Path, text: &str) -> Run {
    write(dir, "new.toml", text);
    person.mledger(dir, &["policy", "apply", "new.toml"])
}

/// The policy with one more engineer.
fn with_engineer(text: &str, name: &str, key: &str) -> String {
    format!("{text}\n[actors.\"{name}\"]\nroles = [\"engineer\"]\nkeys = [\"{key}\"]\n")
}

#[test]
fn an_admin_enrols_people_from_a_clone() {
    let bank = Bank::open();
    let (carol, dir) = (&bank.carol, bank.clone_of(&bank.carol));
    let theirs = bank.clone_of(&bank.mallory);
    bank.mallory.commit(&theirs, "models/m", "one");
    bank.refused("key-unknown", "no actor", || bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"]));
    let old = carol.mledger(&dir, &["policy", "show"]).ok();
    let new = with_engineer(&old, "mallory@bank.example", &bank.mallory.public_key());
    let said = apply(carol, &dir, &new);
    assert!(said.code == Some(0) && said.err.contains("the new policy is in force"), "{said:#?}");
    let row = bank.log().pop().unwrap();
    assert_eq!((&row["kind"], &row["actors"]), (&json!("policy"), &json!(["carol@bank.example"])));
    assert_eq!(bank.leaf(row["index"].as_u64().unwrap())["policy"], json!(new));
    assert!(bank.refs().keys().all(|name| !name.starts_with("refs/mledger/")), "{:?}", bank.refs());
    bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"]).ok();
    // The ledger knows what was in force when.
    let entry = bank.newest_push()["index"].as_u64().unwrap();
    assert_eq!(bank.leaf(entry)["policy"], row["index"]);
    bank.holds();
    // The same again is no news, and who was an engineer is one no more.
    let again = apply(carol, &dir, &new);
    assert!(again.code == Some(0) && again.err.contains("nothing to do"), "{again:#?}");
    assert_eq!(bank.size(), bank.holds()["size"].as_u64().unwrap());
    let out = new.replace(
        &format!("[actors.\"{}\"]\nroles", bank.mallory.id()),
        &format!("[actors.\"{}\"]\nuntil = 2026-01-01\nroles", bank.mallory.id()),
    );
    apply(carol, &dir, &out).ok();
    bank.mallory.commit(&theirs, "models/m", "two");
    bank.refused("actor-expired", "is no actor any more", || bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"]));
}

/// An envelope as `person` would sign it, after `change` to the statement.
fn envelope(bank: &Bank, person: &Person, new: &str, change: impl FnOnce(&mut PolicyStatement)) -> Vec<u8> {
    let in_force = bank.on_server(&["show", "refs/mledger/log:policy.toml"]) + "\n";
    let mut statement = PolicyStatement {
        actor: ActorId::parse(&person.id()).unwrap(),
        expires: Timestamp::from_millis(Timestamp::now().millis() + 3_600_000).unwrap(),
        kind: PolicyKind::Is,
        mledger: VERSION,
        new: sha256(new.as_bytes()),
        origin: Origin::parse(ORIGIN).unwrap(),
        previous: sha256(in_force.as_bytes()),
    };
    change(&mut statement);
    let statement = Statement::Policy(statement).to_text().unwrap();
    let signature = sshsig::sign(&person.key(), "mledger", statement.as_bytes());
    Envelope { attachment: new.to_owned(), mledger: VERSION, signature, statement }.to_bytes().unwrap()
}

/// Pushes bytes to the inbox as anybody can.
fn send(bank: &Bank, dir: &Path, bytes: &[u8]) -> Run {
    let blob = bank.mallory.write_object(dir, "blob", bytes);
    bank.mallory.push(dir, &["--no-signed", &format!("{blob}:refs/mledger/inbox/{}", sha256(bytes).hex())])
}

#[test]
fn a_policy_changes_by_its_admins_will_alone() {
    let bank = Bank::open();
    let dir = bank.bare_clone_of(&bank.mallory, "anywhere");
    let carol = &bank.carol;
    let first = bank.on_server(&["show", "refs/mledger/log:policy.toml"]) + "\n";
    let new = first.replace("name = \"models\"", "name = \"new\"");
    let old_digest = sha256(first.as_bytes());
    let elsewhere = Origin::parse("elsewhere.example/x").unwrap();
    let parsed = |text: &str| Timestamp::parse(text).unwrap();
    let moved = with_engineer(
        &first.replace("roles = [\"engineer\"]\nlogins = [\"env:alice\", \"http:alice\"]", ""),
        "x@bank.example",
        &bank.alice.public_key(),
    );
    let moved =
        moved.replace(&format!("[actors.\"alice@bank.example\"]\nkeys = [\"{}\"]\n", bank.alice.public_key()), "");
    let mut tampered: Value = serde_json::from_slice(&envelope(&bank, carol, &new, |_| {})).unwrap();
    tampered["attachment"] = json!(new.replace("name = \"new\"", "name = \"newer\""));
    for (bytes, words) in [
        (envelope(&bank, &bank.bob, &new, |_| {}), "bob@bank.example is no admin"),
        (envelope(&bank, &bank.mallory, &new, |_| {}), "the key that signed the statement does not count"),
        (
            envelope(&bank, &bank.bob, &new, |it| it.actor = ActorId::parse("carol@bank.example").unwrap()),
            "but bob@bank.example signed it",
        ),
        (envelope(&bank, carol, &new, |it| it.origin = elsewhere), "it is meant for the ledger elsewhere.example/x"),
        (envelope(&bank, carol, &new, |it| it.previous = sha256(b"older")), "state it again"),
        (
            envelope(&bank, carol, &new, |it| it.expires = parsed("2020-01-01T00:00:00.000Z")),
            "the statement expired at",
        ),
        (envelope(&bank, carol, "mledger = 1\n", |_| {}), "the new policy has mistakes"),
        (envelope(&bank, carol, &moved, |_| {}), "gives away what belongs to others"),
        (tampered.to_string().into_bytes(), "what is attached is not what the statement names"),
        (b"{}".to_vec(), "not a statement of a known shape"),
        (vec![b'x'; 40_000], "not a statement of a known shape"),
    ] {
        bank.refused("update-problem", words.trim_start_matches("it "), || send(&bank, &dir, &bytes));
    }
    // A signature made for something else, and a name that is not the content's.
    let mut foreign: Value = serde_json::from_slice(&envelope(&bank, carol, &new, |_| {})).unwrap();
    foreign["signature"] = json!(sshsig::sign(&carol.key(), "git", foreign["statement"].as_str().unwrap().as_bytes()));
    bank.refused("update-problem", "it is made for namespace", || send(&bank, &dir, foreign.to_string().as_bytes()));
    let good = envelope(&bank, carol, &new, |_| {});
    let blob = bank.mallory.write_object(&dir, "blob", &good);
    bank.refused("update-problem", "is not named by the SHA-256", || {
        bank.mallory.push(&dir, &["--no-signed", &format!("{blob}:refs/mledger/inbox/{}", "0".repeat(64))])
    });
    bank.refused("update-problem", "a statement is pushed alone", || {
        let inbox = format!("{blob}:refs/mledger/inbox/{}", sha256(&good).hex());
        bank.mallory.push(&dir, &["--no-signed", &inbox, "HEAD:refs/heads/dev/x"])
    });
    // Anybody may carry it, once. Sent again it is no news; after the policy went back it is refused for ever.
    send(&bank, &dir, &good).ok();
    let size = bank.size();
    send(&bank, &dir, &good).ok();
    assert_eq!(bank.size(), size);
    send(&bank, &dir, &envelope(&bank, carol, &first, |_| {})).ok();
    assert_eq!(sha256((bank.on_server(&["show", "refs/mledger/log:policy.toml"]) + "\n").as_bytes()), old_digest);
    bank.refused("update-problem", "the statement was used before", || send(&bank, &dir, &good));
    let report = bank.holds();
    assert_eq!(report["entries"]["policy"], 2);
}

#[test]
fn who_is_no_admin_is_told_so() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let old = bob.mledger(&dir, &["policy", "show"]).ok();
    let run = apply(bob, &dir, &with_engineer(&old, "mallory@bank.example", &bank.mallory.public_key()));
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.err.contains("bob@bank.example is no admin of the policy in force"), "{run:#?}");
    let theirs = bank.clone_of(&bank.mallory);
    let size = bank.size();
    let run = apply(&bank.mallory, &theirs, &with_engineer(&old, "mallory@bank.example", &bank.mallory.public_key()));
    assert!(run.code == Some(1) && run.err.contains("no actor has"), "{run:#?}");
    assert_eq!(bank.size(), size);
    bank.holds();
}
