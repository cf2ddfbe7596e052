//! What an actor states outside a commit, signed as a detached SSHSIG in namespace `mledger`.
//!
//! ```text
//! statement  {"actor":"carol@bank.example","expires":T,"kind":"policy","mledger":1,"new":"sha256:…","origin":"…","previous":"sha256:…"}
//! envelope   {"attachment":"<policy text>","mledger":1,"signature":"-----BEGIN SSH SIGNATURE-----…","statement":"<the bytes above>"}
//! ```
//!
//! The envelope carries the statement as the string that was signed, so that `ssh-keygen -Y verify -n mledger` checks
//! it as it is.

use serde::{Deserialize, Serialize};

use super::leaf::VERSION;
use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::name::{ActorId, Origin};

/// The SSHSIG namespace of statements: none of them can pass as a commit's signature, nor the other way round.
pub const NAMESPACE: &str = "mledger";

/// The longest envelope in bytes: a policy of a thousand actors takes 200 KB.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// The longest statement with its signature, in bytes: only the policy attached to one may be longer.
pub const STATEMENT_BYTES_MAX: usize = 32 * 1024;

/// Why bytes are not a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Too long.
    #[error("a statement of {bytes} bytes is longer than {ENVELOPE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Too long without its attachment.
    #[error("a statement of {bytes} bytes, without what is attached, is longer than {STATEMENT_BYTES_MAX}")]
    StatementTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON of a known shape.
    #[error("not a statement of a known shape: {0}")]
    Shape(String),
    /// Not canonical.
    #[error("the statement is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// The attachment is not what the statement names.
    #[error("the attached policy is not the one that the statement names")]
    Attachment,
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
    pub kind: super::leaf::PolicyKind,
    /// Format version.
    pub mledger: u32,
    /// SHA-256 of the new policy's text.
    pub new: Digest,
    /// The ledger it is meant for.
    pub origin: Origin,
    /// SHA-256 of the text of the policy in force.
    pub previous: Digest,
}

/// A statement with its signature and what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The policy's text.
    pub attachment: String,
    /// Format version.
    pub mledger: u32,
    /// The armoured SSHSIG over the statement's bytes.
    pub signature: String,
    /// The statement, exactly as signed.
    pub statement: String,
}

impl PolicyStatement {
    /// The canonical bytes, which are signed.
    pub fn to_text(&self) -> Result<String, StatementError> {
        serde_json::to_string(self).map_err(|error| StatementError::Shape(error.to_string()))
    }

    /// Parses the canonical bytes.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let statement: Self = serde_json::from_str(text).map_err(|error| StatementError::Shape(error.to_string()))?;
        if statement.mledger != VERSION {
            return Err(StatementError::Shape(format!("format version {} is unknown", statement.mledger)));
        }
        if statement.to_text()? == text { Ok(statement) } else { Err(StatementError::NotCanonical) }
    }
}

impl Envelope {
    /// Parses an envelope and the statement in it; the signature is not checked here.
    pub fn parse(bytes: &[u8]) -> Result<(Self, PolicyStatement), StatementError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(StatementError::TooLong { bytes: bytes.len() });
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| StatementError::Shape(error.to_string()))?;
        if envelope.mledger != VERSION {
            return Err(StatementError::Shape(format!("format version {} is unknown", envelope.mledger)));
        }
        if envelope.to_bytes()? != bytes {
            return Err(StatementError::NotCanonical);
        }
        let bytes = envelope.statement.len() + envelope.signature.len();
        if bytes > STATEMENT_BYTES_MAX {
            return Err(StatementError::StatementTooLong { bytes });
        }
        let statement = PolicyStatement::parse(&envelope.statement)?;
        if sha256(envelope.attachment.as_bytes()) != statement.new {
            return Err(StatementError::Attachment);
        }
        Ok((envelope, statement))
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        serde_json::to_vec(self).map_err(|error| StatementError::Shape(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> PolicyStatement {
        PolicyStatement {
            actor: ActorId::parse("carol@bank.example").unwrap(),
            expires: Timestamp::parse("2026-11-30T00:00:00.000Z").unwrap(),
            kind: super::super::leaf::PolicyKind::Is,
            mledger: VERSION,
            new: sha256(b"new"),
            origin: Origin::parse("git.bank.example/models").unwrap(),
            previous: sha256(b"old"),
        }
    }

    #[test]
    fn a_statement_has_one_form() {
        let text = statement().to_text().unwrap();
        assert_eq!(PolicyStatement::parse(&text).unwrap(), statement());
        let canonical = serde_json_canonicalizer::to_string(&statement()).unwrap();
        assert_eq!(text, canonical);
        for bad in [
            text.replace(":1,", ": 1,"),
            text.replace("\"mledger\":1", "\"mledger\":2"),
            text.replace('{', "{\"x\":1,"),
        ] {
            assert!(PolicyStatement::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_envelope_holds_what_its_statement_names() {
        let mut envelope = Envelope {
            attachment: "new".to_owned(),
            mledger: VERSION,
            signature: String::new(),
            statement: statement().to_text().unwrap(),
        };
        assert!(Envelope::parse(&envelope.to_bytes().unwrap()).is_ok());
        envelope.attachment.push('!');
        assert!(matches!(Envelope::parse(&envelope.to_bytes().unwrap()), Err(StatementError::Attachment)));
        envelope.signature = "x".repeat(STATEMENT_BYTES_MAX);
        let too_long = Envelope::parse(&envelope.to_bytes().unwrap());
        assert!(matches!(too_long, Err(StatementError::StatementTooLong { .. })));
    }
}
