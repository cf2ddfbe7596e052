//! What entries merely assert about a repository, held against its objects: manifests, the paths that a merge changes
//! by itself, the paths that a move touches besides.
//!
//! The ledger alone cannot tell whether these are true; who has the objects can. Where they are gone, nothing is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::check::chain;
use super::graph::CommitGraph;
use super::read::{Log, ReadError};
use crate::entry::leaf::{self, Leaf, Update, parse_paths};
use crate::git::manifest::{self, Cache, Limits, ManifestError};
use crate::git::{GitError, Repository, commit, merge, touched};
use crate::history::{self, Graph, Reach, UnknownCommit};
use crate::model::manifest::Manifest;
use crate::name::{Oid, RefName, RepoPath};
use crate::object::changes::CompareError;
use crate::object::commit::{Commit, CommitError};
use crate::policy::Policy;
use crate::policy::facts::{self, Move};

/// What was held against objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Commits and moves that were computed again.
    pub checked: u64,
    /// Those that could not be: objects are gone.
    pub gone: u64,
}

/// Why something is not what the repository holds.
#[derive(Debug, thiserror::Error)]
enum Lie {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("two trees cannot be compared")]
    Compare(#[from] CompareError<GitError>),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Graph(#[from] UnknownCommit),
    /// An object that is needed, and gone.
    #[error("an object is gone")]
    Gone,
    /// What the entry says, and what is so.
    #[error("{0}")]
    Told(String),
}

impl Lie {
    fn is_gone(&self) -> bool {
        match self {
            Self::Gone | Self::Git(GitError::Missing(_)) => true,
            Self::Manifest(
                ManifestError::Git(error) | ManifestError::Compare(CompareError::Read { source: error, .. }),
            )
            | Self::Compare(CompareError::Read { source: error, .. }) => matches!(error, GitError::Missing(_)),
            _ => false,
        }
    }
}

/// A repository that entries are held against.
pub struct Objects<'a> {
    repository: &'a Repository,
    cache: Cache,
    /// What goes with each ref that the push at hand deletes, by its commit.
    leaving: HashMap<Oid, Vec<Oid>>,
    /// What was done so far.
    pub counts: Counts,
}

impl<'a> Objects<'a> {
    /// Begins with a repository.
    pub fn new(repository: &'a Repository) -> Self {
        Self { repository, cache: Cache::default(), leaving: HashMap::new(), counts: Counts::default() }
    }

    /// What is wrong with the commit entry at `index`; its commit is in the graph.
    pub fn commit(&mut self, log: &Log<'_>, index: u64, graph: &CommitGraph<'_>, policy: &Policy) -> Option<String> {
        let told = self.check_commit(log, index, graph, &Limits::of(policy));
        self.count(told)
    }

    /// Begins with a push, before any of its updates.
    pub fn push(&mut self, stand: &Stand<'_>, updates: &[Update]) {
        let gone = updates.iter().filter(|update| update.new.is_none());
        let gone: BTreeMap<&RefName, Oid> = gone.filter_map(|update| Some((&update.refname, update.old?))).collect();
        // Where an object is gone, each of the updates finds it so.
        self.leaving = self.find_leaving(stand, &gone).unwrap_or_default();
    }

    /// What is wrong with the paths that a push entry lists for one update; `derived` is what follows of it from the
    /// ledger, and `commits` are those that enter.
    pub fn update(
        &mut self,
        stand: &Stand<'_>,
        told: &Update,
        derived: &facts::Update,
        commits: &BTreeMap<Oid, facts::Commit>,
    ) -> Option<String> {
        let checked = self.check_update(stand, told, derived, commits);
        self.count(checked)
    }

    fn count(&mut self, checked: Result<(), Lie>) -> Option<String> {
        match checked {
            Err(lie) if lie.is_gone() => {
                self.counts.gone += 1;
                None
            }
            checked => {
                self.counts.checked += 1;
                checked.err().map(|lie| chain(&lie))
            }
        }
    }

