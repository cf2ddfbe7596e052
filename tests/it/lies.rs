//! What the holder of the ledger's key could make up about statements, tags and verdicts: each lie is found, and the
//! entry that tells it is named.

mod statements;

use std::path::{Path, PathBuf};

use mledger::digest::git_oid;
use mledger::entry::field::{Blobs, Field};
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::verify::{Liar, replace};
use crate::world::write;

/// Bob's pushes without a certificate are his by a login, so that a lie about one need not bend its certificate.
fn with_bobs_login(policy: &str) -> String {
    let (before, after) = policy.split_at(policy.find("[actors.\"bob@bank.example\"]").unwrap());
    before.to_owned()
        + &after.replacen("roles = [\"maintainer\"]", "roles = [\"maintainer\"]\nlogins = [\"env:bob\"]", 1)
}

/// A bank where Bob may also delete tags.
fn open(change: impl FnOnce(String) -> String) -> (Bank, PathBuf) {
    let more = "  { actions = [\"create\", \"update\"], refs = [\"refs/heads/main\", \"refs/tags/v*\"] },\n";
    let delete = "  { actions = [\"delete\"], refs = [\"refs/tags/**\"] },\n";
    let policy = |policy: String| change(with_bobs_login(&policy).replace(more, &format!("{more}{delete}")));
    let bank = Bank::open_under(policy, &["--login", "env"]);
    let dir = bank.clone_of(&bank.bob);
    (bank, dir)
}

fn by_login(bank: &Bank, dir: &Path, specs: &[&str]) {
    let words = ["--no-signed", "--receive-pack=env MLEDGER_LOGIN=bob git-receive-pack"];
    bank.bob.push(dir, &[&words, specs].concat()).ok();
}

fn remove(leaf: &mut Value, field: &str) -> Value {
    leaf.as_object_mut().unwrap().remove(field).unwrap()
}

/// Bytes as a field of a leaf holds them.
fn bytes(text: &str) -> Value {
    serde_json::to_value(Field::bytes(text.as_bytes(), &mut Blobs::new())).unwrap()
}

#[test]
fn lies_about_signed_tags_are_caught() {
    let (bank, dir) = open(|policy| policy);
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    bank.bob.git(&dir, &["tag", "-s", "-m", "release", "v1"]).ok();
    by_login(&bank, &dir, &["v1"]);
    by_login(&bank, &dir, &[":refs/tags/v1"]);
    by_login(&bank, &dir, &["HEAD:refs/tags/v2"]);
    let mut liar = Liar::of(&bank);
    let [create, delete, light] = [1, 2, 3].map(|nth| liar.nth("push", nth));
    let entry = |at: usize| at as u64;
    let signed = bank.bob.git(&dir, &["cat-file", "tag", "v1"]).ok() + "\n";
    assert_eq!(liar.leaves[create]["updates"][0]["tag"], bytes(&signed));
    let tip = liar.leaves[create]["updates"][0]["new"].as_str().unwrap().to_owned();

    liar.caught(entry(create), "tag", &format!("its tag is not {tip}"), |all| {
        all[create]["updates"][0]["tag"] = bytes(&signed.replace("release", "Release"));
    });
    liar.caught(entry(create), "graph", "is not known", |all| {
        remove(&mut all[create]["updates"][0], "tag");
    });
    liar.caught(entry(create), "tag", "calls itself `v1`, and is pushed to `refs/tags/v3`", |all| {
        all[create]["updates"][0]["ref"] = json!("refs/tags/v3");
    });
    // The same tag without its signature, and with one that is of something else, each under its true id.
    let unsigned = signed.split("-----BEGIN").next().unwrap().to_owned();
    let bent = signed.replace("release", "Release");
    for (raw, code) in [(unsigned, "tag-unsigned"), (bent, "tag-signature-invalid")] {
        liar.caught(entry(create), "decision", code, |all| {
            let update = &mut all[create]["updates"][0];
            update["new"] = json!(git_oid("tag", raw.as_bytes()).to_string());
            update["tag"] = bytes(&raw);
        });
    }
    liar.caught(entry(create), "tag", "only tags of commits", |all| {
        let raw = signed.replace("type commit", "type tree");
        let update = &mut all[create]["updates"][0];
        update["new"] = json!(git_oid("tag", raw.as_bytes()).to_string());
        update["tag"] = bytes(&raw);
    });
    // A tag where none is: beside a commit, and beside a deletion.
    liar.caught(entry(light), "tag", "its tag is not", |all| {
        let update = &mut all[light]["updates"][0];
        update["tag"] = bytes(&signed);
    });
    liar.caught(entry(delete), "tag", "it has a tag, but no ref points to one by it", |all| {
        all[delete]["updates"][0]["tag"] = bytes(&signed);
    });
}

