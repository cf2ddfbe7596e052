//! Hooks that were there before: they run first, see what they saw, decide as they did, and come back untouched.

mod elsewhere;
mod missing;
mod tools;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mledger::hook::install::install;

use crate::world::{Person, World, write, write_script};

#[test]
fn earlier_hooks_run_first_and_decide() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    write_script(&dir, ".git/hooks/prepare-commit-msg", "#!/bin/sh\nprintf \"\\nTicket: 7 $2\\n\" >> \"$1\"\n");
    write_script(&dir, ".git/hooks/commit-msg", "#!/bin/sh\n! grep -q forbidden \"$1\"\n");
    alice.mledger(&dir, &["init"]).ok();
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "fine"]).ok();
    let message = alice.git(&dir, &["log", "-1", "--format=%B"]).ok();
    assert!(message.contains("Ticket: 7 message") && message.contains("Mledger-Manifest: sha256:"), "{message}");
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "forbidden"]).fails();
    assert_eq!(alice.git(&dir, &["log", "-1", "--format=%s"]).ok(), "fine");
}

#[test]
fn an_earlier_pre_push_sees_its_arguments_and_input() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    alice.git(world.root(), &["clone", "-q", "server.git", "clone"]).ok();
    let dir = world.path("clone");
    write_script(&dir, ".git/hooks/pre-push", "#!/bin/sh\necho \"$1\" > ../seen\ncat >> ../seen\nexit 3\n");
    alice.mledger(&dir, &["init"]).ok();
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    alice.git(&dir, &["push", "-q", "origin", "main"]).fails();
    let head = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    let zero = "0".repeat(40);
    let seen = fs::read_to_string(world.path("seen")).unwrap();
    assert_eq!(seen, format!("origin\nrefs/heads/main {head} refs/heads/main {zero}\n"));
    write_script(&dir, ".git/hooks/pre-push.before-mledger", "#!/bin/sh\nexit 0\n");
    alice.git(&dir, &["push", "-q", "origin", "main"]).ok();
}

#[test]
fn undo_restores_hooks_and_configuration_byte_for_byte() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    write_script(&dir, ".git/hooks/pre-push", "#!/bin/sh\r\n# \u{fc}\nexit 0");
    write(&dir, ".git/hooks/commit-msg", "not even a script, and not executable");
    alice.git(&dir, &["config", "commit.gpgSign", "false"]).ok();
    alice.git(&dir, &["config", "--add", "commit.gpgSign", "0"]).ok();
    alice.git(&dir, &["config", "gpg.format", "openpgp"]).ok();
    let before = snapshot(&dir.join(".git"));
    for _ in 0..2 {
        alice.mledger(&dir, &["init"]).ok();
    }
    assert_eq!(alice.git(&dir, &["config", "--get-all", "commit.gpgSign"]).ok(), "true");
    assert_ne!(snapshot(&dir.join(".git")), before);
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(alice.git(&dir, &["config", "--get-all", "commit.gpgSign"]).ok(), "false\n0");
    assert_eq!(alice.git(&dir, &["config", "gpg.format"]).ok(), "openpgp");
    assert_eq!(snapshot(&dir.join(".git")), before);

    // Git changed the configuration meanwhile: only our values go.
    alice.mledger(&dir, &["init"]).ok();
    alice.git(&dir, &["remote", "add", "origin", "../elsewhere"]).ok();
    alice.git(&dir, &["config", "gpg.format", "x509"]).ok();
    let said = alice.mledger(&dir, &["init", "--undo"]).ok();
    assert!(said.contains("gpg.format was changed in between, and stays"), "{said}");
    let get = |key: &str| alice.git(&dir, &["config", "--get-all", key]).ok();
    assert_eq!((get("commit.gpgSign"), get("gpg.format")), ("false\n0".into(), "x509".into()));
    assert_eq!(get("remote.origin.url"), "../elsewhere");
}

#[test]
fn a_gate_without_its_program_denies() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    alice.git(world.root(), &["clone", "-q", "server.git", "clone"]).ok();
    let missing = std::path::Path::new("/nowhere/mledger");
    install(&world.path("server.git/hooks"), &["pre-receive"], missing).unwrap();
    let dir = world.path("clone");
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    let err = alice.git(&dir, &["push", "-q", "origin", "main"]).fails();
    assert!(err.contains("pre-receive hook declined"), "{err}");
    assert_eq!(alice.git(&world.path("server.git"), &["for-each-ref"]).ok(), "");
}

