//! `mledger policy …`: the policy's life. One file per verb under `policy/`.

mod apply;
mod check;
mod explain;
mod show;

use std::path::Path;

use clap::Subcommand;
use mledger::policy::Policy;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::read_file;

/// Show, check, explain and change the policy
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mledger policy check policy.toml")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Apply(apply::Args),
    Check(check::Args),
    Explain(explain::Args),
    Show(show::Args),
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    match &args.verb {
        Verb::Apply(args) => apply::run(context, args),
        Verb::Check(args) => check::run(context, args),
        Verb::Explain(args) => explain::run(context, args),
        Verb::Show(args) => show::run(context, args),
    }
}

/// A policy's text, and what to call it.
pub struct PolicyText {
    name: String,
    /// The text itself.
    pub text: String,
}

/// The policy in `file`, or the one in force.
pub fn read_policy(context: &Context, file: Option<&Path>, key: &KeyArgs) -> Result<PolicyText, Failure> {
    if let Some(file) = file {
        return Ok(PolicyText { name: file.display().to_string(), text: read_file(file, Policy::TEXT_BYTES_MAX)? });
    }
    let source = context.source(key)?;
    let text = context.open(&source)?.policy_view()?;
    Ok(PolicyText { name: "policy in force".to_owned(), text })
}
