//! The files in a ledger's tree: each append puts there what its entries bring and what it seals, and nothing else ever
//! appears, changes or goes.

use std::collections::BTreeMap;

use super::{Append, Check};
use crate::digest::{git_oid, leaf_hash};
use crate::git::{Kind, Repository};
use crate::ledger::check::chain;
use crate::ledger::read::{OBJECT_BYTES_MAX, ReadError, TILE_WIDTH, blob_path, entries_path, tail_path};
use crate::ledger::verify::Problem;
use crate::name::Oid;
use crate::object::tree::{self, Entry, Mode};
use crate::tlog::bundle;
use crate::tlog::hashes::Hashes;
use crate::tlog::tile::{self, TileKind, TilePath, WIDTH_MAX};

/// The most files that two trees may differ in: all of a ledger with 100 million entries are fewer.
const CHANGES_MAX: usize = 1 << 20;

/// The deepest folder: the path of the last tile has eight.
const DEPTH_MAX: usize = 16;

const TAIL: &str = "tail/";
const POLICY: &str = "policy.toml";

/// Files by path; none where one was taken away.
type Changes = BTreeMap<String, Option<Oid>>;

impl Check<'_> {
    /// What an append of the entries from `first` on made of the tree before it.
    pub(super) fn check_files(&mut self, at: &Append, first: u64, before: Option<&Oid>) -> Result<(), Problem> {
        let tree = at.head.message.tree;
        let seals = at.head.sealed() > first;
        let failed = |why: &str| at.problem("tree", first, &format!("has a tree that cannot be checked: {why}"));
        let mut written = self.written(at, first).map_err(|error| failed(&chain(&error)))?;
        if let Some((path, oid)) = self.tail_file(at, first).map_err(|error| failed(&chain(&error)))? {
            written.insert(path, oid);
        }
        if before == Some(&tree) && written.is_empty() && !seals {
            return Ok(());
        }
        let changes = changes(self.log.repository(), before, Some(&tree)).map_err(|why| failed(&why))?;
        // A seal clears `tail/`, and may put its own file there under any name.
        let stays = seals.then(|| self.log.repository().entry_names(&tree, "tail"));
        let stays = stays.transpose().map_err(|error| failed(&chain(&error)))?.unwrap_or_default();
        for path in stays.into_iter().map(|name| format!("{TAIL}{name}")).filter(|path| !written.contains_key(path)) {
            self.problems.push(at.problem("tree", first, &format!("keeps `{path}`, whose entries it seals")));
        }
        self.compare(at, first, &changes, &written, |path| seals && path.starts_with(TAIL));
        Ok(())
    }

    /// All files of the oldest tree that there is.
    pub(super) fn check_oldest_files(&mut self, at: &Append) -> Result<(), Problem> {
        let last = at.size().saturating_sub(1);
        let failed = |why: &str| at.problem("tree", last, &format!("has a tree that cannot be checked: {why}"));
        let written = self.written(at, 0).map_err(|error| failed(&chain(&error)))?;
        let mut changes =
            changes(self.log.repository(), None, Some(&at.head.message.tree)).map_err(|why| failed(&why))?;
        changes.retain(|path, oid| !oid.is_some_and(|oid| self.is_old_tail(at, path, &oid)));
        self.compare(at, last, &changes, &written, |_| false);
        Ok(())
    }

    fn compare(
        &mut self,
        at: &Append,
        index: u64,
        changes: &Changes,
        written: &BTreeMap<String, Oid>,
        may_go: impl Fn(&str) -> bool,
    ) {
        let repository = self.log.repository();
        let mut say = |what: String| self.problems.push(at.problem("tree", index, &what));
        for (path, oid) in changes {
            match (oid, written.get(path)) {
                (Some(oid), Some(right)) if oid == right => {
                    if may_be_old(path)
                        && let Err(error) = repository.read_limited(oid, Kind::Blob, OBJECT_BYTES_MAX)
                    {
                        say(format!("has `{path}`, which cannot be read: {}", chain(&error)));
                    }
                }
                (_, Some(_)) => say(format!("does not have `{path}` as its entries make it")),
                (Some(_), None) => say(format!("brings `{path}`, which no entry does")),
                (None, None) if may_go(path) => {}
                (None, None) => say(format!("takes `{path}` away, which no entry does")),
            }
        }
        // What was there before an entry brought it again.
        for (path, right) in written.iter().filter(|(path, _)| !changes.contains_key(*path)) {
            let there = repository.entry(&at.head.message.tree, path);
            if there.ok().flatten() != Some(*right) {
                self.problems.push(at.problem(
                    "tree",
                    index,
                    &format!("does not have `{path}` as its entries make it"),
                ));
            }
        }
    }

    /// What the entries from `first` on bring: tiles and bundles that they complete, contents, a policy. What stays for
    /// ever is taken as the newest tree has it, which was held against the entries.
    fn written(&self, at: &Append, first: u64) -> Result<BTreeMap<String, Oid>, ReadError> {
        let sealed = at.head.sealed();
        let mut files = BTreeMap::new();
        let newest = &self.log.head().message.tree;
        let mut put = |path: String| -> Result<(), ReadError> {
            let oid = self.log.repository().entry(newest, &path)?;
            files.extend(oid.map(|oid| (path, oid)));
            Ok(())
        };
        (first / TILE_WIDTH..sealed / TILE_WIDTH).try_for_each(|number| put(entries_path(number)?))?;
        self.notes.blobs(first..at.size()).try_for_each(|digest| put(blob_path(digest)))?;
        for level in 0..8_u8 {
            let covers = u32::from(level + 1) * 8;
            let full = |leaves: u64| leaves.checked_shr(covers).unwrap_or(0);
            for number in full(first)..full(sealed) {
                let path = TilePath::new(TileKind::Hashes { level }, number, WIDTH_MAX)?;
                let hashes = path.read(self.hashes).map_err(|_| ReadError::Absent(path.to_string()))?;
                files.insert(path.to_string(), git_oid("blob", &tile::to_bytes(&hashes)));
            }
        }
        if let Some(policy) = self.notes.policy(first..at.size()) {
            let text = self.log.field_text(policy)?;
            files.insert(POLICY.to_owned(), git_oid("blob", text.as_bytes()));
        }
        Ok(files)
    }

    /// The file of an append that is too long for a message.
    fn tail_file(&self, at: &Append, first: u64) -> Result<Option<(String, Oid)>, ReadError> {
        let unsealed = first.max(at.head.sealed());
        if unsealed == at.size() || !at.leaves().is_empty() {
            return Ok(None);
        }
        let mut leaves = Vec::new();
        self.log.each(unsealed..at.size(), |_, leaf| {
            leaves.push(leaf.to_vec());
            Ok::<(), ReadError>(())
        })?;
        let number = unsealed / TILE_WIDTH;
        let bytes = bundle::to_bytes(&leaves).map_err(|source| ReadError::Bundle { number, source })?;
        Ok(Some((tail_path(unsealed), git_oid("blob", &bytes))))
    }

    /// Whether a file holds entries of the ledger that were not sealed yet.
    fn is_old_tail(&self, at: &Append, path: &str, oid: &Oid) -> bool {
        let first = path.strip_prefix(TAIL).and_then(|first| first.parse::<u64>().ok());
        let Some(first) = first.filter(|first| tail_path(*first) == path && *first >= at.head.sealed()) else {
            return false;
        };
        let bytes = self.log.repository().read_limited(oid, Kind::Blob, OBJECT_BYTES_MAX);
        let Ok(bytes) = bytes else { return false };
        let Ok(leaves) = bundle::parse(&bytes) else { return false };
        first + leaves.len() as u64 <= at.size()
            && (first..).zip(leaves).all(|(index, leaf)| self.hashes.hash(0, index).ok() == Some(leaf_hash(leaf)))
    }
}

