//! Hooks as files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::InstallError;
use crate::git::file::{self, BYTES_MAX};

/// The file's bytes; none where nothing is. A dangling link is something, and empty.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    match file::read(path, BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(is_there(path).then(Vec::new)),
        Err(source) => Err(failed("read", path, source)),
    }
}

/// Writes beside and renames: a Git that runs the hook meanwhile sees the old one or the new one.
pub fn write(path: &Path, text: &str) -> Result<(), InstallError> {
    let fresh = with_suffix(path, ".new-mledger");
    let written = file::write(&fresh, text.as_bytes(), 0o755)
        .and_then(|()| allow_to_run(&fresh))
        .and_then(|()| fs::rename(&fresh, path));
    written.map_err(|source| failed("write", path, source))
}

/// Gives a file another name, in the place of what has it.
pub fn rename(from: &Path, to: &Path) -> Result<(), InstallError> {
    fs::rename(from, to).map_err(|source| failed("rename", from, source))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), InstallError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}

/// Whether there is something of this name, a dangling link included.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The path with more at its end.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut longer = path.as_os_str().to_owned();
    longer.push(suffix);
    longer.into()
}

/// What went wrong with a file.
pub fn failed(what: &'static str, path: &Path, source: std::io::Error) -> InstallError {
    InstallError::File { what, path: path.to_owned(), source }
}

#[cfg(unix)]
fn allow_to_run(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn allow_to_run(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Whether Git would run it.
#[cfg(unix)]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether Git would run it.
#[cfg(not(unix))]
pub fn is_executable(path: &Path) -> bool {
    path.is_file()
}
