//! The cache of the tree's hashes: `mledger/hashes`, so that an append reads no tile.
//!
//! ```text
//! offset 32 × stored_position(level, index): the hash of that complete subtree
//! ```
//!
//! Only ever appended to, and used only after the root it yields equals the root of the signed checkpoint; if it does
//! not, it is made anew from the ledger. That checks the hashes along the tree's right edge, which are all that an append
//! needs; whoever reads others checks them. It is never fsynced: losing it costs time, nothing else.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::place::PlaceError;
use super::read::{Log, ReadError};
use crate::digest::{Digest, leaf_hash};
use crate::tlog::hashes::{Hashes, completed_by, stored_count, stored_position};
use crate::tlog::tree;

const HASH_BYTES: u64 = 32;

/// The cache's file.
pub const FILE: &str = "hashes";

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The ledger that it is made from.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger's own hashes do not give the root that its checkpoint signs.
    #[error("the ledger's entries hash to {found}, but its checkpoint says {expected}")]
    Root {
        /// By the checkpoint.
        expected: Digest,
        /// By the entries.
        found: Digest,
    },
}

/// The cache file, with hashes not written to it yet behind it.
pub struct HashCache {
    path: PathBuf,
    file: RefCell<File>,
    stored: u64,
    size: u64,
    pending: Vec<Digest>,
}

impl HashCache {
    /// Opens the cache for a ledger, and makes it anew where it does not match.
    pub fn open(path: &Path, log: &Log<'_>) -> Result<Self, CacheError> {
        let checkpoint = &log.head().checkpoint;
        let mut cache = Self::open_file(path, checkpoint.size())?;
        let found = tree::root(&cache, checkpoint.size());
        if !matches!(found, Ok(root) if root == checkpoint.root()) {
            cache.rebuild(log)?;
        }
        Ok(cache)
    }

    /// An empty cache, for a ledger that is about to begin.
    pub fn create(path: &Path) -> Result<Self, CacheError> {
        let mut cache = Self::open_file(path, 0)?;
        cache.truncate()?;
        Ok(cache)
    }

    /// Whether the cache in this file yields the ledger's root, or is not there. Nothing is changed.
    pub fn is_sound(path: &Path, log: &Log<'_>) -> bool {
        let checkpoint = &log.head().checkpoint;
        match std::fs::metadata(path) {
            Err(error) => return error.kind() == std::io::ErrorKind::NotFound,
            Ok(found) if !found.is_file() => return false,
            Ok(_) => {}
        }
        let Ok(file) = File::open(path) else { return false };
        let (size, stored) = (checkpoint.size(), stored_count(checkpoint.size()));
        let cache = Self { path: path.to_owned(), file: RefCell::new(file), stored, size, pending: Vec::new() };
        matches!(tree::root(&cache, size), Ok(root) if root == checkpoint.root())
    }

    fn open_file(path: &Path, size: u64) -> Result<Self, CacheError> {
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        let file = open.map_err(|source| error("open", path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file: RefCell::new(file),
            stored: stored_count(size),
            size,
            pending: Vec::new(),
        })
    }

    fn truncate(&mut self) -> Result<(), CacheError> {
        (self.size, self.stored) = (0, 0);
        self.file.borrow_mut().set_len(0).map_err(|source| error("write", &self.path, source).into())
    }

    fn rebuild(&mut self, log: &Log<'_>) -> Result<(), CacheError> {
        let checkpoint = log.head().checkpoint.clone();
        self.truncate()?;
        for index in 0..checkpoint.size().min(log.head().sealed()) {
            self.append(log.hash(0, index)?)?;
            if index % (1 << 16) == 0 {
                self.flush()?;
            }
        }
        for leaf in log.tail()? {
            self.append(leaf_hash(leaf))?;
        }
        self.flush()?;
        let found = tree::root(self, checkpoint.size())?;
        if found == checkpoint.root() { Ok(()) } else { Err(CacheError::Root { expected: checkpoint.root(), found }) }
    }

    /// How many leaves it covers, pending ones included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the file away, so that the next to open it makes it anew.
    pub fn remove(&self) -> Result<(), CacheError> {
        std::fs::remove_file(&self.path).map_err(|source| error("remove", &self.path, source).into())
    }

    /// Adds a leaf's hash, in memory.
    pub fn append(&mut self, leaf: Digest) -> Result<(), CacheError> {
        let completed = completed_by(self.size, leaf, self)?;
        self.pending.extend(completed);
        self.size += 1;
        Ok(())
    }

    /// Writes what is pending to the file.
    pub fn flush(&mut self) -> Result<(), CacheError> {
        let bytes: Vec<u8> = self.pending.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(self.stored * HASH_BYTES))
            .and_then(|_| file.write_all(&bytes))
            .map_err(|source| error("write", &self.path, source))?;
        self.stored += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Hashes for HashCache {
    type Error = CacheError;

    fn hash(&self, level: u8, index: u64) -> Result<Digest, CacheError> {
        let position = stored_position(level, index);
        if let Some(at) = position.checked_sub(self.stored) {
            let found = usize::try_from(at).ok().and_then(|at| self.pending.get(at)).copied();
            return found.ok_or_else(|| error("read", &self.path, std::io::ErrorKind::UnexpectedEof.into()).into());
        }
        let mut bytes = [0; 32];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(position * HASH_BYTES))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| error("read", &self.path, source))?;
        Ok(Digest::from_bytes(bytes))
    }
}

fn error(what: &'static str, path: &Path, source: std::io::Error) -> PlaceError {
    PlaceError::File { what, path: path.to_owned(), source }
}
