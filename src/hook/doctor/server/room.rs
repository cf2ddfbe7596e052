//! The repository's files: whose they are, who may write them, and how much room there is.

use std::path::{Path, PathBuf};

use super::super::{Check, Code, Finding, Group, Patient, file, quoted, repository};

/// How many files are asked for their owner: enough to meet those of a command that was once run by another user.
const FILES_MAX: usize = 5000;

/// What a receive-pack writes to.
const WRITTEN: [&str; 4] = ["objects", "refs", "refs/heads", "mledger"];

/// Looks at all of it.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Repository);
    check.add_all(repository::git_works(patient));
    check.add_all(repository::oddities(patient));
    check.add_all(repository::replaced(patient));
    check.add_all(repository::disk(patient.repository.git_dir()));
    check.add_all(another_user(patient));
    check.add_all(mixed_owners(patient));
    check.add_all(not_writable(patient));
    check.note("a bare repository")
}

/// What this user writes, the server's could not write again.
fn another_user(patient: &Patient<'_>) -> Option<Finding> {
    let dir = patient.repository.git_dir();
    let owner = file::owner(dir).filter(|_| !file::is_own(dir))?;
    let message = format!("the repository is of user {owner}, and you are another");
    let command = format!("sudo -u '#{owner}' mledger -C {} doctor", quoted(dir));
    Some(Finding::look(Code::OtherUser, dir.display().to_string(), message).try_this(command))
}

fn mixed_owners(patient: &Patient<'_>) -> Option<Finding> {
    let dir = patient.repository.git_dir();
    let owner = file::owner(dir)?;
    let other = files(dir).into_iter().find(|path| file::owner(path).is_some_and(|other| other != owner))?;
    let message = format!(
        "`{}` is of user {}, and the repository of user {owner}, who may fail to write it",
        other.display(),
        file::owner(&other)?
    );
    let command = format!("sudo chown -R {owner} {}", quoted(dir));
    Some(Finding::wrong(Code::OwnersMixed, other.display().to_string(), message).try_this(command))
}

/// The repository's files, those high up first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(folder) = found.get(at).filter(|_| found.len() < FILES_MAX) {
        let is_folder = std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir());
        let below = if is_folder { std::fs::read_dir(folder).ok() } else { None };
        let below: Vec<PathBuf> = below.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        found.extend(below.into_iter().take(FILES_MAX));
        at += 1;
    }
    found
}

fn not_writable(patient: &Patient<'_>) -> Option<Finding> {
    let dir = patient.repository.git_dir();
    let folders = WRITTEN.iter().map(|name| dir.join(name));
    let closed = folders
        .filter(|folder| file::mode(folder).is_some_and(|mode| mode & 0o700 != 0o700))
        .find(|path| path.is_dir())?;
    let message = format!("its owner may not write to `{}`, so every push fails", closed.display());
    let command = format!("chmod -R u+rwX {}", quoted(dir));
    Some(Finding::wrong(Code::NotWritable, closed.display().to_string(), message).try_this(command))
}
