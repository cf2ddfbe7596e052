//! Pushes that no client sends: lines and packs by hand, into a real `git receive-pack`.

use std::path::Path;
use std::process::Command;

use crate::bank::Bank;
use crate::world::{Person, Run, write};

const ZERO: &str = "0000000000000000000000000000000000000000";

fn open() -> Bank {
    Bank::open_with("", &["--login", "env"])
}

/// A pack of exactly these objects.
fn pack(person: &Person, dir: &Path, oids: &[&str]) -> Vec<u8> {
    let lines: String = oids.iter().map(|oid| format!("{oid}\n")).collect();
    let mut command = Command::new("git");
    let run = person.run(command.args(["pack-objects", "-q", "by-hand"]).current_dir(dir), Some(lines.as_bytes()));
    std::fs::read(dir.join(format!("by-hand-{}.pack", run.ok()))).unwrap()
}

/// The commit, its tree and everything in that, as far as the commits after `not` brought it.
fn objects(person: &Person, dir: &Path, tip: &str, not: &str) -> Vec<String> {
    let listed = person.git(dir, &["rev-list", "--objects", "--no-object-names", tip, "--not", not]).ok();
    listed.lines().map(str::to_owned).collect()
}

/// Sends these commands, then the pack, as somebody whom the front end calls by this person's name.
fn receive(bank: &Bank, person: &Person, commands: &[[&str; 3]], pack: &[u8]) -> Run {
    let mut input = Vec::new();
    for (at, [old, new, name]) in commands.iter().enumerate() {
        let capabilities = if at == 0 { "\0report-status atomic delete-refs" } else { "" };
        let line = format!("{old} {new} {name}{capabilities}");
        input.extend(format!("{:04x}{line}", line.len() + 4).into_bytes());
    }
    input.extend(b"0000");
    input.extend(pack);
    let mut command = Command::new("git");
    let run = person.with("MLEDGER_LOGIN", &person.name);
    let run = run.run(command.args(["receive-pack", "."]).current_dir(&bank.server), Some(&input));
    let refused = run.out.contains("ng ") || !run.out.contains("unpack ok");
    Run { code: if refused { Some(1) } else { run.code }, ..run }
}

fn empty_pack(person: &Person, dir: &Path) -> Vec<u8> {
    pack(person, dir, &[])
}

#[test]
fn a_push_by_hand_is_a_push() {
    let bank = open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let tip = alice.commit(&dir, "models/a", "one");
    let whole = objects(alice, &dir, "HEAD", "origin/main");
    let pack = pack(alice, &dir, &whole.iter().map(String::as_str).collect::<Vec<_>>());
    receive(&bank, alice, &[[ZERO, &tip, "refs/heads/dev/a"]], &pack).ok();
    assert_eq!(bank.tip("refs/heads/dev/a"), tip);
    bank.holds();
}

#[test]
fn what_a_pack_smuggles_in_is_not_known() {
    let bank = open();
    let (alice, dir, theirs) = (&bank.alice, bank.clone_of(&bank.alice), bank.clone_of(&bank.mallory));
    let good = alice.commit(&dir, "models/a", "one");
    let evil = bank.mallory.commit(&theirs, "models/evil", "evil");
    alice.git(&dir, &["fetch", "-q", theirs.to_str().unwrap(), "HEAD:evil"]).ok();
    let mut all = objects(alice, &dir, &good, "origin/main");
    all.extend(objects(alice, &dir, "evil", "origin/main"));
    let loaded = pack(alice, &dir, &all.iter().map(String::as_str).collect::<Vec<_>>());
    receive(&bank, alice, &[[ZERO, &good, "refs/heads/dev/a"]], &loaded).ok();
    // It lies in the store now, named by nothing.
    bank.on_server(&["cat-file", "-e", &evil]);
    bank.holds();
    let none = empty_pack(alice, &dir);
    for name in ["refs/heads/dev/b", "refs/heads/dev/a/below"] {
        bank.refused("key-unknown", &evil, || receive(&bank, alice, &[[ZERO, &evil, name]], &none));
    }
    bank.refused("key-unknown", &evil, || receive(&bank, alice, &[[&good, &evil, "refs/heads/dev/a"]], &none));
    alice.git(&dir, &["checkout", "-q", "evil"]).ok();
    let above = alice.commit(&dir, "models/a", "above");
    let above_pack =
        pack(alice, &dir, &objects(alice, &dir, &above, &evil).iter().map(String::as_str).collect::<Vec<_>>());
    bank.refused("key-unknown", &evil, || receive(&bank, alice, &[[ZERO, &above, "refs/heads/dev/c"]], &above_pack));
}

