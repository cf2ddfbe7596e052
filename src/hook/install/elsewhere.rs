//! A clone whose hooks lie elsewhere: `core.hooksPath` is set, for it alone or for all that the person has.
//!
//! That folder is others': tracked, shared, or written anew by a program. So nothing is put there, and no value of
//! theirs is changed. Ours lie in a folder of ours, and the end of the clone's configuration includes a file of ours
//! that leads Git there, whatever `core.hooksPath` others set before or later:
//!
//! ```text
//! .git/config                     [includeIf "gitdir:**"] path = mledger/hooks.config
//!                                 [includeIf "gitdir:./worktrees/"] path = mledger/hooks-worktrees.config
//! .git/mledger/hooks.config       core.hooksPath = .git/mledger/shims           still true when the clone moves
//! .git/mledger/hooks-worktrees.config     … = /where/it/is/.git/mledger/shims   as linked work trees lie anywhere
//! .git/mledger/shims/NAME         a shim for every name; runs the hook that `core.hooksPath` means without us
//! ```

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::file::{failed, is_executable, remove};
use super::shim::Shim;
use super::{CLIENT, Done, InstallError, found, install_one};
use crate::git::{GitError, Repository, command};

/// How every value of ours ends, and, so a shim hopes, no other.
const OURS: &str = "/mledger/shims";

/// The files that are included, and the conditions under which they are.
const INCLUDED: [(&str, &str); 2] = [
    ("includeIf.gitdir:**.path", "mledger/hooks.config"),
    ("includeIf.gitdir:./worktrees/.path", "mledger/hooks-worktrees.config"),
];

/// The hooks that are passed on always: any may appear in the others' folder later.
const USUAL: [&str; 15] = [
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "sendemail-validate",
];

/// The hooks that are passed on where the others' folder holds them: Git runs them often, or does other things where
/// they are.
const RARE: [&str; 12] = [
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-index-change",
    "post-receive",
    "post-update",
    "pre-receive",
    "push-to-checkout",
    "reference-transaction",
    "update",
];

/// Our folder in a repository.
pub fn folder(git_dir: &Path) -> PathBuf {
    git_dir.join("mledger").join("shims")
}

/// What `core.hooksPath` is without us; none where it is not set.
pub fn configured(base: &Path) -> Result<Option<String>, InstallError> {
    Ok(others(&every_value(command::git(base))?))
}

/// The same, for the hook that runs in `dir`.
pub fn configured_in_hook(dir: &Path) -> Result<Option<String>, InstallError> {
    Ok(others(&every_value(command::git_in_hook(dir))?))
}

/// What Git goes by.
pub fn effective(base: &Path) -> Result<Option<String>, InstallError> {
    Ok(every_value(command::git(base))?.pop())
}

/// Whether a value of `core.hooksPath` leads to our folder.
pub fn is_our_folder(value: &str) -> bool {
    value.ends_with(OURS)
}

/// Puts shims into our folder and leads Git there.
pub fn install(repository: &Repository, program: &Path) -> Result<Vec<(&'static str, Done)>, InstallError> {
    let base = super::base(repository);
    let theirs = their_folder(repository)?;
    let ours = folder(repository.git_dir());
    fs::create_dir_all(&ours).map_err(|source| failed("make", &ours, source))?;
    let rare = RARE.into_iter().filter(|name| is_executable(&theirs.join(name)));
    for name in USUAL.into_iter().filter(|name| !CLIENT.contains(name)).chain(rare) {
        install_one(&ours, name, Shim::Others, program)?;
    }
    let done = CLIENT.iter().map(|name| {
        let done = install_one(&ours, name, Shim::Elsewhere, program)?;
        let chained = done == Done::Installed && is_executable(&theirs.join(name));
        Ok((*name, if chained { Done::Chained } else { done }))
    });
    let done = done.collect::<Result<Vec<_>, InstallError>>()?;
    lead(repository)?;
    match effective(base)? {
        Some(path) if is_our_folder(&path) => Ok(done),
        path => {
            undo(repository)?;
            Err(InstallError::Elsewhere { path: path.unwrap_or_default() })
        }
    }
}

