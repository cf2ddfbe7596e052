//! What the gate will say to a push that is about to be made, as far as a clone can tell in time. It is a courtesy: the
//! push goes on whatever comes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::check::{self, CheckError, Checked, Push};
use super::clone_setup;
use super::inbox;
use super::prepare_commit_msg::parent_process;
use crate::clock::Timestamp;
use crate::git::{Repository, command};
use crate::identity::key::PublicKey;
use crate::index::{Index, OpenMove};
use crate::ledger::follow::{self, FollowError};
use crate::ledger::read::Log;
use crate::name::{Oid, RefName};
use crate::object::certificate::Command;
use crate::policy::facts::Pusher;

/// How long a push waits for its forecast: beyond it the gate's own answer is as near.
pub const TIME_MAX: Duration = Duration::from_secs(3);

/// The index that the commands share. A gate's own is another: it notes there who waits.
pub const INDEX_FILE: &str = "check.sqlite";

/// What is foretold.
#[derive(Debug)]
pub enum Forecast {
    /// The gate judges no part of it as a push, or it will accept.
    Quiet,
    /// It will refuse, or let through only because the policy merely observes.
    Against(Box<Checked>),
    /// It could not be foretold in time.
    Late,
    /// It could not be foretold.
    Unknown(String),
}

/// A ref that stands elsewhere on the server than the ledger put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The ref.
    pub refname: RefName,
    /// Where the ledger put it.
    pub ledger: Option<Oid>,
    /// Where the server says that it stands.
    pub server: Option<Oid>,
}

/// A forecast, and what looked odd on the way.
#[derive(Debug)]
pub struct Weather {
    /// The forecast.
    pub forecast: Forecast,
    /// Refs that stand elsewhere.
    pub elsewhere: Vec<Elsewhere>,
}

/// Why nothing is foretold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// Judging it.
    #[error(transparent)]
    Check(Box<CheckError>),
    /// The followed ledger.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// Nothing is followed.
    #[error("no ledger is followed here")]
    NoLedger,
}

impl From<CheckError> for ForecastError {
    fn from(error: CheckError) -> Self {
        Self::Check(Box::new(error))
    }
}

/// Foretells a push within [`TIME_MAX`], by the ledger that was fetched last. `commands` are what Git will send, with the
/// old tips that the server showed.
pub fn foretell(repository: &Repository, commands: Vec<Command>, signs: bool) -> Weather {
    let quiet = |forecast| Weather { forecast, elsewhere: Vec::new() };
    if commands.is_empty() || inbox::is_for(&commands) {
        return quiet(Forecast::Quiet);
    }
    let paths = (repository.own_dir().to_owned(), repository.git_dir().to_owned());
    let (sender, receiver) = mpsc::channel();
    // One file may be larger than can be read in time, and nothing ends that but the end of the process. What the thread
    // writes is the index, which takes in some entries as a whole or not at all.
    let judging = std::thread::Builder::new().spawn(move || {
        // Nobody listens any more after the time.
        let _ = sender.send(judge(&paths.0, &paths.1, commands, signs));
    });
    if let Err(error) = judging {
        return quiet(Forecast::Unknown(format!("no thread can be started: {error}")));
    }
    match receiver.recv_timeout(TIME_MAX) {
        Ok(Ok(weather)) => weather,
        Ok(Err(error)) => quiet(Forecast::Unknown(crate::ledger::check::chain(&error))),
        Err(RecvTimeoutError::Timeout) => quiet(Forecast::Late),
        Err(RecvTimeoutError::Disconnected) => quiet(Forecast::Unknown("it ended unexpectedly".to_owned())),
    }
}

