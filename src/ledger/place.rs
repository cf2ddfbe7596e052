//! The files that stand beside a ledger, in the repository's folder `mledger/`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::git::{Durable, GitError, Repository, file};

/// How long an append waits for another to finish; beyond it a push is denied rather than left hanging.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest file that is read, in bytes: the tally of denials may have half of it, all others have far less.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// A file that cannot be read or written, or a lock that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A file that cannot be read or written.
    #[error("could not {what} `{path}`")]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody else holds the lock.
    #[error("another process has held the ledger's lock `{path}` for {} seconds", waited.as_secs())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// The folder `mledger/` of a repository.
#[derive(Clone, Debug)]
pub struct Place(PathBuf);

/// The lock that is held around an append; freed when dropped, also by the kernel when the process dies.
pub struct Lock {
    _file: File,
}

impl Place {
    /// The folder within a repository's Git folder.
    pub fn in_repository(git_dir: &Path) -> Self {
        Self(git_dir.join("mledger"))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder, for its owner only.
    pub fn create(&self) -> Result<(), PlaceError> {
        fs::create_dir_all(&self.0).map_err(|source| error("make", &self.0, source))?;
        sync_folder(&self.0).map_err(|source| error("sync", &self.0, source))
    }

    /// Makes a repository durable that was just opened; see [`Durable::new`].
    pub fn durable(&self, repository: Repository) -> Result<Durable, GitError> {
        Durable::new(repository, &self.file("durable.config"))
    }

    /// Takes the append lock, waiting for it at most [`LOCK_WAIT_MAX`].
    pub fn lock(&self) -> Result<Lock, PlaceError> {
        self.lock_within(LOCK_WAIT_MAX)
    }

    /// The same with another wait.
    pub fn lock_within(&self, wait: Duration) -> Result<Lock, PlaceError> {
        self.lock_file("lock", wait)
    }

    /// Takes the lock of that name, for files that nobody holds the append lock for.
    pub fn lock_file(&self, name: &str, wait: Duration) -> Result<Lock, PlaceError> {
        let path = self.file(name);
        // Opening a pipe waits for whoever reads from it.
        if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
            return Err(error("lock", &path, std::io::Error::other("it is no ordinary file")));
        }
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|source| error("open", &path, source))?;
        let begin = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if begin.elapsed() < wait => std::thread::sleep(pause),
                Err(TryLockError::WouldBlock) => return Err(PlaceError::Locked { path, waited: wait }),
                Err(TryLockError::Error(source)) => return Err(error("lock", &path, source)),
            }
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }

    /// Reads a text file; none if it is not there.
    pub fn read(&self, name: &str) -> Result<Option<String>, PlaceError> {
        read_file(&self.file(name))
    }

    /// Replaces a file: after a crash the old or the new content is there, and the new one once this returns.
    pub fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), PlaceError> {
        write_file(&self.file(name), text, mode)
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> Result<(), PlaceError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(error("remove", &path, source)),
            _ => Ok(()),
        }
    }
}

/// Reads a text file; none if it is not there.
pub(super) fn read_file(path: &Path) -> Result<Option<String>, PlaceError> {
    match file::read_text(path, FILE_BYTES_MAX) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(error("read", path, source)),
    }
}

/// Replaces a file so that after a crash either the old or the new content is there, and the new one for certain once
/// this returns.
pub(super) fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), PlaceError> {
    write_with(path, mode, |file| file.write_all(text.as_bytes()))
}

/// The same with contents that `fill` writes.
pub(super) fn write_with(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), PlaceError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let written = file::create(&fresh, mode)
        .and_then(|mut file| fill(&mut file).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&fresh, path))
        .and_then(|()| path.parent().map_or(Ok(()), sync_folder));
    written.map_err(|source| error("write", path, source))
}

fn error(what: &'static str, path: &Path, source: std::io::Error) -> PlaceError {
    PlaceError::File { what, path: path.to_owned(), source }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_and_locks_exclude() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_repository(folder.path());
        place.create().unwrap();
        assert_eq!(place.read("vkey").unwrap(), None);
        place.write("vkey", "one", 0o600).unwrap();
        place.write("vkey", "two", 0o600).unwrap();
        assert_eq!(place.read("vkey").unwrap().as_deref(), Some("two"));
        let held = place.lock().unwrap();
        assert!(matches!(File::open(place.file("lock")).unwrap().try_lock(), Err(TryLockError::WouldBlock)));
        let refused = place.lock_within(Duration::from_millis(20)).err().unwrap();
        assert!(matches!(refused, PlaceError::Locked { .. }), "{refused}");
        drop(held);
        place.lock_within(Duration::ZERO).unwrap();
    }

    #[test]
    fn whoever_waits_gets_the_lock_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_repository(folder.path());
        place.create().unwrap();
        let held = place.lock().unwrap();
        let (begun, wait) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn({
            let place = place.clone();
            move || {
                begun.send(()).unwrap();
                place.lock().map(|_| ())
            }
        });
        wait.recv().unwrap();
        drop(held);
        waiting.join().unwrap().unwrap();
    }
}
