//! A server: the bare repository that people push to.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mledger::clock::Timestamp;
use mledger::hook::doctor::{self, Code, Finding, Options};

use super::Ward;
use crate::bank::Bank;
use crate::world::{MLEDGER, World, write, write_script};

fn server(bank: &Bank) -> Ward {
    Ward::new(&bank.carol, &bank.server)
}

/// A bank with a clone that has seen all of its ledger, and a backup of the files beside it.
fn with_clone() -> (Bank, Ward) {
    let bank = Bank::open();
    let clone = bank.clone_of(&bank.alice);
    bank.alice.commit(&clone, "models/a", "1\n");
    bank.alice.push(&clone, &["HEAD:refs/heads/dev/a"]).ok();
    bank.alice.mledger(&clone, &["verify"]).ok();
    let backup = bank.world.path("backup");
    fs::create_dir_all(backup.join("mledger")).unwrap();
    fs::copy(bank.server.join("mledger/ledger.key"), backup.join("mledger/ledger.key")).unwrap();
    let quoted = |path: PathBuf| format!("'{}'", path.display());
    let ward = server(&bank).means("CLONE", &quoted(clone)).means("BACKUP", &quoted(backup));
    ward.is_well();
    (bank, ward)
}

fn now() -> i64 {
    Timestamp::now().millis()
}

/// What the doctor would find at another time.
fn at(bank: &Bank, millis: i64) -> Vec<Code> {
    found_at(bank, millis).into_iter().map(|found| found.code).collect()
}

fn found_at(bank: &Bank, millis: i64) -> Vec<Finding> {
    let now = Timestamp::from_millis(millis).unwrap();
    let options = Options { home: None, now, offline: true, program: MLEDGER.into() };
    doctor::examine(&bank.server, &options).findings().cloned().collect()
}

#[test]
fn a_server_without_a_gate_and_one_that_was_begun_are_told() {
    let world = World::new();
    let carol = world.person("carol");
    carol.git(world.root(), &["init", "-q", "--bare", "models.git"]).ok();
    let ward = Ward::new(&carol, &world.path("models.git"));
    let line = ward.finding("not-set-up").map(|found| ward.command(&found)).unwrap();
    assert_eq!(line, "mledger init --policy FILE");
    write_script(&ward.dir, "hooks/pre-receive", "#!/bin/sh\n# Installed by `mledger init`. \nexit 1\n");
    assert!(ward.finding("unfinished").is_some());
    ward.shell("mledger init").ok();
    ward.is_well();
}

#[test]
fn the_gates_settings_are_what_init_made_them() {
    let bank = Bank::open();
    let ward = server(&bank);
    ward.is_well();
    let get = |key: &str| bank.carol.git(&bank.server, &["config", "--local", "--get", key]).ok();
    for key in [
        "receive.fsckObjects",
        "receive.shallowUpdate",
        "receive.hideRefs",
        "receive.maxInputSize",
        "receive.certNonceSlop",
        "core.fsync",
        "gpg.ssh.allowedSignersFile",
        "gpg.ssh.program",
        "mledger.login",
        "receive.certNonceSeed",
    ] {
        let before = get(key);
        ward.heals_and_is_fixed("setting-unset", || drop(ward.git(&["config", "--unset-all", key])));
        let again = get(key);
        assert!(key == "receive.certNonceSeed" && again.len() == 64 || again == before, "{key} is {again} now");
    }
    for (key, value) in [
        ("receive.fsckObjects", "false"),
        ("receive.shallowUpdate", "true"),
        ("receive.maxInputSize", "0"),
        ("core.fsync", "none"),
        ("gpg.ssh.program", "/nowhere/mledger"),
    ] {
        ward.heals_and_is_fixed("setting-overridden", || drop(ward.git(&["config", key, value])));
    }
    // An administrator may choose other limits, and a stronger disk.
    for (key, value) in [("receive.maxInputSize", "20g"), ("receive.certNonceSlop", "600"), ("core.fsync", "all")] {
        ward.git(&["config", key, value]);
    }
    ward.is_well();
    ward.heals_and_is_fixed("login-differs", || drop(ward.git(&["config", "mledger.login", "http"])));
    ward.heals("proc-receive", || drop(ward.git(&["config", "receive.procReceiveRefs", "refs/for"])));
    ward.heals("ledger-hidden", || drop(ward.git(&["config", "uploadpack.hideRefs", "refs/mledger"])));
    let shown = "!refs/mledger/log";
    ward.heals_and_is_fixed("setting-unset", || drop(ward.git(&["config", "--add", "receive.hideRefs", shown])));
    // What else is hidden stays hidden.
    ward.git(&["config", "--add", "receive.hideRefs", "refs/pull"]);
    ward.git(&["config", "--add", "receive.fsckObjects", "true"]);
    ward.is_well();
    let hidden = ward.git(&["config", "--get-all", "receive.hideRefs"]);
    ward.shell("mledger init").ok();
    assert_eq!(ward.git(&["config", "--get-all", "receive.hideRefs"]), hidden);
}

