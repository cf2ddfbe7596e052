//! Roles: bundles of grants that actors hold.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::Move;
use super::pattern::{PathSet, RefSet};

/// Something that a grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Be the signer of a commit that changes these paths.
    Commit,
    /// Make a ref.
    Create,
    /// Move a ref forward.
    Update,
    /// Move a ref elsewhere.
    Rewrite,
    /// Remove a ref.
    Delete,
    /// Approve a commit for a ref.
    Approve,
    /// Take part in access reviews.
    Review,
}

/// A named bundle of grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The grants that the role itself holds.
    pub allow: Vec<Grant>,
    /// Names of roles whose grants it holds, too; all defined, none leads back here.
    pub inherits: Vec<String>,
    /// The name.
    pub name: String,
}

/// One `allow` entry: these actions on these refs at these paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is permitted; at least one.
    pub actions: BTreeSet<Action>,
    /// Whether symbolic links and submodules are permitted, too.
    pub links: bool,
    /// Where in the repository.
    pub paths: PathSet,
    /// On which refs.
    pub refs: RefSet,
}

/// A grant together with the role that it stands in.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// The role whose `allow` has it.
    pub role: &'a Role,
}

/// A role that an actor holds, and why.
#[derive(Clone, Copy, Debug)]
pub struct HeldRole<'a> {
    /// The role.
    pub role: &'a Role,
    /// The place, in the same list, of the role that inherits it; none for one that the actor has itself.
    pub via: Option<usize>,
}

impl Action {
    /// Every action, as listed in messages.
    pub const ALL: [Self; 7] =
        [Self::Commit, Self::Create, Self::Update, Self::Rewrite, Self::Delete, Self::Approve, Self::Review];

    /// Parses the name as in the policy.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// The name as in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Create => "create",
            Self::Update => "update",
            Self::Rewrite => "rewrite",
            Self::Delete => "delete",
            Self::Approve => "approve",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Move> for Action {
    fn from(action: Move) -> Self {
        match action {
            Move::Create => Self::Create,
            Move::Update => Self::Update,
            Move::Rewrite => Self::Rewrite,
            Move::Delete => Self::Delete,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<_> = self.actions.iter().map(|action| action.as_str()).collect();
        let links = if self.links { ", links too" } else { "" };
        write!(f, "{} on {} at {}{links}", actions.join(", "), self.refs, self.paths)
    }
}
