//! Every move of a ref, and what becomes of a change on its way: renamed, reverted, picked, linked, undone.

mod merges;
mod people;
mod refs;
mod undone;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bank::Bank;
use crate::world::{Person, write};

/// A bank whose maintainers may make every move of every ref, links included.
fn wide() -> Bank {
    let all = "[roles.maintainer]\nallow = [{ actions = [\"commit\", \"create\", \"update\", \"rewrite\", \"delete\"], links = true }]\n";
    Bank::open_under(|policy| with_maintainer(&policy, all), &[])
}

/// The policy with another role of maintainers.
fn with_maintainer(policy: &str, role: &str) -> String {
    let (start, end) = (policy.find("[roles.maintainer]").unwrap(), policy.find("[[rules]]").unwrap());
    format!("{}{role}{}", &policy[..start], &policy[end..])
}

fn rev(person: &Person, dir: &Path, name: &str) -> String {
    person.git(dir, &["rev-parse", name]).ok()
}

/// The moves of the accepted pushes, in their order.
fn moves(bank: &Bank) -> Vec<Value> {
    let accepted = bank.log().into_iter().filter(|row| row["decision"] == "accepted");
    let leaves = accepted.map(|row| bank.leaf(row["index"].as_u64().unwrap()));
    leaves.flat_map(|leaf| leaf["updates"].as_array().unwrap().clone()).map(|update| update["move"].clone()).collect()
}

/// Alice's clone, at a commit of hers on `main` that nobody else has.
fn alices(bank: &Bank) -> PathBuf {
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    dir
}

#[test]
fn a_ref_is_created_advanced_rewritten_rewound_deleted_and_made_again() {
    let bank = wide();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let (one, two) = (bob.commit(&dir, "models/a", "one"), bob.commit(&dir, "models/a", "two"));
    for name in ["refs/heads/x", "refs/tags/x"] {
        let push = |spec: &str| {
            bob.push(&dir, &["--force", &format!("{spec}:{name}")]).ok();
            assert_eq!(bank.tip(name), if spec.is_empty() { String::new() } else { rev(bob, &dir, spec) });
        };
        let other = rev(bob, &dir, "origin/main");
        for spec in [&one, &two, &one, &two, &other, "", &two, "", &one] {
            push(spec);
        }
    }
    let each = ["create", "update", "rewrite", "update", "rewrite", "delete", "create", "delete", "create"];
    assert_eq!(moves(&bank), [each, each].concat());
    bank.holds();
    // A commit is recorded once, however often it comes and goes.
    assert_eq!(bank.log().iter().filter(|row| row["kind"] == "commit").count(), 2);
}

#[test]
fn the_branch_that_clones_begin_with_stays_though_its_deletion_was_granted() {
    let bank = wide();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let said = bob.push(&dir, &[":refs/heads/main"]).fails();
    assert!(said.contains("accepted, entry") && said.contains("deletion of the current branch prohibited"), "{said}");
    bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    let voids = bank.log().into_iter().filter(|row| row["kind"] == "landed");
    let leaves: Vec<Value> = voids.map(|row| bank.leaf(row["index"].as_u64().unwrap())).collect();
    assert_eq!(leaves[0]["updates"][0]["state"], "void");
    bank.holds();
}

#[test]
fn one_refused_ref_refuses_all_and_is_named() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, alices(&bank));
    alice.push(&dir, &["HEAD:refs/heads/dev/old"]).ok();
    let specs = ["HEAD:refs/heads/dev/a", "+HEAD~1:refs/heads/dev/old", "HEAD:refs/heads/main", "HEAD:refs/tags/v1"];
    for words in [&specs[..], &[&["--atomic"], &specs[..]].concat()] {
        let said = bank
            .refused("not-granted", "refs/heads/main: alice@bank.example may not update", || alice.push(&dir, words));
        assert!(said.contains("refs/tags/v1: alice@bank.example may not create this ref"), "{said}");
        assert!(!said.contains("dev/a: alice"), "{said}");
    }
    let good = ["--atomic", "HEAD:refs/heads/dev/a", "+HEAD~1:refs/heads/dev/old", "HEAD:refs/heads/dev/b"];
    alice.push(&dir, &good).ok();
    let made: Vec<Value> = moves(&bank).into_iter().skip(1).collect();
    assert_eq!(made.len(), 3);
    assert!(made.contains(&Value::from("rewrite")), "{made:?}");
    bank.holds();
}

#[test]
fn a_rename_needs_both_its_paths() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, alices(&bank));
    let renamed = |from: &str, to: &str| {
        write(&dir, &format!("{to}.beside"), "so that the folder is there");
        alice.git(&dir, &["mv", from, to]).ok();
        alice.git(&dir, &["commit", "-q", "-m", "Rename"]).ok();
        alice.push(&dir, &["HEAD:refs/heads/dev/a"])
    };
    for (from, to, path) in [("README", "models/README", "README"), ("models/a", "a", "a")] {
        let said = bank.refused("commit-not-granted", &format!("path    {path}  "), || renamed(from, to));
        assert!(said.contains("leave these paths out, or ask carol@bank.example"), "{said}");
        alice.git(&dir, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    }
    renamed("models/a", "configs/a").ok();
    bank.holds();
}

