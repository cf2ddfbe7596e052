//! Patterns for refs and paths. Their meaning is frozen: a decision of years ago must replay to the same answer.
//!
//! ```text
//! models/*/card.md      `*`   any bytes within one segment, also none
//! models/v?/w.bin       `?`   exactly one byte, never `/`
//! models/**             `**`  any number of whole segments, also none: matches `models` itself
//! **/config.json        matches `config.json` and `a/b/config.json`
//! ```
//!
//! Everything else stands for itself, byte by byte and case by case. `[ ] { } \` and a leading `!` are reserved.

mod overlap;

use std::collections::BTreeSet;
use std::fmt;

/// A pattern over names whose segments are divided by `/`. Invariant: at most [`Glob::BYTES_MAX`] bytes, no empty
/// segment, `**` only as a whole segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    /// What every match begins with: most names are told apart by it alone.
    head: String,
    segments: Vec<Segment>,
    /// What every match ends with.
    tail: String,
    text: String,
}

/// Why a text is not a [`Glob`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Nothing at all.
    #[error("a pattern is empty")]
    Empty,
    /// Beyond [`Glob::BYTES_MAX`].
    #[error("a pattern of {bytes} bytes is longer than {}", Glob::BYTES_MAX)]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A character that has no meaning yet.
    #[error("`{0}` is reserved in patterns; they know only `*`, `?` and `**`")]
    Reserved(char),
    /// A control character.
    #[error("a pattern holds a control character")]
    Control,
    /// `/` at an end, or two in a row.
    #[error("`{0}` has an empty segment; a folder and all beneath it is `folder/**`")]
    EmptySegment(String),
    /// `.` or `..`.
    #[error("`{0}` has a segment `.` or `..`, which no name has")]
    Dots(String),
    /// `**` beside other characters.
    #[error("`{0}` has `**` beside other characters; `**` is a whole segment, as in `a/**/b`")]
    Deep(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    /// `**`
    Deep,
    /// Without wildcards.
    Literal(Vec<u8>),
    /// With `*` or `?`.
    Wild(Vec<u8>),
}

