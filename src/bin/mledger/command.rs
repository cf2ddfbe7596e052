//! The commands. One file per verb under `command/`, each with `Args` and
//! `run(&Context, &Args) -> Result<End, Failure>`.
//!
//! A new verb is its `mod` line, a variant of [`Command`] and an arm of [`run`].

mod check;
mod commit;
mod completions;
mod demo;
mod doctor;
mod export;
mod hook;
mod import;
mod init;
mod key;
mod log;
mod man;
mod overview;
pub mod policy;
mod prove;
mod reconcile;
mod resign;
mod show;
mod status;
mod verify;
mod verify_proof;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::context::Context;
use crate::error::Failure;

/// A signed, verifiable ledger under Git repositories of models and configuration.
#[derive(Debug, Parser)]
#[command(name = "mledger", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 fine, 1 failed, 2 usage, 3 denied by policy, 4 verification found something.

Example:
  mledger log -n 20";

impl Cli {
    /// Reads the words of a command line. Help and version come back as errors, as clap does it.
    pub fn read(words: Vec<OsString>) -> Result<Self, clap::Error> {
        if words.get(1).is_some_and(|word| word == "hook") {
            let HookLine { global, args } = HookLine::try_parse_from(words.into_iter().skip(1))?;
            return Ok(Self { command: Command::Hook(args), global });
        }
        let mut command = overview::with_overview(Self::command());
        let matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// The line of a shim. Git waits for three of them at every commit, and describing all the other verbs takes a third of
/// what such a process computes.
#[derive(Debug, Parser)]
#[command(
    name = "mledger hook",
    after_help = "Example:\n  mledger hook pre-push origin https://git.bank.example/models"
)]
struct HookLine {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    args: hook::Args,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Work as if started in DIR
    // Not `dir`: the name has to differ from those of every command's own arguments.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub start_dir: Option<PathBuf>,
    /// Print results as JSON: one value, lists one per line
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value_t = ColorChoice::Auto, global = true)]
    pub color: ColorChoice,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Args),
    Status(status::Args),
    Verify(verify::Args),
    Log(log::Args),
    Show(show::Args),
    Prove(prove::Args),
    VerifyProof(verify_proof::Args),
    Commit(commit::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Resign(resign::Args),
    Key(key::Args),
    Policy(policy::Args),
    Import(import::Args),
    Reconcile(reconcile::Args),
    Export(export::Args),
    Completions(completions::Args),
    Man(man::Args),
    Demo(demo::Args),
    Hook(hook::Args),
}

/// Runs the verb.
pub fn run(context: &Context, command: &Command) -> Result<End, Failure> {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Log(args) => log::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Prove(args) => prove::run(context, args),
        Command::VerifyProof(args) => verify_proof::run(context, args),
        Command::Commit(args) => commit::run(context, args),
        Command::Check(args) => check::run(context, args),
        Command::Doctor(args) => doctor::run(context, args),
        Command::Resign(args) => resign::run(context, args),
        Command::Key(args) => key::run(context, args),
        Command::Policy(args) => policy::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Reconcile(args) => reconcile::run(context, args),
        Command::Export(args) => export::run(context, args),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(context, args),
        Command::Demo(args) => demo::run(context, args),
        Command::Hook(args) => hook::run(context, args),
    }
}

/// What a command that ran to its end has to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All is well.
    Fine,
    /// What was to be checked is wrong.
    Wrong,
    /// The policy says no.
    Denied,
    /// Verification found something.
    Found,
}

impl End {
    /// The exit code.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fine => 0,
            Self::Wrong => 1,
            Self::Denied => 3,
            Self::Found => 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_sound_and_shows_an_example() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} says nothing about itself");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("mledger"), "{name} has no example");
            command.get_subcommands().for_each(check);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        check(&command);
    }
}
