//! The words by which an index finds an entry.

use super::brief::Brief;
use crate::clock::Timestamp;
use crate::entry::leaf::Verdict;
use crate::ledger::read::Log;
use crate::name::Oid;

/// What a word is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Field {
    Actor = 1,
    Ref = 2,
    Path = 3,
    Kind = 4,
    Decision = 5,
    /// An entry that could not be read to its end, so that it may be what anybody asks for.
    Unsure = 6,
}

/// A word that entries are found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Term {
    pub(super) field: Field,
    pub(super) value: String,
}

/// All that an index takes from an entry.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) index: u64,
    pub(super) terms: Vec<Term>,
    /// In milliseconds since 1970.
    pub(super) time_ms: Option<i64>,
    pub(super) commit: Option<Oid>,
}

impl Term {
    pub(super) fn new(field: Field, value: impl Into<String>) -> Self {
        Self { field, value: value.into() }
    }

    pub(super) fn unsure() -> Self {
        Self::new(Field::Unsure, "")
    }
}

impl Taken {
    /// What [`super::filter::Filter::keeps`] asks of the entry. What is wrong with it whoever reads it will see.
    pub(super) fn from_leaf(log: &Log<'_>, index: u64, bytes: &[u8]) -> Self {
        let unsure = |_| Self { index, terms: vec![Term::unsure()], time_ms: None, commit: None };
        Brief::read(log, index, bytes, true).map_or_else(unsure, Self::from_brief)
    }

    fn from_brief(brief: Brief) -> Self {
        let actors = brief.actors.iter().chain(&brief.actor);
        let mut terms: Vec<Term> = actors.map(|actor| Term::new(Field::Actor, actor.as_str())).collect();
        terms.extend(brief.refs.iter().map(|name| Term::new(Field::Ref, name.as_str())));
        terms.extend(brief.paths.iter().map(|path| Term::new(Field::Path, path.to_string())));
        terms.push(Term::new(Field::Kind, brief.kind));
        terms.extend(brief.decision.map(|decision| Term::new(Field::Decision, Verdict::as_str(decision))));
        let time_ms = brief.time.map(Timestamp::millis);
        Self { index: brief.index, terms, time_ms, commit: brief.commit }
    }
}
