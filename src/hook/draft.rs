//! From a decision to the leaves that record it.

use std::collections::BTreeSet;

use super::gather::{Found, Gathered, Material};
use crate::clock::Timestamp;
use crate::entry::field::{Blobs, Field, INLINE_BYTES_MAX};
use crate::entry::leaf::{
    Commit, CommitKind, Leaf, Observed, ObservedKind, Push, PushKind, Range, Unexplained, Update, VERSION, Verdict,
    paths_field, paths_text,
};
use crate::ledger::append::Batch;
use crate::name::Oid;
use crate::policy::Policy;
use crate::policy::decide::DECIDER;
use crate::policy::facts::{self, Facts};
use crate::policy::reason::Decision;
use crate::policy::sufficient::sufficient;

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
            updates_more: None,
        };
        self.batch.leaves.push(Leaf::Push(Box::new(push.with_updates_stored(blobs))));
    }

    /// Whether the decision itself is too long for a leaf, as one with dozens of reasons of the longest names may be.
    pub fn is_too_long(&self) -> bool {
        self.batch.leaves.last().is_some_and(|leaf| leaf.to_bytes().is_err())
    }

    /// Adds a denied push, with one reason and the facts that suffice for it.
    pub fn deny(&mut self, policy: &Policy, facts: &Facts, decision: &Decision, policy_entry: u64) {
        let whole = || decision.reasons.first().map(|reason| (reason.clone(), facts.clone()));
        let Some((reason, kept)) = sufficient(policy, facts, decision).or_else(whole) else { return };
        let updates = facts.updates.iter().take(Push::DENIED_UPDATES_MAX);
        let push = Push {
            actor: decision.pusher.clone(),
            certificate: None,
            commits: Range { count: 0, first: self.first + self.batch.leaves.len() as u64 },
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
            updates_more: None,
        };
        self.batch.leaves.push(Leaf::Push(Box::new(push)));
    }
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
