//! After the refs moved: settles what was authorised, and takes statements out of the inbox.

use super::gate::{Gate, GateError};
use super::{inbox, settle};
use crate::clock::Timestamp;
use crate::git::Repository;
use crate::ledger::append::{AppendError, Batch};

/// Settles the pushes to `main`, just opened by path, that landed, and removes inbox refs. Not doing so costs nothing
/// but a later settlement.
pub fn post_receive(main: Repository) -> Result<(), GateError> {
    let gate = Gate::open(main)?;
    inbox::sweep(gate.repository())?;
    let seen = gate.log()?;
    let mut index = gate.index(&seen)?;
    // Git runs this hook after it has moved all refs that it will.
    let done = settle::receive_pack();
    let settled_by_others = || match &done {
        Some(done) => Ok(!index.is_waiting(done)?),
        None => Ok(false),
    };
    // Whoever holds the lock settles what has landed, and may have settled this push by now.
    let Some(mut locked) = gate.lock_unless(&seen, settled_by_others)? else { return Ok(()) };
    let log = locked.log()?;
    index.sync(&log)?;
    let now = Timestamp::now();
    let settlement = settle::settle(gate.repository(), &index, locked.time(now), now, done.as_deref())?;
    let mut tally = gate.tally(&log);
    let mut leaves = tally.due(locked.size(), settlement.time).map_err(AppendError::from)?;
    leaves.extend(settlement.leaves);
    if !leaves.is_empty() {
        locked.append(&Batch { leaves, ..Batch::default() })?;
    }
    tally.save().map_err(AppendError::from)?;
    let log = locked.log()?;
    drop(locked);
    // The next push finds the index ready, and does nothing before its answer that can be done now.
    index.tidy()?;
    Ok(index.sync(&log)?)
}
