//! Making one's own unpushed commits anew, signed and with trailers that hold: those made without our hooks, without a
//! key, or with stale trailers.
//!
//! ```text
//! plan      which commits, and why; nothing is written
//! remake    the same trees, authors and messages on the new parents, signed by `git commit-tree -S`
//! land      one transaction moves HEAD's branch; index and work tree fit as they are, since no tree changes
//! ```
//!
//! Until `land` nothing points to what was made, so a failure leaves nothing moved.

mod land;
mod plan;
mod reflog;
mod remake;

use std::path::PathBuf;

use crate::git::GitError;
use crate::ledger::follow::FollowError;
use crate::name::{NameError, Oid};

use super::clone_setup::key::KeyError;
use super::prepare_commit_msg::PrepareError;

pub use land::{Ref, land};
pub use plan::{Left, Options, Plan, Range, Step, Why, plan};
pub use remake::{Made, remake};

/// Why commits are not made anew. Nothing has moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResignError {
    /// Git is in the middle of something.
    #[error("{what} is under way, and it will move the branch itself")]
    Busy {
        /// What.
        what: &'static str,
        /// How to finish it.
        finish: &'static str,
    },
    /// A repository without a work tree is no clone of a person.
    #[error("this repository has no work tree: commits are made in a clone")]
    Bare,
    /// The base of the range.
    #[error("`{0}` is no commit here")]
    Base(String),
    /// Git is not set up to sign with SSH.
    #[error("Git is not set up to sign with your SSH key here")]
    NotSetUp,
    /// Each signature would ask for the passphrase.
    #[error("the key `{}` has a passphrase, which would be asked for at every commit", .0.display())]
    Passphrase(PathBuf),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Commits of others stand upon those to make anew.
    #[error("{} of others, such as {} by {who}, stand upon commits of yours that would be made anew, and would lose their signatures", if *count == 1 { "a commit".to_owned() } else { format!("{count} commits") }, example.short())]
    UponThem {
        /// How many.
        count: usize,
        /// The first of them.
        example: Oid,
        /// Its committer.
        who: String,
    },
    /// A history that is cut cannot be bound to what it was made on.
    #[error("the parents of {} are not here: this clone holds a part of the history only", .0.short())]
    Shallow(Oid),
    /// No text that could be kept.
    #[error("the message or author of {} is not UTF-8, and the commit does not say what it is", .0.short())]
    Encoding(Oid),
    /// Git would not make a commit.
    #[error("{} could not be made anew", commit.short())]
    Make {
        /// The commit.
        commit: Oid,
        /// What it said.
        source: GitError,
    },
    /// What Git made is not what it should be.
    #[error("{} could not be made anew as it was: {what}", commit.short())]
    Differs {
        /// The commit.
        commit: Oid,
        /// What is different.
        what: String,
    },
    /// The branch moved meanwhile, or a hook of Git refused.
    #[error("the commits were made, but the branch could not be moved")]
    Land(#[source] GitError),
    /// Reading commits and their manifests.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The ledger that is followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A name that Git gave.
    #[error(transparent)]
    Name(#[from] NameError),
}
