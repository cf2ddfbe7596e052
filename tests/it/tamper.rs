//! Whoever holds the server's disk changes the ledger: whatever it is, `verify` finds it and names the place.

use crate::flips::{Objects, Outcome, sealed, some_of_everything};
use crate::bank::Bank;

/// Everything was found and named.
#[track_caller]
fn all_found(outcome: &Outcome, least: u64) {
    println!("{} flips, {} harmless, {} unreadable, {:?}", outcome.flips, outcome.harmless, outcome.unreadable, outcome.codes);
    let [unfound, unnamed] = [&outcome.unfound, &outcome.unnamed];
    assert!(unfound.is_empty(), "{} flips are not found, such as {:#?}", unfound.len(), &unfound[..unfound.len().min(20)]);
    assert!(unnamed.is_empty(), "{} flips are not named, such as {:#?}", unnamed.len(), &unnamed[..unnamed.len().min(20)]);
    assert!(outcome.flips >= least && outcome.harmless < outcome.flips / 20, "{} flips, {} harmless", outcome.flips, outcome.harmless);
}

#[test]
fn every_byte_of_every_object_of_a_short_ledger_counts() {
    let bank = Bank::short();
    let objects = Objects::of(&bank.server);
    let begin = std::time::Instant::now();
    if std::env::var("REMADE").is_ok() { all_found(&objects.flip_remade(1), 5000); }
    println!("{:?}", begin.elapsed());
    all_found(&objects.flip_in_place(3), 1000);
    println!("{:?}", begin.elapsed());
}

#[test]
fn bytes_of_everything_that_a_ledger_holds_count() {
    let begin = std::time::Instant::now();
    for bank in [some_of_everything(), sealed()] {
        let objects = Objects::of(&bank.server);
        println!("{:?} {}", begin.elapsed(), objects.list().iter().map(|o| o.raw.len()).sum::<usize>());
        all_found(&objects.flip_remade(61), 500);
        println!("{:?}", begin.elapsed());
        all_found(&objects.flip_in_place(29), 200);
        println!("{:?}", begin.elapsed());
    }
}
