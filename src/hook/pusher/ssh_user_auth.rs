//! The key that signed in over SSH, from the file that sshd writes for the session under `ExposeAuthInfo yes`.
//!
//! ```text
//! publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…     one line per method that succeeded
//! keyboard-interactive/pam
//! ```
//!
//! sshd puts the file's name into `SSH_USER_AUTH`. Whoever may choose the hook's environment may write such a file, too,
//! so it counts only where pushers have no shell. What a push without a shell could still point at is refused: a file of
//! another owner, one that others may read or write, a link, a device, a pipe that never ends.
//!
//! Source: `sshd_config(5)`, `ExposeAuthInfo`; OpenSSH's `session.c`.

use std::io::Read;
use std::path::Path;

use crate::identity::key::{KeyError, KeyId, PublicKey};

/// The largest file, in bytes: a line per method, and the largest key, RSA of 16,384 bits, takes less than 3,000.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why the file does not tell a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum SshUserAuthError {
    /// It cannot be opened, or is a link.
    #[error("the file in SSH_USER_AUTH cannot be read")]
    Unreadable,
    /// Not as sshd writes it: a regular file of this process's user, for nobody else.
    #[error("the file in SSH_USER_AUTH is not one that sshd wrote for this session")]
    NotSshds,
    /// Larger than [`FILE_BYTES_MAX`].
    #[error("the file in SSH_USER_AUTH is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// No key, or more than one: two keys may be two people's.
    #[error("the session was opened with {0} public keys, and exactly one can name somebody")]
    Keys(usize),
    /// A key that no policy can hold.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Reads which key signed in.
pub(super) fn read(path: &Path) -> Result<KeyId, SshUserAuthError> {
    let file = open(path)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|_| SshUserAuthError::Unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(SshUserAuthError::TooLarge);
    }
    parse(&text)
}

fn parse(text: &str) -> Result<KeyId, SshUserAuthError> {
    let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("publickey ")).collect();
    match keys.as_slice() {
        [key] => Ok(PublicKey::parse(key)?.id().clone()),
        _ => Err(SshUserAuthError::Keys(keys.len())),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> Result<std::fs::File, SshUserAuthError> {
    use rustix::fs::{FileType, Mode, OFlags};

    // Without O_NONBLOCK a pipe would hold up the push for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|_| SshUserAuthError::Unreadable)?;
    let stat = rustix::fs::fstat(&file).map_err(|_| SshUserAuthError::Unreadable)?;
    let (kind, mode) = (FileType::from_raw_mode(stat.st_mode), Mode::from_raw_mode(stat.st_mode));
    let own = stat.st_uid == rustix::process::geteuid().as_raw();
    if kind == FileType::RegularFile && own && !mode.intersects(Mode::RWXG | Mode::RWXO) {
        Ok(file.into())
    } else {
        Err(SshUserAuthError::NotSshds)
    }
}

/// Elsewhere nobody can say whose the file is.
#[cfg(not(unix))]
fn open(_: &Path) -> Result<std::fs::File, SshUserAuthError> {
    Err(SshUserAuthError::NotSshds)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

    fn told(text: &str) -> Result<String, String> {
        parse(text).map(|key| key.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_one_key_is_told() {
        let id = PublicKey::parse(KEY).unwrap().id().to_string();
        let two = format!("publickey {KEY}\n");
        assert_eq!(told(&two), Ok(id.clone()));
        assert_eq!(told(&format!("keyboard-interactive/pam\npublickey {KEY}\n")), Ok(id));
        for (bad, words) in [
            ("", "0 public keys"),
            ("password\n", "0 public keys"),
            (KEY, "0 public keys"),
            (&two.repeat(2), "2 public keys"),
            ("publickey ssh-dss AAAAB3NzaC1kc3M=\n", "`ssh-dss`"),
            ("publickey ssh-ed25519-cert-v01@openssh.com AAAA\n", "those are refused"),
            ("publickey ssh-ed25519 AAAA\n", "does not hold a valid"),
            ("publickey \n", "not a public key line"),
        ] {
            let why = told(bad).unwrap_err();
            assert!(why.contains(words), "{bad}: {why}");
        }
    }

    #[test]
    fn only_a_file_as_sshd_writes_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sshauth");
        let why = |path: &Path| read(path).unwrap_err().to_string();
        assert!(why(&path).contains("cannot be read"));
        fs::write(&path, format!("publickey {KEY}\n")).unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o600);
        assert!(read(&path).is_ok());
        for open in [0o640, 0o604, 0o622, 0o610] {
            mode(open);
            assert!(why(&path).contains("not one that sshd wrote"), "{open:o}");
        }
        mode(0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(why(&link).contains("cannot be read"));
        assert!(why(folder.path()).contains("not one that sshd wrote"));
        assert!(why(Path::new("/dev/null")).contains("not one that sshd wrote"));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(why(&pipe).contains("not one that sshd wrote"));
        fs::write(&path, "x".repeat(16 * 1024 + 1)).unwrap();
        assert!(why(&path).contains("larger than 16384 bytes"));
        fs::write(&path, [0xff; 40]).unwrap();
        assert!(why(&path).contains("cannot be read"));
    }
}
