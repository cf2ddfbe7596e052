//! The server's hooks, struck by one fault at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fault::{self, Fault, Whose};
use super::stage::{Outcome, Stage, is_orderly, is_told, patiently};
use super::witness::Witness;
use super::world::{MLEDGER, Run, write};

/// What the hook is at when it is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// It accepts a push of one commit.
    Accept,
    /// The same, and 256 entries are sealed.
    Seal,
    /// It denies a push, and records that.
    Deny,
    /// It accepts a push; index and cache are gone, and made anew.
    Anew,
    /// It takes a new policy out of the inbox.
    Policy,
    /// It takes a statement about refs that moved behind its back.
    Reconcile,
    /// After the refs have moved, it settles a push.
    Settle,
    /// After a statement was taken, it empties the inbox.
    Sweep,
}

/// A stage on which one scene is played again and again.
pub struct Theatre {
    stage: Stage,
    scene: Scene,
    /// Two commits of Alice's, one upon the other.
    commits: Vec<String>,
}

impl Theatre {
    /// Sets the stage.
    pub fn new(scene: Scene) -> Self {
        let stage = Stage::new();
        let (alice, dir) = (&stage.bank.alice, &stage.alices);
        if scene == Scene::Seal {
            let many = alice.import(dir, Some("HEAD"), 250 - usize::try_from(stage.bank.size()).unwrap());
            alice.git(dir, &["reset", "-q", "--hard", many.last().unwrap()]).ok();
            alice.push(dir, &["-q", "--no-verify", "HEAD:refs/heads/dev/a"]).ok();
            let few = 254 - usize::try_from(stage.bank.size()).unwrap();
            for n in 0..few {
                alice.push(dir, &["-q", "--no-verify", &format!("HEAD:refs/heads/dev/{n}")]).ok();
                if stage.bank.size() >= 254 {
                    break;
                }
            }
        }
        let commits = ["one\n", "two\n"].map(|text| alice.commit(dir, "models/a", text)).to_vec();
        if scene == Scene::Reconcile {
            stage.bank.on_server(&["update-ref", "refs/heads/dev/stray", "refs/heads/main"]);
        }
        let policy = stage.bank.policy().replace("name = \"models\"", "name = \"more models\"");
        write(&stage.carols, "new.toml", &policy);
        stage.keep();
        Self { stage, scene, commits }
    }

    /// Which calls the hook makes, and how often, if nothing strikes it.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.stage.reset();
        self.stage.calls(&self.hook(), Whose::Threads, || {
            let run = self.act();
            assert_eq!(run.code != Some(0), self.scene == Scene::Deny, "{run:#?}");
        })
    }

    fn hook(&self) -> PathBuf {
        let name = if self.is_after() { "post-receive" } else { "pre-receive" };
        self.stage.bank.server.join("hooks").join(name)
    }

    /// Whether the refs have moved before the hook runs.
    fn is_after(&self) -> bool {
        matches!(self.scene, Scene::Settle | Scene::Sweep)
    }

    /// Plays the scene under a fault, and then what follows; says what is wrong with what is left.
    pub fn play(&self, fault: &Fault) -> Result<Outcome, String> {
        let strace = fault::injecting(fault, Whose::Threads, &self.stage.trace());
        let run = self.play_under(&strace, fault.is_mute())?;
        Ok(Outcome::of(self.stage.happened(fault), &run))
    }

    /// The same where the hook's program is started by these words before it, which may leave it mute.
    pub fn play_under(&self, words: &[String], is_mute: bool) -> Result<Run, String> {
        let (stage, bank) = (&self.stage, &self.stage.bank);
        stage.reset();
        let mut witness = Witness::of(&bank.server);
        let run = stage.under(&self.hook(), words, || self.act());
        if !stage.is_absurd() {
            is_orderly(&run)?;
            self.check_answer(&run, is_mute)?;
        }
        witness.hear(&run)?;
        witness.look(&bank.server)?;
        match self.scene {
            Scene::Reconcile => witness.verify_entries(bank)?,
            _ => witness.verify(bank).map(|_| ())?,
        }
        for next in [self.next(), self.last()] {
            is_orderly(&next)?;
            witness.hear(&next)?;
            witness.look(&bank.server)?;
            if next.code != Some(0) {
                return Err(format!("the next does not work: {next:#?} after {run:#?}"));
            }
        }
        match witness.verify(bank)? {
            0 => {}
            open => return Err(format!("{open} moves stay open")),
        }
        if bank.refs().keys().any(|name| name.starts_with("refs/mledger/")) {
            return Err(format!("the inbox is not empty: {:?}", bank.refs()));
        }
        Ok(run)
    }

    /// Git called it done, and it is; or did not, nothing moved, and somebody said why.
    fn check_answer(&self, run: &Run, is_mute: bool) -> Result<(), String> {
        let bank = &self.stage.bank;
        let is_push = matches!(self.scene, Scene::Accept | Scene::Seal | Scene::Anew | Scene::Settle);
        let moved = bank.tip("refs/heads/dev/a") == self.commits[0];
        match run.code {
            Some(0) if self.scene == Scene::Deny => Err(format!("it was let through: {run:#?}")),
            Some(0) if is_push && !moved => Err(format!("it did not move: {run:#?}")),
            Some(0) => Ok(()),
            _ if moved || self.is_after() => Err(format!("it moved, and Git says that it did not: {run:#?}")),
            _ if !is_mute && !is_told(run) => Err(format!("it names no reason: {run:#?}")),
            _ => Ok(()),
        }
    }

    fn act(&self) -> Run {
        match self.scene {
            Scene::Deny => self.push(&self.commits[0], "main"),
            Scene::Policy | Scene::Sweep => self.carol(&["policy", "apply", "new.toml"]),
            Scene::Reconcile => self.carol(&["reconcile", "--reason", "made by hand"]),
            _ => self.push(&self.commits[0], "dev/a"),
        }
    }

    /// The same again where it was a command, and what any engineer does next.
    fn next(&self) -> Run {
        match self.scene {
            Scene::Policy | Scene::Sweep | Scene::Reconcile => self.act(),
            _ => self.push(&self.commits[1], "dev/a"),
        }
    }

    fn last(&self) -> Run {
        self.push(&self.commits[1], "dev/last")
    }

    fn push(&self, commit: &str, branch: &str) -> Run {
        let spec = format!("{commit}:refs/heads/{branch}");
        let words = ["git", "push", "--no-verify", "origin", &spec];
        patiently(&self.stage.bank.alice, &self.stage.alices, &words)
    }

    fn carol(&self, words: &[&str]) -> Run {
        patiently(&self.stage.bank.carol, &self.stage.carols, &[&[MLEDGER], words].concat())
    }
}
