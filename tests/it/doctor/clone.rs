//! An engineer's clone.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use mledger::clock::Timestamp;
use mledger::hook::doctor::{self, Code, Options};

use super::{Ward, diagnosis};
use crate::bank::Bank;
use crate::world::{MLEDGER, World, write, write_script};

fn alice(bank: &Bank) -> Ward {
    let dir = bank.clone_of(&bank.alice);
    Ward::new(&bank.alice, &dir).means("YOU@BANK.EXAMPLE", &bank.alice.id()).means("YOUR NAME", "Alice")
}

/// A file that was changed that long ago.
fn aged(path: &Path, age: Duration) {
    let file = File::options().create(true).append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[test]
fn settings_are_what_init_made_them_whatever_stands_before_them() {
    let bank = Bank::open();
    let ward = alice(&bank);
    ward.is_well();
    for key in ["gpg.format", "commit.gpgSign", "push.gpgSign"] {
        ward.heals_and_is_fixed("setting-unset", || drop(ward.git(&["config", "--unset", key])));
        ward.heals_and_is_fixed("setting-overridden", || drop(ward.git(&["config", key, "no"])));
        // A later value in the same file.
        ward.heals_and_is_fixed("setting-overridden", || drop(ward.git(&["config", "--add", key, "off"])));
    }
    let included = ward.dir.join("more config");
    ward.heals("setting-overridden", || {
        fs::write(&included, "[commit]\n\tgpgSign = false\n").unwrap();
        ward.git(&["config", "include.path", "../more config"]);
        assert_eq!(ward.diagnosis(&["--fix"])["fixed"].as_array().unwrap().len(), 0, "it is another's file");
    });
    ward.git(&["config", "extensions.worktreeConfig", "true"]);
    ward.heals("setting-overridden", || drop(ward.git(&["config", "--worktree", "commit.gpgSign", "false"])));

    let shell = ward.with("GIT_CONFIG_COUNT", "1").with("GIT_CONFIG_KEY_0", "commit.gpgSign");
    let shell = shell.with("GIT_CONFIG_VALUE_0", "false");
    let line = shell.command(&shell.finding("setting-overridden").unwrap());
    assert_eq!(diagnosis(&shell.shell(&format!("{line}; mledger --json doctor")))["ok"], true);
    let said = ward.shell("git -c commit.gpgSign=false -c alias.d='!mledger --json doctor' d");
    assert!(super::finding(&diagnosis(&said), "setting-overridden").is_some());

    ward.heals("ssh-program", || drop(ward.git(&["config", "gpg.ssh.program", "/nowhere/sign"])));
    ward.heals("not-set-up", || drop(ward.person.mledger(&ward.dir, &["init", "--undo"]).ok()));
}

#[test]
fn hooks_are_there_and_ours_and_call_this_program() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let hooks = ward.dir.join(".git/hooks");
    let hook = |name: &str| hooks.join(name);
    let rewrite = |name: &str, change: &dyn Fn(String) -> String| {
        fs::write(hook(name), change(fs::read_to_string(hook(name)).unwrap())).unwrap();
    };
    ward.heals_and_is_fixed("hook-missing", || fs::remove_file(hook("commit-msg")).unwrap());
    ward.heals_and_is_fixed("hook-program-gone", || {
        rewrite("post-commit", &|text| text.replace(MLEDGER, "/nowhere/it's/mledger"));
    });
    ward.heals_and_is_fixed("hook-old", || rewrite("pre-push", &|text| text + "true\n"));
    ward.heals_and_is_fixed("hook-old", || {
        let other = bank.world.path("other mledger");
        if !other.exists() {
            fs::copy(MLEDGER, &other).unwrap();
        }
        rewrite("pre-push", &|text| text.replace(MLEDGER, other.to_str().unwrap()));
    });
    ward.heals("hook-doubled", || {
        fs::copy(hook("pre-push"), hook("pre-push.before-mledger")).unwrap();
    });
    ward.heals("hook-unreadable", || {
        fs::remove_file(hook("pre-push")).unwrap();
        fs::create_dir(hook("pre-push")).unwrap();
    });
    // As husky does: its own folder, in the repository, before ours.
    let theirs = ward.dir.join(".husky/_");
    fs::create_dir_all(&theirs).unwrap();
    ward.heals("hooks-elsewhere", || drop(ward.git(&["config", "core.hooksPath", ".husky/_"])));
    ward.is_fixed("hook-missing", || fs::remove_file(ward.dir.join(".git/mledger/shims/pre-push")).unwrap());
    ward.heals_and_is_fixed("hook-unheard", || {
        let name = if theirs.join("post-update").exists() { "push-to-checkout" } else { "post-update" };
        write_script(&theirs, name, "#!/bin/sh\nexit 0\n");
    });
    ward.git(&["config", "--unset", "core.hooksPath"]);
    ward.is_well();
    ward.shell("mledger init").ok();
    let outside = bank.world.path("hooks of all").display().to_string();
    ward.is_fixed("hooks-elsewhere", || drop(ward.git(&["config", "--global", "core.hooksPath", &outside])));
}

