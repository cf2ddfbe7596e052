//! Why a command failed, for people: what happened, why, and what to type next.
//!
//! ```text
//! error: there is no ledger here
//!   because: …
//!   try: mledger init
//! ```

mod hint;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::output::{BAD, TITLE, tame};

/// What a program that dies of SIGPIPE reports: a result that was not read to its end must not pass for a good one.
const BROKEN_PIPE: u8 = 128 + 13;

/// A command that could not do what it was asked to. Every error of the library becomes one by `?`.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    hint: Option<String>,
    /// What happened, then the causes.
    words: Vec<String>,
}

impl Failure {
    /// A failure that the binary itself found.
    pub fn new(words: impl Into<String>) -> Self {
        Self { code: 1, hint: None, words: vec![words.into()] }
    }

    /// Arguments that make no sense together.
    pub fn usage(words: impl Into<String>) -> Self {
        Self { code: 2, ..Self::new(words) }
    }

    /// A file that could not be used.
    pub fn file(what: &str, path: &Path, source: io::Error) -> Self {
        Self::from(source).of(format!("could not {what} `{}`", path.display()))
    }

    /// Says what was attempted; what happened becomes its cause.
    #[must_use]
    pub fn of(mut self, words: impl Into<String>) -> Self {
        self.words.insert(0, words.into());
        self
    }

    /// Counts as something that verification found.
    #[must_use]
    pub fn found(self) -> Self {
        Self { code: 4, ..self }
    }

    /// Says what to type next, a command per line.
    #[must_use]
    pub fn try_this(mut self, command: impl Into<String>) -> Self {
        self.hint = Some(command.into());
        self
    }

    /// What happened, then the causes.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether there is nobody to tell: the reader of the results went away.
    pub fn is_silent(&self) -> bool {
        self.code == BROKEN_PIPE
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if is_broken_pipe(&error) { BROKEN_PIPE } else { 1 };
        let words = words(&error);
        Self { code, hint: hint::of_shortage(&words).or_else(|| hint::of(&error)), words }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words.iter().map(|words| indented(words));
        write!(f, "{BAD}error:{BAD:#} {}", words.next().unwrap_or_default())?;
        words.try_for_each(|cause| write!(f, "\n  because: {cause}"))?;
        self.hint.iter().try_for_each(|hint| {
            let hint = hint.replace('\n', "\n       ");
            write!(f, "\n  {TITLE}try:{TITLE:#} {hint}")
        })
    }
}

/// Messages of other programs have several lines; those after the first are set in.
fn indented(words: &str) -> String {
    words.lines().map(tame).collect::<Vec<_>>().join("\n    ")
}

/// The message of the error and of each of its causes, without those that the one before quotes already.
fn words(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for link in chain(error) {
        let message = link.to_string();
        if words.last().is_none_or(|last| !last.ends_with(&message)) {
            words.push(message);
        }
    }
    words
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&link| link.source())
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let io_kind = |link: &(dyn Error + 'static)| link.downcast_ref::<io::Error>().map(io::Error::kind);
    let json_kind = |link: &(dyn Error + 'static)| {
        link.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind)
    };
    chain(error).any(|link| io_kind(link).or_else(|| json_kind(link)) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mledger::ledger::read::ReadError;

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let plain = |failure: &Failure| anstream::adapter::strip_str(&failure.to_string()).to_string();
        let failure = Failure::from(ReadError::NoLedger);
        assert_eq!(plain(&failure), "error: there is no ledger here\n  try: mledger init");
        let failure = Failure::from(io::Error::other("disk full\u{7}")).of("could not write `x`");
        assert_eq!(plain(&failure), "error: could not write `x`\n  because: disk full\u{fffd}");
        let failure = Failure::new("`git fetch` failed: one\r\ntwo").try_this("git fetch");
        assert_eq!(plain(&failure), "error: `git fetch` failed: one\n    two\n  try: git fetch");
    }

    #[test]
    fn a_reader_that_went_away_is_not_told() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Failure::from(gone()).is_silent());
        assert!(Failure::from(serde_json::Error::io(gone())).is_silent());
        assert!(!Failure::from(io::Error::from(io::ErrorKind::NotFound)).is_silent());
    }
}
