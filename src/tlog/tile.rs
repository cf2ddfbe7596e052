//! Tiles: the paths under which a log lies, and the bytes of its hash tiles (C2SP tlog-tiles).
//!
//! ```text
//! tile/0/005                      hash tile 5 of level 0, full: 256 hashes of 32 bytes
//! tile/1/x001/x234/067.p/17       hash tile 1234067 of level 1, partial: 17 hashes
//! tile/entries/273.p/112          the entries beside tile 273 of level 0, partial: 112 entries
//! ```
//!
//! Hash `i` of tile `n` at level `l` is that of the complete subtree of `256^l` leaves number `256 n + i`: level 0 has
//! the leaves, and each level above it the root of a full tile per hash. Partial tiles count nowhere above.

use std::fmt;

use super::hashes::Hashes;
use super::text::{parse_decimal, shortened};
use crate::digest::Digest;

/// The hashes in a full tile, and the entries beside it.
pub const WIDTH_MAX: u16 = 256;

/// The highest level of a hash tile: eight levels of eight bits hold every tree whose size is a `u64`.
pub const LEVEL_MAX: u8 = 7;

/// The path of a tile. Invariant: all its leaves have indices that fit `u64`, and there is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Entries, with their lengths: see [`super::bundle`].
    Entries,
    /// Hashes of subtrees.
    Hashes {
        /// The subtrees have `256^level` leaves; at most [`LEVEL_MAX`].
        level: u8,
    },
}

/// Why a text is not a tile's path, or bytes not its hashes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// Not a tile's path, or not in its one form.
    #[error("`{0}` is not the path of a tile like `tile/0/x001/234.p/56`")]
    Path(String),
    /// A level, number or width that no tree has.
    #[error("no tree has a tile {index} of width {width} at level {level}")]
    Range {
        /// Its level; 0 for entries.
        level: u8,
        /// Its number.
        index: u64,
        /// Its width.
        width: u16,
    },
    /// Too few or too many bytes.
    #[error("the tile `{path}` has {found} bytes instead of {expected}")]
    Length {
        /// The tile.
        path: TilePath,
        /// The bytes that its width asks for.
        expected: usize,
        /// The bytes that are there.
        found: usize,
    },
}

impl TileKind {
    const fn level(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Hashes { level } => level,
        }
    }
}

impl TilePath {
    /// The longest path, in bytes: the greatest index has six groups of digits.
    pub const TEXT_BYTES_MAX: usize = 50;

    /// Names tile `index` of a kind, `width` hashes or entries wide.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TileError> {
        let hashes = u128::from(index) * u128::from(WIDTH_MAX) + u128::from(width);
        let exists = (1..=WIDTH_MAX).contains(&width) && kind.level() <= LEVEL_MAX;
        // The index of the first leaf that is not in the tile.
        let end = hashes.checked_mul(1 << (8 * u32::from(kind.level().min(LEVEL_MAX))));
        if exists && end.is_some_and(|end| end <= 1 << 64) {
            Ok(Self { kind, index, width })
        } else {
            Err(TileError::Range { level: kind.level(), index, width })
        }
    }

    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, TileError> {
        let refused = || TileError::Path(shortened(text));
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(refused());
        }
        let (kind, index, width) = parse_parts(text).ok_or_else(refused)?;
        let path = Self::new(kind, index, width)?;
        // One path per tile: `tile/00/x000/005.p/256` names none.
        if path.to_string() == text { Ok(path) } else { Err(refused()) }
    }

    /// What the tile holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number within its kind.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of its hashes or entries, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is full, and will never change.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH_MAX
    }

    /// The hashes of the tile; for entries their leaf hashes.
    pub fn read<H: Hashes>(&self, hashes: &H) -> Result<Vec<Digest>, H::Error> {
        let first = self.index << 8;
        (0..self.width).map(|offset| hashes.hash(8 * self.kind.level(), first | u64::from(offset))).collect()
    }

    /// The hashes in the bytes of this tile.
    pub fn parse_hashes(&self, bytes: &[u8]) -> Result<Vec<Digest>, TileError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if hashes.len() == usize::from(self.width) && rest.is_empty() {
            return Ok(hashes.iter().copied().map(Digest::from_bytes).collect());
        }
        Err(TileError::Length { path: *self, expected: 32 * usize::from(self.width), found: bytes.len() })
    }
}

/// The bytes of a tile with these hashes.
pub fn to_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(Digest::as_bytes).copied().collect()
}

/// All tiles of a tree of `size` leaves: the entries, then the hashes level by level, each row from the left, a
/// partial tile at its end.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0..=LEVEL_MAX).map(|level| TileKind::Hashes { level });
    [TileKind::Entries].into_iter().chain(levels).flat_map(move |kind| row(kind, size))
}

fn row(kind: TileKind, size: u64) -> impl Iterator<Item = TilePath> {
    let hashes = size >> (8 * u32::from(kind.level()));
    let full = hashes / u64::from(WIDTH_MAX);
    let partial = u16::from(hashes.to_le_bytes()[0]);
    let full_tiles = (0..full).map(move |index| TilePath { kind, index, width: WIDTH_MAX });
    full_tiles.chain((partial > 0).then_some(TilePath { kind, index: full, width: partial }))
}

