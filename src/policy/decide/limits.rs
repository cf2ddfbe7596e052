//! Condition 5: no limit is broken.

use std::collections::BTreeSet;

use super::findings::Findings;
use crate::policy::document::Policy;
use crate::policy::facts::Facts;
use crate::policy::reason::{Code, Reason};

pub(super) fn check(policy: &Policy, facts: &Facts, findings: &mut Findings) {
    let limits = policy.limits();
    let totals = facts.totals.unwrap_or_default();
    let mut check = |code, count: u64, max: u64, what: &str| {
        if count > max {
            findings.note(Reason::new(code).with_detail(&format!("{count} {what}, at most {max}")));
        }
    };
    let entering: BTreeSet<_> = facts.updates.iter().flat_map(|update| &update.entering).collect();
    check(Code::TooManyRefs, totals.refs.max(facts.updates.len() as u64), limits.refs_per_push, "refs");
    check(Code::TooManyCommits, totals.commits.max(entering.len() as u64), limits.commits_per_push, "commits");
    let described = || entering.iter().filter_map(|oid| facts.commits.get_key_value(oid));
    let biggest = described().map(|(_, commit)| commit.paths.len() as u64).max().unwrap_or_default();
    check(Code::TooManyChanges, totals.changes.max(biggest), limits.changes_per_commit, "paths in one commit");
    for (oid, commit) in described() {
        for change in &commit.paths {
            if let Some(bytes) = change.bytes.filter(|bytes| *bytes > limits.file_size) {
                let detail = format!("{bytes} bytes, at most {}", limits.file_size);
                let reason = Reason::new(Code::FileTooLarge).with_detail(&detail);
                findings.note(Reason { commit: Some(*oid), path: Some(change.path.clone()), ..reason });
            }
        }
    }
}
