//! `mledger status`.

mod next;
mod server;
mod text;

use mledger::clock::Timestamp;
use mledger::git::Kind;
use mledger::hook::forecast::Forecast;
use mledger::hook::forge;
use mledger::hook::sent::Note;
use mledger::hook::standing::{self, Branch, Ledger, Look, Standing};
use mledger::ledger::place::Place;
use serde_json::{Value, json};

use self::next::{Step, next};
use super::End;
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Who you are here, what the ledger is, what of your branch is not pushed yet, what the gate would say to that, and what to \
do next. In a server's repository: its ledger, and the refs that nothing explains.
Exit code 1: something is wrong that you should look at.

Examples:
  mledger status
  mledger status --offline";

/// Say where you stand, and what to do next
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Do not fetch the ledger first
    #[arg(long)]
    offline: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let repository = context.repository()?;
    let is_clone =
        repository.work_dir().is_some() || Place::in_repository(repository.git_dir()).file("log.git").exists();
    if !is_clone {
        return server::run(context);
    }
    let now = Timestamp::now();
    let look = if args.offline { Look::Offline } else { Look::Now };
    let standing = standing::stand(&context.dir, look, now)?;
    let is_forges = |oid: &_| repository.read(oid, Kind::Commit).is_ok_and(|raw| forge::is_forges(&raw));
    let steps = next(&standing, &is_forges);
    context.output.result(&value(&standing, &steps), || text::of(&standing, &steps, now))?;
    Ok(if is_well(&standing) { End::Fine } else { End::Wrong })
}

/// Whether nothing is wrong: a ledger that contradicts itself, a key that does not count, a push that will be or was
/// refused.
fn is_well(standing: &Standing) -> bool {
    let holds = !matches!(&standing.ledger, Ledger::Follows(followed) if followed.problem.is_some());
    let counts = standing.who.known.as_ref().is_none_or(|known| known.problem.is_none());
    let passes = !matches!(&standing.forecast, Some(Forecast::Against(checked)) if !checked.tolerated);
    holds && counts && passes && standing.hidden().next().is_none() && standing.sent.refusals.is_empty()
}

fn value(standing: &Standing, steps: &[Step]) -> Value {
    json!({
        "branch": standing.branch.as_ref().map(branch),
        "doing": standing.doing,
        "gate": standing.forecast.as_ref().map(gate),
        "head": standing.head,
        "kind": "clone",
        "ledger": ledger(&standing.ledger),
        "next": steps.iter().map(|step| json!({"command": step.command, "why": step.why})).collect::<Vec<_>>(),
        "ok": is_well(standing),
        "overtaken": standing.overtaken,
        "pushes": {
            "hidden": standing.hidden().map(push).collect::<Vec<_>>(),
            "receipts": standing.sent.receipts.len(),
            "refused": standing.sent.refusals,
            "waiting": standing.waiting().map(push).collect::<Vec<_>>(),
        },
        "who": standing.who,
    })
}

fn branch(branch: &Branch) -> Value {
    json!({
        "behind": branch.behind,
        "ref": branch.name,
        "target": branch.target,
        "tip": branch.tip,
        "unpushed": branch.unpushed,
        "upstream": branch.upstream,
    })
}

fn gate(forecast: &Forecast) -> Value {
    match forecast {
        Forecast::Quiet => json!({"answer": "accept"}),
        Forecast::Against(checked) => {
            let answer = if checked.tolerated { "tolerate" } else { "refuse" };
            json!({"answer": answer, "reasons": checked.decision.reasons})
        }
        Forecast::Late => json!({"answer": "unknown", "why": "it takes too long"}),
        Forecast::Unknown(why) => json!({"answer": "unknown", "why": why}),
    }
}

fn ledger(ledger: &Ledger) -> Value {
    match ledger {
        Ledger::NoRemote => json!({"state": "no-remote"}),
        Ledger::NotSetUp { remote } => json!({"remote": remote, "state": "not-set-up"}),
        Ledger::None { remote, why } => json!({"remote": remote, "state": "none", "unreached": why}),
        Ledger::Follows(followed) => json!({
            "newest": followed.newest,
            "origin": followed.origin,
            "problem": followed.problem,
            "remote": followed.remote,
            "seen": followed.seen,
            "size": followed.size,
            "state": "follows",
            "unreached": followed.unreached,
        }),
    }
}

fn push(note: &Note) -> Value {
    let update = |update: &mledger::hook::sent::Update| json!({"new": update.new, "ref": update.refname});
    json!({"remote": note.remote, "time": note.time, "updates": note.updates.iter().map(update).collect::<Vec<_>>()})
}
