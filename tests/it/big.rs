//! Pushes that are big in every direction: refs, files, commits. Each must simply work, and verify.

use std::fmt::Write as _;
use std::process::Command;

use mledger::identity::sshsig;

use crate::bank::Bank;
use crate::formats::{fits, schema};
use crate::world::{Person, Run};

/// How many refs a policy allows in one push by default.
const REFS: usize = 1_000;

/// A ref name of 200 bytes.
fn long_name(number: usize) -> String {
    let name = format!("refs/heads/dev/{number:04}/");
    let rest = "x".repeat(200 - name.len());
    name + &rest
}

/// `git push` of one refspec a line, which would be too long for a command line elsewhere.
fn push_all(person: &Person, dir: &std::path::Path, words: &[&str], refspecs: impl Iterator<Item = String>) -> Run {
    let refspecs: Vec<String> = refspecs.collect();
    let refspecs: Vec<&str> = refspecs.iter().map(String::as_str).collect();
    person.git(dir, &[&["push", "-q"], words, &["origin"], refspecs.as_slice()].concat())
}

#[test]
fn a_thousand_refs_with_long_names_are_created_updated_and_deleted() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let first = bank.alice.commit(&dir, "models/a", "1\n");
    let second = bank.alice.commit(&dir, "models/a", "2\n");
    let ours = |bank: &Bank| {
        let refs = bank.refs();
        refs.into_iter().filter(|(name, _)| name.starts_with("refs/heads/dev/")).collect::<Vec<_>>()
    };
    let at = |tip: &str| (0..REFS).map(|number| (long_name(number), tip.to_owned())).collect::<Vec<_>>();
    for (words, new, stand) in [
        (vec!["--signed"], first.as_str(), at(&first)),
        (vec![], second.as_str(), at(&second)),
        (vec!["--signed"], "", Vec::new()),
    ] {
        push_all(&bank.alice, &dir, &words, (0..REFS).map(|number| format!("{new}:{}", long_name(number)))).ok();
        assert_eq!(ours(&bank), stand);
        let push = bank.newest_push();
        assert_eq!((&push["decision"], push["refs"].as_array().unwrap().len()), (&"accepted".into(), REFS));
        let leaf = bank.leaf(push["index"].as_u64().unwrap());
        fits(&schema("leaf"), &leaf);
        let shown = leaf["updates"].as_array().unwrap().len() as u64;
        assert_eq!(leaf["updates-more"]["count"].as_u64().unwrap() + shown, REFS as u64);
        let report = bank.holds();
        assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{report:#}");
    }
    let landed = bank.log().into_iter().filter(|row| row["kind"] == "landed");
    let settled: usize = landed.map(|row| row["refs"].as_array().unwrap().len()).sum();
    assert_eq!(settled, 3 * REFS);
    bank.refused("too-many-refs", "refs", || {
        push_all(&bank.alice, &dir, &[], (0..=REFS).map(|number| format!("{first}:{}", long_name(number))))
    });
}

#[test]
fn updates_that_lie_in_a_blob_are_verified_like_those_in_the_leaf() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let tip = bank.alice.commit(&dir, "models/a", "1\n");
    push_all(&bank.alice, &dir, &[], (0..200).map(|number| format!("{tip}:{}", long_name(number)))).ok();
    bank.holds();
    // One ref of those that only the blob names is moved behind the gate.
    let main = bank.tip("refs/heads/main");
    bank.on_server(&["update-ref", &long_name(199), &main]);
    bank.found("ref", "stands at");
}

#[test]
fn a_commit_of_ten_thousand_files_is_taken() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let mut stream = String::from("commit refs/heads/import\ncommitter A <a@b.example> 1795000000 +0000\ndata 0\n");
    for number in 0..10_000 {
        let text = format!("weights {number}\n");
        let path = format!("models/{:02}/{number}.json", number % 100);
        write!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len()).unwrap();
    }
    let mut command = Command::new("git");
    command.args(["fast-import", "--quiet"]).current_dir(&dir);
    bank.alice.run(&mut command, Some(stream.as_bytes())).ok();
    let tree = bank.alice.git(&dir, &["rev-parse", "import^{tree}"]).ok();
    let who = format!("alice <{}> 1795000000 +0000", bank.alice.id());
    let head = format!("tree {tree}\nauthor {who}\ncommitter {who}\n");
    let message = "Import\n";
    let armour = sshsig::sign(&bank.alice.key(), "git", format!("{head}\n{message}").as_bytes());
    let object = format!("{head}gpgsig {}\n\n{message}", armour.trim_end().replace('\n', "\n "));
    let commit = bank.alice.write_object(&dir, "commit", object.as_bytes());
    bank.alice.push(&dir, &["-q", &format!("{commit}:refs/heads/dev/import")]).ok();
    assert_eq!(bank.tip("refs/heads/dev/import"), commit);
    let row = bank.log().into_iter().rev().find(|row| row["kind"] == "commit").unwrap();
    assert_eq!(row["paths"].as_array().unwrap().len(), 10_000);
    bank.holds();
    bank.alice.push(&dir, &["-q", ":refs/heads/dev/import"]).ok();
    bank.holds();
}

#[test]
fn two_thousand_commits_are_taken_at_once() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let commits = bank.alice.import(&dir, Some("origin/main"), 2_000);
    let tip = commits.last().unwrap();
    bank.alice.push(&dir, &["-q", &format!("{tip}:refs/heads/dev/import")]).ok();
    assert_eq!(bank.tip("refs/heads/dev/import"), *tip);
    let report = bank.holds();
    assert_eq!(report["entries"]["commit"], 2_000);
}
