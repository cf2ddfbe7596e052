//! The leaves: one canonical JSON object each, at most 65,535 bytes.
//!
//! ```text
//! {"kind":"landed","mledger":1,"push":7,"time":"2026-11-23T09:30:00.000Z","updates":[{"ref":"refs/heads/main","state":"landed"}]}
//! ```
//!
//! A leaf is read only from its canonical form: parsing, then printing, gives the same bytes or the leaf is refused.
//! Unknown fields, duplicate keys and unknown versions are refused.

mod commit;
mod genesis;
mod kinds;
mod push;
mod refs;
mod stated;
mod updates;

use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::commit::Commit;
pub use self::genesis::{Baseline, Genesis};
pub use self::kinds::{
    CommitKind, DenialsKind, GenesisKind, ImportKind, LandedKind, ObservedKind, PolicyKind, PushKind, ReconcileKind,
};
pub use self::push::{Push, Range, Update, Verdict, parse_paths, paths_field, paths_text};
pub use self::refs::{Landed, Observed, Settled, State, Unexplained};
pub use self::stated::{Import, PolicyChange, Reconcile};
pub use self::updates::MoreUpdates;
use super::denials::Denials;
use super::field::{BlobName, Field};
use crate::clock::Timestamp;

/// The longest leaf in bytes; tlog-tiles counts entries in 16 bits.
pub const LEAF_BYTES_MAX: usize = 65_535;

/// The version of the wire format that this code writes and reads.
pub const VERSION: u32 = 1;

/// The most digits of a number in a leaf: any with so few is below 2^53. No ledger counts further.
const NUMBER_DIGITS_MAX: usize = 15;

/// Why bytes are not a leaf.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// Longer than [`LEAF_BYTES_MAX`].
    #[error("a leaf of {bytes} bytes is longer than {LEAF_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON of a known shape.
    #[error("a leaf is not of a known shape")]
    Shape(#[source] serde_json::Error),
    /// A kind that this version does not know.
    #[error("a leaf of kind `{0}` is unknown to this version of mledger")]
    Kind(String),
    /// A format version that this code does not know.
    #[error("a leaf of format version {0} is unknown to this version of mledger")]
    Version(u32),
    /// Not in canonical form.
    #[error("a leaf is not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// The ledger begins.
    Genesis(Box<Genesis>),
    /// The policy changed.
    Policy(Box<PolicyChange>),
    /// An actor made a change.
    Commit(Box<Commit>),
    /// A push was decided.
    Push(Box<Push>),
    /// An authorised push landed, or did not.
    Landed(Landed),
    /// Refs stand where no entry put them.
    Observed(Observed),
    /// An admin vouches for commits.
    Import(Import),
    /// An admin takes refs as they stand.
    Reconcile(Reconcile),
    /// Denials without a leaf of their own.
    Denials(Denials),
}

