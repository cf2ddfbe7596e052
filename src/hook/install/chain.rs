//! The hooks that were there before one of ours, oldest first: `NAME.before-mledger`, then `NAME.before-mledger-2` to
//! `-9`, where other programs put theirs in our place later.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::file::{failed, is_executable, is_there, read, rename, with_suffix};
use super::shim::is_ours;
use super::tool::Tool;
use super::{InstallError, elsewhere};
use crate::git::Repository;

/// What a hook that was there before is called.
const BEFORE: &str = ".before-mledger";

/// How many are kept: one digit, so that a shell without our program runs them in the same order.
const LENGTH_MAX: usize = 9;

/// Counts how deep hooks are in hooks.
const DEPTH: &str = "MLEDGER_HOOK_DEPTH";

/// A hook may commit or push, which runs hooks again; one that calls itself is stopped here.
const DEPTH_MAX: u32 = 8;

/// What runs before one of our hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    hooks: Vec<PathBuf>,
    /// Whether git-lfs is called itself, for want of its hook.
    lfs: bool,
}

impl Earlier {
    /// What was in a hooks folder before ours.
    pub fn beside(folder: &Path, name: &str) -> Self {
        Self { hooks: kept(&folder.join(name)), lfs: false }
    }

    /// The hook of the folder that `core.hooksPath` names, or else of Git's usual folder, for the hook that runs in
    /// `dir`; then what others put into our folder. Never one of ours: it would call this again.
    pub fn elsewhere(dir: &Path, git_dir: &Path, name: &str) -> Result<Self, InstallError> {
        let (hook, mut hooks) = if let Some(path) = elsewhere::configured_in_hook(dir)? {
            (dir.join(path).join(name), Vec::new())
        } else {
            let hook = git_dir.join("hooks").join(name);
            let before = kept(&hook);
            (hook, before)
        };
        if !read(&hook)?.is_some_and(|text| is_ours(&text)) {
            hooks.push(hook);
        }
        hooks.extend(kept(&elsewhere::folder(git_dir).join(name)));
        Ok(Self { hooks, lfs: false })
    }

    /// Where git-lfs came after us, it found our pre-push and left its own out, and `git lfs track` does not even say so.
    /// Without it a push sends pointers and no content. So it is called here, unless one of the hooks does.
    pub fn with_git_lfs(self, repository: &Repository, name: &str) -> Result<Self, InstallError> {
        let in_use = || -> Result<bool, InstallError> {
            let stores = repository.git_dir().join("lfs").exists() || repository.config("lfs.storage")?.is_some();
            Ok(stores && repository.config("filter.lfs.clean")?.is_some())
        };
        let calls = |path: &PathBuf| {
            is_executable(path) && read(path).is_ok_and(|text| text.is_some_and(|text| mentions_lfs(&text)))
        };
        let lfs = name == "pre-push" && !self.hooks.iter().any(calls) && in_use()?;
        Ok(Self { lfs, ..self })
    }

    /// Runs them with the same arguments and input, in the same place, until one fails. Returns its exit code.
    pub fn run(&self, arguments: &[OsString], input: &[u8]) -> Result<i32, InstallError> {
        for path in self.hooks.iter().filter(|path| is_executable(path)) {
            let code = run_one(path, arguments, input)?;
            if code != 0 {
                return Ok(code);
            }
        }
        if !self.lfs {
            return Ok(0);
        }
        let mut lfs = Command::new("git");
        let spawned = lfs.args(["lfs", "pre-push"]).args(arguments).stdin(Stdio::piped()).spawn();
        finish(spawned, input).map_err(|source| failed("run", Path::new("git lfs pre-push"), source))
    }
}

/// The hooks that are kept from before `hook`, oldest first.
pub fn kept(hook: &Path) -> Vec<PathBuf> {
    places(hook).filter(|path| is_there(path)).collect()
}

/// Keeps `theirs` as the newest of those before our `hook`. A newer one of the same program takes the older one's place:
/// a hook must not run twice.
pub fn keep(hook: &Path, theirs: &Path) -> Result<(), InstallError> {
    let same = kept(hook).into_iter().find(|path| is_same(path, theirs));
    let free = || places(hook).find(|path| !is_there(path));
    let place = same.or_else(free).ok_or_else(|| InstallError::Many { hook: hook.to_owned(), most: LENGTH_MAX })?;
    rename(theirs, &place)
}

/// Whether two hooks are equal, or written by the same program.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let bytes = |path| read(path).ok().flatten();
    let equal = || bytes(one) == bytes(other) && is_executable(one) == is_executable(other);
    tool(one).is_some_and(|tool_of_one| tool(other) == Some(tool_of_one)) || equal()
}

/// The program that wrote the hook.
pub fn tool(path: &Path) -> Option<Tool> {
    Tool::of(&read(path).ok().flatten()?)
}

fn places(hook: &Path) -> impl Iterator<Item = PathBuf> {
    let first = with_suffix(hook, BEFORE);
    let more = (2..=LENGTH_MAX).map({
        let first = first.clone();
        move |n| with_suffix(&first, &format!("-{n}"))
    });
    std::iter::once(first).chain(more)
}

fn run_one(path: &Path, arguments: &[OsString], input: &[u8]) -> Result<i32, InstallError> {
    let depth: u32 = std::env::var(DEPTH).ok().and_then(|depth| depth.parse().ok()).unwrap_or(0);
    if depth >= DEPTH_MAX {
        return Err(InstallError::Endless(path.to_owned()));
    }
    finish(spawn(path, arguments, depth + 1), input).map_err(|source| failed("run", path, source))
}

fn finish(spawned: std::io::Result<Child>, input: &[u8]) -> std::io::Result<i32> {
    let mut child = spawned?;
    // A hook that does not read its input is free not to; that it did not is no failure of ours.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    // A hook that a signal killed has not agreed to anything.
    Ok(child.wait()?.code().unwrap_or(1))
}

/// A hook that calls it under another name makes it run twice, which only costs time.
fn mentions_lfs(text: &[u8]) -> bool {
    ["git lfs", "git-lfs"].iter().any(|name| text.windows(name.len()).any(|part| part == name.as_bytes()))
}

/// As Git does: a script without a first line that says what runs it is the shell's.
fn spawn(path: &Path, arguments: &[OsString], depth: u32) -> std::io::Result<Child> {
    let with =
        |mut command: Command| command.args(arguments).env(DEPTH, depth.to_string()).stdin(Stdio::piped()).spawn();
    let by_shell = || {
        let mut shell = Command::new("sh");
        shell.arg(path);
        with(shell)
    };
    if cfg!(windows) {
        return by_shell();
    }
    match with(Command::new(path)) {
        Err(error) if error.raw_os_error() == Some(EXEC_FORMAT_ERROR) => by_shell(),
        spawned => spawned,
    }
}

/// `ENOEXEC`, on every Unix.
const EXEC_FORMAT_ERROR: i32 = 8;
