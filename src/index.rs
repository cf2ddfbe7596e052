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

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::entry::field::Field;
use crate::entry::leaf::{Leaf, LeafError, Push, State};
use crate::entry::statement::{Envelope, Statement, StatementError, parse_commits};
use crate::ledger::read::{Log, ReadError};
use crate::ledger::replay::{parse_baseline_commit, parse_baseline_ref};
use crate::name::{ActorId, NameError, Oid, RefName};
use crate::object::certificate;
use crate::object::commit::{Commit, CommitError};
use crate::object::tag::{Tag, TagError};
use crate::policy::facts::Voucher;

/// Raised whenever the tables or what they hold change; an index of another version is made anew.
const SCHEMA_VERSION: i64 = 5;

const SCHEMA: &str = "
    CREATE TABLE meta (size INTEGER NOT NULL, root BLOB NOT NULL);
    CREATE TABLE commits (oid BLOB PRIMARY KEY, leaf INTEGER, generation INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE refs (name TEXT PRIMARY KEY, tip BLOB NOT NULL, target BLOB NOT NULL, generation INTEGER) WITHOUT ROWID;
    CREATE TABLE open (push INTEGER, ref TEXT, old BLOB, new BLOB, time INTEGER NOT NULL, process TEXT,
                       PRIMARY KEY (push, ref)) WITHOUT ROWID;
    CREATE TABLE policies (entry INTEGER PRIMARY KEY);
    CREATE TABLE certificates (digest BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE observed (ref TEXT PRIMARY KEY, tip BLOB) WITHOUT ROWID;
    CREATE TABLE statements (digest BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE envelopes (digest BLOB PRIMARY KEY, entry INTEGER NOT NULL, actor TEXT NOT NULL,
                            time INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE tags (oid BLOB PRIMARY KEY, target BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE vouchers (oid BLOB PRIMARY KEY, actor TEXT NOT NULL, entry INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE waiting (push INTEGER PRIMARY KEY, process TEXT NOT NULL);
";

const TABLES: [&str; 12] = [
    "meta",
    "commits",
    "refs",
    "open",
    "policies",
    "certificates",
    "observed",
    "statements",
    "envelopes",
    "tags",
    "vouchers",
    "waiting",
];

/// The size of a page, in bytes: a push changes a row or two in some seven of them, and each is written whole.
const PAGE_BYTES: u32 = 512;

/// How much of the file is read as memory, in bytes: the refs and commits of any repository that we know.
const MAPPED_BYTES_MAX: i64 = 256 << 20;

/// How long the log of changes may grow, in bytes: some thirty pushes. Every process that opens the index reads it
/// once.
const WAL_BYTES_MAX: u64 = 128 * 1024;

/// How long a statement waits for another process that writes the index.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// Why the index cannot answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// SQLite.
    #[error("the index beside the ledger cannot be used")]
    Database(#[from] rusqlite::Error),
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
        self.write(|write| take_in(write, log))
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
        let log = self.0.path().map(|path| format!("{path}-wal"));
        let bytes = log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len());
        if bytes > WAL_BYTES_MAX {
            self.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
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

    /// What the ledger knows of a commit.
    pub fn known(&self, oid: &Oid) -> Result<Option<Known>, IndexError> {
        known(&self.0, oid)
    }

    /// Where the ledger put a ref.
    pub fn tip(&self, name: &RefName) -> Result<Option<Oid>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT tip FROM refs WHERE name = ?")?;
        let tip: Option<[u8; 20]> = query.query_row([name.as_str()], |row| row.get(0)).optional()?;
        Ok(tip.map(Oid::from_bytes))
    }

    /// Where the ledger put every ref, by name.
    pub fn tips(&self) -> Result<Vec<Tip>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT name, tip, target, generation FROM refs ORDER BY name")?;
        let rows = query.query_map([], |row| {
            let generation: Option<u32> = row.get(3)?;
            let target = row.get(2).map(Oid::from_bytes)?;
            let refname = RefName::parse(row.get_ref(0)?.as_str()?);
            Ok((refname, row.get(1)?, generation.map(|generation| (generation, target))))
        })?;
        rows.map(|row| {
            let (refname, oid, commit) = row?;
            Ok(Tip { refname: refname?, oid: Oid::from_bytes(oid), commit })
        })
        .collect()
    }

    /// The authorised moves that are not settled, oldest first.
    pub fn open_moves(&self) -> Result<Vec<OpenMove>, IndexError> {
        let mut query =
            self.0.prepare_cached("SELECT push, ref, old, new, time, process FROM open ORDER BY push, ref")?;
        let rows = query.query_map([], |row| {
            let oid = |column| row.get::<_, Option<[u8; 20]>>(column).map(|oid| oid.map(Oid::from_bytes));
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, oid(2)?, oid(3)?, row.get(4)?, row.get(5)?))
        })?;
        rows.map(|row| {
            let (push, name, old, new, time_ms, process) = row?;
            Ok(OpenMove { push: push.cast_unsigned(), refname: RefName::parse(&name)?, old, new, time_ms, process })
        })
        .collect()
    }

    /// Whether a receive-pack has moves that are not settled.
    pub fn is_waiting(&self, process: &str) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM open WHERE process = ?")?;
        Ok(query.exists([process])?)
    }

    /// The entry that holds the policy in force.
    pub fn policy_entry(&self) -> Result<u64, IndexError> {
        Ok(self.policy_entries()?.last().copied().unwrap_or_default())
    }

    /// Every entry that holds a policy, oldest first.
    pub fn policy_entries(&self) -> Result<Vec<u64>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT entry FROM policies ORDER BY entry")?;
        let rows = query.query_map([], |row| row.get::<_, i64>(0))?;
        rows.map(|row| Ok(row?.cast_unsigned())).collect()
    }

    /// Whether a push certificate with this [`certificate::single_use_digest`] was used before.
    pub fn certificate_used(&self, digest: &Digest) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM certificates WHERE digest = ?")?;
        Ok(query.exists([digest.as_bytes()])?)
    }

    /// Whether a statement took effect before.
    pub fn statement_used(&self, digest: &Digest) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM statements WHERE digest = ?")?;
        Ok(query.exists([digest.as_bytes()])?)
    }

    /// How many statements of an actor took effect after that moment of ledger time, in milliseconds since 1970.
    pub fn statements_since(&self, actor: &ActorId, time_ms: i64) -> Result<u64, IndexError> {
        let mut query = self.0.prepare_cached("SELECT count(*) FROM envelopes WHERE actor = ? AND time > ?")?;
        let count: i64 = query.query_row(params![actor.as_str(), time_ms], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The entry that an envelope of these bytes led to.
    pub fn envelope_entry(&self, digest: &Digest) -> Result<Option<u64>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT entry FROM envelopes WHERE digest = ?")?;
        let entry: Option<i64> = query.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        Ok(entry.map(i64::cast_unsigned))
    }

    /// The commit that a signed tag names.
    pub fn tag(&self, oid: &Oid) -> Result<Option<Oid>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT target FROM tags WHERE oid = ?")?;
        let target: Option<[u8; 20]> = query.query_row([oid.as_bytes()], |row| row.get(0)).optional()?;
        Ok(target.map(Oid::from_bytes))
    }

    /// The known commit that a tip is or, as a signed tag, names, with its generation.
    pub fn commit_at(&self, tip: &Oid) -> Result<Option<(u32, Oid)>, IndexError> {
        let target = self.tag(tip)?.unwrap_or(*tip);
        Ok(self.known(&target)?.map(|known| (known.generation, target)))
    }

    /// Who vouches for a commit.
    pub fn voucher(&self, oid: &Oid) -> Result<Option<Voucher>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT actor, entry FROM vouchers WHERE oid = ?")?;
        let row = query.query_row([oid.as_bytes()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        let Some((actor, entry)) = row.optional()? else { return Ok(None) };
        Ok(Some(Voucher { actor: ActorId::parse(&actor)?, entry: entry.cast_unsigned() }))
    }

    /// The refs that `observed` entries name and nothing has explained since, with where they stood.
    pub fn observed(&self) -> Result<Vec<(RefName, Option<Oid>)>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT ref, tip FROM observed ORDER BY ref")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<[u8; 20]>>(1)?)))?;
        rows.map(|row| {
            let (name, tip) = row?;
            Ok((RefName::parse(&name)?, tip.map(Oid::from_bytes)))
        })
        .collect()
    }

    /// Whether an `observed` entry names this tip of the ref already.
    pub fn is_observed(&self, name: &RefName, tip: Option<&Oid>) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT tip FROM observed WHERE ref = ?")?;
        let seen: Option<Option<[u8; 20]>> = query.query_row([name.as_str()], |row| row.get(0)).optional()?;
        Ok(seen.is_some_and(|seen| seen.map(Oid::from_bytes).as_ref() == tip))
    }
}

