//! Where refs stand, by what landed and what was observed.

use super::{Flaw, Replay};
use crate::entry::leaf::{Landed, Observed, State, Unexplained, Update};
use crate::history::Graph;
use crate::name::{Oid, RefName};
use crate::policy::facts::Move;

impl Replay<'_> {
    pub(super) fn landed(&mut self, landed: &Landed) -> Result<(), Flaw> {
        let flaw = |why: &str| Flaw::new("landed", why);
        for settled in &landed.updates {
            let open = self.open.get_mut(&landed.push).ok_or_else(|| flaw("it settles a push that is not open"))?;
            let at = open.iter().position(|update| update.refname == settled.refname);
            let update = open.remove(at.ok_or_else(|| flaw("it settles a ref that its push does not name"))?);
            if open.is_empty() {
                self.open.remove(&landed.push);
            }
            if settled.state == State::Landed {
                if self.tips.get(&update.refname) != update.old.as_ref() {
                    return Err(flaw(&format!("{} could not land there from where it stood", update.refname)));
                }
                self.set_tip(&update.refname, update.new);
                self.follow_guarded(&update);
            }
        }
        Ok(())
    }

    /// What rules guard grows with a new tip that keeps what was below the old one; after any other move it is found
    /// out anew.
    pub(super) fn follow_guarded(&mut self, update: &Update) {
        let (Move::Create | Move::Update, Some(new), Some(in_force)) = (update.action, update.new, &self.policy) else {
            return self.guarded.clear();
        };
        let new = self.peel(new);
        let Ok(node) = self.graph.node(&new) else { return };
        for (place, guarded) in &mut self.guarded {
            if in_force.policy.rules().get(*place).is_some_and(|rule| rule.refs.touches(&update.refname)) {
                guarded.add(node.generation, new);
            }
        }
    }

    /// An incident that was recorded is no fault of the ledger, if it is one; what the refs are now is looked at in the
    /// end.
    pub(super) fn observed(&self, observed: &Observed) -> Result<(), Flaw> {
        let moved =
            |seen: &&Unexplained| self.tips.get(&seen.refname) == seen.expected.as_ref() && seen.tip != seen.expected;
        match observed.refs.iter().find(|seen| !moved(seen)) {
            Some(seen) => {
                Err(Flaw::new("observed", &format!("{} was not where it says the ledger put it", seen.refname)))
            }
            None => Ok(()),
        }
    }

    pub(super) fn set_tip(&mut self, name: &RefName, tip: Option<Oid>) {
        match tip {
            Some(tip) => {
                if let Some(seen) = self.watched.get_mut(name).and_then(|tips| tips.get_mut(&tip)) {
                    *seen = true;
                }
                self.note_stood(name, &tip);
                self.tips.insert(name.clone(), tip);
            }
            None => {
                self.tips.remove(name);
            }
        }
    }
}
