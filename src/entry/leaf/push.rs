//! A decision on a push.

use serde::{Deserialize, Serialize};

use super::{MoreUpdates, PushKind};
use crate::clock::Timestamp;
use crate::entry::field::{Blobs, Field};
use crate::name::{ActorId, Oid, RefName, RepoPath};
use crate::policy::facts::{Facts, Move, Pusher};
use crate::policy::reason::Reason;

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
    /// Stands in the facts of a denial for a ref whose name is too long to be told three times.
    pub const UNNAMED_REF: &str = "refs/too-long";

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
