//! Moving one ref durably, without a look at all others: libgit2 reads the whole of `packed-refs` for each move, which
//! takes longer than an append where there are ten thousand.
//!
//! 1. make `<ref>.lock`, which excludes Git and every other program that follows its rules;
//! 2. read the ref: is it where it is expected?
//! 3. write the lock, fsync it, put it in the ref's place, fsync the folder.
//!
//! A crash leaves the old ref or the new one, and perhaps the lock. Source: `gitrepository-layout(5)`, Git's lockfile API.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::GitError;
use super::refs::{self, Target};
use crate::name::{Oid, RefName};

/// Moves a ref from `expected` (none: it must not exist) to `new`. It is for refs that nobody names folders after.
pub fn move_ref(git_dir: &Path, name: &RefName, new: &Oid, expected: Option<&Oid>) -> Result<(), GitError> {
    let path = git_dir.join(name.as_str());
    let lock = Lock::take(&path, name)?;
    if refs::find(git_dir, name)? != expected.map(|oid| Target::Object(*oid)) {
        return Err(GitError::RefMoved(name.clone()));
    }
    lock.replace(&path, new).map_err(|source| GitError::File { path, source })
}

/// The lock file of a ref; it goes away with this.
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    fn take(of: &Path, name: &RefName) -> Result<Self, GitError> {
        let mut path = of.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let make = || OpenOptions::new().write(true).create_new(true).open(&path);
        let made = match make() {
            // Git removes empty folders.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                of.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| make())
            }
            made => made,
        };
        match made {
            Ok(file) => Ok(Self { path, file }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(GitError::RefLocked(name.clone())),
            Err(source) => Err(GitError::File { path, source }),
        }
    }

    fn replace(mut self, path: &Path, new: &Oid) -> std::io::Result<()> {
        self.file.write_all(format!("{new}\n").as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        // From here on the name may be another's lock.
        self.path.clear();
        match path.parent() {
            Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.path != Path::new("") {
            // What stays is taken for stale, and said then.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(digit: &str) -> Oid {
        Oid::parse(&digit.repeat(40)).unwrap()
    }

    #[test]
    fn a_ref_moves_only_from_where_it_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let name = RefName::parse("refs/mledger/log").unwrap();
        let path = folder.path().join("refs/mledger/log");
        let go =
            |new: &str, expected: Option<&str>| move_ref(folder.path(), &name, &oid(new), expected.map(oid).as_ref());
        assert!(matches!(go("2", Some("1")), Err(GitError::RefMoved(_))));
        go("1", None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", oid("1")));
        assert!(matches!(go("2", None), Err(GitError::RefMoved(_))));
        assert!(matches!(go("2", Some("3")), Err(GitError::RefMoved(_))));
        go("2", Some("1")).unwrap();
        // As `git pack-refs --all` leaves it.
        fs::write(folder.path().join("packed-refs"), format!("{} refs/mledger/log\n", oid("2"))).unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert!(matches!(go("3", Some("1")), Err(GitError::RefMoved(_))));
        go("3", Some("2")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", oid("3")));
        fs::write(&path, "ref: refs/heads/main\n").unwrap();
        assert!(matches!(go("4", Some("3")), Err(GitError::RefMoved(_))));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no lock is left");
    }

    #[test]
    fn a_locked_ref_stays_and_keeps_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let name = RefName::parse("refs/mledger/log").unwrap();
        move_ref(folder.path(), &name, &oid("1"), None).unwrap();
        let lock = folder.path().join("refs/mledger/log.lock");
        fs::write(&lock, "").unwrap();
        let moved = move_ref(folder.path(), &name, &oid("2"), Some(&oid("1")));
        assert!(matches!(moved, Err(GitError::RefLocked(_))));
        assert!(lock.exists());
        assert_eq!(refs::find(folder.path(), &name).unwrap(), Some(Target::Object(oid("1"))));
    }
}
