//! Push certificates: what a pusher signs, as Git writes it.
//!
//! ```text
//! certificate version 0.1
//! pusher SHA256:rC3Y…  1795436102 +0000         who, by their own account, and when; not what counts
//! pushee ssh://git.bank.example/models.git      may be missing
//! nonce 1795436102-f43248761a710d65…            may be missing
//! push-option ci.skip                           any number
//!
//! 0000000000000000000000000000000000000000 ceb428704447a9d8ee4d320ee66220e503ec379b refs/heads/main
//! -----BEGIN SSH SIGNATURE-----                 signed is everything before this line
//! U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
//! -----END SSH SIGNATURE-----
//! ```
//!
//! Source: `gitprotocol-pack(5)` and Git's `send-pack.c`.

use std::collections::BTreeSet;

use crate::digest::{Digest, sha256};
use crate::identity::sshsig::{NAMESPACE_GIT, SshSig};
use crate::name::{NameError, Oid, RefName};
use crate::object::person;

/// The largest certificate, in bytes: 20,000 refs of the longest name.
pub const RAW_BYTES_MAX: usize = 8 << 20;

/// The most push options: Git sets no limit, people use a handful.
pub const OPTIONS_MAX: usize = 64;

const SIGNATURE_LINE: &str = "-----BEGIN SSH SIGNATURE-----";

/// A push certificate's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What is to move, in the client's order; at least one, every ref once.
    pub commands: Vec<Command>,
    /// The server's nonce that the client repeats.
    pub nonce: Option<String>,
    /// The push options.
    pub options: Vec<String>,
    /// Where the client believes to push.
    pub pushee: Option<String>,
    /// Who the client says it is: a key's fingerprint, or a name.
    pub pusher: String,
    /// When, by the client's clock, in seconds since 1970-01-01T00:00:00Z.
    pub seconds: u64,
    /// The signature's armour.
    pub signature: String,
}

/// One ref's move, as the pusher signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The new tip; `None` for a delete.
    pub new: Option<Oid>,
    /// The old tip; `None` for a create.
    pub old: Option<Oid>,
    /// The ref.
    pub refname: RefName,
}

/// Why bytes are not a push certificate that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Larger than [`RAW_BYTES_MAX`].
    #[error("a push certificate of {bytes} bytes is larger than the {RAW_BYTES_MAX} that are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Bytes that are not UTF-8, or a NUL.
    #[error("the push certificate is not UTF-8 text")]
    NotText,
    /// No SSH signature at the end.
    #[error("the push certificate has no SSH signature")]
    Unsigned,
    /// Not version 0.1.
    #[error("the push certificate is not of version 0.1")]
    Version,
    /// A header that is missing, unknown or not in its place.
    #[error("the push certificate's headers are not as Git writes them, from `{0}` on")]
    Header(String),
    /// More than [`OPTIONS_MAX`] push options.
    #[error("the push certificate has more than {OPTIONS_MAX} push options")]
    TooManyOptions,
    /// A line that is no command.
    #[error("the push certificate holds a line that moves no ref: `{0}`")]
    Command(String),
    /// A name or id in a command that does not count.
    #[error("the push certificate holds a malformed name")]
    Name {
        /// What is wrong.
        #[from]
        source: NameError,
    },
    /// A ref that stands twice.
    #[error("the push certificate moves `{0}` twice")]
    Twice(RefName),
    /// No command at all.
    #[error("the push certificate moves nothing")]
    Empty,
}

impl Certificate {
    /// Parses a certificate with its signature, which is not verified here.
    pub fn parse(raw: &[u8]) -> Result<Self, CertificateError> {
        if raw.len() > RAW_BYTES_MAX {
            return Err(CertificateError::TooLarge { bytes: raw.len() });
        }
        let text = std::str::from_utf8(raw).map_err(|_| CertificateError::NotText)?;
        if text.contains('\0') {
            return Err(CertificateError::NotText);
        }
        let (signed, signature) = text.split_at(signature_start(raw).ok_or(CertificateError::Unsigned)?);
        let (head, commands) = signed.split_once("\n\n").ok_or_else(|| CertificateError::Header(shown(signed)))?;
        let head = Head::parse(head)?;
        Ok(Self {
            commands: parse_commands(commands)?,
            nonce: head.nonce,
            options: head.options,
            pushee: head.pushee,
            pusher: head.pusher,
            seconds: head.seconds,
            signature: signature.to_owned(),
        })
    }
}

