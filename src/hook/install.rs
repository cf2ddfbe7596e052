//! Shims in a repository's hooks folder, and the hooks that live with them.
//!
//! ```text
//! hooks/pre-push                     ours: calls this very binary, or one of its name
//! hooks/pre-push.before-mledger      what was there before, untouched; runs first, and its exit code decides
//! hooks/pre-push.before-mledger-2    what another program put in our place later, once `init` has mended that
//! hooks/pre-receive.d/mledger        ours on a server whose own pre-receive runs whatever lies in that folder
//! mledger/shims/pre-push             ours in a clone whose `core.hooksPath` is set, see `elsewhere`
//! ```
//!
//! | who | writes where Git looks | and finds ours there |
//! |---|---|---|
//! | `git lfs install` | pre-push, post-checkout, post-commit, post-merge | complains; with `update --force`, replaces them |
//! | `pre-commit install` | what it is told | calls it `NAME.legacy` and runs it first; refuses where `core.hooksPath` is set |
//! | `lefthook install` | what it is told | calls it `NAME.old`, which nobody runs; refuses where `core.hooksPath` is set |
//! | `husky` | its own folder, and sets `core.hooksPath` | never looks |
//!
//! So a shim stands in front of whatever Git would run without it, and `init` puts it there again. Where pre-commit's
//! hook is, ours becomes its `NAME.legacy`: in its place, pre-commit would make ours that, and lose what had that name.
//!
//! A server's shim only calls the binary: without it the push is denied. A clone's shim without its binary warns, runs
//! the hooks that were there before and lets the work go on: the gate judges it anyway.

mod chain;
mod elsewhere;
mod file;
mod look;
mod shim;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::{GitError, Repository, command};
use chain::{is_same, keep, kept};
use file::{failed, is_executable, is_there, read, remove, rename, with_suffix, write};
use shim::Shim;

pub use chain::Earlier;
pub use look::{Look, State, look};
pub use shim::is_ours;
pub use tool::Tool;

/// The hooks of an engineer's clone.
pub const CLIENT: [&str; 7] =
    ["prepare-commit-msg", "commit-msg", "post-commit", "post-applypatch", "post-merge", "post-rewrite", "pre-push"];

/// The hooks of a server's repository.
pub const SERVER: [&str; 2] = ["pre-receive", "post-receive"];

/// The hook of a template that sets up new clones. No other program has a hook of this name, and Git runs it once a
/// clone has its first files.
pub const NEW_CLONE: &str = "post-index-change";

/// What pre-commit calls a hook that it found and runs first.
const LEGACY: &str = ".legacy";

/// What lefthook calls a hook that it found, and nobody runs.
const OLD: &str = ".old";

/// Why hooks cannot be installed or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// No hook of ours.
    #[error("there is no hook called `{0}`")]
    Unknown(String),
    /// Git looks for hooks in a folder that belongs to more than this repository.
    #[error("`core.hooksPath` is set to `{path}` for more than this repository")]
    Elsewhere {
        /// Its value.
        path: String,
    },
    /// Too many programs put theirs in the place of ours.
    #[error("{most} hooks from before `{hook}` are kept already")]
    Many {
        /// The hook.
        hook: PathBuf,
        /// How many are kept.
        most: usize,
    },
    /// Hooks that run each other.
    #[error("hooks run each other without end; the last was `{0}`")]
    Endless(PathBuf),
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
    /// The newest of what was there before is there again; the older ones stay beside it.
    RestoredNewest,
    /// Somebody else's hook has replaced our shim, and stays; what was there before ours stays beside it.
    Foreign,
}

/// The folder whose hooks Git runs in this repository, if it belongs to this repository alone.
pub fn folder(repository: &Repository) -> Result<PathBuf, InstallError> {
    let standard = repository.git_dir().join("hooks");
    let base = base(repository);
    let Some(set) = repository.config("core.hookspath")? else { return Ok(standard) };
    let local = command::output(command::git(base).args(["config", "--local", "--get", "core.hooksPath"])).is_ok();
    let path =
        base.join(command::output(command::git(base).args(["config", "--type=path", "--get", "core.hooksPath"]))?);
    let inside = path.starts_with(repository.git_dir()) || path.starts_with(base);
    if local || inside { Ok(path) } else { Err(InstallError::Elsewhere { path: set }) }
}