impl Leaf {
    /// Parses a leaf's canonical bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            kind: std::borrow::Cow<'a, str>,
            mledger: u32,
        }
        if bytes.len() > LEAF_BYTES_MAX {
            return Err(LeafError::TooLong { bytes: bytes.len() });
        }
        let head: Head<'_> = serde_json::from_slice(bytes).map_err(LeafError::Shape)?;
        if head.mledger != VERSION {
            return Err(LeafError::Version(head.mledger));
        }
        match head.kind.as_ref() {
            "genesis" => canonical(bytes).map(|leaf| Self::Genesis(Box::new(leaf))),
            "policy" => canonical(bytes).map(|leaf| Self::Policy(Box::new(leaf))),
            "commit" => canonical(bytes).map(|leaf| Self::Commit(Box::new(leaf))),
            "push" => canonical(bytes).map(|leaf| Self::Push(Box::new(leaf))),
            "landed" => canonical(bytes).map(Self::Landed),
            "observed" => canonical(bytes).map(Self::Observed),
            "import" => canonical(bytes).map(Self::Import),
            "reconcile" => canonical(bytes).map(Self::Reconcile),
            "denials" => canonical(bytes).map(Self::Denials),
            other => Err(LeafError::Kind(other.chars().take(40).collect())),
        }
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LeafError> {
        let bytes = match self {
            Self::Genesis(leaf) => serde_json::to_vec(leaf),
            Self::Policy(leaf) => serde_json::to_vec(leaf),
            Self::Commit(leaf) => serde_json::to_vec(leaf),
            Self::Push(leaf) => serde_json::to_vec(leaf),
            Self::Landed(leaf) => serde_json::to_vec(leaf),
            Self::Observed(leaf) => serde_json::to_vec(leaf),
            Self::Import(leaf) => serde_json::to_vec(leaf),
            Self::Reconcile(leaf) => serde_json::to_vec(leaf),
            Self::Denials(leaf) => serde_json::to_vec(leaf),
        }
        .map_err(LeafError::Shape)?;
        if bytes.len() > LEAF_BYTES_MAX { Err(LeafError::TooLong { bytes: bytes.len() }) } else { Ok(bytes) }
    }

    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::Policy(_) => "policy",
            Self::Commit(_) => "commit",
            Self::Push(_) => "push",
            Self::Landed(_) => "landed",
            Self::Observed(_) => "observed",
            Self::Import(_) => "import",
            Self::Reconcile(_) => "reconcile",
            Self::Denials(_) => "denials",
        }
    }

    /// When it was recorded.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Genesis(leaf) => leaf.time,
            Self::Policy(leaf) => leaf.time,
            Self::Commit(leaf) => leaf.time,
            Self::Push(leaf) => leaf.time,
            Self::Landed(leaf) => leaf.time,
            Self::Observed(leaf) => leaf.time,
            Self::Import(leaf) => leaf.time,
            Self::Reconcile(leaf) => leaf.time,
            Self::Denials(leaf) => leaf.time,
        }
    }

    /// The blobs that it names by itself; one with further updates may name more.
    pub fn blob_names(&self) -> Vec<BlobName> {
        let fields: Vec<&Field> = match self {
            Self::Genesis(leaf) => vec![&leaf.baseline.commits, &leaf.baseline.refs, &leaf.policy],
            Self::Policy(leaf) => std::iter::once(&leaf.policy).chain(&leaf.statements).collect(),
            Self::Commit(leaf) => [&leaf.manifest, &leaf.object].into_iter().chain(&leaf.own).collect(),
            Self::Push(leaf) => {
                let fields = leaf.updates.iter().flat_map(|update| update.extra.iter().chain(&update.tag));
                leaf.certificate.iter().chain(fields).collect()
            }
            Self::Import(Import { statement, .. }) | Self::Reconcile(Reconcile { statement, .. }) => vec![statement],
            Self::Landed(_) | Self::Observed(_) | Self::Denials(_) => Vec::new(),
        };
        let more = if let Self::Push(leaf) = self { leaf.updates_more } else { None };
        let named = fields.into_iter().filter_map(Field::blob_name).copied();
        named.chain(more.map(|more| more.blob_name())).collect()
    }
}

/// Parses, then prints, and accepts only equal bytes.
fn canonical<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, LeafError> {
    if has_long_number(bytes) {
        return Err(LeafError::NotCanonical);
    }
    let leaf: T = serde_json::from_slice(bytes).map_err(LeafError::Shape)?;
    let mut expected = Expected(bytes);
    serde_json::to_writer(&mut expected, &leaf).map_err(|_| LeafError::NotCanonical)?;
    if expected.0.is_empty() { Ok(leaf) } else { Err(LeafError::NotCanonical) }
}

/// Bytes that somebody is about to write: any other is refused.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether more than [`NUMBER_DIGITS_MAX`] digits stand in a row, of which one is at `at`.
fn digits_around(bytes: &[u8], at: usize) -> bool {
    let (before, behind) = bytes.split_at_checked(at).unwrap_or_default();
    let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && digits + before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count() > NUMBER_DIGITS_MAX
}

/// Whether a number stands there that RFC 8785 would print otherwise: from 2^53 on a double is not exact.
fn has_long_number(bytes: &[u8]) -> bool {
    // So many digits in a row hold one at each distance of their number, in quotes or not: nearly no leaf has that.
    if !(NUMBER_DIGITS_MAX..bytes.len()).step_by(NUMBER_DIGITS_MAX + 1).any(|at| digits_around(bytes, at)) {
        return false;
    }
    let (mut quoted, mut escaped, mut digits) = (false, false, 0_usize);
    bytes.iter().any(|byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' => escaped = quoted && !was_escaped,
            b'"' if !was_escaped => quoted = !quoted,
            _ => {}
        }
        digits = if !quoted && byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits > NUMBER_DIGITS_MAX
    })
}
