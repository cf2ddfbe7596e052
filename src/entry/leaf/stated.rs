//! What admins stated, once it counts.

use serde::{Deserialize, Serialize};

use super::{ImportKind, PolicyKind, Range, ReconcileKind};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::entry::field::Field;
use crate::name::ActorId;

/// A new policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// SHA-256 of the text.
    pub digest: Digest,
    /// Always `policy`.
    pub kind: PolicyKind,
    /// Format version.
    pub mledger: u32,
    /// The full text.
    pub policy: Field,
    /// The envelopes of the statements that signed it (`super::statement`).
    pub statements: Vec<Field>,
    /// When.
    pub time: Timestamp,
}

/// An admin's word for commits that nobody enrolled has signed. They are recorded when a push brings them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The admin, as in the statement.
    pub actor: ActorId,
    /// How many commits the statement lists.
    pub count: u64,
    /// Always `import`.
    pub kind: ImportKind,
    /// Format version.
    pub mledger: u32,
    /// The envelope of the statement (`super::statement`), with the list of commits.
    pub statement: Field,
    /// When.
    pub time: Timestamp,
}

/// An admin's word that refs are to stay where they stand, although no push put them there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The admin, as in the statement.
    pub actor: ActorId,
    /// The leaves of commits that become known by it, which stand right before it.
    pub commits: Range,
    /// Always `reconcile`.
    pub kind: ReconcileKind,
    /// Format version.
    pub mledger: u32,
    /// The envelope of the statement (`super::statement`).
    pub statement: Field,
    /// When.
    pub time: Timestamp,
}
