//! `pre-push`: looks at the remote's ledger before anything is sent, so that nobody builds on one that took something
//! back.

use std::path::Path;

use super::prepare_commit_msg::repository;
use crate::git::{GitError, Repository};
use crate::ledger::follow::{self, FollowError, Followed};

/// The configuration key that names the remote whose ledger is followed.
pub const REMOTE_KEY: &str = "mledger.remote";

/// The remote that is followed where none is configured.
pub const USUAL_REMOTE: &str = "origin";

/// What the look at the ledger showed.
#[derive(Debug)]
pub enum Outlook {
    /// The push goes to a remote whose ledger is not followed, or that has none.
    NotFollowed,
    /// The ledger extends what was seen.
    Extends(Box<Followed>),
    /// The ledger could not be looked at. The push may go on: the gate judges it.
    Unseen(Box<FollowError>),
}

/// Looks at the ledger of the remote that a push goes to, in the repository of the hook that runs in `dir`. An error
/// means that the push must not go on: the ledger contradicts what was seen.
pub fn run(dir: &Path, remote: &str, url: &str) -> Result<Outlook, FollowError> {
    let repository = repository(dir)?;
    let Some(followed) = followed_remote(&repository, remote, url)? else { return Ok(Outlook::NotFollowed) };
    match follow::fetch(repository.git_dir(), &followed, None) {
        Ok(followed) => Ok(Outlook::Extends(Box::new(followed))),
        Err(FollowError::NoLedger) => Ok(Outlook::NotFollowed),
        Err(error) if error.is_contradiction() => Err(error),
        Err(error) => Ok(Outlook::Unseen(Box::new(error))),
    }
}

/// Where to fetch the ledger, if the push goes to the followed remote, by its name or by its address.
fn followed_remote(repository: &Repository, remote: &str, url: &str) -> Result<Option<String>, GitError> {
    // A remote that came after `init` is followed, too, if it has the usual name.
    let name = repository.config(REMOTE_KEY)?.unwrap_or_else(|| USUAL_REMOTE.to_owned());
    let Ok(known) = follow::remote_url(repository, &name) else { return Ok(None) };
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    Ok((name == remote || known == follow::absolute_url(base, url)).then_some(known))
}
