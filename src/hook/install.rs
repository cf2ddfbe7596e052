//! Shims in a repository's hooks folder, and the hooks that were there before.
//!
//! ```text
//! hooks/pre-push                   ours: three lines that call this very binary
//! hooks/pre-push.before-mledger    what was there before, untouched; runs first, and its exit code decides
//! hooks/pre-receive.d/mledger      ours on a server whose own pre-receive runs whatever lies in that folder
//! ```
//!
//! A server's shim only calls the binary: without it the push is denied. A clone's shim without its binary warns, runs
//! the hook that was there before and lets the work go on: the gate judges it anyway.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::git::{GitError, Repository, command};

/// The hooks of an engineer's clone.
pub const CLIENT: [&str; 7] =
    ["prepare-commit-msg", "commit-msg", "post-commit", "post-applypatch", "post-merge", "post-rewrite", "pre-push"];

/// The hooks of a server's repository.
pub const SERVER: [&str; 2] = ["pre-receive", "post-receive"];

/// What a hook that was there before is called.
const BEFORE: &str = ".before-mledger";

/// The second line of a shim, by which it is known as ours.
const MARK: &str = "# Installed by `mledger init`.";

const SHIMS: [(&str, &str); 9] = [
    ("prepare-commit-msg", include_str!("../../hooks/prepare-commit-msg")),
    ("commit-msg", include_str!("../../hooks/commit-msg")),
    ("post-commit", include_str!("../../hooks/post-commit")),
    ("post-applypatch", include_str!("../../hooks/post-applypatch")),
    ("post-merge", include_str!("../../hooks/post-merge")),
    ("post-rewrite", include_str!("../../hooks/post-rewrite")),
    ("pre-push", include_str!("../../hooks/pre-push")),
    ("pre-receive", include_str!("../../hooks/pre-receive")),
    ("post-receive", include_str!("../../hooks/post-receive")),
];

/// Why hooks cannot be installed or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// No hook of ours.
    #[error("there is no hook called `{0}`")]
    Unknown(String),
    /// `core.hooksPath` leads out of the repository, so the hooks of other repositories lie there, too.
    #[error("`core.hooksPath` is set to `{path}` for more than this repository")]
    Elsewhere {
        /// Its value.
        path: String,
    },
    /// Somebody replaced our shim, and the hook from before is still kept.
    #[error("`{hook}` is not mledger's, and `{before}` is kept from before already")]
    Both {
        /// The hook.
        hook: PathBuf,
        /// What was there before ours.
        before: PathBuf,
    },
    /// A path that a shell script cannot hold.
    #[error("the program's path `{0}` is not UTF-8 text")]
    Program(PathBuf),
    /// A file.
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
}

/// What installing or taking away did to one hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Our shim is there now, where nothing was.
    Installed,
    /// Our shim is there now, and what was there runs first.
    Chained,
    /// Our shim was there, and calls this binary now.
    Renewed,
    /// Nothing was to do.
    Unchanged,
    /// Our shim is gone.
    Removed,
    /// What was there before is there again.
    Restored,
    /// Somebody else's hook has replaced our shim, and stays.
    Foreign,
}

/// The folder whose hooks Git runs in this repository, if it belongs to this repository alone.
pub fn folder(repository: &Repository) -> Result<PathBuf, InstallError> {
    let standard = repository.git_dir().join("hooks");
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    let Some(set) = repository.config("core.hookspath")? else { return Ok(standard) };
    let local = command::output(command::git(base).args(["config", "--local", "--get", "core.hooksPath"])).is_ok();
    let path =
        base.join(command::output(command::git(base).args(["config", "--type=path", "--get", "core.hooksPath"]))?);
    let inside = path.starts_with(repository.git_dir()) || path.starts_with(base);
    if local || inside { Ok(path) } else { Err(InstallError::Elsewhere { path: set }) }
}

/// Puts shims that call `program` into `folder`, and keeps what is there. Doing it again changes nothing.
pub fn install<'a>(folder: &Path, names: &[&'a str], program: &Path) -> Result<Vec<(&'a str, Done)>, InstallError> {
    fs::create_dir_all(folder).map_err(|source| failed("make", folder, source))?;
    names.iter().map(|name| Ok((*name, install_one(folder, name, program)?))).collect()
}

