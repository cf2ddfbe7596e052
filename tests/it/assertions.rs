//! `mledger verify --objects`: a server that signs what is not true of the repository is caught by whoever has it.

use std::fs;

use serde_json::{Value, json};

use crate::bank::{Bank, found, report};
use crate::verify::Liar;
use crate::world::write;

/// A lie that the ledger alone does not show, and that the repository does: at that entry, in these words.
#[track_caller]
fn caught(liar: &mut Liar<'_>, entry: usize, words: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut leaves = liar.leaves.clone();
    change(&mut leaves);
    assert_ne!(leaves, liar.leaves);
    let (code, believed) = liar.sign_and_verify(&leaves, &[]);
    assert_eq!((code, &believed["problems"]), (0, &json!([])), "the ledger itself gives it away");
    let index = found(&liar.sign_and_verify(&leaves, &["--objects"]), "objects", words);
    assert_eq!(index, json!(entry));
}

/// The newest entry of a kind.
fn newest(leaves: &[Value], kind: &str) -> usize {
    leaves.iter().rposition(|leaf| leaf["kind"] == kind).unwrap()
}

#[test]
fn a_manifest_that_is_not_the_commits_is_caught() {
    let bank = Bank::open();
    // Without our trailers nothing that Alice signs binds the contents.
    let dir = bank.clone_of(&bank.alice);
    write(&dir, "models/a", "harmless");
    bank.alice.git(&dir, &["add", "."]).ok();
    bank.alice.git(&dir, &["-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "Change"]).ok();
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
    let mut liar = Liar::of(&bank);
    let at = newest(&liar.leaves, "commit");
    let text = liar.leaves[at]["manifest"].as_str().unwrap().to_owned();
    let line = text.lines().last().unwrap().to_owned();
    for (old, new) in [
        // Another file, another content, another size, another mode, nothing at all.
        ("models/a".to_owned(), "models/b".to_owned()),
        (line.split(' ').nth(4).unwrap().to_owned(), mledger::digest::sha256(b"other").to_string()),
        (" 8 models/a".to_owned(), " 9 models/a".to_owned()),
        ("000000 100644".to_owned(), "000000 100755".to_owned()),
        (line.clone() + "\n", String::new()),
    ] {
        assert!(text.contains(&old), "{old} is not in {text}");
        caught(&mut liar, at, "its manifest is not that of commit", |all| {
            all[at]["manifest"] = json!(text.replace(&old, &new));
        });
    }
}

#[test]
fn a_merge_that_hides_what_it_changes_is_caught() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    for (file, text) in [("models/a", "old"), ("models/b", "old")] {
        bob.commit(&dir, file, text);
    }
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    let base = bob.git(&dir, &["rev-parse", "HEAD"]).ok();
    bob.commit(&dir, "models/a", "mended");
    bob.git(&dir, &["checkout", "-q", "-b", "side", &base]).ok();
    bob.commit(&dir, "models/b", "newer");
    // Undoes by the merge what main has mended.
    bob.git(&dir, &["merge", "-q", "-s", "ours", "-m", "Merge", "main"]).ok();
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    assert_eq!(bank.holds()["objects"]["gone"], 0);
    let mut liar = Liar::of(&bank);
    let at = newest(&liar.leaves, "commit");
    assert_eq!(liar.leaves[at]["own"], json!("models/a\n"));
    caught(&mut liar, at, "the merge changes `models/a` by itself, which its entry hides", |all| {
        all[at]["own"] = json!("");
    });
}

#[test]
fn a_move_that_hides_what_it_takes_away_is_caught() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let push = |words: &[&str]| alice.push(&dir, words).ok();
    alice.commit(&dir, "models/a", "one");
    push(&["HEAD:refs/heads/dev/a"]);
    alice.commit(&dir, "models/a", "two");
    alice.commit(&dir, "configs/b", "two");
    push(&["HEAD:refs/heads/dev/a"]);
    push(&["-f", "HEAD~2:refs/heads/dev/a"]);
    bank.holds();
    let (mut liar, hidden) = (Liar::of(&bank), "touches `configs/b`, which the entry hides");
    let at = newest(&liar.leaves, "push");
    assert_eq!(liar.leaves[at]["updates"][0]["extra"], json!("configs/b\nmodels/a\n"));
    caught(&mut liar, at, hidden, |all| all[at]["updates"][0]["extra"] = json!("models/a\n"));
    caught(&mut liar, at, hidden, |all| drop(all[at]["updates"][0].as_object_mut().unwrap().remove("extra")));
    caught(&mut liar, at, "does not touch `models/z`", |all| {
        all[at]["updates"][0]["extra"] = json!("configs/b\nmodels/a\nmodels/z\n");
    });
    // The same of a ref that goes.
    alice.git(&dir, &["reset", "-q", "--hard", "HEAD~2"]).ok();
    alice.commit(&dir, "configs/c", "three");
    push(&["HEAD:refs/heads/dev/c"]);
    push(&[":refs/heads/dev/c"]);
    bank.holds();
    liar.leaves = Liar::of(&bank).leaves;
    let at = newest(&liar.leaves, "push");
    caught(&mut liar, at, "touches `configs/c`, which the entry hides", |all| {
        let extra = all[at]["updates"][0]["extra"].as_str().unwrap().replace("configs/c\n", "");
        all[at]["updates"][0]["extra"] = json!(extra);
    });
}

