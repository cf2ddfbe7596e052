//! Measures mledger and prints the table of the README, as Markdown.
//!
//! ```text
//! cargo bench                           three minutes
//! cargo bench -- gate verify            only these parts: start, commit, gate, big, crowd, history, entries,
//!                                       append, verify, read
//! cargo bench -- crash faults           kills, and failing system calls
//! cargo bench -- race                   2,400 pushes by 24 clients at once; some minutes
//! cargo bench -- tamper                 flips every byte of three ledgers; half an hour
//! MLEDGER_BENCH=full cargo bench        a million entries and more pushes; half an hour
//! MLEDGER_BENCH=full cargo bench -- crash faults
//!                                       10,000 kills, and every system call of the hooks; an hour each
//! ```
//!
//! What is compared is measured in turns, one of each, and the ratio is the median over those pairs: other work on the
//! machine then hits both alike. Nothing here fails because it is slow.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement that fails should stop, and its figures have two or three digits"
)]

mod big;
mod commit;
mod crash;
mod gate;
mod ledger;
mod measure;
mod race;
mod read;
mod strace;
mod tamper;
mod verify;
mod world;

/// What the tests make and check, too, in smaller numbers.
#[path = "../../tests/it"]
#[allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    reason = "the tests use the rest, and stop where they cannot go on"
)]
mod it {
    pub mod bank;
    pub mod flips;
    pub mod stampede;
    pub mod world;
}

use std::path::PathBuf;

use self::measure::Table;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Enough for a table in three minutes.
    Small,
    /// What the README promises.
    Full,
}

const PARTS: [&str; 10] = ["start", "commit", "gate", "big", "crowd", "history", "entries", "append", "verify", "read"];

/// Parts that take long, and run where they are asked for.
const LONG_PARTS: [&str; 4] = ["crash", "faults", "race", "tamper"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [mode, folder, count] = words.as_slice()
        && mode == "append-child"
    {
        return gate::append_child(folder.as_ref(), count.parse().unwrap());
    }
    let named = |part: &&str| words.iter().any(|word| word == part);
    let wanted = |part: &&str| words.is_empty() || named(part);
    let size = if std::env::var("MLEDGER_BENCH").is_ok_and(|size| size == "full") { Size::Full } else { Size::Small };
    let mut table = Table::default();
    let long = LONG_PARTS.iter().filter(|part| named(part));
    for part in PARTS.iter().filter(|part| wanted(part)).chain(long) {
        eprintln!("measuring: {part}");
        match *part {
            "start" => read::start(&mut table),
            "commit" => commit::commits(&mut table, size),
            "gate" => gate::pushes(&mut table, size),
            "big" => big::pushes(&mut table, size),
            "crowd" => big::crowd(&mut table, size),
            "history" => big::history(&mut table, size),
            "entries" => big::entries(&mut table, size),
            "append" => gate::appends(&mut table, size),
            "verify" => verify::verify(&mut table, size),
            "race" => race::race(&mut table),
            "tamper" => tamper::tamper(&mut table),
            "crash" => crash::kills(&mut table, size),
            "faults" => crash::faults(&mut table, size),
            _ => read::read(&mut table, size),
        }
    }
    println!("{}\n\n{table}", measure::machine());
}

/// A folder on the disk that the build uses, so that fsync costs what it costs.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}
