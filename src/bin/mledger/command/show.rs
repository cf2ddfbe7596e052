//! `mledger show`: one entry, with its signature, its decision and its proof.

mod sheet;

use std::ops::ControlFlow;

use mledger::digest::{Digest, leaf_hash};
use mledger::entry::leaf::Leaf;
use mledger::git::repository::verify_hashes_on_read;
use mledger::ledger::prove::{ProveError, prove};
use mledger::ledger::read::Log;
use mledger::name::Oid;
use mledger::query::{Order, Question, search};
use serde::Serialize;

use self::sheet::Sheet;
use super::End;
use crate::context::{Context, KeyArgs, Source};
use crate::error::Failure;
use crate::output::{BAD, GOOD, TITLE, counted, styled};
use crate::question;

const AFTER_HELP: &str = "\
With --json: index, leaf (the entry itself), leaf_hash, size and root of the ledger's tree, and whether the entry is \
included in that tree.

Example:
  mledger show 42
  mledger show main~1";

/// Show one entry
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The entry's index, or a commit: the entry that recorded it
    #[arg(value_name = "INDEX|COMMIT")]
    entry: String,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Shown {
    index: u64,
    leaf: serde_json::Value,
    leaf_hash: Digest,
    size: u64,
    root: Digest,
    included: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    // Git's own hashes are slow; the proof holds what is read here against ours.
    verify_hashes_on_read(false);
    let source = context.source(&args.key)?;
    // A push of one's own is in the server's ledger, and in the clone's only after the next fetch.
    let mut here = None;
    if let Some(log) = source.peek() {
        here = find(context, &log, &source, &args.entry).ok().filter(|index| *index < log.size());
        if here.is_none() {
            context.catch_up(&source)?;
        }
    }
    let log = context.open(&source)?;
    let index = match here {
        Some(index) => index,
        None => find(context, &log, &source, &args.entry)?,
    };
    let bytes = log.leaf_bytes(index)?;
    let broken = match prove(&log, index) {
        Ok(_) => None,
        Err(ProveError::NotIncluded { source, .. }) => Some(source),
        Err(error) => return Err(error.into()),
    };
    let checkpoint = &log.head().checkpoint;
    let shown = Shown {
        index,
        leaf: serde_json::from_slice(&bytes).unwrap_or_default(),
        leaf_hash: leaf_hash(&bytes),
        size: checkpoint.size(),
        root: checkpoint.root(),
        included: broken.is_none(),
    };
    let mut sheet = match Leaf::parse(&bytes) {
        Ok(leaf) => Sheet::of(&log, &leaf)?,
        Err(error) => Sheet::unreadable(&error, &shown.leaf),
    };
    sheet.add("leaf hash", shown.leaf_hash);
    match &broken {
        None => {
            sheet
                .add("proof", styled(GOOD, format_args!("in the tree of {}", counted(shown.size, "entry", "entries"))));
            sheet.add("", format_args!("with root {}", shown.root));
            sheet.add("", format_args!("signed by {}", log.vkey()));
        }
        Some(problem) => sheet.add("proof", styled(BAD, problem)),
    }
    let title = styled(TITLE, format_args!("entry {index} of {}", checkpoint.origin()));
    context.output.result(&shown, || format!("{title}\n{sheet}"))?;
    Ok(if broken.is_none() { End::Fine } else { End::Found })
}

/// The index that a person means.
fn find(context: &Context, log: &Log<'_>, source: &Source, entry: &str) -> Result<u64, Failure> {
    // Forty digits are an object's name, whichever digits they are.
    if let (Ok(index), true) = (entry.parse(), entry.len() < 40) {
        return Ok(index);
    }
    let resolved = Oid::parse(entry).ok().or_else(|| source.repository().resolve(entry));
    let wanted = resolved.map_or_else(|| entry.to_owned(), |oid| oid.to_string());
    find_commit(context, log, source, &wanted)?.ok_or_else(|| {
        let words = match resolved {
            Some(oid) if oid.to_string() != entry => format!("no entry records `{entry}`, the commit {}", oid.short()),
            _ => format!("no entry records a commit `{entry}`"),
        };
        let why = "it was not pushed, was refused, or is older than the ledger";
        Failure::new(why).of(words).try_this("mledger log --kind commit")
    })
}

/// The newest entry of a commit whose name begins so.
fn find_commit(context: &Context, log: &Log<'_>, source: &Source, prefix: &str) -> Result<Option<u64>, Failure> {
    const PREFIX_MIN: usize = 4;
    if prefix.len() < PREFIX_MIN || !prefix.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let selection = question::ask(context, source, log, Question::Commit(prefix));
    // Parsing takes most of the time, and nearly every entry is another one.
    let needle = format!("\"oid\":\"{prefix}");
    let look = |_: &Log<'_>, index, bytes: &[u8]| {
        let may_be = std::str::from_utf8(bytes).is_ok_and(|text| text.contains(&needle));
        Ok(may_be.then(|| Leaf::parse(bytes)).and_then(|leaf| match leaf {
            Ok(Leaf::Commit(commit)) if commit.oid.to_string().starts_with(prefix) => Some(index),
            _ => None,
        }))
    };
    let mut found = None;
    search(log, &selection, Order::NewestFirst, look, |index| {
        found = Some(index);
        Ok::<_, Failure>(ControlFlow::Break(()))
    })?;
    Ok(found)
}
