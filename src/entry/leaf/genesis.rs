//! How a ledger begins.

use serde::{Deserialize, Serialize};

use super::GenesisKind;
use crate::clock::Timestamp;
use crate::entry::field::Field;
use crate::name::Origin;

/// The first leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// What was there at installation.
    pub baseline: Baseline,
    /// Always `genesis`.
    pub kind: GenesisKind,
    /// The configured source of logins, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<String>,
    /// Format version.
    pub mledger: u32,
    /// The ledger's name.
    pub origin: Origin,
    /// The first policy's text.
    pub policy: Field,
    /// When.
    pub time: Timestamp,
    /// The ledger's public key, as a signed-note verifier key.
    pub vkey: String,
}

/// The repository at installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Every commit, parents first: lines of `<oid> <tree> [<parent> …]`.
    pub commits: Field,
    /// Every ref, sorted by name: lines of `<oid> <ref>`.
    pub refs: Field,
}
