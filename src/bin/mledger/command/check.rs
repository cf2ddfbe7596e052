//! `mledger check`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mledger::clock::Timestamp;
use mledger::git::{Kind, Repository};
use mledger::hook::check::{self, Checked, Push};
use mledger::hook::forge;
use mledger::hook::gather::TIME_MAX;
use mledger::index::Index;
use mledger::ledger::Log;
use mledger::name::{ActorId, Oid, RefName};
use mledger::object::certificate::Command;
use mledger::policy::Policy;
use mledger::policy::facts::{Move, Pusher};
use mledger::policy::reason::Reason;
use serde::Serialize;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{BAD, GOOD, ODD, counted, read_file, styled, tame};
use crate::refusal;
use crate::statement::Signer;

const AFTER_HELP: &str = "\
Judges a push that nobody has made yet, by the policy in force and by the same rules as the gate: before a push, or in \
CI. Where no server keeps a ledger, --policy judges by a file, and RANGE says what is new.
Exit code 3: the push would be refused.

Example:
  mledger check --ref main
  mledger check origin/main..HEAD --ref main --policy policy.toml";

/// Say what the gate would say to a push
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The commit to push, or A..B as if the ref stood at A
    #[arg(value_name = "RANGE", default_value = "HEAD")]
    range: String,
    /// The ref to push to: a full name, or a branch [default: the current branch]
    #[arg(long = "ref", value_name = "REF")]
    refname: Option<String>,
    /// Who pushes [default: whose key is configured here; in CI nobody, which is not judged then]
    #[arg(long, value_name = "ID", value_parser = ActorId::parse)]
    actor: Option<ActorId>,
    /// Judge by this policy, and by no ledger
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    accepted: bool,
    commits: usize,
    #[serde(rename = "move")]
    action: Move,
    new: Oid,
    old: Option<Oid>,
    pusher: Option<&'a ActorId>,
    reasons: &'a [Reason],
    #[serde(rename = "ref")]
    refname: &'a RefName,
    tolerated: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let repository = context.repository()?;
    let refname = refname(&repository, args.refname.as_deref())?;
    let (base, tip) = ends(&repository, &args.range)?;
    let (checked, old) = match &args.policy {
        Some(file) => by_file(context, args, file, &repository, (refname.clone(), base, tip))?,
        None => by_ledger(context, args, &repository, (refname.clone(), base, tip))?,
    };
    let update = checked.updates.first();
    let outcome = Outcome {
        accepted: checked.decision.accepted,
        commits: update.map_or(0, |update| update.entering.len()),
        action: update.map_or(Move::Update, |update| update.action),
        new: tip,
        old,
        pusher: checked.decision.pusher.as_ref(),
        reasons: &checked.decision.reasons,
        refname: &refname,
        tolerated: checked.tolerated,
    };
    context.output.result(&outcome, || text(&outcome, &checked, &repository))?;
    Ok(if outcome.accepted || outcome.tolerated { End::Fine } else { End::Denied })
}

/// A policy file without mistakes.
fn read_policy(context: &Context, file: &std::path::Path) -> Result<String, Failure> {
    let text = read_file(file, Policy::TEXT_BYTES_MAX)?;
    let Err(errors) = Policy::parse(&text) else { return Ok(text) };
    for error in &errors {
        context.output.say(tame(&format!("{}:{}:{}: {}", file.display(), error.line, error.column, error.message)));
    }
    Err(Failure::new(format!("`{}` has {}", file.display(), counted(errors.len(), "mistake", "mistakes"))))
}

type Ends = (RefName, Option<Oid>, Oid);

/// Judges by the ledger of the server.
fn by_ledger(
    context: &Context,
    args: &Args,
    repository: &Repository,
    (refname, base, tip): Ends,
) -> Result<(Checked, Option<Oid>), Failure> {
    let source = context.source(&args.key)?;
    context.catch_up(&source)?;
    let log = context.open(&source)?;
    let index = source.index(&log)?;
    let old = base.map_or_else(|| index.tip(&refname), |base| Ok(Some(base)))?;
    judge(args, repository, (&log, &index), (refname, old, tip))
}

