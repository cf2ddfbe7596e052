//! Names that one file system or another takes for the same.

use std::fs;
use std::path::Path;

use crate::bank::Bank;
use crate::world::{Person, Run, write};

/// `é` in one piece and in two.
const COMPOSED: &str = "caf\u{e9}";
const DECOMPOSED: &str = "cafe\u{301}";

/// Commits these files, and nothing that was not committed before.
fn commit(person: &Person, dir: &Path, files: &[&str]) {
    for file in files {
        write(dir, file, file);
    }
    person.git(dir, &["-c", "core.precomposeUnicode=false", "add", "-A"]).ok();
    person.git(dir, &["commit", "-q", "-m", "Add files"]).ok();
}

fn push(person: &Person, dir: &Path) -> Run {
    person.push(dir, &["HEAD:refs/heads/dev/x"])
}

#[test]
fn an_added_path_collides_with_nothing_at_any_level() {
    for files in [
        &["models/OLD"][..],
        &["Models/new"],
        &["models/sub/x", "models/Sub/y"],
        &["models/a", "models/A"],
        &["models/stra\u{df}e", "models/STRASSE"],
        &["models/\u{212a}elvin/x", "models/kelvin"],
    ] {
        let bank = Bank::open();
        let dir = bank.clone_of(&bank.bob);
        commit(&bank.bob, &dir, files);
        let said = bank.refused("path-collision", "stands beside it", || push(&bank.bob, &dir));
        assert!(said.contains("git mv"), "{said}");
    }
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    commit(&bank.bob, &dir, &[&format!("models/{COMPOSED}")]);
    push(&bank.bob, &dir).ok();
    commit(&bank.bob, &dir, &[&format!("models/{DECOMPOSED}")]);
    let said = bank.refused("path-collision", "stands beside it", || push(&bank.bob, &dir));
    assert!(said.contains("\"models/cafe\\314\\201\"") && said.contains("\"models/caf\\303\\251\""), "{said}");
    // As the refusal says: give it another name in the commit that adds it.
    bank.bob.git(&dir, &["mv", &format!("models/{DECOMPOSED}"), "models/other"]).ok();
    bank.bob.git(&dir, &["commit", "-q", "--amend", "--no-edit"]).ok();
    push(&bank.bob, &dir).ok();
    bank.holds();
}

#[test]
fn a_path_may_take_the_place_of_another() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.git(&dir, &["mv", "models/old", "models/OLD"]).ok();
    commit(&bank.bob, &dir, &["models/other"]);
    push(&bank.bob, &dir).ok();
    bank.holds();
}

#[test]
fn a_merge_does_not_bring_together_what_collides() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    let git = |words: &[&str]| bank.bob.git(&dir, words).ok();
    commit(&bank.bob, &dir, &["models/one/X"]);
    bank.bob.push(&dir, &["HEAD:refs/heads/dev/upper"]).ok();
    git(&["checkout", "-q", "-b", "lower", "origin/main"]);
    commit(&bank.bob, &dir, &["models/one/x"]);
    bank.bob.push(&dir, &["HEAD:refs/heads/dev/lower"]).ok();
    git(&["merge", "-q", "-m", "Both", "origin/dev/upper"]);
    bank.refused("path-collision", "stands beside it", || push(&bank.bob, &dir));
}

#[test]
fn what_stood_there_before_the_gate_stays_usable() {
    let bank = Bank::closed();
    bank.seed();
    let dir = bank.bare_clone_of(&bank.carol, "past");
    commit(&bank.carol, &dir, &["data/README", "data/readme", "models/x"]);
    bank.carol.push(&dir, &["-q", "HEAD:refs/heads/main"]).ok();
    bank.gate("", &[]).ok();
    let his = bank.clone_of(&bank.bob);
    fs::write(his.join("data/README"), "changed").unwrap();
    commit(&bank.bob, &his, &["models/new", "data/other"]);
    bank.bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    commit(&bank.bob, &his, &["data/Readme"]);
    bank.refused("path-collision", "stands beside it", || push(&bank.bob, &his));
}

#[test]
fn refs_collide_by_accents_and_as_folders() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let push = |name: &str| bank.alice.push(&dir, &[&format!("origin/main:refs/heads/dev/{name}")]);
    push(COMPOSED).ok();
    push("Team/one").ok();
    bank.refused("update-problem", "spelling of accents", || push(DECOMPOSED));
    bank.refused("update-problem", "stands in its way", || push("team"));
    bank.refused("update-problem", "stands in its way", || push(&format!("{DECOMPOSED}/x")));
    push("team2").ok();
    bank.holds();
}
