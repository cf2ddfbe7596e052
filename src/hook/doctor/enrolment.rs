//! Whether the policy in force knows the key that signs here, as the actor who is configured, and until when.

use super::{Check, Code, EXPIRES_SOON_MS, Finding, Group, Patient, file, quoted_text};
use crate::clock::Timestamp;
use crate::hook::clone_setup::ACTOR_KEY;
use crate::identity::key::PublicKey;
use crate::ledger::check::chain;
use crate::ledger::follow::{self, VKEY};
use crate::ledger::read::Log;
use crate::policy::Policy;
use crate::policy::actor::{Actor, KeyProblem};
use crate::tlog::key::VerifierKey;

/// Asks the policy.
pub(super) fn check(patient: &Patient<'_>, key: Option<&PublicKey>) -> Check {
    let mut check = Check::new(Group::Enrolment);
    let Some(key) = key else { return check.note("not asked without a key") };
    let Some(text) = policy_text(patient) else { return check.note("not asked without a ledger") };
    let Ok(policy) = Policy::parse(&text) else {
        let message = "the policy in force cannot be read by this version of mledger";
        check.add(Finding::look(Code::PolicyUnreadable, "policy", message).try_this("mledger policy check"));
        return check;
    };
    let now = patient.options.now;
    match policy.actor_of_key(key.id(), now) {
        Err(problem) => {
            check.add(unknown(&problem));
            check
        }
        Ok(actor) => {
            check.add_all(configured_otherwise(patient, actor));
            check.add_all(expires(actor, key, now));
            let roles = if actor.roles.is_empty() { "no role".to_owned() } else { actor.roles.join(", ") };
            check.note(format!("{} ({roles})", actor.id))
        }
    }
}

/// The policy of the followed ledger, where that can be read: otherwise it was said already.
fn policy_text(patient: &Patient<'_>) -> Option<String> {
    let vkey = file::read_text(&patient.place.file(VKEY)).ok()??;
    let vkey = VerifierKey::parse(vkey.trim_end_matches('\n')).ok()?;
    let repository = follow::repository(patient.repository.git_dir()).ok()??;
    Log::open(&repository, Some(&vkey)).ok()?.policy_view().ok()
}

fn unknown(problem: &KeyProblem) -> Finding {
    let code = match problem {
        KeyProblem::Unknown { .. } => Code::NotEnrolled,
        KeyProblem::NotYetValid { .. } => Code::KeyNotYetValid,
        KeyProblem::Expired { .. } => Code::KeyExpired,
        KeyProblem::Revoked { .. } => Code::KeyRevoked,
        KeyProblem::ActorExpired { .. } => Code::ActorExpired,
    };
    let message = format!("{}: the gate refuses what you push", chain(problem));
    let command = "mledger init     (prints the lines that an administrator puts into the policy)";
    Finding::wrong(code, "key", message).try_this(command)
}

fn configured_otherwise(patient: &Patient<'_>, actor: &Actor) -> Option<Finding> {
    let configured = patient.settings.value(ACTOR_KEY).unwrap_or_default();
    if configured == actor.id.as_str() {
        return None;
    }
    let message = format!("you are `{configured}` here, and the policy knows your key as {}", actor.id);
    let command = format!("mledger init --actor {}", quoted_text(actor.id.as_str()));
    Some(Finding::look(Code::ActorDiffers, ACTOR_KEY, message).try_this(command))
}

fn expires(actor: &Actor, key: &PublicKey, now: Timestamp) -> Option<Finding> {
    let until = last_moment(actor, key.id())?;
    if until.millis().saturating_sub(now.millis()) > EXPIRES_SOON_MS {
        return None;
    }
    let message = format!("your key is valid until {until}");
    let command = "ssh-keygen -t ed25519 -f ~/.ssh/NEW && mledger init --key ~/.ssh/NEW     (prints the lines that an administrator puts into the policy)";
    Some(Finding::look(Code::KeyExpires, "key", message).try_this(command))
}

/// The first moment at which a key of the actor counts no more, if one is set.
pub(super) fn last_moment(actor: &Actor, key: &crate::identity::key::KeyId) -> Option<Timestamp> {
    let found = actor.keys.iter().find(|each| each.public.id() == key)?;
    [found.until, found.revoked, actor.until].into_iter().flatten().min()
}
