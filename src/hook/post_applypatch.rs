//! `post-applypatch`: `git am` and `git rebase --apply` write their trees after the message, so that the trailers can
//! only come by an amend.

use std::path::Path;

use super::post_commit::{self, Feedback};
use super::prepare_commit_msg::PrepareError;
use crate::git::command;
use crate::policy::facts::ManifestTrailer;

/// Amends HEAD once, in the repository of the hook that runs in `dir`, unless its manifest holds already. Returns what
/// HEAD shows afterwards.
pub fn run(dir: &Path) -> Result<Option<Feedback>, PrepareError> {
    let found = post_commit::run(dir)?;
    if found.as_ref().is_none_or(|found| found.manifest == ManifestTrailer::Matches) {
        return Ok(found);
    }
    command::output(command::git_in_hook(dir).args(["commit", "--amend", "--no-edit", "--quiet", "--no-verify"]))?;
    post_commit::run(dir)
}
