//! Git's configuration as Git itself sees it in the caller's environment, and where each value comes from.
//!
//! ```text
//! git config --list -z --show-scope --show-origin
//! local␀file:.git/config␀commit.gpgsign⏎true␀command␀command line:␀commit.gpgsign⏎false␀
//! ```

use std::path::{Path, PathBuf};

use super::probe::{self, ProbeError};
use super::{quoted, quoted_text};
use crate::git::command;

/// The variables that hold settings, which a command of ours does not see otherwise.
const VARIABLES: [&str; 2] = ["GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"];

/// Every setting, in the order in which later ones win.
pub(super) struct Settings(Vec<Setting>);

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    key: String,
    source: Source,
    /// What it is; a key without a value means true.
    pub value: String,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The repository's own file.
    Own,
    /// A file that the repository's own includes.
    Included(PathBuf),
    /// The file of this work tree alone.
    Worktree,
    /// The environment, or an option of the command line.
    Environment,
    /// The person's or the machine's files.
    Outside,
}

impl Settings {
    /// Reads them as they hold in `base`.
    pub fn read(base: &Path) -> Result<Self, ProbeError> {
        let mut list = command::git(base);
        for name in VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                list.env(name, value);
            }
        }
        let listed = probe::output(list.args(["config", "--list", "-z", "--show-scope", "--show-origin"]))?;
        let own = probe::output(command::git(base).args(["rev-parse", "--git-common-dir"]))?;
        let own = base.join(String::from_utf8_lossy(&own).trim_end()).join("config");
        let listed = String::from_utf8_lossy(&listed);
        let words: Vec<&str> = listed.split('\0').collect();
        Ok(Self(words.chunks_exact(3).filter_map(|three| setting(base, &own, three)).collect()))
    }

    /// The value that counts.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.iter().rfind(|setting| setting.key.eq_ignore_ascii_case(key))
    }

    /// The text of the value that counts.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|setting| setting.value.as_str())
    }

    /// Every value of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl DoubleEndedIterator<Item = &'a Setting> {
        self.0.iter().filter(move |setting| setting.key.eq_ignore_ascii_case(key))
    }

    /// Whether any key begins and ends like this, as in `remote.origin.promisor`.
    pub fn has_like(&self, begin: &str, end: &str) -> bool {
        self.0.iter().any(|setting| setting.key.starts_with(begin) && setting.key.ends_with(end))
    }
}

impl Setting {
    /// Where it stands.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where it stands, in words.
    pub fn place(&self) -> String {
        match &self.source {
            Source::Own => "in the repository's configuration".to_owned(),
            Source::Included(path) => format!("in `{}`, which the repository's configuration includes", path.display()),
            Source::Worktree => "in the configuration of this work tree alone".to_owned(),
            Source::Environment => "in the environment".to_owned(),
            Source::Outside => "in your own configuration, or the machine's".to_owned(),
        }
    }

    /// The command that takes it away.
    pub fn unset(&self) -> String {
        let key = quoted_text(&self.key);
        match &self.source {
            Source::Own => format!("git config --local --unset-all {key}"),
            Source::Included(path) => format!("git config --file {} --unset-all {key}", quoted(path)),
            Source::Worktree => format!("git config --worktree --unset-all {key}"),
            Source::Environment => format!("unset {}", VARIABLES.join(" ")),
            Source::Outside => format!("git config --global --unset-all {key}"),
        }
    }
}

/// Whether Git reads a value as true.
pub(super) fn is_true(value: &str) -> bool {
    ["true", "yes", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.parse::<i64>().is_ok_and(|number| number != 0)
}

fn setting(base: &Path, own: &Path, three: &[&str]) -> Option<Setting> {
    let [scope, origin, pair] = three else { return None };
    let (key, value) = pair.split_once('\n').unwrap_or((pair, "true"));
    let file = origin.strip_prefix("file:").map(|path| base.join(path));
    let source = match (*scope, file) {
        ("local", Some(file)) if !is_same(&file, own) => Source::Included(file),
        ("local", _) => Source::Own,
        ("worktree", _) => Source::Worktree,
        ("command", _) => Source::Environment,
        _ => Source::Outside,
    };
    Some(Setting { key: key.to_owned(), source, value: value.to_owned() })
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_takes_these_for_true() {
        for (value, expected) in
            [("true", true), ("Yes", true), ("on", true), ("2", true), ("0", false), ("false", false), ("", false)]
        {
            assert_eq!(is_true(value), expected, "{value}");
        }
    }
}
