//! What a server meets on bad days: policies with mistakes, repositories it cannot work with, disks that refuse.
//! Each ends in a plain sentence, with nothing changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bank::{Bank, ORIGIN, found, report};
use crate::world::{Person, Run, World, write, write_script};

/// Every file below a folder with its bytes and mode.
fn picture(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            if meta.is_dir() {
                todo.push(path.clone());
            }
            seen.insert(path, (meta.mode(), bytes));
        }
    }
    seen
}

/// Nothing in the repository or the person's home is changed by a command that fails with that code and these words.
#[track_caller]
fn changes_nothing(person: &Person, dir: &Path, words: &[&str], code: i32, says: &[&str]) {
    let look = || (picture(dir), picture(&person.home));
    let before = look();
    let run = person.mledger(dir, words);
    assert_eq!(run.code, Some(code), "{run:#?}");
    for words in says {
        assert!(run.err.contains(words), "not `{words}` but\n{}", run.err);
    }
    assert_eq!(run.err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{}", run.err);
    assert!(look() == before, "something changed: {run:#?}");
}

#[test]
fn a_policy_with_mistakes_is_refused_with_their_places() {
    let bank = Bank::closed();
    bank.seed();
    let policy = bank.policy();
    for (name, text, says) in [
        ("cut.toml", "mledger = 1\n[admin\nactors = 1\n".to_owned(), &[":2:"][..]),
        ("empty.toml", String::new(), &["mistake"]),
        ("version.toml", policy.replace("mledger = 1", "mledger = 2"), &[":1:"]),
        (
            "many.toml",
            policy.replace("\"maintainer\"", "\"boss\"").replace("keys = [\"ssh", "keys = [\"xsh")
                + "colour = \"red\"\n",
            &["unknown role `boss`", "bad key", "unknown field `colour`"],
        ),
        ("latin.toml", policy.replace("name = \"models\"", "name = \"models\u{0}\""), &[":2:"]),
    ] {
        write(bank.world.root(), name, &text);
        let path = bank.world.path(name);
        let mut says: Vec<&str> = says.to_vec();
        says.extend(["nothing was set up", "try: mledger policy check", name]);
        changes_nothing(&bank.carol, &bank.server, &["init", "--policy", path.to_str().unwrap()], 1, &says);
    }
    fs::write(bank.world.path("bytes.toml"), b"mledger = 1 # \xff\n").unwrap();
    let bytes = bank.world.path("bytes.toml");
    changes_nothing(
        &bank.carol,
        &bank.server,
        &["init", "--policy", bytes.to_str().unwrap()],
        1,
        &["is not UTF-8 text"],
    );
    write(bank.world.root(), "huge.toml", &"# x\n".repeat(300_000));
    let huge = bank.world.path("huge.toml");
    changes_nothing(
        &bank.carol,
        &bank.server,
        &["init", "--policy", huge.to_str().unwrap()],
        1,
        &["more than 1048576 bytes"],
    );
    changes_nothing(
        &bank.carol,
        &bank.server,
        &["init", "--policy", "nowhere.toml"],
        1,
        &["could not read `nowhere.toml`"],
    );
    changes_nothing(&bank.carol, &bank.server, &["init", "--login", "guess"], 2, &["`guess` is no source of logins"]);
    changes_nothing(&bank.carol, &bank.server, &["init", "--origin", "a b"], 2, &["is not an origin"]);
    // Everything is still as it was before: the gate can be put there.
    bank.gate("", &[]).ok();
    bank.holds();
}

#[test]
fn repositories_that_cannot_have_a_gate_are_refused() {
    let world = World::new();
    // No key yet, and none is made for a gate that will not stand.
    let carol = world.person_without_key("carol");
    let make = |name: &str, words: &[&str]| {
        carol.git(world.root(), &[&["init", "-q", "--bare"], words, &[name]].concat()).ok();
        world.path(name)
    };
    let refused = |dir: &Path, says: &str| changes_nothing(&carol, dir, &["init"], 1, &[says]);
    refused(
        &make("reftable.git", &["--ref-format=reftable"]),
        "uses the reftable format for refs, which mledger does not support yet",
    );
    refused(
        &make("sha256.git", &["--object-format=sha256"]),
        "uses SHA-256 object names, which mledger does not support yet",
    );
    let shallow = make("shallow.git", &[]);
    write(&shallow, "shallow", "");
    refused(&shallow, "the repository has a shallow boundary");
    let grafts = make("grafts.git", &[]);
    write(&grafts, "info/grafts", "");
    refused(&grafts, "the repository has grafts");
    let alias = make("alias.git", &[]);
    carol.git(&alias, &["symbolic-ref", "refs/heads/release", "refs/heads/main"]).ok();
    refused(&alias, "`refs/heads/release` is a symbolic ref to `refs/heads/main`");
    let long = make("long.git", &[]);
    write(&long, &format!("refs/heads/{}x", "a/".repeat(125)), &"1".repeat(40));
    refused(&long, "cannot be recorded");
    fs::create_dir(world.path("plain")).unwrap();
    refused(&world.path("plain"), "is not a Git repository");
    let broken = make("broken.git", &[]);
    write(&broken, "refs/heads/main", &format!("{}\n", "1".repeat(40)));
    let run = carol.mledger(&broken, &["init", "--actor", "carol"]);
    assert!(run.code == Some(1) && !broken.join("refs/mledger").exists(), "{run:#?}");
}

#[test]
fn setting_up_again_changes_nothing_and_mends() {
    let bank = Bank::open();
    let first = picture(&bank.server);
    bank.gate("", &[]).ok();
    let size = bank.size();
    assert!(picture(&bank.server) == first || size == 1);
    // Another policy is not taken in by the way.
    let run = bank.gate("# another\n", &[]);
    assert!(run.code == Some(0) && run.out.contains("the one in force stays"), "{run:#?}");
    fs::remove_file(bank.server.join("hooks/pre-receive")).unwrap();
    bank.gate("", &[]).ok();
    assert!(bank.server.join("hooks/pre-receive").exists());
    // A hook that came later is kept and runs first.
    write_script(&bank.server.join("hooks"), "pre-receive", "#!/bin/sh\necho first >&2\n");
    let run = bank.gate("", &[]);
    assert!(run.out.contains("kept, and run first: pre-receive"), "{run:#?}");
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let run = bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]);
    assert!(run.code == Some(0) && run.err.contains("remote: first") && run.err.contains("accepted"), "{run:#?}");
    bank.holds();
    let clone = bank.carol.mledger(&dir, &["init", "--policy", "x.toml"]);
    assert!(clone.code == Some(2) && clone.err.contains("this is a clone"), "{clone:#?}");
}

