//! What a change is for: `mledger commit`, the editor's template, and trailers checked while they are written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mledger::digest::sha256;

use crate::bank::Bank;
use crate::world::{MLEDGER, Person, Run, World, write, write_script};

/// A bank whose rules demand a ticket and a kind below `models/credit`, and a ticket anywhere on `dev/strict`.
fn bank() -> (Bank, PathBuf) {
    let rules = "[[rules]]\nname = \"credit says why\"\npaths = [\"models/credit/**\"]\ntrailers = [\"Change-Kind\", \
                 \"Ticket\"]\n[[rules]]\nname = \"strict\"\nrefs = [\"refs/heads/dev/strict\"]\ntrailers = [\"ticket\", \
                 \"Dataset\"]\n";
    let bank = Bank::open_with(rules, &[]);
    let dir = bank.clone_of(&bank.alice);
    (bank, dir)
}

/// Alice's repository without any policy.
fn desk() -> (World, Person, PathBuf) {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    alice.mledger(&dir, &["init"]).ok();
    (world, alice, dir)
}

/// Somebody whose editor is this shell script; the message's file is `$1`.
fn editing(world: &World, person: &Person, script: &str) -> Person {
    write_script(world.root(), "editor", &format!("#!/bin/sh\n{script}\n"));
    person.with("GIT_EDITOR", &world.path("editor").display().to_string().replace(' ', "\\ "))
}

fn message(person: &Person, dir: &Path) -> String {
    person.git(dir, &["log", "-1", "--format=%B"]).ok()
}

/// The trailers that Git itself sees in HEAD, ours left out.
fn trailers(person: &Person, dir: &Path) -> Vec<String> {
    let text = person.git(dir, &["log", "-1", "--format=%(trailers:unfold,only)"]).ok();
    text.lines().filter(|line| !line.starts_with("Mledger-") && !line.is_empty()).map(str::to_owned).collect()
}

fn stage(person: &Person, dir: &Path, file: &str, text: &str) {
    write(dir, file, text);
    person.git(dir, &["add", "--", file]).ok();
}

fn type_in(person: &Person, dir: &Path, line: &str) -> Run {
    let bin = Path::new(MLEDGER).parent().unwrap().display().to_string();
    let person = person.with("PATH", &format!("{bin}:{}", std::env::var("PATH").unwrap()));
    person.run(Command::new("bash").args(["-c", line]).current_dir(dir), None)
}

#[test]
fn every_intent_is_signed_with_the_commit() {
    let (world, alice, dir) = desk();
    write(world.root(), "data/q 3.csv", "a,b\n1,2\n");
    let digest = sha256(b"a,b\n1,2\n");
    let file = format!("credit-q3={}", world.path("data/q 3.csv").display());
    let base = format!("org/base@{digest}");
    stage(&alice, &dir, "model", "1");
    let words = [
        "--json",
        "commit",
        "--kind",
        "retrain",
        "--ticket",
        "RISK-12 \"x\" 'y' $(z)",
        "--dataset-file",
        &file,
        "--training-run",
        "https://runs/81",
        "--base-model",
        &base,
        "--metric",
        "auc=0.91",
        "--metric",
        "loss=-1e-3",
        "-m",
        "Retrain",
        "-m",
        "On the third quarter.",
    ];
    let run = alice.mledger(&dir, &words);
    let shown: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:#?}"));
    let expected = [
        "Change-Kind: retrain".to_owned(),
        "Ticket: RISK-12 \"x\" 'y' $(z)".to_owned(),
        "Training-Run: https://runs/81".to_owned(),
        format!("Base-Model: {base}"),
        "Metric: auc=0.91".to_owned(),
        "Metric: loss=-1e-3".to_owned(),
        format!("Dataset: credit-q3@{digest}"),
    ];
    assert_eq!(trailers(&alice, &dir), expected);
    assert_eq!(shown["trailers"].as_array().unwrap().len(), 7);
    assert_eq!(shown["commit"], alice.git(&dir, &["rev-parse", "HEAD"]).ok());
    assert!(message(&alice, &dir).starts_with("Retrain\n\nOn the third quarter.\n\nChange-Kind: retrain\n"));
    assert!(alice.git(&dir, &["cat-file", "commit", "HEAD"]).ok().contains("BEGIN SSH SIGNATURE"));
}

