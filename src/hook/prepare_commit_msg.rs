//! `prepare-commit-msg`: writes what the commit will change, and which ledger its author saw, into the message.
//!
//! It runs for commit, amend, merge, rebase picks, cherry-pick and revert, also with `--no-verify`. Nothing that it
//! gets proves an amend, so the trailer holds a second digest wherever an amend cannot be excluded: the commit's own
//! parents, which its signature covers, show later which of the two is meant.

pub(super) mod template;

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::manifest::{Cache, Limits, ManifestError, manifest};
use crate::git::{GitError, Repository, command, file as small};
use crate::ledger::follow::{self, FollowError};
use crate::name::{NameError, Oid};
use crate::object::message::{LogHead, ManifestDigests, insert_into_bytes, is_only_ours};

/// Why a message gets no trailers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The message's file.
    #[error("could not {what} `{path}`")]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A name that Git gave.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The ledger that is followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

/// Opens the repository of the hook that runs in `dir`, be it a linked work tree or one named by `GIT_DIR`.
pub fn repository(dir: &Path) -> Result<Repository, GitError> {
    match std::env::var_os("GIT_DIR") {
        Some(git_dir) => Repository::open(&dir.join(git_dir)),
        None => Repository::discover(dir),
    }
}

/// Puts our trailers into the message in `file`, for the commit that Git is about to make in `dir`; `source` is where
/// Git says that the message comes from.
pub fn run(dir: &Path, file: &Path, source: &str) -> Result<(), PrepareError> {
    let repository = repository(dir)?;
    let path = dir.join(file);
    let message = read_message(&path)?;
    let comments = comments(dir, &message);
    // Git aborts where nobody wrote anything, and with our trailers it would not see that any more. After an editor it is
    // `commit-msg` that looks.
    let nobody_wrote = || source == "template" || is_only_ours(&message, None);
    if !is_edited() && !is_interrupted(&repository) && nobody_wrote() {
        return Ok(());
    }
    let digests = digests(dir, &repository)?;
    let log = newest_log(&repository)?;
    template::note(&repository, source, &message, comments.as_deref())?;
    let text = insert_into_bytes(&message, &digests, log.as_ref(), comments.as_deref());
    small::replace(&path, text.as_ref()).map_err(|source| PrepareError::File { what: "write", path, source })
}

/// The newest checkpoint that this clone has seen of the ledger that it follows, if it follows one.
pub(super) fn newest_log(repository: &Repository) -> Result<Option<LogHead>, FollowError> {
    let seen = follow::remembered(repository.git_dir())?;
    Ok(seen.map(|seen| LogHead { origin: seen.origin().clone(), size: seen.size(), root: seen.root() }))
}

/// Reads a commit message that Git wrote, in whatever encoding its author uses.
pub(super) fn read_message(path: &Path) -> Result<Vec<u8>, PrepareError> {
    fs::read(path).map_err(|source| PrepareError::File { what: "read", path: path.to_owned(), source })
}

/// Whether Git opens an editor with the message. It tells its hooks with this value that it will not.
pub(super) fn is_edited() -> bool {
    std::env::var_os("GIT_EDITOR").is_none_or(|editor| editor != ":")
}

/// Whether Git is in the middle of something whose messages are not of this moment.
pub(super) fn is_interrupted(repository: &Repository) -> bool {
    const SIGNS: [&str; 5] = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"];
    SIGNS.iter().any(|name| repository.own_dir().join(name).exists())
}

/// What starts a comment in the message, if an editor shows it and Git strips comments afterwards.
pub(super) fn comments(dir: &Path, message: &[u8]) -> Option<String> {
    if !is_edited() {
        return None;
    }
    // Two names of one thing: the one that is read last holds, as in Git.
    let words = ["config", "-z", "--get-regexp", r"^core\.comment(string|char)$"];
    let listed = command::output(command::git_in_hook(dir).args(words)).unwrap_or_default();
    let last = listed.split('\0').filter_map(|item| item.split_once('\n')).next_back();
    match last.map(|(_, value)| value) {
        None | Some("") => Some("#".to_owned()),
        Some("auto") => Some(chosen_comment(message).to_string()),
        Some(set) => Some(set.to_owned()),
    }
}

/// With `auto`, Git picks a character that begins no line of the message, and ends the message with its comments.
fn chosen_comment(message: &[u8]) -> char {
    const CANDIDATES: &str = "#;@!$%^&|:";
    let last = message.split(|byte| *byte == b'\n').rfind(|line| !line.trim_ascii().is_empty());
    let first = last.and_then(|line| line.first()).copied().map(char::from);
    first.filter(|first| CANDIDATES.contains(*first)).unwrap_or('#')
}

