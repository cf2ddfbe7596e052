//! `commit-msg`: a message that holds nothing but our trailers is emptied, so that leaving the editor without a word
//! still aborts the commit.

use std::fs;
use std::path::Path;

use super::prepare_commit_msg::{PrepareError, comments, read_message};
use crate::object::message::is_only_ours;

/// Empties the message in `file`, for the commit that Git is about to make in `dir`, if its author wrote nothing.
pub fn run(dir: &Path, file: &Path) -> Result<(), PrepareError> {
    let path = dir.join(file);
    let message = read_message(&path)?;
    if !is_only_ours(&message, comments(dir, &message).as_deref()) {
        return Ok(());
    }
    fs::write(&path, "").map_err(|source| PrepareError::File { what: "write", path, source })
}
