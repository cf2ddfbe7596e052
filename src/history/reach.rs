//! What tips reach, found out from the top down and no further than somebody asks.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use super::Graph;
use crate::name::Oid;

/// What some tips reach. It remembers what it saw, so that a thousand questions cost one walk.
///
/// Invariant: every reachable commit is in `reached` that is a tip or has a child which was taken out of `open`. So
/// once nothing in `open` is of a higher generation than a commit, that commit is reachable if it is in `reached`, and
/// only then.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Reachable commits whose parents were not looked at yet, highest generation first.
    open: BinaryHeap<(u32, Oid)>,
    reached: HashSet<Oid>,
}

impl Reach {
    /// What tips reach, each given with its generation.
    pub fn new(tips: impl IntoIterator<Item = (u32, Oid)>) -> Self {
        let mut open: Vec<(u32, Oid)> = tips.into_iter().collect();
        let mut reached = HashSet::with_capacity(open.len());
        open.retain(|(_, tip)| reached.insert(*tip));
        Self { open: open.into(), reached }
    }

    /// Adds a tip. What was answered before stays true where it was yes.
    pub fn add(&mut self, generation: u32, tip: Oid) {
        if self.reached.insert(tip) {
            self.open.push((generation, tip));
        }
    }

    /// Whether there is no tip.
    pub fn is_empty(&self) -> bool {
        self.reached.is_empty()
    }

    /// Whether a tip reaches the commit, whose generation is given.
    pub fn contains<G: Graph>(&mut self, graph: &G, generation: u32, oid: &Oid) -> Result<bool, G::Error> {
        while let Some((above, next)) = self.open.peek()
            && *above > generation
            && !self.reached.contains(oid)
        {
            let parents = graph.node(next)?.parents;
            self.open.pop();
            for parent in parents {
                if !self.reached.contains(&parent) {
                    self.add(graph.node(&parent)?.generation, parent);
                }
            }
        }
        Ok(self.reached.contains(oid))
    }

    /// The commits that `new` reach and no tip does, parents first: [`super::difference`]'s `entering`, without a walk
    /// to where both sides end.
    pub fn entering<G: Graph>(&mut self, graph: &G, new: &[Oid]) -> Result<Vec<Oid>, G::Error> {
        let mut entering = BTreeSet::new();
        let (mut queue, mut seen) = (BinaryHeap::new(), HashSet::new());
        for oid in new {
            if seen.insert(*oid) {
                queue.push((graph.node(oid)?.generation, *oid));
            }
        }
        while let Some((generation, oid)) = queue.pop() {
            if self.contains(graph, generation, &oid)? {
                continue;
            }
            entering.insert((generation, oid));
            for parent in graph.node(&oid)?.parents {
                if seen.insert(parent) {
                    queue.push((graph.node(&parent)?.generation, parent));
                }
            }
        }
        Ok(entering.into_iter().map(|(_, oid)| oid).collect())
    }

