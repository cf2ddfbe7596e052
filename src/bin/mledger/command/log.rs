//! `mledger log`: the ledger, an entry per line.

mod filter;
mod row;

use std::io::Write;
use std::ops::ControlFlow;

use mledger::git::repository::verify_hashes_on_read;
use mledger::ledger::read::Log;
use mledger::query::brief::Brief;
use mledger::query::{Order, Question, Selection, search};

use self::filter::FilterArgs;
use self::row::line;
use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{FAINT, columns, styled, write_json};
use crate::question;

const AFTER_HELP: &str = "\
With --json, a line per entry: index, kind, time, actor, decision, refs, paths, commit, story; \
a denial also its first reason, a policy change the actors that signed it, the first entry also origin and vkey.

The first filter makes an index beside the ledger (mledger/query.sqlite); remove it at any time. What is shown is read \
from the entries themselves. Nothing that verifies asks the index.

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
    // Git's own hashes take more time than all the rest; ours are what `verify` and `show` hold entries against.
    verify_hashes_on_read(false);
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
    let filter = args.filter.filter();
    let selection = if filter.is_empty() {
        Selection::all()
    } else {
        question::ask(context, &source, &log, Question::Filter(&filter))
    };
    let look = |log: &Log<'_>, index, leaf: &[u8]| {
        let brief = Brief::read(log, index, leaf, json || filter.paths.is_some())?;
        Ok(filter.keeps(&brief).then_some(brief))
    };
    search(&log, &selection, order, look, |brief| {
        if json {
            write_json(&mut results, &brief)?;
        } else {
            writeln!(results, "{}", line(&brief, digits, width))?;
        }
        left -= 1;
        shown = true;
        Ok::<_, Failure>(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
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
