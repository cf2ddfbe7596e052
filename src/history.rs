//! Which commits reach which: the commit graph, exactly.
//!
//! Works by generation (one more than the highest of the parents), never by commit dates, which their authors choose.

mod reach;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use self::reach::Reach;
use crate::name::Oid;

/// A commit graph. A parent's generation is always lower than its child's.
pub trait Graph {
    /// Why the graph cannot answer.
    type Error;

    /// Generation and parents of a commit.
    fn node(&self, oid: &Oid) -> Result<Node, Self::Error>;
}

/// A commit in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// One more than the highest of its parents; 1 for a root.
    pub generation: u32,
    /// Its parents.
    pub parents: Vec<Oid>,
}

/// What lies between two sets of tips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Reachable from the new tips only, parents first.
    pub entering: Vec<Oid>,
    /// Reachable from the old tips only, parents first.
    pub leaving: Vec<Oid>,
    /// Reachable from both, and from no other such commit: where the two sides meet.
    pub meeting: Vec<Oid>,
}

const NEW: u8 = 1;
const OLD: u8 = 2;
/// Below a meeting point: reachable from both, and explained already.
const STALE: u8 = 4;

/// Compares what `new` reaches with what `old` reaches.
pub fn difference<G: Graph>(graph: &G, new: &[Oid], old: &[Oid]) -> Result<Difference, G::Error> {
    let mut marks: HashMap<Oid, u8> = HashMap::new();
    // Highest generation last, so that every child is seen before its parents.
    let mut queue: BTreeSet<(u32, Oid)> = BTreeSet::new();
    let mut parents: HashMap<Oid, Vec<Oid>> = HashMap::new();
    let mut open = 0_usize;
    let mut visit = |oid: Oid, mark: u8, queue: &mut BTreeSet<(u32, Oid)>, open: &mut usize| {
        let before = marks.get(&oid).copied().unwrap_or(0);
        let after = before | mark;
        if after != before {
            if before == 0 {
                let node = graph.node(&oid)?;
                parents.insert(oid, node.parents);
                queue.insert((node.generation, oid));
                *open += usize::from(after & STALE == 0);
            } else if before & STALE == 0 && after & STALE != 0 {
                // Still queued: a mark only comes from a child, and children leave the queue first.
                *open -= 1;
            }
            marks.insert(oid, after);
        }
        Ok((after, parents.get(&oid).cloned().unwrap_or_default()))
    };
    for tip in new {
        visit(*tip, NEW, &mut queue, &mut open)?;
    }
    for tip in old {
        visit(*tip, OLD, &mut queue, &mut open)?;
    }
    let mut found = Difference::default();
    while open > 0 {
        let Some((_, oid)) = queue.pop_last() else { break };
        let (mark, above) = visit(oid, 0, &mut queue, &mut open)?;
        open -= usize::from(mark & STALE == 0);
        let passed = match mark {
            NEW => {
                found.entering.push(oid);
                NEW
            }
            OLD => {
                found.leaving.push(oid);
                OLD
            }
            _ => {
                if mark & STALE == 0 {
                    found.meeting.push(oid);
                }
                NEW | OLD | STALE
            }
        };
        for parent in above {
            visit(parent, passed, &mut queue, &mut open)?;
        }
    }
    found.entering.reverse();
    found.leaving.reverse();
    found.meeting.reverse();
    Ok(found)
}

/// A graph in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryGraph(BTreeMap<Oid, Node>);

/// A commit that the graph does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("commit {0} is not known")]
pub struct UnknownCommit(pub Oid);

impl MemoryGraph {
    /// Adds a commit whose parents are there.
    pub fn add(&mut self, oid: Oid, parents: Vec<Oid>) -> Result<(), UnknownCommit> {
        let mut generation = 1;
        for parent in &parents {
            generation = generation.max(self.node(parent)?.generation.saturating_add(1));
        }
        self.0.insert(oid, Node { generation, parents });
        Ok(())
    }

    /// Whether the commit is there.
    pub fn contains(&self, oid: &Oid) -> bool {
        self.0.contains_key(oid)
    }
}

impl Graph for MemoryGraph {
    type Error = UnknownCommit;

    fn node(&self, oid: &Oid) -> Result<Node, UnknownCommit> {
        self.0.get(oid).cloned().ok_or(UnknownCommit(*oid))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn oid(n: u8) -> Oid {
        Oid::from_bytes([n; 20])
    }

    fn nth(n: usize) -> Oid {
        oid(u8::try_from(n).unwrap())
    }

    fn graph(edges: &[(u8, &[u8])]) -> MemoryGraph {
        let mut graph = MemoryGraph::default();
        for (child, parents) in edges {
            graph.add(oid(*child), parents.iter().map(|n| oid(*n)).collect()).unwrap();
        }
        graph
    }

    #[test]
    fn shapes() {
        // 1-2-3-4 with a side line 2-5-6, merged in 7 (4, 6).
        let graph = graph(&[(1, &[]), (2, &[1]), (3, &[2]), (4, &[3]), (5, &[2]), (6, &[5]), (7, &[4, 6])]);
        let check = |new: &[u8], old: &[u8], entering: &[u8], leaving: &[u8], meeting: &[u8]| {
            let ids = |ns: &[u8]| ns.iter().map(|n| oid(*n)).collect::<Vec<_>>();
            let found = difference(&graph, &ids(new), &ids(old)).unwrap();
            assert_eq!((found.entering, found.leaving, found.meeting), (ids(entering), ids(leaving), ids(meeting)));
        };
        check(&[4], &[2], &[3, 4], &[], &[2]);
        check(&[2], &[4], &[], &[3, 4], &[2]);
        check(&[7], &[4], &[5, 6, 7], &[], &[4]);
        check(&[6], &[4], &[5, 6], &[3, 4], &[2]);
        check(&[7], &[], &[1, 2, 3, 5, 4, 6, 7], &[], &[]);
        check(&[4], &[4], &[], &[], &[4]);
        assert!(difference(&graph, &[oid(9)], &[]).is_err());
    }

    fn reach(graph: &MemoryGraph, tip: Oid) -> BTreeSet<Oid> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![tip];
        while let Some(next) = todo.pop() {
            if seen.insert(next) {
                todo.extend(graph.node(&next).unwrap().parents);
            }
        }
        seen
    }

    proptest! {
        #[test]
        fn agrees_with_sets(shape in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..24), new in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
            let mut graph = MemoryGraph::default();
            for (n, parents) in shape.iter().enumerate() {
                let parents: BTreeSet<Oid> = if n == 0 { BTreeSet::new() } else { parents.iter().map(|p| nth(p.index(n))).collect() };
                graph.add(nth(n), parents.into_iter().collect()).unwrap();
            }
            let (new, old) = (nth(new.index(shape.len())), nth(old.index(shape.len())));
            let found = difference(&graph, &[new], &[old]).unwrap();
            let (a, b) = (reach(&graph, new), reach(&graph, old));
            prop_assert_eq!(found.entering.into_iter().collect::<BTreeSet<_>>(), a.difference(&b).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(found.leaving.into_iter().collect::<BTreeSet<_>>(), b.difference(&a).copied().collect::<BTreeSet<_>>());
            let common: BTreeSet<Oid> = a.intersection(&b).copied().collect();
            let best: BTreeSet<Oid> = common.iter().filter(|c| !common.iter().any(|d| d != *c && reach(&graph, *d).contains(*c))).copied().collect();
            prop_assert_eq!(found.meeting.into_iter().collect::<BTreeSet<_>>(), best);
        }
    }
}
