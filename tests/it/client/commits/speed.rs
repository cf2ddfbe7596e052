//! What the hooks read: the index and objects that changed, never a file of the work tree, never a weight.

use std::fs;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::process::Command;

#[cfg(target_os = "linux")]
use rustix::fs::{CWD, Mode, mkfifoat};

#[cfg(target_os = "linux")]
use crate::client::desk::Desk;
use crate::client::desk::desk;
use crate::world::MLEDGER;
#[cfg(target_os = "linux")]
use crate::world::write_script;

/// Puts a pipe that nobody writes to in a file's place: whoever opens it to read hangs.
#[cfg(target_os = "linux")]
fn plug(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mkfifoat(CWD, path, Mode::RUSR).unwrap();
}

#[cfg(target_os = "linux")]
impl Desk {
    /// The files that the program under test opens while Git runs these words, by strace.
    fn opened(&self, words: &[&str]) -> String {
        let log = self.world.path("strace");
        let script = format!(
            "#!/bin/sh\nexec strace -qq -f -A -o '{}' -e trace=open,openat,openat2 '{MLEDGER}' \"$@\"\n",
            log.display()
        );
        write_script(self.world.root(), "traced", &script);
        for hook in fs::read_dir(self.dir.join(".git/hooks")).unwrap().map(|entry| entry.unwrap().path()) {
            let text = fs::read_to_string(&hook).unwrap();
            let traced = self.world.path("traced").display().to_string();
            fs::write(&hook, text.replace(MLEDGER, &traced)).unwrap();
        }
        self.alice.git(&self.dir, words).ok();
        fs::read_to_string(log).unwrap()
    }
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_did_not_change_are_not_read_and_neither_are_those_that_did() {
    let desk = desk();
    for number in 0..20 {
        desk.write(&format!("models/{number}"), "weights");
    }
    desk.write("changed", "1");
    desk.git("add -A");
    desk.git("commit -q -m base");
    desk.write("changed", "2");
    desk.git("add changed");
    for number in 0..20 {
        plug(&desk.dir.join(format!("models/{number}")));
    }
    plug(&desk.dir.join("changed"));
    for line in ["commit -q -m changed", "commit -q --amend -m amended"] {
        desk.git(line);
        desk.check();
    }
    let opened = desk.opened(&["commit", "-q", "--allow-empty", "-m", "traced"]);
    assert!(opened.contains("COMMIT_EDITMSG"), "{opened}");
    for file in ["/models/", "models/1", "changed"] {
        assert!(!opened.contains(file), "{file} in\n{opened}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn weights_behind_lfs_pointers_are_not_looked_at() {
    let desk = desk();
    let oid = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 700000000000\n");
    desk.write("model.safetensors", &pointer);
    desk.git("add -A");
    let object = desk.dir.join(".git/lfs/objects").join(&oid[..2]).join(&oid[2..4]).join(oid);
    plug(&object);
    plug(&desk.dir.join("model.safetensors"));
    let opened = desk.opened(&["commit", "-q", "-m", "weights"]);
    assert!(!opened.contains("lfs") && !opened.contains("safetensors"), "{opened}");
    desk.alice.mledger(&desk.dir, &["resign", "--all"]).ok();
    let message = desk.git("log -1 --format=%B");
    assert!(message.contains("Mledger-Manifest: sha256:"), "{message}");
    desk.alice.mledger(&desk.dir, &["resign"]).ok();
}

#[test]
fn a_plain_commit_runs_three_hooks_of_ours() {
    let desk = desk();
    desk.commit("root", "1");
    let trace = desk.world.path("trace");
    let alice = desk.alice.with("GIT_TRACE2_EVENT", trace.to_str().unwrap());
    alice.git(&desk.dir, &["commit", "-q", "--allow-empty", "-m", "plain"]).ok();
    let events = fs::read_to_string(&trace).unwrap();
    let hooks: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| event["event"] == "child_start")
        .filter_map(|event| event["hook_name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(hooks, ["prepare-commit-msg", "commit-msg", "post-commit"]);
    let is_start = |line: &&str| line.contains("\"event\":\"start\"") && !line.contains("\"maintenance\"");
    let gits: Vec<&str> = events.lines().filter(is_start).collect();
    // The commit itself, and the one question that only Git can answer.
    assert_eq!(gits.len(), 2, "{gits:#?}");
    assert!(gits[1].contains("write-tree"), "{gits:#?}");
}

#[test]
fn a_hook_that_fails_does_not_stop_the_work() {
    let desk = desk();
    desk.commit("root", "1");
    for (name, input) in [("post-rewrite", &b"no pairs\n\xff\n"[..]), ("post-merge", b""), ("post-commit", b"")] {
        let mut hook = Command::new(MLEDGER);
        hook.args(["hook", name, "rebase"]).current_dir(&desk.dir);
        desk.alice.run(&mut hook, Some(input)).ok();
    }
}
