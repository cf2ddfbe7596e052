//! Every ref of a repository, read from its files.
//!
//! ```text
//! refs/heads/main    4b825dc642cb6eb9a060e54bf8d69288fbee4904      loose; counts before packed-refs
//! refs/heads/alias   ref: refs/heads/main                          symbolic
//! packed-refs        4b825dc642cb6eb9a060e54bf8d69288fbee4904 refs/tags/v1
//!                    ^9c1f…                                        what the tag above names
//! ```
//!
//! Source: `gitrepository-layout(5)`. libgit2 lists refs, too, but stops without a word at the hundredth folder within
//! one another, and all that sorts behind is hidden then.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::GitError;
use crate::name::{Oid, RefName};

/// Where a ref leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an object.
    Object(Oid),
    /// To whatever another ref leads to.
    Ref(String),
}

/// The refs below the Git folder's `refs/`, by name. What Git takes for no ref is left out: lock files, hidden files,
/// files that hold neither an id nor a name.
pub fn list(git_dir: &Path) -> Result<BTreeMap<String, Target>, GitError> {
    list_under(git_dir, "refs")
}

/// The same for one folder of refs, such as `refs/heads`.
pub fn list_under(git_dir: &Path, folder: &str) -> Result<BTreeMap<String, Target>, GitError> {
    let mut found = packed(&git_dir.join("packed-refs"), folder)?;
    let mut todo = vec![(git_dir.join(folder), folder.to_owned())];
    while let Some((folder, name)) = todo.pop() {
        for entry in read_folder(&folder)? {
            let entry = entry.map_err(|source| failed(&folder, source))?;
            let part = entry.file_name().to_string_lossy().into_owned();
            if part.starts_with('.') || has_lock_end(&part) {
                continue;
            }
            let (path, name) = (entry.path(), format!("{name}/{part}"));
            let kind = entry.file_type().map_err(|source| failed(&path, source))?;
            if kind.is_dir() {
                todo.push((path, name));
            } else if kind.is_symlink() {
                let to = fs::read_link(&path).map_err(|source| failed(&path, source))?;
                found.insert(name, Target::Ref(to.to_string_lossy().into_owned()));
            } else if let Some(target) = loose(&path)? {
                found.insert(name, target);
            }
        }
    }
    Ok(found)
}

/// What one ref leads to; none if it does not exist.
pub fn find(git_dir: &Path, name: &RefName) -> Result<Option<Target>, GitError> {
    // In this order: Git packs a ref before it removes its file.
    if has_file(git_dir, name) { loose(&git_dir.join(name.as_str())) } else { find_packed(git_dir, name) }
}

/// Whether a ref has a file of its own, of which others are to be asked what it means; without one it may be packed.
pub fn has_file(git_dir: &Path, name: &RefName) -> bool {
    match fs::symlink_metadata(git_dir.join(name.as_str())) {
        Ok(found) => !found.is_dir(),
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// What a ref leads to by `packed-refs`, where it has no file of its own.
pub fn find_packed(git_dir: &Path, name: &RefName) -> Result<Option<Target>, GitError> {
    let text = read(&git_dir.join("packed-refs"))?.unwrap_or_default();
    let end = format!(" {name}\n");
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(&end)) {
        let at = from + found;
        let id = text.get(..at).and_then(|before| before.rsplit('\n').next());
        if let Some(oid) = id.and_then(|id| Oid::parse(id).ok()) {
            return Ok(Some(Target::Object(oid)));
        }
        from = at + end.len();
    }
    Ok(None)
}

fn has_lock_end(part: &str) -> bool {
    Path::new(part).extension().is_some_and(|end| end == "lock")
}

/// The folder's entries; none where it went away meanwhile, as Git removes empty folders.
fn read_folder(folder: &Path) -> Result<Vec<std::io::Result<fs::DirEntry>>, GitError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(failed(folder, source)),
    }
}

fn loose(path: &PathBuf) -> Result<Option<Target>, GitError> {
    let Some(text) = read(path)? else { return Ok(None) };
    if let Some(name) = text.strip_prefix("ref:") {
        return Ok(Some(Target::Ref(name.trim().to_owned())));
    }
    let id = text.split(|char: char| char.is_ascii_whitespace()).next().unwrap_or_default();
    Ok(Oid::parse(&id.to_ascii_lowercase()).ok().map(Target::Object))
}

fn packed(path: &PathBuf, folder: &str) -> Result<BTreeMap<String, Target>, GitError> {
    let text = read(path)?.unwrap_or_default();
    let pair = |line: &str| {
        let (id, name) = line.split_once(' ')?;
        // Most are of other folders, and need no copy.
        name.strip_prefix(folder)?.strip_prefix('/')?;
        Some((name.to_owned(), Target::Object(Oid::parse(id).ok()?)))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn read(path: &PathBuf) -> Result<Option<String>, GitError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(path, source)),
    }
}

fn failed(path: &Path, source: std::io::Error) -> GitError {
    GitError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_those_that_git_takes_for_some() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let deep = format!("refs/heads/{}x", "a/".repeat(120));
        let files = [
            ("packed-refs", format!("# pack-refs with: peeled\n{one} refs/heads/main\n{one} refs/tags/v1\n^{two}\n")),
            ("refs/heads/main", format!("{two}\n")),
            ("refs/heads/upper", "AB".repeat(20)),
            ("refs/heads/more", format!("{one} more\n")),
            ("refs/heads/alias", "ref: refs/heads/main\n".to_owned()),
            (&deep, format!("{one}\n")),
            ("refs/heads/empty", String::new()),
            ("refs/heads/rubbish", "rubbish\n".to_owned()),
            ("refs/heads/main.lock", format!("{one}\n")),
            ("refs/heads/.hidden", format!("{one}\n")),
        ];
        for (name, text) in &files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let object = |text: &str| Target::Object(Oid::parse(text).unwrap());
        let expected: BTreeMap<String, Target> = [
            ("refs/heads/main", object(&two)),
            ("refs/heads/upper", object(&"ab".repeat(20))),
            ("refs/heads/more", object(&one)),
            ("refs/heads/alias", Target::Ref("refs/heads/main".to_owned())),
            (&deep, object(&one)),
            ("refs/tags/v1", object(&one)),
        ]
        .map(|(name, target)| (name.to_owned(), target))
        .into();
        assert_eq!(list(folder.path()).unwrap(), expected);
        assert_eq!(list(&folder.path().join("nowhere")).unwrap(), BTreeMap::new());
        for (name, target) in [("refs/tags/v1", Some(object(&one))), ("refs/tags/v", None), ("refs/heads/main/x", None)]
        {
            assert_eq!(find(folder.path(), &RefName::parse(name).unwrap()).unwrap(), target, "{name}");
        }
        for (name, target) in &expected {
            assert_eq!(find(folder.path(), &RefName::parse(name).unwrap()).unwrap().as_ref(), Some(target), "{name}");
        }
        let tags = list_under(folder.path(), "refs/tags").unwrap();
        assert_eq!(tags, [("refs/tags/v1".to_owned(), object(&one))].into());
    }
}
