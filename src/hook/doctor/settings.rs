//! A clone's settings: those that make `git commit` and `git push` sign, and what may stand before them.

use super::config::{Setting, Source, is_true};
use super::{Check, Code, Finding, Fix, Group, Patient, file};
use crate::hook::clone_setup::{ACTOR_KEY, SIGNING};
use crate::hook::install::{self, CLIENT};

/// Whether somebody has set up this clone, and not taken it back.
pub(super) fn is_set_up(patient: &Patient<'_>) -> bool {
    let ours = |name: &&str| {
        let hook = install::folder(patient.repository).map(|folder| folder.join(name));
        hook.is_ok_and(|hook| file::read(&hook).ok().flatten().is_some_and(|text| install::is_ours(&text)))
    };
    patient.settings.all(ACTOR_KEY).any(|set| *set.source() == Source::Own) || CLIENT.iter().any(ours)
}

/// The settings that `init` makes, but for the key and the actor.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Settings);
    for (key, value) in SIGNING {
        let good = |set: &str| match key {
            "gpg.format" => set == value,
            "push.gpgSign" => set.eq_ignore_ascii_case(value) || is_true(set),
            _ => is_true(set),
        };
        check.add_all(wanted(patient, key, value, good));
    }
    check.add_all(another_key(patient));
    check.note("every commit is signed, and every push where the server asks for it")
}

/// A key that stands before this clone's own.
fn another_key(patient: &Patient<'_>) -> Option<Finding> {
    const KEY: &str = "user.signingKey";
    let set = patient.settings.get(KEY).filter(|set| !mended_here(set))?;
    let message = format!("`{KEY}` is `{}` {}, and not what `mledger init` made it", set.value, set.place());
    Some(Finding::look(Code::SettingOverridden, KEY, message).try_this(set.unset()))
}

fn wanted(patient: &Patient<'_>, key: &'static str, value: &str, good: impl Fn(&str) -> bool) -> Option<Finding> {
    let fix = || Fix::Setting { key, value: value.to_owned() };
    let command = format!("git config --local --replace-all {key} {value}");
    let Some(set) = patient.settings.get(key) else {
        let finding = Finding::wrong(Code::SettingUnset, key, format!("`{key}` is not set, and should be {value}"));
        return Some(finding.try_this(command).fix(fix()));
    };
    if good(&set.value) {
        return None;
    }
    let message = format!("`{key}` is `{}` {}, and should be {value}", set.value, set.place());
    let finding = Finding::wrong(Code::SettingOverridden, key, message);
    Some(if mended_here(set) { finding.try_this(command).fix(fix()) } else { finding.try_this(set.unset()) })
}

/// Whether the repository's own value, once set, counts before this one.
pub(super) fn mended_here(set: &Setting) -> bool {
    matches!(set.source(), Source::Own | Source::Outside)
}
