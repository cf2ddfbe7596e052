//! `mledger import`.

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::leaf::{ImportKind, Leaf, VERSION};
use mledger::entry::statement::{COMMITS_MAX, ImportStatement, Statement, commits_text};
use mledger::git::command::{git, output};
use mledger::name::Oid;
use mledger::policy::Policy;
use serde::Serialize;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::counted;
use crate::statement::{Desk, expiry, send};

const AFTER_HELP: &str = "\
For a branch from before the ledger, or the history of a vendored project: an admin signs the list of its commits, and \
the gate then judges each as if that admin had made it. Signed commits of enrolled people need nobody to vouch for them.

Example:
  mledger import origin/main..vendor --reason 'upstream 4.2, reviewed by the platform team'
  git push origin vendor";

/// Vouch, as an admin, for commits that nobody enrolled has signed
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The commits, as `git log` takes them: a branch, or A..B for those of B that A does not have
    #[arg(value_name = "RANGE")]
    range: String,
    /// Why, for whoever reads the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Show the commits, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `import --json` prints.
#[derive(Serialize)]
struct Imported {
    commits: Vec<Oid>,
    sent: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let desk = Desk::open(context, &args.key)?;
    let commits = unsigned(context, args, commits(&desk, &args.range)?, &desk.in_force)?;
    if args.dry_run || commits.is_empty() {
        let list = || format!("{}{} to vouch for\n", commits_text(&commits), words(commits.len()));
        context.output.result(&Imported { commits: commits.clone(), sent: false }, list)?;
        return Ok(End::Fine);
    }
    let (signer, actor, origin) = desk.sign_as(context, &args.key)?;
    let list = commits_text(&commits);
    let statement = Statement::Import(ImportStatement {
        actor: actor.clone(),
        commits: sha256(list.as_bytes()),
        expires: expiry(Timestamp::now())?,
        kind: ImportKind::Is,
        mledger: VERSION,
        origin,
        reason: args.reason.clone(),
    });
    let end = send(context, &desk.clone, &desk.remote, &signer.envelope(&statement, list)?)?;
    // People have been told by the gate itself.
    context.output.result(&Imported { commits, sent: end == End::Fine }, String::new)?;
    Ok(desk.who_else(context, end, &actor))
}

fn words(count: usize) -> String {
    counted(count, "commit", "commits")
}

/// Those for which nobody answers by the policy in force: no enrolled key has signed them, nobody who is still an actor
/// vouches for them.
fn unsigned(context: &Context, args: &Args, commits: Vec<Oid>, in_force: &str) -> Result<Vec<Oid>, Failure> {
    let policy =
        Policy::parse(in_force).map_err(|_| Failure::new("the policy in force cannot be read by this version"))?;
    let source = context.source(&args.key)?;
    let log = context.open(&source)?;
    let index = source.index(&log)?;
    let now = Timestamp::now();
    let mut kept = Vec::new();
    for oid in commits {
        let entry = index.known(&oid)?.and_then(|known| known.leaf);
        let key = match entry.map(|entry| log.leaf(entry)).transpose()? {
            Some(Leaf::Commit(commit)) => commit.key,
            _ => None,
        };
        let is_signed = key.is_some_and(|key| policy.actor_of_key(&key, now).is_ok());
        let voucher = index.voucher(&oid)?.and_then(|voucher| policy.actor(&voucher.actor).cloned());
        let is_vouched = voucher.is_some_and(|actor| actor.expired(now).is_none());
        if !is_signed && !is_vouched {
            kept.push(oid);
        }
    }
    Ok(kept)
}

/// The commits of a range, parents first; of a single branch those that the server does not have.
fn commits(desk: &Desk, range: &str) -> Result<Vec<Oid>, Failure> {
    if range.starts_with('-') {
        return Err(Failure::usage(format!("`{range}` is no range of commits")));
    }
    let dir = desk.clone.work_dir().unwrap_or(desk.clone.git_dir());
    let max = format!("--max-count={}", COMMITS_MAX + 1);
    let mut list = git(dir);
    list.args(["rev-list", "--reverse", "--topo-order", &max, range]);
    if !range.contains("..") {
        list.args(["--not", &format!("--remotes={}", desk.remote)]);
    }
    list.arg("--");
    let text = output(&mut list).map_err(|error| {
        let words = format!("`{range}` is no range of commits here");
        Failure::from(error).of(words).try_this("git fetch     (then name a branch, or A..B)")
    })?;
    let commits = text.lines().map(Oid::parse).collect::<Result<Vec<_>, _>>()?;
    if commits.len() > COMMITS_MAX {
        return Err(Failure::new(format!("`{range}` holds more than {COMMITS_MAX} commits"))
            .try_this("mledger import with the older half of the range first"));
    }
    Ok(commits)
}
