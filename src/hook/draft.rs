//! From a decision to the leaves that record it.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::{Found, Gathered, Material};
use crate::clock::Timestamp;
use crate::entry::field::{Blobs, Field, INLINE_BYTES_MAX};
use crate::entry::leaf::{
    Commit, CommitKind, Leaf, Observed, ObservedKind, Push, PushKind, Range, Unexplained, Update, VERSION, Verdict,
    paths_field, paths_text,
};
use crate::ledger::append::Batch;
use crate::name::{Oid, RefName};
use crate::policy::Policy;
use crate::policy::decide::{DECIDER, decide_in_full};
use crate::policy::facts::{self, Facts, Pusher};
use crate::policy::reason::{Code, Decision, Reason};
use crate::policy::sufficient::sufficient;

/// The longest leaf of a denial, in bytes, whatever a stranger pushes: it is the only thing that he can have written.
pub const DENIAL_BYTES_MAX: usize = 2048;

/// Stands in the facts of a denial for a ref whose name is too long to be told three times.
const UNNAMED: &str = "refs/too-long";

/// How much of the reason why a pusher is refused stands in a leaf that is short of room, in characters of up to six
/// bytes of JSON.
const WHY_CHARS_MAX: usize = 50;

/// The leaves of one append, as they come together.
pub struct Draft {
    /// What will be appended.
    pub batch: Batch,
    first: u64,
}

impl Draft {
    /// Begins at entry `first` with leaves that come before the decision.
    pub fn new(first: u64, leaves: Vec<Leaf>) -> Self {
        Self { batch: Batch { leaves, ..Batch::default() }, first }
    }

    /// Adds refs that stand where no entry put them.
    pub fn observe(&mut self, refs: &[Unexplained], time: Timestamp) {
        for refs in refs.chunks(Observed::REFS_MAX) {
            let refs = refs.to_vec();
            self.batch.leaves.push(Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time }));
        }
    }

    /// Adds an accepted push with its commits; `policy` is the entry of the policy that decided.
    pub fn accept(
        &mut self,
        facts: &Facts,
        decision: &Decision,
        gathered: &Gathered,
        certificate: Option<&[u8]>,
        policy: u64,
    ) {
        let first = self.first + self.batch.leaves.len() as u64;
        for oid in leaf_order(gathered) {
            if let Some(leaf) = commit_leaf(&oid, gathered, decision, facts.time, &mut self.batch.blobs) {
                self.batch.leaves.push(leaf);
            }
        }
        let count = self.first + self.batch.leaves.len() as u64 - first;
        // The updates of a push share the room of one field.
        let inline_bytes_max = INLINE_BYTES_MAX / facts.updates.len().max(1);
        let blobs = &mut self.batch.blobs;
        let push = Push {
            actor: decision.pusher.clone(),
            certificate: certificate.map(|bytes| Field::bytes(bytes, blobs)),
            commits: Range { count, first },
            decider: DECIDER,
            decision: Verdict::Accepted,
            facts: None,
            kind: PushKind::Is,
            mledger: VERSION,
            policy,
            pusher: facts.pusher.clone(),
            reasons: decision.reasons.clone(),
            time: facts.time,
            updates: facts.updates.iter().map(|update| leaf_update(update, inline_bytes_max, blobs)).collect(),
        };
        self.batch.leaves.push(Leaf::Push(Box::new(push)));
    }

    /// Whether the decision itself is too long for a leaf, as one about hundreds of refs is.
    pub fn is_too_long(&self) -> bool {
        self.batch.leaves.last().is_some_and(|leaf| leaf.to_bytes().is_err())
    }

    /// Adds a denied push, with one reason and the facts that suffice for it, in at most [`DENIAL_BYTES_MAX`].
    pub fn deny(&mut self, policy: &Policy, facts: &Facts, decision: &Decision, policy_entry: u64) {
        let whole = || decision.reasons.first().map(|reason| (reason.clone(), facts.clone()));
        let Some((reason, kept)) = sufficient(policy, facts, decision).or_else(whole) else { return };
        let first = self.first + self.batch.leaves.len() as u64;
        let leaf = |(reason, kept): (Reason, Facts), updates_max: usize| {
            let updates = facts.updates.iter().take(updates_max);
            Leaf::Push(Box::new(Push {
                actor: decision.pusher.clone(),
                certificate: None,
                commits: Range { count: 0, first },
                decider: DECIDER,
                decision: Verdict::Denied,
                pusher: kept.pusher.clone(),
                facts: Some(kept),
                kind: PushKind::Is,
                mledger: VERSION,
                policy: policy_entry,
                reasons: vec![reason],
                time: facts.time,
                updates: updates
                    .map(|update| Update { extra: None, ..leaf_update(update, 0, &mut Blobs::new()) })
                    .collect(),
            }))
        };
        let kept = (reason, kept);
        let named = || in_brief(policy, facts, &kept.0, true).map(|brief| leaf(brief, 1));
        let unnamed = || in_brief(policy, facts, &kept.0, false).map(|brief| leaf(brief, 1));
        let fits = |leaf: &Leaf| leaf.to_bytes().is_ok_and(|bytes| bytes.len() <= DENIAL_BYTES_MAX);
        let chosen = [Push::DENIED_UPDATES_MAX, 1].map(|max| leaf(kept.clone(), max)).into_iter().find(fits);
        self.batch.leaves.extend(chosen.or_else(|| named().filter(fits)).or_else(unnamed));
    }
}