/// SQLite counts in signed 64 bits; a ledger never comes near.
fn sql(number: u64) -> i64 {
    number.cast_signed()
}

fn stored(db: &Connection) -> Result<Option<(u64, Digest)>, IndexError> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        return Ok(None);
    }
    let row = db.query_row("SELECT size, root FROM meta", [], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), Digest::from_bytes(row.get(1)?)))
    });
    Ok(row.optional()?)
}

/// Applies the entries that the index lacks.
fn take_in(write: &Transaction<'_>, log: &Log<'_>) -> Result<(), IndexError> {
    let size = match stored(write)? {
        Some((size, root)) if size > log.size() && is_newer(log, size, &root)? => return Ok(()),
        Some((size, root)) if log.was(size, &root)? => size,
        Some(_) | None => {
            reset(write)?;
            0
        }
    };
    log.each(size..log.size(), |index, bytes| {
        let leaf = Leaf::parse(bytes).map_err(|source| IndexError::Leaf { index, source })?;
        apply(write, log, index, leaf)
    })?;
    write.execute("DELETE FROM waiting WHERE push < ?", [sql(log.size())])?;
    write.execute("DELETE FROM meta", [])?;
    let head = &log.head().checkpoint;
    write.execute("INSERT INTO meta VALUES (?, ?)", params![sql(head.size()), head.root().as_bytes()])?;
    Ok(())
}