/// The digest against HEAD and what is merged into it; and, where this may be an amend, the one against HEAD's parents.
fn digests(dir: &Path, repository: &Repository) -> Result<ManifestDigests, PrepareError> {
    // The index may be split, sparse, or a temporary one of `git commit <path>`: only Git knows.
    let tree = Oid::parse(&command::output(command::git_in_hook(dir).arg("write-tree"))?)?;
    let head = repository.resolve("HEAD");
    let merged = oids(&repository.own_dir().join("MERGE_HEAD"))?;
    let mut cache = Cache::default();
    let mut digest = |parents: &[Oid]| {
        let parents = with_trees(repository, parents)?;
        let made = with_missing_fetched(dir, || manifest(repository, &tree, &parents, &mut cache, &Limits::default()))?;
        Ok::<_, PrepareError>(made.digest())
    };
    let parents: Vec<Oid> = head.iter().copied().chain(merged.iter().copied()).collect();
    let first = digest(&parents)?;
    let spare = match head {
        Some(head) if may_amend(repository) || is_new_root(repository, &head) => {
            Some(digest(&repository.links(&head)?.1)?)
        }
        _ => None,
    };
    Ok(ManifestDigests::new(first, spare))
}

/// Each commit with its tree. They may be of a time before any rule of ours, so they are read as Git reads them.
pub(super) fn with_trees(repository: &Repository, commits: &[Oid]) -> Result<Vec<(Oid, Oid)>, GitError> {
    commits.iter().map(|oid| Ok((*oid, repository.links(oid)?.0))).collect()
}

fn oids(file: &Path) -> Result<Vec<Oid>, PrepareError> {
    match fs::read_to_string(file) {
        Ok(text) => text.lines().map(|line| Ok(Oid::parse(line)?)).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(PrepareError::File { what: "read", path: file.to_owned(), source }),
    }
}

/// A partial clone lacks blobs that Git fetches when it needs them; `attempt` goes on after each.
pub(super) fn with_missing_fetched<T>(
    dir: &Path,
    mut attempt: impl FnMut() -> Result<T, ManifestError>,
) -> Result<T, ManifestError> {
    let mut last = None;
    loop {
        match attempt() {
            Err(ManifestError::Git(GitError::Missing(oid))) if last != Some(oid) => {
                command::output(command::git_in_hook(dir).args(["cat-file", "-e", &oid.to_string()]))?;
                last = Some(oid);
            }
            result => return result,
        }
    }
}

/// Whether the commit to come may replace HEAD. Git refuses to amend in the middle of a merge or cherry-pick.
fn may_amend(repository: &Repository) -> bool {
    let within = ["MERGE_HEAD", "CHERRY_PICK_HEAD"].iter().any(|name| repository.own_dir().join(name).exists());
    !within && !parent_process().is_some_and(|words| is_plain_commit(&words))
}

/// Whether HEAD is the empty commit that stands for none while `git rebase --root` makes a root commit.
fn is_new_root(repository: &Repository, head: &Oid) -> bool {
    let file = repository.own_dir().join("rebase-merge/squash-onto");
    fs::read_to_string(file).is_ok_and(|text| Oid::parse(text.trim()) == Ok(*head))
}

/// The words of the command that runs this hook, where the system tells.
#[cfg(target_os = "linux")]
pub(super) fn parent_process() -> Option<Vec<String>> {
    let parent = std::os::unix::process::parent_id();
    let line = fs::read(format!("/proc/{parent}/cmdline")).ok()?;
    let words = line.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    words.map(|word| String::from_utf8(word.to_vec()).ok()).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn parent_process() -> Option<Vec<String>> {
    None
}

/// Whether a command line is `git commit`, with nothing that could be `--amend` or short for it.
fn is_plain_commit(words: &[String]) -> bool {
    let mut words = words.iter().map(String::as_str);
    if !words.next().is_some_and(|program| program == "git" || program.ends_with("/git")) {
        return false;
    }
    loop {
        match words.next() {
            Some("-c" | "-C") => _ = words.next(),
            Some("--no-pager" | "-P") => {}
            Some("commit") => return !words.any(|word| word.starts_with("--am")),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certain_plain_commit_excludes_an_amend() {
        let plain = |line: &str| is_plain_commit(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for yes in ["git commit", "/usr/bin/git commit -m x", "git -c a=b -C dir commit -a", "git -P commit --all"] {
            assert!(plain(yes), "{yes}");
        }
        for no in [
            "git commit --amend",
            "git commit -m x --am",
            "git ci",
            "git -c commit",
            "git --git-dir commit commit --amend",
            "git rebase -i",
            "sh -c git commit",
            "",
        ] {
            assert!(!plain(no), "{no}");
        }
    }

    #[test]
    fn an_automatic_comment_character_is_the_one_that_git_chose() {
        for (message, expected) in
            [("", '#'), ("x\n", '#'), ("# title\n\n; Please\n;\n", ';'), ("x\n# Please\n\n", '#')]
        {
            assert_eq!(chosen_comment(message.as_bytes()), expected, "{message}");
        }
    }
}
