//! A static log folder (C2SP tlog-tiles), which any client of that format reads over HTTP or from disk.
//!
//! ```text
//! checkpoint                       the signed checkpoint
//! tile/0/000, tile/0/001.p/44 …    hash tiles, the partial ones of this size included
//! tile/entries/000 …               entry bundles beside those of level 0
//! blob/<2 hex>/<rest>              contents that entries name by SHA-256
//! .mledger-export                  the ledger's vkey: whose export this folder is
//! ```
//!
//! Every file but `checkpoint` is written once and never changes. `checkpoint` comes last, after everything that it
//! covers is on the disk: a reader meets a whole log at any moment, and so does the next export after a crash.
//!
//! Nothing is copied on trust: the hashes are computed from the entries that are written, and have to give the root
//! that the checkpoint signs.

mod folder;
mod rows;

use std::path::{Path, PathBuf};

use self::folder::Folder;
use self::rows::Rows;
use super::read::{Log, ReadError, TILE_WIDTH, blob_path};
use crate::digest::{Digest, leaf_hash, sha256};
use crate::git::{GitError, Kind};
use crate::tlog::bundle::{self, BundleError};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::tile::{TileError, TileKind, TilePath};
use crate::tlog::tree::{self, Frontier};

/// The checkpoint's name in the folder.
const CHECKPOINT: &str = "checkpoint";

/// The largest blob that is exported, in bytes; as much as the ledger itself reads.
const BLOB_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Why a folder is not, or not completely, an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A bundle.
    #[error("the entries do not fit into a bundle")]
    Bundle(#[from] BundleError),
    /// A tile.
    #[error("the tree has no such tile")]
    Tile(#[from] TileError),
    /// The folder holds something else.
    #[error("`{0}` is neither empty nor an export of this ledger")]
    Foreign(PathBuf),
    /// The folder holds another history, or more of it.
    #[error("`{path}` holds a checkpoint of {size} entries that this ledger does not extend")]
    NotExtended {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        size: u64,
    },
    /// The entries are not those that the checkpoint signs.
    #[error("the ledger's entries hash to {found}, but its checkpoint says {expected}")]
    Root {
        /// By the checkpoint.
        expected: Digest,
        /// By the entries.
        found: Digest,
    },
    /// A blob whose name is not the digest of its contents.
    #[error("`{0}` in the ledger's tree does not have the contents that its name says")]
    Blob(String),
    /// A file that cannot be read or written.
    #[error("could not {what} `{path}`")]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Writes the ledger to a folder, or brings its earlier export there up to date. Calls `progress` with the number of
/// entries done; returns how many files were written.
pub fn export_tiles(log: &Log<'_>, path: &Path, mut progress: impl FnMut(u64)) -> Result<u64, ExportError> {
    let mut folder = Folder::open(path, &log.vkey().to_string())?;
    let exported = exported_size(log, &folder)?;
    // A bundle that was partial then may be full now, so it is looked at again.
    let first = exported - exported % TILE_WIDTH;
    let mut rows = Rows::resume(log, first)?;
    let mut frontier = Frontier::resume(log, first)?;
    for start in (first..log.size()).step_by(256) {
        let end = log.size().min(start.saturating_add(TILE_WIDTH));
        export_bundle(log, start..end, &mut folder, &mut rows, &mut frontier)?;
        progress(end);
    }
    rows.finish(&mut folder)?;
    let (expected, found) = (log.head().checkpoint.root(), frontier.root());
    if found != expected {
        return Err(ExportError::Root { expected, found });
    }
    export_blobs(log, &mut folder)?;
    folder.publish(CHECKPOINT, log.head().message.note.as_bytes())
}

/// How many entries the folder holds already.
fn exported_size(log: &Log<'_>, folder: &Folder) -> Result<u64, ExportError> {
    let Some(note) = folder.read(CHECKPOINT)? else { return Ok(0) };
    let note = String::from_utf8(note).unwrap_or_default();
    let last = Checkpoint::open(&note, log.vkey()).map_err(|_| ExportError::Foreign(folder.path().to_owned()))?;
    let size = last.size();
    if size <= log.size() && tree::root(log, size)? == last.root() {
        Ok(size)
    } else {
        Err(ExportError::NotExtended { path: folder.path().to_owned(), size })
    }
}

fn export_bundle(
    log: &Log<'_>,
    range: std::ops::Range<u64>,
    folder: &mut Folder,
    rows: &mut Rows,
    frontier: &mut Frontier,
) -> Result<(), ExportError> {
    let number = range.start / TILE_WIDTH;
    let mut entries: Vec<Vec<u8>> = Vec::new();
    log.each(range, |_, leaf| {
        entries.push(leaf.to_vec());
        Ok::<_, ReadError>(())
    })?;
    let width = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let path = TilePath::new(TileKind::Entries, number, width)?;
    folder.put(&path.to_string(), &bundle::to_bytes(&entries)?)?;
    for hash in entries.iter().map(|entry| leaf_hash(entry)) {
        frontier.append(hash);
        rows.append(hash, folder)?;
    }
    Ok(())
}

/// Everything under `blob/`, of entries of any kind.
fn export_blobs(log: &Log<'_>, folder: &mut Folder) -> Result<(), ExportError> {
    let (repository, tree) = (log.repository(), &log.head().message.tree);
    for group in repository.entry_names(tree, "blob")? {
        for name in repository.entry_names(tree, &format!("blob/{group}"))? {
            let path = format!("blob/{group}/{name}");
            // The name goes into a path: only that of a digest may.
            let digest = Digest::parse_hex(&format!("{group}{name}")).map_err(|_| ExportError::Blob(path.clone()))?;
            if blob_path(&digest) != path || folder.has(&path) {
                continue;
            }
            let Some(id) = repository.entry(tree, &path)? else { continue };
            let contents = repository.read_limited(&id, Kind::Blob, BLOB_BYTES_MAX)?;
            if sha256(&contents) != digest {
                return Err(ExportError::Blob(path));
            }
            folder.put(&path, &contents)?;
        }
    }
    Ok(())
}
