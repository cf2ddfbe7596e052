//! Looking through entries on all cores, and handing on what was found in order.

use std::ops::ControlFlow;

use super::places::{Order, Places, Selection};
use crate::ledger::parallel::in_order;
use crate::ledger::read::{Log, ReadError, TILE_WIDTH};
use crate::tlog::bundle;

/// How many bundles are looked through before others are called to help: whoever wants the newest twenty entries needs
/// no more.
const BUNDLES_ALONE: usize = 2;

/// How many bundles each helper may be ahead: what one finds may be large, and nobody may want it.
const BUNDLES_AHEAD: usize = 2;

/// What was found in a bundle, up to where it could not be read.
struct Found<T> {
    items: Vec<T>,
    stopped: Option<ReadError>,
}

/// Calls `look` with index and bytes of each entry of `selection`, on all cores, and `visit` with what it made of them,
/// in order, until that breaks.
pub fn search<T: Send, E: From<ReadError>>(
    log: &Log<'_>,
    selection: &Selection,
    order: Order,
    look: impl Fn(&Log<'_>, u64, &[u8]) -> Result<Option<T>, ReadError> + Sync,
    visit: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    search_bundles(log, &selection.bundles(log, order), order, look, visit)
}

/// The same for these places of these bundles, which come in that order.
pub(super) fn search_bundles<T: Send, E: From<ReadError>>(
    log: &Log<'_>,
    bundles: &[(u64, Places)],
    order: Order,
    look: impl Fn(&Log<'_>, u64, &[u8]) -> Result<Option<T>, ReadError> + Sync,
    mut visit: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let (near, far) = bundles.split_at(bundles.len().min(BUNDLES_ALONE));
    for bundle in near {
        if hand_on(look_through(log, *bundle, order, &look), &mut visit)?.is_break() {
            return Ok(());
        }
    }
    let look = |log: &Log<'_>, (): &mut (), bundle| look_through(log, bundle, order, &look);
    in_order(log, far, BUNDLES_AHEAD, look, |found| hand_on(found, &mut visit))
}

fn hand_on<T, E: From<ReadError>>(
    found: Found<T>,
    visit: &mut impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<ControlFlow<()>, E> {
    for item in found.items {
        if visit(item)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    found.stopped.map_or(Ok(ControlFlow::Continue(())), |error| Err(error.into()))
}

fn look_through<T>(
    log: &Log<'_>,
    (number, places): (u64, Places),
    order: Order,
    look: impl Fn(&Log<'_>, u64, &[u8]) -> Result<Option<T>, ReadError>,
) -> Found<T> {
    let mut found = Found { items: Vec::new(), stopped: None };
    let mut look_at = |leaves: &[&[u8]]| {
        let mut leaves: Vec<_> = (number * TILE_WIDTH..).zip(0..=u8::MAX).zip(leaves).collect();
        if order == Order::NewestFirst {
            leaves.reverse();
        }
        for ((index, _), leaf) in leaves.into_iter().filter(|((_, place), _)| places.contains(*place)) {
            found.items.extend(look(log, index, leaf)?);
        }
        Ok(())
    };
    let looked = if number * TILE_WIDTH < log.head().sealed() {
        log.bundle(number)
            .and_then(|bytes| look_at(&bundle::parse(&bytes).map_err(|source| ReadError::Bundle { number, source })?))
    } else {
        log.tail().and_then(|leaves| look_at(&leaves.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    };
    found.stopped = looked.err();
    found
}
