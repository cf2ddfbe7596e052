//! The commit graph of a ledger in memory: some 80 bytes a commit, for a million of them.

use std::collections::HashMap;

use super::earlier::Earlier;
use crate::history::{Graph, Node, UnknownCommit};
use crate::name::Oid;

/// Commits of the baseline and of commit leaves.
#[derive(Default)]
pub struct CommitGraph<'a> {
    /// What an earlier verification knew; of it, only what is touched is held in memory.
    earlier: Option<&'a Earlier>,
    numbers: HashMap<Oid, u32>,
    oids: Vec<Oid>,
    places: Vec<Place>,
    /// Parents of all commits, one after another; a commit's own begin at its `parents`.
    parents: Vec<u32>,
}

struct Place {
    generation: u32,
    parents: u32,
    /// The entry that holds it; `u64::MAX` for the baseline.
    leaf: u64,
}

const BASELINE: u64 = u64::MAX;

impl<'a> CommitGraph<'a> {
    /// A graph that goes on from that of an earlier verification.
    pub fn after(earlier: Option<&'a Earlier>) -> Self {
        Self { earlier, ..Self::default() }
    }

    /// Adds a commit whose parents are there, with the entry that holds it. A baseline commit may get its entry later.
    /// Says whether the commit is new here.
    pub fn add(&mut self, oid: Oid, parents: &[Oid], leaf: Option<u64>) -> Result<bool, UnknownCommit> {
        if let Some(number) = self.number(&oid)
            && let Some(place) = self.places.get_mut(number as usize)
        {
            if place.leaf == BASELINE {
                place.leaf = leaf.unwrap_or(BASELINE);
            }
            return Ok(false);
        }
        let mut generation = 1;
        let mut numbers = Vec::with_capacity(parents.len());
        for parent in parents {
            let number = self.number(parent).ok_or(UnknownCommit(*parent))?;
            let above = self.places.get(number as usize).map_or(0, |place| place.generation);
            generation = generation.max(above.saturating_add(1));
            numbers.push(number);
        }
        self.place(oid, generation, numbers, leaf).ok_or(UnknownCommit(oid))?;
        Ok(true)
    }

    /// The number of a commit; one that only the earlier verification knew gets one now, without its parents.
    fn number(&mut self, oid: &Oid) -> Option<u32> {
        if let Some(number) = self.numbers.get(oid) {
            return Some(*number);
        }
        let known = self.earlier?.commit(oid)?;
        self.place(*oid, known.node.generation, Vec::new(), known.leaf)
    }

    fn place(&mut self, oid: Oid, generation: u32, parents: Vec<u32>, leaf: Option<u64>) -> Option<u32> {
        let begin = u32::try_from(self.parents.len()).ok()?;
        let number = u32::try_from(self.oids.len()).ok()?;
        self.parents.extend(parents);
        self.numbers.insert(oid, number);
        self.oids.push(oid);
        self.places.push(Place { generation, parents: begin, leaf: leaf.unwrap_or(BASELINE) });
        Some(number)
    }

    /// Whether the commit is known.
    pub fn contains(&self, oid: &Oid) -> bool {
        self.numbers.contains_key(oid) || self.earlier.is_some_and(|earlier| earlier.commit(oid).is_some())
    }

    /// The entry that holds a commit; none for the baseline and for unknown ones.
    pub fn leaf(&self, oid: &Oid) -> Option<u64> {
        let Some(number) = self.numbers.get(oid) else { return self.earlier?.commit(oid)?.leaf };
        let place = self.places.get(*number as usize)?;
        (place.leaf != BASELINE).then_some(place.leaf)
    }

    /// The commits in memory: all that are new since the earlier verification, and some that it knew.
    pub fn oids(&self) -> &[Oid] {
        &self.oids
    }

    /// The parents of a commit; none for unknown ones.
    pub fn parents(&self, oid: &Oid) -> Vec<Oid> {
        self.node(oid).map(|node| node.parents).unwrap_or_default()
    }
}

impl Graph for CommitGraph<'_> {
    type Error = UnknownCommit;

    fn node(&self, oid: &Oid) -> Result<Node, UnknownCommit> {
        let unknown = || UnknownCommit(*oid);
        let earlier =
            || self.earlier.and_then(|earlier| earlier.commit(oid)).map(|known| known.node).ok_or_else(unknown);
        let Some(number) = self.numbers.get(oid).map(|number| *number as usize) else { return earlier() };
        let place = self.places.get(number).ok_or_else(unknown)?;
        let end = self.places.get(number + 1).map_or(self.parents.len(), |next| next.parents as usize);
        let numbers = self.parents.get(place.parents as usize..end).unwrap_or_default();
        if numbers.is_empty() && place.generation > 1 {
            // It has parents, which only the earlier verification knew.
            return earlier();
        }
        let parents = numbers.iter().filter_map(|number| self.oids.get(*number as usize)).copied().collect();
        Ok(Node { generation: place.generation, parents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_parents_generations_and_entries() {
        let oid = |n: u8| Oid::from_bytes([n; 20]);
        let mut graph = CommitGraph::default();
        graph.add(oid(1), &[], None).unwrap();
        graph.add(oid(2), &[oid(1)], Some(7)).unwrap();
        graph.add(oid(3), &[oid(1), oid(2)], Some(8)).unwrap();
        assert_eq!(graph.node(&oid(3)).unwrap(), Node { generation: 3, parents: vec![oid(1), oid(2)] });
        assert_eq!(graph.node(&oid(1)).unwrap(), Node { generation: 1, parents: vec![] });
        assert_eq!((graph.leaf(&oid(1)), graph.leaf(&oid(2))), (None, Some(7)));
        graph.add(oid(1), &[], Some(9)).unwrap();
        graph.add(oid(2), &[oid(1)], Some(10)).unwrap();
        assert_eq!((graph.leaf(&oid(1)), graph.leaf(&oid(2))), (Some(9), Some(7)));
        assert_eq!(graph.add(oid(4), &[oid(5)], None), Err(UnknownCommit(oid(5))));
        assert!(!graph.contains(&oid(4)));
    }
}
