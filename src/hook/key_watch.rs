//! Before a commit is signed: whether its key needs somebody at a keyboard, where there is none.
//!
//! `git commit` in an editor or a script has no terminal, and `ssh-keygen` then fails with words about a wrong
//! passphrase. Only keys in files are looked at: they are two reads, and an agent is asked for those with a passphrase
//! alone.

use std::path::{Path, PathBuf};

use super::clone_setup::KeyError;
use super::clone_setup::key::{Agent, Custody, KeyFile, custody_of_file};
use super::prepare_commit_msg::{PrepareError, repository};
use crate::identity::key::PublicKey;

/// What will go wrong with the key.
#[derive(Debug)]
pub enum Alarm {
    /// Its passphrase is needed, and nobody can type it.
    Locked(Custody, Box<PublicKey>),
    /// It cannot be used.
    Broken(KeyError),
}

/// Looks at the key that signs in the repository of the hook that runs in `dir`. None where all is well, or may be.
pub fn run(dir: &Path) -> Result<Option<Alarm>, PrepareError> {
    let keys = ["commit.gpgSign", "gpg.format", "gpg.ssh.program", "user.signingKey"];
    let [signs, format, program, key] = repository(dir)?.configs(keys)?;
    if signs.as_deref() != Some("true") || format.as_deref() != Some("ssh") || program.is_some() {
        return Ok(None);
    }
    let Some(path) = key.and_then(|value| file_of(dir, &value)) else { return Ok(None) };
    // What Git cannot read it tells itself.
    let Ok(file) = KeyFile::read(&path) else { return Ok(None) };
    let Some(private) = &file.private else { return Ok(None) };
    let without_agent = custody_of_file(&file, &Agent::Absent);
    if private.encrypted && can_ask() || matches!(without_agent, Ok(Custody::Open)) {
        return Ok(None);
    }
    Ok(match custody_of_file(&file, &Agent::ask()) {
        Ok(locked @ Custody::Passphrase { .. }) => Some(Alarm::Locked(locked, Box::new(file.public))),
        Ok(_) => None,
        Err(error) => Some(Alarm::Broken(error)),
    })
}

/// The file that a configured key names, in the forms that people write.
fn file_of(dir: &Path, value: &str) -> Option<PathBuf> {
    if value.starts_with("key::") || value.starts_with("ssh-") || value.starts_with("%(") {
        return None;
    }
    match value.strip_prefix("~/") {
        Some(rest) => Some(std::env::home_dir()?.join(rest)),
        None => Some(dir.join(value)),
    }
}

/// Whether `ssh-keygen` can ask for a passphrase: at a terminal, or through a window of its own.
fn can_ask() -> bool {
    let window = ["DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS"].iter().any(|name| std::env::var_os(name).is_some());
    window || std::fs::File::open("/dev/tty").is_ok()
}
