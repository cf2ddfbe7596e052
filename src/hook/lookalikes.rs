//! Refs that a server or a clone on another file system takes for one another.
//!
//! A loose ref is a file: where names fold, `refs/heads/A` and `refs/heads/a` are one, and `refs/heads/A/b` has no room
//! beside a branch `refs/heads/a`.

use std::collections::{BTreeSet, HashMap};

use crate::name::RefName;
use crate::name::fold::fold;

/// Ref names by their keys, and the folders above them by theirs.
#[derive(Default)]
pub struct Lookalikes {
    refs: HashMap<String, BTreeSet<String>>,
    folders: HashMap<String, BTreeSet<String>>,
}

impl Lookalikes {
    /// Adds a ref that stands, or is to stand.
    pub fn add(&mut self, name: &RefName) {
        for folder in folders(name.as_str()) {
            self.folders.entry(fold(folder)).or_default().insert(folder.to_owned());
        }
        self.refs.entry(fold(name.as_str())).or_default().insert(name.to_string());
    }

    /// Why a ref cannot be created, as far as others stand in its way. Where they are spelled alike, Git itself sees to
    /// it.
    pub fn problem(&self, name: &RefName) -> Option<String> {
        let text = name.as_str();
        if let Some(other) = other(&self.refs, text) {
            return Some(format!(
                "it differs from `{other}` by case or the spelling of accents only; choose another name"
            ));
        }
        let above = folders(text).find_map(|folder| other(&self.refs, folder));
        let other = above.or_else(|| other(&self.folders, text))?;
        Some(format!("`{other}` stands in its way where names fold case or accents; choose another name"))
    }
}

/// The folders that a ref lies in, `refs` first.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// A name of the same key with another spelling.
fn other<'a>(names: &'a HashMap<String, BTreeSet<String>>, name: &str) -> Option<&'a String> {
    names.get(&fold(name))?.iter().find(|other| *other != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_unless_a_file_system_takes_it_for_another() {
        let name = |text: &str| RefName::parse(&format!("refs/heads/{text}")).unwrap();
        let mut names = Lookalikes::default();
        for standing in ["Main", "dev/a", "dev/b", "dev/c", "caf\u{e9}", "stra\u{df}e/x"] {
            names.add(&name(standing));
        }
        for taken in
            ["main", "cafe\u{301}", "CAF\u{c9}", "main/x", "MAIN/x/y", "DEV", "Strasse", "STRASSE/X", "DEV/A/x"]
        {
            assert!(names.problem(&name(taken)).is_some(), "{taken}");
        }
        for free in ["Main", "Main/x", "dev", "main2", "dev/d", "DEV/d", "devel", "cafe", "strasse2/x"] {
            assert_eq!(names.problem(&name(free)), None, "{free}");
        }
    }
}
