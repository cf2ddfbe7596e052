//! A bank that is put back to how it was as often as one likes, and a hook of it with strace in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bank::Bank;
use super::fault::{self, Fault, Whose};
use super::world::{Person, Run};

/// What a program may take that does no more than a push or a commit, in seconds: longer than the gate waits for any
/// lock. Beyond it, it hangs.
const HANGS: &str = "120";

/// A bank, the clones in it, and how they were.
pub struct Stage {
    /// The bank.
    pub bank: Bank,
    /// Alice's clone.
    pub alices: PathBuf,
    /// Carol's clone.
    pub carols: PathBuf,
}

impl Stage {
    /// Sets up a bank whose engineer and administrator have clones; Alice has a branch.
    pub fn new() -> Self {
        let bank = Bank::open();
        let (alices, carols) = (bank.clone_of(&bank.alice), bank.clone_of(&bank.carol));
        bank.alice.commit(&alices, "models/a", "zero\n");
        bank.alice.push(&alices, &["-q", "HEAD:refs/heads/dev/a"]).ok();
        Self { bank, alices, carols }
    }

    /// Remembers how everything is.
    pub fn keep(&self) {
        fs::create_dir(self.kept()).unwrap();
        self.folders().for_each(|folder| copy(folder, &self.kept()));
    }

    /// Puts everything back to how it was.
    pub fn reset(&self) {
        for folder in self.folders() {
            fs::remove_dir_all(folder).unwrap();
            copy(&self.kept().join(folder.file_name().unwrap()), self.bank.world.root());
        }
    }

    fn kept(&self) -> PathBuf {
        self.bank.world.path("kept")
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        [&self.bank.server, &self.alices, &self.carols].into_iter().map(PathBuf::as_path)
    }

    /// Where strace writes.
    pub fn trace(&self) -> PathBuf {
        self.bank.world.path("trace")
    }

    /// Runs `act` while strace stands before the program that this hook starts.
    pub fn under<T>(&self, hook: &Path, strace: &[String], act: impl FnOnce() -> T) -> T {
        let _ = fs::remove_file(self.trace());
        let text = fs::read_to_string(hook).unwrap();
        let quoted: String = strace.iter().map(|word| format!("'{word}' ")).collect();
        fs::write(hook, text.replacen("exec ", &format!("exec {quoted}"), 1)).unwrap();
        let done = act();
        fs::write(hook, text).unwrap();
        done
    }

    /// Which calls the hook's program makes in `act`, and how often.
    pub fn calls(&self, hook: &Path, whose: Whose, act: impl FnOnce()) -> BTreeMap<String, usize> {
        self.under(hook, &fault::tracing(whose, &self.trace()), act);
        fault::calls(&self.trace())
    }

    /// Whether it was one that no kernel brings about.
    pub fn is_absurd(&self) -> bool {
        fault::is_absurd(&self.trace())
    }

    /// Whether the fault happened when strace was last there.
    pub fn happened(&self, fault: &Fault) -> bool {
        fault::happened(fault, &self.trace())
    }
}

/// What became of the work that was struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The fault came too late, or not at all.
    Spared,
    /// It was done all the same.
    Done,
    /// It was refused, and somebody said why.
    Refused,
}

impl Outcome {
    /// What to call it, where it is known whether the fault happened.
    pub fn of(happened: bool, run: &Run) -> Self {
        match (happened, run.code) {
            (false, _) => Self::Spared,
            (true, Some(0)) => Self::Done,
            (true, _) => Self::Refused,
        }
    }
}

/// A command that must not hang, in somebody's environment.
pub fn patiently(person: &Person, dir: &Path, words: &[&str]) -> Run {
    person.run(Command::new("timeout").args(["-k", "5", HANGS]).args(words).current_dir(dir), None)
}

/// Neither a panic nor a hang. What Rust's runtime says that has no memory to begin with is no panic of ours.
pub fn is_orderly(run: &Run) -> Result<(), String> {
    let panicked = run.err.contains("panicked") && !run.err.contains("failed to allocate an alternative stack");
    if panicked || run.code == Some(124) { Err(format!("a panic or a hang: {run:#?}")) } else { Ok(()) }
}

/// Whether somebody said why it failed: the gate; a program that could not begin, or its loader; or, where these had no
/// memory to speak with, Git.
pub fn is_told(run: &Run) -> bool {
    let words = ["mledger: ", "error: could not ", "error while loading shared libraries", "memory allocation of"];
    words.iter().any(|words| run.err.contains(words))
}

/// Copies a folder into another, with times and permissions.
fn copy(folder: &Path, into: &Path) {
    let status = Command::new("cp").arg("-a").arg(folder).arg(into).status().unwrap();
    assert!(status.success());
}
