//! What an actor states outside a commit, signed as a detached SSHSIG in namespace `mledger`.
//!
//! ```text
//! policy     {"actor":"carol@bank.example","expires":T,"kind":"policy","mledger":1,"new":"sha256:…","origin":"…","previous":"sha256:…"}
//! import     {"actor":…,"commits":"sha256:…","expires":T,"kind":"import","mledger":1,"origin":…,"reason":"…"}
//! reconcile  {"actor":…,"expires":T,"kind":"reconcile","mledger":1,"origin":…,"reason":"…","refs":[{"expected":OID,"ref":"refs/heads/main","tip":OID}]}
//! envelope   {"attachment":"<policy text, or a commit's id per line>","mledger":1,"signature":"-----BEGIN SSH SIGNATURE-----…","statement":"<the bytes above>"}
//! ```
//!
//! The envelope carries the statement as the string that was signed, so that `ssh-keygen -Y verify -n mledger` checks
//! it as it is.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::leaf::{ImportKind, PolicyKind, ReconcileKind, Unexplained, VERSION};
use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::name::{ActorId, Oid, Origin};

/// The SSHSIG namespace of statements: none of them can pass as a commit's signature, nor the other way round.
pub const NAMESPACE: &str = "mledger";

/// The longest envelope in bytes: a policy of a thousand actors takes 200 KB, a list of 20,000 commits 820 KB.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// The longest envelope of a statement that attaches nothing, in bytes.
pub const BARE_ENVELOPE_BYTES_MAX: usize = 32 * 1024;

/// The most commits that one statement vouches for, so that its envelope holds their names.
pub const COMMITS_MAX: usize = 20_000;

/// The most refs that one statement reconciles: with the longest names they fit into [`BARE_ENVELOPE_BYTES_MAX`].
pub const REFS_MAX: usize = 64;

/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 500;

/// Why bytes are not a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Too long.
    #[error("a statement of {bytes} bytes is longer than {max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit of its kind.
        max: usize,
    },
    /// Not JSON of a known shape.
    #[error("not a statement of a known shape: {0}")]
    Shape(String),
    /// Not canonical.
    #[error("the statement is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// The attachment is not what the statement names.
    #[error("what is attached is not what the statement names")]
    Attachment,
    /// A list of commits that is none.
    #[error(
        "the attached list of commits holds a line that is no commit's id, or none twice, or more than {COMMITS_MAX}"
    )]
    Commits,
    /// A reason that says nothing, or too much.
    #[error("the statement's reason is empty, longer than {REASON_BYTES_MAX} bytes, or holds control characters")]
    Reason,
    /// No refs, or too many, or one twice.
    #[error("the statement names no ref, more than {REFS_MAX}, or one of them twice")]
    Refs,
}

/// What an actor states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The policy is to be replaced.
    Policy(PolicyStatement),
    /// Commits that nobody enrolled has signed are vouched for.
    Import(ImportStatement),
    /// Refs are to stay where they stand.
    Reconcile(ReconcileStatement),
}

/// An admin's will that the policy `previous` be replaced by `new`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyStatement {
    /// Who states it.
    pub actor: ActorId,
    /// Counts only before this moment, by the ledger's time.
    pub expires: Timestamp,
    /// Always `policy`.
    pub kind: PolicyKind,
    /// Format version.
    pub mledger: u32,
    /// SHA-256 of the new policy's text.
    pub new: Digest,
    /// The ledger it is meant for.
    pub origin: Origin,
    /// SHA-256 of the text of the policy in force.
    pub previous: Digest,
}

/// An admin's word for commits that nobody enrolled has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportStatement {
    /// Who states it.
    pub actor: ActorId,
    /// SHA-256 of the attached list: a commit's id per line, parents first, each once.
    pub commits: Digest,
    /// Counts only before this moment, by the ledger's time.
    pub expires: Timestamp,
    /// Always `import`.
    pub kind: ImportKind,
    /// Format version.
    pub mledger: u32,
    /// The ledger it is meant for.
    pub origin: Origin,
    /// Why, for people.
    pub reason: String,
}

/// An admin's will that refs stay where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileStatement {
    /// Who states it.
    pub actor: ActorId,
    /// Counts only before this moment, by the ledger's time.
    pub expires: Timestamp,
    /// Always `reconcile`.
    pub kind: ReconcileKind,
    /// Format version.
    pub mledger: u32,
    /// The ledger it is meant for.
    pub origin: Origin,
    /// Why, for people.
    pub reason: String,
    /// The refs, with where the ledger put them and where they stand.
    pub refs: Vec<Unexplained>,
}

/// A statement with its signature and what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The policy's text, or the list of commits; empty where nothing is attached.
    pub attachment: String,
    /// Format version.
    pub mledger: u32,
    /// The armoured SSHSIG over the statement's bytes.
    pub signature: String,
    /// The statement, exactly as signed.
    pub statement: String,
}

