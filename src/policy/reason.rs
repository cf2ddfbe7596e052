//! What was decided, and every reason for it.
//!
//! ```json
//! {"accepted":false,"pusher":"alice@bank.example","reasons":[{"action":"update","actor":"alice@bank.example",
//! "code":"not-granted","more":2,"path":"models/w.bin","ref":"refs/heads/main"}],"signers":{"4b825d…":"alice@bank.example"}}
//! ```
//!
//! Fields are declared in the order of their names, so that plain serialising gives canonical JSON (RFC 8785).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::Voucher;
use super::role::Action;
use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid, RefName, RepoPath};

/// The most reasons that a decision names: enough for people, and a push leaf stays small. Each code that denies at
/// all is among them.
pub const REASONS_MAX: usize = 64;

/// The answer to a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the refs may move.
    pub accepted: bool,
    /// The actor who pushes; none where nobody is known or what names him does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<ActorId>,
    /// What denied it, or what permitted it; at most [`REASONS_MAX`].
    pub reasons: Vec<Reason>,
    /// Who signed the entering commits, as far as keys hold.
    pub signers: BTreeMap<Oid, ActorId>,
    /// Who vouches for entering commits that nobody enrolled has signed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vouchers: BTreeMap<Oid, Voucher>,
}

/// One reason. For a denial it stands for all of the same code, actor, key, ref and rule, and shows the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// What was to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorId>,
    /// What kind of reason it is.
    pub code: Code,
    /// In which commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Oid>,
    /// More, for people; at most [`Reason::DETAIL_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// With which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// How many more like this one there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// At which path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RepoPath>,
    /// On which ref.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub refname: Option<RefName>,
    /// By which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// By which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// What kind of reason it is. Codes are written for ever: none is renamed or given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The key's or login's owner is no actor any more.
    ActorExpired = "actor-expired",
    /// A rule demands approvals that are not there.
    ApprovalsMissing = "approvals-missing",
    /// The signer may not change the path on the ref.
    CommitNotGranted = "commit-not-granted",
    /// The commit's signature does not count.
    CommitSignatureInvalid = "commit-signature-invalid",
    /// The commit has no signature.
    CommitUnsigned = "commit-unsigned",
    /// The facts contradict themselves or lack something.
    FactsIncomplete = "facts-incomplete",
    /// A file is bigger than the limit.
    FileTooLarge = "file-too-large",
    /// Permits: a role of the actor has the action on the ref.
    Granted = "granted",
    /// The key's time is over.
    KeyExpired = "key-expired",
    /// The key's time has not come.
    KeyNotYetValid = "key-not-yet-valid",
    /// The key is revoked.
    KeyRevoked = "key-revoked",
    /// Nobody has the key.
    KeyUnknown = "key-unknown",
    /// The signer may not put a symbolic link or submodule there.
    LinkNotGranted = "link-not-granted",
    /// The commit's log trailer names a tree that this ledger never was.
    LogFork = "log-fork",
    /// A rule demands a log trailer.
    LogMissing = "log-missing",
    /// Nobody has the login.
    LoginUnknown = "login-unknown",
    /// The commit's manifest trailer names other contents.
    ManifestMismatch = "manifest-mismatch",
    /// A rule demands a manifest trailer.
    ManifestMissing = "manifest-missing",
    /// The pusher may not move the ref so, or not at the path.
    NotGranted = "not-granted",
    /// An added path differs from another one by case or spelling only.
    PathCollision = "path-collision",
    /// The certificate or login was there but does not hold.
    PusherRefused = "pusher-refused",
    /// Nothing names the pusher.
    PusherUnknown = "pusher-unknown",
    /// Neither branch nor tag, and no grant names it literally.
    RefForbidden = "ref-forbidden",
    /// Permits: everything that the rule demands is there.
    RuleMet = "rule-met",
    /// A rule demands a signed push.
    SignedPushMissing = "signed-push-missing",
    /// A commit changes more paths than the limit.
    TooManyChanges = "too-many-changes",
    /// More commits than the limit.
    TooManyCommits = "too-many-commits",
    /// More refs than the limit.
    TooManyRefs = "too-many-refs",
    /// The annotated tag's signature does not count.
    TagSignatureInvalid = "tag-signature-invalid",
    /// The annotated tag has no signature.
    TagUnsigned = "tag-unsigned",
    /// A rule demands trailers.
    TrailerMissing = "trailer-missing",
    /// The update cannot be judged.
    UpdateProblem = "update-problem",
    /// Permits: an admin vouches for commits that nobody enrolled has signed.
    Vouched = "vouched",
}

impl Code {
    /// Whether it denies.
    pub fn denies(self) -> bool {
        !matches!(self, Self::Granted | Self::RuleMet | Self::Vouched)
    }

    /// Whether what it denies can be let through by a policy that only observes: not what no entry could hold, and
    /// nothing that the ledger itself lives from.
    pub fn is_tolerable(self) -> bool {
        !matches!(
            self,
            Self::FactsIncomplete
                | Self::RefForbidden
                | Self::TooManyChanges
                | Self::TooManyCommits
                | Self::TooManyRefs
                | Self::UpdateProblem
        )
    }

