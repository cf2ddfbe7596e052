//! `mledger policy check`: does this policy hold together?

use std::path::PathBuf;

use mledger::policy::{Policy, PolicyError};
use serde::Serialize;

use super::{PolicyText, read_policy};
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{BAD, GOOD, TITLE, styled, tame};

const AFTER_HELP: &str = "\
Exits with 1 if there are mistakes, and lists them all.

With --json: ok, name, actors, admins, threshold, roles, rules (counts), and errors with line, column and message.

Example:
  mledger policy check policy.toml";

/// List every mistake in a policy
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The policy [default: the one in force]
    file: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `policy check --json` prints.
#[derive(Debug, Default, Serialize)]
struct Checked {
    ok: bool,
    name: Option<String>,
    actors: usize,
    admins: usize,
    threshold: u64,
    roles: usize,
    rules: usize,
    errors: Vec<Mistake>,
}

#[derive(Debug, Serialize)]
struct Mistake {
    line: usize,
    column: usize,
    message: String,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let policy = read_policy(context, args.file.as_deref(), &args.key)?;
    let checked = match Policy::parse(&policy.text) {
        Ok(policy) => summary(&policy),
        Err(errors) => Checked { errors: errors.into_iter().map(mistake).collect(), ..Checked::default() },
    };
    context.output.result(&checked, || text(&policy, &checked))?;
    Ok(if checked.ok { End::Fine } else { End::Wrong })
}

fn summary(policy: &Policy) -> Checked {
    Checked {
        ok: true,
        name: Some(policy.name().to_owned()),
        actors: policy.actors().count(),
        admins: policy.admin().actors.len(),
        threshold: policy.admin().threshold,
        roles: policy.roles().count(),
        rules: policy.rules().len(),
        errors: Vec::new(),
    }
}

fn mistake(error: PolicyError) -> Mistake {
    Mistake { line: error.line, column: error.column, message: error.message }
}

fn text(policy: &PolicyText, checked: &Checked) -> String {
    let file = tame(&policy.name);
    if !checked.ok {
        let line = |error: &Mistake| {
            let place = styled(TITLE, format_args!("{file}:{}:{}:", error.line, error.column));
            format!("{place} {} {}\n", styled(BAD, "error:"), tame(&error.message))
        };
        return checked.errors.iter().map(line).collect();
    }
    let name = tame(checked.name.as_deref().unwrap_or_default());
    let Checked { actors, admins, threshold, roles, rules, .. } = checked;
    let counts = format!("actors: {actors}, roles: {roles}, rules: {rules}, admins: {admins} ({threshold} must sign)");
    format!("{file}: {} \"{name}\"\n  {counts}\n", styled(GOOD, "fine:"))
}
