//! Which paths a move of a ref touches that the entering commits may not show: what it takes away with it.

use std::collections::BTreeSet;

use super::commit::parents_of;
use super::manifest::EMPTY_TREE;
use super::{GitError, Repository};
use crate::name::{Oid, RepoPath};

/// The paths of the `leaving` commits, and those that differ between the old tip and the new one, none being gone.
/// `tree` finds a commit's tree, and `compare` the paths that differ between two trees, none being the empty one.
pub fn between<E: From<GitError>>(
    repository: &Repository,
    leaving: &[Oid],
    (old, new): (&Oid, Option<&Oid>),
    tree: &impl Fn(&Oid) -> Result<Oid, GitError>,
    compare: &mut impl FnMut(Option<&Oid>, &Oid) -> Result<BTreeSet<RepoPath>, E>,
) -> Result<BTreeSet<RepoPath>, E> {
    let new_tree = new.map_or(Ok(EMPTY_TREE), tree)?;
    let old_tree = tree(old)?;
    let mut paths = compare(Some(&old_tree), &new_tree)?;
    for oid in leaving {
        let first = parents_of(repository, oid)?.into_iter().next();
        let before = first.map(|parent| tree(&parent)).transpose()?;
        let after = tree(oid)?;
        // Enough to show what leaves with it: a merge's other parents leave with their own paths or stay.
        paths.append(&mut compare(before.as_ref(), &after)?);
    }
    Ok(paths)
}