#[test]
fn what_another_store_lends_is_not_known() {
    let bank = open();
    let theirs = bank.bare_clone_of(&bank.mallory, "lender");
    let evil = bank.mallory.commit(&theirs, "models/evil", "evil");
    write(&bank.server, "objects/info/alternates", &format!("{}\n", theirs.join(".git/objects").display()));
    bank.on_server(&["cat-file", "-e", &evil]);
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let none = empty_pack(alice, &dir);
    let attack = || receive(&bank, alice, &[[ZERO, &evil, "refs/heads/dev/a"]], &none);
    let said = attack().fails();
    assert!(said.contains("a commit is not signed") && said.contains(&evil), "{said}");
    assert_eq!(bank.newest_push()["reason"]["code"], "commit-unsigned");
    assert_eq!(bank.tip("refs/heads/dev/a"), "");
    bank.found("oddity", "alternates");
    std::fs::remove_file(bank.server.join("objects/info/alternates")).unwrap();
    write(&bank.server, "shallow", &format!("{}\n", bank.tip("refs/heads/main")));
    bank.found("oddity", "shallow");
    std::fs::remove_file(bank.server.join("shallow")).unwrap();
    bank.holds();
}

#[test]
fn a_command_cannot_lie_about_where_a_ref_stands() {
    let bank = open();
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (dir, his) = (bank.clone_of(alice), bank.clone_of(bob));
    let main = bank.tip("refs/heads/main");
    let one = alice.commit(&dir, "models/a", "one");
    let two = alice.commit(&dir, "models/a", "two");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let beside = bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/dev/b"]).ok();
    let none = empty_pack(alice, &dir);
    let name = "refs/heads/dev/a";
    for (old, new) in [
        // As if it did not exist, stood elsewhere, or were an update of what it never was.
        (ZERO, beside.as_str()),
        (ZERO, two.as_str()),
        (main.as_str(), beside.as_str()),
        (beside.as_str(), ZERO),
        (one.as_str(), two.as_str()),
    ] {
        let pack = if new == ZERO { &[][..] } else { &none };
        bank.refused("update-problem", "it moved while you pushed", || {
            receive(&bank, alice, &[[old, new, name]], pack)
        });
    }
    bank.refused("update-problem", "moved while you pushed", || {
        receive(&bank, alice, &[[&main, ZERO, "refs/heads/dev/nowhere"]], &[])
    });
    bank.refused("update-problem", "it neither exists nor is created", || {
        receive(&bank, alice, &[[ZERO, ZERO, "refs/heads/dev/nowhere"]], &none)
    });
    let nowhere = "1".repeat(40);
    bank.refused("update-problem", "is missing from the repository", || {
        receive(&bank, alice, &[[&two, &nowhere, name]], &none)
    });
}

#[test]
fn a_move_to_where_a_ref_stands_is_a_move() {
    let bank = open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let none = empty_pack(alice, &dir);
    let stay = |name: &str| {
        let tip = bank.tip(name);
        receive(&bank, alice, &[[&tip, &tip, name]], &none)
    };
    bank.refused("not-granted", "may not update this ref", || stay("refs/heads/main"));
    stay("refs/heads/dev/a").ok();
    let push = bank.newest_push();
    assert_eq!((&push["decision"], &push["actor"]), (&"accepted".into(), &"alice@bank.example".into()));
    bank.holds();
}

