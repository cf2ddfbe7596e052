//! The newest commits that no remote has yet: whether a gate will find them signed and bound to their content.

use super::{Check, Code, Finding, Group, Level, Patient, base, counted, probe};
use crate::evidence::Evidence;
use crate::git::command;
use crate::git::manifest::Cache;
use crate::hook::{forecast, post_commit};
use crate::index::Index;
use crate::ledger::follow;
use crate::ledger::read::Log;
use crate::name::Oid;
use crate::policy::facts::{ManifestTrailer, Signature};

/// How many are looked at: each has its manifest made again, which for a big one takes a second.
const LOOK_MAX: usize = 20;

/// Looks at them, newest first.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Commits);
    if patient.repository.resolve("HEAD").is_none() {
        return check.note("none yet");
    }
    let commits = match unpushed(patient) {
        Ok(commits) => commits,
        Err(error) => {
            check.add(Finding::unknown("HEAD", &error));
            return check;
        }
    };
    let (mut unsigned, mut unbound) = (Vec::new(), Vec::new());
    let mut cache = Cache::default();
    for commit in &commits {
        cache.renew();
        match post_commit::evidence(base(patient.repository), patient.repository, commit, &mut cache) {
            Err(error) => check.add(Finding::unknown(commit.to_string(), &error)),
            Ok(Evidence { facts, .. }) => {
                if !matches!(facts.signature, Signature::Valid { .. }) {
                    unsigned.push(*commit);
                }
                if facts.manifest != ManifestTrailer::Matches {
                    unbound.push(*commit);
                }
            }
        }
    }
    check.add_all(found(Level::Wrong, Code::CommitUnsigned, &unsigned, "not signed, or not with a key that counts"));
    check.add_all(found(Level::Look, Code::CommitUnbound, &unbound, "not bound to their content by a manifest"));
    check.note(counted(commits.len() as u64, "unpushed commit looked at", "unpushed commits looked at"))
}

fn found(level: Level, code: Code, commits: &[Oid], what: &str) -> Option<Finding> {
    let newest = commits.first()?;
    let how_many = counted(commits.len() as u64, "commit is", "commits are");
    let message = format!("{how_many} {what}; the newest is {}", newest.short());
    Some(Finding::new(level, code, newest.to_string(), message).try_this("mledger resign"))
}

/// What HEAD has and no remote has; where there is no remote, HEAD alone: history may be older than this clone's set-up.
fn unpushed(patient: &Patient<'_>) -> Result<Vec<Oid>, probe::ProbeError> {
    let remotes = patient.repository.ref_names_under("refs/remotes").is_ok_and(|names| !names.is_empty());
    let count = format!("--max-count={}", if remotes { LOOK_MAX } else { 1 });
    let mut list = command::git(base(patient.repository));
    let listed = probe::output(list.args(["rev-list", &count, "HEAD", "--not", "--remotes"]))?;
    let found = String::from_utf8_lossy(&listed).lines().filter_map(|line| Oid::parse(line).ok()).collect();
    Ok(if listed.is_empty() { found } else { unrecorded(patient, found) })
}

/// Those that the followed ledger does not hold: where a remote was added anew, and fetched never, Git calls old ones new.
fn unrecorded(patient: &Patient<'_>, commits: Vec<Oid>) -> Vec<Oid> {
    let fetched = follow::repository(patient.repository.git_dir()).ok().flatten();
    let index = fetched.as_ref().and_then(|fetched| {
        let file = fetched.git_dir().join(forecast::INDEX_FILE);
        Index::examine(&file).ok()?;
        Index::open(&file, &Log::open(fetched, None).ok()?).ok()
    });
    let Some(index) = index else { return commits };
    commits.into_iter().filter(|commit| !matches!(index.known(commit), Ok(Some(_)))).collect()
}
