//! Two dozen clients at once: one line of entries, nothing lost, nothing twice, and everybody who reads meanwhile finds
//! a whole ledger.

use crate::stampede::{CLIENTS, Stampede};

/// Pushes of each client; `cargo bench -- race` makes a hundred.
const PUSHES: usize = 8;

#[test]
fn nothing_is_lost_or_doubled_when_everybody_pushes_at_once() {
    let stampede = Stampede::new(0);
    let outcome = stampede.run(PUSHES);
    assert_eq!(outcome.acknowledged.len(), CLIENTS * PUSHES);
    assert!(outcome.lost > 0, "nobody raced for a ref");
    assert!(outcome.statements > 0 && outcome.denials > 0 && outcome.readings > 1);

    stampede.check(&outcome);
}