#[test]
fn the_gates_hooks_stand() {
    let bank = Bank::open();
    let ward = server(&bank);
    let hook = |name: &str| bank.server.join("hooks").join(name);
    ward.heals_and_is_fixed("hook-missing", || fs::remove_file(hook("pre-receive")).unwrap());
    ward.heals_and_is_fixed("hook-program-gone", || {
        let text = fs::read_to_string(hook("post-receive")).unwrap();
        fs::write(hook("post-receive"), text.replace(MLEDGER, "/nowhere/mledger")).unwrap();
    });
    let outside = bank.world.path("hooks of all").display().to_string();
    ward.heals("hooks-elsewhere", || drop(ward.git(&["config", "--global", "core.hooksPath", &outside])));
    // As Gitea does: its own hook runs what lies in a folder, and is written anew.
    ward.is_fixed("hook-missing", || {
        for name in ["pre-receive", "post-receive"] {
            fs::create_dir_all(hook(&format!("{name}.d"))).unwrap();
            write_script(&bank.server, &format!("hooks/{name}"), "#!/bin/sh\nfor hook in hooks/x.d/*; do :; done\n");
        }
    });
    assert!(hook("pre-receive.d/mledger").exists());
}

#[test]
fn the_ledgers_key_is_there_and_right() {
    let (bank, ward) = with_clone();
    let file = |name: &str| bank.server.join("mledger").join(name);
    ward.heals("ledger-key-missing", || fs::remove_file(file("ledger.key")).unwrap());
    ward.heals("ledger-key-damaged", || fs::write(file("ledger.key"), "rubbish\n").unwrap());
    ward.heals("ledger-key-other", || {
        fs::copy(bank.bob.key_file(), file("ledger.key")).unwrap();
    });
    ward.heals("vkey-missing", || fs::remove_file(file("vkey")).unwrap());
    ward.heals("vkey-damaged", || fs::write(file("vkey"), "rubbish\n").unwrap());
    for name in ["ledger.key", "vkey"] {
        let kept = fs::read(file(name)).unwrap();
        let code = if name == "vkey" { "vkey-damaged" } else { "ledger-key-damaged" };
        ward.ails(code, || File::create(file(name)).unwrap().set_len(1 << 40).unwrap());
        ward.is_left_alone(code);
        fs::write(file(name), kept).unwrap();
        ward.is_well();
    }
}

#[cfg(unix)]
#[test]
fn the_servers_files_are_its_owners_alone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (bank, ward) = with_clone();
    let key = bank.server.join("mledger/ledger.key");
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    ward.heals_and_is_fixed("key-open", || mode(&key, 0o640));
    let found = ward.ails("not-writable", || mode(&bank.server.join("refs/heads"), 0o500));
    ward.shell(&ward.command(&found)).ok();
    assert!(ward.finding("not-writable").is_none());
    mode(&key, 0o600);

    let owner = fs::metadata(&bank.server).unwrap().uid();
    let given = chown(&key, Some(owner + 1), None);
    // Nobody but root can give a file away; then there is nothing to find either.
    assert_eq!(ward.finding("ledger-key-owner").is_some(), given.is_ok());
    assert_eq!(ward.finding("owners-mixed").is_some(), given.is_ok());
    if given.is_ok() {
        let line = ward.command(&ward.finding("owners-mixed").unwrap());
        ward.shell(line.trim_start_matches("sudo ")).ok();
    }
    ward.is_well();
}

#[test]
fn the_ledger_stands_where_it_stood() {
    let (bank, ward) = with_clone();
    let log = bank.on_server(&["rev-parse", "refs/mledger/log"]);
    let before = bank.on_server(&["rev-parse", "refs/mledger/log~1"]);
    let set = |tip: &str| drop(bank.on_server(&["update-ref", "refs/mledger/log", tip]));
    ward.heals("ledger-set-back", || set(&before));
    assert_eq!(bank.on_server(&["rev-parse", "refs/mledger/log"]), log);
    ward.heals("ledger-gone", || drop(bank.on_server(&["update-ref", "-d", "refs/mledger/log"])));
    let main = bank.tip("refs/heads/main");
    let found = ward.ails("ledger-damaged", || set(&main));
    // Git moves no ref to what does not follow from it: what is there now is to be kept first.
    bank.on_server(&["update-ref", "-d", "refs/mledger/log"]);
    ward.shell(&ward.command(&found)).ok();
    ward.is_well();
}

