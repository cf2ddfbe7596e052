//! `mledger reconcile`.

use mledger::clock::Timestamp;
use mledger::entry::leaf::{ReconcileKind, Unexplained, VERSION};
use mledger::entry::statement::{REFS_MAX, ReconcileStatement, Statement};
use mledger::git::command::{git, output};
use mledger::ledger::{LOG_REF, REFS};
use mledger::name::{Oid, RefName};
use serde::Serialize;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::tame;
use crate::statement::{Desk, expiry, send};

const AFTER_HELP: &str = "\
For refs that were moved behind the gate, and after a backup was restored. Without --reason it only lists them. Where \
a ref should stand elsewhere, an administrator puts it back on the server instead, with `git update-ref`.

After a restore, with SERVER for the bare repository and CLONE for the clone that has seen most of the ledger:
  git -C SERVER fetch --update-shallow CLONE/.git/mledger/log.git +refs/mledger/log:refs/mledger/log
If the gate still says that the ledger was set back, nobody has its last entries: they are lost, and whoever holds a \
receipt for one of them can prove it. To go on without them, knowingly, keep the proof and put the clone's checkpoint \
in its place, also where `mledger.lastCheckpoint` names another copy:
  mv SERVER/mledger/last-checkpoint SERVER/mledger/lost-checkpoint
  cp CLONE/.git/mledger/checkpoint SERVER/mledger/last-checkpoint
Then `mledger reconcile --reason …` takes the refs as the backup holds them, and people push again what it lacks.

Example:
  mledger reconcile
  mledger reconcile --reason 'restored from the backup of Monday night' main";

/// Take refs, as an admin, as they stand, moved by no push
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Only these refs: full names, or the names of branches or tags
    #[arg(value_name = "REF")]
    refs: Vec<String>,
    /// Why, for whoever reads the ledger; left out, nothing is sent
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `reconcile --json` prints.
#[derive(Serialize)]
struct Reconciled {
    refs: Vec<Unexplained>,
    sent: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let desk = Desk::open(context, &args.key)?;
    let refs = wanted(unexplained(context, &desk, args)?, &args.refs)?;
    let listed = || refs.iter().map(|found| line(found) + "\n").collect::<String>();
    let Some(reason) = args.reason.as_ref().filter(|_| !refs.is_empty()) else {
        let nothing = "every ref stands where the ledger put it; there is nothing to reconcile\n";
        let found = Reconciled { refs: refs.clone(), sent: false };
        context.output.result(&found, || if refs.is_empty() { nothing.to_owned() } else { listed() })?;
        return Ok(if refs.is_empty() { End::Fine } else { End::Found });
    };
    if refs.len() > REFS_MAX {
        return Err(Failure::new(format!(
            "{} refs stand elsewhere; {REFS_MAX} can be reconciled at a time",
            refs.len()
        ))
        .try_this("mledger reconcile --reason … with the names of some of them"));
    }
    context.output.say(listed().trim_end());
    let (signer, actor, origin) = desk.sign_as(context, &args.key)?;
    let statement = Statement::Reconcile(ReconcileStatement {
        actor: actor.clone(),
        expires: expiry(Timestamp::now())?,
        kind: ReconcileKind::Is,
        mledger: VERSION,
        origin,
        reason: reason.clone(),
        refs: refs.clone(),
    });
    let end = send(context, &desk.clone, &desk.remote, &signer.envelope(&statement, String::new())?)?;
    // People have been told by the gate itself.
    context.output.result(&Reconciled { refs, sent: end == End::Fine }, String::new)?;
    Ok(desk.who_else(context, end, &actor))
}

fn line(found: &Unexplained) -> String {
    let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
    let name = tame(found.refname.as_str());
    format!("{name} stands at {}, the ledger put it at {}", at(found.tip), at(found.expected))
}

/// The refs of the server that do not stand where the ledger put them.
fn unexplained(context: &Context, desk: &Desk, args: &Args) -> Result<Vec<Unexplained>, Failure> {
    let standing = standing(desk)?;
    let source = context.source(&args.key)?;
    let log = context.open(&source)?;
    let index = source.index(&log)?;
    let mut put: std::collections::BTreeMap<RefName, Oid> =
        index.tips()?.into_iter().map(|tip| (tip.refname, tip.oid)).collect();
    let open = index.open_moves()?;
    let mut found = Vec::new();
    for (refname, tip) in standing {
        let expected = put.remove(&refname);
        if expected != Some(tip) {
            found.push(Unexplained { expected, refname, tip: Some(tip) });
        }
    }
    found.extend(put.into_iter().map(|(refname, tip)| Unexplained { expected: Some(tip), refname, tip: None }));
    // A push that was accepted a moment ago, and that no later entry has settled yet.
    found.retain(|found| {
        !open.iter().any(|open| open.refname == found.refname && open.new == found.tip && open.old == found.expected)
    });
    Ok(found)
}

/// Where the server's refs stand.
fn standing(desk: &Desk) -> Result<Vec<(RefName, Oid)>, Failure> {
    let dir = desk.clone.work_dir().unwrap_or(desk.clone.git_dir());
    let listed = output(git(dir).args(["ls-remote", "--refs", &desk.remote]))?;
    let mut refs = Vec::new();
    for line in listed.lines() {
        let Some((oid, name)) = line.split_once('\t') else { continue };
        if name == LOG_REF || name.starts_with(REFS) {
            continue;
        }
        refs.push((RefName::parse(name)?, Oid::parse(oid)?));
    }
    Ok(refs)
}

/// Those of the refs that were asked for; all of them where none was.
fn wanted(found: Vec<Unexplained>, names: &[String]) -> Result<Vec<Unexplained>, Failure> {
    let is = |found: &Unexplained, name: &String| found.refname.as_str() == name || found.refname.short() == name;
    if let Some(name) = names.iter().find(|name| !found.iter().any(|found| is(found, name))) {
        return Err(Failure::new(format!("`{name}` stands where the ledger put it, or is no ref"))
            .try_this("mledger reconcile     (lists the refs that do not)"));
    }
    Ok(found.into_iter().filter(|found| names.is_empty() || names.iter().any(|name| is(found, name))).collect())
}