#[test]
fn modes_count_as_changes() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, alices(&bank));
    let chmod = |path: &str| {
        alice.git(&dir, &["update-index", "--chmod=+x", path]).ok();
        alice.git(&dir, &["commit", "-q", "-m", "Executable"]).ok();
        alice.git(&dir, &["reset", "-q", "--hard"]).ok();
        alice.push(&dir, &["HEAD:refs/heads/dev/a"])
    };
    chmod("models/a").ok();
    let leaf = bank.leaf(bank.newest_push()["index"].as_u64().unwrap() - 1);
    assert!(leaf["manifest"].as_str().unwrap().contains("M 100644 100755 "), "{leaf:#}");
    bank.refused("commit-not-granted", "path    README  ", || chmod("README"));
}

#[test]
fn links_and_submodules_need_a_grant_that_says_so() {
    let bank = wide();
    let (alice, dir) = (&bank.alice, alices(&bank));
    let push = |person: &Person, dir: &Path| person.push(dir, &["HEAD:refs/heads/dev/a"]);
    push(alice, &dir).ok();
    let start = rev(alice, &dir, "HEAD");
    let target = alice.write_object(&dir, "blob", b"../../../etc/shadow");
    let nothing = "1".repeat(40);
    // A link, a submodule of a commit that is nowhere, a file that becomes a link.
    let entries = [("120000", &target, "models/l"), ("160000", &nothing, "models/s"), ("120000", &target, "models/a")];
    for (mode, oid, path) in entries {
        alice.git(&dir, &["update-index", "--add", "--cacheinfo", &format!("{mode},{oid},{path}")]).ok();
        alice.git(&dir, &["commit", "-q", "-m", "Link"]).ok();
        let said =
            bank.refused("link-not-granted", "may not commit symbolic links or submodules here", || push(alice, &dir));
        assert!(said.contains(&format!("path    {path}")), "{said}");
        alice.git(&dir, &["reset", "-q", "--hard", &start]).ok();
    }
    // Bob's grant has `links = true`.
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    for (mode, oid, path) in entries {
        bob.write_object(&his, "blob", b"../../../etc/shadow");
        bob.git(&his, &["update-index", "--add", "--cacheinfo", &format!("{mode},{oid},{path}")]).ok();
    }
    bob.git(&his, &["commit", "-q", "-m", "Links"]).ok();
    bob.push(&his, &["HEAD:refs/heads/dev/b"]).ok();
    let leaf = bank.leaf(bank.newest_push()["index"].as_u64().unwrap() - 1);
    assert!(leaf["manifest"].as_str().unwrap().contains(&format!("A 000000 160000 - commit:{nothing} - models/s")));
    // Alice may remove one, which makes nothing a link, and not move one.
    alice.git(&dir, &["fetch", "-q"]).ok();
    alice.git(&dir, &["reset", "-q", "--hard", "origin/dev/b"]).ok();
    alice.git(&dir, &["rm", "-q", "--cached", "models/l"]).ok();
    alice.git(&dir, &["commit", "-q", "-m", "Without"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/dev/b"]).ok();
    alice.git(&dir, &["update-index", "--cacheinfo", &format!("160000,{},models/s", "2".repeat(40))]).ok();
    alice.git(&dir, &["commit", "-q", "-m", "Elsewhere"]).ok();
    bank.refused("link-not-granted", "models/s", || alice.push(&dir, &["HEAD:refs/heads/dev/b"]));
}

#[test]
fn a_control_file_counts_as_all_that_it_governs() {
    let narrow = "paths = [\"models/*\", \"configs/**\", \".gitattributes\"]";
    let bank = Bank::open_under(|policy| policy.replace("paths = [\"models/**\", \"configs/**\"]", narrow), &[]);
    let (alice, dir) = (&bank.alice, alices(&bank));
    let start = rev(alice, &dir, "HEAD");
    let commit = |path: &str| {
        alice.git(&dir, &["reset", "-q", "--hard", &start]).ok();
        alice.commit(&dir, path, "[x]\n");
        alice.push(&dir, &["-f", "HEAD:refs/heads/dev/a"])
    };
    for path in [".gitattributes", "models/.gitattributes", "models/.GitAttributes", ".lfsconfig", ".gitmodules"] {
        let said = bank.refused("commit-not-granted", &format!("path    {path}  "), || commit(path));
        assert!(said.contains("leave these paths out"), "{said}");
    }
    commit("configs/.gitattributes").ok();
    commit("models/gitattributes").ok();
    // A rule about production configs is about the file that says how they are checked out.
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    for path in [".gitattributes", "configs/.gitattributes", ".lfsconfig"] {
        bob.commit(&his, path, "[x]\n");
        bank.refused("trailer-missing", "prod configs need a ticket", || bob.push(&his, &["HEAD:refs/heads/main"]));
        bob.git(&his, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    }
    bob.commit(&his, "models/.gitattributes", "x -text\n");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    bank.holds();
}

#[test]
fn a_folder_s_pattern_is_about_a_file_of_its_name() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, alices(&bank));
    alice.git(&dir, &["rm", "-rq", "models"]).ok();
    alice.commit(&dir, "models", "a file now");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&his, "configs/prod", "a file, and no folder");
    let said =
        bank.refused("trailer-missing", "prod configs need a ticket", || bob.push(&his, &["HEAD:refs/heads/main"]));
    assert!(said.contains("path    configs/prod  ") && said.contains("git commit --amend"), "{said}");
    bank.holds();
}

