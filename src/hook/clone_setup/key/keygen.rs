//! Making keys, and asking for public halves, by `ssh-keygen`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::KeyError;
use super::file::KeyFile;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What stands behind the public key, for people.
    pub comment: String,
    /// The private half's file; the public one gets `.pub`.
    pub path: PathBuf,
    /// Whether ssh-keygen asks for a passphrase.
    pub passphrase: bool,
    /// The type as ssh-keygen calls it.
    pub type_name: String,
}

/// Makes a key. Nothing is overwritten; a touch or a passphrase is asked for at the terminal.
pub fn make(new: &NewKey) -> Result<KeyFile, KeyError> {
    let path = &new.path;
    for file in [path.clone(), path.with_added_extension("pub")] {
        // A dangling link, too: ssh-keygen would write through it.
        if file.symlink_metadata().is_ok() {
            return Err(KeyError::Exists(file));
        }
    }
    if let Some(folder) = path.parent() {
        make_private_folder(folder).map_err(|source| KeyError::File { path: folder.to_owned(), source })?;
    }
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", &new.type_name, "-C", &new.comment, "-f"]).arg(path);
    let interactive = new.passphrase || new.type_name.ends_with("-sk");
    if !new.passphrase {
        keygen.args(["-N", ""]);
    }
    if interactive {
        run_at_terminal(&mut keygen)?;
    } else {
        run(&mut keygen)?;
    }
    KeyFile::read(path)
}

/// The public half of a private key without passphrase, in a format that does not show it.
pub(super) fn derive_public(path: &Path) -> Result<String, KeyError> {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-y", "-P", "", "-f"]).arg(path);
    run(&mut keygen).map_err(|error| match error {
        KeyError::Keygen(complaint) if complaint.contains("passphrase") => KeyError::Locked(path.to_owned()),
        other => other,
    })
}

fn run(keygen: &mut Command) -> Result<String, KeyError> {
    let ran = keygen.stdin(Stdio::null()).output().map_err(|error| KeyError::Keygen(error.to_string()))?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&ran.stderr);
        Err(KeyError::Keygen(complaint.trim().chars().take(500).collect()))
    }
}

/// Standard output is for results; what ssh-keygen has to say comes over the terminal and standard error.
fn run_at_terminal(keygen: &mut Command) -> Result<(), KeyError> {
    let ran = keygen.stdout(Stdio::null()).status().map_err(|error| KeyError::Keygen(error.to_string()))?;
    if ran.success() { Ok(()) } else { Err(KeyError::Keygen("no key was made".to_owned())) }
}

fn make_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}
