//! A message template that was left as it was: Git aborts such a commit, but takes our trailers for an edit.
//!
//! ```text
//! <git dir>/mledger-template    the SHA-256 of what the template says, from prepare-commit-msg to commit-msg
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::PrepareError;
use crate::digest::sha256;
use crate::git::{Repository, file as small};
use crate::object::message::written;

/// How much of the file is read: a digest has 71 bytes.
const DIGEST_BYTES_MAX: u64 = 100;

/// Remembers the message if it is a template that an editor will show.
pub fn note(repository: &Repository, source: &str, message: &[u8], comments: Option<&str>) -> Result<(), PrepareError> {
    let path = file(repository);
    let said = written(message, comments);
    if source == "template" && comments.is_some() && !said.is_empty() {
        let digest = sha256(&said).to_string();
        return small::write(&path, digest.as_bytes(), 0o600).map_err(|source| PrepareError::File {
            what: "write",
            path,
            source,
        });
    }
    forget(&path)
}

/// Whether the message is the template that was noted, untouched. Asked once.
pub fn is_untouched(repository: &Repository, message: &[u8], comments: Option<&str>) -> Result<bool, PrepareError> {
    let path = file(repository);
    let Ok(noted) = small::read_text(&path, DIGEST_BYTES_MAX) else { return Ok(false) };
    forget(&path)?;
    Ok(comments.is_some() && noted == sha256(&written(message, comments)).to_string())
}

fn file(repository: &Repository) -> PathBuf {
    repository.own_dir().join("mledger-template")
}

fn forget(path: &Path) -> Result<(), PrepareError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(PrepareError::File { what: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
