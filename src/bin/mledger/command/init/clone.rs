//! `mledger init` in a clone, told to people and programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use mledger::hook::clone_setup::{
    self, Found, LedgerState, Options, PassedOver, Report, Restored, Setting, SigningKey,
};
use mledger::hook::install::Done;
use mledger::ledger::follow::Followed;
use serde_json::{Value, json};

use super::Args;
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::keeping;
use crate::output::{GOOD, ODD, TITLE, counted, first_line, fitted, styled, tame};

/// Sets up the clone that holds the current folder.
pub fn set_up(context: &Context, args: &Args) -> Result<End, Failure> {
    let options = Options {
        actor: args.actor.clone(),
        home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        key: args.key.clone(),
        program: std::env::current_exe()?,
        remote: args.remote.clone(),
        vkey: args.vkey.clone(),
    };
    let report = clone_setup::set_up(Path::new("."), &options)?;
    context.output.result(&value(&report), || text(&report))?;
    Ok(End::Fine)
}

/// Takes it back.
pub fn undo(context: &Context) -> Result<End, Failure> {
    let undone = clone_setup::undo(Path::new("."))?;
    let value = json!({"hooks": hooks(&undone.hooks), "kept": undone.left, "left": undone.settings.left, "settings": settings(&undone.settings.settings)});
    context.output.result(&value, || {
        let nothing =
            undone.hooks.iter().all(|(_, done)| *done == Done::Unchanged) && undone.settings == Restored::default();
        let title = if nothing {
            "There is nothing to undo here.\n"
        } else {
            "This clone is as it was. Your key and your commits stay.\n"
        };
        let mut text = title.to_owned();
        for path in &undone.left {
            let path = path.to_string_lossy();
            let _ = writeln!(text, "  {ODD}kept{ODD:#}    {}: another hook is in its place by now", tame(&path));
        }
        text + &restored_text(&undone.settings)
    })?;
    Ok(End::Fine)
}

fn value(report: &Report) -> Value {
    json!({
        "actor": report.actor,
        "enrolment": report.enrolment,
        "hooks": hooks(&report.hooks),
        "hooks-path": report.hooks_path,
        "key": key_value(&report.key),
        "ledger": ledger_value(&report.ledger),
        "settings": settings(&report.settings),
    })
}

pub(super) fn key_value(key: &SigningKey) -> Value {
    json!({
        "configured": key.configured,
        "custody": key.custody.word(),
        "fingerprint": key.public.id(),
        "found": found_word(key.found),
        "passed-over": passed_over(&key.passed_over),
        "public": key.public.to_string(),
    })
}

fn ledger_value(ledger: &LedgerState) -> Value {
    match ledger {
        LedgerState::NoRemote => json!({"state": "no-remote"}),
        LedgerState::NotYet { remote } => json!({"remote": remote, "state": "not-yet"}),
        LedgerState::Unreachable { remote, error } => {
            json!({"error": error.to_string(), "remote": remote, "state": "unreachable"})
        }
        LedgerState::Follows { enrolled, followed, remote } => json!({
            "enrolled": enrolled,
            "origin": followed.new.origin(),
            "remote": remote,
            "root": followed.new.root(),
            "size": followed.new.size(),
            "state": "follows",
            "vkey": followed.vkey.to_string(),
            "vkey-on-trust": followed.vkey_on_trust,
        }),
    }
}

fn hooks(hooks: &[(&'static str, Done)]) -> BTreeMap<&'static str, &'static str> {
    hooks.iter().map(|(name, done)| (*name, done_word(*done))).collect()
}

pub(super) fn settings(settings: &[Setting]) -> Vec<Value> {
    settings.iter().map(|setting| json!({"key": setting.key, "new": setting.new, "old": setting.old})).collect()
}

fn passed_over(keys: &[PassedOver]) -> Vec<Value> {
    keys.iter().map(|key| json!({"place": key.place, "why": key.why})).collect()
}

pub(super) fn done_word(done: Done) -> &'static str {
    match done {
        Done::Installed => "installed",
        Done::Chained => "chained",
        Done::Renewed => "renewed",
        Done::Unchanged => "unchanged",
        Done::Removed => "removed",
        Done::Restored => "restored",
        Done::RestoredNewest => "restored-newest",
        Done::Foreign => "foreign",
    }
}

fn found_word(found: Found) -> &'static str {
    match found {
        Found::Given => "given",
        Found::Configured => "configured",
        Found::Home => "home",
        Found::Agent => "agent",
        Found::Made => "made",
    }
}

