//! Where somebody stands in a clone: who they are here, what the ledger is, what is not pushed yet, and what the gate
//! would say. Nothing is computed for commits that were pushed already.

mod branch;
pub mod server;
mod who;

use std::path::Path;
use std::process::Command;

pub use self::branch::{Branch, Unpushed};
pub use self::who::{Known, Who};
use super::clone_setup::{self, SetupError};
use super::forecast::{self, Forecast, Weather};
use super::prepare_commit_msg::PrepareError;
use super::sent::{self, Evidence, Note, Refusal, Sent, SentError};
use crate::clock::Timestamp;
use crate::git::{GitError, Repository, command};
use crate::ledger::check::chain;
use crate::ledger::follow::{self, FollowError};
use crate::ledger::place::Place;
use crate::ledger::read::{Log, ReadError};
use crate::name::{NameError, Oid, Origin};
use crate::object::certificate;
use crate::policy::Policy;

/// How many entries are searched for answers to pushes; the next look goes on from there.
const SEARCHED_MAX: u64 = 100_000;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandingError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The clone's settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The followed ledger.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A commit that is not pushed yet.
    #[error(transparent)]
    Commit(#[from] PrepareError),
    /// What is remembered of pushes.
    #[error(transparent)]
    Sent(#[from] SentError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The index.
    #[error(transparent)]
    Index(#[from] crate::index::IndexError),
}

/// Where somebody stands.
#[derive(Debug)]
pub struct Standing {
    /// Who they are here.
    pub who: Who,
    /// The ledger that is followed, or could be.
    pub ledger: Ledger,
    /// The policy in force, as far as it is known.
    pub policy: Option<Policy>,
    /// What Git is in the middle of, such as `rebase`.
    pub doing: Option<&'static str>,
    /// Where HEAD stands; none before the first commit.
    pub head: Option<Oid>,
    /// The branch that is checked out.
    pub branch: Option<Branch>,
    /// What the gate would say to a push of that branch now; none where there is nothing to push.
    pub forecast: Option<Forecast>,
    /// Whether the ref that it would be pushed to has got commits that are not in the branch.
    pub overtaken: bool,
    /// What is remembered of pushes.
    pub sent: Sent,
}

/// What is known of the ledger.
#[derive(Debug)]
pub enum Ledger {
    /// The clone has no remote, or several and none is `origin`.
    NoRemote,
    /// The clone is not set up, so no ledger is followed.
    NotSetUp {
        /// The remote that would be.
        remote: String,
    },
    /// None was ever seen.
    None {
        /// The remote.
        remote: String,
        /// Why not, where it was looked for and not reached.
        why: Option<String>,
    },
    /// It is followed.
    Follows(Box<Followed>),
}

/// The followed ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// When its newest entry was made.
    pub newest: Timestamp,
    /// Its name.
    pub origin: Origin,
    /// What is wrong with what the server shows now; nobody should build on that.
    pub problem: Option<String>,
    /// The remote.
    pub remote: String,
    /// When this clone last saw it change.
    pub seen: Option<Timestamp>,
    /// How many entries it has.
    pub size: u64,
    /// Why it is not known just now whether there are newer entries.
    pub unreached: Option<String>,
}

/// How the ledger is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Fetched.
    Now,
    /// As it was fetched before.
    Offline,
}

impl Ledger {
    /// The remote that it is of.
    pub fn remote(&self) -> Option<&str> {
        match self {
            Self::NoRemote => None,
            Self::NotSetUp { remote } | Self::None { remote, .. } => Some(remote),
            Self::Follows(followed) => Some(&followed.remote),
        }
    }
}

impl Standing {
    /// The pushes that have no answer yet, and that the ledger does not hide.
    pub fn waiting(&self) -> impl Iterator<Item = &Note> {
        self.sent.notes.iter().filter(|note| !note.is_taken())
    }

    /// The pushes that the server took and its ledger does not show.
    pub fn hidden(&self) -> impl Iterator<Item = &Note> {
        self.sent.notes.iter().filter(|note| note.is_taken())
    }
}

/// Looks at everything, in the clone that holds `dir`.
pub fn stand(dir: &Path, look: Look, now: Timestamp) -> Result<Standing, StandingError> {
    let repository = Repository::discover(dir)?;
    let evidence = sent::look(&repository).unwrap_or_default();
    let (ledger, is_newest) = ledger(&repository, look)?;
    let policy = policy(&repository);
    let who = who::who(&repository, policy.as_ref(), now)?;
    let sent = answers(&repository, is_newest.then_some(&evidence), now)?;
    let head = repository.resolve("HEAD");
    let branch = branch::branch(dir, &repository, ledger.remote(), who.key.as_ref())?;
    let weather = match (&branch, &ledger) {
        (Some(branch), Ledger::Follows(_)) if !branch.unpushed.is_empty() => Some(foretell(&repository, branch)),
        _ => None,
    };
    let overtaken = weather.as_ref().is_some_and(|weather| is_overtaken(&repository, weather))
        || branch.as_ref().is_some_and(|branch| branch.behind > 0);
    let forecast = weather.map(|weather| weather.forecast);
    Ok(Standing { who, ledger, policy, doing: doing(&repository), head, branch, forecast, overtaken, sent })
}

