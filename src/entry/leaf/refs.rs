//! What became of refs: authorised moves that landed or did not, and refs that no entry explains.

use serde::{Deserialize, Serialize};

use super::{LandedKind, ObservedKind};
use crate::clock::Timestamp;
use crate::name::{Oid, RefName};

/// What became of an authorised push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landed {
    /// Always `landed`.
    pub kind: LandedKind,
    /// Format version.
    pub mledger: u32,
    /// The index of the push.
    pub push: u64,
    /// When it was settled.
    pub time: Timestamp,
    /// Refs of it; where they are many, a push is settled by several leaves.
    pub updates: Vec<Settled>,
}

impl Landed {
    /// How many refs one leaf names, however many its push has: with the longest names they fit.
    pub const REFS_MAX: usize = 100;
}

/// What became of one ref's move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// Whether it moved.
    pub state: State,
}

/// Whether an authorised move happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It did.
    Landed,
    /// It did not, and never will count.
    Void,
}

/// Refs that no entry explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Always `observed`.
    pub kind: ObservedKind,
    /// Format version.
    pub mledger: u32,
    /// Each such ref.
    pub refs: Vec<Unexplained>,
    /// When it was seen.
    pub time: Timestamp,
}

impl Observed {
    /// How many refs one leaf names: with the longest names they fit.
    pub const REFS_MAX: usize = 64;
}

/// One ref that stands where no entry put it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unexplained {
    /// Where the ledger put it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<Oid>,
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tip: Option<Oid>,
}
