//! Bundles of entries, and the paths and hashes of tiles.

use mledger::tlog::bundle;
use mledger::tlog::tile::{TileKind, TilePath, to_bytes};

pub fn check(data: &[u8]) {
    if let Ok(entries) = bundle::parse(data) {
        assert_eq!(bundle::to_bytes(&entries).as_deref(), Ok(data));
        assert!((1..=bundle::ENTRIES_MAX).contains(&entries.len()));
    }
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(path) = std::str::from_utf8(line).ok().and_then(|text| TilePath::parse(text).ok()) else { return };
    assert_eq!(path.to_string().as_bytes(), line);
    assert_eq!(TilePath::new(path.kind(), path.index(), path.width()).as_ref(), Ok(&path));
    // Its last leaf can be counted.
    let level = if let TileKind::Hashes { level } = path.kind() { u32::from(level) } else { 0 };
    let end = (u128::from(path.index()) * 256 + u128::from(path.width())) << (8 * level);
    assert!(end <= 1 << 64);
    let rest = &data[(line.len() + 1).min(data.len())..];
    match path.parse_hashes(rest) {
        Ok(hashes) => assert_eq!(to_bytes(&hashes), rest),
        Err(_) => assert_ne!(rest.len(), 32 * usize::from(path.width())),
    }
}
