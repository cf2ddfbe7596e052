//! `mledger init --global`: a new laptop, and all that people's configurations hold.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bank::Bank;
use crate::world::{MLEDGER, Person, Run, World, write, write_script};

fn set_up(person: &Person) -> serde_json::Value {
    serde_json::from_str(&person.mledger(&person.home, &["--json", "init", "--global"]).ok()).unwrap()
}

fn undo(person: &Person) -> serde_json::Value {
    serde_json::from_str(&person.mledger(&person.home, &["--json", "init", "--global", "--undo"]).ok()).unwrap()
}

fn clone(bank: &Bank, words: &[&str], name: &str) -> Run {
    let words = [&["clone", "-q"], words, &[bank.server.to_str().unwrap(), name]].concat();
    bank.alice.git(bank.world.root(), &words)
}

/// Every file and link below a folder: its mode, and what it holds.
fn everything(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let held = if meta.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if meta.is_file() {
            fs::read(&path).unwrap()
        } else {
            found.extend(everything(&path));
            Vec::new()
        };
        found.push((path, meta.permissions().mode(), held));
    }
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    let strip = |path: PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
    everything(folder).into_iter().map(|(path, _, _)| strip(path)).collect()
}

#[test]
fn a_new_clone_sets_itself_up_and_its_first_push_is_good() {
    let bank = Bank::open();
    set_up(&bank.alice);
    let said = clone(&bank, &[], "new").err;
    let vkey = fs::read_to_string(bank.server.join("mledger/vkey")).unwrap();
    assert!(said.contains("follows the ledger git.bank.example/models"), "{said}");
    assert!(said.contains(vkey.trim()) && said.contains("compare its key"), "{said}");
    assert!(!said.contains("does not know your key"), "{said}");
    let dir = bank.world.path("new");
    assert!(!dir.join(".git/hooks/post-index-change").exists());
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let again = bank.alice.mledger(&dir, &["init"]).ok();
    assert!(again.starts_with("This clone is set up already"), "{again}");

    set_up(&bank.mallory);
    let words = ["clone", "-q", bank.server.to_str().unwrap(), "hers"];
    let said = bank.mallory.git(bank.world.root(), &words).err;
    assert!(said.contains("does not know your key yet; `mledger init` prints"), "{said}");
    bank.holds();
}

#[test]
fn every_way_to_clone_ends_well() {
    let bank = Bank::open();
    set_up(&bank.alice);
    let root = bank.world.root();
    let binds = |dir: &Path| {
        bank.alice.commit(dir, "models/a", "1\n");
        bank.alice.git(dir, &["log", "-1", "--format=%B"]).ok().contains("Mledger-Manifest: ")
    };
    assert_eq!(clone(&bank, &["--no-checkout"], "later").err, "");
    let said = bank.alice.git(&bank.world.path("later"), &["checkout", "-q", "main"]).err;
    assert!(said.contains("follows the ledger") && binds(&bank.world.path("later")), "{said}");

    assert_eq!(clone(&bank, &["--bare"], "bare.git").err, "");
    let words = ["-C", "bare.git", "worktree", "add", "-q", "../tree", "main"];
    let said = bank.alice.git(root, &words).err;
    assert!(said.contains("follows the ledger") && binds(&bank.world.path("tree")), "{said}");

    bank.alice.git(root, &["init", "-q", "super"]).ok();
    let words = ["submodule", "add", "-q", bank.server.to_str().unwrap(), "models"];
    let said = bank.alice.git(&bank.world.path("super"), &words).err;
    assert!(said.contains("follows the ledger") && binds(&bank.world.path("super/models")), "{said}");
    assert!(!bank.world.path("super/.git/mledger").exists());

    for words in
        [&["--depth=1", "--no-local"][..], &["--filter=blob:none", "--no-local"], &["--separate-git-dir=apart"]]
    {
        let name = words[0].trim_start_matches('-').split('=').next().unwrap();
        let said = clone(&bank, words, name).err;
        assert!(said.contains("follows the ledger") && binds(&bank.world.path(name)), "{said}");
    }
}