#[test]
fn an_earlier_hook_gets_all_that_git_gives_it() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    let show =
        "#!/bin/sh\n{ basename \"$0\"; pwd; echo \"$GIT_DIR|$GIT_INDEX_FILE|$GIT_EDITOR|$1|$2\"; } >> \"$SEEN\"\n";
    write_script(&dir, ".git/hooks/prepare-commit-msg", show);
    // Without a line that says what runs it, Git leaves a script to the shell; this one does not read its input.
    write_script(&dir, ".git/hooks/pre-push", "echo \"$0\" > ../pushed\n");
    let seen = |name: &str| alice.with("SEEN", world.path(name).to_str().unwrap());
    seen("without").git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    alice.mledger(&dir, &["init"]).ok();
    seen("with").git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    let [without, with] = ["without", "with"].map(|name| fs::read_to_string(world.path(name)).unwrap());
    assert_eq!(with, without);
    for n in 0..2000 {
        write(
            &dir,
            &format!(".git/refs/heads/many/branch-with-a-name-as-long-as-people-give-{n}"),
            &head(&alice, &dir),
        );
    }
    alice.git(&dir, &["push", "-q", "origin", "--all"]).ok();
    assert!(world.path("pushed").exists());
}

#[test]
fn hooks_that_run_each_other_are_stopped() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    write_script(&dir, ".git/hooks/commit-msg", "#!/bin/sh\n.git/hooks/commit-msg \"$@\"\n");
    alice.mledger(&dir, &["init"]).ok();
    let said = alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).fails();
    assert!(said.contains("hooks run each other without end"), "{said}");
}

#[test]
fn links_and_modes_come_back() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    write_script(&dir, "tools/hook.sh", "#!/bin/sh\necho linked >&2\n");
    std::os::unix::fs::symlink("../../tools/hook.sh", dir.join(".git/hooks/pre-push")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.join(".git/hooks/post-commit")).unwrap();
    write_script(&dir, ".git/hooks/commit-msg", "#!/bin/sh\nexit 0\n");
    fs::set_permissions(dir.join(".git/hooks/commit-msg"), fs::Permissions::from_mode(0o510)).unwrap();
    alice.mledger(&dir, &["init"]).ok();
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(fs::read_link(dir.join(".git/hooks/pre-push")).unwrap().to_str(), Some("../../tools/hook.sh"));
    assert_eq!(fs::read_link(dir.join(".git/hooks/post-commit")).unwrap().to_str(), Some("nowhere"));
    let mode = fs::metadata(dir.join(".git/hooks/commit-msg")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o510);
    assert!(!dir.join(".git/hooks/prepare-commit-msg").exists());
}

/// A bare repository and its clone.
fn remote_and_clone(world: &World, person: &Person) -> std::path::PathBuf {
    person.git(world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    person.git(world.root(), &["clone", "-q", "server.git", "clone"]).ok();
    world.path("clone")
}

fn head(person: &Person, dir: &std::path::Path) -> String {
    person.git(dir, &["rev-parse", "HEAD"]).ok()
}

/// Commits nothing and returns the message.
#[track_caller]
fn message(person: &Person, dir: &std::path::Path) -> String {
    person.git(dir, &["commit", "-q", "--allow-empty", "-m", "Change"]).ok();
    person.git(dir, &["log", "-1", "--format=%B"]).ok()
}

/// The lines that hooks wrote, one for each that ran.
fn ran(world: &World) -> Vec<String> {
    let path = world.path("ran");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text.lines().map(str::to_owned).collect()
}

/// A hook that writes `word` into the file `ran` and lets go on.
fn note(world: &World, word: &str) -> String {
    format!("#!/bin/sh\necho {word} >> '{}'\n", world.path("ran").display())
}

/// Every file of a folder that we could have touched: name, mode, bytes.
fn snapshot(git_dir: &std::path::Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![git_dir.join("hooks")];
    if git_dir.join("mledger").exists() {
        folders.push(git_dir.join("mledger"));
    }
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::metadata(&path).unwrap();
            let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            // Our own lock is an empty file and stays.
            if !path.ends_with("lock") {
                files.push((path.display().to_string(), meta.permissions().mode(), bytes));
            }
        }
    }
    let config = git_dir.join("config");
    files.push((config.display().to_string(), 0, fs::read(&config).unwrap()));
    files.sort();
    files
}