/// Takes our shims out of `folder` and puts back what was there.
pub fn undo<'a>(folder: &Path, names: &[&'a str]) -> Result<Vec<(&'a str, Done)>, InstallError> {
    names.iter().map(|name| Ok((*name, undo_one(folder, name)?))).collect()
}

/// Runs the hook that was there before ours, with the same arguments and input, in the same place. Returns its exit
/// code, or none if there was no hook.
pub fn run_before(
    folder: &Path,
    name: &str,
    arguments: &[std::ffi::OsString],
    input: &[u8],
) -> Result<Option<i32>, InstallError> {
    let path = before(&folder.join(name));
    if !is_executable(&path) {
        return Ok(None);
    }
    let ran = Command::new(&path).args(arguments).stdin(Stdio::piped()).spawn().and_then(|mut child| {
        // A hook that does not read its input is free not to; that it did not is no failure of ours.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
        child.wait()
    });
    let status = ran.map_err(|source| failed("run", &path, source))?;
    // A hook that a signal killed has not agreed to anything.
    Ok(Some(status.code().unwrap_or(1)))
}

/// Puts the server's shims into a repository, and returns the names of hooks that were there and run first now.
pub fn install_server(repository: &Repository, program: &Path) -> Result<Vec<String>, InstallError> {
    let done = install(&folder(repository)?, &SERVER, program)?;
    Ok(done.into_iter().filter(|(_, done)| *done == Done::Chained).map(|(name, _)| name.to_owned()).collect())
}

/// Where our shim goes. The hooks of Gitea and Forgejo run all that lies in the folder called like themselves, and are
/// written anew by them: in their place ours would not last, and under another name theirs would look into another
/// folder, and check nothing.
fn slot(folder: &Path, name: &str) -> PathBuf {
    let (hook, many) = (folder.join(name), folder.join(format!("{name}.d")));
    let runs_many = |text: Vec<u8>| !is_ours(&text) && text.windows(3).any(|part| part == b".d/");
    if SERVER.contains(&name) && many.is_dir() && is_executable(&hook) && fs::read(&hook).is_ok_and(runs_many) {
        return many.join("mledger");
    }
    hook
}

fn install_one(folder: &Path, name: &str, program: &Path) -> Result<Done, InstallError> {
    let hook = slot(folder, name);
    let text = shim(name, program)?;
    let Some(present) = read(&hook)? else {
        write(&hook, &text)?;
        return Ok(Done::Installed);
    };
    if present == text.as_bytes() && is_executable(&hook) {
        return Ok(Done::Unchanged);
    }
    if is_ours(&present) {
        write(&hook, &text)?;
        return Ok(Done::Renewed);
    }
    let before = before(&hook);
    if fs::symlink_metadata(&before).is_ok() {
        return Err(InstallError::Both { hook, before });
    }
    fs::rename(&hook, &before).map_err(|source| failed("rename", &hook, source))?;
    write(&hook, &text)?;
    Ok(Done::Chained)
}

fn undo_one(folder: &Path, name: &str) -> Result<Done, InstallError> {
    let hook = slot(folder, name);
    let before = before(&hook);
    let present = read(&hook)?;
    if present.as_deref().is_some_and(|text| !is_ours(text)) {
        return Ok(Done::Foreign);
    }
    if fs::symlink_metadata(&before).is_ok() {
        // Replaces our shim in one step: at no moment is there none.
        fs::rename(&before, &hook).map_err(|source| failed("rename", &before, source))?;
        return Ok(Done::Restored);
    }
    if present.is_none() {
        return Ok(Done::Unchanged);
    }
    fs::remove_file(&hook).map_err(|source| failed("remove", &hook, source))?;
    Ok(Done::Removed)
}

fn shim(name: &str, program: &Path) -> Result<String, InstallError> {
    let template = SHIMS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let template = template.ok_or_else(|| InstallError::Unknown(name.to_owned()))?;
    let path = program.to_str().ok_or_else(|| InstallError::Program(program.to_owned()))?;
    let quoted = format!("'{}'", path.replace('\'', r"'\''"));
    let call = template.replace("exec mledger ", &format!("exec {quoted} "));
    Ok(call.replace("command -v mledger ", &format!("command -v {quoted} ")))
}

fn before(hook: &Path) -> PathBuf {
    let mut path = hook.as_os_str().to_owned();
    path.push(BEFORE);
    path.into()
}

fn is_ours(text: &[u8]) -> bool {
    let second = text.split(|byte| *byte == b'\n').nth(1);
    second.is_some_and(|line| line.starts_with(MARK.as_bytes()))
}

