//! The commits that carry the ledger, and their trees: each must be, byte by byte, what an append of its entries writes.
//!
//! The newest checkpoint covers every entry. It does not cover what else lies under the ref: what `git log` tells of an
//! append, by whom and when it says that it was made, the checkpoints that were signed on the way, files. All of that
//! follows from the entries, so it is made again here and compared. A newer checkpoint alone nobody can make again: its
//! signature is verified.
//!
//! A clone fetches the newest commits only. What the older ones brought is sealed, and lies in every tree since.

mod files;
mod notes;

use rayon::prelude::*;

pub use self::notes::Notes;

use super::check::chain;
use super::earlier::Earlier;
use super::message::{COMMIT_BYTES_MAX, LEAVES_BYTES_MAX};
use super::read::{Head, Log, ReadError};
use super::replay::ReplayHashes;
use super::verify::Problem;
use crate::digest::{Digest, leaf_hash};
use crate::entry::leaf::Leaf;
use crate::entry::story;
use crate::git::{GitError, Kind};
use crate::name::Oid;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::hashes::Hashes;
use crate::tlog::key::VerifierKey;
use crate::tlog::note::Note;
use crate::tlog::tree;

/// How many checkpoints wait to be verified on all cores at once.
const CHECKPOINTS_WAITING: usize = 1024;

/// Checks every commit of the ledger that is there, newest first. The entries were checked before: `hashes` are of
/// them and yield the root of the newest checkpoint, `notes` tell what they bring with them. Those that an `earlier`
/// verification checked are left out, if what came since still stands on them.
pub fn check(log: &Log<'_>, hashes: &ReplayHashes<'_>, notes: &Notes, earlier: Option<&Earlier>) -> Vec<Problem> {
    let mut check = Check { log, hashes, notes, earlier, problems: Vec::new(), signed: Vec::new() };
    if let Err(problem) = check.walk() {
        check.problems.push(problem);
    }
    check.verify_signed();
    check.problems
}

struct Check<'a> {
    log: &'a Log<'a>,
    hashes: &'a ReplayHashes<'a>,
    notes: &'a Notes,
    earlier: Option<&'a Earlier>,
    problems: Vec<Problem>,
    signed: Vec<Signed>,
}

/// One commit of the ledger.
struct Append {
    head: Head,
    raw: Vec<u8>,
}

/// What stands before a commit.
enum Before {
    /// Nothing: it is the first.
    Nothing,
    /// What a shallow fetch left out.
    Cut,
    /// Another.
    Append(Box<Append>),
}

/// A checkpoint that was signed on the way.
struct Signed {
    commit: Oid,
    /// What the entries hash to.
    root: Option<Digest>,
    size: u64,
    note: String,
}

impl Append {
    fn read(log: &Log<'_>, commit: Oid) -> Result<Self, ReadError> {
        let raw = log.repository().read_limited(&commit, Kind::Commit, COMMIT_BYTES_MAX)?;
        Ok(Self { head: Head::parse(commit, &raw)?, raw })
    }

    fn size(&self) -> u64 {
        self.head.checkpoint.size()
    }

    fn leaves(&self) -> &[Vec<u8>] {
        &self.head.message.leaves
    }

    /// The index of the first leaf in its message.
    fn shown_first(&self) -> u64 {
        self.head.first(self.leaves().len())
    }

    fn problem(&self, code: &'static str, index: u64, what: &str) -> Problem {
        let message = format!("the ledger commit {} {what}", self.head.commit);
        Problem { code, index: Some(index), message, refname: None }
    }
}

