//! Merges of every shape: what a merge changes by itself is its maker's; what its sides did is theirs.

use std::path::{Path, PathBuf};

use crate::bank::Bank;
use crate::world::{Person, Run, write};

/// A bank, Bob's clone and Alice's; Bob's commits on `main` touch what Alice may not.
fn open() -> (Bank, PathBuf, PathBuf) {
    let bank = Bank::open();
    let (his, hers) = (bank.clone_of(&bank.bob), bank.clone_of(&bank.alice));
    (bank, his, hers)
}

fn checkout(person: &Person, dir: &Path, name: &str, at: &str) {
    person.git(dir, &["checkout", "-q", "-B", name, at]).ok();
}

/// Commits the merge of these commits with the tree that `resolve` leaves behind.
fn merge(person: &Person, dir: &Path, others: &[&str], resolve: impl FnOnce()) {
    // Conflicts are for `resolve`.
    person.git(dir, &[&["merge", "-q", "--no-commit", "--no-ff"], others].concat());
    resolve();
    person.git(dir, &["add", "-A"]).ok();
    person.git(dir, &["commit", "-q", "-m", "Merge"]).ok();
}

fn push(person: &Person, dir: &Path) -> Run {
    person.push(dir, &["-f", "HEAD:refs/heads/dev/merged"])
}

#[test]
fn an_octopus_takes_what_each_arm_did_and_nothing_else() {
    let (bank, his, hers) = open();
    for (name, file) in [("dev/one", "README"), ("dev/two", "LICENSE"), ("dev/three", "docs/x")] {
        checkout(&bank.bob, &his, name, "origin/main");
        bank.bob.commit(&his, file, name);
        bank.bob.push(&his, &[&format!("HEAD:refs/heads/{name}")]).ok();
    }
    bank.alice.git(&hers, &["fetch", "-q"]).ok();
    bank.alice.commit(&hers, "models/a", "one");
    let arms = ["origin/dev/one", "origin/dev/two", "origin/dev/three"];
    let start = bank.alice.git(&hers, &["rev-parse", "HEAD"]).ok();
    bank.alice.git(&hers, &[&["merge", "-q", "-m", "Octopus"], &arms[..]].concat()).ok();
    push(&bank.alice, &hers).ok();
    let row = bank.log().into_iter().rev().find(|row| row["kind"] == "commit").unwrap();
    assert_eq!(row["paths"], serde_json::json!([]));
    bank.holds();
    // The same arms with a path that none of them has, and with one arm's work left out.
    for (file, text) in [("EVIL", Some("evil")), ("docs/x", None)] {
        bank.alice.git(&hers, &["reset", "-q", "--hard", &start]).ok();
        bank.alice.git(&hers, &[&["merge", "-q", "-m", "Octopus"], &arms[..]].concat()).ok();
        match text {
            Some(text) => write(&hers, file, text),
            None => std::fs::remove_file(hers.join(file)).unwrap(),
        }
        bank.alice.git(&hers, &["add", "-A"]).ok();
        bank.alice.git(&hers, &["commit", "-q", "--amend", "--no-edit"]).ok();
        let said =
            bank.refused("commit-not-granted", "alice@bank.example may not commit here", || push(&bank.alice, &hers));
        assert!(said.contains(&format!("path    {file}")), "{said}");
    }
}