fn judge(
    own_dir: &std::path::Path,
    git_dir: &std::path::Path,
    commands: Vec<Command>,
    signs: bool,
) -> Result<Weather, ForecastError> {
    let repository = Repository::open(own_dir).map_err(CheckError::from)?;
    let ledger = follow::repository(git_dir)?.ok_or(ForecastError::NoLedger)?;
    let log = Log::open(&ledger, follow::vkey(git_dir)?.as_ref()).map_err(CheckError::from)?;
    let index = Index::open(&ledger.git_dir().join(INDEX_FILE), &log).map_err(CheckError::from)?;
    index.compact().map_err(CheckError::from)?;
    let pusher = if signs { own_key(&repository) } else { None };
    let pusher = pusher.map(|key| Pusher::Certificate { key: key.id().clone() });
    Ok(by_ledger(&log, &index, &repository, commands, pusher)?)
}

/// Foretells a push of `commands` by a ledger and the index that stands at its head.
pub fn by_ledger(
    log: &Log<'_>,
    index: &Index,
    repository: &Repository,
    mut commands: Vec<Command>,
    pusher: Option<Pusher>,
) -> Result<Weather, CheckError> {
    let open = index.open_moves()?;
    let (mut settled, mut elsewhere) = (BTreeMap::new(), Vec::new());
    for command in &mut commands {
        let ledger = index.tip(&command.refname)?;
        let server = std::mem::replace(&mut command.old, ledger);
        let is_due = |open: &OpenMove| (&open.refname, open.old, open.new) == (&command.refname, ledger, server);
        if open.iter().any(is_due) {
            settled.insert(command.refname.clone(), server);
            command.old = server;
        } else if ledger != server {
            elsewhere.push(Elsewhere { refname: command.refname.clone(), ledger, server });
        }
    }
    let push =
        Push { repository, commands: &commands, settled: &settled, pusher, now: Timestamp::now(), time_max: TIME_MAX };
    let checked = check::check(log, index, &push)?;
    let forecast = match &checked.unread {
        Some(why) => Forecast::Unknown(why.clone()),
        None if checked.decision.accepted => Forecast::Quiet,
        None => Forecast::Against(Box::new(checked)),
    };
    Ok(Weather { forecast, elsewhere })
}

/// The public half of the key that Git signs with in a clone; none where nobody can see it.
pub fn own_key(repository: &Repository) -> Option<PublicKey> {
    clone_setup::configured_key(repository).ok()?.public().ok()
}

/// Whether the push that runs this hook will be signed, as far as its command line and the configuration tell. A server
/// with a gate asks for certificates.
pub fn will_sign(repository: &Repository) -> bool {
    let words = parent_process().unwrap_or_default();
    let by_words = words.iter().skip_while(|word| *word != "push").filter_map(|word| signed_word(word)).last();
    by_words.unwrap_or_else(|| {
        let base: PathBuf = repository.work_dir().unwrap_or(repository.git_dir()).to_owned();
        let read = command::output(command::git_in_hook(&base).args(["config", "--get", "push.gpgSign"]));
        read.is_ok_and(|value| !is_no(&value) && !value.is_empty())
    })
}

/// What a word of `git push` says about signing, abbreviated as Git allows.
fn signed_word(word: &str) -> Option<bool> {
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    if name.len() >= "--no-si".len() && "--no-signed".starts_with(name) {
        return Some(false);
    }
    let is_it = name.len() >= "--sig".len() && "--signed".starts_with(name);
    is_it.then(|| value.is_none_or(|value| !is_no(value)))
}

fn is_no(value: &str) -> bool {
    ["false", "no", "off", "0"].contains(&value.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_says_whether_it_signs() {
        for (word, expected) in [
            ("--signed", Some(true)),
            ("--sign", Some(true)),
            ("--signed=if-asked", Some(true)),
            ("--signed=no", Some(false)),
            ("--signed=FALSE", Some(false)),
            ("--no-signed", Some(false)),
            ("--no-sig", Some(false)),
            ("--no-s", None),
            ("--si", None),
            ("--set-upstream", None),
            ("--signed-off", None),
            ("origin", None),
            ("", None),
        ] {
            assert_eq!(signed_word(word), expected, "{word}");
        }
    }
}
