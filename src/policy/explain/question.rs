//! May this actor do this there, and by which grant?

use std::fmt;

use serde::Serialize;

use super::{GrantHeld, grant};
use crate::clock::Timestamp;
use crate::name::{ActorId, RefName, RepoPath};
use crate::policy::document::Policy;
use crate::policy::pattern::RefClass;
use crate::policy::role::{Action, Held};

/// The grant that permits it, or the first thing that lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is permitted, as far as grants go; rules may demand more.
    Granted {
        /// The grant.
        grant: GrantHeld,
        /// The role that has it.
        role: String,
        /// The rules that look at this ref and path.
        rules: Vec<String>,
    },
    /// The policy has no such actor.
    ActorUnknown,
    /// The actor was one until then.
    ActorExpired {
        /// The first moment at which it was none.
        until: Timestamp,
    },
    /// Nobody may ever push there.
    RefForbidden,
    /// No role of the actor has the action at all.
    NoAction,
    /// None has it on the ref.
    NoRef {
        /// Where the actor has it instead.
        refs: Vec<String>,
    },
    /// None has it on the ref at the path.
    NoPath {
        /// Where the actor has it on the ref instead.
        paths: Vec<String>,
    },
}

/// Asks whether an actor may do something on a ref, at a path (or at any), at a ledger time.
pub fn explain_question(
    policy: &Policy,
    actor: &ActorId,
    action: Action,
    refname: &RefName,
    path: Option<&RepoPath>,
    at: Timestamp,
) -> Answer {
    let Some(actor) = policy.actor(actor) else { return Answer::ActorUnknown };
    if let Some(until) = actor.expired(at) {
        return Answer::ActorExpired { until };
    }
    if RefClass::of(refname) == RefClass::Never {
        return Answer::RefForbidden;
    }
    let mut held = policy.grants_of(actor);
    held.retain(|held| held.grant.actions.contains(&action));
    if held.is_empty() {
        return Answer::NoAction;
    }
    let (there, elsewhere): (Vec<Held<'_>>, _) = held.into_iter().partition(|held| held.grant.refs.grants(refname));
    if there.is_empty() {
        return Answer::NoRef { refs: elsewhere.iter().map(|held| held.grant.refs.to_string()).collect() };
    }
    match there.iter().find(|held| path.is_none_or(|path| held.grant.paths.grants(path))) {
        Some(held) => Answer::Granted {
            grant: grant(held.grant),
            role: held.role.name.clone(),
            rules: rules(policy, refname, path),
        },
        None => Answer::NoPath { paths: there.iter().map(|held| held.grant.paths.to_string()).collect() },
    }
}

fn rules(policy: &Policy, refname: &RefName, path: Option<&RepoPath>) -> Vec<String> {
    let looks = |rule: &&crate::policy::rule::Rule| {
        rule.refs.touches(refname) && path.is_none_or(|path| rule.paths.touches(path))
    };
    policy.rules().iter().filter(looks).map(|rule| rule.name.clone()).collect()
}

impl Answer {
    /// Whether it is permitted.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted { .. })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { role, rules, .. } if rules.is_empty() => write!(f, "yes, by role `{role}`"),
            Self::Granted { role, rules, .. } => {
                write!(f, "yes, by role `{role}`, where these rules are met: {}", rules.join("; "))
            }
            Self::ActorUnknown => write!(f, "no: the policy has no such actor"),
            Self::ActorExpired { until } => write!(f, "no: was an actor until {until}"),
            Self::RefForbidden => write!(f, "no: nobody may push there"),
            Self::NoAction => write!(f, "no: none of the actor's roles has this action"),
            Self::NoRef { refs } => write!(f, "no: not on this ref, only on {}", refs.join("; ")),
            Self::NoPath { paths } => write!(f, "no: not at this path, only at {}", paths.join("; ")),
        }
    }
}