/// Whether the ledger, opened anew, holds what the index has taken in.
fn is_newer(log: &Log<'_>, size: u64, root: &Digest) -> Result<bool, IndexError> {
    Ok(Log::open(log.repository(), Some(log.vkey()))?.was(size, root)?)
}

fn reset(write: &Transaction<'_>) -> Result<(), IndexError> {
    for table in TABLES {
        write.execute(&format!("DROP TABLE IF EXISTS {table}"), [])?;
    }
    write.execute_batch(SCHEMA)?;
    write.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(())
}

fn known(db: &Connection, oid: &Oid) -> Result<Option<Known>, IndexError> {
    let mut query = db.prepare_cached("SELECT leaf, generation FROM commits WHERE oid = ?")?;
    let row = query.query_row([oid.as_bytes()], |row| {
        Ok(Known { leaf: row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned), generation: row.get(1)? })
    });
    Ok(row.optional()?)
}

fn apply(write: &Transaction<'_>, log: &Log<'_>, index: u64, leaf: Leaf) -> Result<(), IndexError> {
    let text = |field: &Field| field.read_text(|name| log.blob(name));
    match leaf {
        Leaf::Genesis(genesis) => {
            for line in text(&genesis.baseline.commits)?.lines() {
                let (oid, _, parents) = parse_baseline_commit(line).ok_or_else(|| damaged(line))?;
                add_commit(write, &oid, None, &parents)?;
            }
            for line in text(&genesis.baseline.refs)?.lines() {
                let (tip, name) = parse_baseline_ref(line).ok_or_else(|| damaged(line))?;
                set_tip(write, &name, Some(&tip))?;
            }
            write.execute("INSERT INTO policies VALUES (?)", [sql(index)])?;
        }
        Leaf::Policy(change) => {
            write.execute("INSERT INTO policies VALUES (?)", [sql(index)])?;
            for envelope in &change.statements {
                take_statement(write, index, change.time, &text(envelope)?)?;
            }
        }
        Leaf::Import(import) => {
            let (attachment, statement) = take_statement(write, index, import.time, &text(&import.statement)?)?;
            let voucher = Voucher { actor: statement.actor().clone(), entry: index };
            for oid in parse_commits(&attachment)? {
                set_voucher(write, &oid, &voucher)?;
            }
        }
        Leaf::Reconcile(reconcile) => {
            let (_, statement) = take_statement(write, index, reconcile.time, &text(&reconcile.statement)?)?;
            if let Statement::Reconcile(statement) = statement {
                for found in &statement.refs {
                    set_tip(write, &found.refname, found.tip.as_ref())?;
                    write.execute("DELETE FROM observed WHERE ref = ?", [found.refname.as_str()])?;
                }
            }
        }
        Leaf::Commit(commit) => {
            let object = commit.object.read_bytes(|name| log.blob(name))?;
            add_commit(write, &commit.oid, Some(index), &Commit::parse(&object)?.parents)?;
            if let Some(voucher) = &commit.vouched_by {
                set_voucher(write, &commit.oid, voucher)?;
            }
        }
        Leaf::Push(push) if push.decision.lets_through() => open_push(write, log, index, *push)?,
        Leaf::Push(_) | Leaf::Denials(_) => {}
        Leaf::Landed(landed) => {
            for settled in &landed.updates {
                settle(write, landed.push, &settled.refname, settled.state)?;
            }
        }
        Leaf::Observed(observed) => {
            for seen in &observed.refs {
                write.execute(
                    "INSERT OR REPLACE INTO observed VALUES (?, ?)",
                    params![seen.refname.as_str(), seen.tip.as_ref().map(Oid::as_bytes)],
                )?;
            }
        }
    }
    Ok(())
}

fn damaged(line: &str) -> IndexError {
    IndexError::Baseline(line.chars().take(120).collect())
}

