//! Git commits, read strictly: one reading of the headers, at most one signature.
//!
//! ```text
//! tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
//! parent 9c1f…                                          none for a root commit
//! author Alice <alice@bank.example> 1795436102 +0100
//! committer Alice <alice@bank.example> 1795436102 +0100
//! gpgsig -----BEGIN SSH SIGNATURE-----                  what is signed is the object without these lines
//!  U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
//!  -----END SSH SIGNATURE-----
//! change-id kxryzmor…                                   other headers are signed and kept
//!
//! message
//! ```
//!
//! A second `gpgsig`, or a `gpgsig-sha256`, is stripped or overlooked by some readers; it would make a new object id
//! out of a signed commit without its signer. So both are refused.

use crate::name::{NameError, Oid};
use crate::object::person::Person;

/// The largest raw commit, in bytes: the ledger keeps every one of them, for ever.
pub const RAW_BYTES_MAX: usize = 1 << 20;

/// The most parents: the largest merge of the Linux kernel has 66.
pub const PARENTS_MAX: usize = 128;

/// The most other headers: Git and jj write one to three, plus one `mergetag` per merged tag.
pub const HEADERS_MAX: usize = 2 * PARENTS_MAX;

/// A commit's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Who wrote the change, by their own account.
    pub author: Person,
    /// Who made the commit, by their own account.
    pub committer: Person,
    /// The other headers in order, continuation lines joined by LF.
    pub headers: Vec<Header>,
    /// The message, as it stands.
    pub message: String,
    /// The parents in order, each once.
    pub parents: Vec<Oid>,
    /// The signature's armour as the signing program wrote it, with its last LF; `None` for an unsigned commit.
    pub signature: Option<String>,
    /// The root tree.
    pub tree: Oid,
}

/// A header beyond those that every commit has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name: visible ASCII.
    pub name: String,
    /// Its lines, joined by LF.
    pub value: String,
}

/// Why bytes are not a commit that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Larger than [`RAW_BYTES_MAX`].
    #[error("a commit of {bytes} bytes is larger than the {RAW_BYTES_MAX} that are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("the commit is not UTF-8 text")]
    NotUtf8,
    /// A NUL, behind which some programs stop reading.
    #[error("the commit holds a NUL byte")]
    Nul,
    /// No empty line after the headers.
    #[error("the commit's headers do not end")]
    CutOff,
    /// A header that is missing, or not in its place.
    #[error("the commit has no `{0}` where it belongs")]
    Missing(&'static str),
    /// A `tree` or `parent` that is no object id.
    #[error("the commit's `{header}` is no object id")]
    Id {
        /// Which header.
        header: &'static str,
        /// What is wrong.
        source: NameError,
    },
    /// An author or committer in another form.
    #[error("the commit's `{0}` is not of the form `name <email> seconds zone`")]
    Person(&'static str),
    /// A header that may stand once and stands again, or a parent named twice.
    #[error("the commit holds `{0}` twice")]
    Twice(String),
    /// A line that is no header.
    #[error("the commit holds a line among its headers that is none: `{0}`")]
    Line(String),
    /// A `gpgsig-sha256` or the like.
    #[error("the commit holds a `{0}`; only one `gpgsig` is accepted")]
    OtherSignature(String),
    /// An encoding other than UTF-8.
    #[error("the commit is encoded as `{0}`; only UTF-8 is accepted")]
    Encoding(String),
    /// More than [`PARENTS_MAX`] parents or [`HEADERS_MAX`] other headers.
    #[error("the commit has more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

impl Commit {
    /// Parses a raw commit, without the `commit <size>\0` in front.
    pub fn parse(raw: &[u8]) -> Result<Self, CommitError> {
        if raw.len() > RAW_BYTES_MAX {
            return Err(CommitError::TooLarge { bytes: raw.len() });
        }
        if raw.contains(&0) {
            return Err(CommitError::Nul);
        }
        let text = std::str::from_utf8(raw).map_err(|_| CommitError::NotUtf8)?;
        let (head, message) = text.split_once("\n\n").ok_or(CommitError::CutOff)?;

        let mut lines = head.split('\n').peekable();
        let tree = take(&mut lines, "tree").ok_or(CommitError::Missing("tree"))?;
        let tree = Oid::parse(tree).map_err(|source| CommitError::Id { header: "tree", source })?;
        let parents = take_parents(&mut lines)?;
        let author = take_person(&mut lines, "author")?;
        let committer = take_person(&mut lines, "committer")?;
        let (signature, headers) = split_signature(take_headers(lines)?)?;
        Ok(Self { author, committer, headers, message: message.to_owned(), parents, signature, tree })
    }
}

/// What the signature of a commit is over: the object without its `gpgsig` header. The raw bytes must be those of a
/// commit that [`Commit::parse`] accepts.
pub fn signed_payload(raw: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(raw.len());
    let mut inside = false;
    let mut rest = raw;
    while !rest.is_empty() && !rest.starts_with(b"\n") {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        inside = if line.starts_with(b" ") { inside } else { line.starts_with(b"gpgsig ") };
        if !inside {
            payload.extend_from_slice(line);
        }
        rest = after;
    }
    payload.extend_from_slice(rest);
    payload
}

type Lines<'a> = std::iter::Peekable<std::str::Split<'a, char>>;

/// Takes the next line if it is the header `name`, and returns its value.
fn take<'a>(lines: &mut Lines<'a>, name: &str) -> Option<&'a str> {
    let value = lines.peek()?.strip_prefix(name)?.strip_prefix(' ')?;
    lines.next();
    Some(value)
}

