//! `mledger policy explain`: what the policy means for somebody, and who may do what where.

use std::io::Write;
use std::path::PathBuf;

use mledger::clock::Timestamp;
use mledger::name::{ActorId, RefName, RepoPath};
use mledger::policy::Policy;
use mledger::policy::explain::{Answer, explain, explain_question};
use mledger::policy::role::Action;
use serde::Serialize;

use super::read_policy;
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{BAD, GOOD, styled, tame, write_json};

const AFTER_HELP: &str = "\
Without --ref: everything that the policy says of the actor, or of each. With --ref: whether the actor, or who, \
may do it there now; for one actor who may not, it exits with 3.

With --json: one explanation or answer per line.

Example:
  mledger policy explain --actor alice@bank.example
  mledger policy explain --ref main --action update --path models/credit/model.onnx";

/// Say what the policy means for an actor, a ref or a path
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// For this actor [default: for each]
    #[arg(long, value_name = "ID", value_parser = ActorId::parse)]
    actor: Option<ActorId>,
    /// Doing something on this ref: its full name, or a branch's
    #[arg(long = "ref", value_name = "REF", value_parser = parse_ref)]
    refname: Option<RefName>,
    /// At this path [default: at any]
    #[arg(long, value_name = "PATH", value_parser = parse_path, requires = "refname")]
    path: Option<RepoPath>,
    /// Doing this [default: update]
    #[arg(long, value_parser = parse_action, requires = "refname")]
    action: Option<Action>,
    /// By the policy in this file [default: by the one in force]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `policy explain --ref --json` prints for each actor.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    actor: &'a ActorId,
    granted: bool,
    #[serde(flatten)]
    answer: Answer,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let text = read_policy(context, args.policy.as_deref(), &args.key)?;
    let policy = Policy::parse(&text.text).map_err(|errors| {
        let first = errors.first().map(ToString::to_string).unwrap_or_default();
        let check = args.policy.as_ref().map(|file| format!("mledger policy check {}", file.display()));
        let check = check.unwrap_or_else(|| "mledger policy check".to_owned());
        Failure::new(first).of(format!("`{}` does not hold together", text.name)).try_this(check)
    })?;
    let actors: Vec<&ActorId> = match &args.actor {
        Some(actor) => vec![actor],
        None => policy.actors().map(|actor| &actor.id).collect(),
    };
    match &args.refname {
        Some(refname) => answer(context, args, &policy, &actors, refname),
        None => explain_all(context, &policy, &actors),
    }
}

fn explain_all(context: &Context, policy: &Policy, actors: &[&ActorId]) -> Result<End, Failure> {
    let mut results = context.output.results();
    for actor in actors {
        let Some(explanation) = explain(policy, actor) else {
            return Err(Failure::new(format!("the policy has no actor `{actor}`")).try_this("mledger policy explain"));
        };
        if context.output.is_json() {
            write_json(&mut results, &explanation)?;
        } else {
            // Line by line, since line ends are no wild characters here.
            explanation.to_string().lines().try_for_each(|line| writeln!(results, "{}", tame(line)))?;
        }
    }
    results.flush()?;
    Ok(End::Fine)
}

fn answer(
    context: &Context,
    args: &Args,
    policy: &Policy,
    actors: &[&ActorId],
    refname: &RefName,
) -> Result<End, Failure> {
    let mut results = context.output.results();
    let action = args.action.unwrap_or(Action::Update);
    let mut granted = false;
    for actor in actors {
        let answer = explain_question(policy, actor, action, refname, args.path.as_ref(), Timestamp::now());
        let judged = Judged { actor, granted: answer.is_granted(), answer };
        granted |= judged.granted;
        if context.output.is_json() {
            write_json(&mut results, &judged)?;
        } else {
            let style = if judged.granted { GOOD } else { BAD };
            writeln!(results, "{}: {}", styled(style, actor), tame(&judged.answer.to_string()))?;
        }
    }
    results.flush()?;
    Ok(if granted || args.actor.is_none() { End::Fine } else { End::Denied })
}

/// A full name, or a branch's.
fn parse_ref(text: &str) -> Result<RefName, String> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    RefName::parse(&full).map_err(|error| error.to_string())
}

/// A path as typed: not quoted as in the ledger.
fn parse_path(text: &str) -> Result<RepoPath, String> {
    RepoPath::from_bytes(text.as_bytes()).map_err(|error| error.to_string())
}

fn parse_action(text: &str) -> Result<Action, String> {
    let all = || Action::ALL.map(Action::as_str).join(", ");
    Action::parse(text).ok_or_else(|| format!("the actions are {}", all()))
}
