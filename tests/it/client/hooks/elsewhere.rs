//! `core.hooksPath` is set: for all that the person has, for this clone, by husky.

use std::fs;
use std::path::Path;

use super::{message, note, ran, snapshot};
use crate::world::{Person, World, write, write_script};

fn model(world: &World, person: &Person) -> std::path::PathBuf {
    person.git(world.root(), &["init", "-q", "model"]).ok();
    world.path("model")
}

fn config(person: &Person, dir: &Path, words: &[&str]) -> String {
    person.git(dir, &[&["config"], words].concat()).ok()
}

#[test]
fn a_folder_of_all_repositories_is_left_alone_and_its_hooks_run() {
    let world = World::new();
    let alice = world.person("alice");
    let (dir, other) = (model(&world, &alice), world.path("other"));
    alice.git(world.root(), &["init", "-q", "other"]).ok();
    config(&alice, &dir, &["--global", "core.hooksPath", "~/hooks"]);
    for name in ["pre-commit", "commit-msg", "post-checkout"] {
        write_script(&alice.home, &format!("hooks/{name}"), &note(&world, name));
    }
    write_script(&alice.home, "hooks/reference-transaction", &(note(&world, "ref") + "exit 0\n"));
    let before = (snapshot(&dir.join(".git")), files(&alice.home.join("hooks")));
    let said = alice.mledger(&dir, &["init"]).ok();
    assert!(said.contains("in .git/mledger/shims; those in ") && said.contains("/hooks run first"), "{said}");
    assert_eq!(files(&alice.home.join("hooks")), before.1);
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    let words = ran(&world);
    assert_eq!(words.iter().filter(|word| *word != "ref").collect::<Vec<_>>(), ["pre-commit", "commit-msg"]);
    assert!(words.contains(&"ref".to_owned()), "{words:?}");
    alice.git(&dir, &["checkout", "-q", "-b", "side"]).ok();
    assert!(ran(&world).contains(&"post-checkout".to_owned()));
    assert!(!message(&alice, &other).contains("Mledger"), "other repositories are untouched");

    write_script(&alice.home, "hooks/commit-msg", "#!/bin/sh\nexit 1\n");
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "refused"]).fails();
    fs::remove_dir_all(alice.home.join("hooks")).unwrap();
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "), "a folder that is gone has no hooks");

    alice.mledger(&dir, &["init"]).ok();
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(snapshot(&dir.join(".git")), before.0);
    assert!(!message(&alice, &dir).contains("Mledger"));
}

#[test]
fn a_tracked_folder_stays_clean_in_every_work_tree_wherever_the_clone_moves() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    write_script(&dir, ".githooks/pre-commit", &note(&world, "tracked"));
    config(&alice, &dir, &["core.hooksPath", ".githooks"]);
    alice.git(&dir, &["add", "."]).ok();
    alice.git(&dir, &["commit", "-q", "-m", "hooks"]).ok();
    let before = (ran(&world), fs::read(dir.join(".git/config")).unwrap()).1;
    alice.mledger(&dir, &["init"]).ok();
    assert_eq!(alice.git(&dir, &["status", "--porcelain"]).ok(), "");
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    alice.git(&dir, &["worktree", "add", "-q", "../linked"]).ok();
    assert!(message(&alice, &world.path("linked")).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world), ["tracked", "tracked"]);
    alice.git(&dir, &["worktree", "remove", "../linked"]).ok();
    ran(&world);

    // A hook that comes with a later commit runs as well.
    write_script(&dir, ".githooks/post-commit", &note(&world, "later"));
    fs::rename(&dir, world.path("moved")).unwrap();
    assert!(message(&alice, &world.path("moved")).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world), ["tracked", "later"]);
    alice.mledger(&world.path("moved"), &["init", "--undo"]).ok();
    assert_eq!(fs::read(world.path("moved/.git/config")).unwrap(), before);
}

#[test]
fn husky_sets_its_folder_anew_and_takes_nothing_from_us() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    husky(&alice, &dir);
    write(&dir, ".husky/pre-commit", &note(&world, "husky"));
    for _ in 0..2 {
        alice.mledger(&dir, &["init"]).ok();
        husky(&alice, &dir);
        assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
        assert_eq!(ran(&world), ["husky"]);
        assert_eq!(config(&alice, &dir, &["--local", "core.hooksPath"]), ".husky/_");
    }
    // Husky goes away, and comes again after us.
    config(&alice, &dir, &["--local", "--unset", "core.hooksPath"]);
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    alice.mledger(&dir, &["init"]).ok();
    assert!(!dir.join(".git/mledger/shims").exists());
    husky(&alice, &dir);
    assert!(!message(&alice, &dir).contains("Mledger"), "husky looks nowhere else");
    alice.mledger(&dir, &["init"]).ok();
    ran(&world);
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world), ["husky"]);
    assert!(!dir.join(".git/hooks/post-commit").exists(), "ours are in one place");
}