impl Check<'_> {
    fn walk(&mut self) -> Result<(), Problem> {
        let unreadable = |error| Problem::whole("append", chain(&error));
        let mut at = Append::read(self.log, self.log.head().commit).map_err(unreadable)?;
        loop {
            if let Some(earlier) = self.earlier
                && at.size() <= earlier.size()
            {
                if at.head.commit != earlier.commit_of_ledger() {
                    earlier.doubt();
                }
                return Ok(());
            }
            let before = self.before(&at)?;
            if let Some(earlier) = self.earlier
                && !matches!(&before, Before::Append(before) if before.size() >= earlier.size())
            {
                earlier.doubt();
                return Ok(());
            }
            match before {
                Before::Append(before) => {
                    self.append(&at, before.size(), Some(&before.head.message.tree))?;
                    at = *before;
                }
                Before::Nothing => return self.append(&at, 0, None),
                Before::Cut => return self.oldest(&at),
            }
        }
    }

    fn before(&self, at: &Append) -> Result<Before, Problem> {
        let Some(parent) = at.head.message.parent else { return Ok(Before::Nothing) };
        let last = at.shown_first().saturating_sub(1);
        match Append::read(self.log, parent) {
            Ok(before) if before.size() < at.size() => Ok(Before::Append(Box::new(before))),
            Ok(before) => {
                let words = format!("ends at {} entries, the one before it at {}", at.size(), before.size());
                Err(at.problem("append", last, &words))
            }
            Err(ReadError::Git(GitError::Missing(_))) if self.is_cut(at) => Ok(Before::Cut),
            Err(error) => {
                Err(at.problem("append", last, &format!("follows one that cannot be read: {}", chain(&error))))
            }
        }
    }

    fn is_cut(&self, at: &Append) -> bool {
        let cut = self.log.repository().shallow_commits();
        cut.is_some_and(|commits| commits.contains(&at.head.commit))
    }

    /// One append of the entries from `first` on, to the tree `before`.
    fn append(&mut self, at: &Append, first: u64, before: Option<&Oid>) -> Result<(), Problem> {
        self.check_leaves(at, first);
        self.check_story(at, first);
        self.check_form(at);
        self.take_checkpoint(at);
        self.check_files(at, first, before)
    }

    /// The oldest append that a shallow fetch brought: nothing tells where it began, unless it sealed nothing.
    fn oldest(&mut self, at: &Append) -> Result<(), Problem> {
        let first = at.shown_first();
        self.check_leaves(at, first);
        if first > at.head.sealed() {
            self.check_story(at, first);
        }
        self.check_form(at);
        self.take_checkpoint(at);
        self.check_oldest_files(at)
    }

    /// The entries that it shows are the ledger's, and all that were not sealed with it.
    fn check_leaves(&mut self, at: &Append, first: u64) {
        let unsealed = first.max(at.head.sealed());
        let is_right = if at.leaves().is_empty() {
            // Too long for a message: `tail/` is looked at with the other files.
            unsealed == at.size() || self.is_long(unsealed, at.size())
        } else {
            at.shown_first() == unsealed && at.leaves().iter().map(Vec::len).sum::<usize>() <= LEAVES_BYTES_MAX
        };
        if !is_right {
            self.problems.push(at.problem("append", unsealed, "does not hold the entries that it appends"));
        }
        for (index, leaf) in (at.shown_first()..).zip(at.leaves()) {
            if self.hashes.hash(0, index).ok() != Some(leaf_hash(leaf)) {
                self.problems.push(at.problem("append", index, "tells of another entry than the ledger holds"));
            }
        }
    }

    fn is_long(&self, first: u64, size: u64) -> bool {
        let mut bytes = 0;
        let counted = self.log.each(first..size, |_, leaf| {
            bytes += leaf.len();
            Ok::<(), ReadError>(())
        });
        counted.is_ok() && bytes > LEAVES_BYTES_MAX
    }

    /// Its subject, which `git log` shows, says what its entries say.
    fn check_story(&mut self, at: &Append, first: u64) {
        let Some(telling) = self.notes.most_telling(first..at.size()) else { return };
        // An entry that cannot be read is a problem of its own.
        if self.leaf(at, telling).is_some_and(|leaf| story::of_leaf(&leaf) != at.head.message.subject) {
            self.problems.push(at.problem("story", first, "tells of it in other words than mledger does"));
        }
    }

    /// Nothing stands in it but its tree, its parent, the time of its last entry, its subject, entries and checkpoint.
    fn check_form(&mut self, at: &Append) {
        let last = at.size().saturating_sub(1);
        let Some(leaf) = self.leaf(at, last) else { return };
        let origin = self.log.head().checkpoint.origin();
        if at.head.message.to_object(origin, leaf.time()) != at.raw {
            let words = "is not as mledger writes it: somebody made it who is not mledger, or at another time";
            self.problems.push(at.problem("append", last, words));
        }
    }

    fn leaf(&self, at: &Append, index: u64) -> Option<Leaf> {
        let shown = index.checked_sub(at.shown_first()).and_then(|nth| at.leaves().get(usize::try_from(nth).ok()?));
        shown.map_or_else(|| self.log.leaf(index).ok(), |leaf| Leaf::parse(leaf).ok())
    }

    fn take_checkpoint(&mut self, at: &Append) {
        let note = at.head.message.note.clone();
        let root = tree::root(self.hashes, at.size()).ok();
        self.signed.push(Signed { commit: at.head.commit, root, size: at.size(), note });
        if self.signed.len() >= CHECKPOINTS_WAITING {
            self.verify_signed();
        }
    }

    fn verify_signed(&mut self) {
        let vkey = self.log.vkey();
        let signed = std::mem::take(&mut self.signed);
        self.problems.par_extend(signed.par_iter().filter_map(|signed| signed.check(vkey)));
    }
}

impl Signed {
    /// The note holds what the ledger's key signed of this tree, and nothing else.
    fn check(&self, vkey: &VerifierKey) -> Option<Problem> {
        let problem = |code, what: &str| {
            let message = format!("the checkpoint in the ledger commit {} {what}", self.commit);
            Some(Problem { code, index: Some(self.size.saturating_sub(1)), message, refname: None })
        };
        let checkpoint = match Checkpoint::open(&self.note, vkey) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return problem("checkpoint", &format!("does not hold: {}", chain(&error))),
        };
        let alone = |note: Note| note.signatures().len() == 1 && note.to_string() == self.note;
        if !Note::parse(&self.note).is_ok_and(alone) {
            return problem("checkpoint", "has more to it than the signature of the ledger's key");
        }
        if self.root != Some(checkpoint.root()) {
            return problem("root", "signs another root than the entries hash to");
        }
        None
    }
}
