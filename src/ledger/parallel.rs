//! Work on many parts of a ledger at once, whose results are handed on in order.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread::Builder;

use super::read::Log;
use crate::git::Repository;

/// Does `work` with each item on all cores and calls `visit` with the results, in the order of the items, until that
/// breaks or fails. Of `n` threads the first has the items 0, n, 2n …, and so on; one that is more than `ahead` items
/// ahead waits. Each has a handle of its own, since libgit2's repositories are not shared between threads, and a state.
pub fn in_order<I: Copy + Sync, S: Default, T: Send, E>(
    log: &Log<'_>,
    items: &[I],
    ahead: usize,
    work: impl Fn(&Log<'_>, &mut S, I) -> T + Sync,
    mut visit: impl FnMut(T) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let (path, head, vkey) = (log.repository().git_dir(), log.head().commit, log.vkey());
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    std::thread::scope(|scope| {
        let mut ready = Vec::new();
        for first in 0..threads {
            let (sender, receiver) = mpsc::sync_channel(ahead);
            ready.push(receiver);
            let (mine, work) = (items.iter().skip(first).step_by(threads), &work);
            // Who gets no thread, or no handle, gives up the sender.
            let _ = Builder::new().spawn_scoped(scope, move || {
                let Ok(repository) = Repository::open(path) else { return };
                let Ok(log) = Log::open_at(&repository, head, Some(vkey)) else { return };
                let mut state = S::default();
                // An error is the end of it all: nobody listens any more.
                let _ = mine.map(|item| work(&log, &mut state, *item)).try_for_each(|done| sender.send(done));
            });
        }
        let mut state = S::default();
        for (item, receiver) in items.iter().zip(ready.iter().cycle()) {
            let done = receiver.recv().unwrap_or_else(|_| work(log, &mut state, *item));
            if visit(done)?.is_break() {
                break;
            }
        }
        Ok(())
    })
}
