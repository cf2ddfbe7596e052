//! The status of a server's repository.

use std::fmt::Write as _;

use mledger::clock::Timestamp;
use mledger::hook::standing::server::{self, Server};
use mledger::name::Oid;
use serde_json::{Value, json};

use super::next::Step;
use super::text::{ago, next, row};
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{BAD, counted, styled, tame};

/// How many refs are named.
const SHOWN_MAX: usize = 5;

/// Says where a server's repository stands.
pub fn run(context: &Context) -> Result<End, Failure> {
    let source = context.source(&KeyArgs { vkey: None })?;
    if source.ledger().tip(&mledger::ledger::log_ref()?)?.is_none() {
        let steps = vec![Step {
            command: "mledger init".to_owned(),
            why: "puts a gate into this bare repository; its --help says how".to_owned(),
        }];
        context
            .output
            .result(&value(None, &steps), || format!("ledger   none: no gate stands here\n{}", next(&steps)))?;
        return Ok(End::Fine);
    }
    let log = context.open(&source)?;
    let server = server::stand(source.repository(), &log, &source.index(&log)?)?;
    let steps = steps(&server);
    context.output.result(&value(Some(&server), &steps), || text(&server, &steps))?;
    Ok(if server.unexplained.is_empty() { End::Fine } else { End::Wrong })
}

fn steps(server: &Server) -> Vec<Step> {
    if server.unexplained.is_empty() {
        return Vec::new();
    }
    let why =
        "in a clone of an admin of the policy: takes these refs as they stand; or put them back by git update-ref";
    vec![Step { command: "mledger reconcile --reason 'WHY'".to_owned(), why: why.to_owned() }]
}

fn value(server: Option<&Server>, steps: &[Step]) -> Value {
    json!({
        "kind": "server",
        "next": steps.iter().map(|step| json!({"command": step.command, "why": step.why})).collect::<Vec<_>>(),
        "ok": server.is_none_or(|server| server.unexplained.is_empty()),
        "server": server,
    })
}

fn text(server: &Server, steps: &[Step]) -> String {
    let mut text = String::new();
    let size = counted(server.size, "entry", "entries");
    row(
        &mut text,
        "ledger",
        &format!("{}, {size}, the newest {}", server.origin, ago(server.newest, Timestamp::now())),
    );
    let open = match server.open {
        0 => "every authorised move of a ref is settled".to_owned(),
        open => {
            format!("{} not settled yet; the next push does that", counted(open, "authorised move", "authorised moves"))
        }
    };
    row(&mut text, "open", &open);
    let mut refs = format!("{} where the ledger put them\n", server.refs);
    let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
    for odd in server.unexplained.iter().take(SHOWN_MAX) {
        let words = format!("stands at {}, and the ledger put it at {}", at(odd.tip), at(odd.expected));
        let _ = writeln!(refs, "{} {}", tame(odd.refname.as_str()), styled(BAD, words));
    }
    if let Some(more) = server.unexplained.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(refs, "… and {more} more");
    }
    row(&mut text, "refs", &refs);
    text + &next(steps)
}
