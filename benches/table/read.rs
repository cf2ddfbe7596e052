//! Start-up, and questions to a ledger.

use std::process::Command;

use super::measure::{Pairs, Table, median, ms, s, time};
use super::world::MLEDGER;
use super::{Size, ledger};

/// Starts the binary, and one that does nothing.
pub fn start(table: &mut Table) {
    let pairs = Pairs::run(50, || time(Command::new(MLEDGER).arg("--version")), || time(&mut Command::new("true")));
    table.row(
        "start-up (`mledger --version`)",
        ms(pairs.ours()),
        format!("{}: `true`; target 5 ms", ms(pairs.other())),
    );
}

/// Asks for one entry, and for some of all.
pub fn read(table: &mut Table, size: Size) {
    let entries = if size == Size::Full { 1_000_000 } else { 100_000 };
    let (path, _) = ledger::ledger(entries);
    let ask = |words: &[&str]| {
        let mut ask = Command::new(MLEDGER);
        ask.args(words).current_dir(&path);
        median(&(0..5).map(|_| time(&mut ask)).collect::<Vec<_>>())
    };
    let middle = (entries / 2).to_string();
    table.row(
        &format!("`mledger show {middle}` of {entries} entries, with its proof"),
        ms(ask(&["show", &middle])),
        String::new(),
    );
    table.row("`mledger log -n 20`", ms(ask(&["log", "-n", "20"])), String::new());
    for filter in [["--actor", "actor-07@bank.example"], ["--path", "models/credit/actor-07@bank.example.safetensors"]]
    {
        let took = ask(&["log", filter[0], filter[1]]);
        let per_second = entries as f64 / took.as_secs_f64();
        table.row(
            &format!("`mledger log {} {}` over {entries} entries", filter[0], filter[1]),
            s(took),
            format!("{per_second:.0} entries a second"),
        );
    }
}
