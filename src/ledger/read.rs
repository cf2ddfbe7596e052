//! Reading a ledger: its head, its leaves, its blobs, its hashes.
//!
//! Sealed leaves come from bundles in the head's tree; the rest, at most 255, from walking back over at most as many
//! commits. So a fetch of depth 256 holds everything.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::message::{COMMIT_BYTES_MAX, Message, MessageError};
use crate::digest::{Digest, leaf_hash, node_hash};
use crate::entry::field::{BlobName, Field, FieldError};
use crate::entry::leaf::{Leaf, LeafError};
use crate::git::repository::Folder;
use crate::git::{GitError, Kind, Repository};
use crate::name::{NameError, Oid};
use crate::tlog::bundle::{self, BundleError};
use crate::tlog::checkpoint::{Checkpoint, CheckpointError};
use crate::tlog::hashes::Hashes;
use crate::tlog::key::{KeyError, VerifierKey};
use crate::tlog::note::{Note, NoteError};
use crate::tlog::tile::{TileError, TileKind, TilePath, WIDTH_MAX};
use crate::tlog::tree;

/// Leaves per bundle and hashes per tile, by tlog-tiles.
pub const TILE_WIDTH: u64 = WIDTH_MAX as u64;

/// The largest object of a ledger that is read, in bytes: a bundle of 256 leaves of 64 KiB.
pub(super) const OBJECT_BYTES_MAX: u64 = 17 * 1024 * 1024;

/// How many folders of a ledger are kept open: those of a bundle, of its tile and of the rows above, and few
/// megabytes.
const FOLDERS_MAX: usize = 16;

