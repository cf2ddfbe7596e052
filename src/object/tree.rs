//! Git trees, read strictly: one folder's entries in Git's order.
//!
//! ```text
//! <mode> SP <name> NUL <20 bytes of object id>      again and again, nothing between and nothing after
//! 100644 config.toml\0…    120000 latest\0…    40000 models\0…
//! ```
//!
//! A folder sorts as if its name ended in `/`. Source: Git's `fsck.c` and `tree-walk.c`; where Git only warns, this
//! refuses.

use std::cmp::Ordering;
use std::fmt;

use crate::name::Oid;

/// The largest raw tree, in bytes: a folder of 500,000 short names. Git itself slows down long before.
pub const RAW_BYTES_MAX: usize = 32 << 20;

/// The longest name of one entry, in bytes: file systems end at 255, Git's own check warns at 4096.
pub const NAME_BYTES_MAX: usize = 4096;

/// What stands at a path, as Git records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A file: `100644`.
    File,
    /// An executable file: `100755`.
    Executable,
    /// A symbolic link: `120000`.
    Symlink,
    /// A submodule's commit: `160000`.
    Gitlink,
}

impl Mode {
    /// Parses the six digits.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "100644" => Some(Self::File),
            "100755" => Some(Self::Executable),
            "120000" => Some(Self::Symlink),
            "160000" => Some(Self::Gitlink),
            _ => None,
        }
    }

    /// The six digits.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Gitlink => "160000",
        }
    }

    /// Whether it is a file, executable or not.
    pub const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }

    /// Whether a change from one to the other changes what kind of thing it is, not just its content or x bit.
    pub fn differs_in_type(self, other: Self) -> bool {
        self != other && !(self.is_file() && other.is_file())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an entry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another tree.
    Folder,
    /// An end: a file, link or submodule.
    Leaf(Mode),
}

/// One entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it leads to.
    pub kind: Kind,
    /// Its name: no `/`, not empty, not `.`, `..` or anything that a file system could take for `.git`.
    pub name: &'a [u8],
    /// The object.
    pub oid: Oid,
}

impl Entry<'_> {
    /// Compares as Git sorts: a file `a` and a folder `a` are unequal.
    pub fn order(&self, other: &Entry<'_>) -> Ordering {
        let common = self.name.len().min(other.name.len());
        // No name holds a slash, so where the heads are equal the next byte decides.
        let heads = self.name.split_at(common).0.cmp(other.name.split_at(common).0);
        heads.then_with(|| self.byte_at(common).cmp(&other.byte_at(common)))
    }

    fn byte_at(&self, index: usize) -> Option<u8> {
        let slash = (self.kind == Kind::Folder && index == self.name.len()).then_some(b'/');
        self.name.get(index).copied().or(slash)
    }
}

/// Why bytes are not a tree that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Larger than [`RAW_BYTES_MAX`].
    #[error("a tree of {0} bytes is larger than any that is accepted")]
    TooLarge(usize),
    /// An entry that ends too early.
    #[error("a tree's entry is cut off")]
    CutOff,
    /// A mode that Git does not write.
    #[error("`{0}` is not a mode that Git writes into trees")]
    Mode(String),
    /// A name that no entry may have.
    #[error("a tree holds the name `{0}`, which is not allowed")]
    Name(String),
    /// Entries out of order, or two of one name.
    #[error("a tree holds `{0}` twice or out of order")]
    Order(String),
    /// The id of forty zeros.
    #[error("a tree's entry `{0}` names no object")]
    NoObject(String),
}

/// Parses a raw tree; every entry is checked before the first is returned.
pub fn parse(raw: &[u8]) -> Result<Vec<Entry<'_>>, TreeError> {
    if raw.len() > RAW_BYTES_MAX {
        return Err(TreeError::TooLarge(raw.len()));
    }
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let (entry, after) = take_entry(rest)?;
        if entries.last().is_some_and(|last| last.order(&entry) != Ordering::Less) {
            return Err(TreeError::Order(shown(entry.name)));
        }
        entries.push(entry);
        rest = after;
    }
    check_no_file_is_a_folder(&entries)?;
    Ok(entries)
}

fn take_entry(raw: &[u8]) -> Result<(Entry<'_>, &[u8]), TreeError> {
    let (mode, rest) = split_at_byte(raw, b' ').ok_or(TreeError::CutOff)?;
    let (name, rest) = split_at_byte(rest, 0).ok_or(TreeError::CutOff)?;
    let (oid, rest) = rest.split_first_chunk::<20>().ok_or(TreeError::CutOff)?;
    let kind = kind_of(mode).ok_or_else(|| TreeError::Mode(shown(mode)))?;
    if !is_sane(name) {
        return Err(TreeError::Name(shown(name)));
    }
    if *oid == [0; 20] {
        return Err(TreeError::NoObject(shown(name)));
    }
    Ok((Entry { kind, name, oid: Oid::from_bytes(*oid) }, rest))
}

fn split_at_byte(raw: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = raw.iter().position(|found| *found == byte)?;
    let (head, tail) = raw.split_at_checked(at)?;
    Some((head, tail.get(1..)?))
}

