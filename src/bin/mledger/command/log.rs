//! `mledger log`: the ledger, an entry per line.

mod filter;
mod row;

use std::io::Write;
use std::ops::ControlFlow;

use self::filter::FilterArgs;
use self::row::Row;
use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{FAINT, columns, styled, write_json};
use crate::walk::{Order, walk};

const AFTER_HELP: &str = "\
With --json, a line per entry: index, kind, time, actor, decision, refs, paths, commit, story; \
a denial also its first reason, a policy change the actors that signed it, the first entry also origin and vkey.

Example:
  mledger log --decision denied --since 7d --ref main";

/// Show the ledger, the newest entry first
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Stop after N entries
    #[arg(short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Show the oldest entry first
    #[arg(long)]
    reverse: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let source = context.source(&args.key)?;
    let log = context.open(&source)?;
    let order = if args.reverse { Order::OldestFirst } else { Order::NewestFirst };
    let (json, width) = (context.output.is_json(), columns());
    let digits = log.size().saturating_sub(1).to_string().len();
    let mut results = context.output.results();
    let mut shown = false;
    let mut left = args.count.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(End::Fine);
    }
    walk(&log, order, |index, leaf| {
        let row = Row::read(&log, index, leaf, json || args.filter.looks_at_paths())?;
        if !args.filter.keeps(&row) {
            return Ok(ControlFlow::Continue(()));
        }
        if json {
            write_json(&mut results, &row)?;
        } else {
            writeln!(results, "{}", row.to_line(digits, width))?;
        }
        left -= 1;
        shown = true;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    results.flush()?;
    if !shown {
        context.output.say("note: no entry matches");
    }
    if source.is_followed() && width.is_some() && !json {
        context.output.say(styled(FAINT, "as of the last fetch; `mledger verify` fetches what is new"));
    }
    Ok(End::Fine)
}
