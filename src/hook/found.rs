//! Commits that updates bring into view: from what was read of them to what they show.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::evidence::{self, Evidence};
use crate::model::manifest::Manifest;
use crate::name::RepoPath;
use crate::object::commit::Commit;
use crate::policy::facts;

/// How many commits are looked at together on one core: their signatures cost less that way, and beyond 64 no less.
const TOGETHER: usize = 64;

/// A commit that one of the updates brings into view.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it shows.
    pub evidence: Evidence,
    /// Whether it is a commit that counts, but for who signed it.
    pub is_readable: bool,
    /// What its leaf would hold; none if it has a leaf already, or cannot be read.
    pub material: Option<Material>,
}

/// What goes into a commit leaf.
#[derive(Clone, Debug)]
pub struct Material {
    /// The raw commit.
    pub raw: Vec<u8>,
    /// Its manifest's text.
    pub manifest: String,
    /// For a merge: the paths it changes by itself.
    pub own: Option<Vec<RepoPath>>,
}

/// A commit that was read, with what belongs to it; its signature is not verified yet.
pub struct Read {
    /// The raw commit.
    pub raw: Vec<u8>,
    /// The same, parsed.
    pub commit: Commit,
    /// Its manifest.
    pub manifest: Manifest,
    /// For a merge: the paths it changes by itself.
    pub own: Option<Vec<RepoPath>>,
    /// Names in it that collide, as far as its leaf is still to be made.
    pub collision: Option<facts::Collision>,
    /// Whether it has a leaf already.
    pub is_recorded: bool,
}

impl Found {
    /// A commit that cannot be read: that denies.
    pub fn unreadable(why: &str) -> Self {
        Self { evidence: evidence::unreadable(why), is_readable: false, material: None }
    }
}

/// Verifies the signatures of commits, and tells in the same order what the commits show.
pub fn look(commits: Vec<Read>) -> Vec<Found> {
    if commits.len() <= TOGETHER {
        // A pool of threads takes longer to start than the few commits of a usual push.
        return look_together(commits);
    }
    match ThreadPoolBuilder::new().build() {
        Ok(pool) => pool.install(|| commits.into_par_iter().chunks(TOGETHER).flat_map_iter(look_together).collect()),
        // Where no more threads are to be had, it takes longer.
        Err(_) => one_by_one(commits),
    }
}

fn one_by_one(mut commits: Vec<Read>) -> Vec<Found> {
    let mut found = Vec::with_capacity(commits.len());
    while !commits.is_empty() {
        let rest = commits.split_off(TOGETHER.min(commits.len()));
        found.extend(look_together(commits));
        commits = rest;
    }
    found
}

fn look_together(commits: Vec<Read>) -> Vec<Found> {
    let signed: Vec<(&[u8], &Commit)> = commits.iter().map(|read| (read.raw.as_slice(), &read.commit)).collect();
    let signatures = evidence::signatures(&signed);
    commits.into_iter().zip(signatures).map(|(read, signature)| read.found(signature)).collect()
}

impl Read {
    fn found(self, signature: facts::Signature) -> Found {
        let Self { raw, commit, manifest, own, collision, is_recorded } = self;
        let mut evidence = evidence::assemble(&commit, &manifest, own.as_deref(), signature);
        evidence.facts.collision = collision;
        let material = (!is_recorded).then(|| Material { raw, manifest: manifest.to_text(), own });
        Found { evidence, is_readable: true, material }
    }
}
