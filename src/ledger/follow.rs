//! Following a remote's ledger from a clone: what was seen once must stay.
//!
//! ```text
//! <common Git folder>/mledger/
//!   log.git         a bare repository for refs/mledger/log alone: a shallow fetch into the clone would make it shallow
//!   vkey            the key that the ledger's checkpoints must be signed with, pinned at first sight
//!   checkpoint      the newest checkpoint that was seen and found to extend all before it
//! ```
//!
//! A fetch brings the remote's ledger to `refs/mledger/incoming`. Only when its checkpoint is signed by the pinned key
//! and provably extends the remembered one does `refs/mledger/log` move, and then the checkpoint, durably. If the
//! process dies in between, the ref is ahead of the checkpoint, and the next fetch goes on from there.

use std::path::Path;
use std::process::Command;

use super::earlier;
use super::place::{Place, PlaceError};
use super::read::{Log, ReadError};
use crate::git::{GitError, Repository, command};
use crate::identity::key::KeyId;
use crate::name::{ActorId, NameError, RefName};
use crate::policy::Policy;
use crate::tlog::checkpoint::{Checkpoint, CheckpointError};
use crate::tlog::key::{KeyError, VerifierKey};
use crate::tlog::tree::{self, TreeError};

/// The pinned key's file.
pub const VKEY: &str = "vkey";

/// The file with the newest checkpoint that was seen.
pub const CHECKPOINT: &str = "checkpoint";

/// The folder of the repository that holds the ledger.
pub const LOG_DIR: &str = "log.git";

const INCOMING_REF: &str = "refs/mledger/incoming";

/// How many commits of the ledger a fetch brings: an append seals every 256 entries, so more are never needed.
const FETCH_DEPTH: u32 = 256;

/// What of a clone's own configuration says how to reach a remote; the rest must not apply to the ledger's repository.
const TRANSPORT_KEYS: &str = r"^(core\.sshcommand|ssh\..*|http\..*|credential\..*|url\..*|protocol\..*)$";

/// Why a remote's ledger cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The remote does not answer, or not to us.
    #[error("could not fetch the ledger: {message}")]
    Unreachable {
        /// What Git printed.
        message: String,
    },
    /// The remote holds no ledger, and none was ever seen there.
    #[error("the remote has no ledger")]
    NoLedger,
    /// The remote held a ledger, and holds none now.
    #[error("the remote's ledger is gone; it had {} entries, root {}", seen.size(), seen.root())]
    Vanished {
        /// The newest checkpoint that was seen.
        seen: Box<Checkpoint>,
    },
    /// The ledger is shorter than it was.
    #[error(
        "the remote's ledger was rolled back: it has {} entries, root {}, and had {}, root {}",
        found.size(), found.root(), seen.size(), seen.root()
    )]
    RolledBack {
        /// The newest checkpoint that was seen.
        seen: Box<Checkpoint>,
        /// The checkpoint that the remote shows now.
        found: Box<Checkpoint>,
    },
    /// The ledger is another than it was.
    #[error(
        "the remote's ledger was replaced: its {} entries, root {}, do not extend the {}, root {}, that were seen",
        found.size(), found.root(), seen.size(), seen.root()
    )]
    Forked {
        /// The newest checkpoint that was seen.
        seen: Box<Checkpoint>,
        /// The checkpoint that the remote shows now.
        found: Box<Checkpoint>,
    },
    /// The entries are not those that the checkpoint was signed for.
    #[error("the remote's ledger does not hold the {} entries of its checkpoint", found.size())]
    Damaged {
        /// The checkpoint that the remote shows.
        found: Box<Checkpoint>,
    },
    /// The caller names another key than the pinned one.
    #[error("the ledger is known by the key `{pinned}`, not by `{given}`")]
    OtherKey {
        /// The pinned key.
        pinned: Box<VerifierKey>,
        /// The caller's.
        given: Box<VerifierKey>,
    },
    /// The ledger cannot be read, or is not signed by the pinned key.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A hash of the ledger cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError<ReadError>),
    /// The pinned key's file is damaged.
    #[error("`mledger/{VKEY}` does not hold a key")]
    Key(#[from] KeyError),
    /// The remembered checkpoint's file is damaged.
    #[error("`mledger/{CHECKPOINT}` does not hold a checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// A file.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FollowError {
    /// Whether the remote shows something else than the ledger that was seen, so that nobody should build on it.
    pub fn is_contradiction(&self) -> bool {
        match self {
            Self::Vanished { .. } | Self::RolledBack { .. } | Self::Forked { .. } | Self::Damaged { .. } => true,
            // Unless the store or the disk failed, what was fetched is no ledger, or not one of the pinned key.
            Self::Read(error) | Self::Tree(TreeError::Hash(error)) => !matches!(error, ReadError::Git(_)),
            _ => false,
        }
    }

    /// The word for a contradiction in a report of problems.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RolledBack { .. } | Self::Vanished { .. } => "rollback",
            Self::Read(_) => "checkpoint",
            _ => "fork",
        }
    }
}

