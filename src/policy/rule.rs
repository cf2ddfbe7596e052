//! Rules: what an update must bring along where it touches these refs and paths.

use super::pattern::{PathSet, RefSet};
use crate::name::{RefName, RepoPath};

/// Demands on every update that matches. At least one of them is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Approvals by others.
    pub approvals: Option<Approvals>,
    /// Whether every commit at these paths must carry a log trailer of this ledger.
    pub log: bool,
    /// Whether every commit at these paths must carry a manifest trailer.
    pub manifest: bool,
    /// The name; no other rule has it.
    pub name: String,
    /// Where in the repository. Without patterns the rule also looks at updates and commits that change nothing.
    pub paths: PathSet,
    /// On which refs.
    pub refs: RefSet,
    /// Whether the push must be signed.
    pub signed_push: bool,
    /// Trailers that every commit at these paths must carry with a value; letters match in either case.
    pub trailers: Vec<String>,
}

/// How many approvals a rule demands, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// This many distinct actors; at least one.
    pub count: u64,
    /// Whether signers, authors and the pusher do not count.
    pub independent: bool,
    /// The greatest age of an approval, in milliseconds.
    pub max_age_ms: Option<u64>,
    /// The roles that count; at least one, all defined.
    pub roles: Vec<String>,
}

impl Rule {
    /// Whether it demands trailers of a commit that enters this ref, by what is known before its paths are.
    pub fn may_want_trailers(&self, refname: &RefName) -> bool {
        !self.trailers.is_empty() && self.refs.touches(refname)
    }

    /// Whether it looks at a commit that changes these paths.
    pub fn concerns(&self, paths: &[RepoPath]) -> bool {
        self.paths.is_every() || paths.iter().any(|path| self.paths.touches(path))
    }

    /// Whether it demands anything of single commits.
    pub fn is_about_commits(&self) -> bool {
        self.log || self.manifest || !self.trailers.is_empty()
    }
}