/// Leads Git back and removes our folder, but for what others put there. Returns the names of our hooks that were there.
pub fn undo(repository: &Repository) -> Result<Vec<&'static str>, InstallError> {
    let base = super::base(repository);
    for (key, file) in INCLUDED {
        if included(base, key)?.iter().any(|value| value == file) {
            let exactly = format!("^{}$", file.replace('.', "\\."));
            command::output(command::git(base).args(["config", "--local", "--unset-all", key, &exactly]))?;
        }
        remove(&repository.git_dir().join(file))?;
    }
    let ours = folder(repository.git_dir());
    let there: Vec<_> = CLIENT.into_iter().filter(|name| ours.join(name).exists()).collect();
    for name in USUAL.into_iter().chain(RARE).chain(CLIENT) {
        while let Some(place) = found(&ours.join(name))? {
            remove(&place)?;
        }
    }
    let _ = fs::remove_dir(&ours);
    Ok(there)
}

/// Where the others' hooks are.
pub fn their_folder(repository: &Repository) -> Result<PathBuf, InstallError> {
    let base = super::base(repository);
    Ok(configured(base)?.map_or_else(|| repository.git_dir().join("hooks"), |path| base.join(path)))
}

/// The hooks in the others' folder that no shim of ours passes on.
pub fn unheard(repository: &Repository) -> Result<Vec<&'static str>, InstallError> {
    let (theirs, ours) = (their_folder(repository)?, folder(repository.git_dir()));
    let passed =
        |name: &str| found(&ours.join(name)).is_ok_and(|place| place.is_some_and(|place| is_executable(&place)));
    let missing = |name: &&str| is_executable(&theirs.join(name)) && !passed(name);
    Ok(USUAL.into_iter().chain(RARE).filter(missing).collect())
}

/// The files to include are there before anything includes them.
fn lead(repository: &Repository) -> Result<(), InstallError> {
    let (base, git_dir) = (super::base(repository), repository.git_dir());
    let absolute = folder(git_dir);
    let paths = [relative(repository).unwrap_or_else(|| absolute.clone()), absolute];
    for ((key, file), path) in INCLUDED.into_iter().zip(paths) {
        let file_path = git_dir.join(file);
        let mut set = command::git(base);
        set.arg("config").arg("--file").arg(&file_path).arg("core.hooksPath").arg(&path);
        command::output(&mut set)?;
        if !included(base, key)?.iter().any(|value| value == file) {
            command::output(command::git(base).args(["config", "--local", "--add", key, file]))?;
        }
    }
    Ok(())
}

/// Our folder from the top of the main work tree, where Git runs hooks, if both move together: a `.git` in it, or a
/// submodule of such a one.
fn relative(repository: &Repository) -> Option<PathBuf> {
    let git_dir = repository.git_dir();
    let ours = folder(git_dir);
    let within = |name: &str| git_dir.components().any(|part| part.as_os_str() == name);
    let top = if git_dir.ends_with(".git") {
        git_dir.parent()?
    } else if within(".git") && within("modules") && repository.own_dir() == git_dir {
        repository.work_dir()?
    } else {
        return None;
    };
    let (here, there): (Vec<_>, Vec<_>) = (top.components().collect(), ours.components().collect());
    let shared = here.iter().zip(&there).take_while(|(one, other)| one == other).count();
    let up = here.iter().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(there.into_iter().skip(shared)).collect())
}

fn included(base: &Path, key: &str) -> Result<Vec<String>, InstallError> {
    values(command::git(base).args(["config", "--local", "--get-all", "-z", key]))
}

fn every_value(mut git: std::process::Command) -> Result<Vec<String>, InstallError> {
    values(git.args(["config", "--type=path", "--get-all", "-z", "core.hooksPath"]))
}

/// Without a value Git fails, and says nothing.
fn values(git: &mut std::process::Command) -> Result<Vec<String>, InstallError> {
    match command::output(git) {
        Ok(listed) => Ok(listed.split_terminator('\0').map(str::to_owned).collect()),
        Err(GitError::Command { message, .. }) if message.is_empty() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn others(values: &[String]) -> Option<String> {
    values.iter().rfind(|value| !is_our_folder(value)).filter(|value| !value.is_empty()).cloned()
}
