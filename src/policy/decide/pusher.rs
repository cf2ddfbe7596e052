//! Condition 1: the pusher is known.

use super::findings::Findings;
use crate::name::ActorId;
use crate::policy::actor::{Actor, KeyProblem, LoginProblem};
use crate::policy::document::Policy;
use crate::policy::facts::{Facts, Pusher};
use crate::policy::reason::{Code, Reason};

/// The actor who pushes, or the reason why nobody does.
pub(super) fn check<'a>(policy: &'a Policy, facts: &Facts, findings: &mut Findings) -> Option<&'a Actor> {
    let found = match &facts.pusher {
        Pusher::Certificate { key } => policy.actor_of_key(key, facts.time).map_err(|problem| key_reason(&problem)),
        Pusher::Login { login } => policy.actor_of_login(login, facts.time).map_err(login_reason),
        Pusher::Refused { why } => Err(Reason::new(Code::PusherRefused).with_detail(why)),
        Pusher::Unknown => Err(Reason::new(Code::PusherUnknown)),
    };
    found.map_err(|reason| findings.note(reason)).ok()
}

/// Why a key does not speak for anybody.
pub(super) fn key_reason(problem: &KeyProblem) -> Reason {
    let (code, actor, key) = match problem {
        KeyProblem::Unknown { key } => (Code::KeyUnknown, None, Some(key)),
        KeyProblem::NotYetValid { actor, key, .. } => (Code::KeyNotYetValid, Some(actor), Some(key)),
        KeyProblem::Expired { actor, key, .. } => (Code::KeyExpired, Some(actor), Some(key)),
        KeyProblem::Revoked { actor, key, .. } => (Code::KeyRevoked, Some(actor), Some(key)),
        KeyProblem::ActorExpired { actor, .. } => (Code::ActorExpired, Some(actor), None),
    };
    let since = match problem {
        KeyProblem::Unknown { .. } => None,
        KeyProblem::NotYetValid { from, .. } => Some(format!("valid from {from}")),
        KeyProblem::Expired { until, .. } | KeyProblem::ActorExpired { until, .. } => Some(format!("until {until}")),
        KeyProblem::Revoked { revoked, .. } => Some(format!("revoked at {revoked}")),
    };
    Reason { actor: actor.cloned(), detail: since, key: key.cloned(), ..Reason::new(code) }
}

fn login_reason(problem: LoginProblem) -> Reason {
    match problem {
        LoginProblem::Unknown { login } => Reason::new(Code::LoginUnknown).with_detail(&login),
        LoginProblem::ActorExpired { actor, until } => expired(actor, &format!("until {until}")),
        LoginProblem::Key(problem) => key_reason(&problem),
    }
}

fn expired(actor: ActorId, since: &str) -> Reason {
    Reason { actor: Some(actor), ..Reason::new(Code::ActorExpired).with_detail(since) }
}
