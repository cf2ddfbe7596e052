//! Making commits anew: the same but for parents, signature, committer and our trailers.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ResignError;
use super::plan::{Plan, Step};
use crate::git::manifest::{Cache, Limits, manifest};
use crate::git::{GitError, Kind, Repository, command};
use crate::hook::clone_setup::key::{Agent, Configured, Custody, KeyError, custody};
use crate::hook::person::header;
use crate::hook::post_commit::evidence;
use crate::hook::prepare_commit_msg::{PrepareError, newest_log, repository, with_missing_fetched, with_trees};
use crate::name::Oid;
use crate::object::commit::{Commit, CommitError};
use crate::object::message::{LogHead, ManifestDigests, insert};
use crate::policy::facts::{ManifestTrailer, Signature};

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Each old commit with the new one, parents first.
    pub commits: Vec<(Oid, Oid)>,
    /// Headers that Git does not write anew, such as `change-id`, each once.
    pub lost_headers: Vec<String>,
}

/// Makes the commits of a plan anew in the clone in `dir`, and calls `each` after each. Nothing points to them yet.
pub fn remake(dir: &Path, plan: &Plan, mut each: impl FnMut()) -> Result<Made, ResignError> {
    let repository = repository(dir)?;
    check_key(dir, plan.steps.len())?;
    let mut maker = Maker { dir, log: newest_log(&repository)?, cache: Cache::default(), repository: &repository };
    let (mut made, mut commits, mut lost_headers) = (HashMap::new(), Vec::new(), Vec::new());
    for step in &plan.steps {
        let new = maker.make(step, &Plan::parents(step, &made), &mut lost_headers)?;
        made.insert(step.commit, new);
        commits.push((step.commit, new));
        each();
    }
    lost_headers.sort();
    lost_headers.dedup();
    Ok(Made { commits, lost_headers })
}

/// Whether Git will sign with SSH, and not ask for a passphrase a thousand times.
fn check_key(dir: &Path, steps: usize) -> Result<(), ResignError> {
    let configured = match Configured::read(dir) {
        Err(KeyError::NotConfigured | KeyError::OtherFormat(_)) => return Err(ResignError::NotSetUp),
        configured => configured?,
    };
    match custody(&configured, &Agent::ask())? {
        Custody::Passphrase { path, .. } if steps > 1 => Err(ResignError::Passphrase(path)),
        _ => Ok(()),
    }
}

struct Maker<'a> {
    cache: Cache,
    dir: &'a Path,
    log: Option<LogHead>,
    repository: &'a Repository,
}

/// What a commit says, as UTF-8.
struct Words {
    /// `name <email> seconds zone`.
    author: String,
    message: String,
}

