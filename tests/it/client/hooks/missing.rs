//! The program moved or went away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{message, note, ran, remote_and_clone};
use crate::world::{MLEDGER, Person, World, write_script};

/// A program of its own, which may go away.
fn installed(world: &World) -> PathBuf {
    let path = world.path("opt/mledger");
    fs::create_dir_all(world.path("opt")).unwrap();
    std::os::unix::fs::symlink(MLEDGER, &path).unwrap();
    path
}

/// Sets up the clone as the program at `path` would, and takes the program away.
fn set_up_and_lose(world: &World, person: &Person, dir: &Path) {
    let path = installed(world);
    person.run(Command::new(&path).arg("init").current_dir(dir), None).ok();
    for folder in [".git/hooks", ".git/mledger/shims"].map(|name| dir.join(name)).iter().filter(|path| path.exists()) {
        for entry in fs::read_dir(folder).unwrap() {
            let hook = entry.unwrap().path();
            // Which of its names a program was started by differs between systems.
            let text = fs::read_to_string(&hook).unwrap().replace(MLEDGER, path.to_str().unwrap());
            fs::write(&hook, text).unwrap();
        }
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn a_program_that_moved_is_found_by_its_name() {
    let world = World::new();
    let alice = world.person("alice");
    for (name, elsewhere) in [("one", false), ("two", true)] {
        alice.git(world.root(), &["init", "-q", name]).ok();
        let dir = world.path(name);
        if elsewhere {
            alice.git(&dir, &["config", "core.hooksPath", "tools"]).ok();
        }
        set_up_and_lose(&world, &alice, &dir);
        let bin = Path::new(MLEDGER).parent().unwrap().display().to_string();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        assert!(message(&alice.with("PATH", &path), &dir).contains("Mledger-Manifest: "));
    }
}

#[test]
fn without_the_program_everybody_elses_hooks_run_and_work_goes_on() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = remote_and_clone(&world, &alice);
    let reads = |name: &str| note(&world, name) + &format!("cat >> '{}'\n", world.path("input").display());
    write_script(&dir, ".git/hooks/pre-push", &reads("one"));
    alice.mledger(&dir, &["init"]).ok();
    write_script(&dir, ".git/hooks/pre-push", &reads("two"));
    write_script(&dir, ".git/hooks/commit-msg", &note(&world, "msg"));
    set_up_and_lose(&world, &alice, &dir);
    let run = alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]);
    assert!(run.err.contains("mledger: not found") && run.err.contains("mledger init"), "{run:#?}");
    assert_eq!((run.code, ran(&world)), (Some(0), vec!["msg".to_owned()]));
    alice.git(&dir, &["push", "-q", "origin", "HEAD:main"]).ok();
    assert_eq!(ran(&world), ["one", "two"]);
    let input = fs::read_to_string(world.path("input")).unwrap();
    let lines: Vec<_> = input.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1] && lines[0].starts_with("HEAD "), "{input}");
    write_script(&dir, ".git/hooks/pre-push.before-mledger", "#!/bin/sh\nexit 7\n");
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "two"]).ok();
    alice.git(&dir, &["push", "-q", "origin", "HEAD:main"]).fails();
    assert!(!ran(&world).contains(&"two".to_owned()), "an earlier hook refused");
}

#[test]
fn without_the_program_a_folder_elsewhere_is_heard() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    alice.git(&dir, &["config", "--global", "core.hooksPath", "~/hooks"]).ok();
    write_script(&alice.home, "hooks/commit-msg", &note(&world, "all"));
    write_script(&alice.home, "hooks/pre-commit", &note(&world, "before"));
    set_up_and_lose(&world, &alice, &dir);
    let run = alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "one"]);
    assert!(run.err.contains("mledger: not found"), "{run:#?}");
    assert_eq!((run.code, ran(&world)), (Some(0), vec!["before".to_owned(), "all".to_owned()]));
}
