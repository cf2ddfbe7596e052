//! Small files, read and written with care: where one should lie in a repository or a home there may be anything.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::Path;

/// The longest file that is read whole where nothing else is said, in bytes: keys, checkpoints and hooks have a few
/// hundred, a hook of others some thousand.
pub const BYTES_MAX: u64 = 1 << 20;

/// The bytes of an ordinary file of at most `bytes_max` bytes. Opening a pipe would wait for whoever writes to it, and
/// reading a device need never end.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no ordinary file"));
    }
    bounded(File::open(path)?, bytes_max)
}

/// The same as text.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String> {
    let text = String::from_utf8(read(path, bytes_max)?);
    text.map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// All that `input` gives, which may be a pipe that a person named, of at most `bytes_max` bytes.
pub fn bounded(input: impl Read, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// A new file in the place of whatever has its name: a link there is not followed, and a pipe not waited for. On Unix
/// with the permissions `mode`, less what the caller's mask forbids.
pub fn create(path: &Path, mode: u32) -> Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_new(path, mode)
}

/// The same where nothing has its name.
pub fn create_new(path: &Path, mode: u32) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

/// Writes such a file.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    create(path, mode)?.write_all(bytes)
}

/// Gives a file that is there other contents, and leaves it its permissions: whoever reads it, and whoever comes after a
/// crash or a full disk, finds all of the old ones or all of the new ones.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new-mledger");
    let permissions = fs::metadata(path)?.permissions();
    let replaced = write(Path::new(&fresh), bytes, 0o600)
        .and_then(|()| fs::set_permissions(&fresh, permissions))
        .and_then(|()| fs::rename(&fresh, path));
    if replaced.is_err() {
        // What cannot be removed is in nobody's way: the next to come here does.
        let _ = fs::remove_file(&fresh);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_ordinary_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let kind = |name: &str| read(&path(name), 4).map_err(|error| error.kind());
        assert_eq!(kind("none"), Err(ErrorKind::NotFound));
        fs::write(path("small"), "text").unwrap();
        assert_eq!(kind("small").as_deref(), Ok(&b"text"[..]));
        assert_eq!(kind(""), Err(ErrorKind::InvalidInput));
        fs::write(path("large"), "text\n").unwrap();
        assert_eq!(kind("large"), Err(ErrorKind::FileTooLarge));
        fs::write(path("bytes"), b"\xff").unwrap();
        assert_eq!(read_text(&path("bytes"), 4).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_files_alone_and_are_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        assert_eq!(read(&path("zero"), 4).unwrap_err().kind(), ErrorKind::InvalidInput);
        fs::write(path("victim"), "whole").unwrap();
        std::os::unix::fs::symlink(path("victim"), path("link")).unwrap();
        assert_eq!(read_text(&path("link"), 5).unwrap(), "whole");
        write(&path("link"), b"new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(path("victim")).unwrap(), "whole");
        assert_eq!(fs::read_to_string(path("link")).unwrap(), "new");
    }
    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, fresh) = (folder.path().join("file"), folder.path().join("file.new-mledger"));
        assert_eq!(replace(&path, b"new").unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "a message of some length").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // What a process left that was killed.
        fs::write(&fresh, "half").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(!fresh.exists());
        fs::create_dir(&fresh).unwrap();
        replace(&path, b"other").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
