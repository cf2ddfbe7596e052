//! The leaves: one canonical JSON object each, at most 65,535 bytes.
//!
//! ```text
//! {"kind":"landed","mledger":1,"push":7,"time":"2026-11-23T09:30:00.000Z","updates":[{"ref":"refs/heads/main","state":"landed"}]}
//! ```
//!
//! A leaf is read only from its canonical form: parsing, then printing, gives the same bytes or the leaf is refused.
//! Unknown fields, duplicate keys and unknown versions are refused.

mod updates;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::updates::MoreUpdates;
use super::denials::Denials;
use super::field::{BlobName, Blobs, Field};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid, Origin, RefName, RepoPath};
use crate::policy::facts::{Facts, Move, Pusher, Voucher};
use crate::policy::reason::Reason;

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

/// Whether a push may land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes.
    Accepted,
    /// No.
    Denied,
    /// It would have been denied, but the policy only observes.
    Tolerated,
}

impl Verdict {
    /// Whether the refs may move.
    pub fn lets_through(self) -> bool {
        self != Self::Denied
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Denied => "denied",
            Self::Tolerated => "tolerated",
        }
    }
}

/// A decision on a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// Who pushed, where known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<ActorId>,
    /// The push certificate's bytes, for an accepted signed push.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<Field>,
    /// What the server's clock said, where that was well before `time`: the clock, or the one before, was wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock: Option<Timestamp>,
    /// Its commit leaves, which stand right before it.
    pub commits: Range,
    /// The version of the rules that decided.
    pub decider: u32,
    /// What was decided.
    pub decision: Verdict,
    /// For a denial: facts that suffice to decide it again. For an accepted push they follow from the ledger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub facts: Option<Facts>,
    /// Always `push`.
    pub kind: PushKind,
    /// Format version.
    pub mledger: u32,
    /// The index of the entry that holds the policy used.
    pub policy: u64,
    /// How the pusher is known.
    pub pusher: Pusher,
    /// What decided it.
    pub reasons: Vec<Reason>,
    /// When.
    pub time: Timestamp,
    /// The refs, in the client's order; for a denial the first [`Push::DENIED_UPDATES_MAX`].
    pub updates: Vec<Update>,
    /// The further refs, where there are too many for the leaf: [`Push::whole`] has them all.
    #[serde(rename = "updates-more", skip_serializing_if = "Option::is_none", default)]
    pub updates_more: Option<MoreUpdates>,
}

impl Push {
    /// How far the clock may be behind before an entry says so, in milliseconds: clocks are corrected by less.
    pub const CLOCK_SLACK_MS: i64 = 1000;

    /// How many updates a denial names: it must stay small, whatever was pushed.
    pub const DENIED_UPDATES_MAX: usize = 4;
}

/// Leaves `first..first + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// How many.
    pub count: u64,
    /// The first's index.
    pub first: u64,
}

/// One ref's move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Touched paths that no commit leaf shows, a line each. Asserted; recomputable from the repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub extra: Option<Field>,
    /// What happens.
    #[serde(rename = "move")]
    pub action: Move,
    /// The new tip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Oid>,
    /// The old tip.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<Oid>,
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// The bytes of the signed tag that the new tip is; none where it is a commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tag: Option<Field>,
}

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

/// Declares the one-valued types that write a leaf's kind.
macro_rules! kinds {
    ($($name:ident = $text:literal),+) => {$(
        #[doc = concat!("The word `", $text, "`.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            #[doc = concat!("The word `", $text, "`.")]
            #[default]
            #[serde(rename = $text)]
            Is,
        }
    )+};
}

kinds!(
    GenesisKind = "genesis",
    PolicyKind = "policy",
    CommitKind = "commit",
    PushKind = "push",
    LandedKind = "landed",
    ObservedKind = "observed",
    ImportKind = "import",
    ReconcileKind = "reconcile",
    DenialsKind = "denials"
);

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
    let printed = serde_json::to_vec(&leaf).map_err(LeafError::Shape)?;
    if printed == bytes { Ok(leaf) } else { Err(LeafError::NotCanonical) }
}

/// Whether a number stands there that RFC 8785 would print otherwise: from 2^53 on a double is not exact.
fn has_long_number(bytes: &[u8]) -> bool {
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

/// Paths as the text of a field, a line each.
pub fn paths_text(paths: &[RepoPath]) -> String {
    paths.iter().flat_map(|path| [path.to_string(), "\n".to_owned()]).collect()
}

/// Parses [`paths_text`]; `None` where a line is no path.
pub fn parse_paths(text: &str) -> Option<Vec<RepoPath>> {
    text.lines().map(|line| RepoPath::parse(line).ok()).collect()
}

/// Stores paths as a field, in place if they take at most so many bytes; nothing for none.
pub fn paths_field(inline_bytes_max: usize, paths: &[RepoPath], blobs: &mut Blobs) -> Option<Field> {
    (!paths.is_empty()).then(|| Field::text_within(inline_bytes_max, &paths_text(paths), blobs))
}
