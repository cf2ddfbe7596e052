//! What a clone pushed, and what the ledger said to it: notes that are made before a push, since no hook runs after it.
//!
//! ```text
//! <common Git folder>/mledger/pushes, a line each:
//! {"kind":"note","remote":"origin","scanned":7,"size":7,"time":"2026-…Z","updates":[{"new":"9c1f…","ref":"refs/heads/main"}]}
//! {"kind":"receipt","hash":"sha256:…","index":8,"new":"9c1f…","ref":"refs/heads/main","time":"2026-…Z"}
//! {"kind":"refusal","index":9,"new":"4b82…","reason":"not-granted","ref":"refs/heads/prod","time":"2026-…Z"}
//! ```
//!
//! A note becomes a receipt for each of its refs once the ledger shows an entry that accepts it, or a refusal. A receipt
//! is demanded by every `verify` from then on. A note to which the ledger says nothing is given up after a day, unless
//! Git knows that the server took the push: then the server's ledger hides it.
//!
//! Whoever can write this file can forget receipts, as he can replace all of the clone. So a line that cannot be read
//! stays and is reported; nothing that stands here is believed against the ledger.

mod demand;
mod settle;
mod tracking;

use serde::{Deserialize, Serialize};

pub use self::demand::problems;
pub use self::settle::{Evidence, look, settle, settle_followed};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::git::{GitError, Repository, file};
use crate::ledger::follow::FollowError;
use crate::ledger::place::{Place, PlaceError};
use crate::ledger::read::ReadError;
use crate::name::{Oid, RefName};
use crate::object::certificate::Command;

/// The file, beside the followed ledger.
pub const FILE: &str = "pushes";

const LOCK: &str = "pushes.lock";

/// How long one push waits for another to write its note; nobody wants to wait for a note.
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// The largest file that is read, in bytes: the limits below allow some three megabytes.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// How many refs of one push are noted: somebody who pushes more mirrors a repository.
const UPDATES_MAX: usize = 256;

/// How many refs wait for an answer in all; the oldest are given up beyond it.
const WAITING_MAX: usize = 1024;

/// How many receipts are kept, the newest: what is older lies behind the remembered checkpoint, which every later ledger
/// extends.
const RECEIPTS_MAX: usize = 1024;

/// How many refusals are kept, the newest: nobody works off more.
const REFUSALS_MAX: usize = 64;

/// How many unreadable lines are kept, to be reported.
const UNREADABLE_MAX: usize = 16;

/// How much is kept of an unreadable line, in characters.
const UNREADABLE_CHARS_MAX: usize = 1000;

/// Why notes cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SentError {
    /// The file.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger that is followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A note that cannot be written.
    #[error("a note cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Pushes without an answer, oldest first.
    pub notes: Vec<Note>,
    /// What the ledger accepted, oldest first.
    pub receipts: Vec<Receipt>,
    /// What it refused, of each ref the newest.
    pub refusals: Vec<Refusal>,
    /// Lines that are none of ours.
    pub unreadable: Vec<String>,
}

/// A push that was about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Where it went, without what stands before an `@`.
    pub remote: String,
    /// So many entries of the ledger were searched for it.
    pub scanned: u64,
    /// How many entries the ledger had when it was last seen before.
    pub size: u64,
    /// When, by this machine's clock.
    pub time: Timestamp,
    /// The refs without an answer.
    pub updates: Vec<Update>,
}

/// One ref's move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The new tip; none where it is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Oid>,
    /// The old tip, as the server showed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<Oid>,
    /// The ref on the server.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// Whether Git knew that the server took it, and the ledger fetched after that did not say so.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub taken: bool,
    /// The ref here that follows it, as it was before the push.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tracking: Option<Tracking>,
}

/// A remote-tracking ref before a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// Its name.
    pub name: RefName,
    /// How often its reflog said already that a push put it at the new tip.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub pushes: u64,
    /// Whether it stood at the new tip already.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub stood: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// An entry that accepts a push from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its leaf hash.
    pub hash: Digest,
    /// Its index.
    pub index: u64,
    /// The new tip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Oid>,
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// Ledger time.
    pub time: Timestamp,
}

/// An entry that denies a push from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its index.
    pub index: u64,
    /// The tip that was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Oid>,
    /// The code of its first reason.
    pub reason: String,
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// Ledger time.
    pub time: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line {
    Note(Note),
    Receipt(Receipt),
    Refusal(Refusal),
}

/// What is remembered in a clone.
pub fn read(place: &Place) -> Result<Sent, SentError> {
    let path = place.file(FILE);
    let bytes = match file::read(&path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            let line = format!("(the file has more than {FILE_BYTES_MAX} bytes)");
            return Ok(Sent { unreadable: vec![line], ..Sent::default() });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Sent::default()),
        Err(source) => return Err(PlaceError::File { what: "read", path, source }.into()),
    };
    Ok(Sent::parse(&String::from_utf8_lossy(&bytes)))
}

