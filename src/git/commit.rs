//! What commits name, read without judging the rest of them: those of a baseline may be of any form that Git takes.

use std::collections::HashSet;

use super::{GitError, Kind, Repository, command};
use crate::name::Oid;
use crate::object::commit::RAW_BYTES_MAX;

/// How many tags may point to one another: Git sets no limit, and nobody uses two.
const TAGS_MAX: usize = 8;

/// The tree of a commit.
pub fn tree_at(repository: &Repository, commit: &Oid) -> Result<Oid, GitError> {
    tree_of(commit, &read(repository, commit)?)
}

/// The parents of a commit.
pub fn parents_of(repository: &Repository, commit: &Oid) -> Result<Vec<Oid>, GitError> {
    parents_in(commit, &read(repository, commit)?)
}

fn read(repository: &Repository, commit: &Oid) -> Result<Vec<u8>, GitError> {
    repository.read_limited(commit, Kind::Commit, RAW_BYTES_MAX as u64)
}

fn tree_of(commit: &Oid, raw: &[u8]) -> Result<Oid, GitError> {
    let text = raw.get(..45).and_then(|line| line.strip_prefix(b"tree "));
    let tree = text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|hex| Oid::parse(hex).ok());
    tree.ok_or(GitError::Kind(*commit, "well-formed commit"))
}

fn parents_in(commit: &Oid, raw: &[u8]) -> Result<Vec<Oid>, GitError> {
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
        let raw = repository.read_limited(&at, Kind::Tag, RAW_BYTES_MAX as u64)?;
        let named =
            raw.get(..47).and_then(|line| line.strip_prefix(b"object ")).and_then(|hex| std::str::from_utf8(hex).ok());
        at = named.and_then(|hex| Oid::parse(hex).ok()).ok_or(GitError::Kind(at, "well-formed tag"))?;
    }
    Ok(None)
}

/// A commit with its tree and parents.
pub type Linked = (Oid, Oid, Vec<Oid>);

fn links(repository: &Repository, commit: &Oid, shallow: &HashSet<Oid>) -> Result<Linked, GitError> {
    let raw = repository.read(commit, Kind::Commit)?;
    let parents = if shallow.contains(commit) { Vec::new() } else { parents_in(commit, &raw)? };
    Ok((*commit, tree_of(commit, &raw)?, parents))
}

impl Repository {
    /// Every commit that a ref reaches, parents first; at a shallow boundary there are no parents.
    pub fn history(&self) -> Result<Vec<Linked>, GitError> {
        let shallow: HashSet<Oid> = self.shallow_commits().unwrap_or_default().into_iter().collect();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        // Each with the number of its parents that were looked at.
        let mut open: Vec<(Linked, usize)> = Vec::new();
        for (_, tip) in self.refs()? {
            let mut next = commit_at(self, tip)?;
            loop {
                if let Some(commit) = next.filter(|commit| seen.insert(*commit)) {
                    open.push((links(self, &commit, &shallow)?, 0));
                }
                let Some(((_, _, parents), done)) = open.last_mut() else { break };
                next = parents.get(*done).copied();
                *done += 1;
                if next.is_none() {
                    found.extend(open.pop().map(|(linked, _)| linked));
                }
            }
        }
        Ok(found)
    }

    /// A commit's tree and parents as Git sees them: at a shallow boundary there are no parents.
    pub fn links(&self, commit: &Oid) -> Result<(Oid, Vec<Oid>), GitError> {
        let shallow = self.shallow_commits().unwrap_or_default().into_iter().collect();
        links(self, commit, &shallow).map(|(_, tree, parents)| (tree, parents))
    }

    /// Resolves what a person types for a commit: a branch, tag, `HEAD~2`, an abbreviated id.
    pub fn resolve(&self, spec: &str) -> Option<Oid> {
        if let Some(plain) = Plain::parse(spec) {
            return plain.resolve(self);
        }
        let mut git = command::git(self.own_dir());
        git.arg("--git-dir").arg(self.own_dir()).args(["rev-parse", "--quiet", "--verify", "--end-of-options"]);
        Oid::parse(&command::output(git.arg(format!("{spec}^{{commit}}"))).ok()?).ok()
    }
}

/// What hooks ask for, without another process: `HEAD`, `ORIG_HEAD` or a whole id, and some parents up from there.
struct Plain<'a> {
    name: &'a str,
    steps: &'a str,
}

impl<'a> Plain<'a> {
    fn parse(spec: &'a str) -> Option<Self> {
        let (name, steps) = spec.split_at(spec.find(['^', '~']).unwrap_or(spec.len()));
        let is_plain = ["HEAD", "ORIG_HEAD"].contains(&name) || Oid::parse(name).is_ok();
        let are_plain = steps.bytes().all(|step| step == b'^') || steps == "~1";
        (is_plain && are_plain).then_some(Self { name, steps })
    }

    fn resolve(&self, repository: &Repository) -> Option<Oid> {
        let named = Oid::parse(self.name).ok().or_else(|| repository.pseudo_ref(self.name))?;
        let mut at = commit_at(repository, named).ok()??;
        for _ in 0..self.steps.trim_end_matches('1').len() {
            at = repository.links(&at).ok()?.1.first().copied()?;
        }
        Some(at)
    }
}
