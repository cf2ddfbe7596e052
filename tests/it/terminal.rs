//! What a terminal shows: colours where there is one, hashes in one piece, and completions that the shells take.

use std::path::Path;
use std::process::Command;

use crate::bank::Bank;
use crate::world::{MLEDGER, Person, World};

/// What `mledger WORDS` shows on a terminal of so many columns.
fn shown(person: &Person, dir: &Path, columns: u16, words: &str) -> String {
    let line = format!("stty cols {columns}; '{MLEDGER}' {words}");
    let person = person.with("SHELL", "/bin/sh");
    person.run(Command::new("script").args(["-qec", &line, "/dev/null"]).current_dir(dir), None).ok()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let on_terminal = bank.alice.with("TERM", "xterm");
    // A progress bar moves the cursor, which is no colour.
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let colourful = |text: &str| colour.is_match(text);
    assert!(colourful(&shown(&on_terminal, &dir, 80, "log")));
    assert!(colourful(&shown(&on_terminal, &dir, 80, "--help")));
    assert!(!colourful(&shown(&on_terminal, &dir, 80, "log --color never")));
    assert!(!colourful(&shown(&on_terminal.with("NO_COLOR", "1"), &dir, 80, "log")));
    assert!(!colourful(&shown(&on_terminal.with("NO_COLOR", "1"), &dir, 80, "verify")));
    assert!(!colourful(&shown(&bank.alice, &dir, 80, "log")), "a dumb terminal");
    let piped = on_terminal.mledger(&dir, &["verify"]);
    assert!(!colourful(&piped.out) && !colourful(&piped.err), "{piped:#?}");
    assert!(colourful(&on_terminal.mledger(&dir, &["log", "--color", "always"]).ok()));
    let failed = on_terminal.mledger(&dir, &["show", "999"]);
    assert!(!colourful(&failed.err) && failed.err.starts_with("error: "), "{failed:#?}");
}

#[test]
fn nothing_is_broken_within_a_hash() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let last = bank.size() - 1;
    let pieces = regex::Regex::new("[0-9a-f]{20,}").unwrap();
    let all = (0..=last).map(|index| format!("show {index}")).chain(["verify".to_owned(), "init".to_owned()]);
    let mut seen = 0;
    for words in all {
        let text = shown(&bank.alice, &dir, 60, &words);
        for hash in pieces.find_iter(&text) {
            assert!([40, 64].contains(&hash.len()), "`{}` of {words} is a part of a hash:\n{text}", hash.as_str());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn three_shells_complete() {
    let world = World::new();
    let alice = world.person("alice");
    let dir = world.root();
    for shell in ["bash", "zsh", "fish"] {
        let script = alice.mledger(dir, &["completions", shell]).ok();
        std::fs::write(dir.join(shell), script).unwrap();
        alice.run(Command::new(shell).arg("-n").arg(shell).current_dir(dir), None).ok();
    }
    let offered =
        "source ./bash; COMP_WORDS=(mledger ver); COMP_CWORD=1; _mledger mledger ver mledger; echo ${COMPREPLY[@]}";
    let bash = alice.run(Command::new("bash").args(["-c", offered]).current_dir(dir), None).ok();
    assert_eq!(bash, "verify verify-proof");
    let offered = "source ./fish; complete -C 'mledger ver'";
    let fish = alice.run(Command::new("fish").args(["-c", offered]).current_dir(dir), None).ok();
    let first = |line: &str| line.split('\t').next().map(str::to_owned);
    assert_eq!(fish.lines().filter_map(first).collect::<Vec<_>>(), ["verify", "verify-proof"]);
}

#[test]
fn every_result_of_an_admin_is_a_value_for_programs() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.carol);
    let policy = bank.carol.mledger(&dir, &["policy", "show"]).ok();
    let file = bank.world.path("policy.toml");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let run = bank.carol.mledger(&dir, &["policy", "apply", "--json", file.to_str().unwrap()]);
        let value: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:#?}"));
        (run.code, value["sent"].as_bool().unwrap(), value["policy"].as_str().unwrap().len())
    };
    let same = format!("{policy}\n");
    assert_eq!(apply(&same), (Some(0), false, 71));
    assert_eq!(apply(&format!("# changed\n{same}")), (Some(0), true, 71));
}
