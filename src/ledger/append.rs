//! Appending: the one way in which a ledger grows. The steps stand in [`super`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::hashes::{self, CacheError, HashCache};
use super::last::LastCheckpoint;
use super::message::{LEAVES_BYTES_MAX, Message};
use super::place::{Lock, Place, PlaceError};
use super::read::{Head, Log, ReadError, TILE_WIDTH, blob_path, entries_path, own_leaves, tail_path};
use crate::clock::Timestamp;
use crate::digest::{Digest, leaf_hash, sha256};
use crate::entry::field::Blobs;
use crate::entry::leaf::{Leaf, LeafError};
use crate::entry::story;
use crate::git::{Durable, GitError, Kind};
use crate::identity::ed25519::SecretKey;
use crate::name::{NameError, Oid, Origin};
use crate::tlog::bundle::{self, BundleError};
use crate::tlog::checkpoint::{Checkpoint, CheckpointError};
use crate::tlog::hashes::{Hashes, MemoryHashes};
use crate::tlog::key::{KeyKind, VerifierKey};
use crate::tlog::tile::{self, TileError, TileKind, TilePath, WIDTH_MAX};
use crate::tlog::tree;

/// How often an append that finds the ref locked tries again, and how long it waits in between: a `git pack-refs`
/// holds the lock for milliseconds; a lock that outlives this was left by a killed process.
const REF_LOCK_TRIES: u32 = 200;
const REF_LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file beside the ledger.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The cache of hashes.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A tile.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The ledger went back behind a checkpoint that it has signed.
    #[error(
        "the ledger stands at {found} entries, but it has signed a checkpoint of {signed}: it was set back, perhaps from a backup"
    )]
    SetBack {
        /// What the ref holds.
        found: u64,
        /// What the second copy holds.
        signed: u64,
    },
    /// The ledger does not extend a checkpoint that it has signed.
    #[error("the ledger does not extend the checkpoint of {signed} entries that it has signed: it was replaced")]
    Forked {
        /// What the second copy holds.
        signed: u64,
    },
    /// The ref is gone.
    #[error("the ledger is gone, but it has signed a checkpoint of {signed} entries: its ref was removed")]
    Gone {
        /// What the second copy holds.
        signed: u64,
    },
    /// A second copy is gone.
    #[error("`{0}` is missing, so a ledger set back could not be told from a whole one")]
    NoLastCheckpoint(PathBuf),
    /// A second copy is none.
    #[error("`{file}` does not hold a checkpoint of this ledger")]
    LastCheckpoint {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: CheckpointError,
    },
    /// A tile that would not be the tree's.
    #[error("the entries of `{0}` do not hash to what was signed; nothing was appended")]
    Damaged(String),
    /// What was written reads back differently.
    #[error("the ledger commit {0} does not read back as it was written")]
    ReadBack(Oid),
}

/// Leaves to append together, and what they refer to.
#[derive(Debug, Default)]
pub struct Batch {
    /// The leaves, in order.
    pub leaves: Vec<Leaf>,
    /// Contents that the leaves name.
    pub blobs: Blobs,
    /// The new policy's text, where a leaf changes it.
    pub policy: Option<String>,
}

/// The key that signs the ledger's checkpoints, with its origin.
pub struct Signer {
    /// The ledger's name.
    pub origin: Origin,
    /// The private key.
    pub key: SecretKey,
}

impl Signer {
    /// The public half.
    pub fn vkey(&self) -> VerifierKey {
        VerifierKey::new((&self.origin).into(), KeyKind::Ed25519, self.key.public())
    }
}

/// A ledger whose lock is held: nothing but its holder appends.
pub struct Locked<'a> {
    repository: &'a Durable,
    last: LastCheckpoint,
    signer: &'a Signer,
    head: Option<Head>,
    cache: HashCache,
    time: Timestamp,
    _lock: Lock,
}