impl Glob {
    /// The longest pattern, in bytes: with paths of at most 4096 bytes it bounds a match to some milliseconds, the
    /// product of both lengths.
    pub const BYTES_MAX: usize = 1024;

    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(GlobError::TooLong { bytes: text.len() });
        }
        if let Some(reserved) = text.chars().find(|each| "[]{}\\".contains(*each)) {
            return Err(GlobError::Reserved(reserved));
        }
        if text.starts_with('!') {
            return Err(GlobError::Reserved('!'));
        }
        if text.chars().any(char::is_control) {
            return Err(GlobError::Control);
        }
        let segments: Vec<_> =
            text.split('/').map(|segment| Segment::parse(segment, text)).collect::<Result<_, _>>()?;
        let literal = |segment: &&str| !segment.contains(['*', '?']);
        let head = text.split('/').take_while(literal).collect::<Vec<_>>().join("/");
        let tail = text.rsplit('/').next().filter(literal).unwrap_or_default().to_owned();
        Ok(Self { head, segments, tail, text: text.to_owned() })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has no wildcard, so that it names one thing.
    pub fn is_literal(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Whether it matches `name`.
    ///
    /// On a mismatch only the last `**` takes one segment more; earlier ones need not, since the last can take
    /// whatever they would. So no pair of segments is compared twice.
    pub fn matches(&self, name: &[u8]) -> bool {
        if !begins(name, self.head.as_bytes()) || !ends(name, self.tail.as_bytes()) {
            return false;
        }
        let mut pattern = self.segments.as_slice();
        let mut rest = Some(name);
        let mut retry: Option<(&[Segment], Option<&[u8]>)> = None;
        loop {
            match (pattern.split_first(), rest) {
                (Some((Segment::Deep, [])), _) | (None, None) => return true,
                (Some((Segment::Deep, after)), _) => {
                    retry = Some((after, rest));
                    pattern = after;
                    continue;
                }
                (Some((segment, after)), Some(bytes)) => {
                    let (head, tail) = cut(bytes);
                    if segment.matches(head) {
                        (pattern, rest) = (after, tail);
                        continue;
                    }
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
            let Some((after, Some(taken))) = retry else { return false };
            let (_, tail) = cut(taken);
            retry = Some((after, tail));
            (pattern, rest) = (after, tail);
        }
    }

    /// Whether it matches everything beneath `folder` (empty: the top). May say no where the pattern is written in
    /// a roundabout way (`**/*`), never yes where something is left out.
    pub fn covers_beneath(&self, folder: &[u8]) -> bool {
        if folder.is_empty() {
            return self.segments.iter().all(|segment| *segment == Segment::Deep);
        }
        self.segments.last() == Some(&Segment::Deep) && self.matches(folder)
    }

    /// Whether it matches anything beneath `folder` (empty: the top).
    pub fn reaches_beneath(&self, folder: &[u8]) -> bool {
        let mut places = self.settled(BTreeSet::from([0]));
        if !folder.is_empty() {
            for name in folder.split(|byte| *byte == b'/') {
                places = self.settled(self.after(&places, name));
            }
        }
        // Whatever is left of the pattern matches at least one more segment.
        places.iter().any(|place| *place < self.segments.len())
    }

    /// Whether some name matches both patterns.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap::globs(&self.segments, &other.segments)
    }

    /// The places that the pattern can be at after one more segment.
    fn after(&self, places: &BTreeSet<usize>, name: &[u8]) -> BTreeSet<usize> {
        let step = |place: usize| match self.segments.get(place) {
            Some(Segment::Deep) => Some(place),
            Some(segment) if segment.matches(name) => Some(place + 1),
            Some(_) | None => None,
        };
        places.iter().filter_map(|place| step(*place)).collect()
    }

    /// Adds the places behind each `**`, which may take nothing.
    fn settled(&self, mut places: BTreeSet<usize>) -> BTreeSet<usize> {
        for (place, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Deep && places.contains(&place) {
                places.insert(place + 1);
            }
        }
        places
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Segment {
    fn parse(segment: &str, whole: &str) -> Result<Self, GlobError> {
        let whole = || whole.chars().take(80).collect();
        match segment {
            "" => Err(GlobError::EmptySegment(whole())),
            "." | ".." => Err(GlobError::Dots(whole())),
            "**" => Ok(Self::Deep),
            _ if segment.contains("**") => Err(GlobError::Deep(whole())),
            _ if segment.contains(['*', '?']) => Ok(Self::Wild(segment.as_bytes().to_vec())),
            _ => Ok(Self::Literal(segment.as_bytes().to_vec())),
        }
    }

    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Deep => true,
            Self::Literal(literal) => literal == name,
            Self::Wild(pattern) => wild(pattern, name),
        }
    }
}

/// Looks at the far byte first: names in one folder differ late, and a call to compare memory costs more than all else.
fn begins(name: &[u8], head: &[u8]) -> bool {
    let Some(last) = head.len().checked_sub(1) else { return true };
    name.get(last) == head.get(last) && name.starts_with(head)
}

fn ends(name: &[u8], tail: &[u8]) -> bool {
    tail.is_empty() || (name.last() == tail.last() && name.ends_with(tail))
}

/// The first segment, and what follows its `/`.
fn cut(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == b'/') {
        Some(end) => {
            let (head, tail) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            (head, tail.get(1..))
        }
        None => (bytes, None),
    }
}

/// Matches within one segment; as in [`Glob::matches`] only the last `*` ever takes more.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut rest) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), rest.split_first()) {
            (Some((b'*', after)), _) => {
                retry = Some((after, rest));
                pattern = after;
                continue;
            }
            (Some((expected, after)), Some((byte, tail))) if *expected == b'?' || expected == byte => {
                (pattern, rest) = (after, tail);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, [_, tail @ ..])) = retry else { return false };
        retry = Some((after, tail));
        (pattern, rest) = (after, tail);
    }
}

#[cfg(test)]
mod plainly;
#[cfg(test)]
mod tests;
