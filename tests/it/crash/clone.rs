//! A clone's hooks, struck by one fault at a time: a commit and its message are never lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::fault::{self, Fault, Whose};
use super::stage::{Outcome, Stage, is_orderly, is_told, patiently};
use super::witness::Witness;
use super::world::{MLEDGER, Run, write, write_script};

/// What somebody wrote, and wants to keep.
const MESSAGE: &str = "Retrain on what came in October\n\nIt took all night; nobody wants to write this twice.\n";

/// Which hook is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// `prepare-commit-msg`, of a message from the command line.
    Prepare,
    /// The same, before an editor.
    PrepareEdited,
    /// `commit-msg`, after an editor.
    CommitMsg,
    /// `post-commit`.
    PostCommit,
    /// `pre-push`.
    PrePush,
}

/// All of them.
pub const SCENES: [Scene; 5] =
    [Scene::Prepare, Scene::PrepareEdited, Scene::CommitMsg, Scene::PostCommit, Scene::PrePush];

/// A stage on which one hook is struck again and again.
pub struct Desk {
    stage: Stage,
    scene: Scene,
    head: String,
}

impl Desk {
    /// Sets the stage: a change is staged, and for `pre-push` committed.
    pub fn new(scene: Scene) -> Self {
        let stage = Stage::new();
        let (alice, dir) = (&stage.bank.alice, &stage.alices);
        let editor =
            format!("#!/bin/sh\n{{ cat <<'END'\n{MESSAGE}END\ncat \"$1\"; }} > \"$1.new\" && mv \"$1.new\" \"$1\"\n");
        write_script(stage.bank.world.root(), "editor", &editor);
        write(dir, "models/a", "October\n");
        alice.git(dir, &["add", "models/a"]).ok();
        if scene == Scene::PrePush {
            alice.git(dir, &["commit", "-q", "-m", MESSAGE]).ok();
        }
        let head = alice.git(dir, &["rev-parse", "HEAD"]).ok();
        stage.keep();
        Self { stage, scene, head }
    }

    /// Which calls the hook makes, and how often, if nothing strikes it.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.stage.reset();
        self.stage.calls(&self.hook(), Whose::First, || drop(self.act().ok()))
    }

    fn hook(&self) -> PathBuf {
        let name = match self.scene {
            Scene::Prepare | Scene::PrepareEdited => "prepare-commit-msg",
            Scene::CommitMsg => "commit-msg",
            Scene::PostCommit => "post-commit",
            Scene::PrePush => "pre-push",
        };
        self.stage.alices.join(".git/hooks").join(name)
    }

    /// Plays the scene under a fault, and then what follows; says what is wrong with what is left.
    pub fn play(&self, fault: &Fault) -> Result<Outcome, String> {
        let (stage, bank) = (&self.stage, &self.stage.bank);
        let (alice, dir) = (&bank.alice, &stage.alices);
        stage.reset();
        let mut witness = Witness::of(&bank.server);
        let run = stage.under(&self.hook(), &fault::injecting(fault, Whose::First, &stage.trace()), || self.act());
        if stage.is_absurd() {
            return Ok(Outcome::Spared);
        }
        is_orderly(&run)?;
        if run.code != Some(0) && !fault.is_mute() && !is_told(&run) {
            return Err(format!("it names no reason: {run:#?}"));
        }
        witness.hear(&run)?;
        if self.scene != Scene::PrePush {
            self.check_kept(&run)?;
        }
        let push = patiently(alice, dir, &["git", "push", "origin", "HEAD:refs/heads/dev/a"]);
        is_orderly(&push)?;
        witness.hear(&push)?;
        witness.look(&bank.server)?;
        witness.verify(bank)?;
        let whole = patiently(alice, dir, &[MLEDGER, "verify"]);
        let made = alice.git(dir, &["rev-parse", "HEAD"]).ok();
        if push.code != Some(0) || whole.code != Some(0) || bank.tip("refs/heads/dev/a") != made {
            return Err(format!("the next does not work: {push:#?} {whole:#?} after {run:#?}"));
        }
        Ok(Outcome::of(stage.happened(fault), &run))
    }

    /// The commit was made as its author wrote it; or nothing was, its message and its change are there, and it is made
    /// the next time.
    fn check_kept(&self, run: &Run) -> Result<(), String> {
        let (alice, dir) = (&self.stage.bank.alice, &self.stage.alices);
        if alice.git(dir, &["rev-parse", "HEAD"]).ok() == self.head {
            let kept = fs::read_to_string(dir.join(".git/COMMIT_EDITMSG")).unwrap_or_default();
            // Before the editor opened, there was nothing to keep.
            if self.scene != Scene::PrepareEdited && !kept.starts_with(MESSAGE.trim_end()) {
                return Err(format!("the message is gone: `{kept}` after {run:#?}"));
            }
            if run.code == Some(0) {
                return Err(format!("no commit, and Git says that there is one: {run:#?}"));
            }
            let again = self.act();
            if again.code != Some(0) {
                return Err(format!("the next commit does not work: {again:#?} after {run:#?}"));
            }
        }
        let made = alice.git(dir, &["log", "-1", "--format=%B"]).ok();
        if !made.starts_with(MESSAGE.trim_end()) || alice.git(dir, &["show", "HEAD:models/a"]).ok() != "October" {
            return Err(format!("the commit is not what was written: `{made}` after {run:#?}"));
        }
        let clean = alice.git(dir, &["status", "--porcelain"]).ok();
        if clean.is_empty() { Ok(()) } else { Err(format!("something is left: `{clean}` after {run:#?}")) }
    }

    fn act(&self) -> Run {
        let (alice, dir) = (&self.stage.bank.alice, &self.stage.alices);
        match self.scene {
            Scene::PrePush => patiently(alice, dir, &["git", "push", "origin", "HEAD:refs/heads/dev/a"]),
            Scene::PrepareEdited | Scene::CommitMsg => {
                let editor = format!("'{}'", self.stage.bank.world.path("editor").display());
                patiently(&alice.with("GIT_EDITOR", &editor), dir, &["git", "commit", "-q"])
            }
            Scene::Prepare | Scene::PostCommit => patiently(alice, dir, &["git", "commit", "-q", "-m", MESSAGE]),
        }
    }
}
