//! Replaying statements: whether each counts by what stood before it, and what it changes.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Flaw, InForce, Replay};
use crate::clock::Timestamp;
use crate::consent::{self, Known, Stated, Wish};
use crate::entry::field::Field;
use crate::entry::leaf::{Import, PolicyChange, Reconcile};
use crate::entry::statement::ReconcileStatement;
use crate::ledger::check::chain;
use crate::name::Oid;
use crate::policy::facts::Voucher;

impl Replay<'_> {
    pub(super) fn policy_change(&mut self, index: u64, change: &PolicyChange) -> Result<(), Flaw> {
        let [envelope] = change.statements.as_slice() else {
            return Err(Flaw::new("policy", "it does not hold exactly the statements that signed it"));
        };
        let Wish::Policy(stated) = self.stated("policy", envelope, change.time)? else {
            return Err(Flaw::new("policy", "its statement is about something else"));
        };
        if stated.statement.new != change.digest || stated.text != self.log.field_text(&change.policy)? {
            return Err(Flaw::new("policy", "its policy is not the one that was signed"));
        }
        self.owners = stated.owners;
        self.guarded.clear();
        self.policy =
            Some(InForce { entry: index, digest: change.digest, text: stated.text, policy: Rc::new(stated.policy) });
        Ok(())
    }

    pub(super) fn import(&mut self, index: u64, import: &Import) -> Result<(), Flaw> {
        let Wish::Import(statement, commits) = self.stated("import", &import.statement, import.time)? else {
            return Err(Flaw::new("import", "its statement is about something else"));
        };
        if (&import.actor, import.count) != (&statement.actor, commits.len() as u64) {
            return Err(Flaw::new("import", "it names another admin or count than its statement"));
        }
        let voucher = Voucher { actor: statement.actor, entry: index };
        self.vouchers.extend(commits.into_iter().map(|oid| (oid, voucher.clone())));
        Ok(())
    }

    /// Takes refs as they stand, with the commits that become known by it.
    pub(super) fn reconcile(&mut self, index: u64, reconcile: &Reconcile) -> Result<(), Flaw> {
        let flaw = |why: &str| Flaw::new("reconcile", why);
        let pending = std::mem::take(&mut self.pending);
        let promoted = std::mem::take(&mut self.promoted);
        let Wish::Reconcile(statement) = self.stated("reconcile", &reconcile.statement, reconcile.time)? else {
            return Err(flaw("its statement is about something else"));
        };
        if reconcile.actor != statement.actor {
            return Err(flaw("it names another admin than its statement"));
        }
        let first = if pending.is_empty() { index } else { self.pending_first };
        let count = pending.len() as u64;
        if reconcile.commits.count != count || reconcile.commits.first != first || first + count != index {
            return Err(flaw("its commit entries do not stand right before it"));
        }
        let voucher = Voucher { actor: statement.actor.clone(), entry: index };
        let reached = self.reach(&statement, &pending.keys().copied().collect());
        for (oid, commit) in pending {
            // What was known before needs no word to stay, and by this one it could go further.
            let wanted = reached.contains(&oid) && !promoted.contains(&oid);
            if commit.actor.is_some() || commit.vouched_by.as_ref() != Some(&voucher) || !wanted {
                return Err(flaw(&format!("commit {oid} was recorded with it, but not vouched for by it")));
            }
            self.vouchers.insert(oid, voucher.clone());
        }
        for found in &statement.refs {
            if self.tips.get(&found.refname) != found.expected.as_ref() {
                return Err(flaw(&format!("{} was not where it says the ledger put it", found.refname)));
            }
            let opaque = found.tip.is_some_and(|tip| !self.graph.contains(&self.peel(tip)));
            if opaque && !found.refname.as_str().starts_with("refs/tags/") {
                return Err(flaw(&format!("{} stands at a commit that no entry records", found.refname)));
            }
            self.guarded.clear();
            self.set_tip(&found.refname, found.tip);
        }
        Ok(())
    }

    /// The commits of `pending` that the refs reach.
    fn reach(&self, statement: &ReconcileStatement, pending: &BTreeSet<Oid>) -> BTreeSet<Oid> {
        let mut todo: Vec<Oid> =
            statement.refs.iter().filter_map(|found| found.tip).map(|tip| self.peel(tip)).collect();
        let mut reached = BTreeSet::new();
        while let Some(oid) = todo.pop() {
            if pending.contains(&oid) && reached.insert(oid) {
                todo.extend(self.graph.parents(&oid));
            }
        }
        reached
    }

    /// Checks a statement, which is used up by it.
    fn stated(&mut self, code: &'static str, envelope: &Field, time: Timestamp) -> Result<Wish, Flaw> {
        let (Some(in_force), Some(origin)) = (&self.policy, &self.origin) else { return Err(Flaw::no_genesis()) };
        let known = Known {
            policy: &in_force.policy,
            digest: in_force.digest,
            origin,
            owners: &self.owners,
            time,
            used: &self.used,
        };
        let envelope = self.log.field_text(envelope)?;
        let Stated { digest, wish } =
            consent::check(&known, envelope.as_bytes()).map_err(|error| Flaw::new(code, &chain(&error)))?;
        self.counts.signatures += 1;
        self.used.insert(digest);
        Ok(wish)
    }
}
