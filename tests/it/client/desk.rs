//! A repository that is set up, and an oracle for its commits that shares no code with ours.

use std::path::{Path, PathBuf};

use mledger::digest::{Digest, sha256};

use crate::world::{Person, Run, World, write, write_script};

const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// A repository of Alice's that is set up.
pub struct Desk {
    /// Everything.
    pub world: World,
    /// Who works here.
    pub alice: Person,
    /// The clone.
    pub dir: PathBuf,
}

/// Alice's, with our hooks.
pub fn desk() -> Desk {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    alice.mledger(&dir, &["init"]).ok();
    Desk { world, alice, dir }
}

impl Desk {
    /// Runs git with these words, which blanks part.
    #[track_caller]
    pub fn git(&self, line: &str) -> String {
        self.try_git(line).ok()
    }

    /// The same, where it may fail.
    pub fn try_git(&self, line: &str) -> Run {
        self.alice.git(&self.dir, &line.split(' ').collect::<Vec<_>>())
    }

    /// Writes a file of the work tree.
    pub fn write(&self, name: &str, text: &str) {
        write(&self.dir, name, text);
    }

    /// Commits a file under its name.
    #[track_caller]
    pub fn commit(&self, name: &str, text: &str) {
        self.write(name, text);
        self.git("add -A");
        self.git(&format!("commit -q -m {name}"));
    }

    /// `base`, then branch `side` with one commit and `main` with another.
    pub fn fork(&self) {
        self.commit("base", "1\n2\n3\n4\n5\n6\n7\n");
        self.git("checkout -q -b side");
        self.commit("side-file", "s");
        self.git("checkout -q main");
        self.commit("main-file", "m");
    }

    /// Checks every commit that HEAD reaches.
    #[track_caller]
    pub fn check(&self) {
        self.check_in(&self.dir);
    }

    /// The same in another work tree or clone.
    #[track_caller]
    pub fn check_in(&self, dir: &Path) {
        let commits = self.alice.git(dir, &["rev-list", "HEAD"]).ok();
        assert!(!commits.is_empty());
        for commit in commits.lines() {
            self.check_commit(dir, commit);
        }
    }

    /// Signed by Alice, and with one trailer, which binds what Git says that it changes.
    #[track_caller]
    pub fn check_commit(&self, dir: &Path, commit: &str) {
        let raw = self.alice.git(dir, &["cat-file", "commit", commit]).ok();
        let logs = raw.lines().filter(|line| line.to_lowercase().starts_with("mledger-log"));
        let expected = usize::from(dir.join(".git/mledger/checkpoint").exists());
        assert_eq!(logs.count(), expected, "log trailers in\n{raw}");
        let trailers: Vec<&str> =
            raw.lines().filter(|line| line.to_lowercase().starts_with("mledger-manifest")).collect();
        let [trailer] = trailers.as_slice() else { panic!("one trailer expected in\n{raw}") };
        let digests = trailer.strip_prefix("Mledger-Manifest: ").unwrap_or_else(|| panic!("{raw}"));
        let text = self.manifest(dir, commit);
        let digest = sha256(text.as_bytes()).to_string();
        assert!(digests.split(' ').any(|held| held == digest), "{digest} is not in\n{raw}\nof\n{text}");
        let parsed = self.alice.git(dir, &["log", "-1", "--format=%(trailers:key=Mledger-Manifest,valueonly)", commit]);
        assert_eq!(parsed.ok().trim(), digests, "Git sees no trailer in\n{raw}");
        let allowed = self.world.path("allowed");
        std::fs::write(&allowed, format!("alice {}\n", self.alice.public_key())).unwrap();
        let allowed = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        self.alice.git(dir, &["-c", &allowed, "verify-commit", commit]).ok();
    }

    /// The manifest's text, made without any code of ours: by `git diff-tree` and `git cat-file`.
    fn manifest(&self, dir: &Path, commit: &str) -> String {
        let parents = self.alice.git(dir, &["log", "-1", "--format=%P", commit]).ok();
        let mut text = String::from("mledger-manifest 1\n");
        if parents.is_empty() {
            text += "parent -\n";
            text += &self.changes(dir, EMPTY_TREE, commit);
        }
        for parent in parents.split_whitespace() {
            text += &["parent ", parent, "\n", &self.changes(dir, parent, commit)].concat();
        }
        text
    }

    fn changes(&self, dir: &Path, old: &str, new: &str) -> String {
        let words = ["diff-tree", "-r", "--no-renames", "--full-index", "--raw", "--abbrev=40", old, new];
        let raw = self.alice.git(dir, &words).ok();
        raw.lines().map(|line| change(dir, line)).collect()
    }

    /// Alice with an editor that is this shell script; the message's file is `$1`.
    pub fn editor(&self, script: &str) -> Person {
        write_script(self.world.root(), "editor", &format!("#!/bin/sh\n{script}\n"));
        let path = self.world.path("editor").display().to_string().replace(' ', "\\ ");
        self.alice.with("GIT_EDITOR", &path)
    }
}

/// A manifest's line, from one of `git diff-tree`.
fn change(dir: &Path, raw: &str) -> String {
    let (fields, path) = raw.trim_start_matches(':').split_once('\t').unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let [old_mode, new_mode, old, new, letter] = fields[..] else { panic!("{raw}") };
    let (old, _) = side(dir, old_mode, old);
    let (new, bytes) = side(dir, new_mode, new);
    format!("{letter} {old_mode} {new_mode} {old} {new} {bytes} {path}\n")
}

/// What a manifest says of one side of a change: its content's name and its size.
fn side(dir: &Path, mode: &str, oid: &str) -> (String, String) {
    match mode {
        "000000" => ("-".to_owned(), "-".to_owned()),
        "160000" => (format!("commit:{oid}"), "-".to_owned()),
        _ => {
            let blob = std::process::Command::new("git").args(["cat-file", "blob", oid]).current_dir(dir).output();
            let bytes = blob.unwrap().stdout;
            let digest: Digest = sha256(&bytes);
            (digest.to_string(), bytes.len().to_string())
        }
    }
}

/// The value of the log trailer that names the newest checkpoint this clone has seen, read without our code.
pub fn newest_log(dir: &Path) -> String {
    let note = std::fs::read_to_string(dir.join(".git/mledger/checkpoint")).unwrap();
    let mut lines = note.lines();
    let (origin, size, root) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
    let mut decode = std::process::Command::new("sh");
    decode.args(["-c", "printf %s \"$1\" | base64 -d | od -An -v -tx1 | tr -d ' \\n'", "sh", root]);
    let hex = String::from_utf8(decode.output().unwrap().stdout).unwrap();
    format!("{origin} {size} sha256:{hex}")
}
