//! `mledger demo` plays its whole story, and fails if any part of it ends otherwise than it should.

use std::process::Command;

use crate::world::{MLEDGER, World, write};

#[test]
fn the_story_ends_well() {
    let world = World::new();
    let nobody = world.person_without_key("nobody");
    let told = nobody.mledger(world.root(), &["demo"]).ok();
    for words in ["push refused", "verified: everything holds", "moved behind the gate", "rolled back"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn the_story_is_kept_where_one_asks_and_only_there() {
    let world = World::new();
    let nobody = world.person_without_key("nobody");
    let json = nobody.mledger(world.root(), &["--json", "demo", "--keep", "stage"]).ok();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["ok"], true);
    assert!(value["steps"].as_array().unwrap().len() > 20);
    assert!(world.path("stage/models.git/mledger/ledger.key").exists());
    let again = nobody.mledger(world.root(), &["demo", "--keep", "stage"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("is not empty"), "{again:#?}");
    write(world.root(), "file", "");
    assert_eq!(nobody.mledger(world.root(), &["demo", "--keep", "file"]).code, Some(1));
}

#[cfg(unix)]
#[test]
fn a_machine_with_git_and_nothing_else_is_enough() {
    let world = World::new();
    let nobody = world.person_without_key("nobody");
    let bin = world.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["git", "sh", "sed", "cat", "uname", "basename"] {
        let found = nobody.run(Command::new("sh").args(["-c", &format!("command -v {name}")]), None).ok();
        std::os::unix::fs::symlink(found, bin.join(name)).unwrap();
    }
    let poor = nobody.with("PATH", bin.to_str().unwrap());
    assert_ne!(poor.run(Command::new(bin.join("sh")).args(["-c", "command -v ssh-keygen"]), None).code, Some(0));
    poor.run(Command::new(MLEDGER).args(["--quiet", "demo"]).current_dir(world.root()), None).ok();
}

#[cfg(unix)]
#[test]
fn who_interrupts_the_story_finds_nothing_left_of_it() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead, BufReader};

    let world = World::new();
    let nobody = world.person_without_key("nobody");
    let temporary = world.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut demo = Command::new(MLEDGER);
    demo.arg("demo").env("HOME", &nobody.home).env("TMPDIR", &temporary);
    let mut demo = demo.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap().contains("2. ")), "the second chapter begins");
    assert!(std::fs::read_dir(&temporary).unwrap().count() > 0);
    let pid = Pid::from_raw(i32::try_from(demo.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    lines.for_each(drop);
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