    fn check_commit(&mut self, log: &Log<'_>, index: u64, graph: &CommitGraph<'_>, limits: &Limits) -> Result<(), Lie> {
        self.cache.renew();
        let Leaf::Commit(leaf) = log.leaf(index)? else { return Ok(()) };
        let commit = Commit::parse(&log.field_bytes(&leaf.object)?)?;
        let tree_at = |parent: &Oid| Ok((*parent, commit::tree_at(self.repository, parent)?));
        let parents = commit.parents.iter().map(tree_at).collect::<Result<Vec<_>, GitError>>()?;
        let real = manifest::manifest(self.repository, &commit.tree, &parents, &mut self.cache, limits)?;
        if log.field_text(&leaf.manifest)? != real.to_text() {
            return Err(Lie::Told(differs(log, &leaf, &real)?));
        }
        if parents.len() > 1 { self.check_own(log, &leaf, graph, &parents, &real, limits) } else { Ok(()) }
    }

    fn check_own(
        &mut self,
        log: &Log<'_>,
        leaf: &leaf::Commit,
        graph: &CommitGraph<'_>,
        parents: &[(Oid, Oid)],
        manifest: &Manifest,
        limits: &Limits,
    ) -> Result<(), Lie> {
        let told = leaf.own.as_ref().map(|own| log.field_text(own)).transpose()?;
        let told: BTreeSet<RepoPath> = told.and_then(|own| parse_paths(&own)).unwrap_or_default().into_iter().collect();
        let (repository, cache) = (self.repository, &mut self.cache);
        let mut gone = false;
        let mut compare = |old: Option<&Oid>, new: &Oid| {
            let compared = paths(repository, old, new, cache, limits).map_err(Lie::from);
            gone |= compared.as_ref().is_err_and(Lie::is_gone);
            compared.ok()
        };
        let bases = merge::base_trees(graph, repository, parents)?;
        let without_bases = bases.is_none();
        let own: BTreeSet<RepoPath> = merge::own_paths(parents, bases, manifest, &mut compare).into_iter().collect();
        // A gate that could not compare the bases within its limits has listed every path.
        let every: BTreeSet<RepoPath> = manifest.touched().into_iter().cloned().collect();
        if told == own || told == every {
            return Ok(());
        }
        if gone || without_bases {
            return Err(Lie::Gone);
        }
        Err(Lie::Told(match (own.difference(&told).next(), told.difference(&own).next()) {
            (Some(path), _) => format!("the merge changes `{path}` by itself, which its entry hides"),
            (None, Some(path)) => format!("the merge does not change `{path}` by itself, as its entry says"),
            (None, None) => return Ok(()),
        }))
    }

    fn check_update(
        &mut self,
        stand: &Stand<'_>,
        told: &Update,
        derived: &facts::Update,
        commits: &BTreeMap<Oid, facts::Commit>,
    ) -> Result<(), Lie> {
        self.cache.renew();
        let shown = |oid: &Oid| commits.get(oid).map(|commit| commit.paths.as_slice()).unwrap_or_default();
        let mut extra = match (told.old, derived.action) {
            (Some(old), Move::Delete) => self.taken_away(stand, old)?,
            (Some(old), Move::Update | Move::Rewrite) => self.moved(stand, old, derived)?,
            _ => BTreeSet::new(),
        };
        for path in derived.entering.iter().flat_map(shown) {
            extra.remove(&path.path);
        }
        let told: BTreeSet<RepoPath> = derived.extra.iter().cloned().collect();
        let name = &derived.refname;
        match (extra.difference(&told).next(), told.difference(&extra).next()) {
            (Some(path), _) => Err(Lie::Told(format!("its move of {name} touches `{path}`, which the entry hides"))),
            (None, Some(path)) => {
                Err(Lie::Told(format!("its move of {name} does not touch `{path}`, as the entry says")))
            }
            (None, None) => Ok(()),
        }
    }

