//! Small files, read with care: where one should lie there may be anything.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The longest file that is read whole, in bytes: keys, checkpoints and hooks have a few hundred, a hook of others some
/// thousand.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("`{0}` is no ordinary file")]
    Odd(String),
    #[error("`{path}` has {bytes} bytes, where a few hundred are expected")]
    Large { path: String, bytes: u64 },
    #[error("`{0}` cannot be read")]
    Io(String, #[source] std::io::Error),
}

/// The bytes of a file; none where nothing is.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let name = || path.display().to_string();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        // What leads nowhere is found by whoever needs the file.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::Io(name(), error)),
    };
    // Opening a pipe waits for whoever writes to it.
    if !meta.is_file() {
        return Err(FileError::Odd(name()));
    }
    if meta.len() > BYTES_MAX {
        return Err(FileError::Large { path: name(), bytes: meta.len() });
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| Some(bytes)).map_err(|error| FileError::Io(name(), error))
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
        fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o7777)
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
        fs::symlink_metadata(path).ok().map(|meta| meta.uid())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_ordinary_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(read(&path("none")).unwrap().is_none());
        fs::write(path("small"), "text").unwrap();
        assert_eq!(read_text(&path("small")).unwrap().as_deref(), Some("text"));
        assert!(matches!(read(folder.path()), Err(FileError::Odd(_))));
        File::create(path("huge")).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(read(&path("huge")), Err(FileError::Large { bytes: 0x100_0000_0000, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_itself_and_a_device_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
        assert!(matches!(read(&path("loop")), Err(FileError::Io(..))));
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        assert!(matches!(read(&path("zero")), Err(FileError::Odd(_))));
    }
}
