//! Paths that one file system or another takes for the same: what a commit adds must not collide with what stands
//! beside it.
//!
//! A tree may hold `Models/x` and `models/y`, or one `é` in two spellings; in a work tree that folds names, one hides
//! the other. Every folder that an added path leads through is read, no others.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use crate::name::fold::{fold_bytes, fold_into};
use crate::name::{Oid, RepoPath};
use crate::object::changes::{CompareError, DEPTH_MAX};
use crate::object::tree::{self, Kind};

/// Two paths of one tree with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// The added path, or the folder of it that collides.
    pub path: RepoPath,
    /// What stands beside it.
    pub with: RepoPath,
}

/// The names that matter in one folder, with what is added beneath each.
#[derive(Default)]
struct Added<'a> {
    names: BTreeMap<&'a [u8], Added<'a>>,
}

/// Finds the first path among `added`, all in the tree `root`, that collides with another path of the tree.
///
/// `read` returns a raw tree by its id, and bounds what all its calls cost.
pub fn find<'a, E: Error + 'static>(
    root: Oid,
    added: impl IntoIterator<Item = &'a RepoPath>,
    read: &mut impl FnMut(&Oid) -> Result<Vec<u8>, E>,
) -> Result<Option<Collision>, CompareError<E>> {
    let mut all = Added::default();
    for path in added {
        let parts = path.as_bytes().split(|byte| *byte == b'/');
        parts.fold(&mut all, |folder, name| folder.names.entry(name).or_default());
    }
    // A folder that stands at two places is read twice; each of its paths is an added one.
    let mut todo = vec![(root, Vec::new(), &all, 0)];
    while let Some((oid, path, added, depth)) = todo.pop() {
        if depth > DEPTH_MAX {
            return Err(CompareError::TooDeep);
        }
        let raw = read(&oid).map_err(|source| CompareError::Read { oid, source })?;
        let entries = tree::parse(&raw).map_err(|source| CompareError::Tree { oid, source })?;
        if let Some((name, with)) = in_folder(&entries, added) {
            let whole = |name| RepoPath::from_bytes(&[&path[..], name].concat());
            let path = whole(name).map_err(|source| CompareError::Path { source })?;
            return Ok(Some(Collision { path, with: whole(with).map_err(|source| CompareError::Path { source })? }));
        }
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Folder) {
            if let Some(beneath) = added.names.get(entry.name).filter(|beneath| !beneath.names.is_empty()) {
                todo.push((entry.oid, [&path[..], entry.name, b"/"].concat(), beneath, depth + 1));
            }
        }
    }
    Ok(None)
}

/// The first of the added names that has the key of another entry, with that entry's name.
fn in_folder<'raw>(entries: &[tree::Entry<'raw>], added: &Added<'_>) -> Option<(&'raw [u8], &'raw [u8])> {
    let mut seen: HashMap<Vec<u8>, Option<&[u8]>> = added.names.keys().map(|name| (fold_bytes(name), None)).collect();
    // A folder of a model zoo has thousands of names, and a history of it is read commit by commit.
    let mut key = Vec::new();
    for entry in entries {
        fold_into(entry.name, &mut key);
        if let Some(before) = seen.get_mut(&key).and_then(|before| before.replace(entry.name)) {
            let is_added = added.names.contains_key(entry.name);
            return Some(if is_added { (entry.name, before) } else { (before, entry.name) });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::digest::git_oid;

    /// Trees by their ids, made of paths.
    #[derive(Default)]
    struct Store(HashMap<Oid, Vec<u8>>);

    impl Store {
        fn put(&mut self, paths: &[&[u8]]) -> Oid {
            let mut folders: BTreeMap<Vec<u8>, Vec<&[u8]>> = BTreeMap::new();
            let mut raw: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for path in paths {
                match path.iter().position(|byte| *byte == b'/') {
                    Some(at) => folders.entry([&path[..at], b"/"].concat()).or_default().push(&path[at + 1..]),
                    None => _ = raw.insert(path.to_vec(), [b"100644 ", *path, b"\0", &[7; 20]].concat()),
                }
            }
            for (name, beneath) in folders {
                let oid = self.put(&beneath);
                let entry = [b"40000 ", &name[..name.len() - 1], b"\0", oid.as_bytes()].concat();
                raw.insert(name, entry);
            }
            let bytes: Vec<u8> = raw.into_values().flatten().collect();
            let oid = git_oid("tree", &bytes);
            self.0.insert(oid, bytes);
            oid
        }
    }

    fn found(paths: &[&[u8]], added: &[&[u8]]) -> (Option<(String, String)>, usize) {
        let mut store = Store::default();
        let root = store.put(paths);
        let added: Vec<RepoPath> = added.iter().map(|path| RepoPath::from_bytes(path).unwrap()).collect();
        let mut reads = 0;
        let mut read = |oid: &Oid| {
            reads += 1;
            Ok::<_, Infallible>(store.0[oid].clone())
        };
        let collision = find(root, &added, &mut read).unwrap();
        (collision.map(|both| (both.path.to_string(), both.with.to_string())), reads)
    }

    #[test]
    fn a_path_collides_at_any_level() {
        for (paths, added, expected) in [
            (&[&b"README"[..], b"readme"][..], &b"readme"[..], Some(("readme", "README"))),
            (&[b"README", b"readme"], b"README", Some(("README", "readme"))),
            (&[b"Models/x", b"models/y"], b"models/y", Some(("models", "Models"))),
            (&[b"a/Models/x", b"a/models/y", b"b"], b"a/models/y", Some(("a/models", "a/Models"))),
            (&[b"a/X", b"a/x/y"], b"a/x/y", Some(("a/x", "a/X"))),
            (
                "a/\u{e9} a/e\u{301}".split(' ').map(str::as_bytes).collect::<Vec<_>>().as_slice(),
                "a/\u{e9}".as_bytes(),
                Some(("\"a/\\303\\251\"", "\"a/e\\314\\201\"")),
            ),
            (&[b"a/\xe9", b"a/\xc9"], b"a/\xc9", None),
            (&[b"a/x", b"b/X"], b"b/X", None),
            // What stood there before is not looked at.
            (&[b"README", b"readme", b"other"], b"other", None),
            (&[b"old/A", b"old/a", b"new/x"], b"new/x", None),
        ] {
            let expected = expected.map(|(path, with)| (path.to_owned(), with.to_owned()));
            assert_eq!(found(paths, &[added]).0, expected, "{}", String::from_utf8_lossy(added));
        }
        let both: [&[u8]; 2] = [b"m/A", b"m/a"];
        assert!(found(&both, &both).0.is_some());
    }

    #[test]
    fn only_the_folders_of_added_paths_are_read() {
        let paths: [&[u8]; 4] = [b"a/b/c/x", b"a/b/y", b"other/1/2", b"z"];
        assert_eq!(found(&paths, &[b"a/b/y"]), (None, 3));
        assert_eq!(found(&paths, &[b"z"]), (None, 1));
        assert_eq!(found(&paths, &[b"a/b/c/x", b"a/b/y"]), (None, 4));
    }
}
