//! Small files, as the doctor looks at them.

use std::io::ErrorKind;
use std::path::Path;

use crate::git::file::{self, BYTES_MAX};

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read")]
pub(super) struct FileError {
    path: String,
    source: std::io::Error,
}

/// The bytes of a file; none where nothing is.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match file::read(path, BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        // What leads nowhere is found by whoever needs the file.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError { path: path.display().to_string(), source }),
    }
}

/// The same as text; what is not UTF-8 is replaced.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, FileError> {
    Ok(read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The permissions of a file, where the system has such.
pub(super) fn mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o7777)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whose a file is, where the system tells.
pub(super) fn owner(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::symlink_metadata(path).ok().map(|meta| meta.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Whether a file is the caller's own; taken for granted where the system does not tell.
pub(super) fn is_own(path: &Path) -> bool {
    #[cfg(unix)]
    {
        owner(path).is_none_or(|owner| owner == rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}
