//! Things in the place of files: pipes, devices, endless files, links to elsewhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::desk::{Desk, desk};

/// What is read or written on the way of a day's commands.
const FILES: [&str; 8] = [
    "hooks/pre-push",
    "hooks/pre-push.new-mledger",
    "mledger-template",
    "mledger/checkpoint",
    "mledger/config.json",
    "mledger/pushes",
    "mledger/pushes.lock",
    "mledger/vkey",
];

/// Each command ends, and none with a panic: it says what it cannot read, or does without.
#[track_caller]
fn every_command_ends(desk: &Desk, what: &str) {
    desk.git("config user.signingKey ~/.ssh/id_ed25519.pub");
    for words in [&["init"][..], &["status"], &["doctor"], &["doctor", "--fix"], &["key"], &["resign"], &["check"]] {
        let run = desk.alice.mledger(&desk.dir, words);
        assert!(run.code.is_some_and(|code| code < 100), "{what}: {run:#?}");
    }
    let run = desk.try_git("commit -q --allow-empty -m work");
    assert!(!run.err.contains("panicked"), "{what}: {run:#?}");
}

/// Puts something into the place of a file; what is returned puts the file back.
fn in_the_place(path: &Path, put: impl Fn(&Path)) -> Box<dyn FnOnce()> {
    let aside = path.with_added_extension("aside");
    let _ = fs::rename(path, &aside);
    put(path);
    let path = path.to_owned();
    Box::new(move || {
        let _ = fs::remove_file(&path);
        let _ = fs::rename(&aside, &path);
    })
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let desk = desk();
    for file in FILES {
        let put_back = in_the_place(&desk.dir.join(".git").join(file), pipe);
        every_command_ends(&desk, file);
        put_back();
    }
    let put_back = in_the_place(&desk.alice.key_file(), pipe);
    every_command_ends(&desk, "key");
    put_back();
    desk.git("config user.signingKey ~/.ssh/id_ed25519.pub");
    desk.commit("at-last", "1");
    // Those before it were signed with whatever key `init` had found meanwhile.
    desk.check_commit(&desk.dir, "HEAD");
}

#[test]
fn an_endless_file_in_the_place_of_a_file_is_not_read_to_its_end() {
    let desk = desk();
    for file in FILES {
        // Nearly endless, and no device: who runs the tests may be allowed to write to those.
        let huge = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 36).unwrap();
        let put_back = in_the_place(&desk.dir.join(".git").join(file), huge);
        every_command_ends(&desk, file);
        put_back();
    }
    let said = desk.alice.mledger(&desk.dir, &["policy", "check", "/dev/zero"]).fails();
    assert!(said.contains("it has more than"), "{said}");
}

#[test]
fn nothing_is_written_through_a_link() {
    let desk = desk();
    let victim = desk.world.path("victim");
    fs::write(&victim, "mine").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o644)).unwrap();
    let git_dir = desk.dir.join(".git");
    for file in ["hooks/pre-push.new-mledger", "mledger/checkpoint.new", "mledger/config.json.new", "mledger-template"]
    {
        symlink(&victim, git_dir.join(file)).unwrap();
    }
    fs::remove_file(git_dir.join("hooks/pre-push")).unwrap();
    fs::write(desk.world.path("template"), "Ticket: \n").unwrap();
    desk.git("config commit.template ../template");
    desk.alice.mledger(&desk.dir, &["doctor", "--fix"]).ok();
    desk.alice.mledger(&desk.dir, &["init"]).ok();
    let _ = desk.editor("true").git(&desk.dir, &["commit", "-q", "--allow-empty"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o7777, 0o644);
}
