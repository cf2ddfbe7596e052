//! After the refs moved: settles what was authorised, and takes processed statements out of the inbox.

use std::path::Path;

use super::pre_receive::{Gate, GateError, parse_commands};
use super::{inbox, settle};
use crate::clock::Timestamp;
use crate::ledger::append::Batch;

/// Settles the pushes that landed, and removes inbox refs. Not doing so costs nothing but a later settlement.
pub fn post_receive(path: &Path, input: &[u8]) -> Result<(), GateError> {
    let gate = Gate::open(path)?;
    let (commands, _) = parse_commands(input)?;
    for command in commands.iter().filter(|command| inbox::is_inbox(&command.refname)) {
        gate.repository().delete_ref(&command.refname)?;
    }
    let mut locked = gate.lock()?;
    let log = gate.log()?;
    let mut index = gate.index(&log)?;
    let now = Timestamp::now();
    // Git runs this hook after it has moved all refs that it will.
    let done = settle::receive_pack();
    let settlement = settle::settle(gate.repository(), &index, locked.time(now), now, done.as_deref())?;
    if !settlement.leaves.is_empty() {
        locked.append(&Batch { leaves: settlement.leaves, ..Batch::default() })?;
    }
    drop(locked);
    // The next push finds the index ready, and does nothing before its answer that can be done now.
    index.tidy()?;
    Ok(index.sync(&gate.log()?)?)
}