/// Puts shims that call `program` in front of the hooks of an engineer's clone, wherever they lie.
pub fn install_client(repository: &Repository, program: &Path) -> Result<Vec<(&'static str, Done)>, InstallError> {
    let standard = repository.git_dir().join("hooks");
    if is_elsewhere(repository)? {
        // Theirs may well call what lies in the usual place: there, ours would run twice.
        undo(&standard, &CLIENT)?;
        return elsewhere::install(repository, program);
    }
    let done = install(&standard, &CLIENT, program)?;
    elsewhere::undo(repository)?;
    Ok(done)
}

/// Takes them away again.
pub fn undo_client(repository: &Repository) -> Result<Vec<(&'static str, Done)>, InstallError> {
    let were = elsewhere::undo(repository)?;
    let beside = undo(&repository.git_dir().join("hooks"), &CLIENT)?;
    let both =
        |(name, done)| (name, if done == Done::Unchanged && were.contains(&name) { Done::Removed } else { done });
    Ok(beside.into_iter().map(both).collect())
}

/// The hooks of others that [`undo_client`] kept, but Git does not run, as newer ones are in their place or nothing
/// leads to them any more.
pub fn left(repository: &Repository) -> Result<Vec<PathBuf>, InstallError> {
    let standard = repository.git_dir().join("hooks");
    let mut left: Vec<PathBuf> = CLIENT.iter().flat_map(|name| kept(&standard.join(name))).collect();
    let ours = elsewhere::folder(repository.git_dir());
    if ours.exists() {
        let entries = fs::read_dir(&ours).map_err(|source| failed("read", &ours, source))?;
        left.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    left.sort();
    Ok(left)
}

/// The folder of others whose hooks Git runs here without us, as `core.hooksPath` names it.
pub fn elsewhere(repository: &Repository) -> Result<Option<String>, InstallError> {
    if !is_elsewhere(repository)? {
        return Ok(None);
    }
    let configured = elsewhere::configured(base(repository))?;
    Ok(Some(configured.unwrap_or_else(|| repository.git_dir().join("hooks").display().to_string())))
}

/// Puts shims that call `program` into `folder`, and keeps what is there. Doing it again changes nothing.
pub fn install<'a>(folder: &Path, names: &[&'a str], program: &Path) -> Result<Vec<(&'a str, Done)>, InstallError> {
    fs::create_dir_all(folder).map_err(|source| failed("make", folder, source))?;
    names.iter().map(|name| Ok((*name, install_one(folder, name, Shim::Beside, program)?))).collect()
}

/// Takes our shims out of `folder` and puts back what was there.
pub fn undo<'a>(folder: &Path, names: &[&'a str]) -> Result<Vec<(&'a str, Done)>, InstallError> {
    names.iter().map(|name| Ok((*name, undo_one(folder, name)?))).collect()
}

/// Puts the server's shims into a repository, and returns the names of hooks that were there and run first now.
pub fn install_server(repository: &Repository, program: &Path) -> Result<Vec<String>, InstallError> {
    let done = install(&folder(repository)?, &SERVER, program)?;
    Ok(done.into_iter().filter(|(_, done)| *done == Done::Chained).map(|(name, _)| name.to_owned()).collect())
}

/// What a server's hook is that calls `program`.
pub(super) fn server_shim(name: &str, program: &Path) -> Result<String, InstallError> {
    Shim::Beside.text(name, program)
}

fn base(repository: &Repository) -> &Path {
    repository.work_dir().unwrap_or(repository.git_dir())
}

/// Whether ours must not lie in the usual place: Git runs the hooks of another folder here without us, or the usual one
/// is a link to another, or a hook there would not do its work under another name.
fn is_elsewhere(repository: &Repository) -> Result<bool, InstallError> {
    let standard = repository.git_dir().join("hooks");
    let Some(path) = elsewhere::configured(base(repository))? else {
        return Ok(standard.is_symlink() || CLIENT.iter().any(|name| knows_its_name(&standard.join(name))));
    };
    let theirs = base(repository).join(path);
    let same = theirs == standard
        || fs::canonicalize(theirs).ok().is_some_and(|real| fs::canonicalize(&standard).ok() == Some(real));
    Ok(!same || standard.is_symlink())
}