#[test]
fn where_merge_bases_disagree_the_merge_decides() {
    let (bank, his, hers) = open();
    let (bob, alice) = (&bank.bob, &bank.alice);
    let both = |dir: &Path, person: &Person, text: &str| {
        for path in ["README", "models/x"] {
            write(dir, path, text);
            person.git(dir, &["add", path]).ok();
        }
    };
    // Two lines that merge one another, each keeping its own.
    for name in ["left", "right"] {
        checkout(bob, &his, name, "origin/main");
        both(&his, bob, name);
        bob.git(&his, &["commit", "-q", "-m", name]).ok();
    }
    for (name, other) in [("left", "right~0"), ("right", "left~1")] {
        bob.git(&his, &["checkout", "-q", name]).ok();
        merge(bob, &his, &[other], || both(&his, bob, name));
        bob.push(&his, &[&format!("{name}:refs/heads/dev/{name}")]).ok();
    }
    alice.git(&hers, &["fetch", "-q"]).ok();
    let bases = alice.git(&hers, &["merge-base", "--all", "origin/dev/left", "origin/dev/right"]).ok();
    assert_eq!(bases.lines().count(), 2, "{bases}");
    // Taking one side is a decision about README, although both sides are Bob's.
    checkout(alice, &hers, "criss", "origin/dev/left");
    merge(alice, &hers, &["origin/dev/right"], || both(&hers, alice, "left"));
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", || push(alice, &hers));
    assert!(said.contains("path    README") && !said.contains("models/x"), "{said}");
    // Bob may decide it.
    checkout(bob, &his, "criss", "left");
    merge(bob, &his, &["right"], || both(&his, bob, "left"));
    push(bob, &his).ok();
    bank.holds();
}