fn text(report: &Report) -> String {
    let same = report.settings.is_empty() && report.hooks.iter().all(|(_, done)| *done == Done::Unchanged);
    let title = if same {
        "This clone is set up already: `git commit` signs what it changes."
    } else {
        "From now on, `git commit` in this clone signs what it changes."
    };
    let mut text = styled(GOOD, title) + "\n\n";
    let _ = writeln!(text, "  actor   {}", report.actor);
    text += &key_text(&report.key);
    text += &hooks_text(report);
    text += &settings_text(&report.settings);
    if report.replaces_format {
        text += "          in this clone alone; everywhere else Git signs as before\n";
    }
    text += &ledger_text(&report.ledger);
    // What follows may be pasted into a file.
    fitted(&text)
        + &match &report.ledger {
            LedgerState::Follows { enrolled: Some(actor), .. } => {
                format!("\nThe policy knows this key as {}.\n", styled(TITLE, actor))
            }
            LedgerState::Unreachable { .. } => format!(
                "\nIf the policy does not know this key yet, send these lines to its administrator:\n\n{}",
                tame_lines(&report.enrolment)
            ),
            _ => format!("\nSend these lines to the administrator of the policy:\n\n{}", tame_lines(&report.enrolment)),
        }
}

pub(super) fn key_text(key: &SigningKey) -> String {
    let mut text = format!("  key     {} ({})\n", key.public.id(), key_story(key));
    for PassedOver { place, why } in &key.passed_over {
        let _ = writeln!(text, "          {ODD}not{ODD:#} {}: {}", tame(place), tame(why));
    }
    for line in keeping::advice(&key.custody, &key.public) {
        let _ = writeln!(text, "          {line}");
    }
    text
}

fn key_story(key: &SigningKey) -> String {
    let configured = tame(&key.configured);
    match key.found {
        Found::Agent => "held by your SSH agent".to_owned(),
        Found::Made => format!("made now, {configured}"),
        Found::Given | Found::Configured | Found::Home => configured,
    }
}

fn hooks_text(report: &Report) -> String {
    let hooks = &report.hooks;
    let names = |wanted: &[Done]| -> Vec<&str> {
        hooks.iter().filter(|(_, done)| wanted.contains(done)).map(|(name, _)| *name).collect()
    };
    let mut text = String::new();
    let new = names(&[Done::Installed, Done::Chained, Done::Renewed]);
    if !new.is_empty() {
        let _ = writeln!(text, "  hooks   {}", new.join(", "));
    }
    let chained = names(&[Done::Chained]);
    if let (Some(path), false) = (&report.hooks_path, new.is_empty()) {
        let _ = writeln!(text, "          in .git/mledger/shims; those in {} run first", tame(path));
    } else if !chained.is_empty() {
        let _ = writeln!(text, "          kept, and run, too: {}", chained.join(", "));
    }
    text
}

/// What became of settings when they were taken back.
pub(super) fn restored_text(restored: &Restored) -> String {
    let left = |key: &String| format!("  {ODD}config{ODD:#}  {key} was changed in between, and stays\n");
    settings_text(&restored.settings) + &restored.left.iter().map(left).collect::<String>()
}

pub(super) fn settings_text(settings: &[Setting]) -> String {
    let line = |setting: &Setting| {
        let new = setting.new.as_deref().map_or_else(|| "not set here".to_owned(), tame);
        let was = setting.old.as_deref().map(|old| format!(" (was {})", tame(old))).unwrap_or_default();
        format!("  config  {} = {new}{was}\n", setting.key)
    };
    settings.iter().map(line).collect()
}

fn ledger_text(ledger: &LedgerState) -> String {
    match ledger {
        LedgerState::NoRemote => {
            "  ledger  none: this clone has no remote called origin; once it knows the one with the gate:\n          \
             mledger init --remote NAME\n"
                .to_owned()
        }
        LedgerState::NotYet { remote } => {
            format!("  ledger  none yet in {}; it is looked for at every push\n", tame(remote))
        }
        LedgerState::Unreachable { remote, error } => {
            let why = first_line(&error.to_string());
            format!("  ledger  {ODD}not reached{ODD:#} in {}: {why}\n", tame(remote))
        }
        LedgerState::Follows { followed, remote, .. } => followed_text(followed, remote),
    }
}

fn followed_text(followed: &Followed, remote: &str) -> String {
    let new = &followed.new;
    let mut text =
        format!("  ledger  {}, {}, from {}\n", new.origin(), counted(new.size(), "entry", "entries"), tame(remote));
    if followed.vkey_on_trust {
        let _ = writeln!(text, "          trusted at first sight; compare its key with your administrator's:");
        let _ = writeln!(text, "          {}", followed.vkey);
    }
    text
}

pub(super) fn tame_lines(text: &str) -> String {
    text.lines().map(|line| tame(line) + "\n").collect()
}
