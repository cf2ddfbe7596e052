//! Start-up, and questions to a ledger.

use std::path::Path;
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
    let once = |words: &[&str]| time(Command::new(MLEDGER).args(words).current_dir(&path));
    let ask = |words: &[&str]| median(&(0..5).map(|_| once(words)).collect::<Vec<_>>());
    let middle = (entries / 2).to_string();
    let mut row = |words: &[&str], note: String| {
        table.row(&format!("`mledger {}` of {entries} entries", words.join(" ")), ms(ask(words)), note);
    };
    row(&["show", &middle], "with its proof; target 20 ms".to_owned());
    row(&["prove", &middle], String::new());
    row(&["log", "-n", "20"], String::new());
    fill(table, &path, entries);
    let commit = some_commit(&path);
    let (since, until) = ("2026-01-01T02:00:00Z", "2026-01-01T02:01:00Z");
    let actor = "actor-07@bank.example";
    let file = &format!("models/credit/{actor}.safetensors");
    let mut row = |words: &[&str], note: &str| {
        table.row(&format!("`mledger {}` of {entries} entries", words.join(" ")), ms(ask(words)), note.to_owned());
    };
    row(&["show", &commit], "target 20 ms");
    row(&["log", "--since", since, "--until", until], "target 1 s");
    for filter in [["--actor", actor], ["--path", file], ["--ref", "dev/actor-07"], ["--decision", "denied"]] {
        row(&["log", filter[0], filter[1], "-n", "20"], "target 1 s");
    }
    row(&["log", "--actor", actor], "one of fifty entries, and some of every bundle");
}

/// Makes the index for questions, which the first of them does.
fn fill(table: &mut Table, path: &Path, entries: u64) {
    let file = path.join("mledger/query.sqlite");
    let _ = std::fs::remove_file(&file);
    let took = time(Command::new(MLEDGER).args(["log", "--decision", "denied", "-n", "1"]).current_dir(path));
    let bytes = std::fs::metadata(&file).unwrap().len() as f64 / entries as f64;
    let per_second = entries as f64 / took.as_secs_f64();
    table.row(
        &format!("the first question to {entries} entries, which makes the index"),
        s(took),
        format!("{per_second:.0} entries a second, {bytes:.1} bytes an entry"),
    );
}

/// A commit that the ledger holds.
fn some_commit(path: &Path) -> String {
    let log = Command::new(MLEDGER).args(["log", "--kind", "commit", "-n", "1", "--json"]).current_dir(path).output();
    let row: serde_json::Value = serde_json::from_slice(&log.unwrap().stdout).unwrap();
    row["commit"].as_str().unwrap().to_owned()
}
