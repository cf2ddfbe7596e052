//! From a decision to the leaves that record it.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Found, Material};
use super::gather::Gathered;
use crate::clock::Timestamp;
use crate::entry::field::{Blobs, Field, INLINE_BYTES_MAX};
use crate::entry::leaf::{
    Commit, CommitKind, Leaf, Observed, ObservedKind, Push, PushKind, Range, Reconcile, ReconcileKind, Unexplained,
    Update, VERSION, Verdict, paths_field, paths_text,
};
use crate::ledger::append::Batch;
use crate::name::{ActorId, Oid, RefName};
use crate::policy::Policy;
use crate::policy::decide::{DECIDER, decide_in_full};
use crate::policy::document::Mode;
use crate::policy::facts::{self, Facts, Pusher, Voucher};
use crate::policy::reason::{Code, Decision, Reason};
use crate::policy::sufficient::sufficient;

/// The longest leaf of a denial, in bytes, whatever a stranger pushes: it is the only thing that he can have written.
pub const DENIAL_BYTES_MAX: usize = 2048;

/// How much of the reason why a pusher is refused stands in a leaf that is short of room, in characters of up to six
/// bytes of JSON.
const WHY_CHARS_MAX: usize = 50;

/// How much of the reasons an entry keeps of a push that is let through all the same, in bytes of JSON: as much as of
/// any other long field.
const TOLERATED_REASONS_BYTES_MAX: usize = INLINE_BYTES_MAX;

/// The leaves of one append, as they come together.
pub struct Draft {
    /// What will be appended.
    pub batch: Batch,
    clock: Option<Timestamp>,
    first: u64,
}

impl Draft {
    /// Begins at entry `first` with leaves that come before the decision.
    pub fn new(first: u64, leaves: Vec<Leaf>) -> Self {
        Self { batch: Batch { leaves, ..Batch::default() }, clock: None, first }
    }

    /// Flags a decision at `time` where the clock says that it is `now`, well before it. No reason to deny: whose
    /// fault it is cannot be known here.
    pub fn flag_clock(&mut self, now: Timestamp, time: Timestamp) {
        let behind = time.millis().saturating_sub(now.millis());
        self.clock = (behind > Push::CLOCK_SLACK_MS).then_some(now);
    }

