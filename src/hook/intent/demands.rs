//! What the rules of the policy in force demand of the commit that is being made.

use std::path::Path;

use super::CommitCommand;
use crate::git::manifest::EMPTY_TREE;
use crate::git::{Kind, Repository, command};
use crate::hook::prepare_commit_msg::PrepareError;
use crate::ledger::{follow, log_ref};
use crate::name::{RefName, RepoPath};
use crate::policy::Policy;
use crate::policy::rule::Rule;

/// Trailers that a rule demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The branch on the server, without `refs/heads/`.
    pub branch: String,
    /// The rule's name.
    pub rule: String,
    /// The trailers' names.
    pub trailers: Vec<String>,
}

/// What rules demand of a commit with the staged paths, if it goes where the current branch goes. A policy that this
/// version cannot read demands nothing that it could tell.
pub(super) fn read(dir: &Path, repository: &Repository) -> Result<Vec<Demand>, PrepareError> {
    let Some(text) = policy_text(repository)?.filter(|text| text.contains("trailers")) else { return Ok(Vec::new()) };
    let Some(target) = target(repository)? else { return Ok(Vec::new()) };
    let Ok(policy) = Policy::parse(&text) else { return Ok(Vec::new()) };
    let mut rules: Vec<_> = policy.rules().iter().filter(|rule| rule.may_want_trailers(&target)).collect();
    if rules.iter().any(|rule| !rule.paths.is_every()) {
        let paths = changed(dir, repository)?;
        rules.retain(|rule| rule.concerns(&paths));
    }
    let branch = target.short();
    let demand =
        |rule: &Rule| Demand { branch: branch.to_owned(), rule: rule.name.clone(), trailers: rule.trailers.clone() };
    Ok(rules.into_iter().map(demand).collect())
}

/// The policy in force, from the tree at the followed ledger's tip, whose checkpoint was checked when it was fetched.
fn policy_text(repository: &Repository) -> Result<Option<String>, PrepareError> {
    let Some(log) = follow::repository(repository.git_dir())? else { return Ok(None) };
    let Some(tip) = log.tip(&log_ref()?)? else { return Ok(None) };
    let Some(blob) = log.entry(&log.links(&tip)?.0, "policy.toml")? else { return Ok(None) };
    let bytes = log.read_limited(&blob, Kind::Blob, Policy::TEXT_BYTES_MAX as u64)?;
    Ok(String::from_utf8(bytes).ok())
}

/// The ref that the current branch is pushed to: its upstream, else the one of its name.
fn target(repository: &Repository) -> Result<Option<RefName>, PrepareError> {
    let Some(head) = repository.head_ref()? else { return Ok(None) };
    let Some(branch) = head.strip_prefix("refs/heads/") else { return Ok(None) };
    let upstream = repository.config(&format!("branch.{branch}.merge"))?;
    Ok(RefName::parse(&upstream.unwrap_or(head)).ok())
}

/// The paths that the commit will change. The index may be a temporary one, or of any form: only Git reads it.
fn changed(dir: &Path, repository: &Repository) -> Result<Vec<RepoPath>, PrepareError> {
    const DIFF: [&str; 6] = ["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z"];
    let mut diff = command::git_in_hook(dir);
    diff.args(DIFF);
    if CommitCommand::find().is_some_and(|command| command.amends()) {
        let parent = repository.resolve("HEAD^").unwrap_or(EMPTY_TREE);
        diff.arg(parent.to_string());
    }
    let listed = command::bytes(&mut diff)?;
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    // A path that no gate takes concerns no rule.
    Ok(paths.filter_map(|path| RepoPath::from_bytes(path).ok()).collect())
}