#[test]
fn the_repository_is_set_up_for_what_the_gate_relies_on() {
    let bank = open();
    let setting = |name: &str| bank.on_server(&["config", "--get-all", name]);
    for (name, value) in [
        ("receive.fsckObjects", "true"),
        ("receive.shallowUpdate", "false"),
        ("receive.hideRefs", "refs/mledger/log"),
        ("core.fsync", "committed,reference"),
        ("gpg.ssh.allowedSignersFile", "/dev/null"),
    ] {
        assert_eq!(setting(name), value, "{name}");
    }
    assert!(setting("gpg.ssh.program").contains("mledger"), "{}", setting("gpg.ssh.program"));
    assert!(setting("receive.maxInputSize").parse::<u64>().unwrap() > 0);
    // Nobody else has the same seed, and setting up again keeps it.
    let seed = setting("receive.certNonceSeed");
    assert_eq!(seed.len(), 64);
    bank.gate("", &[]).ok();
    assert_eq!(setting("receive.certNonceSeed"), seed);
    assert_ne!(self::open().on_server(&["config", "receive.certNonceSeed"]), seed);
}

#[test]
fn a_ref_named_twice_or_not_as_refs_are_is_refused() {
    let bank = open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let tip = alice.commit(&dir, "models/a", "two");
    alice.push(&dir, &["--signed", "HEAD:refs/heads/dev/a"]).ok();
    let none = empty_pack(alice, &dir);
    let twice = [[ZERO, &tip, "refs/heads/dev/b"], [ZERO, &tip, "refs/heads/dev/b"]];
    bank.refused("facts-incomplete", "named twice", || receive(&bank, alice, &twice, &none));
    for name in [
        "HEAD",
        "refs",
        "refs/heads/../main",
        "refs/heads/.x",
        "refs/heads/x.lock",
        "refs/heads/a..b",
        "refs/heads/a b",
        "refs/heads/a\tb",
        "refs/heads/a//b",
        "refs/heads/a/",
        "refs/heads/@{x",
        "refs/heads/a\\b",
        "refs/heads/a*",
        "config",
        "../x",
    ] {
        let before = (bank.refs(), std::fs::read(bank.server.join("HEAD")).unwrap());
        let said = receive(&bank, alice, &[[ZERO, &tip, name]], &none).fails();
        assert_eq!((bank.refs(), std::fs::read(bank.server.join("HEAD")).unwrap()), before, "{name}: {said}");
        let newest = bank.newest_push();
        assert_eq!(newest["decision"], "denied", "{name}: {said}");
    }
    bank.holds();
}

#[test]
fn history_with_a_hole_is_not_taken() {
    let bank = open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let tip = alice.commit(&dir, "models/a", "two");
    // The commit without its parent, then as if a shallow boundary lay between.
    let top = pack(alice, &dir, &objects(alice, &dir, "HEAD", "HEAD~1").iter().map(String::as_str).collect::<Vec<_>>());
    bank.stopped("object of unexpected type", || receive(&bank, alice, &[[ZERO, &tip, "refs/heads/dev/a"]], &top));
    bank.on_server(&["config", "receive.fsckObjects", "false"]);
    bank.refused("update-problem", "is not in the repository, and was not pushed", || {
        receive(&bank, alice, &[[ZERO, &tip, "refs/heads/dev/a"]], &top)
    });
    alice.git(bank.world.root(), &["init", "-q", "shallow"]).ok();
    let shallow = bank.world.path("shallow");
    let url = format!("file://{}", dir.display());
    alice.git(&shallow, &["fetch", "-q", "--depth=1", &url, "HEAD:top"]).ok();
    alice.git(&shallow, &["remote", "add", "origin", bank.server.to_str().unwrap()]).ok();
    let words = ["--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack", "top:refs/heads/dev/a"];
    let said = bank.refused("update-problem", "shallow update not allowed", || alice.push(&shallow, &words));
    assert!(said.contains("in a shallow clone run `git fetch --unshallow` first"), "{said}");
    bank.holds();
}