impl Statement {
    /// Parses the canonical bytes.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        #[derive(Deserialize)]
        struct Head {
            kind: String,
            mledger: u32,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| StatementError::Shape(error.to_string()))?;
        if head.mledger != VERSION {
            return Err(StatementError::Shape(format!("format version {} is unknown", head.mledger)));
        }
        let statement = match head.kind.as_str() {
            "policy" => Self::Policy(canonical(text)?),
            "import" => Self::Import(canonical(text)?),
            "reconcile" => Self::Reconcile(canonical(text)?),
            other => {
                return Err(StatementError::Shape(format!(
                    "kind `{}` is unknown",
                    other.chars().take(40).collect::<String>()
                )));
            }
        };
        statement.check()?;
        Ok(statement)
    }

    /// The canonical bytes, which are signed.
    pub fn to_text(&self) -> Result<String, StatementError> {
        self.check()?;
        match self {
            Self::Policy(statement) => serde_json::to_string(statement),
            Self::Import(statement) => serde_json::to_string(statement),
            Self::Reconcile(statement) => serde_json::to_string(statement),
        }
        .map_err(|error| StatementError::Shape(error.to_string()))
    }

    /// Who states it.
    pub fn actor(&self) -> &ActorId {
        match self {
            Self::Policy(statement) => &statement.actor,
            Self::Import(statement) => &statement.actor,
            Self::Reconcile(statement) => &statement.actor,
        }
    }

    /// The first moment at which it does not count any more.
    pub fn expires(&self) -> Timestamp {
        match self {
            Self::Policy(statement) => statement.expires,
            Self::Import(statement) => statement.expires,
            Self::Reconcile(statement) => statement.expires,
        }
    }

    /// The ledger it is meant for.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Policy(statement) => &statement.origin,
            Self::Import(statement) => &statement.origin,
            Self::Reconcile(statement) => &statement.origin,
        }
    }

    /// Why, for people; a policy speaks for itself.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Policy(_) => None,
            Self::Import(statement) => Some(&statement.reason),
            Self::Reconcile(statement) => Some(&statement.reason),
        }
    }

    fn check(&self) -> Result<(), StatementError> {
        let said = |reason: &str| {
            !reason.trim().is_empty() && reason.len() <= REASON_BYTES_MAX && !reason.chars().any(char::is_control)
        };
        if !self.reason().is_none_or(said) {
            return Err(StatementError::Reason);
        }
        if let Self::Reconcile(statement) = self {
            let mut names: Vec<_> = statement.refs.iter().map(|found| &found.refname).collect();
            names.sort();
            names.dedup();
            if names.len() != statement.refs.len() || names.is_empty() || names.len() > REFS_MAX {
                return Err(StatementError::Refs);
            }
        }
        Ok(())
    }

    fn fits(&self, attachment: &str) -> bool {
        match self {
            Self::Policy(statement) => sha256(attachment.as_bytes()) == statement.new,
            Self::Import(statement) => sha256(attachment.as_bytes()) == statement.commits,
            Self::Reconcile(_) => attachment.is_empty(),
        }
    }
}

/// Parses, then prints, and accepts only equal text.
fn canonical<T: DeserializeOwned + Serialize>(text: &str) -> Result<T, StatementError> {
    let statement: T = serde_json::from_str(text).map_err(|error| StatementError::Shape(error.to_string()))?;
    let printed = serde_json::to_string(&statement).map_err(|error| StatementError::Shape(error.to_string()))?;
    if printed == text { Ok(statement) } else { Err(StatementError::NotCanonical) }
}

impl Envelope {
    /// Parses an envelope and the statement in it; the signature is not checked here.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Statement), StatementError> {
        let too_long = |max| StatementError::TooLong { bytes: bytes.len(), max };
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(too_long(ENVELOPE_BYTES_MAX));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| StatementError::Shape(error.to_string()))?;
        if envelope.mledger != VERSION {
            return Err(StatementError::Shape(format!("format version {} is unknown", envelope.mledger)));
        }
        if envelope.to_bytes()? != bytes {
            return Err(StatementError::NotCanonical);
        }
        let statement = Statement::parse(&envelope.statement)?;
        if matches!(statement, Statement::Reconcile(_)) && bytes.len() > BARE_ENVELOPE_BYTES_MAX {
            return Err(too_long(BARE_ENVELOPE_BYTES_MAX));
        }
        if !statement.fits(&envelope.attachment) {
            return Err(StatementError::Attachment);
        }
        Ok((envelope, statement))
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        serde_json::to_vec(self).map_err(|error| StatementError::Shape(error.to_string()))
    }
}

/// A list of commits as an attachment.
pub fn commits_text(commits: &[Oid]) -> String {
    commits.iter().map(|oid| format!("{oid}\n")).collect()
}

