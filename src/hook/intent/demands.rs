//! What the rules of the policy in force demand of the commit that is being made.

use std::path::Path;

use super::CommitCommand;
use crate::git::manifest::EMPTY_TREE;
use crate::git::{Kind, Repository, command};
use crate::hook::prepare_commit_msg::PrepareError;
use crate::ledger::{follow, log_ref};
use crate::name::{RefName, RepoPath};
use crate::object::intent::missing;
use crate::policy::Policy;
use crate::policy::rule::Rule;

/// Trailers that a rule demands, and that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The branch on the server, without `refs/heads/`.
    pub branch: String,
    /// The rule's name.
    pub rule: String,
    /// The names of those that are missing.
    pub trailers: Vec<String>,
}

/// What rules demand of a commit with the staged paths, if it goes where the current branch goes, and its message, whose
/// comments are gone, does not carry. A policy that this version cannot read demands nothing that it could tell.
pub(super) fn lacking(dir: &Path, repository: &Repository, visible: &str) -> Result<Vec<Demand>, PrepareError> {
    let Some(text) = policy_text(repository)?.filter(|text| text.contains("trailers")) else { return Ok(Vec::new()) };
    let Some(target) = target(repository)? else { return Ok(Vec::new()) };
    let Ok(policy) = Policy::parse(&text) else { return Ok(Vec::new()) };
    let lacks = |rule: &&Rule| rule.may_want_trailers(&target) && !missing(visible, names(rule)).is_empty();
    let mut rules: Vec<&Rule> = policy.rules().iter().filter(lacks).collect();
    // Asking Git for the paths costs more than all the rest.
    if rules.iter().any(|rule| !rule.paths.is_every()) {
        let paths = changed(dir, repository)?;
        rules.retain(|rule| rule.concerns(&paths));
    }
    let demand = |rule: &Rule| Demand {
        branch: target.short().to_owned(),
        rule: rule.name.clone(),
        trailers: missing(visible, names(rule)).into_iter().map(str::to_owned).collect(),
    };
    Ok(rules.into_iter().map(demand).collect())
}

fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.trailers.iter().map(String::as_str)
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
    const DIFF: [&str; 6] = ["diff-index", "--cached", "--name-only", "--no-renames", "-r", "-z"];
    let amends = CommitCommand::find().is_some_and(|command| command.amends());
    let base = repository.resolve(if amends { "HEAD^" } else { "HEAD" }).unwrap_or(EMPTY_TREE);
    let mut diff = command::git_in_hook(dir);
    diff.args(DIFF).arg(base.to_string());
    let listed = command::bytes(&mut diff)?;
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    // A path that no gate takes concerns no rule.
    Ok(paths.filter_map(|path| RepoPath::from_bytes(path).ok()).collect())
}