#[test]
fn what_lies_beside_the_ledger_is_whole() {
    let (bank, ward) = with_clone();
    let file = |name: &str| bank.server.join("mledger").join(name);
    ward.heals("last-checkpoint-missing", || fs::remove_file(file("last-checkpoint")).unwrap());
    ward.heals("last-checkpoint-damaged", || fs::write(file("last-checkpoint"), "rubbish\n").unwrap());
    let elsewhere = bank.world.path("another volume");
    ward.heals("last-checkpoint-missing", || {
        ward.git(&["config", "mledger.lastCheckpoint", elsewhere.to_str().unwrap()]);
    });
    ward.heals_and_is_fixed("hashes-damaged", || {
        let _ = bank.carol.mledger(&bank.server, &["log"]);
        fs::write(file("hashes"), [7; 3000]).unwrap();
    });
    for name in ["index.sqlite", "check.sqlite"] {
        ward.heals_and_is_fixed("index-damaged", || {
            let _ = fs::remove_file(file(&format!("{name}-wal")));
            fs::write(file(name), "rubbish\n").unwrap();
        });
    }
    bank.holds();
}

#[test]
fn refs_that_nothing_explains_are_found() {
    let (bank, ward) = with_clone();
    let main = bank.tip("refs/heads/main");
    let dev = bank.tip("refs/heads/dev/a");
    for (name, tip) in [("refs/heads/main", Some(&dev)), ("refs/heads/new", Some(&dev)), ("refs/heads/dev/a", None)] {
        let found = ward.ails("ref-unexplained", || {
            bank.on_server(&match tip {
                Some(tip) => vec!["update-ref", name, tip],
                None => vec!["update-ref", "-d", name],
            });
        });
        assert_eq!((found["subject"].as_str(), found["level"].as_str()), (Some(name), Some("wrong")));
        ward.is_left_alone("ref-unexplained");
        bank.on_server(&["update-ref", "-d", "refs/heads/new"]);
        bank.on_server(&["update-ref", "refs/heads/main", &main]);
        bank.on_server(&["update-ref", "refs/heads/dev/a", &dev]);
        ward.is_well();
    }
    // By the command that it names, in an administrator's clone.
    bank.on_server(&["update-ref", "refs/heads/kept", &dev]);
    let line = ward.command(&ward.finding("ref-unexplained").unwrap());
    let clone = Ward::new(&bank.carol, &bank.clone_of(&bank.carol)).means("TEXT", "'it is wanted'");
    clone.shell(&clone.words.iter().fold(line, |line, (word, value)| line.replace(word, value))).ok();
    ward.is_well();

    let blob = bank.carol.write_object(&bank.server, "blob", b"{}\n");
    ward.heals("inbox-left", || drop(bank.on_server(&["update-ref", "refs/mledger/inbox/x", &blob])));
    ward.heals("replaced", || drop(bank.on_server(&["replace", &dev, &main])));
}

#[test]
fn an_accepted_push_that_never_landed_is_told_after_a_while() {
    let bank = Bank::open();
    let clone = bank.clone_of(&bank.alice);
    bank.alice.commit(&clone, "models/a", "1\n");
    // Another hook refuses after the gate, and nobody tells the ledger.
    write_script(&bank.server, "hooks/update", "#!/bin/sh\nexit 1\n");
    fs::rename(bank.server.join("hooks/post-receive"), bank.world.path("post-receive")).unwrap();
    bank.alice.push(&clone, &["HEAD:refs/heads/dev/a"]).fails();
    fs::rename(bank.world.path("post-receive"), bank.server.join("hooks/post-receive")).unwrap();
    let ward = server(&bank);
    ward.is_well();
    let later = found_at(&bank, now() + 3_600_000);
    let [found] = later.as_slice() else { panic!("{later:#?}") };
    assert_eq!(found.code, Code::AuthorisationOpen);
    ward.shell(found.try_this.as_deref().unwrap()).ok();
    assert_eq!(at(&bank, now() + 3_600_000), []);
    bank.holds();
}

#[test]
fn a_policy_that_soon_nobody_can_change_is_told() {
    let until = Timestamp::from_millis(now() + 30 * 86_400_000).unwrap();
    let carol = |bank: &Bank| format!("keys = [\"{}\"]", bank.carol.public_key());
    let bank = Bank::closed();
    bank.seed();
    let limited = format!("keys = [{{ key = \"{}\", until = {until} }}]", bank.carol.public_key());
    let policy = bank.policy().replacen(&carol(&bank), &limited, 1);
    write(bank.world.root(), "policy.toml", &policy);
    let file = bank.world.path("policy.toml").display().to_string();
    bank.carol.mledger(&bank.server, &["init", "--policy", &file]).ok();
    let day = 86_400_000;
    assert_eq!(at(&bank, now()), []);
    assert_eq!(at(&bank, now() + 20 * day), [Code::AdminExpires]);
    assert_eq!(at(&bank, now() + 31 * day), [Code::AdminNone]);
}

#[test]
fn what_a_killed_push_leaves_is_found() {
    let bank = Bank::open();
    let ward = server(&bank);
    let left = bank.server.join("objects/tmp_objdir-incoming-x1y2z3");
    let age = |hours: u64| {
        fs::create_dir_all(&left).unwrap();
        File::open(&left).unwrap().set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    };
    age(1);
    ward.is_well();
    ward.heals("quarantine-left", || age(48));
    let lock = bank.server.join("refs/mledger/log.lock");
    ward.heals("lock-stale", || {
        let file = File::create(&lock).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    });
}
