//! What became of noted pushes, by the ledger.
//!
//! What Git knows is asked before the ledger is fetched: a push that lands in between is in the ledger then. The other
//! order would take a push of another work tree for one that the ledger hides.

use std::collections::{BTreeMap, BTreeSet};

use super::{Note, Receipt, Refusal, Sent, SentError, change, read, tracking};
use crate::clock::Timestamp;
use crate::digest::leaf_hash;
use crate::entry::leaf::{Leaf, Push, Reconcile};
use crate::entry::statement::{Envelope, Statement};
use crate::git::Repository;
use crate::ledger::follow;
use crate::ledger::place::Place;
use crate::ledger::read::{Log, ReadError};
use crate::name::{Oid, RefName};

/// How long the answer to a push is waited for, in milliseconds: no upload takes a day.
const WAIT_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// A ref at a tip, as part of a noted push.
type Key = (Timestamp, RefName, Option<Oid>);

/// The noted moves that the server made, as far as Git knew when it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(BTreeSet<Key>);

/// Asks Git which noted pushes the server took. To be called before the ledger is fetched that they are settled by.
pub fn look(repository: &Repository) -> Result<Evidence, SentError> {
    let sent = read(&Place::in_repository(repository.git_dir()))?;
    let updates = sent.notes.iter().flat_map(|note| note.updates.iter().map(|update| (note.time, update)));
    let taken = updates.filter(|(_, update)| tracking::is_taken(repository, update));
    Ok(Evidence(taken.map(|(time, update)| (time, update.refname.clone(), update.new)).collect()))
}

/// Settles by the ledger that is followed, as it was fetched last.
pub fn settle_followed(repository: &Repository, evidence: &Evidence, entries_max: u64) -> Result<Sent, SentError> {
    let Some(ledger) = follow::repository(repository.git_dir())? else { return Ok(Sent::default()) };
    let log = Log::open(&ledger, follow::vkey(repository.git_dir())?.as_ref())?;
    settle(repository, &log, Some(evidence), Timestamp::now(), entries_max)
}

/// Searches the next entries of the ledger, `entries_max` at most, for answers to noted pushes, and remembers these. With
/// `evidence` from before `log` was fetched it also finds the pushes that the ledger hides.
pub fn settle(
    repository: &Repository,
    log: &Log<'_>,
    evidence: Option<&Evidence>,
    now: Timestamp,
    entries_max: u64,
) -> Result<Sent, SentError> {
    let place = Place::in_repository(repository.git_dir());
    let sent = read(&place)?;
    if sent.notes.is_empty() {
        return Ok(sent);
    }
    change(&place, |sent| {
        let from = sent.notes.iter().map(|note| note.scanned).min().unwrap_or_default();
        let to = log.size().min(from.saturating_add(entries_max));
        let answers = if from < to { search(log, from..to, sent)? } else { Answers::default() };
        answers.apply(sent, to);
        if to == log.size() {
            conclude(sent, log.size(), evidence, now);
        }
        Ok(sent.clone())
    })
}

/// The pushes without an answer in all of the ledger: hidden by it, or still on their way, or never made.
fn conclude(sent: &mut Sent, size: u64, evidence: Option<&Evidence>, now: Timestamp) {
    for note in &mut sent.notes {
        for update in &mut note.updates {
            let key = (note.time, update.refname.clone(), update.new);
            update.taken = update.taken || evidence.is_some_and(|evidence| evidence.0.contains(&key));
        }
    }
    // A note from the future was made before the clock went back: it ages from now on.
    sent.notes.iter_mut().for_each(|note| note.time = note.time.min(now));
    // One about a longer ledger stays: this one lost something.
    let is_over = |note: &&mut Note| note.size <= size && now.millis() - note.time.millis() > WAIT_MAX_MS;
    for note in sent.notes.iter_mut().filter(is_over) {
        note.updates.retain(|update| update.taken);
    }
    sent.notes.retain(|note| !note.updates.is_empty());
}

/// What the ledger says, by the place of the note.
#[derive(Default)]
struct Answers {
    receipts: Vec<(usize, Receipt)>,
    refusals: BTreeMap<usize, Vec<Refusal>>,
    /// Refs that an admin took as they stand.
    explained: Vec<(usize, RefName, Option<Oid>)>,
}