#[test]
fn an_amend_replaces_what_is_given_anew_and_keeps_the_rest() {
    let (world, alice, dir) = desk();
    stage(&alice, &dir, "model", "1");
    let first = [
        "commit", "--kind", "train", "--ticket", "A", "--ticket", "B", "--metric", "auc=0.8", "--metric", "f1=0.7",
        "-m", "One",
    ];
    alice.mledger(&dir, &first).ok();
    let again = ["commit", "--amend", "--kind", "retrain", "--metric", "auc=0.9", "--ticket", "C", "--", "--no-edit"];
    for _ in 0..2 {
        alice.mledger(&dir, &again).ok();
        assert_eq!(trailers(&alice, &dir), ["Metric: f1=0.7", "Change-Kind: retrain", "Ticket: C", "Metric: auc=0.9"]);
        assert_eq!(message(&alice, &dir).lines().next(), Some("One"));
    }
    // The editor shows them; what the person leaves there counts.
    let editor = editing(&world, &alice, "grep -q '^Metric: auc=0.95$' \"$1\" && sed -i '/^Ticket: C$/d' \"$1\"");
    editor.mledger(&dir, &["commit", "--amend", "--metric", "auc=0.95"]).ok();
    assert_eq!(trailers(&alice, &dir), ["Metric: f1=0.7", "Change-Kind: retrain", "Metric: auc=0.95"]);
}

#[test]
fn intents_survive_every_source_of_a_message_and_every_cleanup() {
    let (world, alice, dir) = desk();
    write(world.root(), "words", "From a file\n\nWords.\n\nSigned-off-by: A <a@b>\n");
    let words = world.path("words").display().to_string();
    let editor = editing(&world, &alice, "printf 'Typed' > \"$1.new\"; cat \"$1\" >> \"$1.new\"; mv \"$1.new\" \"$1\"");
    let modes = ["strip", "whitespace", "verbatim", "scissors", "default"];
    for (n, mode) in modes.into_iter().enumerate() {
        for (m, (person, rest)) in
            [(&alice, vec!["-F", words.as_str()]), (&alice, vec!["-m", "Title"]), (&editor, vec![])]
                .into_iter()
                .enumerate()
        {
            stage(&alice, &dir, "model", &format!("{n} {m}"));
            let cleanup = format!("--cleanup={mode}");
            let words = ["commit", "--kind", "fix", "--ticket", "A B", "--", &cleanup];
            person.mledger(&dir, &[&words, rest.as_slice()].concat()).ok();
            let seen = trailers(&alice, &dir);
            let ours: Vec<_> = seen.iter().filter(|line| !line.starts_with("Signed-off")).collect();
            assert_eq!(ours, ["Change-Kind: fix", "Ticket: A B"], "{mode} {rest:?}\n{}", message(&alice, &dir));
        }
    }
    // Settings of a person's own for trailers change nothing.
    alice.git(&dir, &["config", "trailer.ifexists", "doNothing"]).ok();
    alice.git(&dir, &["config", "trailer.where", "start"]).ok();
    stage(&alice, &dir, "model", "own");
    alice.mledger(&dir, &["commit", "--kind", "fix", "-m", "Title"]).ok();
    assert_eq!(trailers(&alice, &dir), ["Change-Kind: fix"]);
}

#[test]
fn an_editor_left_without_a_word_still_aborts() {
    let (world, alice, dir) = desk();
    stage(&alice, &dir, "model", "1");
    let editor = editing(&world, &alice, "true");
    let run = editor.mledger(&dir, &["commit", "--kind", "train", "--ticket", "1"]);
    assert!(run.code == Some(1) && run.err.contains("empty commit message"), "{run:#?}");
    assert_ne!(alice.git(&dir, &["rev-parse", "-q", "--verify", "HEAD"]).code, Some(0));
}