fn foretell(repository: &Repository, branch: &Branch) -> Weather {
    let command = certificate::Command { new: Some(branch.tip), old: branch.pushed, refname: branch.target.clone() };
    forecast::foretell(repository, vec![command], forecast::will_sign(repository))
}

/// Whether the ledger put a ref at a commit that HEAD does not hold.
fn is_overtaken(repository: &Repository, weather: &Weather) -> bool {
    weather.elsewhere.iter().filter_map(|odd| odd.ledger).any(|tip| !is_in_head(repository, &tip))
}

fn is_in_head(repository: &Repository, commit: &Oid) -> bool {
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    let words = ["merge-base", "--is-ancestor", &commit.to_string(), "HEAD"];
    command::output(command::git(base).args(words)).is_ok()
}

/// The ledger, and whether it was fetched just now.
fn ledger(repository: &Repository, look: Look) -> Result<(Ledger, bool), StandingError> {
    let Some(remote) = clone_setup::remote(repository)? else { return Ok((Ledger::NoRemote, false)) };
    let git_dir = repository.git_dir();
    let place = Place::in_repository(git_dir);
    // To follow a ledger is to trust its key: that is for `init` to do, or a push.
    if repository.config(clone_setup::ACTOR_KEY)?.is_none() && !place.file(follow::LOG_DIR).exists() {
        return Ok((Ledger::NotSetUp { remote }, false));
    }
    let fetched = match look {
        Look::Now => Some(follow::fetch(git_dir, &follow::remote_url(repository, &remote)?, None)),
        Look::Offline => None,
    };
    let error = fetched.as_ref().and_then(|fetched| fetched.as_ref().err());
    let why = error.filter(|error| !matches!(error, FollowError::NoLedger)).map(|error| chain(error));
    let Some(seen) = follow::remembered(git_dir)? else { return Ok((Ledger::None { remote, why }, false)) };
    let contradicts = error.is_some_and(FollowError::is_contradiction);
    let followed = Followed {
        newest: newest(git_dir)?,
        origin: seen.origin().clone(),
        problem: why.clone().filter(|_| contradicts),
        remote,
        seen: modified(&place.file(follow::CHECKPOINT)),
        size: seen.size(),
        unreached: match look {
            Look::Offline => Some("it was not asked".to_owned()),
            Look::Now => why.filter(|_| !contradicts),
        },
    };
    Ok((Ledger::Follows(Box::new(followed)), fetched.is_some_and(|fetched| fetched.is_ok())))
}

fn newest(git_dir: &Path) -> Result<Timestamp, StandingError> {
    let log_repository = follow::repository(git_dir)?.ok_or(ReadError::NoLedger)?;
    let log = Log::open(&log_repository, follow::vkey(git_dir)?.as_ref())?;
    Ok(log.leaf(log.size().saturating_sub(1))?.time())
}

fn modified(path: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?)
}

/// The policy that the followed ledger's tree holds as in force.
fn policy(repository: &Repository) -> Option<Policy> {
    let git_dir = repository.git_dir();
    let ledger = follow::repository(git_dir).ok()??;
    let log = Log::open(&ledger, follow::vkey(git_dir).ok()?.as_ref()).ok()?;
    Policy::parse(&log.policy_view().ok()?).ok()
}

/// What the ledger said to pushes from here, without refusals that nobody minds any more.
fn answers(repository: &Repository, evidence: Option<&Evidence>, now: Timestamp) -> Result<Sent, StandingError> {
    let git_dir = repository.git_dir();
    let place = Place::in_repository(git_dir);
    if let (Some(evidence), Some(ledger)) = (evidence, follow::repository(git_dir)?) {
        let log = Log::open(&ledger, follow::vkey(git_dir)?.as_ref())?;
        // Who may not write here is told all the same.
        let _ = sent::settle(repository, &log, Some(evidence), now, SEARCHED_MAX);
    }
    let _ = sent::give_up(&place, |refusal| is_given_up(repository, refusal));
    Ok(sent::read(&place)?)
}

/// Whether no branch and no tag here holds the refused commit any more.
fn is_given_up(repository: &Repository, refusal: &Refusal) -> bool {
    let Some(new) = refusal.new else { return false };
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    let holds = |git: &mut Command| command::output(git).is_ok_and(|found| !found.is_empty());
    let contains = format!("--contains={new}");
    let words = ["for-each-ref", "--count=1", "--format=x", &contains, "refs/heads", "refs/tags"];
    !holds(command::git(base).args(words)) && !is_in_head(repository, &new)
}

/// What Git is in the middle of.
fn doing(repository: &Repository) -> Option<&'static str> {
    let marks = [
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ];
    marks.into_iter().find(|(file, _)| repository.own_dir().join(file).exists()).map(|(_, word)| word)
}
