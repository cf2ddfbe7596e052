//! Commit messages: Git's trailers, and the two of ours among them.
//!
//! ```text
//! Retrain on the third quarter
//!
//! Change-Kind: retrain
//! Mledger-Manifest: sha256:<64 hex>[ sha256:<64 hex>]      what the commit changes; the second, if an amend is possible
//! Mledger-Log: git.bank.example/models 1042 sha256:<64 hex>    origin, size and root of the log its author saw last
//! ```
//!
//! Ours stand on one unindented line each, once in the whole message. Source for the others: `find_trailer_block_start`
//! in Git's `trailer.c`, narrowed: a paragraph whose first line is no trailer is prose.

mod insert;

use std::fmt;

pub use insert::{insert, insert_into_bytes, is_only_ours, without_comments, written};

use crate::digest::Digest;
use crate::name::Origin;
use crate::object::person::canonical_number;

const MANIFEST: &str = "Mledger-Manifest";
const LOG: &str = "Mledger-Log";

/// Lines that Git itself writes among trailers; with one of them, Git lets prose stand in the block.
const GIT_WRITES: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];

/// The manifests that a commit's author signed; prints as the whole trailer. Invariant: the two are not equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestDigests {
    first: Digest,
    spare: Option<Digest>,
}

impl ManifestDigests {
    /// Takes the digest against HEAD and, where an amend cannot be excluded, the one against its parents.
    pub fn new(first: Digest, spare: Option<Digest>) -> Self {
        Self { first, spare: spare.filter(|spare| *spare != first) }
    }

    /// Whether `digest` is one of them.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.first == *digest || self.spare.as_ref() == Some(digest)
    }

    fn parse(value: &str) -> Option<Self> {
        let Some((first, spare)) = value.split_once(' ') else {
            return Digest::parse(value).ok().map(|first| Self { first, spare: None });
        };
        let parsed = Self { first: Digest::parse(first).ok()?, spare: Some(Digest::parse(spare).ok()?) };
        (parsed.spare != Some(parsed.first)).then_some(parsed)
    }
}

impl fmt::Display for ManifestDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MANIFEST}: {}", self.first)?;
        self.spare.map_or(Ok(()), |spare| write!(f, " {spare}"))
    }
}

/// The newest checkpoint that a commit's author had seen; prints as the whole trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Whose log.
    pub origin: Origin,
    /// How many leaves it had.
    pub size: u64,
    /// The root of its tree then.
    pub root: Digest,
}

impl LogHead {
    fn parse(value: &str) -> Option<Self> {
        let (origin, rest) = value.split_once(' ')?;
        let (size, root) = rest.split_once(' ')?;
        let origin = Origin::parse(origin).ok()?;
        Some(Self { origin, size: canonical_number(size)?, root: Digest::parse(root).ok()? })
    }
}

impl fmt::Display for LogHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LOG}: {} {} {}", self.origin, self.size, self.root)
    }
}

/// Our trailers in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// `Mledger-Log`.
    pub log: Option<LogHead>,
    /// `Mledger-Manifest`.
    pub manifest: Option<ManifestDigests>,
}

/// Why a message's trailers of ours do not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// One of ours stands twice, anywhere.
    #[error("the message holds `{0}` twice")]
    Twice(&'static str),
    /// One of ours in another form than we write.
    #[error("the message's `{0}` is malformed")]
    Malformed(&'static str),
}

/// Reads our trailers, wherever they stand: the whole message is signed, and tools move paragraphs about.
pub fn ours(message: &str) -> Result<Ours, MessageError> {
    let mut ours = Ours::default();
    let mut lines = message.split('\n').peekable();
    while let Some(line) = lines.next() {
        let Some(name) = our_name(line) else { continue };
        let malformed = MessageError::Malformed(name);
        if lines.peek().is_some_and(|next| is_continuation(next)) {
            return Err(malformed);
        }
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")).ok_or(malformed.clone())?;
        let again = if name == MANIFEST {
            ours.manifest.replace(ManifestDigests::parse(value).ok_or(malformed)?).is_some()
        } else {
            ours.log.replace(LogHead::parse(value).ok_or(malformed)?).is_some()
        };
        if again {
            return Err(MessageError::Twice(name));
        }
    }
    Ok(ours)
}

/// The trailers of the last paragraph, name and value, in order; a value's lines are joined by one space. None where
/// that paragraph is the only one, or is prose.
pub fn trailers(message: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = message.split('\n').collect();
    let block = last_paragraph(&lines).filter(|paragraph| is_trailer_block(paragraph)).unwrap_or_default();
    let mut trailers: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in block {
        if is_continuation(line) {
            if let Some((_, value)) = trailers.last_mut().filter(|_| inside) {
                value.push_str(if value.is_empty() { "" } else { " " });
                value.push_str(trim(line));
            }
            continue;
        }
        let trailer = split_trailer(line);
        inside = trailer.is_some();
        trailers.extend(trailer.map(|(name, value)| (name.to_owned(), trim(value).to_owned())));
    }
    trailers
}

/// The last paragraph, unless it is the first: Git takes that for the title, never for trailers.
fn last_paragraph<'a, 'text>(lines: &'a [&'text str]) -> Option<&'a [&'text str]> {
    lines.split(|line| is_blank(line)).filter(|paragraph| !paragraph.is_empty()).skip(1).last()
}

/// Whether Git sees trailers here, and the first line is one.
fn is_trailer_block(paragraph: &[&str]) -> bool {
    paragraph.first().is_some_and(|line| is_trailer(line)) && is_block_to_git(paragraph)
}

/// Whether Git sees trailers here: nothing else, or a quarter of the lines where Git itself wrote one.
fn is_block_to_git(paragraph: &[&str]) -> bool {
    let (mut trailers, mut others, mut git_wrote, mut inside) = (0_usize, 0_usize, false, false);
    for line in paragraph {
        if !is_continuation(line) {
            inside = is_trailer(line);
            git_wrote |= is_from_git(line);
            trailers += usize::from(inside);
        }
        others += usize::from(!inside);
    }
    trailers > 0 && (others == 0 || git_wrote && trailers.saturating_mul(3) >= others)
}

fn is_trailer(line: &str) -> bool {
    is_from_git(line) || split_trailer(line).is_some()
}

fn is_from_git(line: &str) -> bool {
    GIT_WRITES.iter().any(|start| line.starts_with(start))
}

/// Splits `name: value` as Git does: the name of letters, digits and `-`, blanks allowed before the colon.
fn split_trailer(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then_some((name, value))
}

/// Whether a line is one of our trailers, in whatever form.
pub fn is_ours(line: &str) -> bool {
    our_name(line).is_some()
}

/// Which of ours a line would be to Git, which ignores case.
fn our_name(line: &str) -> Option<&'static str> {
    let (name, _) = split_trailer(line)?;
    [MANIFEST, LOG].into_iter().find(|ours| name.eq_ignore_ascii_case(ours))
}

fn is_continuation(line: &str) -> bool {
    line.starts_with([' ', '\t', '\r']) && !is_blank(line)
}

/// Whether Git takes a line for empty; other white space is text to it.
pub(super) fn is_blank(line: &str) -> bool {
    trim(line).is_empty()
}

/// Trims what Git takes for white space.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests;