#[test]
fn a_repository_without_a_ledger_keeps_nothing_of_ours() {
    let world = World::new();
    let alice = world.person("alice");
    let make = |name: &str| {
        alice.git(world.root(), &["init", "-q", name]).ok();
        let dir = world.path(name);
        alice.commit(&dir, "file", "1\n");
        alice.git(world.root(), &["clone", "-q", name, &format!("{name} clone")]).err
    };
    make("before");
    set_up(&alice);
    assert_eq!(make("after"), "");
    for suffix in ["", " clone"] {
        let [before, after] = ["before", "after"].map(|name| world.path(&format!("{name}{suffix}/.git")));
        let stable = |names: Vec<String>| -> Vec<String> {
            names.into_iter().filter(|name| !name.starts_with("objects")).collect()
        };
        assert_eq!(stable(names(&after)), stable(names(&before)));
        let config = |dir: &Path| fs::read_to_string(dir.join("config")).unwrap().replace("before", "after");
        assert_eq!(config(&after), config(&before));
    }
    let raw = alice.git(&world.path("after"), &["cat-file", "commit", "HEAD"]).ok();
    assert!(raw.contains("BEGIN SSH SIGNATURE") && !raw.contains("Mledger"), "{raw}");

    // Programs that look for their place find it free.
    alice.git(world.root(), &["init", "-q", "fresh"]).ok();
    let fresh = world.path("fresh");
    alice.git(&fresh, &["lfs", "install", "--local"]).ok();
    let kinds = ["install", "-t", "pre-commit", "-t", "post-checkout"];
    alice.run(Command::new("pre-commit").args(kinds).current_dir(&fresh), None).ok();
}

#[test]
fn a_remote_that_is_away_costs_a_line() {
    let bank = Bank::open();
    set_up(&bank.alice);
    clone(&bank, &["--no-checkout"], "later").ok();
    fs::rename(&bank.server, bank.world.path("away.git")).unwrap();
    let dir = bank.world.path("later");
    let run = bank.alice.git(&dir, &["checkout", "-q", "main"]);
    assert_eq!((run.code, run.err.lines().count()), (Some(0), 1), "{run:#?}");
    assert!(run.err.contains("origin did not say") && run.err.contains("`mledger init`"), "{run:#?}");
    assert_eq!(bank.alice.git(&dir, &["checkout", "-q", "-b", "side"]).err, "", "once");
    fs::rename(bank.world.path("away.git"), &bank.server).unwrap();
    bank.alice.mledger(&dir, &["init"]).ok();
}

/// Puts a person's configuration where it is to be.
type Prepare = fn(&Person, &str);

