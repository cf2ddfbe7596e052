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
        None => newest(&repository, count(input))?,
    };
    // A branch that was merged in may hold commits of others, which the rebase left as they were.
    let person = Person::here(dir);
    made.retain(|commit| person.committed(&repository, commit));
    look_at(dir, &repository, &made).map(Some)
}

/// What the rebase went on top of. Git's list is not enough: it leaves out commits that were split off at a stop.
fn onto(repository: &Repository) -> Option<Oid> {
    let read = |name: &&str| std::fs::read_to_string(repository.own_dir().join(name).join("onto")).ok();
    let text = ["rebase-merge", "rebase-apply"].iter().find_map(read)?;
    Oid::parse(text.trim()).ok()
}

fn since(dir: &Path, onto: &Oid) -> Result<Vec<Oid>, PrepareError> {
    let listed = command::output(command::git_in_hook(dir).args(["rev-list", "HEAD", &format!("^{onto}"), "--"]))?;
    Ok(listed.lines().map(Oid::parse).collect::<Result<_, _>>()?)
}

/// How many commits were rewritten. Which they are now the list does not tell: with `--apply`, the one way that notes
/// no `onto` unless it stops, it was written before `post-applypatch` amended them.
fn count(input: &[u8]) -> usize {
    input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

/// The newest commits, one on another, as `--apply` makes them.
fn newest(repository: &Repository, count: usize) -> Result<Vec<Oid>, PrepareError> {
    let mut made = Vec::new();
    let mut at = repository.resolve("HEAD");
    while let Some(commit) = at.filter(|_| made.len() < count) {
        made.push(commit);
        at = repository.links(&commit)?.1.first().copied();
    }
    Ok(made)
}
