//! The policy in force: whether it can be read, and whether anybody can change it next month.

use super::enrolment::last_moment;
use super::{Check, Code, EXPIRES_SOON_MS, Finding, Group, Patient, counted};
use crate::clock::Timestamp;
use crate::ledger::read::Log;
use crate::policy::Policy;
use crate::policy::actor::Actor;

/// Looks at the policy of an open ledger.
pub(super) fn check(patient: &Patient<'_>, log: &Log<'_>) -> Check {
    let mut check = Check::new(Group::Policy);
    let text = match log.policy_view() {
        Ok(text) => text,
        Err(error) => {
            check.add(Finding::unknown("policy", &error));
            return check;
        }
    };
    let policy = match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            let message =
                format!("the policy in force cannot be read by this version, so every push is denied: {first}");
            check.add(Finding::wrong(Code::PolicyUnreadable, "policy", message).try_this("mledger policy show"));
            return check;
        }
    };
    check.add_all(admins(&policy, patient.options.now));
    check.note(format!("`{}`, {}", policy.name(), counted(policy.actors().count() as u64, "actor", "actors")))
}

/// Whether enough admins can sign a change, now and in two weeks.
fn admins(policy: &Policy, now: Timestamp) -> Option<Finding> {
    let admins: Vec<&Actor> = policy.admin().actors.iter().filter_map(|id| policy.actor(id)).collect();
    let able_at = |time| admins.iter().filter(|admin| can_sign(policy, admin, time)).count() as u64;
    let needed = policy.admin().threshold;
    let apply = "mledger policy apply policy.toml     (by an administrator, with keys that last)";
    if able_at(now) < needed {
        let message = format!("{needed} admin(s) must sign a change, and {} have a valid key", able_at(now));
        return Some(Finding::wrong(Code::AdminNone, "admin", message).try_this(apply));
    }
    let soon = Timestamp::from_millis(now.millis().saturating_add(EXPIRES_SOON_MS))?;
    if able_at(soon) < needed {
        let ends =
            admins.iter().flat_map(|admin| admin.keys.iter().filter_map(|key| last_moment(admin, key.public.id())));
        let last = ends.filter(|end| *end > now).min()?;
        let message = format!("from {last} on, too few admins have a valid key, and nobody can change the policy");
        return Some(Finding::look(Code::AdminExpires, "admin", message).try_this(apply));
    }
    None
}

fn can_sign(policy: &Policy, admin: &Actor, time: Timestamp) -> bool {
    admin.keys.iter().any(|key| policy.actor_of_key(key.public.id(), time).is_ok())
}
