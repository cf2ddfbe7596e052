//! `mledger init --global`, told to people and programs.

use std::fmt::Write as _;

use mledger::hook::clone_setup::machine::{self, Report};
use mledger::hook::clone_setup::{KeyError, Options};
use mledger::hook::install::{Done, NEW_CLONE};
use serde_json::{Value, json};

use super::Args;
use super::clone::{done_word, key_text, key_value, restored_text, settings, settings_text, tame_lines};
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{GOOD, ODD, fitted, styled, tame};

/// Sets up the machine for the person who types.
pub fn set_up(context: &Context, args: &Args) -> Result<End, Failure> {
    let options =
        Options { home: home(), key: args.key.clone(), program: std::env::current_exe()?, ..Options::default() };
    let report = machine::set_up(&options)?;
    context.output.result(&value(&report), || text(&report))?;
    Ok(End::Fine)
}

/// Takes it back.
pub fn undo(context: &Context) -> Result<End, Failure> {
    let undone = machine::undo(&home().ok_or(KeyError::NoHome)?)?;
    let Some(undone) = undone else {
        context
            .output
            .result(&json!({"undone": false}), || "There is nothing to undo on this machine.\n".to_owned())?;
        return Ok(End::Fine);
    };
    let value = json!({
        "config": undone.config,
        "exact": undone.exact,
        "left": undone.settings.left,
        "settings": settings(&undone.settings.settings),
        "undone": true,
    });
    context.output.result(&value, || {
        let config = tame(&undone.config.to_string_lossy());
        let how = if undone.exact {
            format!("{config} is as it was, byte for byte.")
        } else {
            format!("{config} was changed in between: only what mledger had set was taken back.")
        };
        let kept = "Your key and your clones stay; `mledger init --undo` takes back what is set in a clone.";
        format!("{how}\n{kept}\n\n") + &restored_text(&undone.settings)
    })?;
    Ok(End::Fine)
}

fn home() -> Option<std::path::PathBuf> {
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

fn value(report: &Report) -> Value {
    let overruled = report.overruled.iter().map(|(key, origin)| json!({"key": key, "origin": origin}));
    json!({
        "actor": report.actor,
        "config": report.config,
        "enrolment": report.enrolment,
        "hook": done_word(report.hook),
        "hooks-path": report.hooks_path,
        "keeps": report.keeps,
        "key": key_value(&report.key),
        "overruled": overruled.collect::<Vec<_>>(),
        "settings": settings(&report.settings),
        "template": report.template,
    })
}

fn text(report: &Report) -> String {
    let title = if report.settings.is_empty() && report.hook == Done::Unchanged {
        "This machine is set up already: a new clone of a repository with a ledger sets itself up."
    } else {
        "From now on, a new clone of a repository with a ledger sets itself up."
    };
    let mut text = styled(GOOD, title) + "\n\n";
    let _ = writeln!(text, "  actor   {}", report.actor);
    text += &key_text(&report.key);
    let template = report.template.to_string_lossy();
    let _ = writeln!(text, "  hook    {}/hooks/{NEW_CLONE}: asks a new clone's remote, once", tame(&template));
    text += &settings_text(&report.settings);
    text += &exceptions(report);
    // What follows may be pasted into a file.
    text = fitted(&text);
    text += "\nA clone that you have already: type `mledger init` in it.\n";
    text + &format!("\nSend these lines to the administrator of a policy:\n\n{}", tame_lines(&report.enrolment))
}

fn exceptions(report: &Report) -> String {
    let mut text = String::new();
    if let Some(format) = &report.keeps {
        let _ = writeln!(
            text,
            "          you sign with {} elsewhere, and go on so; clones with a ledger use SSH",
            tame(format)
        );
    }
    for (key, origin) in &report.overruled {
        let _ = writeln!(text, "  {ODD}config{ODD:#}  {key} is overruled by {}", tame(origin));
    }
    if let Some(path) = &report.hooks_path {
        let _ = writeln!(
            text,
            "  {ODD}hooks{ODD:#}   core.hooksPath is {}, so Git runs no hook of a new clone:",
            tame(path)
        );
        let _ = writeln!(text, "          type `mledger init` in each clone");
    }
    text
}
