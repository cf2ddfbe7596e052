//! Which paths a merge changes by itself.
//!
//! All that differ from any parent, except where every merge base agrees and the result takes the only side that
//! changed: those are explained by commits that are judged on their own.

use std::collections::BTreeSet;

use super::{GitError, Kind, Repository};
use crate::history::{self, Graph};
use crate::model::manifest::Manifest;
use crate::name::{Oid, RepoPath};

/// How many tags may point to one another: Git sets no limit, and nobody uses two.
const TAGS_MAX: usize = 8;

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
    Ok(bases.iter().map(|base| tree_at(repository, base).ok()).collect())
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

/// The tree of a commit, read without judging the rest of it: baseline commits may be of any form that Git takes.
pub fn tree_at(repository: &Repository, commit: &Oid) -> Result<Oid, GitError> {
    let raw = repository.read_limited(commit, Kind::Commit, crate::object::commit::RAW_BYTES_MAX as u64)?;
    let text = raw.get(..45).and_then(|line| line.strip_prefix(b"tree "));
    let tree = text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|hex| Oid::parse(hex).ok());
    tree.ok_or(GitError::Kind(*commit, "well-formed commit"))
}

/// The parents of a commit, likewise.
pub fn parents_of(repository: &Repository, commit: &Oid) -> Result<Vec<Oid>, GitError> {
    let raw = repository.read_limited(commit, Kind::Commit, crate::object::commit::RAW_BYTES_MAX as u64)?;
    let lines = raw.split(|byte| *byte == b'\n').skip(1);
    let parent = |line: &[u8]| std::str::from_utf8(line).ok()?.strip_prefix("parent ").map(str::to_owned);
    lines
        .map_while(parent)
        .map(|hex| Oid::parse(&hex).map_err(|_| GitError::Kind(*commit, "well-formed commit")))
        .collect()
}

/// The commit that an object is or, as an annotated tag, names in the end; none if it is a blob or tree.
pub fn commit_at(repository: &Repository, oid: Oid) -> Result<Option<Oid>, GitError> {
    let mut at = oid;
    for _ in 0..TAGS_MAX {
        match repository.header(&at)?.0 {
            Kind::Commit => return Ok(Some(at)),
            Kind::Blob | Kind::Tree => return Ok(None),
            Kind::Tag => {}
        }
        let raw = repository.read_limited(&at, Kind::Tag, crate::object::commit::RAW_BYTES_MAX as u64)?;
        let named =
            raw.get(..47).and_then(|line| line.strip_prefix(b"object ")).and_then(|hex| std::str::from_utf8(hex).ok());
        at = named.and_then(|hex| Oid::parse(hex).ok()).ok_or(GitError::Kind(at, "well-formed tag"))?;
    }
    Ok(None)
}
