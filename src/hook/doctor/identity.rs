//! Who commits here.

use super::{Check, Code, Finding, Group, Patient};
use crate::hook::clone_setup::ACTOR_KEY;
use crate::name::ActorId;

/// The name, the address and the actor.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Identity);
    let unset = |key: &str, variables: &[&str]| {
        let set = patient.settings.value(key).is_some_and(|value| !value.is_empty());
        !set && variables.iter().all(|name| std::env::var_os(name).is_none())
    };
    if unset("user.name", &["GIT_AUTHOR_NAME"]) {
        let finding = Finding::look(Code::NameUnset, "user.name", "Git does not know your name");
        check.add(finding.try_this("git config --global user.name 'YOUR NAME'"));
    }
    if unset("user.email", &["GIT_AUTHOR_EMAIL", "EMAIL"]) {
        let finding = Finding::wrong(Code::EmailUnset, "user.email", "Git does not know your e-mail address");
        check.add(finding.try_this("git config --global user.email YOU@BANK.EXAMPLE"));
    }
    let id = patient.settings.value(ACTOR_KEY).unwrap_or_default();
    match ActorId::parse(id) {
        Ok(actor) => check.note(actor.to_string()),
        Err(error) => {
            let message =
                if id.is_empty() { "nothing says who you are to the policy".to_owned() } else { error.to_string() };
            let finding = Finding::wrong(Code::ActorMalformed, ACTOR_KEY, message);
            check.add(finding.try_this("mledger init --actor YOU@BANK.EXAMPLE"));
            check
        }
    }
}
