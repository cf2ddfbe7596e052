//! The refs: whether each stands where the ledger put it, and what is still open.

use std::collections::BTreeMap;

use super::super::{Check, Code, Finding, Group, Patient, counted, file, quoted};
use crate::hook::{forecast, settle};
use crate::index::{Index, IndexError, OpenMove};
use crate::ledger::read::Log;
use crate::ledger::{INBOX, REFS};
use crate::name::{Oid, RefName};

/// How many refs are listed by name; a restored backup may have thousands.
const LISTED_MAX: usize = 10;

/// Looks at all of them.
pub(super) fn check(patient: &Patient<'_>, log: &Log<'_>) -> Check {
    let mut check = Check::new(Group::Refs);
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            check.add(Finding::unknown("refs", &error));
            return check;
        }
    };
    let standing = patient.repository.refs();
    // After the refs, so that what was pushed in between is no surprise.
    let asked = index(patient, log, folder.path()).and_then(|index| Ok((index.tips()?, index.open_moves()?)));
    let (standing, (tips, open)) = match (standing, asked) {
        (Ok(standing), Ok(asked)) => (standing, asked),
        (Err(error), _) => {
            check.add(Finding::unknown("refs", &error));
            return check;
        }
        (_, Err(error)) => {
            check.add(Finding::unknown("index", &error));
            return check;
        }
    };
    let put: BTreeMap<RefName, Oid> = tips.into_iter().map(|tip| (tip.refname, tip.oid)).collect();
    check.add_all(inbox(patient, &standing));
    check.add_all(unexplained(&standing, &put, &open));
    check.add_all(open.iter().filter_map(|open| left_open(patient, open)));
    check.note(format!("{}, where the ledger put them", counted(put.len() as u64, "ref", "refs")))
}

/// The shared index; a new one in `folder` where it cannot be used, or would come to belong to another user.
fn index(patient: &Patient<'_>, log: &Log<'_>, folder: &std::path::Path) -> Result<Index, IndexError> {
    let kept = patient.place.file(forecast::INDEX_FILE);
    let own = file::is_own(patient.repository.git_dir());
    let file = if own && Index::examine(&kept).is_ok() { kept } else { folder.join(forecast::INDEX_FILE) };
    Index::open(&file, log)
}

fn inbox(patient: &Patient<'_>, standing: &[(String, Oid)]) -> Vec<Finding> {
    let left = standing.iter().filter(|(name, _)| name.starts_with(INBOX));
    left.take(LISTED_MAX)
        .map(|(name, _)| {
            let dir = quoted(patient.repository.git_dir());
            let message = "a statement was left in the inbox; what it says is in the ledger, or was refused";
            Finding::look(Code::InboxLeft, name.as_str(), message)
                .try_this(format!("git -C {dir} update-ref -d {name}"))
        })
        .collect()
}

fn unexplained(standing: &[(String, Oid)], put: &BTreeMap<RefName, Oid>, open: &[OpenMove]) -> Vec<Finding> {
    let mut put = put.clone();
    let mut found: Vec<(String, Option<Oid>, Option<Oid>)> = Vec::new();
    for (name, tip) in standing.iter().filter(|(name, _)| !name.starts_with(REFS)) {
        let expected = RefName::parse(name).ok().and_then(|name| put.remove(&name));
        if expected != Some(*tip) {
            found.push((name.clone(), Some(*tip), expected));
        }
    }
    found.extend(put.into_iter().map(|(name, tip)| (name.to_string(), None, Some(tip))));
    // A push that was accepted a moment ago, and that no later entry has settled yet.
    found.retain(|(name, tip, expected)| {
        !open.iter().any(|open| open.refname.as_str() == name && open.new == *tip && open.old == *expected)
    });
    let more = found.len().saturating_sub(LISTED_MAX);
    let mut findings: Vec<Finding> =
        found.into_iter().take(LISTED_MAX).map(|(name, tip, expected)| moved(&name, tip, expected)).collect();
    if more > 0 {
        let message = format!("{more} more refs stand where the ledger did not put them");
        findings.push(Finding::wrong(Code::RefUnexplained, "refs", message).try_this(RECONCILE));
    }
    findings
}

const RECONCILE: &str = "mledger reconcile --reason TEXT     (in the clone of an administrator)";

fn moved(name: &str, tip: Option<Oid>, expected: Option<Oid>) -> Finding {
    let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
    let message = format!("it stands at {}, and the ledger put it at {}", at(tip), at(expected));
    Finding::wrong(Code::RefUnexplained, name, message).try_this(RECONCILE)
}

/// An authorised move that nobody makes any more; whatever is appended next settles it.
fn left_open(patient: &Patient<'_>, open: &OpenMove) -> Option<Finding> {
    let age = patient.options.now.millis().saturating_sub(open.time_ms);
    let gone = open.process.as_deref().is_none_or(settle::is_gone);
    if !gone || age <= settle::UNKNOWN_PROCESS_MS {
        return None;
    }
    let message = format!(
        "entry {} authorised a push {} minutes ago, and nothing says what became of it",
        open.push,
        age / 60_000
    );
    let dir = quoted(patient.repository.git_dir());
    let command = format!("cd {dir} && GIT_DIR=. mledger hook post-receive < /dev/null");
    Some(Finding::look(Code::AuthorisationOpen, open.refname.as_str(), message).try_this(command))
}
