//! Commits on the way from a tip down to what the ledger knows, and what each shows.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::{COMMITS_BYTES_MAX, DESCRIBED_TOGETHER, GatherError, Gatherer};
use crate::digest::git_oid;
use crate::entry::leaf::{Leaf, parse_paths};
use crate::git::manifest::{self};
use crate::git::{GitError, Kind, Repository, commit, merge};
use crate::history::{Graph, Node};
use crate::hook::found::{Found, Read, look};
use crate::model::manifest::Manifest;
use crate::name::{Oid, RepoPath};
use crate::object::collision::Collision;
use crate::object::commit::{Commit, CommitError, PARENTS_MAX, RAW_BYTES_MAX};
use crate::policy::facts::{self};

impl Gatherer<'_> {
    pub(super) fn tree(&self, commit: &Oid) -> Result<Oid, GitError> {
        tree(&self.trees, self.sources.pushed, commit)
    }

    /// The commits reachable from `tip` that the ledger does not know, and the known ones where the walk ended.
    pub(super) fn walk(&mut self, tip: Oid) -> Result<(Vec<Oid>, HashSet<Oid>), GatherError> {
        let max = self.sources.policy.limits().commits_per_push;
        let (mut fresh, mut boundary, mut seen) = (Vec::new(), HashSet::new(), HashSet::new());
        // Each commit is met twice: on the way up it calls its parents, on the way down their generations are known.
        let mut todo = vec![(tip, false)];
        while let Some((oid, parents_done)) = todo.pop() {
            if parents_done {
                self.settle_generation(&oid)?;
                continue;
            }
            if !seen.insert(oid) {
                continue;
            }
            let parents = match self.nodes.get(&oid) {
                Some(node) => node.parents.clone(),
                None if self.sources.index.known(&oid)?.is_some() => {
                    boundary.insert(oid);
                    continue;
                }
                None => self.read_parents(&oid)?,
            };
            fresh.push(oid);
            if self.nodes.len() as u64 > max {
                return Err(GatherError::Commits { max });
            }
            todo.push((oid, true));
            todo.extend(parents.into_iter().map(|parent| (parent, false)));
        }
        Ok((fresh, boundary))
    }

    pub(super) fn read_parents(&mut self, oid: &Oid) -> Result<Vec<Oid>, GatherError> {
        self.limits.check_time()?;
        let parents = commit::parents_of(self.sources.pushed, oid).map_err(|error| match error {
            GitError::Missing(missing) => GatherError::Hole(missing),
            other => other.into(),
        })?;
        if parents.len() > PARENTS_MAX {
            return Err(GatherError::Parents(*oid));
        }
        self.nodes.insert(*oid, Node { generation: 1, parents: parents.clone() });
        Ok(parents)
    }

    pub(super) fn settle_generation(&mut self, oid: &Oid) -> Result<(), GatherError> {
        let parents = self.nodes.get(oid).map(|node| node.parents.clone()).unwrap_or_default();
        let mut generation = 1;
        for parent in &parents {
            generation = generation.max(self.node(parent)?.generation.saturating_add(1));
        }
        if let Some(node) = self.nodes.get_mut(oid) {
            node.generation = generation;
        }
        Ok(())
    }

    pub(super) fn by_generation(&self, mut oids: Vec<Oid>) -> Vec<Oid> {
        oids.sort_by_key(|oid| (self.nodes.get(oid).map(|node| node.generation), *oid));
        oids
    }

    /// Makes sure that each commit's evidence is at hand.
    pub(super) fn describe(&mut self, oids: &[Oid]) -> Result<(), GatherError> {
        let missing: Vec<Oid> = oids.iter().filter(|oid| !self.found.commits.contains_key(oid)).copied().collect();
        for oids in missing.chunks(DESCRIBED_TOGETHER) {
            let (mut names, mut read) = (Vec::new(), Vec::new());
            for oid in oids {
                self.limits.check_time()?;
                // What the walk found to be unknown is not asked for again.
                let leaf = match self.nodes.get(oid) {
                    Some(_) => None,
                    None => self.sources.index.known(oid)?.and_then(|known| known.leaf),
                };
                let commit = match leaf {
                    Some(entry) => Ok(self.recorded(oid, entry)?),
                    None => self.fresh(oid)?,
                };
                match commit {
                    Ok(commit) => {
                        names.push(*oid);
                        read.push(commit);
                    }
                    Err(error) => {
                        self.found.commits.insert(*oid, Found::unreadable(&error.to_string()));
                    }
                }
            }
            let is_anybody_vouched_for = self.sources.index.has_vouchers()?;
            for (oid, mut found) in names.into_iter().zip(look(read)) {
                if is_anybody_vouched_for {
                    found.evidence.facts.vouched = self.sources.index.voucher(&oid)?;
                }
                self.found.commits.insert(oid, found);
            }
        }
        Ok(())
    }

    pub(super) fn recorded(&self, oid: &Oid, entry: u64) -> Result<Read, GatherError> {
        let lost = || GatherError::Recorded { oid: *oid, entry };
        let Leaf::Commit(leaf) = self.sources.log.leaf(entry)? else { return Err(lost()) };
        let blob = |name: &_| self.sources.log.blob(name);
        let raw = leaf.object.read_bytes(blob)?;
        let manifest = Manifest::parse(leaf.manifest.read_text(blob)?.as_bytes()).map_err(|_| lost())?;
        let own = leaf.own.as_ref().map(|own| own.read_text(blob)).transpose()?;
        let own = own.map(|text| parse_paths(&text).ok_or_else(lost)).transpose()?;
        let commit = Commit::parse(&raw).map_err(|_| lost())?;
        Ok(Read { raw, commit, manifest, own, collision: None, is_recorded: true })
    }

    pub(super) fn fresh(&mut self, oid: &Oid) -> Result<Result<Read, CommitError>, GatherError> {
        let raw = self.sources.pushed.read_limited(oid, Kind::Commit, RAW_BYTES_MAX as u64)?;
        self.commits_bytes += raw.len();
        if self.commits_bytes > COMMITS_BYTES_MAX {
            return Err(GatherError::CommitsBytes);
        }
        // Objects are not re-hashed on read, and this one goes into the ledger under its name.
        if git_oid("commit", &raw) != *oid {
            return Err(GatherError::Renamed(*oid));
        }
        let commit = match Commit::parse(&raw) {
            Ok(commit) => commit,
            Err(error) => return Ok(Err(error)),
        };
        self.trees.borrow_mut().insert(*oid, commit.tree);
        let mut parents = Vec::new();
        for parent in &commit.parents {
            parents.push((*parent, self.tree(parent)?));
        }
        let manifest = manifest::manifest(self.sources.pushed, &commit.tree, &parents, &mut self.cache, &self.limits)?;
        let own = if parents.len() > 1 { Some(self.own_paths(&parents, &manifest)?) } else { None };
        let collision =
            manifest::collision(self.sources.pushed, &commit.tree, &manifest, &mut self.cache, &self.limits)?;
        let collision = collision.map(|Collision { path, with }| facts::Collision { path, with });
        Ok(Ok(Read { raw, commit, manifest, own, collision, is_recorded: false }))
    }

    pub(super) fn own_paths(
        &mut self,
        parents: &[(Oid, Oid)],
        manifest: &Manifest,
    ) -> Result<Vec<RepoPath>, GatherError> {
        let bases = merge::base_trees(self, self.sources.pushed, parents)?;
        let (pushed, cache, limits) = (self.sources.pushed, &mut self.cache, &self.limits);
        let mut compare = |old: Option<&Oid>, new: &Oid| compare(pushed, old, new, cache, limits).ok();
        Ok(merge::own_paths(parents, bases, manifest, &mut compare))
    }
}

/// The tree of a commit; most are asked for once more, by their children.
pub(super) fn tree(seen: &RefCell<HashMap<Oid, Oid>>, pushed: &Repository, commit: &Oid) -> Result<Oid, GitError> {
    if let Some(tree) = seen.borrow().get(commit) {
        return Ok(*tree);
    }
    let tree = commit::tree_at(pushed, commit)?;
    seen.borrow_mut().insert(*commit, tree);
    Ok(tree)
}

/// The paths that differ, within what the push may cost in all.
pub(super) fn compare(
    pushed: &Repository,
    old: Option<&Oid>,
    new: &Oid,
    cache: &mut manifest::Cache,
    limits: &manifest::Limits,
) -> Result<BTreeSet<RepoPath>, GatherError> {
    Ok(manifest::compare(pushed, old, new, cache, limits)?.into_iter().map(|change| change.path).collect())
}
