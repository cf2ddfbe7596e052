//! `mledger resign`.

mod sheet;

use mledger::git::Repository;
use mledger::hook::resign::{self, Made, Options, Plan, Range, Ref, ResignError};
use mledger::index::Index;
use mledger::name::Oid;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;

const AFTER_HELP: &str = "\
For commits made with --no-gpg-sign, by a program that runs no hooks, before `mledger init`, or with a trailer that does \
not fit: trees, authors, dates and messages stay, index and work tree are not touched. Commits in which nothing is amiss \
are left alone unless they stand upon one that changes. Commits of others are named, and left to them.

Example:
  mledger resign
  mledger resign origin/main..HEAD --dry-run";

/// Sign your own unpushed commits anew, with trailers that hold
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// BASE or BASE..HEAD: what HEAD has and BASE has not, pushed or not [default: what no remote's branch and no ledger
    /// holds]
    #[arg(value_name = "RANGE")]
    range: Option<String>,
    /// Take all that HEAD reaches, down to the first commit
    #[arg(long, conflicts_with = "range")]
    root: bool,
    /// Make commits anew also where nothing is amiss: for a new key
    #[arg(long)]
    all: bool,
    /// Sign commits of others as well; they stay their authors
    #[arg(long)]
    others: bool,
    /// Move the other branches and plain tags that point to what is made anew, too
    #[arg(long)]
    update_refs: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let repository = context.repository()?;
    let options = Options { all: args.all, others: args.others, range: range(&repository, args)? };
    let plan = plan(context, &options)?;
    if plan.steps.is_empty() || args.dry_run {
        let hint = if plan.steps.is_empty() { pushed_head(context, &options, &plan)? } else { None };
        sheet::print(context, &repository, &plan, None, hint.as_deref())?;
        return Ok(End::Fine);
    }
    let bar = context.output.progress(plan.steps.len() as u64, "signing");
    let made = resign::remake(&context.dir, &plan, || bar.inc(1))?;
    bar.finish_and_clear();
    let refs = resign::land(&context.dir, &plan, &made, args.update_refs)?;
    sheet::print(context, &repository, &plan, Some((&made, &refs)), None)?;
    Ok(End::Fine)
}

/// What was done, where something was.
type Done<'a> = Option<(&'a Made, &'a [Ref])>;

fn range(repository: &Repository, args: &Args) -> Result<Range, Failure> {
    let Some(given) = &args.range else { return Ok(if args.root { Range::Root } else { Range::Unpushed }) };
    let (base, tip) = given.split_once("..").unwrap_or((given, ""));
    if base.is_empty() || base.starts_with('-') || tip.starts_with('.') {
        return Err(Failure::usage(format!("`{given}` is no range of commits")).try_this("mledger resign BASE..HEAD"));
    }
    if !tip.is_empty() && (repository.resolve(tip).is_none() || repository.resolve(tip) != repository.resolve("HEAD")) {
        return Err(Failure::usage(format!("`{given}` does not end at HEAD, whose branch is the one that moves"))
            .try_this(format!("git switch {tip}\nmledger resign {base}..HEAD")));
    }
    Ok(Range::After(base.to_owned()))
}

/// The plan for the clone, by what its ledger knows.
fn plan(context: &Context, options: &Options) -> Result<Plan, Failure> {
    let source = context.source(&KeyArgs { vkey: None })?;
    let log = source.peek().filter(|_| source.is_followed());
    let index = log.as_ref().map(|log| source.index(log)).transpose()?;
    resign::plan(&context.dir, options, |commit| is_known(index.as_ref(), commit)).map_err(|Stop(failure)| failure)
}

fn is_known(index: Option<&Index>, commit: &Oid) -> Result<bool, Stop> {
    let known = index.map(|index| index.known(commit)).transpose().map_err(|error| Stop(error.into()))?;
    Ok(known.flatten().is_some())
}

/// A failure that planning passes through.
struct Stop(Failure);

impl From<ResignError> for Stop {
    fn from(error: ResignError) -> Self {
        Self(error.into())
    }
}

/// Where nothing is to do because all is pushed, but HEAD is amiss: what to type to have it all the same.
fn pushed_head(context: &Context, options: &Options, plan: &Plan) -> Result<Option<String>, Failure> {
    if options.range != Range::Unpushed || plan.head.is_none() || !plan.left.is_empty() {
        return Ok(None);
    }
    let root = context.repository()?.resolve("HEAD~1").is_none();
    let range = if root { Range::Root } else { Range::After("HEAD~1".to_owned()) };
    let words = if root { "--root" } else { "HEAD~1" };
    // What stands in the way of that is said when it is asked for.
    let amiss = self::plan(context, &Options { range, ..options.clone() }).is_ok_and(|plan| !plan.steps.is_empty());
    Ok(amiss.then(|| format!("mledger resign {words}")))
}
