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