/// The largest blob that is read, in bytes: the baseline of a repository with a million commits takes 130 MB.
const BLOB_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Why a ledger cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is none.
    #[error("there is no ledger here")]
    NoLedger,
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A commit of another form.
    #[error("ledger commit {commit}: {source}")]
    Message {
        /// The commit.
        commit: Oid,
        /// What is wrong.
        source: MessageError,
    },
    /// The head's checkpoint.
    #[error("the ledger's checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The head's note.
    #[error("the ledger's checkpoint is not a signed note")]
    Note(#[from] NoteError),
    /// A file that the tree should hold.
    #[error("`{0}` is missing from the ledger's tree")]
    Absent(String),
    /// A bundle.
    #[error("`tile/entries/{number}` is damaged")]
    Bundle {
        /// Its number.
        number: u64,
        /// What is wrong.
        source: BundleError,
    },
    /// A tile.
    #[error("a hash tile is damaged or beyond the tree")]
    Tile(#[from] TileError),
    /// The key that the ledger names.
    #[error("the ledger's key cannot be read")]
    Key(#[from] KeyError),
    /// The walk over the unsealed leaves does not add up.
    #[error("the unsealed entries end at {found}, not at {expected}")]
    Tail {
        /// Where the newest commit says they begin.
        expected: u64,
        /// Where they do.
        found: u64,
    },
    /// Not that many entries.
    #[error("there is no entry {index}; the ledger has {size}")]
    NoEntry {
        /// What was asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// A leaf.
    #[error("entry {index} cannot be read")]
    Leaf {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: LeafError,
    },
    /// A field.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The first entry is no genesis.
    #[error("the ledger does not begin with a genesis entry")]
    NoGenesis,
}

/// The newest commit of a ledger.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its id.
    pub commit: Oid,
    /// What it says.
    pub message: Message,
    /// Its checkpoint; the signature is checked by [`Log::open`].
    pub checkpoint: Checkpoint,
}

impl Head {
    /// Reads a commit of the ledger without checking its signature.
    pub fn read(repository: &Repository, commit: Oid) -> Result<Self, ReadError> {
        Self::parse(commit, &repository.read_limited(&commit, Kind::Commit, COMMIT_BYTES_MAX)?)
    }

    /// Parses the object of a commit without checking its signature.
    pub fn parse(commit: Oid, object: &[u8]) -> Result<Self, ReadError> {
        let message = Message::parse(object).map_err(|source| ReadError::Message { commit, source })?;
        let note = Note::parse(&message.note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        Ok(Self { commit, message, checkpoint })
    }

    /// How many leaves it seals: whole bundles.
    pub fn sealed(&self) -> u64 {
        self.checkpoint.size() - self.checkpoint.size() % TILE_WIDTH
    }

    /// The index of the first leaf in its message or `tail/`.
    pub fn first(&self, leaves: usize) -> u64 {
        self.checkpoint.size().saturating_sub(leaves as u64)
    }
}

/// A ledger, opened for reading at one head.
pub struct Log<'a> {
    repository: &'a Repository,
    head: Head,
    vkey: VerifierKey,
    tail: OnceCell<Vec<Vec<u8>>>,
    tiles: RefCell<HashMap<(u8, u64), Vec<Digest>>>,
    /// The folders of tiles and bundles that were looked into, by path.
    folders: RefCell<HashMap<String, Folder>>,
    /// The bundle read last: neighbours are often asked for one after another.
    kept: RefCell<(Option<u64>, Vec<u8>)>,
    /// Hashes that no tile above holds yet, each made of 256 and asked for by every root and proof.
    made: RefCell<HashMap<(u8, u64), Digest>>,
}

impl<'a> Log<'a> {
    /// Opens the ledger of `repository`; without a `vkey` it trusts the one that its genesis names.
    pub fn open(repository: &'a Repository, vkey: Option<&VerifierKey>) -> Result<Self, ReadError> {
        let tip = repository.tip(&super::log_ref()?)?.ok_or(ReadError::NoLedger)?;
        Self::open_at(repository, tip, vkey)
    }

    /// Opens the ledger whose newest commit is `tip`.
    pub fn open_at(repository: &'a Repository, tip: Oid, vkey: Option<&VerifierKey>) -> Result<Self, ReadError> {
        let head = Head::read(repository, tip)?;
        let trusted = match vkey {
            Some(vkey) => vkey.clone(),
            None => genesis_vkey(repository, &head)?,
        };
        Checkpoint::open(&head.message.note, &trusted)?;
        Ok(Self::at(repository, head, trusted))
    }

    /// The ledger at a head whose signature by `vkey` was checked.
    pub(super) fn at(repository: &'a Repository, head: Head, vkey: VerifierKey) -> Self {
        Self {
            repository,
            head,
            vkey,
            tail: OnceCell::new(),
            tiles: RefCell::default(),
            folders: RefCell::default(),
            kept: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// The newest commit.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The key that its checkpoint was checked with.
    pub fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// The repository it lies in.
    pub fn repository(&self) -> &'a Repository {
        self.repository
    }

    /// Whether nothing has been appended since it was opened.
    pub fn is_newest(&self) -> Result<bool, ReadError> {
        Ok(self.repository.tip(&super::log_ref()?)? == Some(self.head.commit))
    }

    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.head.checkpoint.size()
    }

    /// The leaves that are not sealed yet, from `head().sealed()` on.
    pub fn tail(&self) -> Result<&[Vec<u8>], ReadError> {
        if let Some(leaves) = self.tail.get() {
            return Ok(leaves);
        }
        let leaves = read_tail(self.repository, &self.head, self.head.sealed())?;
        Ok(self.tail.get_or_init(|| leaves))
    }

    /// A sealed bundle's bytes.
    pub fn bundle(&self, number: u64) -> Result<Vec<u8>, ReadError> {
        self.tile_file(&entries_path(number)?)
    }

    /// One leaf's bytes.
    pub fn leaf_bytes(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let missing = || ReadError::NoEntry { index, size: self.size() };
        let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        if index >= self.size() {
            return Err(missing());
        }
        if index >= self.head.sealed() {
            return self.tail()?.get(at(index - self.head.sealed())).cloned().ok_or_else(missing);
        }
        let number = index / TILE_WIDTH;
        let mut kept = self.kept.borrow_mut();
        if kept.0 != Some(number) {
            *kept = (Some(number), self.bundle(number)?);
        }
        let entries = bundle::parse(&kept.1).map_err(|source| ReadError::Bundle { number, source })?;
        entries.get(at(index % TILE_WIDTH)).map(|leaf| leaf.to_vec()).ok_or_else(missing)
    }

    /// One leaf.
    pub fn leaf(&self, index: u64) -> Result<Leaf, ReadError> {
        Leaf::parse(&self.leaf_bytes(index)?).map_err(|source| ReadError::Leaf { index, source })
    }

    /// Calls `visit` with the bytes of each leaf of `range`, in order.
    pub fn each<E: From<ReadError>>(
        &self,
        range: std::ops::Range<u64>,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sealed = self.head.sealed();
        for number in range.start / TILE_WIDTH..range.end.min(sealed).div_ceil(TILE_WIDTH) {
            let bytes = self.bundle(number)?;
            let entries = bundle::parse(&bytes).map_err(|source| ReadError::Bundle { number, source })?;
            for (index, leaf) in (number * TILE_WIDTH..).zip(entries) {
                if range.contains(&index) {
                    visit(index, leaf)?;
                }
            }
        }
        if range.end > sealed {
            let from = range.start.max(sealed);
            for (index, leaf) in (from..range.end).zip(read_tail(self.repository, &self.head, from)?) {
                visit(index, &leaf)?;
            }
        }
        Ok(())
    }

    /// Whether the ledger had that root when it had that size. Where an append ended there and is not sealed yet, its
    /// checkpoint tells; else the hashes of the tree do.
    pub fn was(&self, size: u64, root: &Digest) -> Result<bool, ReadError> {
        let mut checkpoint = self.head.checkpoint.clone();
        let mut parent = self.head.message.parent;
        while size < checkpoint.size() && size >= self.head.sealed() {
            let Some(commit) = parent else { break };
            let before = Head::read(self.repository, commit)?;
            (checkpoint, parent) = (before.checkpoint, before.message.parent);
        }
        if checkpoint.size() == size {
            return Ok(checkpoint.root() == *root);
        }
        Ok(size < self.size() && tree::root(self, size)? == *root)
    }

    /// Contents that a leaf names.
    pub fn blob(&self, name: &BlobName) -> Result<Vec<u8>, ReadError> {
        self.file(&blob_path(&name.sha256), name.size.min(BLOB_BYTES_MAX))
    }

    /// A text field's value.
    pub fn field_text(&self, field: &Field) -> Result<String, ReadError> {
        field.read_text(|name| self.blob(name))
    }

    /// A byte field's value.
    pub fn field_bytes(&self, field: &Field) -> Result<Vec<u8>, ReadError> {
        field.read_bytes(|name| self.blob(name))
    }

    /// The policy's text that the tree holds as in force.
    pub fn policy_view(&self) -> Result<String, ReadError> {
        let bytes = self.file("policy.toml", BLOB_BYTES_MAX)?;
        String::from_utf8(bytes).map_err(|_| FieldError::Utf8.into())
    }

    fn file(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        read_file(self.repository, &self.head, path, max)
    }

    /// A full hash tile's hashes.
    pub fn tile(&self, level: u8, number: u64) -> Result<Vec<Digest>, ReadError> {
        let path = TilePath::new(TileKind::Hashes { level }, number, WIDTH_MAX)?;
        Ok(path.parse_hashes(&self.tile_file(&path.to_string())?)?)
    }

    /// A file among a thousand neighbours, of which others are likely to be read, too.
    fn tile_file(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let absent = || ReadError::Absent(path.to_owned());
        let (folder, name) = path.rsplit_once('/').ok_or_else(absent)?;
        let mut folders = self.folders.borrow_mut();
        if !folders.contains_key(folder) {
            if folders.len() >= FOLDERS_MAX {
                folders.clear();
            }
            let found = self.repository.folder(&self.head.message.tree, folder)?.ok_or_else(absent)?;
            folders.insert(folder.to_owned(), found);
        }
        let id = folders.get(folder).and_then(|folder| folder.entry(name)).ok_or_else(absent)?;
        Ok(self.repository.read_limited(&id, Kind::Blob, OBJECT_BYTES_MAX)?)
    }

    /// A hash on a tile's bottom row, `level` being a multiple of 8, if a full tile holds it.
    fn tile_hash(&self, level: u8, index: u64) -> Result<Option<Digest>, ReadError> {
        let (row, number) = (level / 8, index / TILE_WIDTH);
        let covers = u32::from(row + 1) * 8;
        if covers >= u64::BITS || (number + 1) << covers > self.head.sealed() {
            return Ok(None);
        }
        let mut tiles = self.tiles.borrow_mut();
        let hashes = match tiles.entry((row, number)) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(place) => place.insert(self.tile(row, number)?),
        };
        let at = usize::try_from(index % TILE_WIDTH).unwrap_or_default();
        Ok(hashes.get(at).copied())
    }
}

impl Hashes for Log<'_> {
    type Error = ReadError;

    fn hash(&self, level: u8, index: u64) -> Result<Digest, ReadError> {
        if level.is_multiple_of(8)
            && let Some(hash) = self.tile_hash(level, index)?
        {
            return Ok(hash);
        }
        if level == 0 {
            return Ok(leaf_hash(&self.leaf_bytes(index)?));
        }
        let is_kept = level.is_multiple_of(8);
        if is_kept && let Some(hash) = self.made.borrow().get(&(level, index)) {
            return Ok(*hash);
        }
        let hash = node_hash(&self.hash(level - 1, index * 2)?, &self.hash(level - 1, index * 2 + 1)?);
        if is_kept {
            self.made.borrow_mut().insert((level, index), hash);
        }
        Ok(hash)
    }
}

