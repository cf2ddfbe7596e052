//! How entries get into the index, one after another.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{IndexError, Known};
use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::entry::field::Field;
use crate::entry::leaf::{Leaf, Push, State};
use crate::entry::statement::{Envelope, Statement, parse_commits};
use crate::ledger::read::{Log, TILE_WIDTH};
use crate::ledger::replay::{parse_baseline_commit, parse_baseline_ref};
use crate::name::{Oid, RefName};
use crate::object::certificate;
use crate::object::commit::Commit;
use crate::object::tag::Tag;
use crate::policy::facts::Voucher;
use crate::tlog::tree;

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

/// SQLite counts in signed 64 bits; a ledger never comes near.
pub(super) fn sql(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) fn stored(db: &Connection) -> Result<Option<(u64, Digest)>, IndexError> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        return Ok(None);
    }
    let row = db.query_row("SELECT size, root FROM meta", [], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), Digest::from_bytes(row.get(1)?)))
    });
    Ok(row.optional()?)
}

/// Applies the entries that the index lacks, `count_max` at most; whether none is left.
pub(super) fn take_in(write: &Transaction<'_>, log: &Log<'_>, count_max: u64) -> Result<bool, IndexError> {
    let from = match stored(write)? {
        Some((size, root)) if size > log.size() && is_newer(log, size, &root)? => return Ok(true),
        Some((size, root)) if log.was(size, &root)? => size,
        Some(_) | None => {
            reset(write)?;
            0
        }
    };
    let size = log.size().min((from - from % TILE_WIDTH).saturating_add(count_max));
    log.each(from..size, |index, bytes| {
        let leaf = Leaf::parse(bytes).map_err(|source| IndexError::Leaf { index, source })?;
        apply(write, log, index, leaf)
    })?;
    let head = &log.head().checkpoint;
    let root = if size == head.size() { head.root() } else { tree::root(log, size)? };
    write.execute("DELETE FROM waiting WHERE push < ?", [sql(size)])?;
    write.execute("DELETE FROM meta", [])?;
    write.execute("INSERT INTO meta VALUES (?, ?)", params![sql(size), root.as_bytes()])?;
    Ok(size == head.size())
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

pub(super) fn known(db: &Connection, oid: &Oid) -> Result<Option<Known>, IndexError> {
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
