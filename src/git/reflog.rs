//! What Git wrote down about the moves of a ref.
//!
//! ```text
//! logs/refs/remotes/origin/main    4b82… 9c1f… Alice <a@bank.example> 1795000000 +0000<TAB>update by push
//! ```
//!
//! Source: `gitrepository-layout(5)`. Whoever has switched reflogs off has none; old lines are removed after some months.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::name::{Oid, RefName};

/// How much of a reflog is read, from its end, in bytes: some thousand moves.
const BYTES_MAX: u64 = 256 * 1024;

/// What Git says where a push of its own moved a remote-tracking ref. It is never translated.
const BY_PUSH: &str = "update by push";

/// How many lines of a remote-tracking ref's reflog say that a push from here put it at `new`; none where it cannot be
/// read.
pub fn pushes_to(git_dir: &Path, name: &RefName, new: &Oid) -> u64 {
    let text = tail(&git_dir.join("logs").join(name.as_str())).unwrap_or_default();
    let new = new.to_string();
    let is_such = |line: &&str| {
        let Some((head, message)) = line.split_once('\t') else { return false };
        message.trim() == BY_PUSH && head.split(' ').nth(1) == Some(&new)
    };
    text.lines().filter(is_such).count() as u64
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(BYTES_MAX)))?;
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pushes_to_that_commit_count() {
        let folder = tempfile::tempdir().unwrap();
        let name = RefName::parse("refs/remotes/origin/main").unwrap();
        let path = folder.path().join("logs").join(name.as_str());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let line = |old: &str, new: &str, what: &str| format!("{old} {new} A\u{2028} <a@b> 1795000000 +0000\t{what}\n");
        let few = line(&one, &two, BY_PUSH) + &line(&two, &one, "fetch: forced-update") + "rubbish\n\n\t\n";
        let count = |text: &str, oid: &str| {
            std::fs::write(&path, text).unwrap();
            pushes_to(folder.path(), &name, &Oid::parse(oid).unwrap())
        };
        assert_eq!((count(&few, &two), count(&few, &one)), (1, 0));
        let many = line(&two, &one, BY_PUSH) + &line(&one, &two, BY_PUSH).repeat(10_000);
        assert!(count(&many, &two) > 1000 && count(&many, &one) == 0, "the beginning is not read");
        assert_eq!(pushes_to(folder.path(), &RefName::parse("refs/remotes/x").unwrap(), &Oid::parse(&one).unwrap()), 0);
    }
}