/// Where a sealed bundle lies in the tree.
pub fn entries_path(number: u64) -> Result<String, TileError> {
    TilePath::new(TileKind::Entries, number, WIDTH_MAX).map(|path| path.to_string())
}

/// Where contents lie in the tree.
pub fn blob_path(digest: &Digest) -> String {
    let hex = digest.hex();
    let (folder, rest) = hex.split_at(2);
    format!("blob/{folder}/{rest}")
}

/// Where the leaves of an append too big for a message lie.
pub fn tail_path(first: u64) -> String {
    format!("tail/{first}")
}

/// The leaves that a commit adds and does not seal, in its message or under `tail/`.
pub fn own_leaves(repository: &Repository, head: &Head, previous_size: u64) -> Result<Vec<Vec<u8>>, ReadError> {
    if !head.message.leaves.is_empty() {
        return Ok(head.message.leaves.clone());
    }
    let first = previous_size.max(head.sealed());
    let Some(id) = repository.entry(&head.message.tree, &tail_path(first))? else { return Ok(Vec::new()) };
    let bytes = repository.read_limited(&id, Kind::Blob, OBJECT_BYTES_MAX)?;
    let entries = bundle::parse(&bytes).map_err(|source| ReadError::Bundle { number: first / TILE_WIDTH, source })?;
    Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
}

