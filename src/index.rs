//! The query index beside a server's ledger, in SQLite: what the gate must know at once. Never the truth: it is made
//! by replaying the ledger and is made anew whenever it does not match it.
//!
//! ```text
//! commits       known commits: in a commit leaf, or in the baseline (leaf = NULL), with generation
//! refs          where the ledger put each ref, with that commit's generation
//! open          authorised moves that are not settled yet
//! policies      the entries that hold a policy
//! certificates  push certificates used up
//! observed      tips that an `observed` entry names already
//! statements    statements that took effect, by the SHA-256 of what was signed
//! envelopes     the envelopes that carried them, by SHA-256, with their entries
//! tags          the commits that signed tags name
//! vouchers      commits that an admin vouches for, with the entry that says so
//! waiting       which receive-pack waits for a push that is about to be appended; the one thing that no entry holds
//! ```

mod questions;
mod take_in;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};

use self::take_in::{sql, stored, take_in};
use crate::entry::leaf::LeafError;
use crate::entry::statement::StatementError;
use crate::ledger::read::{Log, ReadError, TILE_WIDTH};
use crate::name::{NameError, Oid, RefName};
use crate::object::commit::CommitError;
use crate::object::tag::TagError;

/// The size of a page, in bytes: a push changes a row or two in some seven of them, and each is written whole.
const PAGE_BYTES: u32 = 512;

/// How much of the file is read as memory, in bytes: the refs and commits of any repository that we know.
const MAPPED_BYTES_MAX: i64 = 256 << 20;

/// How long the log of changes may grow, in bytes: some thirty pushes. Every process that opens the index reads it
/// once.
const WAL_BYTES_MAX: u64 = 128 * 1024;

/// How many entries are taken in at once: a second's work. It is a number of whole bundles, at whose ends the ledger tells
/// its root at once.
const ENTRIES_PER_WRITE: u64 = 64 * TILE_WIDTH;