/// Notes the push of `commands` to the remote `name` (none: by its address `url`), before it is made.
pub fn note(repository: &Repository, remote: &Remote<'_>, commands: &[Command], size: u64) -> Result<(), SentError> {
    let specs = tracking::refspecs(repository, remote.followed);
    let update = |command: &Command| Update {
        new: command.new,
        old: command.old,
        refname: command.refname.clone(),
        taken: false,
        tracking: command.new.and_then(|new| tracking::before(repository, &specs, &command.refname, &new)),
    };
    let note = Note {
        remote: without_secrets(remote.given),
        scanned: size,
        size,
        time: Timestamp::now(),
        updates: commands.iter().take(UPDATES_MAX).map(update).collect(),
    };
    change(&Place::in_repository(repository.git_dir()), |sent| {
        sent.notes.push(note);
        Ok(())
    })
}

/// A remote as a push names it.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// What was given to `git push`: a name or an address.
    pub given: &'a str,
    /// The configured remote whose ledger is followed, which this one is.
    pub followed: &'a str,
}

/// Forgets everything.
pub fn forget(place: &Place) -> Result<(), PlaceError> {
    place.remove(FILE)?;
    place.remove(LOCK)
}

/// Forgets the refusals whose commit `is_given_up`.
pub fn give_up(place: &Place, is_given_up: impl Fn(&Refusal) -> bool) -> Result<(), SentError> {
    if read(place)?.refusals.iter().any(&is_given_up) {
        change(place, |sent| {
            sent.refusals.retain(|refusal| !is_given_up(refusal));
            Ok(())
        })?;
    }
    Ok(())
}

/// Changes what is remembered; of two that do so at once none loses anything.
fn change<T>(place: &Place, work: impl FnOnce(&mut Sent) -> Result<T, SentError>) -> Result<T, SentError> {
    place.create()?;
    let _lock = place.lock_file(LOCK, LOCK_WAIT)?;
    let before = read(place)?;
    let mut sent = before.clone();
    let outcome = work(&mut sent)?;
    sent.bound();
    if sent != before {
        place.write(FILE, &sent.to_text()?, 0o600)?;
    }
    Ok(outcome)
}

/// An unreadable line, marked where it is cut: what is left must not be readable all at once.
fn shortened(line: &str) -> String {
    if line.chars().count() <= UNREADABLE_CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(UNREADABLE_CHARS_MAX - 1).chain(['\u{2026}']).collect()
}

/// An address without a name and password in it: they would be kept where nobody looks for them.
fn without_secrets(remote: &str) -> String {
    let Some((scheme, rest)) = remote.split_once("://") else { return remote.to_owned() };
    let host = rest.split('/').next().unwrap_or_default();
    match host.rsplit_once('@') {
        Some((secret, _)) => format!("{scheme}://{}", rest.get(secret.len() + 1..).unwrap_or_default()),
        None => remote.to_owned(),
    }
}

impl Note {
    /// Whether the server took any of it that its ledger does not show.
    pub fn is_taken(&self) -> bool {
        self.updates.iter().any(|update| update.taken)
    }
}

impl Sent {
    /// Reads the lines of the file; those that cannot be read are kept as they are.
    pub fn parse(text: &str) -> Self {
        let mut sent = Self::default();
        // Only LF ends a line: a CR belongs to one that cannot be read, and stays with it.
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(Line::Note(note)) => sent.notes.push(note),
                Ok(Line::Receipt(receipt)) => sent.receipts.push(receipt),
                Ok(Line::Refusal(refusal)) => sent.refusals.push(refusal),
                Err(_) => sent.unreadable.push(shortened(line)),
            }
        }
        sent.bound();
        sent
    }

    /// The lines of the file.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let notes = self.notes.iter().cloned().map(Line::Note);
        let receipts = self.receipts.iter().cloned().map(Line::Receipt);
        let refusals = self.refusals.iter().cloned().map(Line::Refusal);
        let mut text = String::new();
        for line in notes.chain(receipts).chain(refusals) {
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
        }
        self.unreadable.iter().for_each(|line| text.extend([line, "\n"]));
        Ok(text)
    }

    /// Drops the oldest of what there is too much of; of notes, first those whose push nobody has seen land.
    fn bound(&mut self) {
        fn newest<T>(list: &mut Vec<T>, max: usize) {
            list.drain(..list.len().saturating_sub(max));
        }
        newest(&mut self.receipts, RECEIPTS_MAX);
        newest(&mut self.refusals, REFUSALS_MAX);
        newest(&mut self.unreadable, UNREADABLE_MAX);
        self.notes.retain(|note| !note.updates.is_empty() && note.updates.len() <= UPDATES_MAX);
        let mut waiting: usize = self.notes.iter().map(|note| note.updates.len()).sum();
        for is_taken in [false, true] {
            self.notes.retain(|note| {
                let drops = waiting > WAITING_MAX && note.is_taken() == is_taken;
                waiting -= if drops { note.updates.len() } else { 0 };
                !drops
            });
        }
    }
}

#[cfg(test)]
mod tests;