#[test]
fn a_machine_is_set_up_once_and_undone_byte_for_byte() {
    let text = "# mine\n[user]\n\tname = alice\n  email=alice@bank.example ; here\n[gpg]\n[commit]\n\tgpgSign = false\n\n\
                [init]\n\tdefaultBranch = main\n[include]\n\tpath = more\n#\u{fc}";
    let ways: [(&str, Prepare); 4] = [
        ("plain", |alice, text| write(&alice.home, ".gitconfig", text)),
        ("linked", |alice, text| {
            write(&alice.home, "dotfiles/git", text);
            fs::set_permissions(alice.home.join("dotfiles/git"), fs::Permissions::from_mode(0o640)).unwrap();
            fs::remove_file(alice.home.join(".gitconfig")).unwrap();
            symlink("dotfiles/git", alice.home.join(".gitconfig")).unwrap();
        }),
        ("xdg", |alice, text| {
            fs::remove_file(alice.home.join(".gitconfig")).unwrap();
            write(&alice.home, ".config/git/config", text);
        }),
        ("absent", |alice, _| fs::remove_file(alice.home.join(".gitconfig")).unwrap()),
    ];
    for (way, prepare) in ways {
        let world = World::new();
        let alice = world.person("alice");
        prepare(&alice, text);
        let before = everything(&alice.home);
        let run = |words: &[&str]| {
            let words =
                [&["-u", "GIT_CONFIG_GLOBAL", "EMAIL=a@b.example", MLEDGER, "--json", "init", "--global"], words]
                    .concat();
            let mut command = Command::new("env");
            command.args(words).current_dir(world.root());
            if way == "absent" {
                // Who has no configuration at all is told by the system's.
                write(world.root(), "system", "[user]\n\temail = alice@bank.example\n");
                let alice = alice
                    .with("GIT_CONFIG_NOSYSTEM", "0")
                    .with("GIT_CONFIG_SYSTEM", world.path("system").to_str().unwrap());
                return alice.run(&mut command, None).ok();
            }
            alice.run(&mut command, None).ok()
        };
        let first: serde_json::Value = serde_json::from_str(&run(&[])).unwrap();
        assert_eq!(first["settings"].as_array().unwrap().len(), 5, "{way}: {first}");
        let after = everything(&alice.home);
        assert_ne!(after, before);
        let second: serde_json::Value = serde_json::from_str(&run(&[])).unwrap();
        assert_eq!((second["settings"].as_array().unwrap().len(), &second["hook"]), (0, &"unchanged".into()), "{way}");
        assert_eq!(everything(&alice.home), after, "{way}");
        let undone: serde_json::Value = serde_json::from_str(&run(&["--undo"])).unwrap();
        assert_eq!(undone["exact"], true, "{way}: {undone}");
        assert_eq!(everything(&alice.home), before, "{way}");
        assert_eq!(run(&["--undo"]).replace([' ', '\n'], ""), r#"{"undone":false}"#);
    }
}

#[test]
fn what_was_changed_in_between_stays() {
    let world = World::new();
    let alice = world.person("alice");
    set_up(&alice);
    let config = |words: &[&str]| alice.git(world.root(), &[&["config", "--global"], words].concat());
    config(&["alias.st", "status"]).ok();
    config(&["commit.gpgSign", "false"]).ok();
    let undone = undo(&alice);
    assert_eq!((&undone["exact"], &undone["left"]), (&false.into(), &serde_json::json!(["commit.gpgSign"])));
    assert_eq!(config(&["alias.st"]).ok() + &config(&["commit.gpgSign"]).ok(), "statusfalse");
    for key in ["gpg.format", "user.signingKey", "push.gpgSign", "init.templateDir"] {
        assert_eq!(config(&["--get", key]).code, Some(1), "{key}");
    }
    assert!(!alice.home.join(".config").exists());
}

#[test]
fn a_template_of_ones_own_gets_the_hook_and_gives_it_back() {
    let bank = Bank::open();
    let alice = &bank.alice;
    write_script(&alice.home, "template/hooks/post-index-change", "#!/bin/sh\necho theirs >&2\n");
    write(&alice.home, "template/info/exclude", "*.tmp\n");
    alice.git(&alice.home, &["config", "--global", "init.templateDir", "~/template"]).ok();
    let before = everything(&alice.home.join("template"));
    let report = set_up(alice);
    assert_eq!(report["template"], alice.home.join("template").display().to_string());
    assert_eq!(report["hook"], "chained");
    let said = clone(&bank, &[], "new").err;
    assert!(said.contains("theirs") && said.contains("follows the ledger"), "{said}");
    let dir = bank.world.path("new");
    assert_eq!(fs::read_to_string(dir.join(".git/info/exclude")).unwrap(), "*.tmp\n");
    let hook = dir.join(".git/hooks/post-index-change");
    assert_eq!(fs::read_to_string(hook).unwrap(), "#!/bin/sh\necho theirs >&2\n");
    undo(alice);
    assert_eq!(everything(&alice.home.join("template")), before);

    // One that is missing, which Git warns of at every clone.
    fs::remove_dir_all(alice.home.join("template")).unwrap();
    set_up(alice);
    let said = clone(&bank, &[], "newer").err;
    assert!(said.contains("follows the ledger") && !said.contains("warning"), "{said}");
    undo(alice);
    assert!(!alice.home.join("template").exists());
    alice.git(&alice.home, &["config", "--global", "init.templateDir", "template"]).ok();
    let said = alice.mledger(&alice.home, &["init", "--global"]).fails();
    assert!(said.contains("not an absolute path") && said.contains("try: git config"), "{said}");
}

#[test]
fn another_template_later_takes_over() {
    let bank = Bank::open();
    set_up(&bank.alice);
    write(&bank.alice.home, "template/info/exclude", "*.tmp\n");
    bank.alice.git(&bank.alice.home, &["config", "--global", "init.templateDir", "~/template"]).ok();
    assert_eq!(clone(&bank, &[], "one").err, "");
    set_up(&bank.alice);
    assert!(clone(&bank, &[], "two").err.contains("follows the ledger"));
    undo(&bank.alice);
    assert_eq!(names(&bank.alice.home.join("template")), ["info", "info/exclude"]);
    assert_eq!(bank.alice.git(&bank.alice.home, &["config", "init.templateDir"]).ok(), "~/template");
}

#[test]
fn a_hook_that_was_left_in_a_clone_does_nothing_after_undo() {
    let bank = Bank::open();
    set_up(&bank.alice);
    clone(&bank, &["--no-checkout"], "later").ok();
    undo(&bank.alice);
    let dir = bank.world.path("later");
    assert_eq!(bank.alice.git(&dir, &["checkout", "-q", "main"]).err, "");
    assert!(!dir.join(".git/mledger").exists() && !dir.join(".git/hooks/post-index-change").exists());
}

#[test]
fn who_signs_with_another_program_goes_on_so() {
    let bank = Bank::open();
    let config = |words: &[&str]| bank.alice.git(&bank.alice.home, &[&["config", "--global"], words].concat());
    config(&["user.signingKey", "0xDEADBEEF"]).ok();
    config(&["commit.gpgSign", "true"]).ok();
    let report = set_up(&bank.alice);
    assert_eq!((&report["keeps"], report["settings"].as_array().unwrap().len()), (&"openpgp".into(), 1), "{report}");
    assert_eq!(config(&["user.signingKey"]).ok(), "0xDEADBEEF");
    assert!(clone(&bank, &[], "new").err.contains("follows the ledger"));
    let dir = bank.world.path("new");
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
}

#[test]
fn mistakes_are_named_and_leave_nothing_half_done() {
    let world = World::new();
    let bob = world.person_without_key("bob");
    let config = fs::read(bob.home.join(".gitconfig")).unwrap();
    let fails = |person: &Person| person.mledger(world.root(), &["init", "--global"]).fails();

    write(&bob.home, ".gitconfig", "");
    let before = names(&bob.home);
    let said = fails(&bob);
    assert!(said.contains("`user.email` is not set") && said.contains("git config --global user.email"), "{said}");
    assert_eq!(names(&bob.home), before);
    fs::write(bob.home.join(".gitconfig"), &config).unwrap();

    let said = fails(&bob.with("GIT_CONFIG_GLOBAL", "/dev/null").with("GIT_CONFIG_COUNT", "0"));
    assert!(said.contains("`/dev/null` is not a file"), "{said}");

    // Somebody else holds the file, or its folder takes nothing.
    write(&bob.home, ".gitconfig.lock", "");
    let said = fails(&bob);
    assert!(said.contains(".gitconfig"), "{said}");
    assert_eq!(fs::read(bob.home.join(".gitconfig")).unwrap(), config);
    fs::remove_file(bob.home.join(".gitconfig.lock")).unwrap();
    let report = set_up(&bob);
    assert_eq!(
        (&report["key"]["found"], report["settings"].as_array().unwrap().len()),
        (&"home".into(), 5),
        "{report}"
    );
    undo(&bob);
    assert_eq!(fs::read(bob.home.join(".gitconfig")).unwrap(), config);

    for words in [&["--policy", "p"][..], &["--remote", "origin"], &["--actor", "x"]] {
        let said = bob.mledger(world.root(), &[&["init", "--global"], words].concat()).fails();
        assert!(said.contains("cannot be used with"), "{said}");
    }
}

#[test]
fn what_keeps_it_from_working_is_said() {
    let bank = Bank::open();
    let alice = &bank.alice;
    write(&alice.home, "more", "[commit]\n\tgpgSign = false\n");
    alice.git(&alice.home, &["config", "--global", "commit.gpgSign", "false"]).ok();
    alice.git(&alice.home, &["config", "--global", "include.path", "more"]).ok();
    alice.git(&alice.home, &["config", "--global", "gpg.format", "ssh"]).ok();
    alice.git(&alice.home, &["config", "--global", "core.hooksPath", "~/hooks"]).ok();
    let said = alice.mledger(&alice.home, &["init", "--global"]).ok();
    assert!(said.contains("commit.gpgSign is overruled by ") && said.contains("/more"), "{said}");
    assert!(said.contains("core.hooksPath is ~/hooks") && said.contains("`mledger init` in each clone"), "{said}");
    assert_eq!(clone(&bank, &[], "new").err, "");
    let said = alice.mledger(&bank.world.path("new"), &["init"]).ok();
    assert!(said.contains("hooks run first"), "{said}");
}
