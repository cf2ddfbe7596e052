//! The `git commit` that runs the hook, as far as the system tells: what Git does not hand to its hooks.

use std::path::Path;

use crate::git::command;

/// How far above the hook the command is looked for: hook managers stand between.
#[cfg(unix)]
const ANCESTORS_MAX: usize = 6;

/// The short options of `git commit` whose value may stand behind them in the same word.
const TAKING_A_VALUE: &str = "mFcCtSu";

/// The words of a `git … commit …`.
#[derive(Clone, Debug)]
pub(super) struct CommitCommand(Vec<String>);

impl CommitCommand {
    /// Looks for the nearest one above this process; none where the system does not tell.
    #[cfg(unix)]
    pub(super) fn find() -> Option<Self> {
        let mut pid = std::os::unix::process::parent_id();
        for _ in 0..ANCESTORS_MAX {
            let (parent, words) = process(pid)?;
            let is_git = words.first().is_some_and(|program| program.rsplit('/').next() == Some("git"));
            if is_git && words.iter().any(|word| word == "commit") {
                return Some(Self(words));
            }
            pid = parent;
        }
        None
    }

    #[cfg(not(unix))]
    pub(super) fn find() -> Option<Self> {
        None
    }

    /// Whether it replaces HEAD. Git takes `--am` for `--amend` already.
    pub(super) fn amends(&self) -> bool {
        self.0.iter().any(|word| word.starts_with("--am"))
    }

    /// Whether it asks for no checks. A message that begins like the option makes it one, too: then nothing is checked.
    pub(super) fn skips_checks(&self) -> bool {
        let is_short = |word: &str| {
            let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
            letters.chars().take_while(|letter| !TAKING_A_VALUE.contains(*letter)).any(|letter| letter == 'n')
        };
        self.0.iter().any(|word| word.starts_with("--no-v") || is_short(word))
    }

    /// Whether Git will strip comments from the message that its editor shows: with `--cleanup=strip`, which is the
    /// default for an edited message. In all other modes comments stay, at least those above the scissors.
    pub(super) fn strips_comments(&self, dir: &Path) -> bool {
        if let Some(mode) = cleanup_word(&self.0) {
            return is_strip(mode);
        }
        let configured = command::output(command::git_in_hook(dir).args(["config", "--get", "commit.cleanup"]));
        configured.map_or(true, |mode| is_strip(&mode))
    }
}

fn is_strip(mode: &str) -> bool {
    ["strip", "default"].contains(&mode)
}

/// The mode that the last `--cleanup` names; Git takes it for `--c` already.
fn cleanup_word(words: &[String]) -> Option<&str> {
    let mut mode = None;
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (option, value) = word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        if option.len() > 2 && "--cleanup".starts_with(option) {
            mode = value.or_else(|| words.next());
        }
    }
    mode
}

/// The parent and the words of a process.
#[cfg(target_os = "linux")]
fn process(pid: u32) -> Option<(u32, Vec<String>)> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    // The name, in parentheses, may hold anything.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some((parent, words))
}

/// The same where only `ps` tells; it does not say where a word ends.
#[cfg(all(unix, not(target_os = "linux")))]
fn process(pid: u32) -> Option<(u32, Vec<String>)> {
    let shown =
        std::process::Command::new("ps").args(["-o", "ppid=,command=", "-p", &pid.to_string()]).output().ok()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let mut words = shown.split_whitespace().map(str::to_owned);
    let parent = words.next()?.parse().ok()?;
    Some((parent, words.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_skipped_only_where_somebody_says_so() {
        for (line, skips) in [
            ("git commit -m new", false),
            ("git commit -amn", false),
            ("git commit -nm x", true),
            ("git commit -q --no-verify", true),
            ("git commit --no-edit --signoff", false),
        ] {
            let command = CommitCommand(line.split(' ').map(str::to_owned).collect());
            assert_eq!(command.skips_checks(), skips, "{line}");
        }
    }

    #[test]
    fn the_last_mode_counts_however_short_its_option() {
        for (line, mode) in [
            ("git commit -v", None),
            ("git commit --cleanup=verbatim", Some("verbatim")),
            ("git commit --cle scissors -v", Some("scissors")),
            ("git commit --cleanup=verbatim --cleanup=strip", Some("strip")),
            ("git commit -c HEAD -- --", None),
            ("git commit --cleanup", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(cleanup_word(&words), mode, "{line}");
        }
    }
}
