//! The repository itself: its form, its disk, and what makes Git show other objects than were signed.

use std::path::Path;

use super::{Check, Code, Finding, Group, Patient, base, file, probe, quoted};
use crate::git::repository::SHALLOW;
use crate::git::{GitError, command};

/// Below this much free space, in bytes, a push or a checkout of models may fail at any time.
const FREE_LOW_BYTES: u64 = 1 << 30;

/// Below this much nothing is certain any more: an append of the ledger alone takes some hundred kilobytes.
const FREE_NONE_BYTES: u64 = 64 << 20;

/// Why a repository could not even be opened.
pub(super) fn closed(dir: &Path, error: &GitError) -> Check {
    let subject = dir.display().to_string();
    let found = |code| Finding::wrong(code, subject.clone(), crate::ledger::check::chain(error));
    let finding = match error {
        GitError::NotFound(_) => found(Code::NoRepository).try_this("cd REPOSITORY && mledger doctor"),
        GitError::NotOwned(_) => {
            found(Code::NotOwned).try_this(format!("git config --global --add safe.directory {}", quoted(&top(dir))))
        }
        GitError::Unsupported { .. } => {
            found(Code::Unsupported).try_this("git clone --ref-format=files URL     (of a server with SHA-1 names)")
        }
        _ => found(Code::RepositoryUnreadable).try_this("git status"),
    };
    let mut check = Check::new(Group::Repository);
    check.add(finding);
    check
}

/// The folder that Git asks to be trusted.
fn top(dir: &Path) -> std::path::PathBuf {
    let holds = |folder: &&Path| folder.join(".git").exists() || folder.join("objects").exists();
    dir.ancestors().find(holds).unwrap_or(dir).to_owned()
}

/// A clone's.
pub(super) fn check_clone(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Repository);
    check.add_all(oddities(patient));
    check.add_all(replaced(patient));
    check.add_all(disk(base(patient.repository)));
    let partial = patient.settings.has_like("remote.", ".promisor");
    check.note(if partial { "a partial clone: what is missing is fetched when it is needed" } else { "a clone" })
}

/// Files that cut or change history.
pub(super) fn oddities(patient: &Patient<'_>) -> Vec<Finding> {
    let git_dir = patient.repository.git_dir();
    let found = |oddity| match oddity {
        SHALLOW => Some(
            Finding::look(
                Code::Shallow,
                "shallow",
                "the history is cut, so commits behind the cut cannot be looked at",
            )
            .try_this("git fetch --unshallow"),
        ),
        "grafts" => {
            let path = git_dir.join("info/grafts");
            let message = "grafts give commits other parents here than those that were signed";
            Some(
                Finding::wrong(Code::Grafts, path.display().to_string(), message)
                    .try_this(format!("rm {}", quoted(&path))),
            )
        }
        _ => alternates(git_dir),
    };
    patient.repository.oddities().into_iter().filter_map(found).collect()
}

/// Other repositories that lend objects, and are not there.
fn alternates(git_dir: &Path) -> Option<Finding> {
    let path = git_dir.join("objects/info/alternates");
    let subject = path.display().to_string();
    let text = match file::read_text(&path) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return Some(Finding::unknown(subject, &error)),
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut gone = lines.filter(|line| !git_dir.join("objects").join(line).is_dir());
    let gone = gone.next()?;
    let message = format!("objects are borrowed from `{gone}`, which is not there");
    Some(Finding::wrong(Code::AlternateMissing, subject, message).try_this("git fsck --connectivity-only"))
}

/// Objects that Git shows in the place of others.
pub(super) fn replaced(patient: &Patient<'_>) -> Option<Finding> {
    let names = match patient.repository.ref_names_under("refs/replace") {
        Ok(names) => names,
        Err(error) => return Some(Finding::unknown("refs/replace", &error)),
    };
    let first = names.first()?;
    let message = format!("{} replacement(s) make Git show other objects than those that were signed", names.len());
    let command = format!("git replace -d $(git -C {} replace -l)", quoted(base(patient.repository)));
    Some(Finding::wrong(Code::Replaced, first.as_str(), message).try_this(command))
}

/// How much room is left.
pub(super) fn disk(path: &Path) -> Option<Finding> {
    room(free_bytes(path)?, path)
}

fn room(free: u64, path: &Path) -> Option<Finding> {
    let message = || format!("{} MB are left on its disk", free >> 20);
    let found = |finding: Finding| Some(finding.try_this(format!("df -h {}", quoted(path))));
    match free {
        0..FREE_NONE_BYTES => found(Finding::wrong(Code::DiskFull, path.display().to_string(), message())),
        FREE_NONE_BYTES..FREE_LOW_BYTES => found(Finding::look(Code::DiskLow, path.display().to_string(), message())),
        _ => None,
    }
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(path).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Whether Git itself, with all its own checks, works here.
pub(super) fn git_works(patient: &Patient<'_>) -> Option<Finding> {
    let base = base(patient.repository);
    let error = probe::output(command::git(base).args(["rev-parse", "--git-dir"])).err()?;
    Some(
        Finding::wrong(Code::RepositoryUnreadable, base.display().to_string(), error.to_string())
            .try_this("git status"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_not_opening_has_a_word() {
        let code = |error| closed(Path::new("/x"), &error).findings[0].code;
        assert_eq!(code(GitError::NotFound("/x".to_owned())), Code::NoRepository);
        assert_eq!(code(GitError::NotOwned("/x".to_owned())), Code::NotOwned);
        assert_eq!(code(GitError::TooSlow), Code::RepositoryUnreadable);
    }

    #[test]
    fn room_gets_low_before_it_is_gone() {
        let code = |free| room(free, Path::new("/x")).map(|finding| finding.code);
        assert_eq!(code(0), Some(Code::DiskFull));
        assert_eq!(code(FREE_NONE_BYTES), Some(Code::DiskLow));
        assert_eq!(code(FREE_LOW_BYTES), None);
        assert!(free_bytes(Path::new("/")).is_none_or(|free| free < u64::MAX));
    }

    #[test]
    fn the_folder_to_trust_is_the_repository_and_not_one_in_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let check = closed(&folder.path().join("a/b"), &GitError::NotOwned(String::new()));
        let expected = format!("git config --global --add safe.directory {}", folder.path().display());
        assert_eq!(check.findings[0].try_this.as_deref(), Some(expected.as_str()));
    }
}
