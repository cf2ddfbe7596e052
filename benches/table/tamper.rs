//! Every byte of every object of three ledgers is flipped, and `verify` asked each time.

use super::it::bank::Bank;
use super::it::flips::{Objects, Outcome, sealed, some_of_everything};
use super::measure::{Table, s};

/// Objects re-made under new ids with all that stands above them, and loose files as a failing disk leaves them.
pub fn tamper(table: &mut Table) {
    of(table, "a short ledger", &Bank::short());
    of(table, "a ledger with entries of every kind", &some_of_everything());
    of(table, "a ledger with a seal", &sealed());
}

fn of(table: &mut Table, what: &str, bank: &Bank) {
    let objects = Objects::of(&bank.server);
    row(table, &format!("every byte of every object of {what} flipped, re-made"), || objects.flip_remade(1));
    row(table, &format!("every byte of every loose file of {what} flipped"), || objects.flip_in_place(1));
}

fn row(table: &mut Table, what: &str, flip: impl FnOnce() -> Outcome) {
    let begin = std::time::Instant::now();
    let outcome = flip();
    for (what, flips) in [("found", &outcome.unfound), ("named", &outcome.unnamed)] {
        flips.iter().take(9).for_each(|flip| eprintln!("  not {what}: {flip}"));
    }
    let found = outcome.flips - outcome.harmless - outcome.unfound.len() as u64;
    table.row(
        what,
        format!("{} flips, {found} found, {} not", outcome.flips, outcome.unfound.len()),
        format!(
            "{} without naming the place; {} change nothing that Git reads; {}",
            outcome.unnamed.len(),
            outcome.harmless,
            s(begin.elapsed())
        ),
    );
}