/// Whether a file may be missing from the newest tree, whose files were all read for the entries' sake.
fn may_be_old(path: &str) -> bool {
    path == POLICY || path.starts_with(TAIL)
}

fn changes(repository: &Repository, before: Option<&Oid>, after: Option<&Oid>) -> Result<Changes, String> {
    let mut changes = Changes::new();
    add_changes(repository, (before, after), "", 0, &mut changes)?;
    Ok(changes)
}

fn add_changes(
    repository: &Repository,
    (before, after): (Option<&Oid>, Option<&Oid>),
    folder: &str,
    depth: usize,
    changes: &mut Changes,
) -> Result<(), String> {
    let (old, new) = (read(repository, before)?, read(repository, after)?);
    let (old, new) = (parse(&old)?, parse(&new)?);
    if depth > DEPTH_MAX || (after.is_some() && new.is_empty()) {
        return Err(format!("the folder `{folder}` is empty or too deep"));
    }
    let sides = |entry: &Entry<'_>, side: usize| (entry.name.to_vec(), entry.kind, entry.oid, side);
    let mut names: BTreeMap<Vec<u8>, [Option<(tree::Kind, Oid)>; 2]> = BTreeMap::new();
    let all = old.iter().map(|entry| sides(entry, 0)).chain(new.iter().map(|entry| sides(entry, 1)));
    for (name, kind, oid, side) in all {
        if let Some(place) = names.entry(name).or_default().get_mut(side) {
            *place = Some((kind, oid));
        }
    }
    for (name, [old, new]) in names.into_iter().filter(|(_, [old, new])| old != new) {
        let path = format!("{folder}{}", name.escape_ascii());
        add_change(repository, old, new, &path, depth, changes)?;
    }
    Ok(())
}

fn add_change(
    repository: &Repository,
    old: Option<(tree::Kind, Oid)>,
    new: Option<(tree::Kind, Oid)>,
    path: &str,
    depth: usize,
    changes: &mut Changes,
) -> Result<(), String> {
    let (old_folder, old_file) = sort(old, path)?;
    let (new_folder, new_file) = sort(new, path)?;
    if old_folder.is_some() || new_folder.is_some() {
        let folders = (old_folder.as_ref(), new_folder.as_ref());
        add_changes(repository, folders, &format!("{path}/"), depth + 1, changes)?;
    }
    if old_file.is_some() || new_file.is_some() {
        changes.insert(path.to_owned(), new_file);
    }
    if changes.len() > CHANGES_MAX { Err("it holds more files than any ledger".to_owned()) } else { Ok(()) }
}

/// A folder or a file; nothing else has its place there.
fn sort(entry: Option<(tree::Kind, Oid)>, path: &str) -> Result<(Option<Oid>, Option<Oid>), String> {
    match entry {
        None => Ok((None, None)),
        Some((tree::Kind::Folder, oid)) => Ok((Some(oid), None)),
        Some((tree::Kind::Leaf(Mode::File), oid)) => Ok((None, Some(oid))),
        Some((tree::Kind::Leaf(mode), _)) => Err(format!("`{path}` has the mode {mode}, not {}", Mode::File)),
    }
}

fn read(repository: &Repository, tree: Option<&Oid>) -> Result<Vec<u8>, String> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let raw = repository.read_limited(tree, Kind::Tree, tree::RAW_BYTES_MAX as u64);
    raw.map_err(|error| chain(&error))
}

fn parse(raw: &[u8]) -> Result<Vec<Entry<'_>>, String> {
    tree::parse(raw).map_err(|error| chain(&error))
}
