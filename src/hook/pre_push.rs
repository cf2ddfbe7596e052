//! `pre-push`: looks at the remote's ledger before anything is sent, so that nobody builds on one that took something
//! back; notes the push; and foretells the gate's answer.

use std::path::Path;

use super::forecast::{self, Weather};
use super::prepare_commit_msg::repository;
use super::sent::{self, Remote};
use crate::git::{GitError, Repository};
use crate::ledger::follow::{self, FollowError, Followed};
use crate::name::{Oid, RefName};
use crate::object::certificate::Command;

/// The configuration key that names the remote whose ledger is followed.
pub const REMOTE_KEY: &str = "mledger.remote";

/// The remote that is followed where none is configured.
pub const USUAL_REMOTE: &str = "origin";

/// The most refs of one push that are looked at; the gate takes no more.
const COMMANDS_MAX: usize = super::pre_receive::COMMANDS_MAX;

/// How many entries are searched for answers to earlier pushes before this one is made: a fraction of a second's work.
/// The next look goes on from there.
const SEARCHED_MAX: u64 = 10_000;

/// What the look at the ledger showed.
#[derive(Debug)]
pub enum Outlook {
    /// The push goes to a remote whose ledger is not followed, or that has none.
    NotFollowed,
    /// The ledger extends what was seen.
    Extends(Box<Followed>, Weather),
    /// The ledger could not be looked at. The push may go on: the gate judges it.
    Unseen(Box<FollowError>),
}

/// Looks at the ledger of the remote that a push goes to, in the repository of the hook that runs in `dir`; `input` is
/// what Git gives to the hook. An error means that the push must not go on: the ledger contradicts what was seen.
pub fn run(dir: &Path, remote: &str, url: &str, input: &[u8]) -> Result<Outlook, FollowError> {
    let repository = repository(dir)?;
    let name = followed_name(&repository)?;
    let Some(address) = followed_url(&repository, &name, remote, url) else { return Ok(Outlook::NotFollowed) };
    let commands = parse_commands(input);
    let push = Noted { remote: Remote { given: remote, followed: &name }, commands: &commands };
    // What is only remembered or foretold must not stop a push, whatever goes wrong with it.
    let evidence = sent::look(&repository).unwrap_or_default();
    match follow::fetch(repository.git_dir(), &address, None) {
        Ok(followed) => {
            let _ = sent::settle_followed(&repository, &evidence, SEARCHED_MAX);
            push.note(&repository, followed.new.size());
            let weather = forecast::foretell(&repository, commands, forecast::will_sign(&repository));
            Ok(Outlook::Extends(Box::new(followed), weather))
        }
        Err(FollowError::NoLedger) => Ok(Outlook::NotFollowed),
        Err(error) if error.is_contradiction() => Err(error),
        Err(error) => {
            if let Ok(Some(seen)) = follow::remembered(repository.git_dir()) {
                push.note(&repository, seen.size());
            }
            Ok(Outlook::Unseen(Box::new(error)))
        }
    }
}

/// Parses the lines `<local ref> <local oid> <remote ref> <remote oid>` that Git gives to pre-push. A local ref may be any
/// words for a commit, blanks included. What no gate would take is left to the gate.
fn parse_commands(input: &[u8]) -> Vec<Command> {
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let command = |line: &str| {
        let mut words = line.rsplitn(4, ' ');
        let old = Oid::parse_optional(words.next()?).ok()?;
        let refname = RefName::parse(words.next()?).ok()?;
        let new = Oid::parse_optional(words.next()?).ok()?;
        Some(Command { new, old, refname })
    };
    lines.filter_map(command).take(COMMANDS_MAX).collect()
}

/// A push that is worth a note.
struct Noted<'a> {
    remote: Remote<'a>,
    commands: &'a [Command],
}

impl Noted<'_> {
    fn note(&self, repository: &Repository, size: u64) {
        if !self.commands.is_empty() && !super::inbox::is_for(self.commands) {
            let _ = sent::note(repository, &self.remote, self.commands, size);
        }
    }
}

/// The remote whose ledger is followed. One that came after `init` is followed, too, if it has the usual name.
fn followed_name(repository: &Repository) -> Result<String, GitError> {
    Ok(repository.config(REMOTE_KEY)?.unwrap_or_else(|| USUAL_REMOTE.to_owned()))
}

/// Where to fetch the ledger, if the push goes to the followed remote, by its name or by its address.
fn followed_url(repository: &Repository, name: &str, remote: &str, url: &str) -> Option<String> {
    let known = follow::remote_url(repository, name).ok()?;
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    (name == remote || known == follow::absolute_url(base, url)).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_read_from_its_end() {
        let (one, two, zero) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let input = format!(
            "refs/heads/a {one} refs/heads/b {two}\nHEAD^{{/fix  it}} {one} refs/heads/c {zero}\n\
             (delete) {zero} refs/heads/d {two}\nrubbish\n\nx {one} no-ref {two}\n"
        );
        let mut bytes = input.into_bytes();
        bytes.extend(b"\xff refs/heads/x\n");
        let commands = parse_commands(&bytes);
        let shown: Vec<(&str, bool, bool)> = commands
            .iter()
            .map(|command| (command.refname.as_str(), command.new.is_some(), command.old.is_some()))
            .collect();
        assert_eq!(shown, [("refs/heads/b", true, true), ("refs/heads/c", true, false), ("refs/heads/d", false, true)]);
    }
}