#[test]
fn a_revert_on_one_side_is_not_dropped_in_silence() {
    let (bank, his, hers) = open();
    let (bob, alice) = (&bank.bob, &bank.alice);
    bob.commit(&his, "README", "wrong");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.git(&hers, &["pull", "-q", "--ff-only"]).ok();
    alice.commit(&hers, "models/a", "one");
    bob.git(&his, &["revert", "--no-edit", "HEAD"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.git(&hers, &["fetch", "-q"]).ok();
    let start = alice.git(&hers, &["rev-parse", "HEAD"]).ok();
    merge(alice, &hers, &["origin/main"], || write(&hers, "README", "wrong"));
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", || push(alice, &hers));
    assert!(said.contains("path    README"), "{said}");
    alice.git(&hers, &["reset", "-q", "--hard", &start]).ok();
    merge(alice, &hers, &["origin/main"], || ());
    push(alice, &hers).ok();
    bank.holds();
}

#[test]
fn a_fast_forward_that_makes_main_the_second_parent_shows_what_it_drops() {
    // Engineers may commit everything and bring main forward, but only models.
    let bank = Bank::open_under(
        |policy| {
            let engineer = "  { actions = [\"commit\"] },\n  { actions = [\"update\"], refs = [\"refs/heads/main\"], paths = [\"models/**\"] },\n";
            policy.replace("  { actions = [\"commit\"], paths = [\"models/**\", \"configs/**\"] },\n", engineer)
        },
        &[],
    );
    let (bob, alice) = (&bank.bob, &bank.alice);
    let (his, hers) = (bank.clone_of(bob), bank.clone_of(alice));
    alice.commit(&hers, "models/a", "one");
    bob.commit(&his, "README", "reviewed");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.git(&hers, &["fetch", "-q"]).ok();
    let start = alice.git(&hers, &["rev-parse", "HEAD"]).ok();
    let push = || alice.push(&hers, &["HEAD:refs/heads/main"]);
    alice.git(&hers, &["merge", "-q", "-s", "ours", "-m", "Merge", "origin/main"]).ok();
    let said = bank.refused("not-granted", "alice@bank.example may not update this ref", push);
    assert!(said.contains("path    README"), "{said}");
    // Hidden one merge deeper, under a commit that is nothing but hers.
    alice.commit(&hers, "models/a", "two");
    bank.refused("not-granted", "path    README", push);
    alice.git(&hers, &["reset", "-q", "--hard", &start]).ok();
    alice.git(&hers, &["merge", "-q", "--no-ff", "-m", "Merge", "origin/main"]).ok();
    push().ok();
    assert_eq!(bank.leaf(bank.newest_push()["index"].as_u64().unwrap())["updates"][0]["move"], "update");
    bank.holds();
}

#[test]
fn unrelated_histories_join_by_what_each_brings() {
    let (bank, _, hers) = open();
    let alice = &bank.alice;
    let orphan = |files: &[&str]| {
        alice.git(&hers, &["checkout", "-q", "--orphan", &format!("orphan{}", files.len())]).ok();
        alice.git(&hers, &["rm", "-rfq", "."]).ok();
        for file in files {
            write(&hers, file, "from nowhere");
        }
        alice.git(&hers, &["add", "."]).ok();
        alice.git(&hers, &["commit", "-q", "-m", "Orphan"]).ok();
    };
    let join = |resolve: &dyn Fn()| {
        let words = ["merge", "-q", "--no-commit", "--allow-unrelated-histories", "origin/main"];
        alice.git(&hers, &words);
        resolve();
        alice.git(&hers, &["add", "-A"]).ok();
        alice.git(&hers, &["commit", "-q", "-m", "Join"]).ok();
    };
    orphan(&["models/new"]);
    join(&|| ());
    push(alice, &hers).ok();
    // Both sides have a README: hers may not even come, and the merge may not choose.
    orphan(&["models/new", "README"]);
    join(&|| write(&hers, "README", "from nowhere"));
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", || push(alice, &hers));
    assert!(said.contains("path    README and 1 more"), "{said}");
    bank.holds();
}

#[test]
fn a_merge_of_a_signed_tag_carries_it_along() {
    let (bank, his, hers) = open();
    let (bob, alice) = (&bank.bob, &bank.alice);
    bob.commit(&his, "README", "released");
    bob.git(&his, &["tag", "-s", "-m", "release", "v1"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main", "v1"]).ok();
    alice.git(&hers, &["fetch", "-q", "--tags"]).ok();
    alice.commit(&hers, "models/a", "one");
    alice.git(&hers, &["merge", "-q", "--no-ff", "-m", "Merge", "v1"]).ok();
    let raw = alice.git(&hers, &["cat-file", "commit", "HEAD"]).ok();
    assert!(raw.contains("\nmergetag object ") && raw.contains("\n -----BEGIN SSH SIGNATURE-----"), "{raw}");
    push(alice, &hers).ok();
    bank.holds();
    // The tag in it is signed with the commit.
    let bent = raw.replace("\n release\n", "\n Release\n") + "\n";
    let bent = alice.write_object(&hers, "commit", bent.as_bytes());
    bank.refused("commit-signature-invalid", "it does not fit the signed bytes", || {
        alice.push(&hers, &["-f", &format!("{bent}:refs/heads/dev/merged")])
    });
}

#[test]
fn a_merge_of_more_sides_than_are_compared_answers_for_all_of_them() {
    let (bank, his, hers) = open();
    let (bob, alice) = (&bank.bob, &bank.alice);
    let mut arms = Vec::new();
    for n in 0..16 {
        bob.git(&his, &["checkout", "-q", "-B", "arm", "origin/main"]).ok();
        bob.commit(&his, &format!("docs/{n}"), "his");
        let name = format!("refs/heads/dev/{n}");
        bob.push(&his, &[&format!("HEAD:{name}")]).ok();
        arms.push(format!("origin/dev/{n}"));
    }
    alice.git(&hers, &["fetch", "-q"]).ok();
    let start = alice.commit(&hers, "models/a", "one");
    let arms: Vec<&str> = arms.iter().map(String::as_str).collect();
    alice.git(&hers, &[&["merge", "-q", "-m", "Fifteen"], &arms[..15]].concat()).ok();
    push(alice, &hers).ok();
    alice.git(&hers, &["reset", "-q", "--hard", &start]).ok();
    alice.git(&hers, &[&["merge", "-q", "-m", "Sixteen"], &arms[..]].concat()).ok();
    bank.refused("commit-not-granted", "path    docs/0 and 15 more", || push(alice, &hers));
    bank.holds();
}
