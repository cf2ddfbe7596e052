//! `post-commit`: what a gate will find in the commit that was just made, told while it is easy to mend.

use std::path::Path;

use super::prepare_commit_msg::{PrepareError, repository, with_missing_fetched, with_trees};
use crate::evidence::{Evidence, gather, unreadable};
use crate::git::manifest::{Cache, Limits, manifest};
use crate::git::{Kind, Repository};
use crate::name::Oid;
use crate::object::commit::Commit;
use crate::policy::facts::{ManifestTrailer, Signature};

/// What HEAD shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The commit.
    pub commit: Oid,
    /// Its manifest trailer.
    pub manifest: ManifestTrailer,
    /// Whether Git is in the middle of a rebase, with more commits to come.
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

/// Looks at the commit that HEAD names, in the repository of the hook that runs in `dir`. None where there is none.
pub fn run(dir: &Path) -> Result<Option<Feedback>, PrepareError> {
    let repository = repository(dir)?;
    let Some(head) = repository.resolve("HEAD") else { return Ok(None) };
    let facts = evidence(dir, &repository, &head)?.facts;
    let rebasing = ["rebase-merge", "rebase-apply"].iter().any(|name| repository.own_dir().join(name).exists());
    Ok(Some(Feedback { commit: head, manifest: facts.manifest, rebasing, signature: facts.signature }))
}

/// What a commit shows by itself.
pub(super) fn evidence(dir: &Path, repository: &Repository, head: &Oid) -> Result<Evidence, PrepareError> {
    let raw = repository.read(head, Kind::Commit)?;
    let commit = match Commit::parse(&raw) {
        Ok(commit) => commit,
        Err(error) => return Ok(unreadable(&error.to_string())),
    };
    let parents = with_trees(repository, &commit.parents)?;
    let mut cache = Cache::default();
    let manifest =
        with_missing_fetched(dir, || manifest(repository, &commit.tree, &parents, &mut cache, &Limits::default()))?;
    Ok(gather(&raw, &commit, &manifest, None))
}