fn search(log: &Log<'_>, range: std::ops::Range<u64>, sent: &Sent) -> Result<Answers, SentError> {
    let mut answers = Answers::default();
    log.each(range, |index, bytes| {
        // Most entries are others, and nothing else of them is needed.
        let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        if !has(br#""kind":"push""#) && !has(br#""kind":"reconcile""#) {
            return Ok(());
        }
        match Leaf::parse(bytes) {
            Ok(Leaf::Push(push)) => {
                let push = push.whole(|name| log.blob(name))?;
                let hash = leaf_hash(bytes);
                for (at, note) in sent.notes.iter().enumerate().filter(|(_, note)| note.scanned <= index) {
                    if push.decision.lets_through() {
                        let receipts = receipts(&push, note, index, hash);
                        answers.receipts.extend(receipts.map(|receipt| (at, receipt)));
                    } else if let Some(refusals) = refusals(&push, note, index) {
                        answers.refusals.insert(at, refusals);
                    }
                }
            }
            Ok(Leaf::Reconcile(leaf)) => {
                for (refname, tip) in reconciled(log, &leaf)? {
                    let later = sent.notes.iter().enumerate().filter(|(_, note)| note.scanned <= index);
                    answers.explained.extend(later.map(|(at, _)| (at, refname.clone(), tip)));
                }
            }
            // What cannot be read `verify` reports.
            _ => {}
        }
        Ok::<_, SentError>(())
    })?;
    Ok(answers)
}

/// Whoever put the ref there, and from where: the ledger shows what the server did.
fn receipts<'a>(
    push: &'a Push,
    note: &'a Note,
    index: u64,
    hash: crate::digest::Digest,
) -> impl Iterator<Item = Receipt> + use<'a> {
    let wanted = |update: &&crate::entry::leaf::Update| {
        note.updates.iter().any(|noted| noted.refname == update.refname && noted.new == update.new)
    };
    push.updates.iter().filter(wanted).map(move |update| Receipt {
        hash,
        index,
        new: update.new,
        refname: update.refname.clone(),
        time: push.time,
    })
}

/// A denial of this very push; it names the first few refs only.
fn refusals(push: &Push, note: &Note, index: u64) -> Option<Vec<Refusal>> {
    let is_noted = |update: &crate::entry::leaf::Update| {
        let is =
            |noted: &super::Update| (&noted.refname, noted.old, noted.new) == (&update.refname, update.old, update.new);
        note.updates.iter().any(is)
    };
    if push.updates.is_empty() || !push.updates.iter().all(is_noted) {
        return None;
    }
    let reason = push.reasons.iter().find(|reason| reason.code.denies());
    let refusal = |update: &super::Update| Refusal {
        index,
        new: update.new,
        reason: reason.map(|reason| reason.code.to_string()).unwrap_or_default(),
        refname: update.refname.clone(),
        time: push.time,
    };
    Some(note.updates.iter().map(refusal).collect())
}

fn reconciled(log: &Log<'_>, leaf: &Reconcile) -> Result<Vec<(RefName, Option<Oid>)>, ReadError> {
    let text = log.field_text(&leaf.statement)?;
    Ok(match Envelope::parse(text.as_bytes()) {
        Ok((_, Statement::Reconcile(stated))) => {
            stated.refs.into_iter().map(|unexplained| (unexplained.refname, unexplained.tip)).collect()
        }
        _ => Vec::new(),
    })
}

impl Answers {
    /// An acceptance counts before a denial: of two equal pushes the second may be the one that was accepted.
    fn apply(self, sent: &mut Sent, scanned: u64) {
        let mut settled: BTreeSet<(usize, RefName, Option<Oid>)> = self.explained.into_iter().collect();
        for (at, receipt) in self.receipts {
            settled.insert((at, receipt.refname.clone(), receipt.new));
            sent.refusals.retain(|refusal| refusal.refname != receipt.refname || refusal.index > receipt.index);
            if !sent.receipts.iter().any(|held| held.index == receipt.index && held.refname == receipt.refname) {
                sent.receipts.push(receipt);
            }
        }
        for (at, refusals) in self.refusals {
            for refusal in refusals {
                if settled.insert((at, refusal.refname.clone(), refusal.new)) {
                    sent.refusals.retain(|earlier| earlier.refname != refusal.refname);
                    sent.refusals.push(refusal);
                }
            }
        }
        for (at, note) in sent.notes.iter_mut().enumerate() {
            note.updates.retain(|update| !settled.contains(&(at, update.refname.clone(), update.new)));
            note.scanned = note.scanned.max(scanned);
        }
        sent.notes.retain(|note| !note.updates.is_empty());
    }
}
