//! What the gate knows of one push when it decides, and all that it decides on.
//!
//! Facts are gathered from the repository by the gate and from the ledger by `verify`; equal facts under an equal
//! policy give an equal decision.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid, RefName, RepoPath};

/// Everything that one decision depends on besides the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The commits that enter any ref of this push, each once.
    pub commits: BTreeMap<Oid, Commit>,
    /// How the pusher became known.
    pub pusher: Pusher,
    /// Ledger time of the decision; the only time that counts.
    pub time: Timestamp,
    /// What was counted beyond what is listed here; none where everything is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// The refs that the push wants to move, in the client's order.
    pub updates: Vec<Update>,
}

/// How much a push holds where a list stops short: the gate ceases to walk at a limit, and a recorded denial keeps
/// the count and not ten thousand names. A list that is longer counts by its own length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// The paths that the biggest commit changes.
    pub changes: u64,
    /// The commits that enter any ref.
    pub commits: u64,
    /// The refs that are to move.
    pub refs: u64,
}

/// How the pusher is known. Only the gate's own checks make the first two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pusher {
    /// A push certificate with a valid signature, a fresh nonce, equal commands, and never seen before.
    Certificate {
        /// The key that signed it.
        key: KeyId,
    },
    /// The login of the one configured source, written `source:login`; for `ssh-user-auth` the login is the key's
    /// fingerprint, `ssh-user-auth:SHA256:…`.
    Login {
        /// For example `http:alice`.
        login: String,
    },
    /// A certificate or login was there but does not hold.
    Refused {
        /// What is wrong, for people.
        why: String,
    },
    /// Neither certificate nor configured login.
    Unknown,
}

/// What happens to a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// It did not exist.
    Create,
    /// The new tip descends from the old one.
    Update,
    /// The new tip does not descend from the old one.
    Rewrite,
    /// It goes away.
    Delete,
}

/// One ref's intended move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Commits whose signers must hold `commit` here, ancestors first. For a create: the commits not known before.
    pub entering: Vec<Oid>,
    /// Paths touched beyond those of the entering commits: of the commits that leave, and of the difference between
    /// the old and the new tip's trees. Sorted.
    pub extra: Vec<RepoPath>,
    /// What happens.
    #[serde(rename = "move")]
    pub action: Move,
    /// The new tip; none for a delete.
    pub new: Option<Oid>,
    /// The old tip; none for a create.
    pub old: Option<Oid>,
    /// Why this update cannot be judged at all (a target that is no commit, a symbolic ref …), for people.
    pub problem: Option<String>,
    /// The ref.
    #[serde(rename = "ref")]
    pub refname: RefName,
    /// For a create: what each rule that matches the ref looks at, by the rule's name. Empty otherwise: rules then
    /// look at the entering commits and the extra paths.
    pub scopes: BTreeMap<String, Scope>,
    /// The signed tag that the new tip is; none where it is a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
}

impl Update {
    /// A move of which nothing is known yet but where it leads.
    pub fn bare(refname: RefName, action: Move, old: Option<Oid>, new: Option<Oid>) -> Self {
        let (entering, extra, scopes) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { entering, extra, action, new, old, problem: None, refname, scopes, tag: None }
    }
}

/// An annotated tag that a ref is to point to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The commit that it names.
    pub commit: Oid,
    /// Its signature.
    pub signature: Signature,
}

/// What a rule looks at when a ref is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Commits not reachable from any ref that the rule guards already, ancestors first.
    pub commits: Vec<Oid>,
    /// Whether every path counts as touched: no ref is guarded by the rule yet, or commits come that were there before
    /// the ledger, of which nothing is known.
    pub every_path: bool,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// A path that it adds beside one that some file systems take for the same. Asserted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collision: Option<Collision>,
    /// Its `Mledger-Log` trailer.
    pub log: LogTrailer,
    /// Its `Mledger-Manifest` trailer against the recomputed manifest.
    pub manifest: ManifestTrailer,
    /// The paths it changes by itself: for a merge, without those that a parent explains. Sorted.
    pub paths: Vec<Path>,
    /// Its signature.
    pub signature: Signature,
    /// The names of its trailers that have a value, as written.
    pub trailers: BTreeSet<String>,
    /// The admin who vouches for it; counts where its own signature does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<Voucher>,
}

/// Who vouches for a commit that nobody enrolled has signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voucher {
    /// The admin.
    pub actor: ActorId,
    /// The entry that holds the statement.
    pub entry: u64,
}

/// Two paths that differ by case or by the spelling of an accent only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collision {
    /// The added one, or the folder in it that collides.
    pub path: RepoPath,
    /// The one that stands beside it.
    pub with: RepoPath,
}

/// A path that a commit changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Size of the new content in bytes; none where it is gone or no file.
    pub bytes: Option<u64>,
    /// Whether it becomes a symbolic link or a submodule.
    pub link: bool,
    /// The path.
    pub path: RepoPath,
}

/// A commit's signature, checked except for whose key it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Signature {
    /// There, but it does not count.
    Invalid {
        /// What is wrong, for people.
        why: String,
    },
    /// None.
    Missing,
    /// Valid, by this key.
    Valid {
        /// The key.
        key: KeyId,
    },
}

/// A commit's `Mledger-Manifest` trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManifestTrailer {
    /// One of its digests is the manifest's.
    Matches,
    /// It names other contents than the commit has.
    Mismatch,
    /// None.
    Missing,
}

/// A commit's `Mledger-Log` trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogTrailer {
    /// Of another ledger; not judged here.
    Foreign,
    /// Names a tree that this ledger never was: the author saw another history.
    Fork,
    /// A prefix of this ledger.
    Holds,
    /// None.
    Missing,
}
