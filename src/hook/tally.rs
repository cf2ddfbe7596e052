//! Denials that get no leaf: counted in a file beside the ledger, and recorded as a number once their minute is over.
//!
//! ```text
//! mledger/denials   {"minute":…,"recorded_at":null,"sources":[{"count":36,"first":…,"last":…,"leaves":1,"source":…}]}
//! ```
//!
//! Read and written under the append lock only. A crash loses at most what the unfinished minute had counted: whoever
//! finds the file damaged or missing starts over, which gives later denials more leaves, never fewer. A crash between
//! an append and the new file counts nothing twice: the file names the entry where its counts were to stand.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::entry::denials::{Denials, Source, minute};
use crate::entry::leaf::{DenialsKind, Leaf, VERSION};
use crate::ledger::place::{Place, PlaceError};
use crate::ledger::read::Log;

/// The file beside the ledger.
const FILE: &str = "denials";

/// The longest file, in bytes: one line for each of the 10,000 actors that the longest policy can name.
const FILE_BYTES_MAX: usize = 4 << 20;

/// The highest count: more would be no number of a leaf.
const COUNT_MAX: u64 = 999_999_999_999_999;

/// The denials of the current minute.
pub struct Tally<'a> {
    place: &'a Place,
    counted: Counted,
    /// Whether the file holds something else.
    changed: bool,
}

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    minute: i64,
    /// The entry that is to hold the first of these counts.
    recorded_at: Option<u64>,
    sources: Vec<OfSource>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSource {
    count: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// How many have entries of their own.
    leaves: u64,
    source: Source,
}

impl Counted {
    /// Whether each source stands there once and all that is counted is of its minute: of anything else no leaf could be
    /// made, and the count would be lost.
    fn is_sound(&self) -> bool {
        let is_sound = |of: &OfSource| match (of.first, of.last) {
            (None, None) => of.count == 0,
            (Some(first), Some(last)) => {
                let both = first <= last && minute(first) == self.minute && minute(last) == self.minute;
                both && (1..=COUNT_MAX).contains(&of.count) && (of.count > 1 || first == last)
            }
            _ => false,
        };
        let names: BTreeSet<&Source> = self.sources.iter().map(|of| &of.source).collect();
        names.len() == self.sources.len() && self.sources.iter().all(is_sound)
    }
}

impl<'a> Tally<'a> {
    /// Reads the file; `log` is the ledger at its head, and locked.
    pub fn open(place: &'a Place, log: &Log<'_>) -> Self {
        let text = place.read(FILE).ok().flatten().filter(|text| text.len() <= FILE_BYTES_MAX);
        let counted: Option<Counted> = text.and_then(|text| serde_json::from_str(&text).ok());
        let mut counted = counted.filter(Counted::is_sound).unwrap_or_default();
        let is_recorded = |entry: u64| entry < log.size() && matches!(log.leaf(entry), Ok(Leaf::Denials(_)));
        if counted.recorded_at.is_some_and(is_recorded) {
            counted.sources.clear();
        }
        Self { place, counted, changed: false }
    }

    /// The leaves that an append at `time` begins with, which becomes entry `size`: the counts of a minute that is over.
    pub fn due(&mut self, size: u64, time: Timestamp) -> Result<Vec<Leaf>, PlaceError> {
        let this = minute(time);
        if this == self.counted.minute {
            return Ok(Vec::new());
        }
        let leaf = |of: &OfSource| {
            let (first, last, source) = (of.first?, of.last?, of.source.clone());
            let leaf = Denials { count: of.count, first, kind: DenialsKind::Is, last, mledger: VERSION, source, time };
            (leaf.flaw().is_none() && leaf.count <= COUNT_MAX).then_some(Leaf::Denials(leaf))
        };
        let leaves: Vec<Leaf> = self.counted.sources.iter().filter_map(leaf).collect();
        if !leaves.is_empty() {
            self.counted.recorded_at = Some(size);
            self.write()?;
        }
        self.changed = !self.counted.sources.is_empty();
        self.counted = Counted { minute: this, ..Counted::default() };
        Ok(leaves)
    }

    /// Whether the next denial of the source gets a leaf.
    pub fn has_room(&self, source: &Source) -> bool {
        let of = self.counted.sources.iter().find(|of| of.source == *source);
        of.is_none_or(|of| of.leaves < source.leaves_max())
    }

    /// Counts a denial that has a leaf.
    pub fn record(&mut self, source: Source) {
        let of = self.of(source);
        of.leaves = of.leaves.saturating_add(1);
    }

    /// Counts a denial that has none.
    pub fn count(&mut self, source: Source, time: Timestamp) {
        let of = self.of(source);
        of.count = of.count.saturating_add(1).min(COUNT_MAX);
        of.first.get_or_insert(time);
        of.last = Some(time);
    }

    /// Writes what changed, after the append.
    pub fn save(&self) -> Result<(), PlaceError> {
        match (self.changed, self.counted.sources.is_empty()) {
            (false, _) => Ok(()),
            (true, true) => self.place.remove(FILE),
            (true, false) => self.write(),
        }
    }

    fn write(&self) -> Result<(), PlaceError> {
        // It always can be: it holds numbers and names.
        let text = serde_json::to_string(&self.counted).unwrap_or_default();
        self.place.write(FILE, &text, 0o600)
    }

    fn of(&mut self, source: Source) -> &mut OfSource {
        self.changed = true;
        let sources = &mut self.counted.sources;
        let before = sources.iter().position(|of| of.source == source).map(|at| sources.swap_remove(at));
        sources.push_mut(before.unwrap_or(OfSource { count: 0, first: None, last: None, leaves: 0, source }))
    }
}

#[cfg(test)]
mod tests;