#[test]
fn a_folder_that_calls_the_hooks_of_the_clone_calls_them_once() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    write_script(&dir, ".git/hooks/commit-msg", &note(&world, "own"));
    alice.mledger(&dir, &["init"]).ok();
    config(&alice, &dir, &["--global", "core.hooksPath", "~/hooks"]);
    let all = "own=\"$(git rev-parse --git-common-dir)/hooks/$(basename \"$0\")\"\n[ ! -x \"$own\" ] || exec \"$own\" \"$@\"\n";
    for name in ["prepare-commit-msg", "commit-msg"] {
        write_script(&alice.home, &format!("hooks/{name}"), &(note(&world, "all") + all));
    }
    for _ in 0..2 {
        assert_eq!(message(&alice, &dir).matches("Mledger-Manifest: ").count(), 1);
        assert_eq!(ran(&world), ["all", "all", "own"]);
        alice.mledger(&dir, &["init"]).ok();
    }
}

#[test]
fn a_link_in_place_of_the_hooks_folder_leads_to_others() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    fs::remove_dir_all(dir.join(".git/hooks")).unwrap();
    write_script(&dir, "hooks/pre-commit", &note(&world, "linked"));
    std::os::unix::fs::symlink("../hooks", dir.join(".git/hooks")).unwrap();
    alice.mledger(&dir, &["init"]).ok();
    assert_eq!(files(&dir.join("hooks")).len(), 1);
    assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world), ["linked"]);
}

#[test]
fn one_script_for_many_hooks_keeps_its_name() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    let many =
        "#!/bin/sh\nfor hook in \"$(dirname \"$0\")/$(basename \"$0\").d/\"*; do \"$hook\" \"$@\" || exit; done\n";
    write_script(&dir, ".git/hooks/all", many);
    for name in ["commit-msg", "pre-commit"] {
        std::os::unix::fs::symlink("all", dir.join(".git/hooks").join(name)).unwrap();
        write_script(&dir, &format!(".git/hooks/{name}.d/one"), &note(&world, name));
    }
    let before = snapshot(&dir.join(".git"));
    alice.mledger(&dir, &["init"]).ok();
    for _ in 0..2 {
        assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
        assert_eq!(ran(&world), ["pre-commit", "commit-msg"]);
        alice.mledger(&dir, &["init"]).ok();
    }
    alice.mledger(&dir, &["init", "--undo"]).ok();
    assert_eq!(snapshot(&dir.join(".git")), before);
}

#[test]
fn hooks_that_were_kept_run_when_ours_move_to_another_folder() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    for word in ["first", "second"] {
        write_script(&dir, ".git/hooks/commit-msg", &note(&world, word));
        alice.mledger(&dir, &["init"]).ok();
    }
    write_script(&dir, ".git/hooks/post-commit", &(note(&world, "third") + ": $(basename \"$0\")\n"));
    for _ in 0..2 {
        alice.mledger(&dir, &["init"]).ok();
        assert!(message(&alice, &dir).contains("Mledger-Manifest: "));
        assert_eq!(ran(&world), ["first", "second", "third"]);
    }
    assert!(dir.join(".git/mledger/shims/post-commit").exists());
    let report = alice.mledger(&dir, &["init", "--undo"]).ok();
    assert!(report.contains(".git/hooks/commit-msg.before-mledger: another hook is in its place"), "{report}");
}

#[test]
fn a_value_that_beats_ours_is_named_and_nothing_stays() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    config(&alice, &dir, &["extensions.worktreeConfig", "true"]);
    config(&alice, &dir, &["--worktree", "core.hooksPath", "tools"]);
    let before = fs::read(dir.join(".git/config")).unwrap();
    let said = alice.mledger(&dir, &["init"]).fails();
    assert!(said.contains("`core.hooksPath` is set to `tools`") && said.contains("--show-origin"), "{said}");
    assert_eq!(fs::read(dir.join(".git/config")).unwrap(), before);
    assert!(!dir.join(".git/mledger/shims").exists());
}

#[test]
fn a_submodule_keeps_its_hooks_when_all_of_it_moves() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = model(&world, &alice);
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    alice.git(world.root(), &["init", "-q", "super"]).ok();
    alice.git(&world.path("super"), &["submodule", "add", "-q", dir.to_str().unwrap(), "libs/model"]).ok();
    config(&alice, &dir, &["--global", "core.hooksPath", "~/hooks"]);
    write_script(&alice.home, "hooks/pre-commit", &note(&world, "all"));
    alice.mledger(&world.path("super/libs/model"), &["init"]).ok();
    fs::rename(world.path("super"), world.path("moved")).unwrap();
    assert!(message(&alice, &world.path("moved/libs/model")).contains("Mledger-Manifest: "));
    assert_eq!(ran(&world), ["all"]);
    assert!(!message(&alice, &world.path("moved")).contains("Mledger"));
}

/// What `husky` 9 does at every `npm install`: it points `core.hooksPath` at a folder of its own, which it fills with a
/// line each; that sources a script which runs `.husky/NAME`.
fn husky(person: &Person, dir: &Path) {
    config(person, dir, &["core.hooksPath", ".husky/_"]);
    write(dir, ".husky/_/.gitignore", "*");
    write(
        dir,
        ".husky/_/h",
        "s=$(dirname \"$(dirname \"$0\")\")/$(basename \"$0\")\n[ ! -f \"$s\" ] || sh -e \"$s\" \"$@\"\n",
    );
    for name in ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-checkout", "pre-push"] {
        write_script(dir, &format!(".husky/_/{name}"), "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"");
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}
