//! The hash tiles of a growing tree: a row per level, each with one tile that is not full yet.

use super::ExportError;
use super::folder::Folder;
use crate::digest::Digest;
use crate::ledger::read::Log;
use crate::tlog::tile::{LEVEL_MAX, TileKind, TilePath, WIDTH_MAX, to_bytes};
use crate::tlog::tree::Frontier;

/// The tiles at the right edge, from the leaves upwards.
pub struct Rows(Vec<Row>);

struct Row {
    level: u8,
    /// Number of the tile that is not full.
    index: u64,
    /// What it has so far: fewer than 256.
    hashes: Vec<Digest>,
}

impl Rows {
    /// Takes up a tree of `size` leaves, a multiple of 256, where it ended.
    pub fn resume(log: &Log<'_>, size: u64) -> Result<Self, ExportError> {
        let mut rows = Vec::new();
        for level in 0..=LEVEL_MAX {
            let count = size >> (8 * u32::from(level));
            let (index, width) = (count >> 8, u16::from(count.to_le_bytes()[0]));
            let hashes = match width {
                0 => Vec::new(),
                _ => TilePath::new(TileKind::Hashes { level }, index, width)?.read(log)?,
            };
            rows.push(Row { level, index, hashes });
        }
        Ok(Self(rows))
    }

    /// Adds a leaf by its hash, and writes the tiles that it fills.
    pub fn append(&mut self, leaf_hash: Digest, folder: &mut Folder) -> Result<(), ExportError> {
        let mut hash = leaf_hash;
        for row in &mut self.0 {
            row.hashes.push(hash);
            if row.hashes.len() < usize::from(WIDTH_MAX) {
                return Ok(());
            }
            row.write(folder)?;
            hash = row.root();
            row.hashes.clear();
            row.index += 1;
        }
        Ok(())
    }

    /// Writes the tiles that are not full.
    pub fn finish(&self, folder: &mut Folder) -> Result<(), ExportError> {
        self.0.iter().filter(|row| !row.hashes.is_empty()).try_for_each(|row| row.write(folder))
    }
}

impl Row {
    fn write(&self, folder: &mut Folder) -> Result<(), ExportError> {
        let width = u16::try_from(self.hashes.len()).unwrap_or(u16::MAX);
        let path = TilePath::new(TileKind::Hashes { level: self.level }, self.index, width)?;
        folder.put(&path.to_string(), &to_bytes(&self.hashes))
    }

    /// The hash that a full tile is in the row above.
    fn root(&self) -> Digest {
        let mut frontier = Frontier::default();
        self.hashes.iter().for_each(|hash| frontier.append(*hash));
        frontier.root()
    }
}
