//! The index for questions about many entries, in SQLite, beside the ledger that it is of: which entries may be what a
//! person asks for. Never the truth, and nothing that verifies or decides looks at it.
//!
//! It knows whole bundles only, which never change: the rest, at most 255 entries, is read each time anyway. It is
//! filled when somebody asks, and counts only where it was made from a beginning of the ledger at hand, by that
//! ledger's root; else it is made anew. What it names is read from the entries themselves, and held against the
//! question again: an index that somebody has forged can hide entries from a question, and never invent any. Whoever
//! must be sure that nothing is hidden removes the file, at any time.
//!
//! Where it cannot be kept, because the repository may not be written to or the disk is full, entries that it does not
//! know are read, all of them if need be, on all cores.

pub mod brief;
mod fill;
pub mod filter;
mod places;
mod search;
mod store;
mod term;

use std::io;
use std::path::{Path, PathBuf};

use self::filter::{Filter, is_about_path, is_about_ref};
use self::places::{Named, Places};
pub use self::places::{Order, Selection};
pub use self::search::search;
use self::store::Store;
use self::term::{Field, Term};
use crate::clock::Timestamp;
use crate::ledger::read::{Log, ReadError};
use crate::name::{RefName, RepoPath};

/// The index's file, beside the ledger.
pub const FILE: &str = "query.sqlite";

/// Why there is no index to ask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// SQLite.
    #[error("the index for questions cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The file.
    #[error("could not open the index for questions `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A database of others, or of another version.
    #[error("the index for questions is of another version")]
    Foreign,
    /// A row that nobody writes.
    #[error("the index for questions holds {0} that is damaged")]
    Damaged(&'static str),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl QueryError {
    /// Whether the file is not what it should be, as against one that cannot be used now.
    fn is_damage(&self) -> bool {
        match self {
            Self::Database(error) => store::is_damage(error),
            Self::Foreign | Self::Damaged(_) => true,
            Self::File { .. } | Self::Read(_) => false,
        }
    }
}

/// What is asked of an index.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// The entries that a filter keeps.
    Filter(&'a Filter),
    /// The entries of commits whose name begins with these hexadecimal digits.
    Commit(&'a str),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The entries that may be meant, and those of which nobody knows.
    pub selection: Selection,
    /// Why the index does not know all that it could, where it does not.
    pub trouble: Option<QueryError>,
}

/// Asks the index in the file `path` of the ledger `log`; makes or fills it first, and calls `progress` with the number
/// of entries that it knows. It always answers: in the worst case with every entry.
pub fn ask(path: &Path, log: &Log<'_>, question: Question<'_>, progress: &mut dyn FnMut(u64)) -> Answer {
    let answer = try_ask(path, log, question, progress).or_else(|error| {
        if error.is_damage() && Store::remove(path).is_ok() {
            try_ask(path, log, question, progress)
        } else {
            Err(error)
        }
    });
    answer.unwrap_or_else(|error| Answer { selection: Selection::all(), trouble: Some(error) })
}

fn try_ask(
    path: &Path,
    log: &Log<'_>,
    question: Question<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Answer, QueryError> {
    let mut store = Store::open(path)?;
    let trouble = match fill::fill(&mut store, log, progress) {
        Err(error) if error.is_damage() => return Err(error),
        filled => filled.err(),
    };
    let _pinned = store.pin()?;
    let known = fill::known(&store, log)?;
    let named = if known == 0 { Named::new() } else { select(&store, question)? };
    Ok(Answer { selection: Selection { known, named }, trouble })
}

fn select(store: &Store, question: Question<'_>) -> Result<Named, QueryError> {
    let mut named = match question {
        Question::Filter(filter) => select_by(store, filter)?,
        Question::Commit(prefix) => store.commits(prefix)?,
    };
    for (bundle, places) in store.places(&Term::unsure())? {
        named.entry(bundle).or_default().or(&places);
    }
    Ok(named)
}

fn select_by(store: &Store, filter: &Filter) -> Result<Named, QueryError> {
    let Filter { actor, refs, paths, kinds, decision, since, until } = filter;
    let mut conditions = Vec::new();
    if let Some(actor) = actor {
        conditions.push(store.places(&Term::new(Field::Actor, actor.as_str()))?);
    }
    if let Some(decision) = decision {
        conditions.push(store.places(&Term::new(Field::Decision, decision.as_str()))?);
    }
    if !kinds.is_empty() {
        conditions.push(store.places_where(Field::Kind, |value| kinds.iter().any(|kind| kind == value))?);
    }
    if let Some(glob) = refs {
        let is_meant = |value: &str| RefName::parse(value).is_ok_and(|name| is_about_ref(glob, &name));
        conditions.push(store.places_where(Field::Ref, is_meant)?);
    }
    if let Some(glob) = paths {
        let is_meant = |value: &str| RepoPath::parse(value).is_ok_and(|path| is_about_path(glob, &path));
        conditions.push(store.places_where(Field::Path, is_meant)?);
    }
    if since.is_some() || until.is_some() {
        let since_ms = since.map_or(i64::MIN, Timestamp::millis);
        conditions.push(store.bundles_of(since_ms, until.map_or(i64::MAX, Timestamp::millis))?);
    }
    Ok(conditions.into_iter().reduce(|left, right| both(left, &right)).unwrap_or_default())
}

fn both(mut left: Named, right: &Named) -> Named {
    left.retain(|bundle, places| {
        places.and(right.get(bundle).unwrap_or(&Places::default()));
        !places.is_empty()
    });
    left
}

#[cfg(test)]
mod tests;
