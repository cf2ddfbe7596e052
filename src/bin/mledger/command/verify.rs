//! `mledger verify`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mledger::clock::Timestamp;
use mledger::digest::Digest;
use mledger::git::{Repository, file as small};
use mledger::hook::clone_setup;
use mledger::hook::sent::{self, Evidence};
use mledger::ledger::earlier::{Earlier, Findings};
use mledger::ledger::follow::{self, FollowError};
use mledger::ledger::last::{LAST_CHECKPOINT, LastCheckpoint};
use mledger::ledger::objects;
use mledger::ledger::place::Place;
use mledger::ledger::read::{Log, ReadError};
use mledger::ledger::verify::{Before, Options, Problem, RefsOf, Report, verify_all, verify_new};
use mledger::name::Oid;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::VerifierKey;
use mledger::tlog::note::Note;

use super::End;
use crate::context::{Context, KeyArgs, Source};
use crate::error::Failure;
use crate::output::{BAD, GOOD, ODD, columns, counted, first_line, read_file, styled, tame, wrapped};

/// The longest checkpoint file that is read, in bytes.
const CHECKPOINT_BYTES_MAX: usize = 1 << 20;

/// How often a ledger is opened anew that grows while the refs are read.
const OPENS_MAX: usize = 8;

/// The clone's own memory of the newest checkpoint that it has verified.
const VERIFIED: &str = "verified";

/// Check every signature, every decision and every ref, offline
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 4 if anything does not hold.\n\nExamples:\n  mledger verify\n  mledger verify /srv/git/models.git --since checkpoint.txt\n  mledger verify /srv/git/models.git --objects\n  mledger verify --full\n  mledger verify --receipt 'size 3 root sha256:44cd89676579f2f7613f56e0969e6905011936d7dd6956c45999c425347647f4'"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// The repository [default: the one around the current folder]
    repository: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// A checkpoint seen earlier, which the ledger must extend
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// A receipt that the gate printed after a push, which the ledger must extend
    #[arg(long, value_name = "'size N root HASH'", value_parser = receipt)]
    receipt: Vec<(u64, Digest)>,
    /// Compute again from the repository's objects what entries only assert: manifests, what merges change by
    /// themselves, what else a push touches. Reads every file that ever changed
    #[arg(long)]
    objects: bool,
    /// Verify everything again, also what held when it was verified here before: then every entry is read from the
    /// ledger as it lies here now
    #[arg(long)]
    full: bool,
    /// Do not look at the repository's refs
    #[arg(long)]
    no_refs: bool,
    /// Do not fetch first, in a clone
    #[arg(long)]
    offline: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let named = args.repository.as_ref().map(|path| context.at(path));
    let context = named.as_ref().unwrap_or(context);
    // What Git knows of earlier pushes is asked first: what lands while the ledger is fetched is in it then.
    let evidence = sent::look(&context.repository()?).ok();
    let fetched = if args.offline { Fetched::No } else { fetch(context, args)? };
    let source = context.source(&args.key)?;
    let place = Place::in_repository(source.repository().git_dir());
    // Before the ledger: pushes go on, and a ledger that is read later is as long or longer.
    let mut seen = checkpoints(context, source.repository(), &place, args.since.as_deref())?;
    let (log, standing) = open(context, &source, &place)?;
    for (size, root) in &args.receipt {
        seen.push(("the receipt".to_owned(), Checkpoint::new(log.head().checkpoint.origin().clone(), *size, *root)?));
    }
    let remote = remote_of(source.repository());
    let refs = match &remote {
        _ if args.no_refs => RefsOf::Nobody,
        _ if is_server(&source, &place) => RefsOf::Server(source.repository(), &standing),
        Some(remote) if source.is_followed() => RefsOf::Clone(source.repository(), remote),
        _ => RefsOf::Nobody,
    };
    let looks_at_refs = !matches!(refs, RefsOf::Nobody);
    let bar = context.output.progress(log.size(), "verifying");
    let objects = args.objects.then(|| source.repository());
    let options = Options { seen, objects, refs };
    let earlier = if args.full || args.objects { None } else { Earlier::open(&place, &log) };
    let progress = &mut |done| bar.set_position(done);
    let verified = match &earlier {
        Some(earlier) => verify_new(&log, &options, earlier, earlier.is_outgrown(log.size()), progress),
        None => verify_all(&log, &options, progress),
    };
    let (mut report, findings) = verified.map_err(|error| Failure::from(error).found())?;
    bar.finish_and_clear();
    if source.is_followed() {
        let evidence = evidence.filter(|_| matches!(fetched, Fetched::Newest));
        demand(context, &mut report, (source.repository(), &place), &log, evidence.as_ref())?;
    }
    match fetched {
        Fetched::Newest => {}
        Fetched::No => excuse_newer_refs(&mut report, source.is_followed()),
        Fetched::Contradiction(problem) => report.problems.insert(0, problem),
    }
    report.ok = report.problems.is_empty();
    if report.ok {
        let goes_on = earlier.as_ref().filter(|_| report.verified_before.is_some());
        remember(context, &place, &report, args.key.vkey.as_ref(), (findings, goes_on));
    }
    context.output.result(&report, || text(&report, looks_at_refs))?;
    Ok(if report.ok { End::Fine } else { End::Found })
}

