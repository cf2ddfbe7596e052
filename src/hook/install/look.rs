//! A look at a clone's hooks that changes nothing.

use std::path::{Path, PathBuf};

use super::file::{is_executable, read};
use super::shim::{Shim, is_ours, program as program_of};
use super::tool::Tool;
use super::{CLIENT, InstallError, base, elsewhere, place};
use crate::git::Repository;

/// What there is of our hooks in a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// `core.hooksPath`, where it leads Git past our hooks.
    pub elsewhere: Option<String>,
    /// Each of [`CLIENT`], in its order.
    pub hooks: Vec<(&'static str, State)>,
    /// Hooks in the folder of others that ours keep from being run, as they came after `init`.
    pub unheard: Vec<&'static str>,
}

/// What there is of one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Ours, as this version writes it.
    Current,
    /// Ours, and calls another program, or was written by another version.
    Other {
        /// Whether the program is gone.
        gone: bool,
        /// The program.
        program: PathBuf,
    },
    /// Ours, and Git does not run it: it may not be executed.
    NotExecutable,
    /// Another hook is in its place.
    Replaced {
        /// The program that wrote it, if it is known.
        by: Option<Tool>,
    },
    /// There is none.
    Missing,
}

impl Look {
    /// Whether every hook is ours and as it should be.
    pub fn is_good(&self) -> bool {
        self.elsewhere.is_none()
            && self.unheard.is_empty()
            && self.hooks.iter().all(|(_, state)| *state == State::Current)
    }
}

/// Looks where Git looks for hooks, for shims that call `program`. Where something is amiss, `init` mends it.
pub fn look(repository: &Repository, program: &Path) -> Result<Look, InstallError> {
    let base = base(repository);
    let led = elsewhere::effective(base)?.filter(|path| !path.is_empty());
    let ours = led.as_deref().is_some_and(elsewhere::is_our_folder);
    let (folder, shim) = match &led {
        Some(path) if ours => (base.join(path), Shim::Elsewhere),
        _ => (elsewhere::their_folder(repository)?, Shim::Beside),
    };
    let state = |name| Ok((name, state(&folder, name, shim, program)?));
    let hooks = CLIENT.into_iter().map(state).collect::<Result<Vec<_>, InstallError>>()?;
    let unheard = if ours { elsewhere::unheard(repository)? } else { Vec::new() };
    let elsewhere = if ours { None } else { super::elsewhere(repository)? };
    Ok(Look { elsewhere, hooks, unheard })
}

fn state(folder: &Path, name: &str, shim: Shim, program: &Path) -> Result<State, InstallError> {
    let hook = folder.join(name);
    let Some(present) = read(&hook)? else { return Ok(State::Missing) };
    let place = place(&hook);
    let Some(text) = read(&place)?.filter(|text| is_ours(text)) else {
        return Ok(State::Replaced { by: Tool::of(&present) });
    };
    if !is_executable(&place) {
        return Ok(State::NotExecutable);
    }
    if text == shim.text(name, program)?.as_bytes() {
        return Ok(if program.exists() {
            State::Current
        } else {
            State::Other { gone: true, program: program.to_owned() }
        });
    }
    let called = program_of(&text).unwrap_or_default();
    Ok(State::Other { gone: !called.exists(), program: called })
}
