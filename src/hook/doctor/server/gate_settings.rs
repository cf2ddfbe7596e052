//! The settings that `init` makes on a server, and others that would lead past the gate.

use super::super::config::is_true;
use super::super::settings::mended_here;
use super::super::{Check, Code, Finding, Fix, Group, Patient, probe};
use crate::entry::leaf::Leaf;
use crate::hook::pusher::LoginSource;
use crate::hook::server_setup::{HIDE_REFS, NONCE_SEED, gate_settings};
use crate::ledger::LOG_REF;
use crate::ledger::read::Log;

/// Lists of refs that are not shown to whoever fetches.
const HIDING: [&str; 2] = ["uploadpack.hideRefs", "transfer.hideRefs"];

/// Refs that a program of its own moves, asked by no hook.
const PROC_RECEIVE: &str = "receive.procReceiveRefs";

/// Looks at each.
pub(super) fn check(patient: &Patient<'_>, log: &Log<'_>) -> Check {
    let mut check = Check::new(Group::Settings);
    let login = match log.leaf(0) {
        Ok(Leaf::Genesis(genesis)) => genesis.login.unwrap_or_else(|| LoginSource::None.word().to_owned()),
        _ => LoginSource::None.word().to_owned(),
    };
    for (key, value) in gate_settings(&patient.options.program, &login) {
        check.add_all(wanted(patient, key, &value));
    }
    if patient.settings.value(NONCE_SEED).is_none_or(str::is_empty) {
        let message = "without a seed no push is asked for a certificate, so nobody can sign one";
        let finding = Finding::wrong(Code::SettingUnset, NONCE_SEED, message);
        check.add(finding.try_this("mledger init").fix(Fix::NonceSeed));
    }
    check.add_all(proc_receive(patient));
    check.add_all(hidden(patient));
    check.note(format!("logins: {login}"))
}

fn wanted(patient: &Patient<'_>, key: &'static str, value: &str) -> Option<Finding> {
    if key == HIDE_REFS {
        return unhidden(patient, key);
    }
    let command = format!("git config --local --replace-all {key} {}", super::super::quoted_text(value));
    let fix = || Fix::Setting { key, value: value.to_owned() };
    let Some(set) = patient.settings.get(key) else {
        let finding = Finding::wrong(Code::SettingUnset, key, format!("`{key}` is not set, and should be `{value}`"));
        return Some(finding.try_this(command).fix(fix()));
    };
    if good(key, &set.value, value) {
        return None;
    }
    let message = format!("`{key}` is `{}` {}, and should be `{value}`", set.value, set.place());
    let finding = match key {
        "mledger.login" => {
            Finding::wrong(Code::LoginDiffers, key, format!("{message}, as the ledger's first entry says"))
        }
        // Another mledger answers Git as well.
        "gpg.ssh.program" if probe::find(&set.value).is_some() => Finding::look(Code::SettingOverridden, key, message),
        _ => Finding::wrong(Code::SettingOverridden, key, message),
    };
    Some(if mended_here(set) { finding.try_this(command).fix(fix()) } else { finding.try_this(set.unset()) })
}

/// Whether a value does what ours does; an administrator may have chosen another limit.
fn good(key: &str, set: &str, value: &str) -> bool {
    match key {
        "receive.maxInputSize" | "receive.certNonceSlop" => {
            let number = set.trim_end_matches(|char: char| char.is_ascii_alphabetic());
            number.parse::<u64>().is_ok_and(|number| number > 0)
        }
        "receive.fsckObjects" => is_true(set),
        "receive.shallowUpdate" => !is_true(set),
        "core.fsync" => {
            let parts: Vec<&str> = set.split(',').map(str::trim).collect();
            parts.contains(&"all") || ["committed", "reference"].iter().all(|part| parts.contains(part))
        }
        _ => set == value,
    }
}

/// The last word on a ref counts, and `!` shows it again.
fn unhidden(patient: &Patient<'_>, key: &'static str) -> Option<Finding> {
    let mut values = patient.settings.all(key).map(|set| set.value.as_str()).rev();
    let last = values.find(|value| covers(value.trim_start_matches('!')));
    if last.is_some_and(|value| !value.starts_with('!')) {
        return None;
    }
    let message = "pushers see the ledger's ref among those to push to";
    let command = format!("git config --local --add {key} {LOG_REF}");
    let fix = Fix::AddSetting { key, value: LOG_REF.to_owned() };
    Some(Finding::wrong(Code::SettingUnset, key, message).try_this(command).fix(fix))
}

/// Whether a pattern of hidden refs speaks of the ledger.
fn covers(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('/');
    LOG_REF.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The ledger must be there to be fetched.
fn hidden(patient: &Patient<'_>) -> Vec<Finding> {
    let hides = |key: &'static str| {
        let last = patient.settings.all(key).rev().find(|set| covers(set.value.trim_start_matches('!')));
        let set = last.filter(|set| !set.value.starts_with('!'))?;
        let message = format!("`{key}` is `{}` {}, so nobody can fetch the ledger", set.value, set.place());
        Some(Finding::wrong(Code::LedgerHidden, key, message).try_this(set.unset()))
    };
    HIDING.into_iter().filter_map(hides).collect()
}

fn proc_receive(patient: &Patient<'_>) -> Option<Finding> {
    let set = patient.settings.get(PROC_RECEIVE)?;
    let message = format!("`{PROC_RECEIVE}` is `{}` {}: such refs move by another program", set.value, set.place());
    Some(Finding::wrong(Code::ProcReceive, PROC_RECEIVE, message).try_this(set.unset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_do_the_same_are_good() {
        for (key, set, value, expected) in [
            ("receive.maxInputSize", "10g", "4294967296", true),
            ("receive.maxInputSize", "0", "4294967296", false),
            ("core.fsync", "all", "committed,reference", true),
            ("core.fsync", "reference, committed", "committed,reference", true),
            ("core.fsync", "objects", "committed,reference", false),
            ("receive.fsckObjects", "1", "true", true),
            ("receive.shallowUpdate", "yes", "false", false),
            ("mledger.login", "http", "none", false),
        ] {
            assert_eq!(good(key, set, value), expected, "{key} {set}");
        }
        for (pattern, expected) in
            [("refs/mledger", true), ("refs/mledger/log", true), ("refs/ml", false), ("refs/heads", false)]
        {
            assert_eq!(covers(pattern), expected, "{pattern}");
        }
    }
}