fn parse_parts(text: &str) -> Option<(TileKind, u64, u16)> {
    let (row, place) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match row {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes { level: u8::try_from(parse_decimal(level)?).ok()? },
    };
    let (groups, width) = match place.split_once(".p/") {
        Some((groups, width)) => (groups, u16::try_from(parse_decimal(width)?).ok()?),
        None => (place, WIDTH_MAX),
    };
    let mut index = 0_u64;
    for group in groups.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())??;
        index = index.checked_mul(1000)?.checked_add(u64::from(number))?;
    }
    Some((kind, index, width))
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        // Groups of three digits, the highest first.
        let groups = self.index.checked_ilog10().unwrap_or(0) / 3;
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.index / 1000_u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{leaf_hash, node_hash};
    use crate::tlog::hashes::MemoryHashes;
    use crate::tlog::tree::root;

    fn names(size: u64) -> Vec<String> {
        tiles_of(size).map(|tile| tile.to_string()).collect()
    }

    #[test]
    fn a_tree_has_the_tiles_of_the_specification() {
        assert_eq!(names(0), [""; 0]);
        assert_eq!(names(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(names(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        let tiles = names(70_000);
        assert_eq!(tiles.len(), 274 + 274 + 2 + 1);
        for name in [
            "tile/entries/272",
            "tile/entries/273.p/112",
            "tile/0/273.p/112",
            "tile/1/000",
            "tile/1/001.p/17",
            "tile/2/000.p/1",
        ] {
            assert!(tiles.iter().any(|tile| tile == name), "{name}");
        }
        // The first tiles of a tree as large as can be: it must neither overflow nor be built in memory.
        assert_eq!(tiles_of(u64::MAX).nth(1_000_000).unwrap().to_string(), "tile/entries/x001/x000/000");
    }

    #[test]
    fn every_tile_is_within_its_tree() {
        for size in [1, 255, 256, 257, 65_535, 65_536, 70_000] {
            for tile in tiles_of(size) {
                assert_eq!(TilePath::new(tile.kind(), tile.index(), tile.width()), Ok(tile));
                assert_eq!(TilePath::parse(&tile.to_string()), Ok(tile));
            }
        }
    }

    #[test]
    fn no_tile_is_beyond_every_tree() {
        let hashes = |level| TileKind::Hashes { level };
        let last = (1_u64 << 56) - 1;
        for (kind, index, width, exists) in [
            (TileKind::Entries, last, 256, true),
            (TileKind::Entries, last + 1, 1, false),
            (TileKind::Entries, u64::MAX, 256, false),
            (TileKind::Entries, 0, 0, false),
            (TileKind::Entries, 0, 257, false),
            (hashes(7), 0, 256, true),
            (hashes(7), 1, 1, false),
            (hashes(7), u64::MAX, u16::MAX, false),
            (hashes(8), 0, 1, false),
            (hashes(255), 0, 1, false),
        ] {
            assert_eq!(TilePath::new(kind, index, width).is_ok(), exists, "{kind:?} {index} {width}");
        }
    }

    #[test]
    fn tiles_hold_the_hashes_of_the_tree() {
        let leaves: Vec<Digest> = (0..600_u64).map(|index| leaf_hash(&index.to_be_bytes())).collect();
        let hashes: MemoryHashes = leaves.iter().copied().collect();
        let read = |name: &str| TilePath::parse(name).unwrap().read(&hashes).unwrap();

        assert_eq!(read("tile/0/001"), leaves[256..512]);
        assert_eq!(read("tile/entries/002.p/88"), leaves[512..]);
        assert_eq!(node_hash(&read("tile/1/000.p/2")[0], &read("tile/1/000.p/2")[1]), root(&hashes, 512).unwrap());
        assert!(TilePath::parse("tile/0/002.p/89").unwrap().read(&hashes).is_err());

        let tile = TilePath::parse("tile/1/000.p/2").unwrap();
        let bytes = to_bytes(&read("tile/1/000.p/2"));
        assert_eq!(tile.parse_hashes(&bytes).unwrap(), read("tile/1/000.p/2"));
        for bad in [&bytes[..63], &bytes[..32], &[], &[bytes.as_slice(), &[0]].concat(), &bytes.repeat(2)] {
            assert!(tile.parse_hashes(bad).is_err(), "{} bytes", bad.len());
        }
    }

    proptest! {
        #[test]
        fn paths_survive_printing(level in 0..=LEVEL_MAX, index: u64, shift in 8..64_u32, width in 1..=WIDTH_MAX) {
            for kind in [TileKind::Entries, TileKind::Hashes { level }] {
                if let Ok(tile) = TilePath::new(kind, index >> shift, width) {
                    prop_assert_eq!(TilePath::parse(&tile.to_string()), Ok(tile));
                }
            }
        }

        #[test]
        fn what_parses_prints_as_it_was(text in "tile/(0|1|7|entries)/(x?[0-9]{3}/){0,6}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Ok(tile) = TilePath::parse(&text) {
                prop_assert_eq!(tile.to_string(), text);
            }
        }
    }
}