fn add_commit(write: &Transaction<'_>, oid: &Oid, leaf: Option<u64>, parents: &[Oid]) -> Result<(), IndexError> {
    let mut generation = 1;
    for parent in parents {
        generation = generation.max(known(write, parent)?.map_or(0, |known| known.generation).saturating_add(1));
    }
    write
        .prepare_cached(
            "INSERT INTO commits VALUES (?, ?, ?) ON CONFLICT (oid) DO UPDATE SET leaf = coalesce(leaf, excluded.leaf)",
        )?
        .execute(params![oid.as_bytes(), leaf.map(sql), generation])?;
    Ok(())
}

fn set_voucher(write: &Transaction<'_>, oid: &Oid, voucher: &Voucher) -> Result<(), IndexError> {
    let mut insert = write.prepare_cached("INSERT OR REPLACE INTO vouchers VALUES (?, ?, ?)")?;
    insert.execute(params![oid.as_bytes(), voucher.actor.as_str(), sql(voucher.entry)])?;
    Ok(())
}

/// Remembers a statement; returns what is attached to it, and what it says.
fn take_statement(
    write: &Transaction<'_>,
    index: u64,
    time: Timestamp,
    envelope: &str,
) -> Result<(String, Statement), IndexError> {
    let (parsed, statement) = Envelope::parse(envelope.as_bytes())?;
    let digest = sha256(parsed.statement.as_bytes());
    write.execute("INSERT OR IGNORE INTO statements VALUES (?)", [digest.as_bytes()])?;
    let digest = sha256(envelope.as_bytes());
    write.execute(
        "INSERT OR IGNORE INTO envelopes VALUES (?, ?, ?, ?)",
        params![digest.as_bytes(), sql(index), statement.actor().as_str(), time.millis()],
    )?;
    Ok((parsed.attachment, statement))
}

fn set_tip(write: &Transaction<'_>, name: &RefName, tip: Option<&Oid>) -> Result<(), IndexError> {
    match tip {
        Some(tip) => {
            let mut query = write.prepare_cached("SELECT target FROM tags WHERE oid = ?")?;
            let target: Option<[u8; 20]> = query.query_row([tip.as_bytes()], |row| row.get(0)).optional()?;
            let target = target.map_or(*tip, Oid::from_bytes);
            let generation = known(write, &target)?.map(|known| known.generation);
            let mut insert = write.prepare_cached("INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?)")?;
            insert.execute(params![name.as_str(), tip.as_bytes(), target.as_bytes(), generation])?
        }
        None => write.prepare_cached("DELETE FROM refs WHERE name = ?")?.execute([name.as_str()])?,
    };
    Ok(())
}

fn open_push(write: &Transaction<'_>, log: &Log<'_>, index: u64, push: Push) -> Result<(), IndexError> {
    let push = push.whole(|name| log.blob(name))?;
    let mut insert = write.prepare_cached(
        "INSERT INTO open VALUES (?1, ?2, ?3, ?4, ?5, (SELECT process FROM waiting WHERE push = ?1))",
    )?;
    for update in &push.updates {
        insert.execute(params![
            sql(index),
            update.refname.as_str(),
            update.old.as_ref().map(Oid::as_bytes),
            update.new.as_ref().map(Oid::as_bytes),
            push.time.millis()
        ])?;
        if let (Some(tag), Some(new)) = (&update.tag, &update.new) {
            let raw = tag.read_bytes(|name| log.blob(name))?;
            let target = Tag::parse(&raw)?.commit;
            let mut tags = write.prepare_cached("INSERT OR IGNORE INTO tags VALUES (?, ?)")?;
            tags.execute(params![new.as_bytes(), target.as_bytes()])?;
        }
    }
    if let Some(certificate) = &push.certificate {
        let bytes = certificate.read_bytes(|name| log.blob(name))?;
        write.execute(
            "INSERT OR IGNORE INTO certificates VALUES (?)",
            [certificate::single_use_digest(&bytes).as_bytes()],
        )?;
    }
    Ok(())
}

fn settle(write: &Transaction<'_>, push: u64, name: &RefName, state: State) -> Result<(), IndexError> {
    let key = params![sql(push), name.as_str()];
    if state == State::Landed {
        let mut query = write.prepare_cached("SELECT new FROM open WHERE push = ? AND ref = ?")?;
        let new: Option<Option<[u8; 20]>> = query.query_row(key, |row| row.get(0)).optional()?;
        set_tip(write, name, new.flatten().map(Oid::from_bytes).as_ref())?;
    }
    write.prepare_cached("DELETE FROM open WHERE push = ? AND ref = ?")?.execute(key)?;
    write.prepare_cached("DELETE FROM observed WHERE ref = ?")?.execute([name.as_str()])?;
    Ok(())
}

#[cfg(test)]
mod tests;
