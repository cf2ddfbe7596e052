//! The index's tables.
//!
//! ```text
//! meta      how many bundles are known, and the root of the tree of their entries
//! bundles   of each bundle the first and the last ledger time in it
//! terms     each actor, ref, path, kind and decision, by a number
//! postings  in which places of a bundle a term stands: a byte for each, or 256 bits
//! commits   the first 64 bits of each commit's name, with its entry
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use super::QueryError;
use super::places::{Named, Places};
use super::term::{Field, Taken, Term};
use crate::digest::Digest;
use crate::git::file;
use crate::ledger::read::TILE_WIDTH;

/// Raised whenever the tables, what they hold or what is read from an entry changes; an index of another version is
/// made anew.
const VERSION: i64 = 1;

/// Tells the file from databases of others: `mlqi`.
const APPLICATION_ID: i64 = 0x6d6c_7169;

const SCHEMA: &str = "
    CREATE TABLE meta (bundles INTEGER NOT NULL, root BLOB NOT NULL);
    CREATE TABLE bundles (bundle INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
    CREATE TABLE terms (field INTEGER, value TEXT, term INTEGER NOT NULL, PRIMARY KEY (field, value)) WITHOUT ROWID;
    CREATE TABLE postings (term INTEGER, bundle INTEGER, places BLOB NOT NULL, PRIMARY KEY (term, bundle)) WITHOUT ROWID;
    CREATE TABLE commits (oid INTEGER, entry INTEGER, PRIMARY KEY (oid, entry)) WITHOUT ROWID;
";

/// How long a statement waits for another process that writes the index: as long as it takes to read every entry
/// instead.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Pages kept in memory, in KiB as SQLite wants it: what a write touches of the index of a million entries.
const CACHE: i64 = -65_536;

/// The database.
pub(super) struct Store(Connection);

/// What the index holds: so many bundles of the ledger that had this root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) bundles: u64,
    pub(super) root: Digest,
}

/// What a run of bundles adds.
#[derive(Default)]
pub(super) struct Batch {
    times: HashMap<u64, (i64, i64)>,
    postings: HashMap<Term, Vec<(u64, Places)>>,
    commits: Vec<(i64, u64)>,
}

impl Batch {
    /// Adds an entry; they come in order.
    pub(super) fn add(&mut self, taken: Taken) {
        let (bundle, place) = (taken.index / TILE_WIDTH, u8::try_from(taken.index % TILE_WIDTH).unwrap_or_default());
        if let Some(time) = taken.time_ms {
            let (first, last) = self.times.entry(bundle).or_insert((time, time));
            (*first, *last) = (time.min(*first), time.max(*last));
        }
        for term in taken.terms {
            let postings = self.postings.entry(term).or_default();
            match postings.last_mut() {
                Some((number, places)) if *number == bundle => places.insert(place),
                _ => {
                    let mut places = Places::default();
                    places.insert(place);
                    postings.push((bundle, places));
                }
            }
        }
        self.commits.extend(taken.commit.map(|oid| (oid_key(&oid.to_string(), '0'), taken.index)));
    }
}

impl Store {
    /// Opens the file, or makes it. What stands there and is no ordinary file goes: SQLite would follow a link, and wait
    /// for a pipe.
    pub(super) fn open(path: &Path) -> Result<Self, QueryError> {
        let path = make_way(path).map_err(|source| QueryError::File { path: path.to_owned(), source })?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(BUSY_WAIT)?;
        db.pragma_update(None, "cache_size", CACHE)?;
        db.pragma_update(None, "cell_size_check", true)?;
        if is_blank(&db)? {
            let write = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if is_blank(&write)? {
                write.execute_batch(SCHEMA)?;
                write.pragma_update(None, "application_id", APPLICATION_ID)?;
                write.pragma_update(None, "user_version", VERSION)?;
            }
            write.commit()?;
        }
        if marks(&db)? == (APPLICATION_ID, VERSION) { Ok(Self(db)) } else { Err(QueryError::Foreign) }
    }

