//! Everybody pushes at once, for long.

use std::time::Duration;

use super::it::stampede::{CLIENTS, Stampede};
use super::measure::{Table, median, ms};

/// Pushes of each client.
const PUSHES: usize = 100;

/// Clients whose hooks are watched while they wait for the ledger's lock.
const TRACED: usize = 4;

/// Clients that share refs and clients that do not, an admin's statements, strangers, readers; then a look at all of it.
pub fn race(table: &mut Table) {
    let stampede = Stampede::new(TRACED);
    let outcome = stampede.run(PUSHES);
    assert_eq!(outcome.acknowledged.len(), CLIENTS * PUSHES);
    stampede.check(&outcome);
    table.row(
        &format!(
            "{CLIENTS} clients at once, {PUSHES} commits each, half of the clients on shared refs: commit and push"
        ),
        format!("{:.1} pushes a second", outcome.acknowledged.len() as f64 / outcome.took.as_secs_f64()),
        format!(
            "meanwhile {} lost races for a ref (fetched, rebased, pushed again), {} statements, {} refused pushes, {} \
             runs of `verify` and `log`; none lost, none doubled, each settled once, all receipts held",
            outcome.lost, outcome.statements, outcome.denials, outcome.readings
        ),
    );
    let mut waits = stampede.lock_waits();
    if waits.is_empty() {
        return table.row(
            "… how long a hook waits for the ledger's lock",
            "not measured".to_owned(),
            "no strace".to_owned(),
        );
    }
    waits.sort();
    let p99: Duration = waits[waits.len() * 99 / 100];
    table.row(
        "… how long a hook waits for the ledger's lock",
        format!("{} in the middle", ms(median(&waits))),
        format!("{} for the slowest of a hundred, {} at most, of {}", ms(p99), ms(waits[waits.len() - 1]), waits.len()),
    );
}
