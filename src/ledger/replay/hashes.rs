//! The hashes of a replay: in memory, but for the leaves that an earlier verification took in.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::digest::Digest;
use crate::ledger::earlier::{Earlier, TILE_HEIGHT};
use crate::ledger::read::{Log, TILE_WIDTH};
use crate::tlog::hashes::{Hashes, MemoryHashes, MissingHash};

/// How many tiles of earlier leaves are kept in memory at most, a megabyte.
const TILES_KEPT_MAX: usize = 64;

/// The hashes of the tree so far.
pub struct ReplayHashes<'a> {
    log: &'a Log<'a>,
    memory: MemoryHashes,
    /// Whose verification took in the first leaves.
    earlier: Option<&'a Earlier>,
    /// Their tiles, as far as somebody asked.
    tiles: RefCell<HashMap<u64, MemoryHashes>>,
}

impl<'a> ReplayHashes<'a> {
    pub(super) fn new(log: &'a Log<'a>, earlier: Option<&'a Earlier>) -> Self {
        let memory = earlier.and_then(Earlier::tree).unwrap_or_default();
        Self { log, memory, earlier, tiles: RefCell::default() }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.memory.size()
    }

    pub(super) fn append(&mut self, leaf_hash: Digest) {
        self.memory.append(leaf_hash);
    }

    /// A hash within a tile that was verified earlier. The ledger's copy of the tile counts if it still hashes to what it
    /// was then.
    fn earlier_hash(&self, earlier: &Earlier, level: u8, index: u64) -> Result<Digest, MissingHash> {
        let missing = MissingHash { level, index };
        let below = TILE_HEIGHT.checked_sub(level).ok_or(missing)?;
        let number = index >> below;
        let mut tiles = self.tiles.borrow_mut();
        if !tiles.contains_key(&number) {
            let then = self.memory.hash(TILE_HEIGHT, number)?;
            let now: Option<MemoryHashes> = self.log.tile(0, number).ok().map(|tile| tile.into_iter().collect());
            let now = now.filter(|now| now.size() == TILE_WIDTH && now.hash(TILE_HEIGHT, 0) == Ok(then));
            let Some(now) = now else {
                earlier.doubt();
                return Err(missing);
            };
            if tiles.len() >= TILES_KEPT_MAX {
                tiles.clear();
            }
            tiles.insert(number, now);
        }
        tiles.get(&number).ok_or(missing)?.hash(level, index - (number << below))
    }
}

impl Hashes for ReplayHashes<'_> {
    type Error = MissingHash;

    fn hash(&self, level: u8, index: u64) -> Result<Digest, MissingHash> {
        match (self.memory.hash(level, index), self.earlier) {
            (Err(_), Some(earlier)) => self.earlier_hash(earlier, level, index),
            (found, _) => found,
        }
    }
}
