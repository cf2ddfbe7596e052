//! The mendings that nobody needs to be asked about: doing one again changes nothing, and whatever it takes away can be
//! made anew.

use std::path::{Path, PathBuf};

use super::followed::hold;
use super::{Options, base};
use crate::git::{GitError, Repository, command};
use crate::hook::clone_setup;
use crate::hook::install::{self, InstallError};
use crate::hook::server_setup;
use crate::index::Index;
use crate::ledger::follow::{self, CHECKPOINT, FollowError, LOG_DIR, VKEY};
use crate::ledger::place::{Place, PlaceError};
use crate::ledger::read::{Log, ReadError};
use crate::tlog::key::{KeyError, VerifierKey};

/// What can be done about a finding without asking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// Adds a value to a setting of the repository's own that has several.
    AddSetting {
        /// Its key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// Fetches the followed ledger into a new copy; it must extend what was seen.
    FetchAnew,
    /// Puts our hooks where they belong; what others put there is kept, and runs first.
    Hooks,
    /// Removes an index, which is made anew from the ledger.
    Index(PathBuf),
    /// Makes a new seed for the nonces of push certificates.
    NonceSeed,
    /// Keeps a private key from others.
    Private(PathBuf),
    /// Remembers the checkpoint of the fetched ledger, which the pinned key has signed.
    Remember,
    /// Removes a cache, which is made anew from the ledger.
    Remove(PathBuf),
    /// Sets a setting of the repository's own.
    Setting {
        /// Its key.
        key: &'static str,
        /// The value.
        value: String,
    },
}

/// Why something could not be mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MendError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The hooks.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The remote's ledger.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The remote.
    #[error(transparent)]
    Clone(#[from] clone_setup::SetupError),
    /// The server's settings.
    #[error(transparent)]
    Server(#[from] server_setup::SetupError),
    /// A file.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The fetched ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The pinned key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The fetched ledger does not hold.
    #[error("the fetched ledger does not hold: {0}")]
    Ledger(String),
    /// Nothing to fetch from, or no key to hold it against.
    #[error("there is no remote, or no pinned key, to fetch the ledger with")]
    NoRemote,
    /// A file.
    #[error("could not change `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Does it, in the repository that holds `dir`. Returns what was done, in words.
pub fn mend(dir: &Path, options: &Options, fix: &Fix) -> Result<String, MendError> {
    let repository = Repository::discover(dir)?;
    match fix {
        Fix::AddSetting { key, value } => {
            command::output(command::git(base(&repository)).args(["config", "--local", "--add", key, value]))?;
            Ok(format!("added `{value}` to {key}"))
        }
        Fix::Setting { key, value } => {
            command::set_config(base(&repository), key, value)?;
            Ok(format!("set {key} to `{value}`"))
        }
        Fix::NonceSeed => {
            server_setup::set_nonce_seed(repository.git_dir())?;
            Ok("made a new seed for push certificates".to_owned())
        }
        Fix::Hooks => hooks(&repository, options),
        Fix::Private(path) => make_private(path),
        Fix::Remove(path) => {
            std::fs::remove_file(path).map_err(|source| MendError::File { path: path.clone(), source })?;
            Ok(format!("removed the cache `{}`", path.display()))
        }
        Fix::Index(path) => {
            Index::remove(path);
            Ok(format!("removed the index `{}`", path.display()))
        }
        Fix::FetchAnew => fetch_anew(&repository),
        Fix::Remember => remember(&repository),
    }
}

fn hooks(repository: &Repository, options: &Options) -> Result<String, MendError> {
    if repository.work_dir().is_none() {
        install::install_server(repository, &options.program)?;
        return Ok("installed the gate's hooks".to_owned());
    }
    let done = install::install_client(repository, &options.program)?;
    let changed = done.iter().filter(|(_, done)| *done != install::Done::Unchanged).map(|(name, _)| *name);
    Ok(format!("installed {}", changed.collect::<Vec<_>>().join(", ")))
}

#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail"))]
fn make_private(path: &Path) -> Result<String, MendError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let set = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
        set.map_err(|source| MendError::File { path: path.to_owned(), source })?;
    }
    Ok(format!("kept `{}` from others", path.display()))
}

/// The old copy stays until the new one is there. The pinned key and the remembered checkpoint stay all the time, so
/// that nothing else than the ledger that was seen can take its place.
fn fetch_anew(repository: &Repository) -> Result<String, MendError> {
    let place = Place::in_repository(repository.git_dir());
    let remote = clone_setup::remote(repository)?.ok_or(MendError::NoRemote)?;
    pinned(&place)?;
    let url = follow::remote_url(repository, &remote)?;
    let (log, aside) = (place.file(LOG_DIR), place.file("log.git.damaged"));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| MendError::File { path, source }
    };
    let was_there = log.symlink_metadata().is_ok();
    if was_there {
        remove_all(&aside).map_err(failed(&aside))?;
        std::fs::rename(&log, &aside).map_err(failed(&log))?;
    }
    match follow::fetch(repository.git_dir(), &url, None) {
        Ok(followed) => {
            remove_all(&aside).map_err(failed(&aside))?;
            Ok(format!("fetched the ledger of {} entries anew", followed.new.size()))
        }
        Err(error) => {
            remove_all(&log).map_err(failed(&log))?;
            if was_there {
                std::fs::rename(&aside, &log).map_err(failed(&aside))?;
            }
            Err(error.into())
        }
    }
}

fn remove_all(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

fn remember(repository: &Repository) -> Result<String, MendError> {
    let place = Place::in_repository(repository.git_dir());
    let vkey = pinned(&place)?;
    let fetched = follow::repository(repository.git_dir())?.ok_or(MendError::NoRemote)?;
    hold(&fetched, &vkey, None).map_err(MendError::Ledger)?;
    let log = Log::open(&fetched, Some(&vkey))?;
    place.write(CHECKPOINT, &log.head().message.note, 0o644)?;
    Ok(format!("remembered the fetched ledger's checkpoint of {} entries", log.size()))
}

fn pinned(place: &Place) -> Result<VerifierKey, MendError> {
    let text = place.read(VKEY)?.ok_or(MendError::NoRemote)?;
    Ok(VerifierKey::parse(text.trim_end_matches('\n'))?)
}