    /// Adds refs that stand where no entry put them.
    pub fn observe(&mut self, refs: &[Unexplained], time: Timestamp) {
        for refs in refs.chunks(Observed::REFS_MAX) {
            let refs = refs.to_vec();
            self.batch.leaves.push(Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time }));
        }
    }

    /// Adds a push that is let through, with its commits; `policy` is the entry of the policy that decided.
    pub fn let_through(
        &mut self,
        facts: &Facts,
        decision: &Decision,
        gathered: &Gathered,
        certificate: Option<&[u8]>,
        policy: u64,
    ) {
        let by = |oid: &Oid| match (decision.signers.get(oid), decision.vouchers.get(oid)) {
            (Some(actor), _) => By::Actor(actor.clone()),
            (None, Some(voucher)) => By::Voucher(voucher.clone()),
            (None, None) => By::Nobody,
        };
        let commits = self.commits(gathered, by, facts.time);
        let (verdict, reasons) = if decision.accepted {
            (Verdict::Accepted, decision.reasons.clone())
        } else {
            (Verdict::Tolerated, within(&decision.reasons, TOLERATED_REASONS_BYTES_MAX))
        };
        // One that does not count proves nothing.
        let certificate = certificate.filter(|_| matches!(facts.pusher, facts::Pusher::Certificate { .. }));
        // The updates of a push share the room of one field.
        let inline_bytes_max = INLINE_BYTES_MAX / facts.updates.len().max(1);
        let blobs = &mut self.batch.blobs;
        let push = Push {
            actor: decision.pusher.clone(),
            certificate: certificate.map(|bytes| Field::bytes(bytes, blobs)),
            clock: self.clock,
            commits,
            decider: DECIDER,
            decision: verdict,
            facts: None,
            kind: PushKind::Is,
            mledger: VERSION,
            policy,
            pusher: facts.pusher.clone(),
            reasons,
            time: facts.time,
            updates: facts
                .updates
                .iter()
                .map(|update| leaf_update(update, Some(&gathered.tags), inline_bytes_max, blobs))
                .collect(),
            updates_more: None,
        };
        self.batch.leaves.push(Leaf::Push(Box::new(push.with_updates_stored(blobs))));
    }

    /// Adds an admin's statement that refs stay where they stand, with the commits that become known by it.
    pub fn reconcile(&mut self, gathered: &Gathered, actor: &ActorId, envelope: &str, time: Timestamp) {
        let before = self.first + self.batch.leaves.len() as u64;
        let entry = before + gathered.fresh.len() as u64;
        let voucher = Voucher { actor: actor.clone(), entry };
        let commits = self.commits(gathered, |_| By::Voucher(voucher.clone()), time);
        let statement = Field::text(envelope, &mut self.batch.blobs);
        let leaf =
            Reconcile { actor: actor.clone(), commits, kind: ReconcileKind::Is, mledger: VERSION, statement, time };
        self.batch.leaves.push(Leaf::Reconcile(leaf));
    }

    /// Adds a leaf for each commit that has none.
    fn commits(&mut self, gathered: &Gathered, by: impl Fn(&Oid) -> By, time: Timestamp) -> Range {
        let first = self.first + self.batch.leaves.len() as u64;
        for oid in leaf_order(gathered) {
            if let Some(leaf) = commit_leaf(&oid, gathered, by(&oid), time, &mut self.batch.blobs) {
                self.batch.leaves.push(leaf);
            }
        }
        Range { count: self.first + self.batch.leaves.len() as u64 - first, first }
    }

    /// Whether the decision itself is too long for a leaf, as one with dozens of reasons of the longest names may be.
    pub fn is_too_long(&self) -> bool {
        self.batch.leaves.last().is_some_and(|leaf| leaf.to_bytes().is_err())
    }

    /// Adds a denied push, with one reason and the facts that suffice for it, in at most [`DENIAL_BYTES_MAX`].
    pub fn deny(&mut self, policy: &Policy, facts: &Facts, decision: &Decision, policy_entry: u64) {
        let decision = &refusing(policy, decision);
        let whole = || decision.reasons.first().map(|reason| (reason.clone(), facts.clone()));
        let Some((reason, kept)) = sufficient(policy, facts, decision).or_else(whole) else { return };
        let first = self.first + self.batch.leaves.len() as u64;
        let leaf = |(reason, kept): (Reason, Facts), updates_max: usize| {
            let updates = facts.updates.iter().take(updates_max);
            Leaf::Push(Box::new(Push {
                actor: decision.pusher.clone(),
                certificate: None,
                clock: self.clock,
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
                    .map(|update| Update { extra: None, ..leaf_update(update, None, 0, &mut Blobs::new()) })
                    .collect(),
                updates_more: None,
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
        refname: if with_ref { update.refname.clone() } else { RefName::parse(Push::UNNAMED_REF).ok()? },
        scopes: BTreeMap::new(),
        tag: None,
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

/// The decision with only the reasons that refuse: under a policy that observes, most of them would not have.
fn refusing(policy: &Policy, decision: &Decision) -> Decision {
    let mut refusing = decision.clone();
    let refuses = |reason: &Reason| !reason.code.is_tolerable();
    if policy.mode() == Mode::Observe && decision.reasons.iter().any(refuses) {
        refusing.reasons.retain(refuses);
    }
    refusing
}

/// The commits that get a leaf, parents first: unknown ones and those of the baseline that enter a ref now.
fn leaf_order(gathered: &Gathered) -> Vec<Oid> {
    let mut seen = BTreeSet::new();
    let entering = gathered.updates.iter().flat_map(|update| &update.entering);
    gathered.fresh.iter().chain(entering).filter(|oid| seen.insert(**oid)).copied().collect()
}

/// Whose word a commit's leaf stands on.
enum By {
    /// Of the enrolled actor who signed it.
    Actor(ActorId),
    /// Of an admin.
    Voucher(Voucher),
    /// Nobody's: the policy only observes.
    Nobody,
}

/// The first reasons that together take at most so many bytes of JSON; at least one.
fn within(reasons: &[Reason], bytes_max: usize) -> Vec<Reason> {
    let mut bytes = 0;
    let fits = |reason: &&Reason| {
        bytes += serde_json::to_vec(reason).map_or(bytes_max, |json| json.len());
        bytes <= bytes_max
    };
    let kept: Vec<Reason> = reasons.iter().take_while(fits).cloned().collect();
    if kept.is_empty() { reasons.iter().take(1).cloned().collect() } else { kept }
}

fn commit_leaf(oid: &Oid, gathered: &Gathered, by: By, time: Timestamp, blobs: &mut Blobs) -> Option<Leaf> {
    let Found { evidence, material: Some(Material { raw, manifest, own }), .. } = gathered.commits.get(oid)? else {
        return None;
    };
    let key = match &evidence.facts.signature {
        facts::Signature::Valid { key } => Some(key.clone()),
        facts::Signature::Invalid { .. } | facts::Signature::Missing => None,
    };
    let (actor, key, vouched_by) = match by {
        By::Actor(actor) => (Some(actor), key, None),
        By::Voucher(voucher) => (None, None, Some(voucher)),
        By::Nobody => (None, None, None),
    };
    Some(Leaf::Commit(Box::new(Commit {
        actor,
        key,
        kind: CommitKind::Is,
        manifest: Field::text(manifest, blobs),
        mledger: VERSION,
        object: Field::bytes(raw, blobs),
        oid: *oid,
        own: own.as_ref().map(|paths| Field::text(&paths_text(paths), blobs)),
        time,
        vouched_by,
    })))
}

fn leaf_update(
    update: &facts::Update,
    tags: Option<&BTreeMap<Oid, Vec<u8>>>,
    inline_bytes_max: usize,
    blobs: &mut Blobs,
) -> Update {
    let tag = update.tag.as_ref().and(update.new).and_then(|new| tags?.get(&new));
    Update {
        extra: paths_field(inline_bytes_max, &update.extra, blobs),
        action: update.action,
        new: update.new,
        old: update.old,
        refname: update.refname.clone(),
        tag: tag.map(|raw| Field::bytes_within(inline_bytes_max, raw, blobs)),
    }
}

#[cfg(test)]
mod tests;
