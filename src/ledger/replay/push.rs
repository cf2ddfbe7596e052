//! Replaying pushes: whether each was decided as the policy in force decides it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Flaw, Replay};
use crate::entry::denials::{Source, minute};
use crate::entry::leaf::{Push, Update, Verdict};
use crate::ledger::check::{CheckedCertificate, CheckedCommit, CheckedPush};
use crate::ledger::objects::Stand;
use crate::name::Oid;
use crate::policy::Policy;
use crate::policy::decide::{DECIDER, decide, decide_in_full};
use crate::policy::document::Mode;
use crate::policy::facts::{self, Facts, Pusher};
use crate::policy::reason::{Decision, Reason};

impl Replay<'_> {
    pub(super) fn push(&mut self, index: u64, checked: CheckedPush) -> Result<(), Flaw> {
        let pending = std::mem::take(&mut self.pending);
        let done = self.decided(index, checked, pending);
        self.promoted.clear();
        done
    }

    pub(super) fn decided(
        &mut self,
        index: u64,
        checked: CheckedPush,
        pending: BTreeMap<Oid, CheckedCommit>,
    ) -> Result<(), Flaw> {
        let CheckedPush { push, certificate } = checked;
        if push.clock.is_some_and(|clock| push.time.millis().saturating_sub(clock.millis()) <= Push::CLOCK_SLACK_MS) {
            return Err(Flaw::new("time", "it says that the clock was behind, and it was not"));
        }
        let (entry, policy) = match &self.policy {
            Some(in_force) => (in_force.entry, Rc::clone(&in_force.policy)),
            None => return Err(Flaw::no_genesis()),
        };
        if push.policy != entry {
            return Err(Flaw::new(
                "decision",
                &format!("it was decided by entry {}, but entry {entry} was in force", push.policy),
            ));
        }
        if push.decider != DECIDER {
            return Err(Flaw::new(
                "decision",
                &format!("it was decided by version {} of the rules, which this program does not have", push.decider),
            ));
        }
        self.login(&push.pusher)?;
        match push.decision {
            Verdict::Denied => self.denied(&policy, &push, pending.len()),
            Verdict::Accepted | Verdict::Tolerated => self.let_through(index, &policy, &push, certificate, pending),
        }
    }

    /// A login is believed only from the source that the ledger began with.
    pub(super) fn login(&self, pusher: &Pusher) -> Result<(), Flaw> {
        let Pusher::Login { login } = pusher else { return Ok(()) };
        let source = login.split_once(':').map(|(source, _)| source);
        if source.is_some() && source == self.login.as_deref() {
            return Ok(());
        }
        let why = format!("its pusher is known by `{login}`, a source that the genesis entry does not name");
        Err(Flaw::new("decision", &why))
    }

    pub(super) fn denied(&mut self, policy: &Policy, push: &Push, stray: usize) -> Result<(), Flaw> {
        self.counts.denied += 1;
        self.denied.insert(Source::of_push(push), minute(push.time));
        if stray > 0 {
            return Err(Flaw::new("decision", "commit entries stand before it that belong to no accepted push"));
        }
        let beyond = |update: &Update| update.extra.is_some() || update.tag.is_some();
        if push.certificate.is_some() || push.commits.count > 0 || push.updates.iter().any(beyond) {
            return Err(Flaw::new("decision", "it is a denial, and holds what only a push that is let through leaves"));
        }
        let facts = push.facts.as_ref().ok_or_else(|| Flaw::new("decision", "it is a denial without facts"))?;
        if facts.time != push.time || facts.pusher != push.pusher {
            return Err(Flaw::new("decision", "its facts are of another moment or pusher"));
        }
        let decision = decide_in_full(policy, facts);
        let same = |reason| decision.reasons.contains(reason);
        if decision.accepted || push.reasons.is_empty() || !push.reasons.iter().all(same) {
            return Err(Flaw::new("decision", "its facts do not lead to the denial that it states"));
        }
        if decision.pusher != push.actor {
            return Err(Flaw::other_pusher());
        }
        let named = |update: &facts::Update| {
            let same = |listed: &Update| {
                (&listed.refname, listed.action, listed.new, listed.old)
                    == (&update.refname, update.action, update.new, update.old)
            };
            update.refname.as_str() == Push::UNNAMED_REF || push.updates.iter().any(same)
        };
        if push.updates.len() < Push::DENIED_UPDATES_MAX && !facts.updates.iter().all(named) {
            return Err(Flaw::new("decision", "its facts are about other refs than it names"));
        }
        self.counts.replayed += 1;
        Ok(())
    }

    pub(super) fn let_through(
        &mut self,
        index: u64,
        policy: &Policy,
        push: &Push,
        certificate: Option<Result<CheckedCertificate, String>>,
        mut pending: BTreeMap<Oid, CheckedCommit>,
    ) -> Result<(), Flaw> {
        match push.decision {
            Verdict::Tolerated => self.counts.tolerated += 1,
            Verdict::Accepted | Verdict::Denied => self.counts.accepted += 1,
        }
        self.open.insert(index, push.updates.clone());
        if push.facts.is_some() {
            return Err(Flaw::new("decision", "it states facts, which follow from the ledger"));
        }
        let first = if pending.is_empty() { index } else { self.pending_first };
        if push.commits.count != pending.len() as u64
            || push.commits.first != first
            || first + push.commits.count != index
        {
            return Err(Flaw::new("decision", "its commit entries do not stand right before it"));
        }
        self.certificate(push, certificate)?;
        let mut commits: BTreeMap<Oid, facts::Commit> = BTreeMap::new();
        let mut updates = Vec::new();
        if let Some(objects) = &mut self.objects {
            let stand = Stand { graph: &self.graph, policy, tags: &self.tags, tips: &self.tips };
            objects.push(&stand, &push.updates);
        }
        for update in &push.updates {
            updates.push(self.update(policy, update, &mut pending, &mut commits)?);
        }
        if let Some(oid) = pending.keys().find(|oid| !commits.contains_key(*oid)) {
            return Err(Flaw::new("decision", &format!("commit {oid} was recorded with it but enters no ref")));
        }
        let facts = Facts { commits, pusher: push.pusher.clone(), time: push.time, totals: None, updates };
        let decision = decide(policy, &facts);
        match push.decision {
            Verdict::Tolerated => Self::tolerated(policy, push, &facts)?,
            Verdict::Accepted | Verdict::Denied => Self::accepted(push, &decision)?,
        }
        if decision.pusher != push.actor {
            return Err(Flaw::other_pusher());
        }
        Self::check_signers(&decision, &pending)?;
        self.counts.replayed += 1;
        Ok(())
    }

    pub(super) fn accepted(push: &Push, decision: &Decision) -> Result<(), Flaw> {
        if !decision.accepted {
            let codes: BTreeSet<String> = decision.reasons.iter().map(|reason| reason.code.to_string()).collect();
            let codes: Vec<String> = codes.into_iter().collect();
            return Err(Flaw::new(
                "decision",
                &format!("the policy in force denies what it accepts: {}", codes.join(", ")),
            ));
        }
        if decision.reasons != push.reasons {
            return Err(Flaw::new("decision", "it was accepted for other reasons than it states"));
        }
        Ok(())
    }

    /// Under a policy that observes, what is denied may pass, but for what no entry could hold.
    pub(super) fn tolerated(policy: &Policy, push: &Push, facts: &Facts) -> Result<(), Flaw> {
        if policy.mode() != Mode::Observe {
            return Err(Flaw::new("decision", "it was let through, but the policy in force does not merely observe"));
        }
        let decision = decide_in_full(policy, facts);
        if decision.accepted {
            return Err(Flaw::new("decision", "the policy in force accepts what it says is only tolerated"));
        }
        let states = |reason: &Reason| decision.reasons.contains(reason) || reason.code.is_asserted();
        if push.reasons.is_empty() || !push.reasons.iter().all(states) {
            return Err(Flaw::new("decision", "its facts do not lead to the reasons that it states"));
        }
        if let Some(reason) = push.reasons.iter().chain(&decision.reasons).find(|reason| !reason.code.is_tolerable()) {
            return Err(Flaw::new("decision", &format!("{} is never let through", reason.code)));
        }
        Ok(())
    }

    pub(super) fn check_signers(decision: &Decision, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<(), Flaw> {
        for (oid, commit) in pending {
            let (signer, voucher) = (decision.signers.get(oid), decision.vouchers.get(oid));
            if signer != commit.actor.as_ref() || voucher != commit.vouched_by.as_ref() {
                return Err(Flaw::new("decision", &format!("commit {oid} is not by whom its entry names")));
            }
        }
        Ok(())
    }

    pub(super) fn certificate(
        &mut self,
        push: &Push,
        certificate: Option<Result<CheckedCertificate, String>>,
    ) -> Result<(), Flaw> {
        let flaw = |why: &str| Flaw::new("certificate", why);
        let (key, certificate) = match (&push.pusher, certificate) {
            (Pusher::Certificate { key }, Some(certificate)) => (key, certificate.map_err(|why| flaw(&why))?),
            (Pusher::Certificate { .. }, None) => return Err(flaw("its push certificate is missing")),
            (_, Some(_)) => return Err(flaw("it has a push certificate that names nobody")),
            (_, None) => return Ok(()),
        };
        if certificate.key != *key {
            return Err(flaw("its push certificate is signed by another key"));
        }
        let named = certificate.commands.iter().map(|command| (&command.old, &command.new, &command.refname));
        if !named.eq(push.updates.iter().map(|update| (&update.old, &update.new, &update.refname))) {
            return Err(flaw("its push certificate names other refs or commits"));
        }
        if self.use_up(certificate.digest) {
            return Err(flaw("its push certificate was used before"));
        }
        self.counts.signatures += 1;
        Ok(())
    }
}
