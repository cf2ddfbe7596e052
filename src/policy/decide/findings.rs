//! Reasons as they are found: like ones counted, the number bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid, RefName};
use crate::policy::facts::Voucher;
use crate::policy::reason::{Code, Decision, Reason};
use crate::policy::role::Action;

/// How many places are kept free for codes that have not come up. As many as there were codes in the first ledgers,
/// for ever: another number would cut the reasons of a recorded decision elsewhere. A later code takes a place more.
const DENYING_CODES: usize = 27;
const PERMITTING_CODES: usize = 2;

/// Denials and permissions, each in the order in which they were found.
pub(super) struct Findings {
    denials: Gathered,
    permissions: Gathered,
}

struct Gathered {
    codes: BTreeSet<Code>,
    /// How many codes may still come up for the first time.
    codes_left: usize,
    max: usize,
    places: HashMap<Likeness, usize>,
    reasons: Vec<Reason>,
}

/// What makes two reasons the same but for commit and path.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    action: Option<Action>,
    actor: Option<ActorId>,
    code: Code,
    key: Option<KeyId>,
    refname: Option<RefName>,
    role: Option<String>,
    rule: Option<String>,
}

impl Findings {
    pub fn new(max: usize) -> Self {
        Self { denials: Gathered::new(max, DENYING_CODES), permissions: Gathered::new(max, PERMITTING_CODES) }
    }

    /// Notes a reason.
    pub fn note(&mut self, reason: Reason) {
        if reason.code.denies() { self.denials.note(reason, 1) } else { self.permissions.note(reason, 0) }
    }

    /// Accepts where nothing denies.
    pub fn decision(
        self,
        pusher: Option<ActorId>,
        signers: BTreeMap<Oid, ActorId>,
        vouchers: BTreeMap<Oid, Voucher>,
    ) -> Decision {
        let accepted = self.denials.codes.is_empty();
        let reasons = if accepted { self.permissions.reasons } else { self.denials.reasons };
        Decision { accepted, pusher, reasons, signers, vouchers }
    }
}

impl Gathered {
    fn new(max: usize, codes_left: usize) -> Self {
        Self { codes: BTreeSet::new(), codes_left, max, places: HashMap::new(), reasons: vec![] }
    }

    fn note(&mut self, reason: Reason, step: u64) {
        let likeness = Likeness {
            action: reason.action,
            actor: reason.actor.clone(),
            code: reason.code,
            key: reason.key.clone(),
            refname: reason.refname.clone(),
            role: reason.role.clone(),
            rule: reason.rule.clone(),
        };
        if let Some(first) = self.places.get(&likeness).and_then(|place| self.reasons.get_mut(*place)) {
            first.more += step;
            return;
        }
        // One place stays free for each code that has not come up, so that every kind of denial is shown.
        let fresh = self.codes.insert(reason.code);
        self.codes_left = self.codes_left.saturating_sub(usize::from(fresh));
        if fresh || self.reasons.len() + self.codes_left < self.max {
            self.places.insert(likeness, self.reasons.len());
            self.reasons.push(reason);
        }
    }
}