impl<'a> Locked<'a> {
    /// Locks an existing ledger, and checks that it extends what it has signed.
    pub fn open(repository: &'a Durable, place: &Place, signer: &'a Signer) -> Result<Self, AppendError> {
        let lock = place.lock()?;
        let log = Log::open(repository, Some(&signer.vkey()))?;
        Self::open_seen(lock, repository, &log, place, signer)
    }

    /// The same with the `lock` of `place` that the caller has taken, after it has `seen` the ledger of this repository
    /// and signer. What was appended in between is read; where nothing was, nothing is read again.
    pub fn open_seen(
        lock: Lock,
        repository: &'a Durable,
        seen: &Log<'_>,
        place: &Place,
        signer: &'a Signer,
    ) -> Result<Self, AppendError> {
        let log = if seen.is_newest()? {
            Log::at(repository, seen.head().clone(), seen.vkey().clone())
        } else {
            Log::open(repository, Some(seen.vkey()))?
        };
        let last = LastCheckpoint::of(repository, place)?;
        let cache = HashCache::open(&place.file(hashes::FILE), &log)?;
        check_extends_last(&last, &log, &cache)?;
        let time = newest_time(&log)?;
        let head = Some(log.head().clone());
        Ok(Self { repository, last, signer, head, cache, time, _lock: lock })
    }

    /// Locks the place of a ledger that does not exist yet, and never did.
    pub fn create(repository: &'a Durable, place: &Place, signer: &'a Signer) -> Result<Self, AppendError> {
        let lock = place.lock()?;
        let last = LastCheckpoint::of(repository, place)?;
        if let Some(checkpoint) = last.newest(&signer.vkey())? {
            return Err(AppendError::Gone { signed: checkpoint.size() });
        }
        let cache = HashCache::create(&place.file(hashes::FILE))?;
        let time = Timestamp::from_millis(0).unwrap_or_else(Timestamp::now);
        Ok(Self { repository, last, signer, head: None, cache, time, _lock: lock })
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.cache.size()
    }

