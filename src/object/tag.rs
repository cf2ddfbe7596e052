//! Annotated tags, read strictly: a tag object that is signed and names a commit.
//!
//! ```text
//! object 9c1f5e0c3b2a…
//! type commit
//! tag v1.0                                      the ref's own name, or one signed tag could pass as another
//! tagger Carol <carol@bank.example> 1795436102 +0100
//!
//! message
//! -----BEGIN SSH SIGNATURE-----                 signed is everything before this line
//! U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
//! -----END SSH SIGNATURE-----
//! ```
//!
//! Git takes the last line that opens a signature for its begin; where there is more than one, readers could disagree
//! about what was signed, so that is refused. Source: `git-mktag(1)` and Git's `tag.c` and `gpg-interface.c`.

use crate::name::{NameError, Oid, RefName};
use crate::object::person::Person;

/// The largest raw tag, in bytes: the ledger keeps each of them, for ever.
pub const RAW_BYTES_MAX: usize = 64 << 10;

const SSH_LINE: &str = "-----BEGIN SSH SIGNATURE-----";

/// The lines that begin a signature for some version of Git.
const SIGNATURE_LINES: [&str; 4] =
    [SSH_LINE, "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----", "-----BEGIN SIGNED MESSAGE-----"];

/// An annotated tag's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The commit that it names.
    pub commit: Oid,
    /// What it says, without the signature.
    pub message: String,
    /// Its own name: what stands behind `refs/tags/`.
    pub name: String,
    /// The signature's armour; `None` for an unsigned tag.
    pub signature: Option<String>,
    /// Who made it, by their own account.
    pub tagger: Person,
}

/// Why bytes are not a tag that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// Larger than [`RAW_BYTES_MAX`].
    #[error("a tag of {bytes} bytes is larger than the {RAW_BYTES_MAX} that are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Bytes that are not UTF-8, or a NUL.
    #[error("the tag is not UTF-8 text")]
    NotText,
    /// No empty line after the headers.
    #[error("the tag's headers do not end")]
    CutOff,
    /// A header that is missing, or not in its place.
    #[error("the tag has no `{0}` where it belongs")]
    Missing(&'static str),
    /// An `object` that is no object id.
    #[error("the tag's `object` is no object id")]
    Id {
        /// What is wrong.
        #[from]
        source: NameError,
    },
    /// It names something else than a commit.
    #[error("the tag names a {0}; only tags of commits are accepted")]
    Target(String),
    /// A tagger in another form.
    #[error("the tag's `tagger` is not of the form `name <email> seconds zone`")]
    Person,
    /// A header that Git does not write.
    #[error("the tag holds a line among its headers that is none: `{0}`")]
    Line(String),
    /// Two lines that begin a signature, or one that is not an SSH signature's.
    #[error("the tag holds more than one signature, or one that is not an SSH signature")]
    Signatures,
    /// Pushed under another name.
    #[error("the tag calls itself `{name}`, and is pushed to `{refname}`; tag again under that name")]
    Name {
        /// Its own name.
        name: String,
        /// The ref.
        refname: RefName,
    },
}

impl Tag {
    /// Parses a raw tag, without the `tag <size>\0` in front. The signature is not verified here.
    pub fn parse(raw: &[u8]) -> Result<Self, TagError> {
        if raw.len() > RAW_BYTES_MAX {
            return Err(TagError::TooLarge { bytes: raw.len() });
        }
        let text = std::str::from_utf8(raw).ok().filter(|text| !text.contains('\0')).ok_or(TagError::NotText)?;
        let (head, _) = text.split_once("\n\n").ok_or(TagError::CutOff)?;
        let mut lines = head.split('\n');
        let mut take = |name| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.ok_or(TagError::Missing(name))
        };
        let commit = Oid::parse(take("object")?)?;
        let kind = take("type")?;
        if kind != "commit" {
            return Err(TagError::Target(shown(kind)));
        }
        let name = take("tag")?.to_owned();
        let tagger = Person::parse(take("tagger")?).ok_or(TagError::Person)?;
        if let Some(line) = lines.next() {
            return Err(TagError::Line(shown(line)));
        }
        let (signed, signature) = split(text)?;
        let message = signed.get(head.len() + 2..).unwrap_or_default().to_owned();
        Ok(Self { commit, message, name, signature: signature.map(str::to_owned), tagger })
    }

    /// Whether the ref is the one that it was made for.
    pub fn check_name(&self, refname: &RefName) -> Result<(), TagError> {
        if refname.as_str().strip_prefix("refs/tags/") == Some(self.name.as_str()) {
            return Ok(());
        }
        Err(TagError::Name { name: shown(&self.name), refname: refname.clone() })
    }
}