    /// Takes the file away; whoever has it open goes on with it.
    pub(super) fn remove(path: &Path) -> io::Result<()> {
        let mut journal = path.as_os_str().to_owned();
        journal.push("-journal");
        // First, so that nobody takes it for the journal of the file that comes next.
        for path in [Path::new(&journal), path] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Answers from here on as of now, whatever others write meanwhile.
    pub(super) fn pin(&self) -> Result<Transaction<'_>, QueryError> {
        Ok(self.0.unchecked_transaction()?)
    }

    /// What it holds; none for nothing.
    pub(super) fn known(&self) -> Result<Option<Known>, QueryError> {
        known(&self.0)
    }

    /// Forgets everything, unless others have written since it held `before`.
    pub(super) fn clear(&mut self, before: Known) -> Result<(), QueryError> {
        self.write(Some(before), |write| {
            Ok(["meta", "bundles", "terms", "postings", "commits"]
                .iter()
                .try_for_each(|table| write.execute(&format!("DELETE FROM {table}"), []).map(|_| ()))?)
        })
    }

    /// Adds bundles, so that it holds `after`, unless others have written since it held `before`.
    pub(super) fn add(&mut self, batch: &Batch, before: Option<Known>, after: Known) -> Result<(), QueryError> {
        self.write(before, |write| {
            put(write, batch)?;
            write.execute("DELETE FROM meta", [])?;
            write.execute(
                "INSERT INTO meta VALUES (?, ?)",
                params![after.bundles.cast_signed(), after.root.as_bytes()],
            )?;
            Ok(())
        })
    }

    fn write(
        &mut self,
        before: Option<Known>,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let write = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if known(&write)? == before {
            work(&write)?;
        }
        Ok(write.commit()?)
    }

    /// Where a term stands.
    pub(super) fn places(&self, term: &Term) -> Result<Named, QueryError> {
        let mut query = self.0.prepare_cached("SELECT term FROM terms WHERE field = ? AND value = ?")?;
        let number: Option<i64> =
            query.query_row(params![term.field as i64, term.value], |row| row.get(0)).optional()?;
        let mut named = Named::new();
        number.map_or(Ok(()), |number| self.add_places(number, &mut named))?;
        Ok(named)
    }

    /// Where any of a field's terms stands that `is_meant`.
    pub(super) fn places_where(&self, field: Field, is_meant: impl Fn(&str) -> bool) -> Result<Named, QueryError> {
        let mut query = self.0.prepare_cached("SELECT value, term FROM terms WHERE field = ?")?;
        let mut rows = query.query([field as i64])?;
        let mut named = Named::new();
        while let Some(row) = rows.next()? {
            if is_meant(row.get_ref(0)?.as_str().map_err(|_| damaged("a term"))?) {
                self.add_places(row.get(1)?, &mut named)?;
            }
        }
        Ok(named)
    }

    fn add_places(&self, term: i64, named: &mut Named) -> Result<(), QueryError> {
        let mut query = self.0.prepare_cached("SELECT bundle, places FROM postings WHERE term = ?")?;
        let mut rows = query.query([term])?;
        while let Some(row) = rows.next()? {
            let places = row.get_ref(1)?.as_blob().ok().and_then(Places::parse).ok_or_else(|| damaged("a posting"))?;
            named.entry(row.get::<_, i64>(0)?.cast_unsigned()).or_default().or(&places);
        }
        Ok(())
    }

    /// The bundles that have entries of between these moments, in milliseconds since 1970.
    pub(super) fn bundles_of(&self, since_ms: i64, until_ms: i64) -> Result<Named, QueryError> {
        let mut query = self.0.prepare("SELECT bundle FROM bundles WHERE last >= ? AND first <= ?")?;
        let rows =
            query.query_map([since_ms, until_ms], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), Places::ALL)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entries of commits whose name may begin so.
    pub(super) fn commits(&self, prefix: &str) -> Result<Named, QueryError> {
        let mut query = self.0.prepare("SELECT entry FROM commits WHERE oid BETWEEN ? AND ?")?;
        let mut rows = query.query([oid_key(prefix, '0'), oid_key(prefix, 'f')])?;
        let mut named = Named::new();
        while let Some(row) = rows.next()? {
            let entry = row.get::<_, i64>(0)?.cast_unsigned();
            let place = u8::try_from(entry % TILE_WIDTH).unwrap_or_default();
            named.entry(entry / TILE_WIDTH).or_default().insert(place);
        }
        Ok(named)
    }
}