/// A ledger that was fetched and extends what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The newest checkpoint; remembered.
    pub new: Checkpoint,
    /// The newest checkpoint that was seen before; none at first sight.
    pub old: Option<Checkpoint>,
    /// The key that signed both.
    pub vkey: VerifierKey,
    /// Whether the key was taken from the ledger itself just now, and nobody vouched for it.
    pub vkey_on_trust: bool,
}

/// Fetches the ledger at `remote_url` into the clone whose common Git folder is `git_dir`, and checks that it extends
/// what was seen before. A `vkey` is pinned; without one, the ledger's own is at first sight.
///
/// Nothing of what was remembered changes unless this returns `Ok`.
pub fn fetch(git_dir: &Path, remote_url: &str, vkey: Option<&VerifierKey>) -> Result<Followed, FollowError> {
    let place = Place::in_repository(git_dir);
    place.create()?;
    let _lock = place.lock()?;
    let pinned = pinned_vkey(&place, vkey)?;
    let old = remembered(git_dir)?;
    let repository = Repository::init_bare(&place.file(LOG_DIR))?;
    fetch_incoming(git_dir, &repository, remote_url, old.as_ref())?;

    let incoming = RefName::parse(INCOMING_REF)?;
    let tip = repository.tip(&incoming)?.ok_or(FollowError::NoLedger)?;
    let log = Log::open_at(&repository, tip, pinned.as_ref())?;
    let new = log.head().checkpoint.clone();
    check_extends(&log, old.as_ref(), &new)?;

    let name = super::log_ref()?;
    repository.move_ref(&name, &tip, repository.tip(&name)?.as_ref(), "follow")?;
    let followed = Followed { new, old, vkey: log.vkey().clone(), vkey_on_trust: pinned.is_none() };
    remember(&place, &followed, &log.head().message.note)?;
    Ok(followed)
}

/// The newest checkpoint that was seen, if a ledger is followed. It was checked before it was remembered.
pub fn remembered(git_dir: &Path) -> Result<Option<Checkpoint>, FollowError> {
    let place = Place::in_repository(git_dir);
    let (Some(note), Some(vkey)) = (place.read(CHECKPOINT)?, place.read(VKEY)?) else { return Ok(None) };
    let vkey = VerifierKey::parse(vkey.trim_end_matches('\n'))?;
    Ok(Some(Checkpoint::open(&note, &vkey)?))
}

/// The repository that holds the followed ledger, if one is followed.
pub fn repository(git_dir: &Path) -> Result<Option<Repository>, FollowError> {
    let path = Place::in_repository(git_dir).file(LOG_DIR);
    if path.exists() { Ok(Some(Repository::open(&path)?)) } else { Ok(None) }
}

/// The key that the followed ledger must be signed with, if one is followed.
pub fn vkey(git_dir: &Path) -> Result<Option<VerifierKey>, FollowError> {
    pinned_vkey(&Place::in_repository(git_dir), None)
}

/// Whom the followed ledger's policy knows a key as, at any time. It asks the view in the ledger's tree, which `verify`
/// holds against the entries: good enough to tell people where they stand.
pub fn enrolled(git_dir: &Path, key: &KeyId) -> Result<Option<ActorId>, FollowError> {
    let Some(repository) = repository(git_dir)? else { return Ok(None) };
    let Some(vkey) = pinned_vkey(&Place::in_repository(git_dir), None)? else { return Ok(None) };
    let policy = Policy::parse(&Log::open(&repository, Some(&vkey))?.policy_view()?);
    Ok(policy.ok().and_then(|policy| policy.key_owner(key).cloned()))
}

/// Forgets the ledger that is followed.
pub fn forget(git_dir: &Path) -> Result<(), FollowError> {
    let place = Place::in_repository(git_dir);
    let log = place.file(LOG_DIR);
    if log.exists() {
        std::fs::remove_dir_all(&log).map_err(|source| PlaceError::File { what: "remove", path: log, source })?;
    }
    for name in [CHECKPOINT, VKEY, earlier::FILE] {
        place.remove(name)?;
    }
    Ok(())
}