#[cfg(unix)]
#[test]
fn hooks_that_git_passes_by_and_hooks_of_others_are_found() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bank = Bank::open();
    let ward = alice(&bank);
    let hooks = ward.dir.join(".git/hooks");
    let closed = || fs::set_permissions(hooks.join("pre-push"), fs::Permissions::from_mode(0o644)).unwrap();
    ward.heals_and_is_fixed("hook-not-executable", closed);

    // Git LFS takes the place of ours; what was there before runs first from then on.
    ward.is_fixed("hook-replaced", || drop(ward.git(&["lfs", "update", "--force"])));
    let kept = fs::read_to_string(hooks.join("pre-push.before-mledger")).unwrap();
    assert!(kept.contains("git lfs pre-push"), "{kept}");
    ward.heals_and_is_fixed("hook-replaced", || drop(ward.git(&["lfs", "update", "--force"])));
    ward.is_fixed("hook-replaced", || {
        fs::remove_file(hooks.join("pre-push")).unwrap();
        write_script(&hooks, "pre-push", "#!/bin/sh\nexit 0\n");
    });
    assert_eq!(fs::read_to_string(hooks.join("pre-push.before-mledger")).unwrap(), kept);

    ward.heals("hooks-unreadable", || {
        fs::rename(&hooks, ward.dir.join("hooks")).unwrap();
        symlink(&hooks, &hooks).unwrap();
    });
    ward.heals("hook-unreadable", || {
        fs::remove_file(hooks.join("pre-push")).unwrap();
        symlink(hooks.join("pre-push"), hooks.join("pre-push")).unwrap();
    });
}

#[test]
fn the_followed_ledger_is_whole_and_remembered() {
    let bank = Bank::open();
    let vkey = fs::read_to_string(bank.server.join("mledger/vkey")).unwrap();
    let ward = alice(&bank).means("VKEY", vkey.trim()).means("URL", &format!("'{}'", bank.server.display()));
    ward.person.mledger(&ward.dir, &["log"]).ok();
    let file = |name: &str| ward.dir.join(".git/mledger").join(name);
    ward.heals("vkey-damaged", || fs::write(file("vkey"), "rubbish\n").unwrap());
    ward.heals_and_is_fixed("checkpoint-damaged", || fs::write(file("checkpoint"), "rubbish\n").unwrap());
    ward.heals_and_is_fixed("checkpoint-damaged", || fs::remove_file(file("checkpoint")).unwrap());
    ward.heals_and_is_fixed("followed-damaged", || fs::remove_dir_all(file("log.git")).unwrap());
    ward.heals_and_is_fixed("followed-damaged", || fs::remove_dir_all(file("log.git/objects")).unwrap());
    ward.person.mledger(&ward.dir, &["log"]).ok();
    ward.heals_and_is_fixed("index-damaged", || {
        let _ = fs::remove_file(file("log.git/check.sqlite-wal"));
        fs::write(file("log.git/check.sqlite"), "rubbish\n").unwrap();
    });
    // Neither its memory nor the copy it could be made of: whose ledger it is, somebody must say again.
    ward.ails("checkpoint-damaged", || {
        fs::write(file("checkpoint"), "rubbish\n").unwrap();
        fs::remove_dir_all(file("log.git")).unwrap();
    });
    ward.is_left_alone("checkpoint-damaged");
    ward.shell(&ward.command(&ward.finding("checkpoint-damaged").unwrap())).ok();
    ward.is_well();

    let away = bank.world.path("away.git");
    ward.ails("remote-unreachable", || fs::rename(&bank.server, &away).unwrap());
    assert_eq!(ward.diagnosis(&["--offline"])["ok"], true);
    // What cannot be fetched stays as it is.
    fs::write(file("log.git/HEAD"), "rubbish").unwrap();
    let after = ward.diagnosis(&["--fix"]);
    assert_eq!((after["fixed"][0]["done"].as_bool(), after["ok"].as_bool()), (Some(false), Some(false)), "{after:#}");
    assert_eq!(fs::read_to_string(file("log.git/HEAD")).unwrap(), "rubbish");
    fs::rename(&away, &bank.server).unwrap();
    ward.diagnosis(&["--fix"]);
    ward.is_well();
    ward.heals("no-remote", || drop(ward.git(&["remote", "remove", "origin"])));
}

