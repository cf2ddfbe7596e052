//! A commit and who answers for it.

use serde::{Deserialize, Serialize};

use super::CommitKind;
use crate::clock::Timestamp;
use crate::entry::field::Field;
use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid};
use crate::policy::facts::Voucher;

/// A commit that entered the ledger with a push that was let through, or by a `reconcile` entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Whose key signed it, by the policy in force; none where no signature of an enrolled actor counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<ActorId>,
    /// The signing key of that actor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<KeyId>,
    /// Always `commit`.
    pub kind: CommitKind,
    /// The canonical manifest of its changes, as text.
    pub manifest: Field,
    /// Format version.
    pub mledger: u32,
    /// The raw commit object, as bytes.
    pub object: Field,
    /// Its name in Git.
    pub oid: Oid,
    /// For a merge: the paths it changes by itself. Asserted; recomputable from the repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own: Option<Field>,
    /// When it was recorded.
    pub time: Timestamp,
    /// The admin who vouches for it, where no actor has signed it.
    #[serde(rename = "vouched-by", skip_serializing_if = "Option::is_none", default)]
    pub vouched_by: Option<Voucher>,
}