#[test]
fn lies_about_what_was_tolerated_are_caught() {
    let (bank, dir) = open(|policy| policy.replacen("name = \"models\"", "name = \"models\"\nmode = \"observe\"", 1));
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    let theirs = bank.bare_clone_of(&bank.mallory, "theirs");
    bank.mallory.commit(&theirs, "models/x", "x");
    bank.mallory.push(&theirs, &["HEAD:refs/heads/main"]).ok();
    let mut liar = Liar::of(&bank);
    let [good, bad] = [0, 1].map(|nth| liar.nth("push", nth));
    let (accepted, tolerated) = (good as u64, bad as u64);
    assert_eq!(
        (&liar.leaves[good]["decision"], &liar.leaves[bad]["decision"]),
        (&json!("accepted"), &json!("tolerated"))
    );

    liar.caught(tolerated, "decision", "the policy in force denies what it accepts: commit-unsigned", |all| {
        all[bad]["decision"] = json!("accepted");
    });
    liar.caught(accepted, "decision", "the policy in force accepts what it says is only tolerated", |all| {
        all[good]["decision"] = json!("tolerated");
    });
    liar.caught(accepted, "decision", "", |all| {
        all[good]["decision"] = json!("tolerated");
        all[good]["reasons"] = all[bad]["reasons"].clone();
    });
    liar.caught(tolerated, "decision", "its facts do not lead to the reasons that it states", |all| {
        all[bad]["reasons"][0]["code"] = json!("key-revoked");
    });
    liar.caught(tolerated, "decision", "its facts do not lead to the reasons", |all| all[bad]["reasons"] = json!([]));
    liar.caught(tolerated, "decision", "does not merely observe", |all| {
        replace(&mut all[0]["policy"], "mode = \"observe\"", "mode = \"enforce\"");
    });
    liar.caught(tolerated, "decision", "ref-forbidden is never let through", |all| {
        all[bad]["updates"][0] = json!({
            "move": "create", "new": all[bad]["updates"][0]["new"], "ref": "refs/notes/x",
        });
        all[bad]["reasons"] = json!([{ "action": "create", "code": "ref-forbidden", "ref": "refs/notes/x" }]);
    });
    // Alice says that she pushed it, or that she made it.
    liar.caught(tolerated, "decision", "it names another pusher", |all| {
        all[bad]["actor"] = json!("alice@bank.example");
    });
    liar.caught(tolerated - 1, "entry", "its commit is not signed", |all| {
        all[bad - 1]["actor"] = json!("bob@bank.example");
        all[bad - 1]["key"] = all[good - 1]["key"].clone();
    });
    // Bob's commit as nobody's, in the push that was accepted.
    liar.caught(accepted, "decision", "is not by whom its entry names", |all| {
        remove(&mut all[good - 1], "actor");
        remove(&mut all[good - 1], "key");
    });
    liar.caught(accepted - 1, "entry", "a signer without a key", |all| {
        remove(&mut all[good - 1], "key");
    });
}

#[test]
fn an_enforcing_policy_tolerates_nothing() {
    let (bank, dir) = open(|policy| policy);
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    bank.bob.push(&dir, &["--no-signed", "HEAD:refs/heads/dev/a"]).fails();
    let mut liar = Liar::of(&bank);
    let [good, denied] = [0, 1].map(|nth| liar.nth("push", nth));
    liar.caught(good as u64, "decision", "does not merely observe", |all| all[good]["decision"] = json!("tolerated"));
    liar.caught(denied as u64, "decision", "does not merely observe", |all| {
        all[denied]["decision"] = json!("tolerated");
        remove(&mut all[denied], "facts");
    });
}

#[test]
fn a_denial_says_nothing_but_what_was_denied() {
    let (bank, dir) = open(|policy| policy);
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    let theirs = bank.clone_of(&bank.alice);
    bank.alice.commit(&theirs, "models/a", "two");
    bank.alice.push(&theirs, &["HEAD:refs/heads/prod"]).fails();
    let mut liar = Liar::of(&bank);
    let [good, denied] = [0, 1].map(|nth| liar.nth("push", nth));
    let entry = denied as u64;
    liar.caught(entry, "decision", "it names another pusher than its facts do", |all| {
        all[denied]["actor"] = json!("carol@bank.example");
    });
    liar.caught(entry, "decision", "it names another pusher than its facts do", |all| {
        remove(&mut all[denied], "actor");
    });
    liar.caught(entry, "decision", "its facts are about other refs than it names", |all| {
        all[denied]["updates"][0]["ref"] = json!("refs/heads/main");
    });
    liar.caught(entry, "decision", "its facts are about other refs than it names", |all| {
        all[denied]["updates"][0]["new"] = all[good]["updates"][0]["new"].clone();
    });
    liar.caught(good as u64, "decision", "it states facts, which follow from the ledger", |all| {
        all[good]["facts"] = all[denied]["facts"].clone();
    });
}

