//! Programs that write hooks, before us and after us: git-lfs and pre-commit as they are, lefthook as it leaves things.

use std::fs;
use std::path::Path;
use std::process::Command;

use mledger::git::Repository;
use mledger::hook::install::{CLIENT, Look, State, Tool, look};

use super::{message, note, ran, remote_and_clone};
use crate::world::{MLEDGER, Person, World, write, write_script};

fn pre_commit(person: &Person, dir: &Path, words: &[&str]) {
    person.run(Command::new("pre-commit").args(words).current_dir(dir), None).ok();
}

fn pre_commit_checks(world: &World, dir: &Path) {
    let path = world.path("ran").display().to_string();
    let hook = format!(
        "{{id: note, name: note, language: system, always_run: true, pass_filenames: false, \
         entry: sh -c 'echo check >> \"{path}\"'}}"
    );
    write(dir, ".pre-commit-config.yaml", &format!("repos:\n- repo: local\n  hooks:\n  - {hook}\n"));
}

fn looked(dir: &Path) -> Look {
    look(&Repository::discover(dir).unwrap(), Path::new(MLEDGER)).unwrap()
}

fn state(dir: &Path, name: &str) -> State {
    looked(dir).hooks.into_iter().find(|(hook, _)| *hook == name).unwrap().1
}

#[test]
fn pre_commit_before_us_after_us_and_both() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    pre_commit_checks(&world, &dir);
    alice.git(&dir, &["add", "."]).ok();
    let install = ["install", "-t", "pre-commit", "-t", "commit-msg", "-t", "pre-push"];
    write_script(&dir, ".git/hooks/commit-msg", &note(&world, "own"));
    pre_commit(&alice, &dir, &install);
    // The second time pre-commit finds ours in its place, and runs it first: its own, kept by ours, must not run twice.
    for _ in 0..3 {
        alice.mledger(&dir, &["init"]).ok();
        for _ in 0..2 {
            assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
            let mut words = ran(&world);
            words.sort();
            assert_eq!(words, ["check", "check", "own"]);
            alice.git(&dir, &["push", "-q", "origin", "HEAD:main"]).ok();
            assert_eq!(ran(&world), ["check"]);
            assert!(looked(&dir).is_good(), "{:?}", looked(&dir));
            pre_commit(&alice, &dir, &install);
        }
    }
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert!(!message(&alice, &dir).contains("Mledger"));
    let mut words = ran(&world);
    words.sort();
    assert_eq!(words, ["check", "check", "own"]);
    let left: Vec<_> = fs::read_dir(dir.join(".git/hooks")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("mledger")), "{left:?}");
    pre_commit(&alice, &dir, &["uninstall", "-t", "commit-msg"]);
    let own = fs::read_to_string(dir.join(".git/hooks/commit-msg")).unwrap();
    assert_eq!(own, note(&world, "own"));
}

#[test]
fn pre_commit_alone_comes_and_goes_around_us() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    pre_commit_checks(&world, &dir);
    alice.git(&dir, &["add", "."]).ok();
    alice.mledger(&dir, &["init"]).ok();
    let kinds = ["-t", "prepare-commit-msg", "-t", "commit-msg", "-t", "pre-push"];
    pre_commit(&alice, &dir, &[&["install"][..], &kinds].concat());
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world).len(), 2);
    assert!(looked(&dir).is_good());
    pre_commit(&alice, &dir, &[&["uninstall"][..], &kinds].concat());
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    assert!(looked(&dir).is_good());
    pre_commit(&alice, &dir, &[&["install", "--overwrite"][..], &kinds].concat());
    assert_eq!(state(&dir, "commit-msg"), State::Replaced { by: Some(Tool::PreCommit) });
    assert!(!message(&alice, &dir).contains("Mledger"));
    ran(&world);
    alice.mledger(&dir, &["init"]).ok();
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world).len(), 2);
}