    /// What goes with the deleted refs, in one walk for all of them.
    fn find_leaving(
        &self,
        stand: &Stand<'_>,
        deleted: &BTreeMap<&RefName, Oid>,
    ) -> Result<HashMap<Oid, Vec<Oid>>, Lie> {
        if deleted.is_empty() {
            return Ok(HashMap::new());
        }
        let others = stand.tips.iter().filter(|(name, _)| !deleted.contains_key(name));
        let others = others.filter_map(|(_, tip)| {
            let commit = stand.peel(*tip);
            Some((stand.graph.node(&commit).ok()?.generation, commit))
        });
        let mut gone = Vec::new();
        for old in deleted.values() {
            gone.extend(commit::commit_at(self.repository, *old)?);
        }
        Ok(Reach::new(others).leaving(stand.graph, &gone)?)
    }

    /// What goes with a ref that is removed.
    fn taken_away(&mut self, stand: &Stand<'_>, old: Oid) -> Result<BTreeSet<RepoPath>, Lie> {
        let old = commit::commit_at(self.repository, old)?.ok_or(Lie::Gone)?;
        let leaving = self.leaving.get(&old).cloned().ok_or(Lie::Gone)?;
        self.between(stand, &leaving, &old, None)
    }

    /// What goes with, or differs by, a move from one commit to another.
    fn moved(&mut self, stand: &Stand<'_>, old: Oid, derived: &facts::Update) -> Result<BTreeSet<RepoPath>, Lie> {
        let Some(new) = derived.new.map(|new| derived.tag.as_ref().map_or(new, |tag| tag.commit)) else {
            return Ok(BTreeSet::new());
        };
        let old = stand.peel(old);
        let merges = derived.entering.iter().any(|oid| stand.graph.parents(oid).len() > 1);
        if !merges && derived.action != Move::Rewrite {
            return Ok(BTreeSet::new());
        }
        let leaving = history::difference(stand.graph, &[new], &[old])?.leaving;
        self.between(stand, &leaving, &old, Some(&new))
    }

    fn between(
        &mut self,
        stand: &Stand<'_>,
        leaving: &[Oid],
        old: &Oid,
        new: Option<&Oid>,
    ) -> Result<BTreeSet<RepoPath>, Lie> {
        let (repository, cache, limits) = (self.repository, &mut self.cache, Limits::of(stand.policy));
        let mut compare = |old: Option<&Oid>, new: &Oid| Ok(paths(repository, old, new, cache, &limits)?);
        let tree = |oid: &Oid| commit::tree_at(repository, oid);
        touched::between(repository, leaving, (old, new), &tree, &mut compare)
    }
}

/// What stands when a push is decided.
pub struct Stand<'a> {
    /// The commits that are known.
    pub graph: &'a CommitGraph<'a>,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The commits that signed tags name.
    pub tags: &'a BTreeMap<Oid, Oid>,
    /// Where the ledger has the refs.
    pub tips: &'a BTreeMap<RefName, Oid>,
}

impl Stand<'_> {
    fn peel(&self, tip: Oid) -> Oid {
        self.tags.get(&tip).copied().unwrap_or(tip)
    }
}

fn paths(
    repository: &Repository,
    old: Option<&Oid>,
    new: &Oid,
    cache: &mut Cache,
    limits: &Limits,
) -> Result<BTreeSet<RepoPath>, CompareError<GitError>> {
    Ok(manifest::compare(repository, old, new, cache, limits)?.into_iter().map(|change| change.path).collect())
}

/// Where a manifest is not the real one.
fn differs(log: &Log<'_>, leaf: &leaf::Commit, real: &Manifest) -> Result<String, Lie> {
    let told = Manifest::parse(log.field_text(&leaf.manifest)?.as_bytes());
    let told = told.map_err(|error| Lie::Told(chain(&error)))?;
    let pairs = told.parents().iter().zip(real.parents());
    // Both are sorted: what differs first is the lesser of the first two that do.
    let odd = pairs.filter_map(|(told, real)| {
        let mut real = real.lines.iter();
        let first = told.lines.iter().map(|line| (Some(line), real.next())).find(|(told, real)| *told != *real);
        let (told, real) = first.unwrap_or_else(|| (None, real.next()));
        told.into_iter().chain(real).map(|line| line.path.clone()).min()
    });
    let path = odd.map(|path| path.to_string()).next().unwrap_or_default();
    Ok(format!("its manifest is not that of commit {}: they differ in `{path}`", leaf.oid))
}