/// The leaves from `from` on, which must not be sealed, newest commit first; walks no further than it must.
fn read_tail(repository: &Repository, head: &Head, from: u64) -> Result<Vec<Vec<u8>>, ReadError> {
    let sealed = head.sealed();
    let mut newest_first: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut at = head.clone();
    let mut end = head.checkpoint.size();
    while end > from {
        let parent = at.message.parent.map(|parent| Head::read(repository, parent));
        // The oldest commit of a shallow fetch names a parent that is not there; its leaves may still be all we need.
        let before = match parent {
            Some(Ok(parent)) => Some(parent),
            Some(Err(ReadError::Git(GitError::Missing(_)))) | None => None,
            Some(Err(error)) => return Err(error),
        };
        let previous = before.as_ref().map_or_else(|| at.first(at.message.leaves.len()), |head| head.checkpoint.size());
        let leaves = own_leaves(repository, &at, previous)?;
        let first = end.saturating_sub(leaves.len() as u64);
        if at.checkpoint.size() != end || first != previous.max(sealed) {
            return Err(ReadError::Tail { expected: previous.max(sealed), found: first });
        }
        newest_first.push(leaves);
        end = first;
        match before {
            Some(before) => at = before,
            None if end > from => return Err(ReadError::Tail { expected: from, found: end }),
            None => break,
        }
    }
    let skipped = usize::try_from(from.saturating_sub(end)).unwrap_or(usize::MAX);
    Ok(newest_first.into_iter().rev().flatten().skip(skipped).collect())
}

/// The key that the first entry names.
fn genesis_vkey(repository: &Repository, head: &Head) -> Result<VerifierKey, ReadError> {
    let bytes = if head.sealed() == 0 {
        read_tail(repository, head, 0)?.into_iter().next()
    } else {
        let bundle = read_file(repository, head, &entries_path(0)?, OBJECT_BYTES_MAX)?;
        let entries = bundle::parse(&bundle).map_err(|source| ReadError::Bundle { number: 0, source })?;
        entries.first().map(|leaf| leaf.to_vec())
    };
    let leaf =
        Leaf::parse(&bytes.ok_or(ReadError::NoGenesis)?).map_err(|source| ReadError::Leaf { index: 0, source })?;
    match leaf {
        Leaf::Genesis(genesis) => Ok(VerifierKey::parse(&genesis.vkey)?),
        _ => Err(ReadError::NoGenesis),
    }
}

fn read_file(repository: &Repository, head: &Head, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
    let id = repository.entry(&head.message.tree, path)?;
    let id = id.ok_or_else(|| ReadError::Absent(path.to_owned()))?;
    Ok(repository.read_limited(&id, Kind::Blob, max)?)
}