#[test]
fn git_lfs_before_us_and_after_us() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    alice.git(&dir, &["lfs", "install", "--local"]).ok();
    alice.git(&dir, &["lfs", "track", "*.bin"]).ok();
    let theirs = fs::read(dir.join(".git/hooks/pre-push")).unwrap();
    let url = format!("file://{}", world.path("server.git").display());
    alice.git(&dir, &["config", "lfs.url", &url]).ok();
    let push = |text: &str| {
        write(&dir, "weights.bin", text);
        alice.git(&dir, &["add", "."]).ok();
        assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
        alice.git(&dir, &["push", "-q", "origin", "HEAD:main"]).ok();
        let stored = alice.git(&dir, &["lfs", "ls-files", "--long", "--name-only"]).ok();
        assert_eq!(stored, "weights.bin");
        assert!(lfs_objects(&world) > 0, "git-lfs sent what it tracks");
    };
    alice.mledger(&dir, &["init"]).ok();
    push("one");
    // It finds ours, and says so.
    let said = alice.git(&dir, &["lfs", "install", "--local"]).fails();
    assert!(said.contains("pre-push"), "{said}");
    push("two");
    alice.git(&dir, &["lfs", "update", "--force"]).ok();
    assert_eq!(state(&dir, "pre-push"), State::Replaced { by: Some(Tool::GitLfs) });
    assert_eq!(state(&dir, "post-commit"), State::Replaced { by: Some(Tool::GitLfs) });
    alice.mledger(&dir, &["init"]).ok();
    assert!(looked(&dir).is_good());
    assert!(!dir.join(".git/hooks/pre-push.before-mledger-2").exists(), "it would run twice");
    push("three");
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(fs::read(dir.join(".git/hooks/pre-push")).unwrap(), theirs);
    assert!(!dir.join(".git/hooks/pre-push.before-mledger").exists());
}

#[test]
fn git_lfs_that_comes_after_us_sends_what_it_tracks() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    alice.git(&dir, &["lfs", "install", "--skip-repo"]).ok();
    alice.mledger(&dir, &["init"]).ok();
    alice.git(&dir, &["lfs", "track", "*.bin"]).ok();
    write(&dir, "weights.bin", "large");
    alice.git(&dir, &["add", "."]).ok();
    message(&alice, &dir);
    let trace = alice.with("GIT_TRACE", world.path("trace").to_str().unwrap());
    trace.git(&dir, &["push", "-q", "origin", "HEAD:main"]).ok();
    assert!(lfs_objects(&world) > 0);
    let calls = || fs::read_to_string(world.path("trace")).unwrap().matches("exec: git-lfs pre-push").count();
    assert_eq!(calls(), 1);
    // With its hook there, it is not called twice.
    alice.git(&dir, &["lfs", "update", "--force"]).ok();
    alice.mledger(&dir, &["init"]).ok();
    message(&alice, &dir);
    trace.git(&dir, &["push", "-q", "origin", "HEAD:main"]).ok();
    assert_eq!(calls(), 2);
}

#[test]
fn git_lfs_in_a_folder_of_ours_is_not_lost() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    let theirs = alice.home.join("hooks").display().to_string();
    alice.git(&dir, &["config", "core.hooksPath", &theirs]).ok();
    for name in ["post-checkout", "post-commit"] {
        write_script(&alice.home, &format!("hooks/{name}"), &note(&world, name));
    }
    alice.mledger(&dir, &["init"]).ok();
    // It asks Git where hooks are, and so finds our folder.
    alice.git(&dir, &["lfs", "update", "--force"]).ok();
    assert_eq!(state(&dir, "post-commit"), State::Replaced { by: Some(Tool::GitLfs) });
    assert_eq!(looked(&dir).unheard, ["post-checkout", "post-commit"]);
    for _ in 0..2 {
        alice.mledger(&dir, &["init"]).ok();
    }
    assert!(looked(&dir).is_good(), "{:?}", looked(&dir));
    let trace = alice.with("GIT_TRACE", world.path("trace").to_str().unwrap());
    assert!(message(&trace, &dir).contains("Mledger-Manifest: "));
    trace.git(&dir, &["checkout", "-q", "-b", "side"]).ok();
    assert_eq!(ran(&world), ["post-commit", "post-checkout"]);
    let trace = fs::read_to_string(world.path("trace")).unwrap();
    for name in ["post-commit", "post-checkout"] {
        assert!(trace.contains(&format!("git-lfs {name}")), "{trace}");
    }
    let report: serde_json::Value =
        serde_json::from_str(&alice.mledger(&dir, &["--json", "init", "--undo"]).ok()).unwrap();
    assert!(report["kept"].to_string().contains("shims/post-commit.before-mledger"), "{report}");
}

