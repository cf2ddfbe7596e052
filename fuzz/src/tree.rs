//! Git trees, against a slow reading of Git's order and names.

use std::cmp::Ordering;

use mledger::object::tree::{Entry, Kind, parse};

pub fn check(data: &[u8]) {
    let Ok(entries) = parse(data) else { return };
    let written: Vec<u8> = entries.iter().flat_map(written).collect();
    assert_eq!(written, data);
    for (at, entry) in entries.iter().enumerate() {
        assert!(!entry.name.is_empty() && entry.name != b"." && entry.name != b".." && !entry.name.contains(&b'/'));
        assert!(!entry.name.eq_ignore_ascii_case(b".git"));
        for later in entries.iter().skip(at + 1) {
            assert_eq!(entry.order(later), Ordering::Less);
            assert_eq!(sorts_as(entry).cmp(&sorts_as(later)), Ordering::Less);
            assert_ne!(entry.name, later.name);
        }
    }
}

fn written(entry: &Entry<'_>) -> Vec<u8> {
    let mode = match entry.kind {
        Kind::Folder => "40000",
        Kind::Leaf(mode) => mode.as_str(),
    };
    [mode.as_bytes(), b" ", entry.name, b"\0", entry.oid.as_bytes()].concat()
}

fn sorts_as(entry: &Entry<'_>) -> Vec<u8> {
    let slash: &[u8] = if entry.kind == Kind::Folder { b"/" } else { b"" };
    [entry.name, slash].concat()
}