#[test]
fn what_is_gone_is_counted_and_what_is_damaged_is_found() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "kept");
    alice.push(&dir, &["HEAD:refs/heads/dev/kept"]).ok();
    alice.commit(&dir, "models/a", "lost");
    alice.push(&dir, &["HEAD:refs/heads/dev/lost"]).ok();
    alice.push(&dir, &[":refs/heads/dev/lost"]).ok();
    assert_eq!(bank.holds()["objects"], json!({ "checked": 5, "gone": 0 }));
    // Nobody needs them any more, and Git throws them away.
    bank.on_server(&["gc", "-q", "--prune=now"]);
    assert_eq!(bank.holds()["objects"], json!({ "checked": 3, "gone": 2 }));
    let said = bank.carol.mledger(&bank.server, &["verify", "--objects"]).ok();
    assert!(said.contains("objects  3 assertions computed again, 2 not: their objects are gone"), "{said}");
    // An engineer's clone has what it made, and says the same of it.
    let (code, hers) = report(alice, &dir, &["--objects"]);
    assert_eq!((code, &hers["objects"]), (0, &json!({ "checked": 5, "gone": 0 })), "{hers:#}");
    assert!(bank.report().1.get("objects").is_none());
    // Bytes swapped in the store, under the old name.
    let blob = bank.on_server(&["rev-parse", "refs/heads/dev/kept:models/a"]);
    bank.on_server(&["repack", "-q", "-a", "-d", "-k"]);
    for pack in fs::read_dir(bank.server.join("objects/pack")).unwrap() {
        let pack = pack.unwrap().path();
        if pack.extension().is_some_and(|end| end == "pack") {
            let away = bank.world.path("away.pack");
            fs::rename(&pack, &away).unwrap();
            let bytes = fs::read(&away).unwrap();
            let _ = fs::remove_file(pack.with_extension("idx"));
            let _ = fs::remove_file(pack.with_extension("rev"));
            let mut unpack = std::process::Command::new("git");
            unpack.args(["unpack-objects", "-q"]).current_dir(&bank.server);
            bank.carol.run(&mut unpack, Some(&bytes)).ok();
        }
    }
    let other = bank.carol.write_object(&bank.server, "blob", b"swap");
    let file = |oid: &str| bank.server.join(format!("objects/{}/{}", &oid[..2], &oid[2..]));
    fs::remove_file(file(&blob)).unwrap();
    fs::copy(file(&other), file(&blob)).unwrap();
    let outcome = report(&bank.carol, &bank.server, &["--objects"]);
    found(&outcome, "objects", &format!("object {blob} cannot be read"));
}
