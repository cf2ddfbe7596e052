//! What can be wrong in a clone or on a server, told before somebody runs into it, each with the command that mends it.
//!
//! ```text
//! examine    looks, and changes nothing but what any command keeps for itself: the followed ledger, the shared index
//! mend       does one [`Fix`]; none loses data, changes who is trusted, chooses a key, moves a ref or signs
//! ```
//!
//! A broken repository is the patient: a check that cannot be made says so, and the others go on.

mod code;
mod commits;
mod config;
mod enrolment;
mod file;
mod followed;
mod hooks;
mod identity;
mod key;
mod locks;
mod mend;
mod policy;
mod probe;
mod repository;
mod server;
mod settings;
mod tools;

use std::path::{Path, PathBuf};

use self::config::Settings;
use crate::clock::Timestamp;
use crate::git::Repository;
use crate::hook::clone_setup::key::quoted;
use crate::ledger::place::Place;

pub use code::Code;
pub use mend::{Fix, MendError, mend};

/// How long before a key expires somebody should think of the next one, in milliseconds: two weeks.
const EXPIRES_SOON_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// How far the clock may be behind the ledger's newest entry, in milliseconds: two machines that ask the same servers
/// for the time differ by less.
const CLOCK_SLACK_MS: i64 = 2 * 60 * 1000;

/// What an examination starts from.
#[derive(Clone, Debug)]
pub struct Options {
    /// The caller's home, where keys lie.
    pub home: Option<PathBuf>,
    /// The time.
    pub now: Timestamp,
    /// Whether to leave the remote alone.
    pub offline: bool,
    /// The program that hooks should call.
    pub program: PathBuf,
}

/// What was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A repository with a work tree.
    Clone,
    /// A bare repository.
    Server,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing to do.
    Fine,
    /// It works, and deserves a look.
    Look,
    /// Something does not work, or does not protect.
    Wrong,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The repository's form, owner, disk and what hides objects.
    Repository,
    /// Programs, and the environment.
    Tools,
    /// Who commits.
    Identity,
    /// Git's configuration.
    Settings,
    /// The signing key; on a server, the ledger's.
    Key,
    /// The hooks.
    Hooks,
    /// The ledger, and what is kept beside it.
    Ledger,
    /// Whether the policy knows the key.
    Enrolment,
    /// The commits that are not pushed yet.
    Commits,
    /// The policy in force.
    Policy,
    /// Where refs stand.
    Refs,
    /// Locks and leftovers.
    Locks,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// What [`mend()`] can do about it.
    pub fix: Option<Fix>,
    /// How bad it is.
    pub level: Level,
    /// What is the matter, for people; quotes names and values as they are.
    pub message: String,
    /// What it is about: a file, a ref, a setting, a commit.
    pub subject: String,
    /// The command that mends it; words in capitals are to be filled in.
    pub try_this: Option<String>,
}

/// A group of checks after it was made.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What it was about.
    pub group: Group,
    /// What stands in order, in a few words.
    pub note: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The groups, in the order in which they are to be read.
    pub checks: Vec<Check>,
    /// What was examined; none where nothing could be opened.
    pub kind: Option<Kind>,
}

/// An open repository with its configuration.
struct Patient<'a> {
    options: &'a Options,
    place: Place,
    repository: &'a Repository,
    settings: Settings,
}

impl Group {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Tools => "tools",
            Self::Identity => "identity",
            Self::Settings => "settings",
            Self::Key => "key",
            Self::Hooks => "hooks",
            Self::Ledger => "ledger",
            Self::Enrolment => "enrolment",
            Self::Commits => "commits",
            Self::Policy => "policy",
            Self::Refs => "refs",
            Self::Locks => "locks",
        }
    }
}

impl Finding {
    fn new(level: Level, code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, fix: None, level, message: message.into(), subject: subject.into(), try_this: None }
    }

    fn wrong(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Wrong, code, subject, message)
    }

    fn look(code: Code, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Level::Look, code, subject, message)
    }

    /// A check that could not be made.
    fn unknown(subject: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let why = crate::ledger::check::chain(error);
        Self::look(Code::Unknown, subject, format!("this could not be looked at: {why}"))
    }

    fn try_this(self, command: impl Into<String>) -> Self {
        Self { try_this: Some(command.into()), ..self }
    }

    fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

impl Check {
    fn new(group: Group) -> Self {
        Self { findings: Vec::new(), group, note: String::new() }
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The worst of its findings.
    pub fn level(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Fine)
    }
}

impl Examination {
    /// Everything that was found.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checks.iter().flat_map(|check| &check.findings)
    }

    /// Whether anything is wrong, as against worth a look.
    pub fn is_wrong(&self) -> bool {
        self.findings().any(|finding| finding.level == Level::Wrong)
    }
}

/// Looks at the repository that holds `dir`.
pub fn examine(dir: &Path, options: &Options) -> Examination {
    let tools = tools::check();
    let repository = match Repository::discover(dir) {
        Ok(repository) => repository,
        Err(error) => {
            return Examination { checks: vec![repository::closed(dir, &error), tools], kind: None };
        }
    };
    let base = base(&repository);
    let settings = match Settings::read(base) {
        Ok(settings) => settings,
        Err(error) => {
            let refused = Finding::wrong(Code::RepositoryUnreadable, dir.display().to_string(), error.to_string())
                .try_this("git status");
            let mut check = Check::new(Group::Repository);
            check.add(refused);
            return Examination { checks: vec![check, tools], kind: None };
        }
    };
    let place = Place::in_repository(repository.git_dir());
    let patient = Patient { options, place, repository: &repository, settings };
    if repository.work_dir().is_some() {
        Examination { checks: examine_clone(&patient, tools), kind: Some(Kind::Clone) }
    } else {
        Examination { checks: server::examine(&patient, tools), kind: Some(Kind::Server) }
    }
}

fn examine_clone(patient: &Patient<'_>, mut tools: Check) -> Vec<Check> {
    tools::check_signing(patient, &mut tools);
    let repository = repository::check_clone(patient);
    if !settings::is_set_up(patient) {
        let mut check = Check::new(Group::Settings);
        let message = "mledger is not set up in this clone: commits are not bound to their content, nor signed";
        check.add(Finding::wrong(Code::NotSetUp, "mledger", message).try_this("mledger init"));
        return vec![repository, tools, check];
    }
    let (key, public) = key::check(patient);
    let ledger = followed::check(patient);
    vec![
        repository,
        tools,
        identity::check(patient),
        key,
        settings::check(patient),
        hooks::check_clone(patient),
        ledger,
        enrolment::check(patient, public.as_ref()),
        commits::check(patient),
        locks::check(patient),
    ]
}

/// Where git works on the repository.
fn base(repository: &Repository) -> &Path {
    repository.work_dir().unwrap_or(repository.git_dir())
}

/// `1 entry`, `2 entries`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A text as one word of a shell.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