/// What the signature of a tag is over: everything before the signature. The raw bytes must be those of a tag that
/// [`Tag::parse`] accepts.
pub fn signed_payload(raw: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(raw).unwrap_or_default();
    split(text).map_or(raw, |(signed, _)| signed.as_bytes())
}

/// Splits a tag into what is signed and the signature's armour.
fn split(text: &str) -> Result<(&str, Option<&str>), TagError> {
    let (mut start, mut found) = (0, None);
    for line in text.split_inclusive('\n') {
        if SIGNATURE_LINES.iter().any(|begin| line.starts_with(begin)) {
            if found.is_some() || !line.starts_with(SSH_LINE) {
                return Err(TagError::Signatures);
            }
            found = Some(start);
        }
        start += line.len();
    }
    Ok(match found {
        Some(at) => {
            let (signed, armour) = text.split_at(at);
            (signed, Some(armour))
        }
        None => (text, None),
    })
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "object 9c1f5e0c3b2a9c1f5e0c3b2a9c1f5e0c3b2a9c1f\ntype commit\ntag v1\n";
    const TAGGER: &str = "tagger C <c@d.e> 1795436102 +0100\n";

    #[test]
    fn a_tag_is_split_where_its_signature_begins() {
        let armour = format!("{SSH_LINE}\nU1NI\n-----END SSH SIGNATURE-----\n");
        let signed = format!("{HEAD}{TAGGER}\nhello\n\nworld\n");
        let raw = format!("{signed}{armour}");
        let tag = Tag::parse(raw.as_bytes()).unwrap();
        assert_eq!((tag.name.as_str(), tag.message.as_str()), ("v1", "hello\n\nworld\n"));
        assert_eq!(tag.signature, Some(armour));
        assert_eq!(signed_payload(raw.as_bytes()), signed.as_bytes());
        assert_eq!(Tag::parse(signed.as_bytes()).unwrap().signature, None);
        assert!(tag.check_name(&RefName::parse("refs/tags/v1").unwrap()).is_ok());
        for other in ["refs/tags/v2", "refs/heads/v1", "refs/tags/a/v1"] {
            assert!(tag.check_name(&RefName::parse(other).unwrap()).is_err(), "{other}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("{HEAD}{TAGGER}\n{}", "x".repeat(RAW_BYTES_MAX));
        for bad in [
            "",
            HEAD,
            &format!("{HEAD}\nno tagger\n"),
            &format!("{HEAD}{TAGGER}"),
            &format!("{HEAD}tagger C\n\nx\n"),
            &format!("{HEAD}{TAGGER}gpgsig x\n\nx\n"),
            &format!("{}{TAGGER}\nx\n", HEAD.replace("commit", "tree")),
            &format!("{}{TAGGER}\nx\n", HEAD.replace("9c1f5", "9C1F5")),
            &format!("{HEAD}{TAGGER}\n\0\n"),
            &format!("{HEAD}{TAGGER}\n{SSH_LINE}\n{SSH_LINE}\n"),
            &format!("{HEAD}{TAGGER}\n-----BEGIN PGP SIGNATURE-----\n"),
            &format!("{HEAD}{TAGGER}\n-----BEGIN PGP MESSAGE-----\n{SSH_LINE}\n"),
            &long,
        ] {
            assert!(Tag::parse(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(300)]);
        }
        assert_eq!(Tag::parse(b"object \xff\n\n"), Err(TagError::NotText));
    }
}