/// The file's bytes; none where nothing is. A dangling link is something, and empty.
fn read(path: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(fs::symlink_metadata(path).is_ok().then(Vec::new))
        }
        Err(source) => Err(failed("read", path, source)),
    }
}

/// Writes beside and renames: a Git that runs the hook meanwhile sees the old one or the new one.
fn write(path: &Path, text: &str) -> Result<(), InstallError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new-mledger");
    let fresh = PathBuf::from(fresh);
    let written = fs::write(&fresh, text).and_then(|()| allow_to_run(&fresh)).and_then(|()| fs::rename(&fresh, path));
    written.map_err(|source| failed("write", path, source))
}

#[cfg(unix)]
fn allow_to_run(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn allow_to_run(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> InstallError {
    InstallError::File { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "/opt/it's here/mledger";

    fn written(folder: &Path, name: &str, text: &str) {
        write(&folder.join(name), text).unwrap();
    }

    #[test]
    fn shims_come_and_go_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = folder.path().join("hooks");
        let names = ["pre-push", "post-commit"];
        let all = |done| names.map(|name| (name, done)).to_vec();
        assert_eq!(install(&hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Installed));
        assert_eq!(install(&hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Unchanged));
        assert_eq!(install(&hooks, &names, Path::new("/elsewhere")).unwrap(), all(Done::Renewed));
        assert_eq!(undo(&hooks, &names).unwrap(), all(Done::Removed));
        assert_eq!(undo(&hooks, &names).unwrap(), all(Done::Unchanged));
        assert_eq!(fs::read_dir(&hooks).unwrap().count(), 0);
    }

    #[test]
    fn what_was_there_is_kept_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = folder.path();
        let theirs = "#!/bin/sh\r\nexit 0 # \u{fc}";
        written(hooks, "pre-push", theirs);
        assert_eq!(install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap(), [("pre-push", Done::Chained)]);
        assert_eq!(install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap(), [("pre-push", Done::Unchanged)]);
        assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Restored)]);
        assert_eq!(fs::read_to_string(hooks.join("pre-push")).unwrap(), theirs);
        assert_eq!(fs::read_dir(hooks).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_counts_only_where_a_hook_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = folder.path();
        let names = ["pre-receive", "pre-push"];
        for name in names {
            fs::create_dir_all(hooks.join(format!("{name}.d"))).unwrap();
        }
        let all = |done| names.map(|name| (name, done)).to_vec();
        assert_eq!(install(hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Installed));
        assert_eq!(fs::read_dir(hooks.join("pre-receive.d")).unwrap().count(), 0);
        undo(hooks, &names).unwrap();
        for name in names {
            written(hooks, name, "#!/bin/sh\nfor hook in ${GIT_DIR}/hooks/${name}.d/*; do :; done\n");
        }
        let done = install(hooks, &names, Path::new(PROGRAM)).unwrap();
        assert_eq!(done, [("pre-receive", Done::Installed), ("pre-push", Done::Chained)]);
        assert!(is_ours(&fs::read(hooks.join("pre-receive.d/mledger")).unwrap()));
        assert_eq!(install(hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Unchanged));
        assert_eq!(undo(hooks, &names).unwrap(), [("pre-receive", Done::Removed), ("pre-push", Done::Restored)]);
    }

    #[test]
    fn a_hook_that_replaced_ours_is_never_lost() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = folder.path();
        written(hooks, "pre-push", "first");
        install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap();
        written(hooks, "pre-push", "second");
        let refused = install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap_err();
        assert!(matches!(refused, InstallError::Both { .. }), "{refused}");
        assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Foreign)]);
        assert_eq!(fs::read_to_string(before(&hooks.join("pre-push"))).unwrap(), "first");
    }

    #[test]
    fn every_hook_has_a_shim_that_calls_the_program_by_its_quoted_path() {
        for name in CLIENT.iter().chain(&SERVER) {
            let text = shim(name, Path::new(PROGRAM)).unwrap();
            assert_eq!(text.lines().count(), 3, "{text}");
            assert!(is_ours(text.as_bytes()), "{text}");
            assert!(text.contains(&format!(r#"exec '/opt/it'\''s here/mledger' hook {name} "$@""#)), "{text}");
        }
        assert!(matches!(shim("update", Path::new(PROGRAM)), Err(InstallError::Unknown(_))));
    }
}
