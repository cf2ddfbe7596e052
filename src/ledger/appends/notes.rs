//! What entries bring with them: the subject of their append, contents, a policy.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::digest::Digest;
use crate::entry::field::Field;
use crate::entry::leaf::Leaf;
use crate::entry::story;
use crate::ledger::check::{Checked, Content};

/// Notes on entries, in their order: a byte for each, more for few.
#[derive(Debug, Default)]
pub struct Notes {
    /// The index of the first.
    first: u64,
    weights: Vec<u8>,
    blobs: BTreeMap<u64, Vec<Digest>>,
    policies: BTreeMap<u64, Field>,
}

impl Notes {
    /// None yet, on entries from `first` on.
    pub fn after(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &Checked) {
        let index = self.first + self.weights.len() as u64;
        let weight = match &entry.content {
            Ok(Content::Commit(_)) => story::weight("commit"),
            Ok(Content::Push(_)) => story::weight("push"),
            Ok(Content::Other(leaf)) => story::weight(leaf.kind()),
            Err(_) => 0,
        };
        self.weights.push(weight);
        if !entry.blobs.is_empty() {
            self.blobs.insert(index, entry.blobs.iter().map(|name| name.sha256).collect());
        }
        let policy = match &entry.content {
            Ok(Content::Other(Leaf::Genesis(genesis))) => Some(&genesis.policy),
            Ok(Content::Other(Leaf::Policy(change))) => Some(&change.policy),
            _ => None,
        };
        self.policies.extend(policy.map(|policy| (index, policy.clone())));
    }

    /// The entry that the subject of an append of these tells of.
    pub(super) fn most_telling(&self, entries: Range<u64>) -> Option<u64> {
        let at = |index: u64| usize::try_from(index.checked_sub(self.first)?).ok();
        let weights = self.weights.get(at(entries.start)?..at(entries.end)?)?;
        let (nth, _) = weights.iter().enumerate().max_by_key(|(_, weight)| **weight)?;
        Some(entries.start + nth as u64)
    }

    /// What these entries name.
    pub(super) fn blobs(&self, entries: Range<u64>) -> impl Iterator<Item = &Digest> {
        self.blobs.range(entries).flat_map(|(_, names)| names)
    }

    /// The policy that the last of these entries put into force which did; none where none did.
    pub(super) fn policy(&self, entries: Range<u64>) -> Option<&Field> {
        self.policies.range(entries).next_back().map(|(_, policy)| policy)
    }
}
