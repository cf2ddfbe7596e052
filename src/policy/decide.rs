//! The decision: a pure function of policy and facts.
//!
//! ```text
//! 1  the pusher is known                      pusher
//! 2  every update is granted to the pusher    updates
//! 3  every entering commit to its signer      commits
//! 4  every rule that matches is met           rules
//! 5  no limit is broken                       limits
//! ```
//!
//! Every check looks for a permission and notes a denial where it finds none; nothing is permitted by silence. All
//! denials are collected.

mod commits;
mod cover;
mod findings;
mod limits;
mod pusher;
mod rules;
mod tags;
mod updates;

use std::collections::{BTreeMap, BTreeSet};

use self::findings::Findings;
use super::document::Policy;
use super::facts::{Commit, Facts, Update};
use super::reason::{Code, Decision, REASONS_MAX, Reason};
use crate::name::Oid;

/// The version of this function. Decisions are replayed for ever: a change that could alter one gets a new number, and
/// the old function stays.
pub const DECIDER: u32 = 1;

/// Decides on a push.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    judge(policy, facts, REASONS_MAX)
}

/// Decides, and names every reason: what a recorded denial is held against. Its facts are a mere part, which may break
/// so many other rules that the recorded reason is not among the first.
pub fn decide_in_full(policy: &Policy, facts: &Facts) -> Decision {
    judge(policy, facts, usize::MAX)
}

/// Decides, and names at most so many reasons.
fn judge(policy: &Policy, facts: &Facts, reasons_max: usize) -> Decision {
    let mut findings = Findings::new(reasons_max);
    let pusher = pusher::check(policy, facts, &mut findings);
    if facts.updates.is_empty() {
        findings.note(Reason::new(Code::FactsIncomplete).with_detail("the push moves no ref"));
    }
    limits::check(policy, facts, &mut findings);
    let signers = commits::signers(policy, facts);
    let vouchers = commits::vouchers(facts, &signers);
    let mut met = BTreeMap::new();
    let mut named = BTreeSet::new();
    for update in &facts.updates {
        if !named.insert(&update.refname) {
            let reason = Reason::new(Code::FactsIncomplete).with_detail("the ref is named twice");
            findings.note(Reason { refname: Some(update.refname.clone()), ..reason });
        }
        let listed = Listed::new(facts, update, &mut findings);
        updates::check(policy, pusher, &listed, &mut findings);
        tags::check(policy, facts.time, &listed, &mut findings);
        commits::check(policy, facts.time, &listed, &mut findings);
        rules::check(policy, facts, &listed, &mut met, &mut findings);
    }
    for rule in met.into_values() {
        findings.note(Reason { rule: Some(rule), ..Reason::new(Code::RuleMet) });
    }
    findings.decision(pusher.map(|actor| actor.id.clone()), signers, vouchers)
}

/// An update with its entering commits looked up.
struct Listed<'a> {
    commits: Vec<(Oid, &'a Commit)>,
    update: &'a Update,
}

impl<'a> Listed<'a> {
    /// A commit that is named but not described could be anything: it denies.
    fn new(facts: &'a Facts, update: &'a Update, findings: &mut Findings) -> Self {
        Self { commits: look_up(facts, update, &update.entering, None, findings), update }
    }

    /// A reason about this update.
    fn reason(&self, code: Code) -> Reason {
        Reason { refname: Some(self.update.refname.clone()), ..Reason::new(code) }
    }
}

/// The commits of these ids; each once, in their order.
fn look_up<'a>(
    facts: &'a Facts,
    update: &Update,
    oids: &[Oid],
    rule: Option<&str>,
    findings: &mut Findings,
) -> Vec<(Oid, &'a Commit)> {
    let mut seen = BTreeSet::new();
    let mut found = vec![];
    for oid in oids.iter().filter(|oid| seen.insert(**oid)) {
        match facts.commits.get(oid) {
            Some(commit) => found.push((*oid, commit)),
            None => findings.note(Reason {
                commit: Some(*oid),
                refname: Some(update.refname.clone()),
                rule: rule.map(str::to_owned),
                ..Reason::new(Code::FactsIncomplete).with_detail("the commit is not described")
            }),
        }
    }
    found
}

#[cfg(test)]
pub(super) mod tests;