impl Maker<'_> {
    fn make(&mut self, step: &Step, parents: &[Oid], lost: &mut Vec<String>) -> Result<Oid, ResignError> {
        self.cache.renew();
        let raw = self.repository.read(&step.commit, Kind::Commit)?;
        let words = self.words(&step.commit, &raw)?;
        lost.extend(other_headers(&raw));
        let with_trees = with_trees(self.repository, parents)?;
        let (repository, cache) = (self.repository, &mut self.cache);
        let made =
            with_missing_fetched(self.dir, || manifest(repository, &step.tree, &with_trees, cache, &Limits::default()));
        let digests = ManifestDigests::new(made.map_err(PrepareError::from)?.digest(), None);
        let message = insert(&words.message, &digests, self.log.as_ref(), None);

        let failed = |source| ResignError::Make { commit: step.commit, source };
        let mut command = self.commit_tree(step, parents, &words.author)?;
        let new = Oid::parse(&output_of(&mut command, message.as_bytes()).map_err(failed)?)?;
        let differs = |what: String| ResignError::Differs { commit: step.commit, what };
        self.check(step, parents, &Words { message, ..words }, &new)?.map_or(Ok(new), |what| Err(differs(what)))
    }

    /// A commit's words, which Git translates where they are in another encoding.
    fn words(&self, commit: &Oid, raw: &[u8]) -> Result<Words, ResignError> {
        let encoding = header(raw, b"encoding ").filter(|name| !name.eq_ignore_ascii_case(b"utf-8"));
        let text = std::str::from_utf8(raw).ok().filter(|_| encoding.is_none()).and_then(|text| {
            let (head, message) = text.split_once("\n\n")?;
            let author = head.lines().find_map(|line| line.strip_prefix("author "))?;
            Some(Words { author: author.to_owned(), message: message.to_owned() })
        });
        if let Some(words) = text {
            return Ok(words);
        }
        let unreadable = || ResignError::Encoding(*commit);
        let mut show = command::git_in_hook(self.dir);
        show.args(["--no-replace-objects", "show", "-s", "--no-notes", "--no-show-signature", "--encoding=UTF-8"]);
        show.args(["--date=raw", "--format=%an <%ae> %ad%x00%B%x00", &commit.to_string()]);
        let shown = show.output().ok().filter(|shown| shown.status.success()).ok_or_else(unreadable)?.stdout;
        let shown = String::from_utf8(shown).map_err(|_| unreadable())?;
        let mut parts = shown.split('\0');
        match (parts.next(), parts.next()) {
            (Some(author), Some(message)) if encoding.is_some() => {
                Ok(Words { author: author.to_owned(), message: message.to_owned() })
            }
            _ => Err(unreadable()),
        }
    }

    fn commit_tree(&self, step: &Step, parents: &[Oid], author: &str) -> Result<Command, ResignError> {
        let no_person = || ResignError::Differs { commit: step.commit, what: "its author cannot be read".to_owned() };
        let (name, rest) = author.split_once('<').ok_or_else(no_person)?;
        let (email, date) = rest.split_once("> ").ok_or_else(no_person)?;
        let mut command = command::git_in_hook(self.dir);
        command.env("GIT_AUTHOR_NAME", name.trim_end()).env("GIT_AUTHOR_EMAIL", email);
        command.env("GIT_AUTHOR_DATE", format!("@{date}"));
        command.args(["--no-replace-objects", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S", "-F", "-"]);
        for parent in parents {
            command.args(["-p", &parent.to_string()]);
        }
        command.arg(step.tree.to_string());
        Ok(command)
    }

    /// What is wrong with what Git made, if anything is: it may drop a parent, or tidy up a name.
    fn check(&mut self, step: &Step, parents: &[Oid], words: &Words, new: &Oid) -> Result<Option<String>, ResignError> {
        let raw = self.repository.read(new, Kind::Commit)?;
        let commit = match Commit::parse(&raw) {
            Ok(commit) => commit,
            Err(error @ CommitError::TooLarge { .. }) => return Ok(Some(error.to_string())),
            Err(error) => return Ok(Some(format!("Git made a commit that does not count: {error}"))),
        };
        if commit.tree != step.tree || commit.parents != parents {
            return Ok(Some("Git gave it other parents".to_owned()));
        }
        let author = header(&raw, b"author ").unwrap_or_default();
        if author != words.author.as_bytes() {
            return Ok(Some(format!("Git would write its author as `{}`", String::from_utf8_lossy(author))));
        }
        if commit.message != words.message {
            return Ok(Some("Git would change its message".to_owned()));
        }
        let facts = evidence(self.dir, self.repository, new, &mut self.cache)?.facts;
        Ok(match (facts.signature, facts.manifest) {
            (Signature::Valid { .. }, ManifestTrailer::Matches) => None,
            (Signature::Invalid { why }, _) => Some(format!("the new signature does not count: {why}")),
            (Signature::Missing, _) => Some("Git did not sign it".to_owned()),
            (Signature::Valid { .. }, _) => Some("its files changed meanwhile".to_owned()),
        })
    }
}

/// The names of the headers that `git commit-tree` does not write.
fn other_headers(raw: &[u8]) -> Vec<String> {
    const WRITTEN: [&str; 6] = ["tree", "parent", "author", "committer", "gpgsig", "encoding"];
    let headers = raw.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let names =
        headers.filter(|line| !line.starts_with(b" ")).filter_map(|line| line.split(|byte| *byte == b' ').next());
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| !WRITTEN.contains(&name.as_str()))
        .collect()
}

/// Runs a command that reads `input`, and returns what it prints.
pub(super) fn output_of(command: &mut Command, input: &[u8]) -> Result<String, GitError> {
    let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let failure = |message: String| GitError::Command { command: words.join(" "), message };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failure(error.to_string()))?;
    // A program that ends before it has read all says itself why.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let run = child.wait_with_output().map_err(|error| failure(error.to_string()))?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).trim_end().to_owned());
    }
    Err(failure(String::from_utf8_lossy(&run.stderr).trim().chars().take(2000).collect()))
}