#[test]
fn a_server_without_its_program_lets_nothing_through() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let hook = bank.server.join("hooks/pre-receive");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, text.replace(crate::bank::binary(), "/nowhere/mledger")).unwrap();
    bank.stopped("pre-receive hook declined", || bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
}

/// The user `nobody`, where tests run as root; to root no disk is read-only.
const NOBODY: &str = "65534";

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Gives the server's files to whom the push runs as.
fn hand_over(bank: &Bank) {
    if is_root() {
        fs::set_permissions(bank.world.root(), fs::Permissions::from_mode(0o755)).unwrap();
        let status = Command::new("chown").args(["-R", NOBODY]).arg(&bank.server).status().unwrap();
        assert!(status.success());
        let trust = ["config", "--global", "--add", "safe.directory", "*"];
        for person in [&bank.alice, &bank.carol] {
            person.git(bank.world.root(), &trust).ok();
        }
    }
}

/// A push whose other side has no power over files of others.
fn push_as_nobody(bank: &Bank, dir: &Path) -> Run {
    let receive = format!("--receive-pack=setpriv --reuid={NOBODY} --clear-groups git-receive-pack");
    let words = ["push", "--no-verify", &receive, "origin", "HEAD:refs/heads/dev/a"];
    bank.alice.git(dir, if is_root() { &words } else { &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/a"] })
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_disk_that_refuses_denies_and_loses_nothing() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    hand_over(&bank);
    let push = || push_as_nobody(&bank, &dir);
    let place = bank.server.join("mledger");
    let refused = |path: &Path, mode: u32, words: &str| {
        let before = fs::metadata(path).unwrap().mode() & 0o777;
        chmod(path, mode);
        bank.stopped(words, push);
        chmod(path, before);
    };
    refused(&place.join("ledger.key"), 0o000, "could not read");
    refused(&place.join("lock"), 0o400, "could not open");
    refused(&place.join("hashes"), 0o400, "could not open");
    refused(&bank.server.join("refs/mledger"), 0o555, "Permission denied");
    refused(&bank.server.join("objects"), 0o555, "");
    // The second checkpoint cannot be written: the entry is there, its push is refused, and the next one goes on.
    let size = bank.size();
    chmod(&place, 0o555);
    push().fails();
    chmod(&place, 0o755);
    assert!(bank.tip("refs/heads/dev/a").is_empty());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    push().ok();
    assert!(bank.size() > size);
    bank.holds();
}

#[test]
fn objects_that_are_gone_or_damaged_deny_and_are_named() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    bob.commit(&dir, "models/a", "two");
    let push = || bob.git(&dir, &["push", "--no-verify", "origin", "HEAD:refs/heads/main"]);
    let file = |oid: &str| bank.server.join("objects").join(&oid[..2]).join(&oid[2..]);
    let named = |spec: &str| bank.on_server(&["rev-parse", spec]);
    // A tree of the parent, which the manifest is computed against.
    let tree = file(&named("refs/heads/main^{tree}"));
    let good = fs::read(&tree).unwrap();
    fs::remove_file(&tree).unwrap();
    let said = push().fails();
    assert!(said.contains("missing") || said.contains("bad"), "{said}");
    fs::write(&tree, &good).ok();
    // The newest commit of the ledger, the policy in its tree, and a commit in between.
    // The gate reads the first two for every push; the last it reads again when it seals.
    for (spec, code, denies) in
        [("refs/mledger/log", 4, true), ("refs/mledger/log:policy.toml", 0, true), ("refs/mledger/log~1", 4, false)]
    {
        let object = file(&named(spec));
        let good = fs::read(&object).unwrap();
        let mode = fs::metadata(&object).unwrap().mode();
        for bad in [None, Some(&b"rubbish"[..]), Some(&b""[..])] {
            fs::remove_file(&object).unwrap();
            if let Some(bytes) = bad {
                fs::write(&object, bytes).unwrap();
            }
            if denies {
                let said = push().fails();
                assert!(said.contains("push refused") || said.contains("fatal") || said.contains("unpack"), "{said}");
            }
            let run = bank.carol.mledger(&bank.server, &["verify", "--full"]);
            assert!(run.code == Some(4) || code == 0 && run.code != Some(101), "{spec} {run:#?}");
            let _ = fs::remove_file(&object);
            fs::write(&object, &good).unwrap();
            chmod(&object, mode);
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(1100));
    push().ok();
    bank.holds();
}

#[test]
fn files_of_a_clone_that_are_damaged_are_told_plainly() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let place = dir.join(".git/mledger");
    let vkey = fs::read_to_string(place.join("vkey")).unwrap();
    let (code, whole) = report(alice, &dir, &[]);
    assert_eq!(code, 0, "{whole:#}");
    for bad in ["", "rubbish", &vkey.replace('+', "-")] {
        fs::write(place.join("vkey"), bad).unwrap();
        let run = alice.mledger(&dir, &["verify"]);
        assert!(run.code == Some(1) && run.err.contains("holds no key"), "{run:#?}");
    }
    fs::write(place.join("vkey"), vkey).unwrap();
    // A checkpoint that claims more than there is.
    let note = fs::read_to_string(place.join("checkpoint")).unwrap();
    fs::write(place.join("verified"), note.replacen(&format!("{ORIGIN}\n1\n"), &format!("{ORIGIN}\n7\n"), 1)).unwrap();
    found(&report(alice, &dir, &["--offline"]), "rollback", "the checkpoint verified last proves that it had 7");
    write(&dir, "since.txt", "rubbish");
    let run = alice.mledger(&dir, &["verify", "--since", "since.txt"]);
    assert!(run.code == Some(1) && run.err.contains("does not hold a checkpoint"), "{run:#?}");
}
