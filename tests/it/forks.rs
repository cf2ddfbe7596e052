//! A server that lies: it shows Alice one ledger and Bob another, both signed with the ledger's true key. The next
//! commit that its author honestly signs with what they saw exposes it: at the gate, to whoever verifies, and in the
//! clone that fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bank::{Bank, found, report};
use crate::verify::{Forge, Liar};

/// A bank whose server has two faces. Alice saw one, Bob the other; both begin alike.
struct TwoFaces {
    bank: Bank,
    hers: PathBuf,
    his: PathBuf,
    /// The repository as Alice saw it, and as Bob did.
    faces: [PathBuf; 2],
}

const ALICE: usize = 0;
const BOB: usize = 1;

impl TwoFaces {
    fn new() -> Self {
        let bank = Bank::open();
        let (hers, his) = (bank.clone_of(&bank.alice), bank.clone_of(&bank.bob));
        let faces = ["face of alice", "face of bob"].map(|name| bank.world.path(name));
        copy(&bank.server, &faces[BOB]);
        bank.alice.commit(&hers, "models/a", "one");
        bank.alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
        bank.alice.mledger(&hers, &["verify"]).ok();
        copy(&bank.server, &faces[ALICE]);
        let two = Self { bank, hers, his, faces };
        two.show(BOB);
        two.bank.bob.commit(&two.his, "models/b", "one");
        two.bank.bob.push(&two.his, &["HEAD:refs/heads/dev/b"]).ok();
        two.bank.bob.mledger(&two.his, &["verify"]).ok();
        fs::remove_dir_all(&two.faces[BOB]).unwrap();
        copy(&two.bank.server, &two.faces[BOB]);
        two
    }

    fn show(&self, face: usize) {
        fs::remove_dir_all(&self.bank.server).unwrap();
        copy(&self.faces[face], &self.bank.server);
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_clone_that_fetches_finds_a_fork() {
    let two = TwoFaces::new();
    let (bank, hers) = (&two.bank, &two.hers);
    // Each face is a whole ledger of the same key to whoever knows no other.
    for face in [ALICE, BOB] {
        two.show(face);
        bank.holds();
    }
    // She is shown Bob's.
    let words = "the remote's ledger was replaced";
    found(&report(&bank.alice, hers, &[]), "fork", words);
    bank.alice.commit(hers, "models/a", "two");
    bank.stopped(words, || bank.alice.push(hers, &["HEAD:refs/heads/dev/a"]));
    // What she saw stays what she holds.
    two.show(ALICE);
    bank.alice.mledger(hers, &["verify"]).ok();
}

#[test]
fn the_gate_finds_a_fork_by_the_next_honest_commit() {
    let two = TwoFaces::new();
    let (bank, hers) = (&two.bank, &two.hers);
    bank.alice.commit(hers, "models/a", "two");
    two.show(BOB);
    // Her own hooks would have stopped her; whoever carries her commit to the other face exposes it.
    let said = bank.refused("log-fork", "a commit's author saw another ledger under this name", || {
        bank.alice.push(hers, &["--no-verify", "HEAD:refs/heads/dev/a"])
    });
    assert!(said.contains("before anything else: somebody was shown a different ledger"), "{said}");
    let his = &two.his;
    bank.bob.git(his, &["fetch", "-q", hers.to_str().unwrap(), "HEAD:alice"]).ok();
    bank.refused("log-fork", "saw another ledger under this name", || {
        bank.bob.push(his, &["alice:refs/heads/dev/hers"])
    });
    // The denial is evidence in that ledger from now on.
    assert_eq!(bank.newest_push()["reason"]["code"], "log-fork");
}

#[test]
fn whoever_verifies_finds_a_fork_in_what_was_accepted() {
    let two = TwoFaces::new();
    let (bank, hers) = (&two.bank, &two.hers);
    two.show(ALICE);
    bank.alice.commit(hers, "models/a", "two");
    bank.alice.push(hers, &["HEAD:refs/heads/dev/a"]).ok();
    let of_alice = Forge::open(&bank.server).leaves();
    // The server takes her pushes into Bob's ledger without its gate, as if she had seen that one.
    two.show(BOB);
    let mut liar = Liar::of(bank);
    let before = liar.leaves.len();
    let first = of_alice.iter().position(|leaf| leaf["actor"] == "alice@bank.example").unwrap();
    let mut merged = liar.leaves.clone();
    let time = merged.last().unwrap()["time"].clone();
    merged.extend(of_alice[first..].iter().map(|leaf| moved(leaf, first, before, &time)));
    let (code, report) = liar.sign_and_verify(&merged, &[]);
    let accepted = before + (of_alice.len() - first) - 2;
    let says = |problem: &&Value| {
        problem["code"] == "decision"
            && problem["index"] == accepted as u64
            && problem["message"].as_str().unwrap().contains("the policy in force denies what it accepts: log-fork")
    };
    assert_eq!((code, report["problems"].as_array().unwrap().iter().filter(says).count()), (4, 1), "{report:#}");
    // And her own clone, with the checkpoint that she holds.
    let seen = hers.join(".git/mledger/checkpoint");
    let (code, report) = liar.sign_and_verify(&merged, &["--since", seen.to_str().unwrap()]);
    let words = "the ledger was forked or rewritten";
    found(&(code, report), "fork", words);
}

/// An entry at another place of another ledger, at a later time.
fn moved(leaf: &Value, from: usize, to: usize, time: &Value) -> Value {
    let mut leaf = leaf.clone();
    leaf["time"] = time.clone();
    let shift = |value: &Value| json!(value.as_u64().unwrap() - from as u64 + to as u64);
    match leaf["kind"].as_str().unwrap() {
        "push" => leaf["commits"]["first"] = shift(&leaf["commits"]["first"]),
        "landed" => leaf["push"] = shift(&leaf["push"]),
        _ => {}
    }
    leaf
}