/// Judges by a policy alone, as if a ledger began where the ref stands.
fn by_file(
    context: &Context,
    args: &Args,
    file: &std::path::Path,
    repository: &Repository,
    (refname, base, tip): Ends,
) -> Result<(Checked, Option<Oid>), Failure> {
    let base = base.ok_or_else(|| {
        Failure::usage("with --policy, what is new must be said")
            .try_this("mledger check origin/main..HEAD --policy FILE")
    })?;
    let text = read_policy(context, file)?;
    let folder = tempfile::tempdir()?;
    let stand_in = check::stand_in(folder.path(), repository, &text, &refname, Some(&base), Timestamp::now())?;
    let log = Log::open(&stand_in, None)?;
    let index = Index::open(&folder.path().join("index.sqlite"), &log)?;
    judge(args, repository, (&log, &index), (refname, Some(base), tip))
}

fn judge(
    args: &Args,
    repository: &Repository,
    (log, index): (&Log<'_>, &Index),
    (refname, old, new): Ends,
) -> Result<(Checked, Option<Oid>), Failure> {
    let now = Timestamp::now();
    let policy = log.policy_view()?;
    let policy =
        Policy::parse(&policy).map_err(|_| Failure::new("the policy in force cannot be read by this version"))?;
    let pusher = match &args.actor {
        Some(actor) => Some(check::as_actor(&policy, actor, now)?),
        None => own_key(repository),
    };
    let commands = &[Command { new: Some(new), old, refname }];
    let push = Push { repository, commands, settled: &BTreeMap::new(), pusher, now, time_max: TIME_MAX };
    Ok((check::check(log, index, &push)?, old))
}

/// The pusher whom this clone's own key makes, if it has one.
fn own_key(repository: &Repository) -> Option<Pusher> {
    let key = Signer::of(repository).ok()?.public().ok()?;
    Some(Pusher::Certificate { key: key.id().clone() })
}

fn refname(repository: &Repository, given: Option<&str>) -> Result<RefName, Failure> {
    let name = match given {
        Some(name) if name.starts_with("refs/") => name.to_owned(),
        Some(name) => format!("refs/heads/{name}"),
        None => repository
            .head_ref()?
            .ok_or_else(|| Failure::usage("no branch is checked out").try_this("mledger check --ref main"))?,
    };
    Ok(RefName::parse(&name)?)
}

/// The two ends of what a person types.
fn ends(repository: &Repository, range: &str) -> Result<(Option<Oid>, Oid), Failure> {
    let resolve = |spec: &str| {
        let spec = if spec.is_empty() { "HEAD" } else { spec };
        repository.resolve(spec).ok_or_else(|| {
            Failure::new(format!("`{spec}` is no commit here"))
                .try_this("git fetch     (in CI: with the whole history)")
        })
    };
    match range.split_once("..") {
        Some((base, tip)) => Ok((Some(resolve(base)?), resolve(tip.trim_start_matches('.'))?)),
        None => Ok((None, resolve(range)?)),
    }
}

fn text(outcome: &Outcome<'_>, checked: &Checked, repository: &Repository) -> String {
    let word = match outcome.action {
        Move::Create => "create",
        Move::Update => "update",
        Move::Rewrite => "rewrite",
        Move::Delete => "delete",
    };
    let head = match (outcome.accepted, outcome.tolerated) {
        (true, _) => styled(GOOD, "the gate would accept"),
        (false, true) => styled(ODD, "the gate would let pass (the policy only observes)"),
        (false, false) => styled(BAD, "the gate would refuse"),
    };
    let who = outcome.pusher.map(|pusher| format!(" by {pusher}")).unwrap_or_default();
    let commits = counted(outcome.commits, "commit enters", "commits enter");
    let mut text = format!("{head}: {word} {}{who}, {commits}\n", outcome.refname);
    let is_forges = |oid: &Oid| repository.read(oid, Kind::Commit).is_ok_and(|raw| forge::is_forges(&raw));
    text.push_str(&refusal::reasons(&checked.decision, Some(&checked.policy), &is_forges));
    text
}
