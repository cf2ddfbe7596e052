//! Refs that a server or a clone on another file system takes for one another.
//!
//! A loose ref is a file: where names fold, `refs/heads/A` and `refs/heads/a` are one, and `refs/heads/A/b` has no room
//! beside a branch `refs/heads/a`.

use std::collections::{BTreeSet, HashMap};

use crate::name::RefName;
use crate::name::fold::{fold, fold_into};

/// What stands in the way of new refs. The new ones are few and the others many, so of these only those are kept that
/// have a key which a new one asks for.
#[derive(Default)]
pub struct Lookalikes {
    /// Refs by their keys.
    refs: HashMap<Vec<u8>, BTreeSet<String>>,
    /// Folders by theirs.
    folders: HashMap<Vec<u8>, BTreeSet<String>>,
    /// How long the keys of `folders` are.
    folder_lengths: BTreeSet<usize>,
    key: Vec<u8>,
}

impl Lookalikes {
    /// Prepares for questions about new refs. They stand in one another's way like others, once they are added.
    pub fn new<'a>(new: impl IntoIterator<Item = &'a RefName>) -> Self {
        let mut names = Self::default();
        for name in new {
            let key = fold(name.as_str()).into_bytes();
            names.folder_lengths.insert(key.len());
            names.folders.entry(key.clone()).or_default();
            names.refs.entry(key).or_default();
            for folder in folders(name.as_str()) {
                names.refs.entry(fold(folder).into_bytes()).or_default();
            }
        }
        names
    }

    /// Adds a ref that stands, or is to stand.
    pub fn add(&mut self, name: &RefName) {
        let text = name.as_str();
        for folder in folders(text) {
            // Of plain names the key is as long as the name.
            if !folder.is_ascii() || self.folder_lengths.contains(&folder.len()) {
                note(&mut self.folders, folder, &mut self.key);
            }
        }
        note(&mut self.refs, text, &mut self.key);
    }

    /// Why a new ref cannot be created, as far as others stand in its way. Where they are spelled alike, Git itself sees
    /// to it.
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

/// Keeps a name where its key is asked for. `key` is room to write it down.
fn note(names: &mut HashMap<Vec<u8>, BTreeSet<String>>, name: &str, key: &mut Vec<u8>) {
    fold_into(name.as_bytes(), key);
    if let Some(spellings) = names.get_mut(key.as_slice())
        && !spellings.contains(name)
    {
        spellings.insert(name.to_owned());
    }
}

/// The folders that a ref lies in, `refs` first.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// A name of the same key with another spelling.
fn other<'a>(names: &'a HashMap<Vec<u8>, BTreeSet<String>>, name: &str) -> Option<&'a String> {
    names.get(fold(name).as_bytes())?.iter().find(|other| *other != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_unless_a_file_system_takes_it_for_another() {
        let name = |text: &str| RefName::parse(&format!("refs/heads/{text}")).unwrap();
        let taken =
            ["main", "cafe\u{301}", "CAF\u{c9}", "main/x", "MAIN/x/y", "DEV", "Strasse", "STRASSE/X", "DEV/A/x"];
        let free = ["Main", "Main/x", "dev", "main2", "dev/d", "DEV/d", "devel", "cafe", "strasse2/x"];
        let asked: Vec<RefName> = taken.iter().chain(&free).map(|text| name(text)).collect();
        let (mut together, mut alone) = (Lookalikes::new(&asked), Vec::new());
        alone.extend(asked.iter().map(|asked| Lookalikes::new([asked])));
        for names in alone.iter_mut().chain([&mut together]) {
            for standing in ["Main", "dev/a", "dev/b", "dev/c", "caf\u{e9}", "stra\u{df}e/x"] {
                names.add(&name(standing));
            }
        }
        for (place, asked) in asked.iter().enumerate() {
            let problem = together.problem(asked);
            assert_eq!(problem.is_some(), place < taken.len(), "{asked}");
            assert_eq!(problem, alone[place].problem(asked));
        }
    }
}
