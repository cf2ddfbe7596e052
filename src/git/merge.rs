//! Which paths a merge changes by itself.
//!
//! All that differ from any parent, except where every merge base agrees and the result takes the only side that
//! changed: those are explained by commits that are judged on their own.

use std::collections::BTreeSet;

use super::{Repository, commit};
use crate::history::{self, Graph};
use crate::model::manifest::Manifest;
use crate::name::{Oid, RepoPath};

/// The most parents of a merge whose paths are explained by them: the bases of each two are compared.
const PARENTS_MAX: usize = 16;

/// The paths that a merge of `parents` (commit and tree) changes by itself, by its manifest; `bases` holds the trees of
/// the merge bases of any two of them. `compare` finds the paths that differ between two trees; none where it cannot.
///
/// Where a base cannot be read or compared, every changed path counts as its own: too strict rather than too lax.
pub fn own_paths(
    parents: &[(Oid, Oid)],
    bases: Option<Vec<Oid>>,
    manifest: &Manifest,
    compare: &mut impl FnMut(Option<&Oid>, &Oid) -> Option<BTreeSet<RepoPath>>,
) -> Vec<RepoPath> {
    let lists = manifest.parents().iter();
    let changed: Vec<BTreeSet<&RepoPath>> =
        lists.map(|parent| parent.lines.iter().map(|line| &line.path).collect()).collect();
    let all = manifest.touched().into_iter();
    let Some(sides) = bases.and_then(|bases| Sides::compare(&bases, parents, compare)) else {
        return all.cloned().collect();
    };
    let explained = |path: &RepoPath| {
        let mut changers = sides.changed.iter().zip(&changed).filter(|(side, _)| side.contains(path)).peekable();
        let takes_them = changers.peek().is_some() && changers.all(|(_, differs)| !differs.contains(path));
        takes_them && !sides.disputed.contains(path)
    };
    all.filter(|path| !explained(path)).cloned().collect()
}

/// The trees of the merge bases of any two parents; none where one cannot be read, or there are too many parents.
pub fn base_trees<G: Graph>(
    graph: &G,
    repository: &Repository,
    parents: &[(Oid, Oid)],
) -> Result<Option<Vec<Oid>>, G::Error> {
    if parents.len() > PARENTS_MAX {
        return Ok(None);
    }
    let mut bases = BTreeSet::new();
    for (at, (first, _)) in parents.iter().enumerate() {
        for (second, _) in parents.iter().skip(at + 1) {
            bases.extend(history::difference(graph, &[*first], &[*second])?.meeting);
        }
    }
    Ok(bases.iter().map(|base| commit::tree_at(repository, base).ok()).collect())
}

/// What each side changed since the merge bases.
struct Sides {
    /// By parent.
    changed: Vec<BTreeSet<RepoPath>>,
    /// Paths on which the bases do not agree.
    disputed: BTreeSet<RepoPath>,
}

impl Sides {
    fn compare(
        bases: &[Oid],
        parents: &[(Oid, Oid)],
        paths: &mut impl FnMut(Option<&Oid>, &Oid) -> Option<BTreeSet<RepoPath>>,
    ) -> Option<Self> {
        let base = bases.first();
        let mut disputed = BTreeSet::new();
        for other in bases.iter().skip(1) {
            disputed.extend(paths(base, other)?);
        }
        let changed = parents.iter().map(|(_, tree)| paths(base, tree)).collect::<Option<_>>()?;
        Some(Self { changed, disputed })
    }
}