    /// Whether the ledger alone cannot tell that it holds.
    pub fn is_asserted(self) -> bool {
        matches!(self, Self::PathCollision)
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::ActorExpired => "is no actor any more",
            Self::ApprovalsMissing => "approvals are missing",
            Self::CommitNotGranted => "the signer may not commit there",
            Self::CommitSignatureInvalid => "the commit's signature does not count",
            Self::CommitUnsigned => "the commit is not signed",
            Self::FactsIncomplete => "not everything is known that the decision needs",
            Self::FileTooLarge => "a file is too large; use Git LFS",
            Self::Granted => "granted",
            Self::KeyExpired => "the key has expired",
            Self::KeyNotYetValid => "the key is not valid yet",
            Self::KeyRevoked => "the key is revoked",
            Self::KeyUnknown => "no actor has this key",
            Self::LinkNotGranted => "the signer may not commit symbolic links or submodules there",
            Self::LogFork => "the commit's author saw another ledger under this name",
            Self::LogMissing => "the commit does not name a checkpoint of this ledger",
            Self::LoginUnknown => "no actor has this login",
            Self::ManifestMismatch => "the commit's manifest names other contents",
            Self::ManifestMissing => "the commit has no manifest",
            Self::NotGranted => "the pusher may not do this",
            Self::PathCollision => "two paths differ by case or spelling only",
            Self::PusherRefused => "what names the pusher does not hold",
            Self::PusherUnknown => "nothing says who pushes",
            Self::RefForbidden => "only branches and tags may be pushed",
            Self::RuleMet => "rule met",
            Self::SignedPushMissing => "the push is not signed",
            Self::TooManyChanges => "a commit changes too many paths",
            Self::TooManyCommits => "too many commits in one push",
            Self::TooManyRefs => "too many refs in one push",
            Self::TagSignatureInvalid => "the tag's signature does not count",
            Self::TagUnsigned => "the tag is not signed",
            Self::TrailerMissing => "trailers are missing",
            Self::UpdateProblem => "the update cannot be judged",
            Self::Vouched => "an admin vouches for it",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    /// The longest detail, in bytes: facts may hold foreign text of any length.
    pub const DETAIL_BYTES_MAX: usize = 200;

    /// A reason of that code and nothing else.
    pub fn new(code: Code) -> Self {
        Self {
            action: None,
            actor: None,
            code,
            commit: None,
            detail: None,
            key: None,
            more: 0,
            path: None,
            refname: None,
            role: None,
            rule: None,
        }
    }

    /// Adds detail, cut to [`Reason::DETAIL_BYTES_MAX`].
    #[must_use]
    pub(super) fn with_detail(self, detail: &str) -> Self {
        Self { detail: Some(bounded(detail).to_owned()), ..self }
    }
}

/// The text, cut between characters to [`Reason::DETAIL_BYTES_MAX`].
pub(super) fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(Reason::DETAIL_BYTES_MAX)).unwrap_or_default()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.sentence())?;
        let mut part =
            |name: &str, value: Option<String>| value.map_or(Ok(()), |value| write!(f, ", {name} `{value}`"));
        part("actor", self.actor.as_ref().map(ToString::to_string))?;
        part("role", self.role.clone())?;
        part("action", self.action.map(|action| action.to_string()))?;
        part("ref", self.refname.as_ref().map(ToString::to_string))?;
        part("rule", self.rule.clone())?;
        part("commit", self.commit.map(|commit| commit.short()))?;
        part("path", self.path.as_ref().map(ToString::to_string))?;
        part("key", self.key.as_ref().map(ToString::to_string))?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if self.more > 0 { write!(f, " (and {} more)", self.more) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_serialising_is_canonical() {
        let reason = Reason {
            action: Some(Action::Update),
            actor: Some(ActorId::parse("alice").unwrap()),
            commit: Some(Oid::from_bytes([7; 20])),
            key: Some(KeyId::of_blob(b"")),
            more: 2,
            path: Some(RepoPath::from_bytes("é\"\\\u{7f}".as_bytes()).unwrap()),
            refname: Some(RefName::parse("refs/heads/é").unwrap()),
            role: Some("engineer".to_owned()),
            rule: Some("a \u{8}\u{1f} rule".to_owned()),
            ..Reason::new(Code::NotGranted).with_detail("tab\tline\n€")
        };
        let decision = Decision {
            accepted: false,
            pusher: Some(ActorId::parse("alice").unwrap()),
            reasons: vec![reason, Reason::new(Code::PusherUnknown)],
            signers: [(Oid::from_bytes([7; 20]), ActorId::parse("bob").unwrap())].into(),
            vouchers: BTreeMap::new(),
        };
        let plain = serde_json::to_string(&decision).unwrap();
        assert_eq!(plain, serde_json_canonicalizer::to_string(&decision).unwrap());
        assert_eq!(serde_json::from_str::<Decision>(&plain).unwrap(), decision);
        assert!(
            plain.ends_with(
                r#"{"code":"pusher-unknown"}],"signers":{"0707070707070707070707070707070707070707":"bob"}}"#
            )
        );
    }

    #[test]
    fn codes_are_written_as_they_read() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        assert!(Code::ALL.len() < REASONS_MAX);
    }

    #[test]
    fn details_are_cut_between_characters() {
        let detail = Reason::new(Code::UpdateProblem).with_detail(&"é".repeat(101)).detail.unwrap();
        assert_eq!(detail, "é".repeat(100));
    }
}