/// Parses [`commits_text`].
pub fn parse_commits(text: &str) -> Result<Vec<Oid>, StatementError> {
    let parse = |line: &str| Oid::parse(line).map_err(|_| StatementError::Commits);
    let commits = text.lines().take(COMMITS_MAX + 1).map(parse).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = commits.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let whole = commits_text(&commits) == text;
    if !whole || sorted.len() != commits.len() || commits.is_empty() || commits.len() > COMMITS_MAX {
        return Err(StatementError::Commits);
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::RefName;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn policy() -> PolicyStatement {
        PolicyStatement {
            actor: ActorId::parse("carol@bank.example").unwrap(),
            expires: at("2026-11-30T00:00:00.000Z"),
            kind: PolicyKind::Is,
            mledger: VERSION,
            new: sha256(b"new"),
            origin: Origin::parse("git.bank.example/models").unwrap(),
            previous: sha256(b"old"),
        }
    }

    fn import(commits: &str) -> ImportStatement {
        let PolicyStatement { actor, expires, origin, .. } = policy();
        let (kind, reason) = (ImportKind::Is, "vendored \"toolkit\"".to_owned());
        ImportStatement { actor, commits: sha256(commits.as_bytes()), expires, kind, mledger: VERSION, origin, reason }
    }

    fn reconcile(refs: &[&str]) -> ReconcileStatement {
        let PolicyStatement { actor, expires, origin, .. } = policy();
        let refname = |name: &&str| RefName::parse(name).unwrap();
        let refs = refs.iter().map(refname).map(|refname| Unexplained { expected: None, refname, tip: None }).collect();
        let (kind, reason) = (ReconcileKind::Is, "restored".to_owned());
        ReconcileStatement { actor, expires, kind, mledger: VERSION, origin, reason, refs }
    }

    #[test]
    fn a_statement_has_one_form() {
        for statement in [
            Statement::Policy(policy()),
            Statement::Import(import("x")),
            Statement::Reconcile(reconcile(&["refs/heads/a"])),
        ] {
            let text = statement.to_text().unwrap();
            assert_eq!(Statement::parse(&text).unwrap(), statement);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text, serde_json_canonicalizer::to_string(&value).unwrap());
            for bad in [
                text.replace(":1,", ": 1,"),
                text.replace("\"mledger\":1", "\"mledger\":2"),
                text.replace('{', "{\"x\":1,"),
                text.replace("\"kind\":\"", "\"kind\":\"un"),
            ] {
                assert!(Statement::parse(&bad).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn reasons_and_refs_have_bounds() {
        for reason in ["", " ", "a\nb", "\u{1b}[31m", &"x".repeat(REASON_BYTES_MAX + 1)] {
            let statement = ImportStatement { reason: reason.to_owned(), ..import("x") };
            assert!(matches!(Statement::Import(statement).to_text(), Err(StatementError::Reason)), "{reason:?}");
        }
        let many: Vec<String> = (0..=REFS_MAX).map(|n| format!("refs/heads/{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for refs in [&[][..], &["refs/heads/a", "refs/heads/a"], &many] {
            assert!(matches!(Statement::Reconcile(reconcile(refs)).to_text(), Err(StatementError::Refs)));
        }
    }

    #[test]
    fn an_envelope_holds_what_its_statement_names() {
        for (statement, attachment) in [
            (Statement::Policy(policy()), "new"),
            (Statement::Import(import("list\n")), "list\n"),
            (Statement::Reconcile(reconcile(&["refs/heads/a"])), ""),
        ] {
            let mut envelope = Envelope {
                attachment: attachment.to_owned(),
                mledger: VERSION,
                signature: String::new(),
                statement: statement.to_text().unwrap(),
            };
            assert!(Envelope::parse(&envelope.to_bytes().unwrap()).is_ok());
            envelope.attachment.push('!');
            assert!(matches!(Envelope::parse(&envelope.to_bytes().unwrap()), Err(StatementError::Attachment)));
        }
        let envelope = Envelope {
            attachment: String::new(),
            mledger: VERSION,
            signature: "x".repeat(BARE_ENVELOPE_BYTES_MAX),
            statement: Statement::Reconcile(reconcile(&["refs/heads/a"])).to_text().unwrap(),
        };
        assert!(matches!(Envelope::parse(&envelope.to_bytes().unwrap()), Err(StatementError::TooLong { .. })));
    }

    #[test]
    fn a_list_of_commits_has_one_form() {
        let oids: Vec<Oid> = (1..4).map(|n| Oid::from_bytes([n; 20])).collect();
        let text = commits_text(&oids);
        assert_eq!(parse_commits(&text).unwrap(), oids);
        for bad in
            [String::new(), text.trim_end().to_owned(), format!("{text}\n"), text.repeat(2), text.replace('1', "g")]
        {
            assert!(parse_commits(&bad).is_err(), "{bad}");
        }
    }
}