/// The first 64 bits of an object's name, where digits that are missing are `rest`, in an order that SQLite knows.
fn oid_key(hex: &str, rest: char) -> i64 {
    let digits = hex.chars().chain(std::iter::repeat(rest)).take(16);
    let bits = digits.fold(0, |bits, digit| bits << 4 | u64::from(digit.to_digit(16).unwrap_or_default()));
    (bits ^ 1 << 63).cast_signed()
}

fn damaged(what: &'static str) -> QueryError {
    QueryError::Damaged(what)
}

fn marks(db: &Connection) -> Result<(i64, i64), QueryError> {
    let mark = |name| db.pragma_query_value(None, name, |row| row.get(0));
    Ok((mark("application_id")?, mark("user_version")?))
}

fn is_blank(db: &Connection) -> Result<bool, QueryError> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok(tables == 0 && marks(db)? == (0, 0))
}

fn known(db: &Connection) -> Result<Option<Known>, QueryError> {
    let row = db.query_row("SELECT bundles, root FROM meta", [], |row| {
        Ok(Known { bundles: row.get::<_, i64>(0)?.cast_unsigned(), root: Digest::from_bytes(row.get(1)?) })
    });
    Ok(row.optional()?)
}

/// Each table is written in the order of its keys, so that every page is touched once.
fn put(write: &Transaction<'_>, batch: &Batch) -> Result<(), QueryError> {
    let mut insert = write.prepare("INSERT INTO bundles VALUES (?, ?, ?)")?;
    for (bundle, (first, last)) in &batch.times {
        insert.execute(params![bundle.cast_signed(), first, last])?;
    }
    let mut insert = write.prepare("INSERT INTO postings VALUES (?, ?, ?)")?;
    for (number, postings) in number_terms(write, batch)? {
        for (bundle, places) in postings {
            insert.execute(params![number, bundle.cast_signed(), places.to_bytes()])?;
        }
    }
    let mut commits: Vec<_> = batch.commits.iter().collect();
    commits.sort_unstable();
    let mut insert = write.prepare("INSERT OR IGNORE INTO commits VALUES (?, ?)")?;
    for (oid, entry) in commits {
        insert.execute(params![oid, entry.cast_signed()])?;
    }
    Ok(())
}

/// A term's number, with where it stands.
type Numbered<'a> = (i64, &'a [(u64, Places)]);

fn number_terms<'a>(write: &Transaction<'_>, batch: &'a Batch) -> Result<Vec<Numbered<'a>>, QueryError> {
    let mut find = write.prepare("SELECT term FROM terms WHERE field = ? AND value = ?")?;
    let mut insert = write.prepare("INSERT INTO terms VALUES (?, ?, ?)")?;
    let mut next: i64 = write.query_row("SELECT coalesce(max(term), 0) + 1 FROM terms", [], |row| row.get(0))?;
    let mut terms: Vec<_> = batch.postings.iter().collect();
    terms.sort_unstable_by_key(|(term, _)| *term);
    let mut numbered = Vec::with_capacity(terms.len());
    for (term, postings) in terms {
        let key = params![term.field as i64, term.value];
        let number = if let Some(number) = find.query_row(key, |row| row.get(0)).optional()? {
            number
        } else {
            insert.execute(params![term.field as i64, term.value, next])?;
            next += 1;
            next - 1
        };
        numbered.push((number, postings.as_slice()));
    }
    numbered.sort_unstable_by_key(|(number, _)| *number);
    Ok(numbered)
}

/// Makes sure that an ordinary file is there, and returns its path without any link.
fn make_way(path: &Path) -> io::Result<std::path::PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let path = fs::canonicalize(folder)?.join(name);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => return Ok(path),
        Ok(_) => Store::remove(&path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file::create_new(&path, 0o600).map(drop).or_else(|error| match error.kind() {
        // Another process was faster.
        ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })?;
    Ok(path)
}

/// Whether an error of SQLite says that the file is not what it should be, as against one that cannot be used now.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
        )
    )
}