fn lfs_objects(world: &World) -> usize {
    let folder = world.path("server.git/lfs/objects");
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn lefthook_sets_ours_aside_and_init_mends_it() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    alice.mledger(&dir, &["init"]).ok();
    for _ in 0..2 {
        lefthook(&world, &dir, &["commit-msg", "prepare-commit-msg"]);
        assert_eq!(state(&dir, "commit-msg"), State::Replaced { by: Some(Tool::Lefthook) });
        let report = alice.mledger(&dir, &["--json", "init"]).ok();
        assert!(report.contains("\"commit-msg\":\"chained\""), "{report}");
        assert!(looked(&dir).is_good());
        assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
        assert_eq!(ran(&world), ["prepare-commit-msg", "commit-msg"]);
    }
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert!(!message(&alice, &dir).contains("Mledger"));
    assert_eq!(ran(&world), ["prepare-commit-msg", "commit-msg"]);
}

/// What `lefthook install` does: what it finds it calls `NAME.old`, and stops where there is one; its own hook calls it
/// by the hook's name. A line that notes the name stands for lefthook itself.
fn lefthook(world: &World, dir: &Path, names: &[&str]) {
    for name in names {
        let hook = dir.join(".git/hooks").join(name);
        let old = dir.join(format!(".git/hooks/{name}.old"));
        assert!(!old.exists(), "lefthook stops here");
        fs::rename(&hook, old).unwrap();
        let text = format!(
            "#!/bin/sh\n\ncall_lefthook()\n{{\n  echo \"$2\" >> '{}'\n}}\n\ncall_lefthook run \"{name}\" \"$@\"\n",
            world.path("ran").display()
        );
        write_script(dir, &format!(".git/hooks/{name}"), &text);
    }
}

#[test]
fn hooks_of_the_configuration_run_beside_ours() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    let command = format!("echo configured >> '{}'; :", world.path("ran").display());
    alice.git(&dir, &["config", "hook.note.command", &command]).ok();
    alice.git(&dir, &["config", "hook.note.event", "commit-msg"]).ok();
    alice.mledger(&dir, &["init"]).ok();
    assert!(looked(&dir).is_good());
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    // Git runs them from version 2.54 on.
    let known = alice.git(&dir, &["hook", "list", "commit-msg"]).code == Some(0);
    assert_eq!(ran(&world), if known { &["configured"][..] } else { &[] });
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(alice.git(&dir, &["config", "hook.note.event"]).ok(), "commit-msg");
}

#[test]
fn a_look_names_what_is_amiss_and_changes_nothing() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    assert!(looked(&dir).hooks.iter().all(|(_, state)| *state == State::Missing));
    alice.mledger(&dir, &["init"]).ok();
    assert_eq!(looked(&dir).hooks.len(), CLIENT.len());
    assert!(looked(&dir).is_good());
    let repository = Repository::discover(&dir).unwrap();
    let other = look(&repository, Path::new("/opt/mledger")).unwrap();
    let program = Path::new(MLEDGER).to_owned();
    assert_eq!(other.hooks[0].1, State::Other { gone: false, program });

    let text = fs::read_to_string(dir.join(".git/hooks/post-commit")).unwrap();
    write_script(&dir, ".git/hooks/post-commit", &text.replace(MLEDGER, "/gone/mledger"));
    assert_eq!(state(&dir, "post-commit"), State::Other { gone: true, program: "/gone/mledger".into() });
    write(&dir, ".git/hooks/pre-push", "#!/bin/sh\n");
    assert_eq!(state(&dir, "pre-push"), State::Replaced { by: None });
    fs::remove_file(dir.join(".git/hooks/commit-msg")).unwrap();
    write(&dir, ".git/hooks/commit-msg", &fs::read_to_string(dir.join(".git/hooks/prepare-commit-msg")).unwrap());
    assert_eq!(state(&dir, "commit-msg"), State::NotExecutable);

    alice.git(&dir, &["config", "core.hooksPath", "elsewhere"]).ok();
    assert_eq!(looked(&dir).elsewhere.as_deref(), Some("elsewhere"));
    alice.mledger(&dir, &["init"]).ok();
    assert!(looked(&dir).is_good(), "{:?}", looked(&dir));
    write_script(&dir, "elsewhere/update", "#!/bin/sh\n");
    assert_eq!(looked(&dir).unheard, ["update"]);
}