#[test]
fn reverts_and_picks_are_changes_of_whoever_makes_them() {
    let bank = Bank::open();
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&his, "README", "his");
    bob.commit(&his, "models/b", "his");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let push = || alice.push(&dir, &["HEAD:refs/heads/dev/a"]);
    alice.git(&dir, &["revert", "--no-edit", "HEAD~1"]).ok();
    bank.refused("commit-not-granted", "path    README  ", push);
    alice.git(&dir, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    alice.git(&dir, &["revert", "--no-edit", "HEAD"]).ok();
    push().ok();
    // Picked onto older ground, Bob's work is Alice's: what she may not change, she may not pick.
    alice.git(&dir, &["checkout", "-q", "-B", "picked", "origin/main~2"]).ok();
    alice.git(&dir, &["cherry-pick", "origin/main"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/dev/picked"]).ok();
    assert_eq!(bank.log().iter().rev().find(|row| row["kind"] == "commit").unwrap()["actor"], "alice@bank.example");
    alice.git(&dir, &["cherry-pick", "origin/main~1"]).ok();
    bank.refused("commit-not-granted", "path    README  ", || alice.push(&dir, &["HEAD:refs/heads/dev/picked"]));
    bank.holds();
}

#[test]
fn empty_and_root_commits_need_a_grant_where_they_go() {
    let bank = Bank::open_under(
        |policy| policy.replace("paths = [\"models/**\"", "refs = [\"refs/heads/dev/**\"], paths = [\"models/**\""),
        &[],
    );
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "Nothing"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/dev/empty"]).ok();
    // Hers, and empty: where she holds nothing it does not go, whoever brings it, known or not.
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    bank.refused("commit-not-granted", "alice@bank.example may not commit here", || {
        bob.push(&his, &["origin/dev/empty:refs/heads/main"])
    });
    alice.git(&dir, &["checkout", "-q", "--orphan", "root"]).ok();
    alice.git(&dir, &["rm", "-rfq", "."]).ok();
    alice.git(&dir, &["commit", "-q", "--allow-empty", "-m", "Nothing at all"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/dev/root"]).ok();
    alice.commit_as(&dir, "models/a", "one", &["--amend", "-m", "Root"]);
    alice.push(&dir, &["-f", "HEAD:refs/heads/dev/root"]).ok();
    alice.commit_as(&dir, "README", "hers", &["--amend", "-m", "Root"]);
    bank.refused("commit-not-granted", "path    README  ", || alice.push(&dir, &["-f", "HEAD:refs/heads/dev/root"]));
    bank.holds();
}

#[test]
fn a_commit_known_from_one_ref_is_judged_by_the_next() {
    let bank = Bank::open_under(
        |policy| {
            policy.replace(
                "{ actions = [\"commit\"], paths = [\"models/**\", \"configs/**\"] }",
                "{ actions = [\"commit\"], refs = [\"refs/heads/dev/**\"] }",
            )
        },
        &[],
    );
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "README", "hers");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", || {
        bob.push(&his, &["origin/dev/a:refs/heads/main"])
    });
    assert!(said.contains("path    README  "), "{said}");
    // Below a commit of Bob's, and beside one in a merge, it is the same commit.
    bob.git(&his, &["checkout", "-q", "-B", "on-top", "origin/dev/a"]).ok();
    bob.commit(&his, "models/b", "his");
    bank.refused("commit-not-granted", "alice@bank.example", || bob.push(&his, &["HEAD:refs/heads/main"]));
    bob.git(&his, &["checkout", "-q", "-B", "merged", "origin/main"]).ok();
    bob.git(&his, &["merge", "-q", "--no-ff", "-m", "Merge", "origin/dev/a"]).ok();
    bank.refused("commit-not-granted", "alice@bank.example", || bob.push(&his, &["HEAD:refs/heads/main"]));
    // Squashed by Bob, it is his.
    bob.git(&his, &["checkout", "-q", "-B", "squashed", "origin/main"]).ok();
    bob.git(&his, &["merge", "-q", "--squash", "origin/dev/a"]).ok();
    bob.git(&his, &["commit", "-q", "-m", "Squashed"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    bank.holds();
}
