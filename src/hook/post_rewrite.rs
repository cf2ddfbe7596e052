//! `post-rewrite`: what a gate will find in the commits of a rebase, told once, at its end.

use std::path::Path;

use super::person::Person;
use super::post_commit::{News, look_at};
use super::prepare_commit_msg::{PrepareError, repository};
use crate::git::{Repository, command};
use crate::name::Oid;

/// Looks at the commits that `command` made, in the repository of the hook that runs in `dir`; `input` holds what Git
/// says of them, `old new` a line. None after an amend, of which `post-commit` has told.
pub fn run(dir: &Path, command: &str, input: &[u8]) -> Result<Option<News>, PrepareError> {
    if command != "rebase" {
        return Ok(None);
    }
    let repository = repository(dir)?;
    let mut made = match onto(&repository) {
        Some(onto) => since(dir, &onto)?,
        None => rewritten(input),
    };
    // A branch that was merged in may hold commits of others, which the rebase left as they were.
    let person = Person::here(dir);
    made.retain(|commit| person.committed(&repository, commit));
    look_at(dir, &repository, &made).map(Some)
}

/// What the rebase went on top of. Its list is not enough: it leaves out commits that were split off at a stop, and
/// with `--apply` it was written before `post-applypatch` amended them.
fn onto(repository: &Repository) -> Option<Oid> {
    let read = |name: &&str| std::fs::read_to_string(repository.own_dir().join(name).join("onto")).ok();
    let text = ["rebase-merge", "rebase-apply"].iter().find_map(read)?;
    Oid::parse(text.trim()).ok()
}

fn since(dir: &Path, onto: &Oid) -> Result<Vec<Oid>, PrepareError> {
    let listed = command::output(command::git_in_hook(dir).args(["rev-list", "HEAD", &format!("^{onto}"), "--"]))?;
    Ok(listed.lines().map(Oid::parse).collect::<Result<_, _>>()?)
}

fn rewritten(input: &[u8]) -> Vec<Oid> {
    let text = String::from_utf8_lossy(input);
    let new = |line: &str| Oid::parse(line.split(' ').nth(1)?).ok();
    let mut made: Vec<Oid> = text.lines().filter_map(new).collect();
    // A squash names its one commit once for each that went into it.
    made.dedup();
    made
}