    /// What the `gone` commits reach and no tip does, by the first of them that is found to reach it: as if the others
    /// had gone before it. Parents first.
    pub fn leaving<G: Graph>(&mut self, graph: &G, gone: &[Oid]) -> Result<HashMap<Oid, Vec<Oid>>, G::Error> {
        let mut owners: HashMap<Oid, Oid> = gone.iter().map(|oid| (*oid, *oid)).collect();
        let mut leaving: HashMap<Oid, Vec<(u32, Oid)>> = gone.iter().map(|oid| (*oid, Vec::new())).collect();
        let mut queue = BinaryHeap::new();
        for oid in leaving.keys() {
            queue.push((graph.node(oid)?.generation, *oid));
        }
        while let Some((generation, oid)) = queue.pop() {
            if self.contains(graph, generation, &oid)? {
                continue;
            }
            let Some(owner) = owners.get(&oid).copied() else { continue };
            if let Some(own) = leaving.get_mut(&owner) {
                own.push((generation, oid));
            }
            for parent in graph.node(&oid)?.parents {
                if let Entry::Vacant(free) = owners.entry(parent) {
                    free.insert(owner);
                    queue.push((graph.node(&parent)?.generation, parent));
                }
            }
        }
        let parents_first = |mut own: Vec<(u32, Oid)>| {
            own.sort_unstable();
            own.into_iter().map(|(_, oid)| oid).collect()
        };
        Ok(leaving.into_iter().map(|(gone, own)| (gone, parents_first(own))).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::history::{MemoryGraph, Node, UnknownCommit, difference};

    fn nth(n: usize) -> Oid {
        let mut bytes = [0; 20];
        // Names in another order than ages.
        bytes[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        Oid::from_bytes(bytes)
    }

    /// A graph that counts how many commits it was asked for.
    #[derive(Default)]
    struct Counting(MemoryGraph, RefCell<HashSet<Oid>>);

    impl Graph for Counting {
        type Error = UnknownCommit;

        fn node(&self, oid: &Oid) -> Result<Node, UnknownCommit> {
            self.1.borrow_mut().insert(*oid);
            self.0.node(oid)
        }
    }

    fn reach_of(graph: &MemoryGraph, tips: &[Oid]) -> BTreeSet<Oid> {
        let (mut seen, mut todo) = (BTreeSet::new(), tips.to_vec());
        while let Some(next) = todo.pop() {
            if seen.insert(next) {
                todo.extend(graph.node(&next).unwrap().parents);
            }
        }
        seen
    }

    fn with_generations(graph: &MemoryGraph, tips: &[Oid]) -> Vec<(u32, Oid)> {
        tips.iter().map(|tip| (graph.node(tip).unwrap().generation, *tip)).collect()
    }

    #[test]
    fn a_question_near_the_tips_walks_no_further() {
        let mut graph = Counting::default();
        for n in 0..10_000 {
            let parents = if n == 0 { Vec::new() } else { vec![nth(n - 1)] };
            graph.0.add(nth(n), parents).unwrap();
        }
        for n in 10_000..10_003 {
            graph.0.add(nth(n), vec![nth(if n == 10_000 { 9_990 } else { n - 1 })]).unwrap();
        }
        let mut reach = Reach::new([(10_000, nth(9_999)), (5, nth(4))]);
        assert_eq!(reach.entering(&graph, &[nth(10_002)]).unwrap(), [nth(10_000), nth(10_001), nth(10_002)]);
        assert!(reach.entering(&graph, &[nth(9_999)]).unwrap().is_empty());
        let asked = graph.1.borrow().len();
        assert!(asked < 20, "{asked} commits were read");
        let leaving = reach.leaving(&graph, &[nth(10_002)]).unwrap();
        assert_eq!(leaving[&nth(10_002)], [nth(10_000), nth(10_001), nth(10_002)]);
        assert!(reach.entering(&graph, &[nth(77_777)]).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_sets_and_with_the_difference(
            shape in proptest::collection::vec(proptest::collection::vec(any::<Index>(), 0..4), 1..40),
            tips in proptest::collection::vec(any::<Index>(), 0..5),
            later in proptest::collection::vec(any::<Index>(), 0..3),
            new in proptest::collection::vec(any::<Index>(), 1..8),
        ) {
            let mut graph = MemoryGraph::default();
            for (n, parents) in shape.iter().enumerate() {
                let parents: BTreeSet<usize> = parents.iter().filter(|_| n > 0).map(|parent| parent.index(n)).collect();
                graph.add(nth(n), parents.into_iter().map(nth).collect()).unwrap();
            }
            let pick = |indices: &[Index]| indices.iter().map(|index| nth(index.index(shape.len()))).collect::<Vec<_>>();
            let (mut tips, later, new) = (pick(&tips), pick(&later), pick(&new));
            let mut reach = Reach::new(with_generations(&graph, &tips));
            for more in [Vec::new(), later] {
                for (generation, tip) in with_generations(&graph, &more) {
                    reach.add(generation, tip);
                }
                tips.extend(more);
                prop_assert_eq!(reach.is_empty(), tips.is_empty());
                let old = reach_of(&graph, &tips);
                for new in new.chunks(1).chain([new.as_slice()]) {
                    let entering = reach.entering(&graph, new).unwrap();
                    prop_assert_eq!(&entering, &difference(&graph, new, &tips).unwrap().entering);
                    let expected: BTreeSet<Oid> = reach_of(&graph, new).difference(&old).copied().collect();
                    prop_assert_eq!(entering.into_iter().collect::<BTreeSet<_>>(), expected);
                }
                let leaving = reach.leaving(&graph, &new).unwrap();
                let mut all = BTreeSet::new();
                for (gone, own) in leaving {
                    let (reached, count) = (reach_of(&graph, &[gone]), all.len() + own.len());
                    prop_assert!(own.iter().all(|oid| reached.contains(oid)));
                    all.extend(own);
                    prop_assert_eq!(all.len(), count, "one is told twice");
                }
                prop_assert_eq!(all, reach_of(&graph, &new).difference(&old).copied().collect::<BTreeSet<_>>());
            }
        }
    }
}
