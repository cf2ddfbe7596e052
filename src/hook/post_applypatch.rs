//! `post-applypatch`: `git am` and `git rebase --apply` write their trees after the message, so that the trailers can
//! only come by an amend.

use std::path::Path;

use super::post_commit::{Feedback, head, is_rebasing};
use super::prepare_commit_msg::{PrepareError, repository};
use crate::git::command;
use crate::policy::facts::ManifestTrailer;

/// Amends HEAD once, in the repository of the hook that runs in `dir`, unless its manifest holds already. Returns what
/// HEAD shows afterwards; none in a rebase, which is told of at its end.
pub fn run(dir: &Path) -> Result<Option<Feedback>, PrepareError> {
    let repository = repository(dir)?;
    let mut found = head(dir, &repository)?;
    if found.as_ref().is_some_and(|found| found.manifest != ManifestTrailer::Matches) {
        command::output(command::git_in_hook(dir).args(["commit", "--amend", "--no-edit", "--quiet", "--no-verify"]))?;
        found = head(dir, &repository)?;
    }
    Ok(found.filter(|_| !is_rebasing(&repository)))
}