    /// The newest commit of the ledger.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The ledger as it stands while the lock is held, for reading.
    pub fn log(&self) -> Result<Log<'a>, ReadError> {
        let head = self.head.clone().ok_or(ReadError::NoLedger)?;
        Ok(Log::at(self.repository, head, self.signer.vkey()))
    }

    /// The time of the next leaf: `now`, but never before the newest leaf's.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        self.time.max(now)
    }

    /// Whether the ledger held the tree of that size and root, as far as the cache of hashes knows. It was checked at
    /// the head only: before anybody is told of a fork, the ledger itself is to be asked.
    pub fn is_prefix(&self, size: u64, root: &Digest) -> Result<bool, AppendError> {
        Ok(size <= self.size() && tree::root(&self.cache, size)? == *root)
    }

    /// Appends a batch. When this returns `Ok`, it survives power loss.
    pub fn append(&mut self, batch: &Batch) -> Result<Checkpoint, AppendError> {
        let leaves = batch.leaves.iter().map(Leaf::to_bytes).collect::<Result<Vec<_>, _>>()?;
        let Some(time) = batch.leaves.last().map(Leaf::time) else {
            return self.head.as_ref().map(|head| head.checkpoint.clone()).ok_or_else(|| ReadError::NoLedger.into());
        };
        let before = self.size();
        for leaf in &leaves {
            self.cache.append(leaf_hash(leaf))?;
        }
        let size = self.size();
        let checkpoint = Checkpoint::new(self.signer.origin.clone(), size, tree::root(&self.cache, size)?)?;
        let head = self.write(batch, &leaves, before, &checkpoint, time)?;
        self.move_ref(&super::log_ref()?, &head.commit)?;
        self.last.write(&head.message.note)?;
        self.cache.flush()?;
        self.head = Some(head);
        self.time = time;
        Ok(checkpoint)
    }

    /// Writes everything that the ref will point to, and reads it back.
    fn write(
        &self,
        batch: &Batch,
        leaves: &[Vec<u8>],
        before: u64,
        checkpoint: &Checkpoint,
        time: Timestamp,
    ) -> Result<Head, AppendError> {
        let sealed = checkpoint.size() - checkpoint.size() % TILE_WIDTH;
        let unsealed_first = before.max(sealed);
        let skipped = usize::try_from(unsealed_first - before).unwrap_or(usize::MAX);
        let unsealed = leaves.get(skipped..).unwrap_or_default();
        let long = unsealed.iter().map(Vec::len).sum::<usize>() > LEAVES_BYTES_MAX;
        let mut files = self.sealed_files(leaves, before, sealed)?;
        // Leaves of one batch may name the same contents.
        let blobs: BTreeMap<String, &Vec<u8>> =
            batch.blobs.iter().map(|blob| (blob_path(&sha256(blob)), blob)).collect();
        files.extend(blobs.into_iter().map(|(path, blob)| (path, blob.clone())));
        files.extend(batch.policy.iter().map(|text| ("policy.toml".to_owned(), text.clone().into_bytes())));
        if long {
            files.push((tail_path(unsealed_first), bundle::to_bytes(unsealed)?));
        }
        let tree = self.write_tree(&files, sealed > before)?;
        let message = Message {
            parent: self.head.as_ref().map(|head| head.commit),
            tree,
            subject: story::of_batch(&batch.leaves),
            leaves: if long { Vec::new() } else { unsealed.to_vec() },
            note: checkpoint.sign(&self.signer.key),
        };
        let commit = self.repository.write(Kind::Commit, &message.to_object(&self.signer.origin, time))?;
        self.read_back(commit, unsealed, unsealed_first, checkpoint)
    }

    /// The bundles and tiles that this append completes.
    fn sealed_files(
        &self,
        leaves: &[Vec<u8>],
        before: u64,
        sealed: u64,
    ) -> Result<Vec<(String, Vec<u8>)>, AppendError> {
        if sealed <= before {
            return Ok(Vec::new());
        }
        let mut entries = if self.head.is_some() { self.log()?.tail()?.to_vec() } else { Vec::new() };
        entries.extend_from_slice(leaves);
        let first = before / TILE_WIDTH;
        let mut files = Vec::new();
        for (number, chunk) in (first..sealed / TILE_WIDTH).zip(entries.chunks(256)) {
            files.push((entries_path(number)?, bundle::to_bytes(chunk)?));
        }
        for row in 0..8_u8 {
            let covers = u32::from(row + 1) * 8;
            for number in (before >> covers)..(sealed >> covers) {
                let path = TilePath::new(TileKind::Hashes { level: row }, number, WIDTH_MAX)?;
                files.push((path.to_string(), tile::to_bytes(&self.sealed_tile(&path, row, &entries, first)?)));
            }
            if sealed >> covers == 0 {
                break;
            }
        }
        Ok(files)
    }

    /// The hashes of a full tile. The cache was checked along the right edge of the tree only, so the bottom row comes
    /// from the entries themselves, and what a tile adds up to must be the hash above it, which was made from that edge.
    fn sealed_tile(
        &self,
        path: &TilePath,
        row: u8,
        entries: &[Vec<u8>],
        first: u64,
    ) -> Result<Vec<Digest>, AppendError> {
        let hashes = match row {
            0 => {
                let skipped = usize::try_from((path.index() - first) * TILE_WIDTH).unwrap_or(usize::MAX);
                entries.iter().skip(skipped).take(usize::from(WIDTH_MAX)).map(|leaf| leaf_hash(leaf)).collect()
            }
            _ => path.read(&self.cache)?,
        };
        let sum = tree::root(&hashes.iter().copied().collect::<MemoryHashes>(), TILE_WIDTH).ok();
        if sum == Some(self.cache.hash((row + 1) * 8, path.index())?) {
            return Ok(hashes);
        }
        // The next append makes the cache anew, and finds out whether it or an entry is damaged.
        self.cache.remove()?;
        Err(AppendError::Damaged(path.to_string()))
    }

    fn write_tree(&self, files: &[(String, Vec<u8>)], seals: bool) -> Result<Oid, AppendError> {
        let base = self.head.as_ref().map(|head| head.message.tree);
        let mut removed = Vec::new();
        if let (Some(base), true) = (&base, seals) {
            removed.extend(self.repository.entry_names(base, "tail")?.into_iter().map(|name| format!("tail/{name}")));
        }
        if let (Some(base), true, true) = (base, files.is_empty(), removed.is_empty()) {
            return Ok(base);
        }
        let mut put = Vec::new();
        for (path, bytes) in files {
            put.push((path.clone(), self.repository.write(Kind::Blob, bytes)?));
        }
        Ok(self.repository.write_tree(base.as_ref(), &put, &removed)?)
    }

    /// Reads the commit from the store and hashes its leaves again, on another path than the one that signed them.
    fn read_back(
        &self,
        commit: Oid,
        unsealed: &[Vec<u8>],
        first: u64,
        checkpoint: &Checkpoint,
    ) -> Result<Head, AppendError> {
        let head = Head::read(self.repository, commit)?;
        let signed = Checkpoint::open(&head.message.note, &self.signer.vkey())?;
        let leaves = own_leaves(self.repository, &head, first)?;
        // The tree up to here, then this commit's leaves as they lie on disk.
        let mut frontier = tree::Frontier::resume(&self.cache, first)?;
        for leaf in &leaves {
            frontier.append(leaf_hash(leaf));
        }
        let same = signed == *checkpoint && leaves == unsealed && frontier.root() == checkpoint.root();
        if same { Ok(head) } else { Err(AppendError::ReadBack(commit)) }
    }

    fn move_ref(&self, name: &crate::name::RefName, commit: &Oid) -> Result<(), AppendError> {
        let expected = self.head.as_ref().map(|head| head.commit);
        let mut tries = 0;
        loop {
            match self.repository.move_ref_durably(name, commit, expected.as_ref()) {
                Err(GitError::RefLocked(_)) if tries < REF_LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(REF_LOCK_PAUSE);
                    if tries == REF_LOCK_TRIES {
                        self.break_stale_lock(name)?;
                    }
                }
                moved => return Ok(moved?),
            }
        }
    }

    /// Removes a `.lock` that a killed process left: we hold the append lock, so no append of ours made it, and no
    /// other program holds it for a second.
    fn break_stale_lock(&self, name: &crate::name::RefName) -> Result<(), PlaceError> {
        let path = self.repository.git_dir().join(format!("{name}.lock"));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PlaceError::File { what: "remove the stale", path, source })
            }
            _ => Ok(()),
        }
    }
}

fn check_extends_last(last: &LastCheckpoint, log: &Log<'_>, cache: &HashCache) -> Result<(), AppendError> {
    let found = log.size();
    for last in last.read_unlike(&log.head().message.note, log.vkey())? {
        if found < last.size() {
            return Err(AppendError::SetBack { found, signed: last.size() });
        }
        // As in `is_prefix`: the cache may only say yes.
        let extends = tree::root(cache, last.size())? == last.root() || tree::root(log, last.size())? == last.root();
        if !extends {
            return Err(AppendError::Forked { signed: last.size() });
        }
    }
    Ok(())
}

fn newest_time(log: &Log<'_>) -> Result<Timestamp, ReadError> {
    let index = log.size().saturating_sub(1);
    let in_message = log.head().message.leaves.last();
    let leaf = match in_message {
        Some(bytes) => Leaf::parse(bytes).map_err(|source| ReadError::Leaf { index, source })?,
        None => log.leaf(index)?,
    };
    Ok(leaf.time())
}

#[cfg(test)]
mod tests;