#[test]
fn values_are_refused_before_git_runs() {
    let (world, alice, dir) = desk();
    write(world.root(), "data", "x");
    stage(&alice, &dir, "model", "1");
    let (data, short) = (format!("a b={}", world.path("data").display()), format!("q3@sha256:{}", "a".repeat(63)));
    let (spaced, folder) = (format!("a 'b'@{}", sha256(b"")), format!("q3={}", dir.display()));
    for (words, expected) in [
        (&["--kind", "retrian"][..], "did you mean `retrain`?"),
        (&["--kind", "retrian"], "try: mledger commit --kind retrain"),
        (&["--dataset", &short], "has 63 hexadecimal digits"),
        (&["--dataset", &spaced], "no blanks or quotes"),
        (&["--dataset-file", &data], "no blanks or quotes"),
        (&["--dataset-file", "q3"], "is not NAME=PATH"),
        (&["--dataset-file", "q3=missing"], "could not read `missing`"),
        (&["--dataset-file", &folder], "could not read"),
        (&["--metric", "auc=nan"], "not a finite number"),
        (&["--metric", "auc=1", "--metric", "auc=2"], "`Metric` of `auc` stands twice"),
        (&["--ticket", "A\nChange-Kind: deploy"], "a line's end"),
        (&["--ticket", ""], "there is no value"),
    ] {
        let said = alice.mledger(&dir, &[&["commit", "-m", "x"], words].concat()).fails();
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert_ne!(alice.git(&dir, &["rev-parse", "-q", "--verify", "HEAD"]).code, Some(0), "nothing was committed");
}

#[test]
fn a_malformed_trailer_stops_the_commit_and_the_message_is_not_lost() {
    let (world, alice, dir) = desk();
    fs::create_dir_all(dir.join("models")).unwrap();
    for (n, (text, words)) in [
        ("Change-Kind: retrian", "did you mean `retrain`?"),
        ("Change-Kind: train\nChange-Kind: retrain", "`Change-Kind` stands twice"),
        ("Dataset: credit q3@sha256:12", "no blanks or quotes"),
        ("Dataset: q3@sha256:12", "has 2 hexadecimal digits"),
        ("Metric: good", "is not NAME=NUMBER"),
    ]
    .into_iter()
    .enumerate()
    {
        stage(&alice, &dir, "models/a", &n.to_string());
        let long = format!("A long thought {n}\n\nWords.\n\n{text}\n");
        let inside = dir.join("models");
        let said = alice.git(&inside, &["commit", "-q", "-m", &long]).fails();
        assert!(said.contains("nothing was committed") && said.contains(words), "{said}");
        assert!(said.contains(text.lines().last().unwrap()), "the line is named: {said}");
        // What is said to type brings the message back, from this folder.
        let line = said.lines().find_map(|line| line.trim().strip_prefix("mend it: ")).unwrap().to_owned();
        let mend = editing(&world, &alice, "sed -i '/^Change-Kind\\|^Dataset\\|^Metric/d' \"$1\"");
        type_in(&mend, &inside, &line).ok();
        let message = message(&alice, &dir);
        assert!(message.starts_with(&format!("A long thought {n}\n\nWords.\n\nMledger-Manifest: ")), "{message}");
    }
    // In prose, and without hooks, nobody minds.
    stage(&alice, &dir, "models/a", "prose");
    alice.git(&dir, &["commit", "-q", "-m", "Say that\n\nMetric: good\nis no trailer here\n\nIndeed."]).ok();
    stage(&alice, &dir, "models/a", "later");
    alice.git(&dir, &["commit", "-q", "--no-verify", "-m", "Say\n\nMetric: good"]).ok();
}

#[test]
fn the_editor_shows_what_rules_demand_and_nothing_of_it_stays() {
    let (bank, dir) = bank();
    let (alice, world) = (&bank.alice, &bank.world);
    let save = format!("cp \"$1\" '{}'", world.path("seen").display());
    let seen = || fs::read_to_string(world.path("seen")).unwrap();
    // Nothing is demanded: nothing is shown.
    stage(alice, &dir, "models/other", "1");
    let plain = editing(world, alice, &format!("{save}; sed -i '1s/^/Title/' \"$1\""));
    plain.git(&dir, &["commit", "-q"]).ok();
    assert!(!seen().contains("mledger:"), "{}", seen());
    // The rule's trailers, and the kinds; left as they are they vanish, and that they lack is told.
    for words in [
        &["commit", "-q"][..],
        &["commit", "-q", "-v"],
        &["-c", "core.commentChar=;", "commit", "-q"],
        &["-c", "core.commentChar=auto", "commit", "-q"],
    ] {
        stage(alice, &dir, "models/credit/a", &format!("{words:?}"));
        let run = plain.git(&dir, words);
        let shown = seen();
        let comment = if words.contains(&"core.commentChar=;") { ";" } else { "#" };
        assert!(shown.contains(&format!("{comment} mledger: main, rule \"credit says why\"")), "{shown}");
        assert!(shown.contains(&format!("{comment} (one of train, retrain,")), "{shown}");
        assert!(shown.contains(&format!("{comment} Ticket: \nMledger-Manifest: ")), "{shown}");
        assert!(run.err.contains("without Change-Kind, Ticket, main takes no such commit"), "{run:#?}");
        let message = message(alice, &dir);
        assert!(!message.contains("mledger:") && !message.contains("Ticket"), "{words:?}: {message}");
    }
    // Filled in before the editor closes, they are trailers and nobody complains.
    stage(alice, &dir, "models/credit/a", "2");
    let fill =
        "sed -i -e '1s/^/Title/' -e 's/^# Ticket: $/Ticket: R-1/' -e 's/^# Change-Kind: $/Change-Kind: fix/' \"$1\"";
    let run = editing(world, alice, &format!("{save}; {fill}")).git(&dir, &["commit", "-q"]);
    assert!(run.code == Some(0) && !run.err.contains("without"), "{run:#?}");
    assert_eq!(trailers(alice, &dir), ["Change-Kind: fix", "Ticket: R-1"]);
    // An amend of that has nothing more to ask; the paths are those of the whole commit.
    editing(world, alice, &save).git(&dir, &["commit", "-q", "--amend"]).ok();
    assert!(!seen().contains("mledger:"), "{}", seen());
    let run = alice.git(&dir, &["commit", "-q", "--amend", "-m", "Without"]);
    assert!(run.err.contains("without Change-Kind, Ticket"), "{run:#?}");
}

#[test]
fn where_comments_are_kept_none_is_added() {
    let (bank, dir) = bank();
    let (alice, world) = (&bank.alice, &bank.world);
    let editor = editing(world, alice, "sed -i '1s/^/Title/' \"$1\"");
    let mut n = 0;
    for mode in ["verbatim", "whitespace", "scissors"] {
        let (option, config) = (format!("--cleanup={mode}"), format!("commit.cleanup={mode}"));
        let short = format!("--cle={mode}");
        for words in [
            &["commit", "-q", &option][..],
            &["commit", "-q", "--cleanup", mode],
            &["commit", "-q", &short],
            &["-c", &config, "commit", "-q"],
        ] {
            n += 1;
            stage(alice, &dir, "models/credit/a", &n.to_string());
            editor.git(&dir, words).ok();
            assert!(!message(alice, &dir).contains("mledger:"), "{words:?}: {}", message(alice, &dir));
        }
    }
    // With a message given, no editor opens and nothing is added.
    stage(alice, &dir, "models/credit/a", "given");
    alice.git(&dir, &["commit", "-q", "--cleanup=verbatim", "-m", "Given"]).ok();
    assert!(!message(alice, &dir).contains('#'));
}

#[test]
fn what_is_lacking_is_told_with_the_command_that_adds_it() {
    let (bank, dir) = bank();
    let alice = &bank.alice;
    // A branch is judged by where it goes: its upstream, else the same name.
    alice.git(&dir, &["checkout", "-q", "-b", "dev/strict"]).ok();
    stage(alice, &dir, "models/other", "1");
    let run = alice.git(&dir, &["commit", "-q", "-m", "One"]);
    assert_eq!(run.code, Some(0), "a warning stops nothing: {run:#?}");
    assert!(run.err.contains("without ticket, Dataset, dev/strict takes no such commit: rule `strict`"), "{run:#?}");
    let line = run.err.lines().find_map(|line| line.trim().strip_prefix("add it: ")).unwrap();
    let line = line.replace('…', "R-9").replace("NAME@sha256:<64 hex>", &format!("q3@{}", sha256(b"x")));
    let run = type_in(alice, &dir, &line);
    assert!(run.code == Some(0) && !run.err.contains("without"), "{run:#?}");
    alice.push(&dir, &["HEAD:refs/heads/dev/strict"]).ok();

    alice.git(&dir, &["checkout", "-q", "-b", "mine", "origin/main"]).ok();
    alice.git(&dir, &["config", "branch.mine.merge", "refs/heads/dev/strict"]).ok();
    stage(alice, &dir, "models/other", "2");
    let run = alice.git(&dir, &["commit", "-q", "-m", "Two"]);
    assert!(run.err.contains("dev/strict takes no such commit"), "{run:#?}");
    alice.git(&dir, &["config", "branch.mine.merge", "refs/heads/dev/free"]).ok();
    stage(alice, &dir, "models/other", "3");
    let run = alice.git(&dir, &["commit", "-q", "-m", "Three"]);
    assert!(!run.err.contains("takes no such commit"), "{run:#?}");
}

#[test]
fn merges_rebases_and_fixups_are_left_alone() {
    let (bank, dir) = bank();
    let alice = &bank.alice;
    let quiet = |run: Run| {
        assert!(run.code == Some(0) && !run.err.contains("takes no such commit"), "{run:#?}");
    };
    alice.git(&dir, &["checkout", "-q", "-b", "side"]).ok();
    stage(alice, &dir, "models/credit/side", "1");
    alice.git(&dir, &["commit", "-q", "--no-verify", "-m", "Side\n\nMetric: odd"]).ok();
    alice.git(&dir, &["checkout", "-q", "main"]).ok();
    stage(alice, &dir, "models/credit/main", "1");
    alice.git(&dir, &["commit", "-q", "-m", "Main"]).ok();
    quiet(alice.git(&dir, &["merge", "-q", "-m", "Merge\n\nMetric: odd", "side"]));
    stage(alice, &dir, "models/credit/main", "2");
    quiet(alice.git(&dir, &["commit", "-q", "--fixup", "HEAD"]));
    stage(alice, &dir, "models/credit/main", "3");
    quiet(alice.git(&dir, &["commit", "-q", "-m", "squash! Main\n\nMetric: odd"]));
    quiet(alice.git(&dir, &["revert", "--no-edit", "HEAD"]));
    quiet(alice.git(&dir, &["cherry-pick", "HEAD~1"]));
    let rebasing = alice.with("GIT_EDITOR", "true");
    quiet(rebasing.git(&dir, &["rebase", "-q", "-i", "--force-rebase", "--exec", "true", "HEAD~2"]));
    quiet(rebasing.with("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/reword/").git(&dir, &["rebase", "-q", "-i", "HEAD~1"]));
}

#[test]
fn a_policy_of_a_later_version_disturbs_no_commit() {
    let (bank, dir) = bank();
    let alice = &bank.alice;
    // The view of the policy says what nobody can read yet; what verifies is not touched.
    let log = dir.join(".git/mledger/log.git");
    let text = "mledger = 2\n[[rules]]\nname = \"new\"\ntrailers = [\"Ticket\"]\n";
    for text in [text, "no TOML trailers = [", ""] {
        let blob = alice.write_object(&log, "blob", text.as_bytes());
        let index = bank.world.path("index").display().to_string();
        let with = alice.with("GIT_INDEX_FILE", &index);
        with.git(&log, &["read-tree", "refs/mledger/log"]).ok();
        with.git(&log, &["update-index", "--add", "--cacheinfo", &format!("100644,{blob},policy.toml")]).ok();
        let tree = with.git(&log, &["write-tree"]).ok();
        let commit = alice.git(&log, &["commit-tree", &tree, "-m", "later"]).ok();
        alice.git(&log, &["update-ref", "refs/mledger/log", &commit]).ok();
        stage(alice, &dir, "models/credit/a", text);
        let run = alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "One"]);
        assert!(run.code == Some(0) && !run.err.contains("error"), "{run:#?}");
        let run =
            editing(&bank.world, alice, "sed -i '1s/^/Title/' \"$1\"").git(&dir, &["commit", "-q", "--allow-empty"]);
        assert!(run.code == Some(0) && !run.err.contains("error"), "{run:#?}");
    }
}

#[test]
fn a_linked_work_tree_and_a_subfolder_find_the_message_again() {
    let (world, alice, dir) = desk();
    stage(&alice, &dir, "model", "1");
    alice.git(&dir, &["commit", "-q", "-m", "One"]).ok();
    let tree = world.path("linked tree");
    alice.git(&dir, &["worktree", "add", "-q", "-b", "linked", tree.to_str().unwrap()]).ok();
    stage(&alice, &tree, "model", "2");
    let said = alice.git(&tree, &["commit", "-q", "-m", "Two\n\nMetric: odd"]).fails();
    let line = said.lines().find_map(|line| line.trim().strip_prefix("mend it: ")).unwrap().to_owned();
    type_in(&editing(&world, &alice, "sed -i 's/odd/a=1/' \"$1\""), &tree, &line).ok();
    assert_eq!(trailers(&alice, &tree), ["Metric: a=1"]);
}