/// Opens the ledger, and reads the repository's refs at a moment when it was as long as it is then: what Git moves
/// afterwards, entries explain that are not looked at.
fn open<'a>(context: &Context, source: &'a Source, place: &Place) -> Result<(Log<'a>, Vec<(String, Oid)>), Failure> {
    if source.is_followed() {
        return Ok((context.open(source).map_err(unreadable)?, Vec::new()));
    }
    let mut tries = 0;
    loop {
        // Where pushes come one on the heels of the other, the next waits for a moment; who may only read cannot ask it to.
        let pause = (tries >= OPENS_MAX).then(|| place.lock());
        let log = context.open(source).map_err(unreadable)?;
        let standing = source.repository().refs()?;
        if pause.is_some() || log.is_newest()? {
            return Ok((log, standing));
        }
        tries += 1;
    }
}

/// A ledger that is there and cannot even be opened is a finding.
fn unreadable(failure: Failure) -> Failure {
    let none = ReadError::NoLedger.to_string();
    if failure.words().first() == Some(&none) { failure } else { failure.found() }
}

/// How new the ledger is that gets verified.
enum Fetched {
    /// As new as it gets.
    Newest,
    /// As it was fetched some time ago.
    No,
    /// As it was before the remote showed one that contradicts it.
    Contradiction(Problem),
}

/// In a clone: fetches the newest ledger. One that contradicts what was seen is a finding; one that cannot be reached
/// is not.
fn fetch(context: &Context, args: &Args) -> Result<Fetched, Failure> {
    let clone = context.repository()?;
    let Some(remote) = remote_of(&clone).filter(|_| clone.work_dir().is_some()) else { return Ok(Fetched::Newest) };
    let url = follow::remote_url(&clone, &remote)?;
    match follow::fetch(clone.git_dir(), &url, args.key.vkey.as_ref()) {
        Ok(_) => Ok(Fetched::Newest),
        Err(error @ FollowError::OtherKey { .. }) => Err(error.into()),
        Err(error) if error.is_contradiction() => {
            Ok(Fetched::Contradiction(Problem::whole(error.code(), mledger::ledger::check::chain(&error))))
        }
        Err(error) => {
            let why = first_line(&mledger::ledger::check::chain(&error));
            context.output.say(format_args!("note: verifying what was fetched before: {why}"));
            Ok(Fetched::No)
        }
    }
}

/// Demands what the ledger said to the pushes that were made here.
fn demand(
    context: &Context,
    report: &mut Report,
    (repository, place): (&Repository, &Place),
    log: &Log<'_>,
    evidence: Option<&Evidence>,
) -> Result<(), Failure> {
    let settled = sent::settle(repository, log, evidence, Timestamp::now(), u64::MAX);
    let sent = settled.or_else(|error| {
        // An auditor's copy may be read-only.
        context.output.detail(format_args!("note: answers to pushes could not be remembered: {error}"));
        sent::read(place)
    })?;
    report.problems.extend(sent::problems(log, &sent, place));
    report.receipts = Some(sent.receipts.len() as u64).filter(|held| *held > 0);
    Ok(())
}

/// The words that the gate prints after a push, as they stand in the terminal.
fn receipt(words: &str) -> Result<(u64, Digest), String> {
    let mut words = words.split_whitespace().skip_while(|word| ["remote:", "mledger:", "receipt:"].contains(word));
    let parsed = match (words.next(), words.next(), words.next(), words.next(), words.next()) {
        (Some("size"), Some(size), Some("root"), Some(root), None) => size.parse().ok().zip(Digest::parse(root).ok()),
        _ => None,
    };
    parsed.filter(|(size, _)| *size > 0).ok_or_else(|| "a receipt reads `size 3 root sha256:…`".to_owned())
}

/// A clone's refs may well be newer than a ledger that was not fetched: every push of its own makes them so. Only the
/// newest ledger can tell that nothing put them there.
fn excuse_newer_refs(report: &mut Report, is_followed: bool) {
    let before = report.problems.len();
    report.problems.retain(|problem| !is_followed || problem.code != "ref");
    report.refs.pending += before.abs_diff(report.problems.len()) as u64;
}

/// The remote whose ledger a clone follows.
fn remote_of(repository: &Repository) -> Option<String> {
    clone_setup::remote(repository).ok().flatten()
}

/// A bare repository whose pushes go through a gate, as against one that holds nothing but a fetched ledger.
fn is_server(source: &Source, place: &Place) -> bool {
    !source.is_followed() && place.file(LAST_CHECKPOINT).exists()
}

