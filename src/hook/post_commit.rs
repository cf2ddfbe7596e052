//! `post-commit`: what a gate will find in the commit that was just made, told while it is easy to mend.
//!
//! Where Git makes many commits at once, it is told once for all of them: after a rebase by `post-rewrite`, after a
//! range of picks or reverts with the last of them.

use std::path::Path;

use super::prepare_commit_msg::{PrepareError, repository, with_missing_fetched, with_trees};
use crate::evidence::{Evidence, gather, unreadable};
use crate::git::manifest::{Cache, Limits, manifest};
use crate::git::{GitError, Kind, Repository};
use crate::name::Oid;
use crate::object::commit::Commit;
use crate::policy::facts::{ManifestTrailer, Signature};

/// What a commit shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The commit.
    pub commit: Oid,
    /// Its manifest trailer.
    pub manifest: ManifestTrailer,
    /// Whether Git is in the middle of a rebase or of patches, with more commits to come.
    pub rebasing: bool,
    /// Its signature.
    pub signature: Signature,
}

impl Feedback {
    /// Whether a gate will find nothing amiss in the commit itself.
    pub fn is_good(&self) -> bool {
        matches!(self.signature, Signature::Valid { .. }) && self.manifest == ManifestTrailer::Matches
    }
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Of one commit.
    One(Feedback),
    /// Of all commits that Git made at once.
    Many {
        /// How many a gate would object to.
        amiss: usize,
        /// How many there are.
        commits: usize,
    },
}

/// Looks at what Git made, in the repository of the hook that runs in `dir`. None where there is nothing to tell yet.
pub fn run(dir: &Path) -> Result<Option<News>, PrepareError> {
    let repository = repository(dir)?;
    if is_rebasing(&repository) {
        return Ok(None);
    }
    let Some(picks) = Picks::under_way(&repository) else { return Ok(head(dir, &repository)?.map(News::One)) };
    if picks.left > 1 {
        return Ok(None);
    }
    let made = picks.made(&repository)?;
    look_at(dir, &repository, &made).map(Some)
}

/// What HEAD shows; none where no commit is.
pub(super) fn head(dir: &Path, repository: &Repository) -> Result<Option<Feedback>, PrepareError> {
    let Some(head) = repository.resolve("HEAD") else { return Ok(None) };
    look(dir, repository, &head, &mut Cache::default()).map(Some)
}

/// What all these commits show.
pub(super) fn look_at(dir: &Path, repository: &Repository, commits: &[Oid]) -> Result<News, PrepareError> {
    let mut cache = Cache::default();
    let mut amiss = 0;
    for commit in commits {
        cache.renew();
        amiss += usize::from(!look(dir, repository, commit, &mut cache)?.is_good());
    }
    Ok(News::Many { amiss, commits: commits.len() })
}

fn look(dir: &Path, repository: &Repository, commit: &Oid, cache: &mut Cache) -> Result<Feedback, PrepareError> {
    let facts = evidence(dir, repository, commit, cache)?.facts;
    let rebasing = ["rebase-merge", "rebase-apply"].iter().any(|name| repository.own_dir().join(name).exists());
    Ok(Feedback { commit: *commit, manifest: facts.manifest, rebasing, signature: facts.signature })
}

/// What a gate will see in a commit.
pub(super) fn evidence(
    dir: &Path,
    repository: &Repository,
    oid: &Oid,
    cache: &mut Cache,
) -> Result<Evidence, PrepareError> {
    let raw = repository.read(oid, Kind::Commit)?;
    let commit = match Commit::parse(&raw) {
        Ok(commit) => commit,
        Err(error) => return Ok(unreadable(&error.to_string())),
    };
    let parents = with_trees(repository, &commit.parents)?;
    let manifest =
        with_missing_fetched(dir, || manifest(repository, &commit.tree, &parents, cache, &Limits::default()))?;
    Ok(gather(&raw, &commit, &manifest, None))
}

/// Whether a rebase is under way, at whose end `post-rewrite` runs. `git am` keeps its state in one of the same folders.
pub(super) fn is_rebasing(repository: &Repository) -> bool {
    ["rebase-merge", "rebase-apply/rebasing"].iter().any(|name| repository.own_dir().join(name).exists())
}

/// A range of picks or reverts: nothing runs at its end.
struct Picks {
    /// How many are left, with the one that was just made.
    left: usize,
    /// Where HEAD stood before the first.
    start: Oid,
}

impl Picks {
    fn under_way(repository: &Repository) -> Option<Self> {
        let read = |name: &str| std::fs::read_to_string(repository.own_dir().join("sequencer").join(name)).ok();
        let start = Oid::parse(read("head")?.trim()).ok()?;
        let todo = read("todo")?;
        let left = todo.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
        Some(Self { left, start })
    }

    /// What they made: one commit on another.
    fn made(&self, repository: &Repository) -> Result<Vec<Oid>, GitError> {
        let mut made = Vec::new();
        let mut at = repository.resolve("HEAD");
        while let Some(commit) = at.filter(|commit| *commit != self.start) {
            made.push(commit);
            at = repository.links(&commit)?.1.first().copied();
        }
        Ok(made)
    }
}