/// What the signature of a certificate is over: everything before the signature. The raw bytes must be those of a
/// certificate that [`Certificate::parse`] accepts.
pub fn signed_payload(raw: &[u8]) -> &[u8] {
    let end = signature_start(raw).unwrap_or(raw.len());
    raw.split_at(end).0
}

/// What a certificate is known by once it is used: SHA-256 of what is signed and of the key that signed it. Not of the
/// bytes: of an ECDSA signature everybody can make another that fits, and the certificate would count once more. Where
/// the signature is none, the bytes are all there is.
pub fn single_use_digest(raw: &[u8]) -> Digest {
    let payload = signed_payload(raw);
    let armour = raw.strip_prefix(payload).unwrap_or_default();
    let signature = SshSig::parse(armour, NAMESPACE_GIT);
    signature.map_or_else(|_| sha256(raw), |signature| digest_signed_by(payload, &signature))
}

/// The same where `signature` is read already, and stands behind `payload`.
pub fn digest_signed_by(payload: &[u8], signature: &SshSig) -> Digest {
    sha256(&[payload, signature.key().blob()].concat())
}

/// Where the first line begins that opens a signature.
fn signature_start(raw: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(SIGNATURE_LINE.as_bytes()) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

struct Head {
    nonce: Option<String>,
    options: Vec<String>,
    pushee: Option<String>,
    pusher: String,
    seconds: u64,
}

impl Head {
    fn parse(head: &str) -> Result<Self, CertificateError> {
        let mut lines = head.split('\n').peekable();
        let mut take = |name: &str| {
            let value = lines.peek()?.strip_prefix(name)?.strip_prefix(' ')?;
            lines.next();
            Some(value.to_owned())
        };
        if take("certificate").as_deref() != Some("version 0.1") {
            return Err(CertificateError::Version);
        }
        let who = take("pusher").unwrap_or_default();
        let pushee = take("pushee");
        let nonce = take("nonce");
        let options: Vec<String> = std::iter::from_fn(|| take("push-option")).take(OPTIONS_MAX + 1).collect();
        if options.len() > OPTIONS_MAX {
            return Err(CertificateError::TooManyOptions);
        }
        if let Some(line) = lines.next() {
            return Err(CertificateError::Header(shown(line)));
        }
        // Git writes the identity, a space, and a date that begins with one.
        let (ident, seconds) =
            person::split_time(&who).ok_or_else(|| CertificateError::Header(shown(&format!("pusher {who}"))))?;
        Ok(Self { nonce, options, pushee, pusher: ident.trim_end().to_owned(), seconds })
    }
}

fn parse_commands(text: &str) -> Result<Vec<Command>, CertificateError> {
    let lines = text.strip_suffix('\n').ok_or(CertificateError::Empty)?;
    let commands = lines.split('\n').map(parse_command).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    match commands.iter().find(|command| !seen.insert(&command.refname)) {
        Some(again) => Err(CertificateError::Twice(again.refname.clone())),
        None => Ok(commands),
    }
}

fn parse_command(line: &str) -> Result<Command, CertificateError> {
    let refused = || CertificateError::Command(shown(line));
    let (old, rest) = line.split_once(' ').ok_or_else(refused)?;
    let (new, refname) = rest.split_once(' ').ok_or_else(refused)?;
    let command =
        Command { new: Oid::parse_optional(new)?, old: Oid::parse_optional(old)?, refname: RefName::parse(refname)? };
    if command.new.is_none() && command.old.is_none() { Err(refused()) } else { Ok(command) }
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests;
