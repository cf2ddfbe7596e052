//! Patients that bite: names that steer terminals, files that never end, links that lead nowhere.

use std::fs::{self, File};
use std::process::Command;

use super::Ward;
use crate::bank::Bank;

#[test]
fn no_name_or_value_steers_a_terminal() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let ward = Ward::new(&bank.alice, &dir);
    let wild = "x\u{1b}[2J\u{7}\u{202e}\nnew line";
    for key in ["commit.gpgSign", "gpg.ssh.program", "mledger.actor", "user.signingKey", "gpg.format"] {
        ward.git(&["config", key, wild]);
    }
    fs::create_dir_all(dir.join(".git/refs/replace")).unwrap();
    fs::write(dir.join(format!(".git/refs/heads/{wild}.lock")), "").unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    File::open(dir.join(format!(".git/refs/heads/{wild}.lock"))).unwrap().set_modified(old).unwrap();
    let run = ward.person.mledger(&dir, &["doctor", "--color", "never"]);
    assert_eq!(run.code, Some(1));
    let is_wild = |char: char| char != '\n' && char.is_control() || char == '\u{202e}';
    assert!(!run.out.contains(is_wild) && !run.err.contains(is_wild), "{run:#?}");
    assert!(run.out.contains("x\u{fffd}[2J"), "{run:#?}");
    // For programs they stand as they are, escaped as JSON escapes them.
    assert!(ward.finding("ssh-program").unwrap()["message"].as_str().unwrap().contains("\u{1b}[2J"));
    ward.diagnosis(&["--fix"]);
}

#[test]
fn huge_files_in_place_of_small_ones_are_not_read() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let ward = Ward::new(&bank.alice, &dir);
    ward.person.mledger(&dir, &["log"]).ok();
    let huge = |name: &str| File::create(dir.join(name)).unwrap().set_len(1 << 42).unwrap();
    for name in [".git/mledger/checkpoint", ".git/hooks/pre-push", ".git/objects/info/alternates"] {
        huge(name);
    }
    File::create(ward.person.key_file()).unwrap().set_len(1 << 42).unwrap();
    for code in ["checkpoint-damaged", "hook-unreadable", "key-unreadable", "unknown"] {
        assert!(ward.finding(code).is_some(), "no {code}");
    }
    huge(".git/mledger/vkey");
    assert!(ward.finding("vkey-damaged").is_some());
}

#[cfg(unix)]
#[test]
fn pipes_loops_and_closed_folders_end() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let ward = Ward::new(&bank.alice, &dir);
    let git = dir.join(".git");
    for name in ["mledger/checkpoint", "hooks/commit-msg"] {
        fs::remove_file(git.join(name)).unwrap();
        assert!(Command::new("mkfifo").arg(git.join(name)).status().unwrap().success());
    }
    fs::remove_file(git.join("hooks/pre-push")).unwrap();
    symlink("pre-push", git.join("hooks/pre-push")).unwrap();
    symlink("/dev/zero", git.join("info/grafts")).unwrap();
    fs::remove_dir_all(git.join("mledger/log.git")).unwrap();
    symlink("log.git", git.join("mledger/log.git")).unwrap();
    fs::create_dir_all(git.join("refs/heads/closed")).unwrap();
    fs::set_permissions(git.join("refs/heads/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    for code in ["checkpoint-damaged", "hook-unreadable", "grafts"] {
        assert!(ward.finding(code).is_some(), "no {code}");
    }
    ward.diagnosis(&["--fix"]);
    fs::set_permissions(git.join("refs/heads/closed"), fs::Permissions::from_mode(0o700)).unwrap();

    let server = Ward::new(&bank.carol, &bank.server);
    for name in ["ledger.key", "last-checkpoint", "hashes"] {
        let path = bank.server.join("mledger").join(name);
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    for code in ["ledger-key-damaged", "last-checkpoint-damaged", "hashes-damaged"] {
        assert!(server.finding(code).is_some(), "no {code}");
    }
}

#[test]
fn without_a_home_or_an_agent_that_answers_it_still_examines() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let ward = Ward::new(&bank.alice, &dir);
    let said = super::diagnosis(&ward.shell("unset HOME GIT_CONFIG_GLOBAL; mledger --json doctor"));
    assert_eq!(said["kind"], "clone");
    ward.with("HOME", "").diagnosis(&[]);
    ward.with("SSH_AUTH_SOCK", "/dev/null").diagnosis(&[]);
    fs::remove_dir_all(dir.join(".git/hooks")).unwrap();
    fs::write(dir.join(".git/hooks"), "a file").unwrap();
    assert!(ward.finding("hooks-unreadable").is_some());
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/\u{1b}").unwrap();
    ward.diagnosis(&["--fix"]);
}
