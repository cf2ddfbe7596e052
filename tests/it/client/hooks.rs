//! Hooks that were there before: they run first, see what they saw, decide as they did, and come back untouched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mledger::hook::install::install;

use crate::world::{World, write, write_script};

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
    let hooks = |files: Vec<(String, u32, Vec<u8>)>| -> Vec<_> {
        files.into_iter().filter(|(name, _, _)| !name.ends_with("/config")).collect()
    };
    assert_eq!(hooks(snapshot(&dir.join(".git"))), hooks(before));
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
fn a_folder_of_this_repository_is_used_and_one_of_others_is_not() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    alice.git(&dir, &["config", "core.hooksPath", ".githooks"]).ok();
    alice.mledger(&dir, &["init"]).ok();
    assert!(dir.join(".githooks/prepare-commit-msg").exists());
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    assert!(alice.git(&dir, &["log", "-1", "--format=%B"]).ok().contains("Mledger-Manifest: "));
    alice.mledger(&dir, &["init", "--undo"]).ok();
    alice.git(&dir, &["config", "--unset", "core.hooksPath"]).ok();
    alice.git(&dir, &["config", "--global", "core.hooksPath", "~/hooks"]).ok();
    let err = alice.mledger(&dir, &["init"]).fails();
    assert!(err.contains("`core.hooksPath`"), "{err}");
    assert!(!alice.home.join("hooks").exists());
    assert_eq!(alice.git(&dir, &["config", "--local", "--get", "commit.gpgSign"]).code, Some(1), "nothing was changed");
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
