//! The server's side of one repository, open: its ledger, its index, its lock, and what the gate answers.

use std::time::{Duration, Instant};

use super::pusher::LoginSource;
use super::server_setup;
use super::settle::SettleError;
use super::tally::Tally;
use crate::entry::leaf::Leaf;
use crate::git::{Durable, GitError, Repository};
use crate::index::{Index, IndexError};
use crate::ledger::append::{AppendError, Locked, Signer};
use crate::ledger::place::{LOCK_WAIT_MAX, Place, PlaceError};
use crate::ledger::read::{Log, ReadError};
use crate::policy::Policy;
use crate::policy::reason::Decision;
use crate::tlog::tree::TreeError;

/// The index, beside the ledger.
pub(super) const INDEX_FILE: &str = "index.sqlite";

/// How often somebody who waits for the lock looks whether there is still something to do.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How often the gate looks for a moment between two appends of others before it stops them for one.
const SNAPSHOT_TRIES: u32 = 8;

/// Why the gate could not decide; the push is denied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Git's input to the hook.
    #[error("Git's list of updates cannot be read: `{0}`")]
    Input(String),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger, reading.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger, appending.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Open authorisations.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The server's own files.
    #[error(transparent)]
    Setup(#[from] server_setup::SetupError),
    /// A root of the ledger.
    #[error("the ledger's hashes cannot be read")]
    Tree(#[from] TreeError<ReadError>),
    /// The receive-pack that asked is gone.
    #[error("Git ended before the gate had decided, so nothing was recorded")]
    Alone,
    /// The policy in force does not parse, so nothing can be decided by it.
    #[error("the policy in force cannot be read")]
    Policy,
}

impl GateError {
    /// Whether the index turned out to be damaged on the way.
    pub(super) fn is_damaged_index(&self) -> bool {
        let (Self::Index(index) | Self::Settle(SettleError::Index(index))) = self else { return false };
        index.is_damage()
    }
}

/// What the gate says to the pusher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the refs may move.
    pub accepted: bool,
    /// Whether they may only because the policy merely observes.
    pub tolerated: bool,
    /// The decision, with its reasons.
    pub decision: Option<Decision>,
    /// Where it stands in the ledger.
    pub entry: Option<u64>,
    /// The tree that holds it.
    pub checkpoint: Option<crate::tlog::checkpoint::Checkpoint>,
    /// The policy that decided, for hints.
    pub policy: Option<Box<Policy>>,
    /// A plain sentence, where there is more or nothing else to say.
    pub note: Option<String>,
}

/// The server's side of one repository, open.
pub struct Gate {
    main: Durable,
    place: Place,
    signer: Signer,
}

impl Gate {
    /// The gate of a repository that was just opened by path: reads its ledger key.
    pub fn open(main: Repository) -> Result<Self, GateError> {
        server_setup::check_stands(&main)?;
        let place = Place::in_repository(main.git_dir());
        let signer = server_setup::read_signer(&place)?;
        Ok(Self { main: place.durable(main)?, place, signer })
    }

    /// The repository, opened by path.
    pub fn repository(&self) -> &Repository {
        &self.main
    }

    /// The ledger's key.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Opens the ledger at its newest entry.
    pub fn log(&self) -> Result<Log<'_>, ReadError> {
        Log::open(&self.main, Some(&self.signer.vkey()))
    }

    /// Opens the index, brought up to `log`.
    pub fn index(&self, log: &Log<'_>) -> Result<Index, IndexError> {
        Index::open(&self.place.file(INDEX_FILE), log)
    }

    /// Removes the index: the next push makes it anew from the ledger.
    pub(super) fn forget_index(&self) {
        Index::remove(&self.place.file(INDEX_FILE));
    }

    /// The ledger at its newest entry, and an index that stands there, too, and stays so while others append.
    pub(super) fn snapshot(&self) -> Result<(Log<'_>, Index), GateError> {
        for _ in 0..SNAPSHOT_TRIES {
            let log = self.log()?;
            let index = self.index(&log)?;
            if index.pin(&log)? {
                return Ok((log, index));
            }
        }
        let _still = self.place.lock().map_err(AppendError::from)?;
        let log = self.log()?;
        let index = self.index(&log)?;
        index.pin(&log)?;
        Ok((log, index))
    }

    /// The denials of this minute; `log` is the ledger at its head, and locked.
    pub fn tally(&self, log: &Log<'_>) -> Tally<'_> {
        Tally::open(&self.place, log)
    }

    /// Locks the ledger that was `seen` for an append.
    pub fn lock(&self, seen: &Log<'_>) -> Result<Locked<'_>, AppendError> {
        Locked::open_seen(self.place.lock()?, &self.main, seen, &self.place, &self.signer)
    }

    /// The same, unless it becomes needless while others hold the lock: then none.
    pub fn lock_unless(
        &self,
        seen: &Log<'_>,
        needless: impl Fn() -> Result<bool, GateError>,
    ) -> Result<Option<Locked<'_>>, GateError> {
        let begin = Instant::now();
        loop {
            let taken = self.place.lock_within(LOOK_EVERY);
            match taken {
                Err(PlaceError::Locked { .. }) if needless()? => return Ok(None),
                Err(PlaceError::Locked { .. }) if begin.elapsed() < LOCK_WAIT_MAX => {}
                taken => {
                    let lock = taken.map_err(AppendError::from)?;
                    return Ok(Some(Locked::open_seen(lock, &self.main, seen, &self.place, &self.signer)?));
                }
            }
        }
    }

    /// The configured source of logins. One that the genesis entry does not name is none: nobody would believe it.
    pub(super) fn login_source(&self, log: &Log<'_>) -> Result<LoginSource, GateError> {
        let word = self.main.config("mledger.login")?;
        let source = word.as_deref().and_then(LoginSource::parse).unwrap_or(LoginSource::None);
        if source == LoginSource::None {
            return Ok(source);
        }
        match log.leaf(0)? {
            Leaf::Genesis(genesis) if genesis.login.as_deref() == Some(source.word()) => Ok(source),
            _ => Ok(LoginSource::None),
        }
    }
}

/// The policy in force, parsed, with the entry that holds it.
pub fn policy_in_force(log: &Log<'_>, index: &Index) -> Result<(Policy, u64), GateError> {
    let policy = Policy::parse(&log.policy_view()?).map_err(|_| GateError::Policy)?;
    Ok((policy, index.policy_entry()?))
}
