//! Which commits were made in this clone, as Git noted it: author and committer are words that anybody can write, and a
//! signature over somebody else's commit makes it one's own.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use crate::git::Repository;
use crate::name::Oid;

/// How much of a reflog is read, in bytes: the newest moves of 300,000.
const BYTES_MAX: u64 = 64 << 20;

/// How the notes of moves begin that make commits.
const MAKES: [&str; 8] = ["commit", "rebase", "cherry-pick", "revert", "am", "merge", "pull", "mledger resign"];

/// What such notes begin with, before the colon, where HEAD only moves to what is there.
const MOVES: [&str; 4] = ["(start)", "(finish)", "(reset)", "(abort)"];

/// What stands behind the colon where it does; Git writes it large or small.
const FORWARD: &str = "fast-forward";

/// The commits that HEAD of any work tree came to by making them; none where Git notes no moves.
pub fn made_here(repository: &Repository) -> Option<HashSet<Oid>> {
    let mut files = vec![repository.git_dir().join("logs/HEAD")];
    let linked = fs::read_dir(repository.git_dir().join("worktrees")).into_iter().flatten().flatten();
    files.extend(linked.map(|entry| entry.path().join("logs/HEAD")));
    let logs: Vec<File> = files.into_iter().filter_map(open).collect();
    if logs.is_empty() {
        return None;
    }
    let lines = logs.into_iter().flat_map(|log| BufReader::new(log.take(BYTES_MAX)).split(b'\n').map_while(Result::ok));
    Some(lines.filter_map(|line| made(&String::from_utf8_lossy(&line))).collect())
}

fn open(path: PathBuf) -> Option<File> {
    // Opening a pipe would wait for whoever writes to it.
    if path.is_file() { File::open(path).ok() } else { None }
}

/// The commit that a line tells the making of: `old new name <email> seconds zone<TAB>note`.
fn made(line: &str) -> Option<Oid> {
    let (move_, note) = line.split_once('\t')?;
    let (action, what) = note.split_once(": ")?;
    let moves = MOVES.iter().any(|word| action.contains(word)) || what.eq_ignore_ascii_case(FORWARD);
    // Behind a commit's colon stands its title, which says nothing of how it was made.
    let makes = MAKES.iter().any(|start| action.starts_with(start)) && (!moves || action.starts_with("commit"));
    if makes { Oid::parse(move_.split(' ').nth(1)?).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_counts() {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let line = |note: &str| made(&format!("{old} {new} Alice <a@b.c> 1795436102 +0000\t{note}"));
        for note in [
            "commit: x",
            "commit: Fast-forward",
            "commit: undo (reset) of limits",
            "rebase (pick): say (start) once",
            "commit (amend): x",
            "commit (initial): x",
            "rebase (pick): x",
            "pull --rebase (pick): x",
            "merge side: Merge made by the 'ort' strategy.",
            "am: x",
        ] {
            assert_eq!(line(note).map(|oid| oid.to_string()), Some(new.clone()), "{note}");
        }
        for note in [
            "pull: Fast-forward",
            "merge side: Fast-forward",
            "cherry-pick: fast-forward",
            "rebase (start): checkout main",
            "rebase (finish): returning to refs/heads/main",
            "checkout: moving from a to b",
            "reset: moving to HEAD~1",
            "clone: from x",
            "",
        ] {
            assert_eq!(line(note), None, "{note}");
        }
        assert_eq!(made("no reflog"), None);
    }
}
