//! Signed notes: a text, a blank line, signature lines (C2SP signed-note).
//!
//! ```text
//! example.com/ledger                                            the text, LF at its end, which is signed, too
//! 300
//! rrsCfVw90Ihx7lJXemH8gxItDRQ1J5GUNjm9TBLTaUM=
//!                                                               the last blank line ends it
//! — example.com/ledger I7dg03n88SQw…                            U+2014, key name, base64 of key id || signature
//! — witness.example/w1 nydDYwAAAABlU/EA…                        any number of further lines
//! ```
//!
//! A [`Note`] is only well formed; a [`VerifiedNote`] has been signed by a key that the reader knows.

use std::fmt;

use super::cosignature;
use super::key::{KeyKind, KeyName, ShortId, VerifierKey};
use super::text::{decode_base64, encode_base64, shortened};
use crate::clock::Timestamp;
use crate::identity::ed25519;

const DASH: &str = "\u{2014} ";

/// A well-formed note, nothing about it verified. Invariant: it prints as what [`Note::parse`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line. Invariant: its signature is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: ShortId,
    bytes: Vec<u8>,
}

/// A note's text that at least one known key signed, and no known key's line was false. [`Note::open`] is the only
/// door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signers: Vec<Signer>,
}

/// A known key whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: VerifierKey,
    /// When it signed, by its own clock; only cosignatures say so.
    pub time: Option<Timestamp>,
}

/// Why a text is not a note, or a note not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Too long.
    #[error("a note of {bytes} bytes is longer than {max} bytes", max = Note::BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character other than LF.
    #[error("the note holds the control character {0:#04x}")]
    Control(u8),
    /// No LF at the end of the text.
    #[error("the text of a note ends with a line feed")]
    Text,
    /// No signatures after the last blank line.
    #[error("a note ends with a blank line and its signature lines")]
    NoSignatures,
    /// Too many lines.
    #[error("a note has at most {max} signature lines", max = Note::SIGNATURES_MAX)]
    TooManySignatures,
    /// A line that is none.
    #[error("`{0}` is not a signature line like `— example.com/ledger I7dg…`")]
    Line(String),
    /// Two different signatures by one key.
    #[error("the note holds two different signatures by `{name}` with key id {id}")]
    Contradiction {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: ShortId,
    },
    /// A known key's line whose signature is false.
    #[error("the signature by `{name}` with key id {id} does not hold")]
    Invalid {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: ShortId,
    },
    /// No line by any known key.
    #[error("no known key signed the note")]
    Unsigned,
}

impl Note {
    /// The longest note, in bytes: 64 post-quantum signatures of about 5 kB fit three times.
    pub const BYTES_MAX: usize = 1 << 20;

    /// The most signature lines: signed-note demands 16, and each known one costs a verification.
    pub const SIGNATURES_MAX: usize = 64;

    /// Parses a note.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        check_characters(note)?;
        let end = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = note.split_at_checked(end + 1).ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let mut parsed = Self { text: text.to_owned(), signatures: Vec::new() };
        for line in lines.ok_or(NoteError::NoSignatures)?.split('\n') {
            parsed.push(NoteSignature::parse(line)?)?;
        }
        Ok(parsed)
    }

    /// Signs a text, which ends with a line feed.
    pub fn sign(text: &str, name: &KeyName, key: &ed25519::SecretKey) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        let note = Self::sign_valid(text.to_owned(), name, key);
        note.check_length()?;
        Ok(note)
    }

    /// Signs a text that is known to be short, to end with a line feed and to hold no other control character.
    pub(super) fn sign_valid(text: String, name: &KeyName, key: &ed25519::SecretKey) -> Self {
        let signature = NoteSignature::sign(&text, name, key);
        Self { text, signatures: vec![signature] }
    }

    /// Adds a signature line, for example a cosignature.
    pub fn with(mut self, signature: NoteSignature) -> Result<Self, NoteError> {
        self.push(signature)?;
        self.check_length()?;
        Ok(self)
    }

    fn check_length(&self) -> Result<(), NoteError> {
        let bytes = self.to_string().len();
        if bytes > Self::BYTES_MAX { Err(NoteError::TooLong { bytes }) } else { Ok(()) }
    }

    fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= Self::SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let contradicts = |other: &&NoteSignature| other.names_key_of(&signature) && other.bytes != signature.bytes;
        if let Some(other) = self.signatures.iter().find(contradicts) {
            return Err(NoteError::Contradiction { name: other.name.clone(), id: other.id });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Verifies every line by a known key. Lines by others are ignored: anybody may add them.
    pub fn open(&self, keys: &[VerifierKey]) -> Result<VerifiedNote, NoteError> {
        let mut signers = Vec::new();
        for signature in &self.signatures {
            if let Some(signer) = signature.verify(&self.text, keys)?
                && !signers.contains(&signer)
            {
                signers.push(signer);
            }
        }
        if signers.is_empty() {
            Err(NoteError::Unsigned)
        } else {
            Ok(VerifiedNote { text: self.text.clone(), signers })
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.len() > Note::BYTES_MAX {
        return Err(NoteError::TooLong { bytes: text.len() });
    }
    match text.bytes().find(|byte| *byte < 0x20 && *byte != b'\n') {
        Some(byte) => Err(NoteError::Control(byte)),
        None => Ok(()),
    }
}

impl NoteSignature {
    pub(super) fn new(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name().clone(), id: key.id(), bytes }
    }

    fn sign(text: &str, name: &KeyName, key: &ed25519::SecretKey) -> Self {
        let public = VerifierKey::new(name.clone(), KeyKind::Ed25519, key.public());
        Self::new(&public, key.sign(text.as_bytes()).to_vec())
    }

    /// Parses a line, without its line feed.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        Self::parse_parts(line).ok_or_else(|| NoteError::Line(shortened(line)))
    }

    fn parse_parts(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let blob = decode_base64(encoded)?;
        let (id, bytes) = blob.split_first_chunk::<4>()?;
        let name = KeyName::parse(name).ok()?;
        (!bytes.is_empty()).then(|| Self { name, id: ShortId::from_bytes(*id), bytes: bytes.to_vec() })
    }

    /// The name of the key that the line claims.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that the line claims.
    pub fn id(&self) -> ShortId {
        self.id
    }

    fn names_key_of(&self, other: &Self) -> bool {
        self.name == other.name && self.id == other.id
    }

    /// The known key whose signature this is; none where no known key has this name and id.
    fn verify(&self, text: &str, keys: &[VerifierKey]) -> Result<Option<Signer>, NoteError> {
        let mut claimed = keys.iter().filter(|key| *key.name() == self.name && key.id() == self.id).peekable();
        if claimed.peek().is_none() {
            return Ok(None);
        }
        // Two known keys may share a 4-byte id; one of them has to have signed.
        let signer = claimed.find_map(|key| verify_with(key, text, &self.bytes));
        signer.map(Some).ok_or_else(|| NoteError::Invalid { name: self.name.clone(), id: self.id })
    }
}

fn verify_with(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<Signer> {
    let time = match key.kind() {
        KeyKind::Ed25519 => {
            let holds = key.public().verify(text.as_bytes(), signature.try_into().ok()?);
            holds.then_some(None)?
        }
        KeyKind::Ed25519Cosignature => Some(cosignature::verify(text, key.public(), signature)?),
    };
    Some(Signer { key: key.clone(), time })
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.id.as_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, encode_base64(&blob))
    }
}

impl VerifiedNote {
    /// The text, with its last line feed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The known keys that signed it, each once.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}
