//! From entry to entry, in either direction, with at most one bundle in memory.

use std::ops::{ControlFlow, Range};

use mledger::ledger::read::{Log, TILE_WIDTH};

use crate::error::Failure;

/// Which entry comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest.
    NewestFirst,
    /// The one of the lowest index.
    OldestFirst,
}

/// Calls `visit` with index and bytes of each entry until it breaks.
pub fn walk(
    log: &Log<'_>,
    order: Order,
    mut visit: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    for bundle in bundles(log.size(), order) {
        let mut entries: Vec<(u64, Vec<u8>)> = Vec::new();
        log.each(bundle, |index, leaf| {
            entries.push((index, leaf.to_vec()));
            Ok::<_, Failure>(())
        })?;
        if order == Order::NewestFirst {
            entries.reverse();
        }
        for (index, leaf) in &entries {
            if visit(*index, leaf)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The entries of each bundle, the last perhaps not full.
fn bundles(size: u64, order: Order) -> impl Iterator<Item = Range<u64>> {
    let count = size.div_ceil(TILE_WIDTH);
    (0..count).map(move |place| {
        let number = if order == Order::NewestFirst { count - 1 - place } else { place };
        let first = number * TILE_WIDTH;
        first..size.min(first.saturating_add(TILE_WIDTH))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_cover_every_entry_once() {
        for (size, firsts) in [(0, vec![]), (1, vec![0]), (256, vec![0]), (600, vec![512, 256, 0])] {
            let newest_first: Vec<_> = firsts.into_iter().map(|first| first..size.min(first + 256)).collect();
            assert_eq!(bundles(size, Order::NewestFirst).collect::<Vec<_>>(), newest_first);
            let oldest_first: Vec<_> = newest_first.into_iter().rev().collect();
            assert_eq!(bundles(size, Order::OldestFirst).collect::<Vec<_>>(), oldest_first);
        }
    }
}
