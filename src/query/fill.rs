//! Bringing the index up to the ledger.

use std::ops::ControlFlow;

use super::QueryError;
use super::places::{Order, Places};
use super::search::search_bundles;
use super::store::{Batch, Known, Store};
use super::term::Taken;
use crate::ledger::read::{Log, ReadError, TILE_WIDTH};
use crate::tlog::tree;

/// How many bundles are taken in at once: a second's work, and a whole tile of the row above, at whose end the ledger
/// tells its root at once.
const BUNDLES_PER_WRITE: u64 = TILE_WIDTH;

/// After how many entries somebody who watches is told.
const PROGRESS_EVERY: u64 = 1 << 12;

/// Takes in the bundles that came since; starts over where the index is not of this ledger.
pub(super) fn fill(store: &mut Store, log: &Log<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), QueryError> {
    let sealed = log.head().sealed() / TILE_WIDTH;
    loop {
        let before = store.known()?;
        if let Some(before) = before
            && !is_of(before, log)?
        {
            store.clear(before)?;
            continue;
        }
        let from = before.map_or(0, |known| known.bundles);
        if from >= sealed {
            return Ok(());
        }
        let until = sealed.min(from - from % BUNDLES_PER_WRITE + BUNDLES_PER_WRITE);
        let batch = read(log, from, until, progress)?;
        let after = Known { bundles: until, root: tree::root(log, until * TILE_WIDTH)? };
        store.add(&batch, before, after)?;
    }
}

/// How many bundles of this ledger the index knows.
pub(super) fn known(store: &Store, log: &Log<'_>) -> Result<u64, QueryError> {
    match store.known()? {
        Some(known) if is_of(known, log)? => Ok(known.bundles),
        _ => Ok(0),
    }
}

/// Whether the index is of a beginning of this ledger, or of what it has grown to since it was opened.
fn is_of(known: Known, log: &Log<'_>) -> Result<bool, ReadError> {
    let Some(size) = known.bundles.checked_mul(TILE_WIDTH) else { return Ok(false) };
    if size <= log.size() {
        return Ok(tree::root(log, size)? == known.root);
    }
    let newer = Log::open(log.repository(), Some(log.vkey()))?;
    Ok(size <= newer.size() && tree::root(&newer, size)? == known.root)
}

fn read(log: &Log<'_>, from: u64, until: u64, progress: &mut dyn FnMut(u64)) -> Result<Batch, ReadError> {
    let mut batch = Batch::default();
    let bundles: Vec<_> = (from..until).map(|number| (number, Places::ALL)).collect();
    let look = |log: &Log<'_>, index, bytes: &[u8]| Ok(Some(Taken::from_leaf(log, index, bytes)));
    search_bundles(log, &bundles, Order::OldestFirst, look, |taken| {
        if taken.index % PROGRESS_EVERY == 0 {
            progress(taken.index);
        }
        batch.add(taken);
        Ok::<_, ReadError>(ControlFlow::Continue(()))
    })?;
    Ok(batch)
}
