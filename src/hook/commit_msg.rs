//! `commit-msg`: a message that holds nothing but our trailers is emptied, and so is a template that nobody touched, so
//! that leaving the editor without a word still aborts the commit.

use std::path::Path;

use super::prepare_commit_msg::{PrepareError, comments, is_edited, read_message, repository, template};
use crate::git::file as small;
use crate::object::message::is_only_ours;

/// Empties the message in `file`, for the commit that Git is about to make in `dir`, if its author left an editor without
/// a word. Where no editor was used, `prepare-commit-msg` added nothing to such a message.
pub fn run(dir: &Path, file: &Path) -> Result<(), PrepareError> {
    if !is_edited() {
        return Ok(());
    }
    let path = dir.join(file);
    let message = read_message(&path)?;
    let comments = comments(dir, &message);
    let untouched = template::is_untouched(&repository(dir)?, &message, comments.as_deref())?;
    if !untouched && !is_only_ours(&message, comments.as_deref()) {
        return Ok(());
    }
    small::replace(&path, b"").map_err(|source| PrepareError::File { what: "write", path, source })
}
