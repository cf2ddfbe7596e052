//! What only the ledger and the refs themselves can say of a push.

use std::collections::BTreeMap;

use super::{Gate, GateError};
use crate::digest::Digest;
use crate::entry::leaf::Unexplained;
use crate::hook::gather::Gathered;
use crate::hook::settle::Settlement;
use crate::index::Index;
use crate::ledger::read::Log;
use crate::name::{Oid, Origin};
use crate::object::message::LogHead;
use crate::policy::facts::{self, LogTrailer};
use crate::tlog::tree::{self};

/// Holds each commit's `Mledger-Log` trailer against the ledger, unless `is_known` to be its beginning anyway.
pub fn judge_logs(
    log: &Log<'_>,
    origin: &Origin,
    gathered: &mut Gathered,
    is_known: impl Fn(&LogHead) -> Result<bool, GateError>,
) -> Result<(), GateError> {
    let mut roots = Roots { log, known: BTreeMap::new() };
    for found in gathered.commits.values_mut() {
        if let Some(seen) = &found.evidence.log
            && seen.origin == *origin
        {
            let holds = is_known(seen)? || roots.holds(seen)?;
            found.evidence.facts.log = if holds { LogTrailer::Holds } else { LogTrailer::Fork };
        }
    }
    Ok(())
}

/// Roots by the ledger's own tiles, each computed once, however many commits of a thief name its size.
struct Roots<'a> {
    log: &'a Log<'a>,
    known: BTreeMap<u64, Digest>,
}

impl Roots<'_> {
    fn holds(&mut self, seen: &LogHead) -> Result<bool, GateError> {
        if seen.size > self.log.size() {
            return Ok(false);
        }
        let root = match self.known.get(&seen.size) {
            Some(root) => *root,
            None => tree::root(self.log, seen.size)?,
        };
        self.known.insert(seen.size, root);
        Ok(root == seen.root)
    }
}

/// Whether the ref stands where the client believes and where the ledger put it.
pub fn check_tips(
    gate: &Gate,
    index: &Index,
    settlement: &Settlement,
    update: &mut facts::Update,
    unexplained: &mut Vec<Unexplained>,
) -> Result<(), GateError> {
    let name = &update.refname;
    if name.as_str().starts_with(crate::ledger::REFS) {
        // The ledger's own refs are not where a ledger puts refs, and no push is granted there.
        return Ok(());
    }
    // A ref that a settlement looked at is not looked at again: Git may be moving it this very moment.
    let stands = match settlement.stands.get(name) {
        Some(tip) => *tip,
        None => gate.repository().tip(name)?,
    };
    let expected = match settlement.tips.get(name) {
        Some(tip) => *tip,
        None => index.tip(name)?,
    };
    let problem = if gate.repository().is_symbolic(name)? {
        Some("it is a symbolic ref; push to the branch that it names".to_owned())
    } else if stands != expected {
        if !index.is_observed(name, stands.as_ref())? {
            unexplained.push(Unexplained { expected, refname: name.clone(), tip: stands });
        }
        let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
        Some(format!(
            "it stands at {}, but the ledger put it at {}: it was moved behind the gate; an administrator must put it back, or take it as it is with `mledger reconcile`",
            at(stands),
            at(expected)
        ))
    } else if stands != update.old {
        Some("it moved while you pushed; fetch, then push again".to_owned())
    } else {
        None
    };
    update.problem = update.problem.take().or(problem);
    Ok(())
}
