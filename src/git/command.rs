//! The git program, for what libgit2 does not do: fetch and push with a person's own transport and credentials,
//! configuration with its locks, `write-tree` on any kind of index.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::GitError;

/// What a hook's environment holds that would point git at another repository than the one meant
/// (`git rev-parse --local-env-vars`).
const LOCAL_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_QUARANTINE_PATH",
    "GIT_PUSH_CERT",
];

/// A git command in `dir`, free of the surrounding hook's environment.
pub fn git(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).stdin(Stdio::null());
    for name in LOCAL_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// A git command in `dir` that sees what the surrounding hook sees: its index, its work tree, its `-c` options.
pub fn git_in_hook(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// Runs a command and returns what it printed, without the last line's end.
pub fn output(command: &mut Command) -> Result<String, GitError> {
    let printed = bytes(command)?;
    Ok(String::from_utf8_lossy(&printed).trim_end_matches('\n').to_owned())
}

/// Runs a command and returns what it printed, byte for byte.
pub fn bytes(command: &mut Command) -> Result<Vec<u8>, GitError> {
    let run = command.output().map_err(|error| failure(command, &error.to_string()))?;
    if run.status.success() { Ok(run.stdout) } else { Err(failure(command, &complaint(&run))) }
}

/// Sets a value in the repository's own configuration, in the place of however many were there.
pub fn set_config(dir: &Path, key: &str, value: &str) -> Result<(), GitError> {
    output(git(dir).args(["config", "--local", "--replace-all", key, value])).map(|_| ())
}

/// Adds a value to those that a key of the repository's own configuration has, unless it is among them.
pub fn add_config(dir: &Path, key: &str, value: &str) -> Result<(), GitError> {
    // Without the key Git fails; a configuration that cannot be read fails below.
    let present = output(git(dir).args(["config", "--local", "--get-all", key])).unwrap_or_default();
    if present.lines().any(|line| line == value) {
        return Ok(());
    }
    output(git(dir).args(["config", "--local", "--add", key, value])).map(|_| ())
}

fn complaint(run: &Output) -> String {
    let text = String::from_utf8_lossy(&run.stderr);
    text.trim().chars().take(2000).collect()
}

fn failure(command: &Command, message: &str) -> GitError {
    let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    GitError::Command { command: words.join(" "), message: message.to_owned() }
}