/// What the ledger must extend: the checkpoint given, the one verified last, the server's second copy.
fn checkpoints(
    context: &Context,
    repository: &Repository,
    place: &Place,
    since: Option<&Path>,
) -> Result<Vec<(String, Checkpoint)>, Failure> {
    let mut seen = Vec::new();
    if let Some(path) = since {
        let checkpoint = parse(&read_file(path, CHECKPOINT_BYTES_MAX)?);
        let checkpoint =
            checkpoint.ok_or_else(|| Failure::new(format!("`{}` does not hold a checkpoint", path.display())))?;
        seen.push((format!("the checkpoint in `{}`", path.display()), checkpoint));
    }
    for (file, words) in [(VERIFIED, "the checkpoint verified last"), (follow::CHECKPOINT, "the checkpoint seen last")]
    {
        if let Some(checkpoint) = place.read(file)?.as_deref().and_then(parse) {
            seen.push((words.to_owned(), checkpoint));
        }
    }
    for file in LastCheckpoint::of(repository, place)?.files() {
        match small::read_text(file, CHECKPOINT_BYTES_MAX as u64).ok().as_deref().and_then(parse) {
            Some(checkpoint) => seen.push(("the second copy of the newest checkpoint".to_owned(), checkpoint)),
            None if place.file(LAST_CHECKPOINT).exists() => {
                context.output.say(format_args!("note: no checkpoint can be read from `{}`", file.display()));
            }
            None => {}
        }
    }
    Ok(seen)
}

/// A checkpoint out of a note. Its signature does not matter here: a ledger that extends it extends it.
fn parse(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(Note::parse(note).ok()?.text()).ok()
}

/// Keeps the verified checkpoint and the key that was given, so that a later rollback is found, and what the next
/// verification goes on from. Not being able to is no failure: an auditor's copy may be read-only.
fn remember(
    context: &Context,
    place: &Place,
    report: &Report,
    given: Option<&VerifierKey>,
    (findings, earlier): (Option<Findings>, Option<&Earlier>),
) {
    let keep = || {
        place.create()?;
        // Given and found right: from now on the other commands trust it, too.
        if let (Some(vkey), None) = (given, place.read(follow::VKEY)?) {
            place.write(follow::VKEY, &format!("{vkey}\n"), 0o644)?;
        }
        place.write(VERIFIED, &report.checkpoint, 0o644)?;
        findings.map_or(Ok(()), |findings| findings.keep(place, earlier, Timestamp::now()))
    };
    if let Err(error) = keep() {
        context.output.detail(format_args!("note: what was verified could not be remembered: {error}"));
    }
}

fn checked_objects(counts: objects::Counts) -> String {
    let checked = format!("{} computed again", counted(counts.checked, "assertion", "assertions"));
    match counts.gone {
        0 => checked,
        gone => format!("{checked}, {gone} not: their objects are gone"),
    }
}

fn verified_before(before: Before) -> String {
    let entries = counted(before.entries, "entry", "entries");
    format!("{entries} verified by {}, in full at {}; `mledger verify --full` does it again", before.time, before.full)
}

fn text(report: &Report, looks_at_refs: bool) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<9}{value}");
    };
    row("ledger", report.origin.to_string());
    row("key", report.vkey.clone());
    row("size", counted(report.size, "entry", "entries"));
    row("root", report.root.to_string());
    let kinds: Vec<String> = report.entries.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    row("entries", kinds.join(", "));
    row("signed", format!("{} verified", counted(report.signatures, "signature", "signatures")));
    let decisions = report.decisions;
    row(
        "decided",
        format!(
            "{} replayed: {} accepted, {} denied{}",
            counted(decisions.replayed, "decision", "decisions"),
            decisions.accepted,
            decisions.denied,
            if decisions.tolerated > 0 { format!(", {} tolerated", decisions.tolerated) } else { String::new() }
        ),
    );
    let refs = report.refs;
    let looked = if looks_at_refs {
        format!("{} covered, {} pending", refs.covered, refs.pending)
    } else {
        "not looked at".to_owned()
    };
    row("refs", looked);
    if let Some(receipts) = report.receipts {
        row("receipts", format!("{receipts} held"));
    }
    if let Some(objects) = report.objects {
        row("objects", checked_objects(objects));
    }
    if let Some(before) = report.verified_before {
        row("before", verified_before(before));
    }
    for problem in &report.problems {
        let place = match (&problem.index, &problem.refname) {
            (Some(index), _) => format!("entry {index}: "),
            (None, Some(name)) => format!("{name}: "),
            (None, None) => String::new(),
        };
        let words = tame(&format!("{place}{} [{}]", problem.message, problem.code));
        let lines = wrapped(&words, columns().map(|columns| columns.saturating_sub(9)));
        let _ = writeln!(text, "{}  {}", styled(BAD, "problem"), lines.join("\n         "));
    }
    let verdict = if report.ok {
        styled(GOOD, "verified: everything holds")
    } else {
        styled(
            ODD,
            format_args!(
                "{}: do not trust this ledger before each is explained",
                counted(report.problems.len(), "problem", "problems")
            ),
        )
    };
    let _ = writeln!(text, "{verdict}");
    text
}