#[test]
fn moves_that_were_none_are_caught() {
    let (bank, dir) = open(|policy| policy);
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    bank.bob.commit(&dir, "models/a", "two");
    by_login(&bank, &dir, &["HEAD:refs/heads/main", "HEAD~1:refs/heads/dev/a"]);
    bank.on_server(&["update-ref", "refs/heads/dev/hand", "HEAD"]);
    bank.bob.push(&dir, &["+HEAD~1:refs/heads/dev/hand"]).fails();
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/hand"]);
    let mut liar = Liar::of(&bank);
    let [first, second] = [0, 1].map(|nth| liar.nth("push", nth));
    let entry = second as u64;
    let (old, new) = {
        let update = &liar.leaves[first]["updates"][0];
        (update["old"].clone(), update["new"].clone())
    };
    let main = liar.leaves[second]["updates"].as_array().unwrap().iter().position(|update| update["old"].is_string());
    let main = main.unwrap();
    for word in ["rewrite", "create", "delete"] {
        liar.caught(entry, "decision", "the move of refs/heads/main is not what it says it is", |all| {
            all[second]["updates"][main]["move"] = json!(word);
        });
    }
    liar.caught(entry, "decision", "refs/heads/main did not stand where it says it did", |all| {
        all[second]["updates"][main]["old"] = old.clone();
    });
    liar.caught(entry, "decision", "refs/heads/main did not stand where it says it did", |all| {
        remove(&mut all[second]["updates"][main], "old");
        all[second]["updates"][main]["move"] = json!("create");
    });
    // Its commit goes nowhere; its ref comes from nowhere; it moves twice.
    liar.caught(entry, "decision", "was recorded with it but enters no ref", |all| {
        all[second]["updates"][main]["new"] = new.clone();
    });
    liar.caught(entry, "decision", "", |all| {
        let twice = all[second]["updates"][main].clone();
        all[second]["updates"].as_array_mut().unwrap().push(twice);
    });
    // What was seen where no entry put it, stood elsewhere, or right.
    let observed = liar.nth("observed", 0);
    let words = "refs/heads/dev/hand was not where it says the ledger put it";
    liar.caught(observed as u64, "observed", words, |all| all[observed]["refs"][0]["expected"] = old.clone());
    liar.caught(observed as u64, "observed", words, |all| drop(remove(&mut all[observed]["refs"][0], "tip")));
    liar.caught(observed as u64, "observed", "refs/heads/main was not", |all| {
        all[observed]["refs"][0]["ref"] = json!("refs/heads/main");
    });
}

#[test]
fn contents_are_bound_by_the_manifest_that_was_signed() {
    let (bank, dir) = open(|policy| policy);
    let oid = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 3\n");
    bank.bob.commit(&dir, "models/w", &pointer);
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    let plain = bank.bob.import(&dir, Some("HEAD"), 1);
    by_login(&bank, &dir, &[&format!("{}:refs/heads/dev/plain", plain[0])]);
    let mut liar = Liar::of(&bank);
    let push = liar.nth("push", 0);
    let words = "denies what it accepts: manifest-mismatch";
    for (old, new) in [
        (format!("lfs-sha256:{oid} 3 "), format!("lfs-sha256:{} 3 ", "1".repeat(64))),
        (format!("lfs-sha256:{oid} 3 "), format!("lfs-sha256:{oid} 4 ")),
        (format!("lfs-sha256:{oid} 3 "), String::new()),
        ("000000 100644".to_owned(), "000000 100755".to_owned()),
        ("models/w".to_owned(), "models/v".to_owned()),
    ] {
        liar.caught(push as u64, "decision", words, |all| replace(&mut all[push - 1]["manifest"], &old, &new));
    }
    liar.caught(push as u64 - 1, "entry", "about other parents", |all| {
        replace(&mut all[push - 1]["manifest"], "parent ", "parent 1");
        let text = all[push - 1]["manifest"].as_str().unwrap().to_owned();
        let line = text.lines().nth(1).unwrap();
        all[push - 1]["manifest"] = json!(text.replace(line, &line[..line.len() - 1]));
    });
    // Where no rule asks for a manifest and the commit names none, it is the server's word.
    let plain = liar.nth("push", 1) - 1;
    let mut leaves = liar.leaves.clone();
    replace(&mut leaves[plain]["manifest"], "models/0", "models/1");
    assert_eq!(liar.sign(&leaves).0, 0);
}

/// A file that nobody signed, in a commit on top of `at`.
fn unsigned_commit(bank: &Bank, dir: &Path, file: &str) -> String {
    write(dir, file, file);
    bank.bob.git(dir, &["add", "."]).ok();
    let words = ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "upstream"];
    bank.bob.git(dir, &words).ok();
    bank.bob.git(dir, &["rev-parse", "HEAD"]).ok()
}
