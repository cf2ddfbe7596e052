//! `post-merge`: what a gate will find in a merge. `git merge` that makes its commit itself runs no `post-commit`.

use std::path::Path;

use super::person::Person;
use super::post_commit::{Feedback, head};
use super::prepare_commit_msg::{PrepareError, repository};

/// Looks at the merge that HEAD names, in the repository of the hook that runs in `dir`. None where nothing was merged
/// but HEAD moved on to what others made, or the commit is still to come, as after `--squash`.
pub fn run(dir: &Path, is_squash: bool) -> Result<Option<Feedback>, PrepareError> {
    if is_squash {
        return Ok(None);
    }
    let repository = repository(dir)?;
    let (Some(now), Some(before)) = (repository.resolve("HEAD"), repository.resolve("ORIG_HEAD")) else {
        return Ok(None);
    };
    let (_, parents) = repository.links(&now)?;
    // After a fast-forward HEAD may be a merge as well, which somebody else made.
    let is_new = parents.len() > 1 && parents.first() == Some(&before);
    if is_new && Person::here(dir).committed(&repository, &now) { head(dir, &repository) } else { Ok(None) }
}