#[test]
fn a_ledger_that_was_set_back_is_told_and_never_fetched_anew() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let tip = bank.on_server(&["rev-parse", "refs/mledger/log"]);
    ward.person.commit(&ward.dir, "models/a", "1\n");
    ward.person.push(&ward.dir, &["HEAD:refs/heads/dev/a"]).ok();
    ward.is_well();
    ward.ails("ledger-contradicts", || drop(bank.on_server(&["update-ref", "refs/mledger/log", &tip])));
    ward.is_left_alone("ledger-contradicts");
    let log = ward.dir.join(".git/mledger/log.git");
    fs::remove_dir_all(log.join("objects")).unwrap();
    let after = ward.diagnosis(&["--fix"]);
    assert!(after["fixed"][0]["message"].as_str().unwrap().contains("rolled back"), "{after:#}");
    assert!(log.join("HEAD").exists() && !log.join("objects").exists(), "the copy from before is gone");
}

#[test]
fn a_ledger_to_follow_is_found() {
    let bank = Bank::closed();
    bank.seed();
    let dir = bank.bare_clone_of(&bank.alice, "alice");
    bank.alice.mledger(&dir, &["init"]).ok();
    let ward = Ward::new(&bank.alice, &dir);
    let none = ward.finding("no-ledger").unwrap();
    assert_eq!(none["level"], "look");
    bank.gate("", &[]).ok();
    assert!(ward.finding("no-ledger").is_none());
    let line = ward.command(&ward.finding("not-followed").unwrap());
    ward.shell(&line).ok();
    ward.is_well();
    assert_eq!(ward.diagnosis(&["--offline"])["ok"], true);
}

#[test]
fn the_policy_knows_the_key_as_the_caller_and_for_how_long() {
    let bank = Bank::open();
    let carol = bank.clone_of(&bank.carol);
    let apply = |policy: &str| {
        write(&carol, "policy.toml", policy);
        bank.carol.mledger(&carol, &["policy", "apply", "policy.toml"]).ok();
    };
    let dir = bank.clone_of(&bank.mallory);
    let ward = Ward::new(&bank.mallory, &dir);
    let found = ward.finding("not-enrolled").unwrap();
    let printed = ward.shell(&ward.command(&found)).ok();
    assert!(printed.contains(&format!("[actors.\"{}\"]", bank.mallory.id())), "{printed}");
    let enrolled = |more: &str| {
        let key = bank.mallory.public_key();
        format!(
            "{}\n[actors.\"mallory@bank.example\"]\nkeys = [{{ key = \"{key}\"{more} }}]\nroles = [\"engineer\"]\n",
            bank.policy()
        )
    };
    apply(&enrolled(""));
    ward.is_well();
    ward.heals("actor-differs", || drop(ward.git(&["config", "mledger.actor", "alice@bank.example"])));
    let days = |days: i64| Timestamp::from_millis(Timestamp::now().millis() + days * 86_400_000).unwrap();
    apply(&enrolled(&format!(", until = {}", days(7))));
    assert_eq!(ward.finding("key-expires").unwrap()["level"], "look");
    apply(&enrolled(&format!(", until = {}", days(30))));
    ward.is_well();
    apply(&enrolled(&format!(", until = {}", days(-1))));
    assert_eq!(ward.finding("key-expired").unwrap()["level"], "wrong");
    apply(&enrolled(&format!(", from = {}", days(1))));
    assert_eq!(ward.finding("key-not-yet-valid").unwrap()["level"], "wrong");
    apply(&enrolled(&format!(", revoked = {}", days(-1))));
    assert_eq!(ward.finding("key-revoked").unwrap()["level"], "wrong");
}