/// What remains of a denial whose names are too long for a leaf: who, which ref where it is short enough, and the
/// code, as a problem of that ref.
fn in_brief(policy: &Policy, facts: &Facts, reason: &Reason, with_ref: bool) -> Option<(Reason, Facts)> {
    let update = facts.updates.first()?;
    let update = facts::Update {
        entering: Vec::new(),
        extra: Vec::new(),
        problem: Some(format!("{}, about names too long to record", reason.code)),
        refname: if with_ref { update.refname.clone() } else { RefName::parse(UNNAMED).ok()? },
        scopes: BTreeMap::new(),
        ..update.clone()
    };
    let pusher = match &facts.pusher {
        Pusher::Refused { why } => Pusher::Refused { why: why.chars().take(WHY_CHARS_MAX).collect() },
        other => other.clone(),
    };
    let kept = Facts { commits: BTreeMap::new(), pusher, time: facts.time, totals: None, updates: vec![update] };
    let mut reasons = decide_in_full(policy, &kept).reasons.into_iter();
    Some((reasons.find(|reason| reason.code == Code::UpdateProblem)?, kept))
}

/// The commits that get a leaf, parents first: unknown ones and those of the baseline that enter a ref now.
fn leaf_order(gathered: &Gathered) -> Vec<Oid> {
    let mut seen = BTreeSet::new();
    let entering = gathered.updates.iter().flat_map(|update| &update.entering);
    gathered.fresh.iter().chain(entering).filter(|oid| seen.insert(**oid)).copied().collect()
}

fn commit_leaf(
    oid: &Oid,
    gathered: &Gathered,
    decision: &Decision,
    time: Timestamp,
    blobs: &mut Blobs,
) -> Option<Leaf> {
    let Found { evidence, material: Some(Material { raw, manifest, own }) } = gathered.commits.get(oid)? else {
        return None;
    };
    let facts::Signature::Valid { key } = &evidence.facts.signature else { return None };
    Some(Leaf::Commit(Box::new(Commit {
        actor: decision.signers.get(oid)?.clone(),
        key: key.clone(),
        kind: CommitKind::Is,
        manifest: Field::text(manifest, blobs),
        mledger: VERSION,
        object: Field::bytes(raw, blobs),
        oid: *oid,
        own: own.as_ref().map(|paths| Field::text(&paths_text(paths), blobs)),
        time,
    })))
}

fn leaf_update(update: &facts::Update, inline_bytes_max: usize, blobs: &mut Blobs) -> Update {
    Update {
        extra: paths_field(inline_bytes_max, &update.extra, blobs),
        action: update.action,
        new: update.new,
        old: update.old,
        refname: update.refname.clone(),
    }
}

#[cfg(test)]
mod tests;