fn kind_of(mode: &[u8]) -> Option<Kind> {
    if mode == b"40000" {
        return Some(Kind::Folder);
    }
    std::str::from_utf8(mode).ok().and_then(Mode::parse).map(Kind::Leaf)
}

/// Strict order alone finds two files or two folders of one name, but `a`, `a.b`, `a/` is in order.
fn check_no_file_is_a_folder(entries: &[Entry<'_>]) -> Result<(), TreeError> {
    let folders = entries.iter().filter(|entry| entry.kind == Kind::Folder);
    for folder in folders {
        let as_file = Entry { kind: Kind::Leaf(Mode::File), ..*folder };
        if entries.binary_search_by(|entry| entry.order(&as_file)).is_ok() {
            return Err(TreeError::Order(shown(folder.name)));
        }
    }
    Ok(())
}

fn is_sane(name: &[u8]) -> bool {
    let empty_or_dots = name.is_empty() || name == b"." || name == b"..";
    !empty_or_dots && name.len() <= NAME_BYTES_MAX && !name.contains(&b'/') && !is_dot_git(name)
}

/// Whether some file system takes the name for `.git`: NTFS drops trailing dots and spaces and whatever follows a
/// colon, and has the short name `git~1`; HFS+ ignores some characters.
fn is_dot_git(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b':').next().unwrap_or(name);
    let end = stem.iter().rposition(|byte| !matches!(byte, b' ' | b'.')).map_or(0, |last| last + 1);
    let on_ntfs = stem.get(..end).unwrap_or(stem);
    [b".git".as_slice(), b"git~1"].iter().any(|git| on_ntfs.eq_ignore_ascii_case(git)) || is_dot_git_on_hfs(name)
}

fn is_dot_git_on_hfs(name: &[u8]) -> bool {
    let ignored = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    !name.is_ascii()
        && std::str::from_utf8(name).is_ok_and(|text| {
            let seen: String = text.chars().filter(|c| !ignored(c)).collect();
            seen.eq_ignore_ascii_case(".git")
        })
}

fn shown(name: &[u8]) -> String {
    name.escape_ascii().to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(entries: &[(&str, &str)]) -> Vec<u8> {
        let entry = |(mode, name): &(&str, &str)| [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[7; 20]].concat();
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn entries_come_as_git_sorts_them() {
        let tree = raw(&[("100644", "a"), ("100755", "a.b"), ("40000", "b"), ("120000", "b0"), ("160000", "c")]);
        let entries = parse(&tree).unwrap();
        let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
        let leaves = [Mode::File, Mode::Executable, Mode::Symlink, Mode::Gitlink].map(Kind::Leaf);
        assert_eq!(kinds, [leaves[0], leaves[1], Kind::Folder, leaves[2], leaves[3]]);
        assert_eq!(entries[1].name, b"a.b");
        assert_eq!(entries[1].oid, Oid::from_bytes([7; 20]));
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn unsorted_and_doubled_names_are_refused() {
        for bad in [
            &[("100644", "b"), ("100644", "a")][..],
            &[("100644", "a"), ("100755", "a")],
            &[("40000", "a"), ("40000", "a")],
            &[("100644", "a"), ("40000", "a")],
            &[("100644", "a"), ("100644", "a-b"), ("100644", "a.b"), ("40000", "a")],
            &[("40000", "a"), ("100644", "a.b")],
        ] {
            assert!(matches!(parse(&raw(bad)), Err(TreeError::Order(_))), "{bad:?}");
        }
    }

    #[test]
    fn names_that_leave_the_work_tree_are_refused() {
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            ".git",
            ".GiT",
            ".git ",
            ".git...",
            ".git::$INDEX_ALLOCATION",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            &long,
        ] {
            assert!(matches!(parse(&raw(&[("100644", bad)])), Err(TreeError::Name(_))), "{bad}");
        }
        for good in [".github", ".gitattributes", "git", "git~2", "...", "\u{e9}"] {
            assert!(parse(&raw(&[("100644", good)])).is_ok(), "{good}");
        }
    }

    #[test]
    fn modes_are_those_git_writes() {
        for bad in ["", "100664", "040000", "0100644", "100600", "40755", "\u{ff11}"] {
            assert!(matches!(parse(&raw(&[(bad, "a")])), Err(TreeError::Mode(_))), "{bad}");
        }
    }

    #[test]
    fn cut_off_trees_and_empty_ids_are_refused() {
        let whole = raw(&[("100644", "a")]);
        for end in 1..whole.len() {
            assert_eq!(parse(&whole[..end]), Err(TreeError::CutOff), "{end}");
        }
        let nothing = [b"100644 a\0".as_slice(), &[0; 20]].concat();
        assert_eq!(parse(&nothing), Err(TreeError::NoObject("a".into())));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&raw);
        }

        #[test]
        fn what_parses_is_what_was_written(names in proptest::collection::btree_set("[a-z.]{3,8}[a-z]", 0..12)) {
            let entries: Vec<_> = names.iter().map(|name| ("100644", name.as_str())).collect();
            prop_assume!(!names.contains(".git"));
            let written = raw(&entries);
            let read: Vec<_> = parse(&written).unwrap().iter().map(|entry| entry.name.to_vec()).collect();
            prop_assert_eq!(read, names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>());
        }
    }
}