/// The URL of a remote as the clone knows it, good from any folder.
pub fn remote_url(clone: &Repository, remote: &str) -> Result<String, GitError> {
    let base = clone.work_dir().unwrap_or(clone.git_dir());
    Ok(absolute_url(base, &command::output(command::git(base).args(["remote", "get-url", "--", remote]))?))
}

/// A plain path relative to the clone becomes an absolute one; any other URL stays.
pub fn absolute_url(base: &Path, url: &str) -> String {
    let host_end = url.find(':');
    let path_begin = url.find('/').unwrap_or(url.len());
    let is_path = host_end.is_none_or(|colon| colon > path_begin);
    if is_path { base.join(url).to_string_lossy().into_owned() } else { url.to_owned() }
}

fn pinned_vkey(place: &Place, given: Option<&VerifierKey>) -> Result<Option<VerifierKey>, FollowError> {
    let Some(text) = place.read(VKEY)? else { return Ok(given.cloned()) };
    let pinned = VerifierKey::parse(text.trim_end_matches('\n'))?;
    match given {
        Some(given) if *given != pinned => {
            Err(FollowError::OtherKey { pinned: Box::new(pinned), given: Box::new(given.clone()) })
        }
        _ => Ok(Some(pinned)),
    }
}

fn fetch_incoming(
    git_dir: &Path,
    log: &Repository,
    remote_url: &str,
    seen: Option<&Checkpoint>,
) -> Result<(), FollowError> {
    let mut fetch = command::git(log.git_dir());
    // Where Git does not take it for a repository it would look further up, and fetch into the clone itself.
    fetch.env("GIT_DIR", ".");
    pass_transport_config(git_dir, &mut fetch);
    // A message is read below, so it must be Git's own words.
    fetch.env("LC_ALL", "C").env("LANGUAGE", "C");
    fetch.args([
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
    ]);
    fetch.arg(format!("--depth={FETCH_DEPTH}")).arg("--").arg(remote_url);
    fetch.arg(format!("+{}:{INCOMING_REF}", super::LOG_REF));
    match command::output(&mut fetch) {
        Ok(_) => Ok(()),
        Err(GitError::Command { message, .. }) if message.contains("couldn't find remote ref") => Err(match seen {
            Some(seen) => FollowError::Vanished { seen: Box::new(seen.clone()) },
            None => FollowError::NoLedger,
        }),
        Err(GitError::Command { message, .. }) => Err(FollowError::Unreachable { message }),
        Err(error) => Err(error.into()),
    }
}

/// Proxies, helpers and SSH options that are set for this clone alone hold for its ledger, too. They go through the
/// environment, where other users do not see them.
fn pass_transport_config(git_dir: &Path, fetch: &mut Command) {
    let mut read = command::git(git_dir);
    let listed = command::output(read.args(["config", "--local", "-z", "--get-regexp", TRANSPORT_KEYS]));
    // Without such keys Git fails; a configuration that cannot be read fails in the fetch as well.
    let listed = listed.unwrap_or_default();
    let mut count = 0;
    for (key, value) in listed.split('\0').filter_map(|item| item.split_once('\n')) {
        fetch.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    fetch.env("GIT_CONFIG_COUNT", count.to_string());
}

fn check_extends(log: &Log<'_>, old: Option<&Checkpoint>, new: &Checkpoint) -> Result<(), FollowError> {
    if tree::root(log, new.size())? != new.root() {
        return Err(FollowError::Damaged { found: Box::new(new.clone()) });
    }
    let Some(old) = old else { return Ok(()) };
    let (seen, found) = (Box::new(old.clone()), Box::new(new.clone()));
    if new.size() < old.size() {
        return Err(FollowError::RolledBack { seen, found });
    }
    // A proof binds both roots. The root at the old size alone could come from tiles that the new root does not cover.
    let proof = tree::consistency_proof(log, old.size(), new.size())?;
    tree::verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &proof)
        .map_err(|_| FollowError::Forked { seen, found })
}

fn remember(place: &Place, followed: &Followed, note: &str) -> Result<(), PlaceError> {
    if followed.vkey_on_trust || place.read(VKEY)?.is_none() {
        place.write(VKEY, &format!("{}\n", followed.vkey), 0o644)?;
    }
    if followed.old.as_ref() == Some(&followed.new) { Ok(()) } else { place.write(CHECKPOINT, note, 0o644) }
}

#[cfg(test)]
mod tests;
