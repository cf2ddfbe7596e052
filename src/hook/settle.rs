//! What became of authorised pushes: an authorisation is not yet a landed push, since a later hook or a lost race may
//! stop Git from moving the ref.
//!
//! A move counts as landed once its ref stands at the new tip. It is void once the receive-pack that waited for it is
//! done and the ref does not stand there; while that process lives and has moves to make, this one may still happen.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::entry::leaf::{Landed, LandedKind, Leaf, Settled, State, VERSION};
use crate::git::{GitError, Repository};
use crate::index::{Index, IndexError, OpenMove};
use crate::name::{Oid, RefName};

/// How long a move stays open when nobody knows which process waits for it, in milliseconds: longer than Git takes
/// to move refs after its hook, shorter than anybody waits for a ledger to tell. So it is where a daemon runs the hooks
/// for receive-pack, without `/proc`, and where the index was lost in between.
pub(super) const UNKNOWN_PROCESS_MS: i64 = 10 * 60 * 1000;

/// How far up a receive-pack is looked for.
const ANCESTORS_MAX: usize = 16;

/// Why authorisations cannot be settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// The settlements that are due, and where the ledger puts the refs after them.
#[derive(Debug)]
pub struct Settlement {
    /// Ledger time of this append.
    pub time: Timestamp,
    /// `landed` leaves, one or more per push.
    pub leaves: Vec<Leaf>,
    /// The refs that these leaves move.
    pub tips: BTreeMap<RefName, Option<Oid>>,
    /// Where each ref with an open move stood when it was looked at.
    pub stands: BTreeMap<RefName, Option<Oid>>,
    /// The refs that Git may still be moving.
    pub waiting: BTreeSet<RefName>,
}

/// Looks at every open move; `time` is that of the leaves, `now` the clock's. Of the receive-pack `done` it is known
/// that it moves no more refs.
pub fn settle(
    repository: &Repository,
    index: &Index,
    time: Timestamp,
    now: Timestamp,
    done: Option<&str>,
) -> Result<Settlement, SettleError> {
    let mut settlement = Settlement {
        time,
        leaves: Vec::new(),
        tips: BTreeMap::new(),
        stands: BTreeMap::new(),
        waiting: BTreeSet::new(),
    };
    let mut by_push: BTreeMap<u64, Vec<Settled>> = BTreeMap::new();
    // Newest first: where a push was killed and made again, it is the second that landed.
    // Done is asked before any ref is read: a process that ends in between has moved the ref by then, or never will.
    let open: Vec<(bool, OpenMove)> =
        index.open_moves()?.into_iter().rev().map(|open| (is_done(&open, now, done), open)).collect();
    for (done, open) in open {
        let stands = match settlement.stands.get(&open.refname) {
            Some(tip) => *tip,
            None => repository.tip(&open.refname)?,
        };
        settlement.stands.insert(open.refname.clone(), stands);
        let ledger = match settlement.tips.get(&open.refname) {
            Some(tip) => *tip,
            None => index.tip(&open.refname)?,
        };
        let state = if stands == open.new && ledger == open.old {
            settlement.tips.insert(open.refname.clone(), open.new);
            State::Landed
        } else if done {
            State::Void
        } else {
            settlement.waiting.insert(open.refname);
            continue;
        };
        by_push.entry(open.push).or_default().push(Settled { refname: open.refname, state });
    }
    for (push, updates) in by_push {
        settlement.leaves.extend(updates.chunks(Landed::REFS_MAX).map(|updates| {
            let updates = updates.to_vec();
            Leaf::Landed(Landed { kind: LandedKind::Is, mledger: VERSION, push, time, updates })
        }));
    }
    Ok(settlement)
}

fn is_done(open: &OpenMove, now: Timestamp, done: Option<&str>) -> bool {
    match &open.process {
        Some(process) => done == Some(process) || is_gone(process),
        None => now.millis().saturating_sub(open.time_ms) > UNKNOWN_PROCESS_MS,
    }
}

/// Whether a process, as [`receive_pack`] names it, has ended.
pub fn is_gone(process: &str) -> bool {
    process_of(process.split(':').next().unwrap_or_default()).as_deref() != Some(process)
}

/// The receive-pack that runs this hook, as `pid:start`; the start time tells it from a later process of that number.
/// Scripts may stand in between, as in forges; they end before Git moves the refs.
pub fn receive_pack() -> Option<String> {
    let mut pid = "self".to_owned();
    for _ in 0..ANCESTORS_MAX {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat_field(&status, 4)?.clone_into(&mut pid);
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        if name.trim_end() == "git" || name.starts_with("git-receive-pac") {
            return process_of(&pid);
        }
    }
    None
}

fn process_of(pid: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat_field(&status, 3)?;
    // A zombie has done all it ever will.
    (state != "Z").then(|| stat_field(&status, 22).map(|start| format!("{pid}:{start}")))?
}

/// A field of `/proc/<pid>/stat` by its number in proc(5); the second, the name in parentheses, may hold anything.
fn stat_field(status: &str, number: usize) -> Option<&str> {
    status.rsplit_once(") ")?.1.split_ascii_whitespace().nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_number_and_start() {
        let line = "42 (a b) c) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 0 0";
        assert_eq!(stat_field(line, 3), Some("S"));
        assert_eq!(stat_field(line, 4), Some("1"));
        assert_eq!(stat_field(line, 22), Some("12345"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let process = process_of(&child.id().to_string()).unwrap();
        let now = Timestamp::from_millis(0).unwrap();
        let open = |process: &str| OpenMove {
            push: 1,
            refname: RefName::parse("refs/heads/main").unwrap(),
            old: None,
            new: None,
            time_ms: 0,
            process: Some(process.to_owned()),
        };
        assert!(!is_done(&open(&process), now, None));
        assert!(!is_done(&open(&process), now, Some("1:1")));
        assert!(is_done(&open(&process), now, Some(&process)));
        assert!(is_done(&open(&format!("{}:1", child.id())), now, None));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_done(&open(&process), now, None));
    }
}