fn take_parents(lines: &mut Lines<'_>) -> Result<Vec<Oid>, CommitError> {
    let mut parents = Vec::new();
    while let Some(value) = take(lines, "parent") {
        let parent = Oid::parse(value).map_err(|source| CommitError::Id { header: "parent", source })?;
        if parents.contains(&parent) {
            return Err(CommitError::Twice(format!("parent {parent}")));
        }
        if parents.len() == PARENTS_MAX {
            return Err(CommitError::TooMany { what: "parents", max: PARENTS_MAX });
        }
        parents.push(parent);
    }
    Ok(parents)
}

fn take_person(lines: &mut Lines<'_>, name: &'static str) -> Result<Person, CommitError> {
    let value = take(lines, name).ok_or(CommitError::Missing(name))?;
    Person::parse(value).ok_or(CommitError::Person(name))
}

fn take_headers(lines: Lines<'_>) -> Result<Vec<Header>, CommitError> {
    let mut headers: Vec<Header> = Vec::new();
    for line in lines {
        if let Some(more) = line.strip_prefix(' ') {
            let header = headers.last_mut().ok_or_else(|| CommitError::Line(shown(line)))?;
            header.value.push('\n');
            header.value.push_str(more);
            continue;
        }
        if headers.len() == HEADERS_MAX {
            return Err(CommitError::TooMany { what: "headers", max: HEADERS_MAX });
        }
        headers.push(header(line)?);
    }
    Ok(headers)
}

fn header(line: &str) -> Result<Header, CommitError> {
    let (name, value) = line.split_once(' ').ok_or_else(|| CommitError::Line(shown(line)))?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CommitError::Line(shown(line)));
    }
    if ["tree", "parent", "author", "committer"].contains(&name) {
        return Err(CommitError::Twice(name.to_owned()));
    }
    if name.starts_with("gpgsig") && name != "gpgsig" {
        return Err(CommitError::OtherSignature(shown(name)));
    }
    Ok(Header { name: name.to_owned(), value: value.to_owned() })
}

fn split_signature(headers: Vec<Header>) -> Result<(Option<String>, Vec<Header>), CommitError> {
    let (signatures, others): (Vec<_>, Vec<_>) = headers.into_iter().partition(|header| header.name == "gpgsig");
    if signatures.len() > 1 {
        return Err(CommitError::Twice("gpgsig".to_owned()));
    }
    check_encoding(&others)?;
    let signature = signatures.into_iter().next().map(|header| header.value + "\n");
    Ok((signature, others))
}

fn check_encoding(headers: &[Header]) -> Result<(), CommitError> {
    let mut encodings = headers.iter().filter(|header| header.name == "encoding").map(|header| &header.value);
    let utf8 = |value: &&String| ["utf-8", "utf8"].iter().any(|known| value.eq_ignore_ascii_case(known));
    match (encodings.next(), encodings.next()) {
        (_, Some(_)) => Err(CommitError::Twice("encoding".to_owned())),
        (Some(value), None) if !utf8(&value) => Err(CommitError::Encoding(shown(value))),
        _ => Ok(()),
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests;