/// Whether a hook asks what it is called, as one script for many hooks does. One that is kept already does without.
fn knows_its_name(hook: &Path) -> bool {
    const ASKS: [&str; 6] = ["basename", "${0##", "case $0", "case \"$0\"", "argv[0]", "PROGRAM_NAME"];
    let text = read(hook).ok().flatten().unwrap_or_default();
    let asks = || ASKS.iter().any(|word| text.windows(word.len()).any(|part| part == word.as_bytes()));
    is_executable(hook) && !is_ours(&text) && Tool::of(&text).is_none() && kept(hook).is_empty() && asks()
}

/// Where our shim goes. The hooks of Gitea and Forgejo run all that lies in the folder called like themselves, and are
/// written anew by them: in their place ours would not last, and under another name theirs would look into another
/// folder, and check nothing.
pub(super) fn slot(folder: &Path, name: &str) -> PathBuf {
    let (hook, many) = (folder.join(name), folder.join(format!("{name}.d")));
    let runs_many = |text: Vec<u8>| !is_ours(&text) && text.windows(3).any(|part| part == b".d/");
    if SERVER.contains(&name)
        && many.is_dir()
        && is_executable(&hook)
        && read(&hook).ok().flatten().is_some_and(runs_many)
    {
        return many.join("mledger");
    }
    hook
}

/// Where our shim is: in its place, or where another program moved it to.
fn found(hook: &Path) -> Result<Option<PathBuf>, InstallError> {
    for place in std::iter::once(hook.to_owned()).chain([LEGACY, OLD].map(|suffix| with_suffix(hook, suffix))) {
        if read(&place)?.is_some_and(|text| is_ours(&text)) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Where our shim is to be: in the hook's place, or as what pre-commit runs first.
fn place(hook: &Path) -> PathBuf {
    if chain::tool(hook) == Some(Tool::PreCommit) { with_suffix(hook, LEGACY) } else { hook.to_owned() }
}

fn install_one(folder: &Path, name: &str, shim: Shim, program: &Path) -> Result<Done, InstallError> {
    let hook = slot(folder, name);
    let text = shim.text(name, program)?;
    let place = place(&hook);
    let present = read(&place)?;
    if present.as_deref().is_some_and(is_ours) {
        if present.as_deref() == Some(text.as_bytes()) && is_executable(&place) {
            return Ok(Done::Unchanged);
        }
        write(&place, &text)?;
        return Ok(Done::Renewed);
    }
    // Under another name nobody runs it, and lefthook stops where it finds one.
    if let Some(place) = found(&hook)? {
        remove(&place)?;
    }
    let done = if is_there(&hook) { Done::Chained } else { Done::Installed };
    if present.is_some() {
        keep(&hook, &place)?;
    }
    write(&place, &text)?;
    Ok(done)
}

fn undo_one(folder: &Path, name: &str) -> Result<Done, InstallError> {
    let hook = slot(folder, name);
    let place = found(&hook)?;
    if place.as_ref() != Some(&hook) && is_there(&hook) {
        // Its own newer one is there already.
        for older in kept(&hook).iter().filter(|older| is_same(older, &hook)) {
            remove(older)?;
        }
        if place.is_none() {
            return Ok(if kept(&hook).is_empty() { Done::Unchanged } else { Done::Foreign });
        }
    }
    let mut before = kept(&hook);
    match (place, before.pop()) {
        (place, Some(newest)) => {
            // Replaces our shim in one step: at no moment is there none.
            rename(&newest, &place.unwrap_or(hook))?;
            Ok(if before.is_empty() { Done::Restored } else { Done::RestoredNewest })
        }
        (Some(place), None) => {
            remove(&place)?;
            Ok(Done::Removed)
        }
        (None, None) => Ok(Done::Unchanged),
    }
}

#[cfg(test)]
mod tests;
