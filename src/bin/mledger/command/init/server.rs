//! `mledger init` in a bare repository, told to people and programs.

use std::fmt::Write as _;

use mledger::clock::Timestamp;
use mledger::git::Repository;
use mledger::hook::clone_setup;
use mledger::hook::install::{self, SERVER};
use mledger::hook::pusher::LoginSource;
use mledger::hook::server_setup::{self, Options, Report};
use mledger::ledger::read::Log;
use mledger::policy::Policy;
use mledger::policy::starter::starter;
use serde_json::json;

use super::Args;
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{GOOD, ODD, counted, fitted, read_file, styled, tame};

/// The longest policy that is read, in bytes.
const POLICY_BYTES_MAX: usize = 1 << 20;

/// Puts a gate and a ledger into the bare repository.
pub fn set_up(context: &Context, args: &Args, repository: &Repository) -> Result<End, Failure> {
    server_setup::check(repository)?;
    let policy = match &args.policy {
        Some(policy) => read_file(policy, POLICY_BYTES_MAX)?,
        None => policy_for_caller(context, args, repository)?,
    };
    check(args, &policy)?;
    let login = source(args.login.as_deref().unwrap_or(LoginSource::None.word()))?;
    let last_checkpoint = args.last_checkpoint.as_ref().map(std::path::absolute).transpose()?;
    let program = std::env::current_exe()?;
    let options = Options { last_checkpoint, login, origin: args.origin.clone(), policy, program };
    let report = server_setup::set_up(repository.git_dir(), &options, Timestamp::now())?;
    if let Some(asked) = args.origin.as_ref().filter(|asked| report.existed && **asked != report.origin) {
        context.output.say(format_args!("note: the ledger keeps its name; it is not {asked} now"));
    }
    if let Some(asked) = args.login.as_ref().filter(|asked| report.existed && **asked != report.login) {
        let kept = &report.login;
        context.output.say(format_args!("note: the ledger keeps its source of logins, {kept}; it is not {asked} now"));
    }
    context.output.result(&report, || fitted(&text(&report)))?;
    Ok(End::Fine)
}

fn source(word: &str) -> Result<LoginSource, Failure> {
    let words = LoginSource::ALL.map(LoginSource::word).join(", ");
    let unknown = || Failure::usage(format!("`{word}` is no source of logins; there are {words}"));
    LoginSource::parse(word).ok_or_else(unknown)
}

/// Names every mistake of a policy before anything is made.
fn check(args: &Args, policy: &str) -> Result<(), Failure> {
    let Err(errors) = Policy::parse(policy) else { return Ok(()) };
    let name = args.policy.as_ref().map_or_else(|| "the policy".to_owned(), |path| format!("`{}`", path.display()));
    let list: String = errors.iter().map(|error| format!("\n  {}", tame(&error.to_string()))).collect();
    let failure = Failure::new(format!(
        "{name} has {}, so nothing was set up{list}",
        counted(errors.len(), "mistake", "mistakes")
    ));
    Err(match &args.policy {
        Some(path) => failure.try_this(format!("mledger policy check {}", path.display())),
        None => failure,
    })
}

/// The policy in force, where the gate stands already; else a starter that enrols the caller.
fn policy_for_caller(context: &Context, args: &Args, repository: &Repository) -> Result<String, Failure> {
    if let Ok(log) = Log::open(repository, None) {
        return Ok(log.policy_view()?);
    }
    let options = clone_setup::Options {
        actor: args.actor.clone(),
        home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        key: args.key.clone(),
        program: std::env::current_exe()?,
        remote: None,
        vkey: None,
    };
    let (actor, key, name) = clone_setup::caller(repository, &options)?;
    context.output.say(format_args!(
        "note: no --policy given, so a starter policy enrols you:\n      {actor} with the key\n      {}\n      read it with `mledger policy show`, change it with `mledger policy apply`",
        key.public.id()
    ));
    Ok(starter(&actor, &name, &key.public))
}

/// Takes the gate away; the ledger and its key stay.
pub fn undo(context: &Context, repository: &Repository) -> Result<End, Failure> {
    let done = install::undo(&install::folder(repository)?, &SERVER)?;
    let names: Vec<&str> = done.iter().map(|(name, _)| *name).collect();
    context.output.result(&json!({ "hooks": names }), || {
        "The gate is gone, and every push is accepted. The ledger and its key stay.\n".to_owned()
    })?;
    Ok(End::Fine)
}

fn text(report: &Report) -> String {
    let title =
        if report.existed { "The gate stands already." } else { "The gate stands: no ref moves without an entry." };
    let mut text = styled(GOOD, title) + "\n\n";
    let _ = writeln!(text, "  ledger  {}", report.origin);
    let _ = writeln!(text, "  key     {}", report.vkey);
    if let Some((commits, refs)) = report.baseline {
        let _ = writeln!(
            text,
            "  begins  with {} on {}",
            counted(commits, "commit", "commits"),
            counted(refs, "ref", "refs")
        );
    }
    if report.login != LoginSource::None.word() {
        let _ = writeln!(text, "  logins  {}", report.login);
    }
    if !report.chained.is_empty() {
        let _ = writeln!(text, "  hooks   kept, and run first: {}", report.chained.join(", "));
    }
    if report.policy_differs {
        let _ =
            writeln!(text, "  {ODD}policy{ODD:#}  the one in force stays; a clone's `mledger policy apply` changes it");
    }
    text
}
