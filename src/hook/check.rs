//! The gate's decision on a push that nobody has made yet: in a clone, and in CI where no gate can stand.
//!
//! Everything is read as the gate reads it and decided by the same function. What only a server can know is taken for
//! granted: that the push would be signed, and that the refs stand where the ledger put them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::gate::{GateError, policy_in_force};
use super::gather::{self, GatherError, Sources};
use super::pre_receive::{is_tolerable, judge_logs, unjudged};
use super::pusher::LoginSource;
use super::server_setup::{self, SetupError};
use crate::clock::Timestamp;
use crate::git::{GitError, Repository};
use crate::index::{Index, IndexError};
use crate::ledger::check::chain;
use crate::ledger::place::Place;
use crate::ledger::read::{Log, ReadError};
use crate::name::{ActorId, Oid, Origin, RefName};
use crate::object::certificate::Command;
use crate::policy::Policy;
use crate::policy::decide::decide;
use crate::policy::facts::{Facts, Pusher, Update};
use crate::policy::reason::{Code, Decision};

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// As in the gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A folder for a ledger that stands for a policy alone.
    #[error("a temporary repository cannot be made")]
    Folder(#[from] std::io::Error),
    /// The ledger that stands for a policy alone.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An actor who cannot push.
    #[error("`{0}` has no key that is valid now in this policy")]
    Actor(ActorId),
}

/// A push that is to be judged.
pub struct Push<'a> {
    /// The repository that holds its commits.
    pub repository: &'a Repository,
    /// What it moves.
    pub commands: &'a [Command],
    /// Refs that stand where an authorised push put them, of which the ledger will only say so.
    pub settled: &'a BTreeMap<RefName, Option<Oid>>,
    /// Who pushes; none: that is not judged.
    pub pusher: Option<Pusher>,
    /// The moment of the decision.
    pub now: Timestamp,
    /// How long it may be looked at.
    pub time_max: Duration,
}

/// What the gate would say.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The decision.
    pub decision: Decision,
    /// What would happen to each ref.
    pub updates: Vec<Update>,
    /// The policy that decided.
    pub policy: Policy,
    /// Whether the push would be let through although the policy denies it.
    pub tolerated: bool,
    /// Why it could not be looked at to the end, where no limit of the policy ended that; the decision then denies, and
    /// says no more.
    pub unread: Option<String>,
}

/// Judges a push by a ledger and the index that stands at its head.
pub fn check(log: &Log<'_>, index: &Index, push: &Push<'_>) -> Result<Checked, CheckError> {
    let (policy, _) = policy_in_force(log, index)?;
    let sources = Sources { pushed: push.repository, log, index, policy: &policy, settled: push.settled };
    let mut unread = None;
    let (mut gathered, totals) = match gather::gather(&sources, push.commands, BTreeMap::new(), push.time_max) {
        Ok(gathered) => (gathered, None),
        Err(GatherError::Index(error)) if error.is_damage() => return Err(error.into()),
        Err(error) => {
            unread = error.totals().is_none().then(|| chain(&error));
            (unjudged(push.commands, &error), error.totals())
        }
    };
    let complete = totals.is_none() && unread.is_none();
    judge_logs(log, log.head().checkpoint.origin(), &mut gathered, |_| Ok(false))?;
    let facts = Facts {
        commits: gathered.commits.iter().map(|(oid, found)| (*oid, found.evidence.facts.clone())).collect(),
        pusher: push.pusher.clone().unwrap_or(Pusher::Unknown),
        time: push.now,
        totals,
        updates: gathered.updates.clone(),
    };
    let mut decision = decide(&policy, &facts);
    if push.pusher.is_none() {
        let about_pusher = [Code::PusherUnknown, Code::SignedPushMissing];
        decision.reasons.retain(|reason| !about_pusher.contains(&reason.code));
        decision.accepted = !decision.reasons.iter().any(|reason| reason.code.denies());
    }
    let tolerated = !decision.accepted && complete && is_tolerable(&policy, &decision, &gathered);
    Ok(Checked { decision, updates: facts.updates, policy, tolerated, unread })
}

/// The pusher whom an actor's first valid key makes.
pub fn as_actor(policy: &Policy, actor: &ActorId, now: Timestamp) -> Result<Pusher, CheckError> {
    let keys = policy.actor(actor).map(|actor| actor.keys.as_slice()).unwrap_or_default();
    let valid = keys.iter().map(|key| key.public.id()).find(|key| policy.actor_of_key(key, now).is_ok());
    valid.map(|key| Pusher::Certificate { key: key.clone() }).ok_or_else(|| CheckError::Actor(actor.clone()))
}

/// A ledger in `folder` for a policy alone, whose refs and history are what `refname` reaches at `base`: what stands
/// there already is not judged.
pub fn stand_in(
    folder: &Path,
    repository: &Repository,
    policy: &str,
    refname: &RefName,
    base: Option<&Oid>,
    now: Timestamp,
) -> Result<Repository, CheckError> {
    let bare = Repository::init_bare(folder)?;
    bare.add_alternate(&repository.objects_dir())?;
    // Objects are looked for where they were when it was opened.
    let bare = Repository::open(bare.git_dir())?;
    if let Some(base) = base {
        bare.move_ref(refname, base, None, "check")?;
    }
    let origin = Origin::parse("check.invalid").map_err(SetupError::from)?;
    let place = Place::in_repository(bare.git_dir());
    let options = server_setup::Options {
        policy: policy.to_owned(),
        origin: Some(origin),
        last_checkpoint: None,
        login: LoginSource::None,
        program: std::path::PathBuf::new(),
    };
    server_setup::begin(&bare, &place, &options, now)?;
    Ok(bare)
}