/// How long a statement waits for another process that writes the index.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Why the index cannot answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// SQLite.
    #[error("the index beside the ledger cannot be used")]
    Database(#[from] rusqlite::Error),
    /// A table or an index of the database.
    #[error("the index beside the ledger does not agree with itself: {0}")]
    Inconsistent(String),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A leaf.
    #[error("entry {index} cannot be read")]
    Leaf {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: LeafError,
    },
    /// A commit in a leaf.
    #[error("the commit in a leaf cannot be read")]
    Commit(#[from] CommitError),
    /// A tag in a leaf.
    #[error("the tag in a leaf cannot be read")]
    Tag(#[from] TagError),
    /// A statement in a leaf.
    #[error("the statement in a leaf cannot be read")]
    Statement(#[from] StatementError),
    /// A name in the index or a baseline.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A baseline line.
    #[error("the baseline's line `{0}` is damaged")]
    Baseline(String),
}

impl IndexError {
    /// Whether the file is no database any more, as against one that cannot be reached.
    pub fn is_damage(&self) -> bool {
        let Self::Database(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
    }
}

/// A commit that the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The entry that holds it; none for the baseline.
    pub leaf: Option<u64>,
    /// One more than the highest of its parents.
    pub generation: u32,
}

/// Where the ledger put a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The ref.
    pub refname: RefName,
    /// Where it stands.
    pub oid: Oid,
    /// The commit there, with its generation; none where the ledger does not know one: the baseline may hold a tag
    /// object.
    pub commit: Option<(u32, Oid)>,
}

/// An authorised move of a ref that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenMove {
    /// The push entry.
    pub push: u64,
    /// The ref.
    pub refname: RefName,
    /// The old tip.
    pub old: Option<Oid>,
    /// The new tip.
    pub new: Option<Oid>,
    /// Ledger time of the decision, in milliseconds since 1970.
    pub time_ms: i64,
    /// The receive-pack that waits for it, as `pid:start`, where known.
    pub process: Option<String>,
}

/// The open index.
pub struct Index(Connection);

impl Index {
    /// Opens the index and brings it up to the ledger's head. One that is damaged is made anew.
    pub fn open(path: &Path, log: &Log<'_>) -> Result<Self, IndexError> {
        match Self::open_file(path, log) {
            Err(error) if error.is_damage() => {
                Self::remove(path);
                Self::open_file(path, log)
            }
            opened => opened,
        }
    }

    /// Looks whether the file is a whole database, and changes nothing; one that is not there is fine.
    pub fn examine(path: &Path) -> Result<(), IndexError> {
        if !path.exists() {
            return Ok(());
        }
        // Opening a pipe waits for whoever writes to it.
        if !path.is_file() {
            return Err(IndexError::Inconsistent("it is no ordinary file".to_owned()));
        }
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        database.busy_timeout(BUSY_WAIT)?;
        let said: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(IndexError::Inconsistent(said)) }
    }

    /// Removes the index, as far as it is there. Whoever has it open goes on with the old one to the end.
    pub fn remove(path: &Path) {
        for end in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            // What cannot be removed is found damaged again, and said then.
            let _ = std::fs::remove_file(name);
        }
    }

    fn open_file(path: &Path, log: &Log<'_>) -> Result<Self, IndexError> {
        let mut index = Self(Connection::open(path)?);
        index.0.busy_timeout(BUSY_WAIT)?;
        // Takes effect only while the file is new.
        index.0.pragma_update(None, "page_size", PAGE_BYTES)?;
        index.0.pragma_update(None, "journal_mode", "WAL")?;
        index.0.pragma_update(None, "synchronous", "NORMAL")?;
        // Ten thousand refs lie in more pages than one would like to read one by one.
        index.0.pragma_update(None, "mmap_size", MAPPED_BYTES_MAX)?;
        // The log of changes gets short again when it begins anew.
        index.0.pragma_update(None, "journal_size_limit", 0)?;
        // Each push is a process of its own: a checkpoint at the end of each would sync twice and write all again. They
        // are made by `tidy`; SQLite's own, at a thousand pages, is for servers where no hook runs after a push.
        index.0.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        index.sync(log)?;
        Ok(index)
    }

    /// Takes in the entries that came since; starts over where the index is not of this ledger. Where others have taken
    /// in more than `log` shows, because the ledger has grown since it was opened, it stays as it is.
    pub fn sync(&mut self, log: &Log<'_>) -> Result<(), IndexError> {
        self.unpin()?;
        if self.covers(log)? {
            return Ok(());
        }
        self.take_in_by(log, ENTRIES_PER_WRITE)
    }

    /// Whoever is interrupted while making the index of a long ledger goes on with it the next time.
    fn take_in_by(&mut self, log: &Log<'_>, count_max: u64) -> Result<(), IndexError> {
        let mut is_done = false;
        while !is_done {
            self.write(|write| {
                is_done = take_in(write, log, count_max)?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Remembers which receive-pack waits for the push that is about to become the entry `push`. It must stand here
    /// before the push stands in the ledger: whoever dies in between leaves no move of which nobody knows whose it is.
    /// Where no such entry came, the next push takes the place, with none where its receive-pack is not known.
    pub fn expect(&mut self, push: u64, process: Option<&str>) -> Result<(), IndexError> {
        self.unpin()?;
        self.write(|write| {
            write.execute("DELETE FROM waiting WHERE push = ?", [sql(push)])?;
            if let Some(process) = process {
                write.execute("INSERT INTO waiting VALUES (?, ?)", params![sql(push), process])?;
            }
            Ok(())
        })
    }

    /// Moves changes from the log of changes to the file, where there are many. This syncs both: it is for a moment when
    /// nobody waits, and right before a write, which then begins the log anew.
    pub fn tidy(&self) -> Result<(), IndexError> {
        if self.log_bytes() > WAL_BYTES_MAX {
            self.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Leaves no log of changes behind, where there is a long one and nobody else uses the index: the next process that
    /// opens it need not read that. For an index that is asked now and then; beside a gate others always come.
    pub fn compact(&self) -> Result<(), IndexError> {
        if self.log_bytes() > WAL_BYTES_MAX {
            self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn log_bytes(&self) -> u64 {
        let log = self.0.path().map(|path| format!("{path}-wal"));
        log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len())
    }

    fn write(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<(), IndexError>) -> Result<(), IndexError> {
        let write = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work(&write)?;
        Ok(write.commit()?)
    }

    /// Answers from here on as of now, whatever others take in meanwhile, until the next [`Index::sync`]. False where
    /// the index does not stand at the head of `log`.
    pub fn pin(&self, log: &Log<'_>) -> Result<bool, IndexError> {
        self.0.execute_batch("BEGIN DEFERRED")?;
        // The first read fixes what the rest sees.
        let covers = self.covers(log)?;
        if !covers {
            self.unpin()?;
        }
        Ok(covers)
    }

    fn unpin(&self) -> Result<(), IndexError> {
        if self.0.is_autocommit() { Ok(()) } else { Ok(self.0.execute_batch("ROLLBACK")?) }
    }

    fn covers(&self, log: &Log<'_>) -> Result<bool, IndexError> {
        let head = &log.head().checkpoint;
        Ok(stored(&self.0)? == Some((head.size(), head.root())))
    }
}

#[cfg(test)]
mod tests;