#[test]
fn a_clock_that_is_behind_the_ledger_is_told() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let at = |millis: i64| {
        let now = Timestamp::from_millis(Timestamp::now().millis() + millis).unwrap();
        Options { home: None, now, offline: true, program: MLEDGER.into() }
    };
    for place in [&dir, &bank.server] {
        let told = |millis| doctor::examine(place, &at(millis)).findings().any(|found| found.code == Code::ClockBehind);
        assert_eq!((told(-3_600_000), told(0), told(3_600_000)), (true, false, false));
    }
}

#[test]
fn commits_that_a_gate_would_not_take_are_told_before_the_push() {
    let bank = Bank::open();
    let ward = alice(&bank);
    ward.git(&["commit", "-q", "--allow-empty", "-m", "fine"]);
    ward.is_well();
    for (code, words) in [
        ("commit-unsigned", &["commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "x"][..]),
        ("commit-unbound", &["-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "x"]),
    ] {
        ward.heals(code, || drop(ward.git(words)));
        let found = ward.ails(code, || drop(ward.git(words)));
        assert_eq!(found["subject"].as_str().unwrap(), ward.git(&["rev-parse", "HEAD"]));
        ward.is_left_alone(code);
        ward.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
}

#[test]
fn what_shows_another_history_is_found() {
    let bank = Bank::open();
    let ward = alice(&bank);
    ward.person.commit(&ward.dir, "models/a", "1\n");
    ward.heals("replaced", || drop(ward.git(&["replace", "HEAD", "HEAD~1"])));
    let head = ward.git(&["rev-parse", "HEAD"]);
    ward.heals("grafts", || write(&ward.dir, ".git/info/grafts", &format!("{head}\n")));
    let found =
        ward.ails("alternate-missing", || write(&ward.dir, ".git/objects/info/alternates", "/nowhere/objects\n"));
    ward.shell(&ward.command(&found));
    fs::remove_file(ward.dir.join(".git/objects/info/alternates")).unwrap();
    ward.is_well();

    let url = format!("file://{}", bank.server.display());
    ward.person.push(&ward.dir, &["HEAD:refs/heads/dev/a"]).ok();
    ward.person.git(bank.world.root(), &["clone", "-q", "--depth=1", "-b", "dev/a", &url, "cut"]).ok();
    let cut = Ward::new(&bank.alice, &bank.world.path("cut"));
    cut.shell("mledger init").ok();
    let found = cut.finding("shallow").unwrap();
    cut.shell(&cut.command(&found)).ok();
    cut.is_well();
}

#[test]
fn locks_of_the_dead_are_found_and_those_of_the_living_are_not_to_be_removed() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let (old, new) = (Duration::from_hours(1), Duration::from_secs(1));
    for name in ["index.lock", "config.lock", "refs/heads/main.lock", "packed-refs.lock"] {
        let path = ward.dir.join(".git").join(name);
        aged(&path, new);
        ward.is_well();
        ward.heals("lock-stale", || aged(&path, old));
    }
    aged(&ward.dir.join(".git/mledger/lock"), old);
    ward.is_well();
}

#[cfg(target_os = "linux")]
#[test]
fn a_lock_of_a_living_git_is_not_called_stale() {
    use std::process::{Command, Stdio};
    let bank = Bank::open();
    let ward = alice(&bank);
    let mut git = Command::new("git");
    git.args(["cat-file", "--batch"]).current_dir(&ward.dir).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut git = git.spawn().unwrap();
    let found = ward.ails("lock-held", || aged(&ward.dir.join(".git/index.lock"), Duration::from_hours(1)));
    assert_eq!(found["try"], format!("ps -fp {}", git.id()));
    ward.is_left_alone("lock-held");
    drop(git.stdin.take());
    git.wait().unwrap();
    assert!(ward.finding("lock-stale").is_some() && ward.dir.join(".git/index.lock").exists());
}

#[test]
fn a_linked_work_tree_is_examined_like_its_clone() {
    let bank = Bank::open();
    let ward = alice(&bank);
    ward.git(&["worktree", "add", "-q", "../linked"]);
    let linked = Ward::new(&bank.alice, &bank.world.path("linked"));
    linked.is_well();
    linked.heals_and_is_fixed("hook-missing", || fs::remove_file(ward.dir.join(".git/hooks/pre-push")).unwrap());
    linked.heals("lock-stale", || aged(&ward.dir.join(".git/worktrees/linked/index.lock"), Duration::from_hours(1)));
    fs::create_dir(linked.dir.join("below")).unwrap();
    Ward::new(&bank.alice, &linked.dir.join("below")).is_well();
}

#[test]
fn who_commits_is_known() {
    let bank = Bank::open();
    let ward = alice(&bank);
    ward.heals("name-unset", || drop(ward.git(&["config", "--global", "--unset", "user.name"])));
    ward.heals("email-unset", || drop(ward.git(&["config", "--global", "--unset", "user.email"])));
    ward.heals("actor-malformed", || drop(ward.git(&["config", "mledger.actor", "Nobody At All"])));
}

#[test]
fn programs_that_are_missing_or_old_are_named() {
    let bank = Bank::open();
    let ward = alice(&bank);
    let programs = |name: &str, found: &[&str]| {
        let folder = bank.world.path(name);
        fs::create_dir_all(&folder).unwrap();
        for program in found {
            let line = format!("#!/bin/sh\nPATH='{}' exec {program} \"$@\"\n", std::env::var("PATH").unwrap());
            write_script(&folder, program, &line);
        }
        folder
    };
    let bare = programs("no git", &[]);
    let without = ward.with("PATH", bare.to_str().unwrap());
    assert!(super::finding(&diagnosis(&without.shell("mledger --json doctor")), "git-missing").is_some());
    let bare = programs("no ssh", &["git"]);
    let without = ward.with("PATH", bare.to_str().unwrap());
    let said = diagnosis(&without.shell("mledger --json doctor"));
    assert!(super::finding(&said, "ssh-keygen-missing").is_some() && said["kind"] == "clone", "{said:#}");
    for (version, level) in [("2.33.8", "wrong"), ("2.35.0", "look")] {
        let old = programs("old", &["ssh-keygen", "ssh"]);
        let real = std::env::var("PATH").unwrap();
        let line = format!(
            "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo git version {version}; exit; }}\nPATH='{real}' exec git \"$@\"\n"
        );
        write_script(&old, "git", &line);
        let without = ward.with("PATH", old.to_str().unwrap());
        let said = diagnosis(&without.shell("mledger --json doctor"));
        assert_eq!(super::finding(&said, "git-old").unwrap()["level"], level, "{said:#}");
    }
    let pointed = ward.with("GIT_INDEX_FILE", "/tmp/other index");
    let line = pointed.command(&pointed.finding("environment").unwrap());
    assert_eq!(diagnosis(&pointed.shell(&format!("{line}; mledger --json doctor")))["ok"], true);
    ward.is_well();
}

#[test]
fn where_nothing_can_be_opened_it_says_so() {
    let world = World::new();
    let alice = world.person("alice");
    let ward = Ward::new(&alice, world.root());
    let said = ward.diagnosis(&["--fix"]);
    assert_eq!((&said["kind"], &said["ok"]), (&serde_json::Value::Null, &serde_json::Value::Bool(false)));
    assert!(super::finding(&said, "no-repository").is_some());
    for (format, name) in [("--ref-format=reftable", "reftable"), ("--object-format=sha256", "sha256")] {
        alice.git(world.root(), &["init", "-q", format, name]).ok();
        assert!(Ward::new(&alice, &world.path(name)).finding("unsupported").is_some());
    }
    alice.git(world.root(), &["init", "-q", "broken"]).ok();
    let broken = Ward::new(&alice, &world.path("broken"));
    fs::write(world.path("broken/.git/config"), "[core\n").unwrap();
    assert!(broken.finding("repository-unreadable").is_some());
}
