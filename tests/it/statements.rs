//! What admins state: that they vouch for commits, and that refs stay where they stand.

use std::path::{Path, PathBuf};

use mledger::clock::Timestamp;
use mledger::entry::leaf::{ReconcileKind, Unexplained};
use mledger::entry::statement::{Envelope, NAMESPACE, ReconcileStatement, Statement};
use mledger::identity::sshsig;
use mledger::name::{ActorId, Oid, Origin, RefName};
use serde_json::Value;

use crate::bank::{Bank, ORIGIN};
use crate::world::{Person, write};

/// Bob's clone with a branch `vendor` of two commits that nobody signed.
fn with_vendored(bank: &Bank) -> (PathBuf, Vec<String>) {
    let dir = bank.clone_of(&bank.bob);
    bank.bob.git(&dir, &["checkout", "-q", "-b", "vendor"]).ok();
    let unsigned = ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "upstream"];
    let mut made = Vec::new();
    for file in ["models/toolkit/a", "models/toolkit/b"] {
        write(&dir, file, file);
        bank.bob.git(&dir, &["add", "."]).ok();
        bank.bob.git(&dir, &unsigned).ok();
        made.push(bank.bob.git(&dir, &["rev-parse", "HEAD"]).ok());
    }
    (dir, made)
}

/// An admin's clone that holds the branch, too.
fn admin_with(bank: &Bank, other: &Path) -> PathBuf {
    let dir = bank.clone_of(&bank.carol);
    bank.carol.git(&dir, &["fetch", "-q", other.to_str().unwrap(), "vendor:vendor"]).ok();
    dir
}

fn of_kind(bank: &Bank, kind: &str) -> Vec<Value> {
    bank.log().into_iter().filter(|row| row["kind"] == kind).collect()
}

fn import(person: &Person, dir: &Path, range: &str) -> crate::world::Run {
    person.mledger(dir, &["import", range, "--reason", "upstream 4.2, reviewed"])
}

#[test]
fn an_admin_vouches_for_commits_that_nobody_signed() {
    let bank = Bank::open();
    let (dir, made) = with_vendored(&bank);
    bank.refused("commit-unsigned", "a commit is not signed", || bank.bob.push(&dir, &["vendor:main"]));

    let admin = admin_with(&bank, &dir);
    let listed = bank.carol.mledger(&admin, &["import", "vendor", "--reason", "x", "--dry-run"]).ok();
    assert_eq!(listed.lines().take(2).collect::<Vec<_>>(), made);
    assert!(of_kind(&bank, "import").is_empty());
    assert!(import(&bank.carol, &admin, "vendor").ok().is_empty());
    let stated = of_kind(&bank, "import");
    assert_eq!((stated.len(), &stated[0]["actor"]), (1, &Value::from("carol@bank.example")));
    bank.holds();

    // Main demands manifests, of which upstream knew nothing.
    bank.bob.push(&dir, &["vendor:main"]).ok();
    let entry = stated[0]["index"].as_u64().unwrap();
    for oid in &made {
        let row = of_kind(&bank, "commit").into_iter().find(|row| row["commit"] == oid.as_str()).unwrap();
        let leaf = bank.leaf(row["index"].as_u64().unwrap());
        assert_eq!(leaf["vouched-by"]["entry"], entry);
        assert_eq!(leaf["vouched-by"]["actor"], "carol@bank.example");
        assert!(leaf.get("actor").is_none() && leaf.get("key").is_none(), "{leaf:#}");
    }
    let shown = bank.carol.mledger(&bank.server, &["show", &made[0]]).ok();
    assert!(shown.contains("by carol@bank.example, in entry"), "{shown}");
    // What comes on top is signed as ever, and a branch of it, too.
    bank.bob.commit(&dir, "models/a", "one");
    bank.bob.push(&dir, &["vendor:main", "vendor:dev/bob"]).ok();
    bank.holds();
}

#[test]
fn nobody_gets_more_by_a_voucher_than_the_admin_may_commit() {
    let bank = Bank::open_with("", &[]);
    let (dir, _) = with_vendored(&bank);
    let admin = admin_with(&bank, &dir);
    // No admin: refused with who is.
    let bob =
        bank.refused("update-problem", "is no admin of the policy in force", || import(&bank.bob, &dir, "vendor"));
    assert!(bob.contains("try: ask carol@bank.example"), "{bob}");

    // An admin who is an engineer only cannot bring in what engineers may not touch.
    write(&admin, "new.toml", &bank.policy().replacen("roles = [\"maintainer\"]", "roles = [\"engineer\"]", 1));
    bank.carol.mledger(&admin, &["policy", "apply", "new.toml"]).ok();
    bank.bob.git(&dir, &["checkout", "-q", "-b", "other", "origin/main"]).ok();
    write(&dir, "README", "taken over");
    let unsigned = ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "-qam", "upstream"];
    bank.bob.git(&dir, &unsigned).ok();
    bank.carol.git(&admin, &["fetch", "-q", dir.to_str().unwrap(), "other:other"]).ok();
    import(&bank.carol, &admin, "other").ok();
    bank.refused("commit-not-granted", "carol@bank.example may not commit here", || {
        bank.bob.push(&dir, &["other:main"])
    });
    // Of the others nobody has said anything.
    bank.refused("commit-unsigned", "a commit is not signed", || bank.bob.push(&dir, &["vendor:main"]));
    import(&bank.carol, &admin, "vendor").ok();
    bank.bob.push(&dir, &["vendor:main"]).ok();
    bank.holds();
}

#[test]
fn a_statement_is_taken_once() {
    let bank = Bank::open();
    let (dir, _) = with_vendored(&bank);
    let admin = admin_with(&bank, &dir);
    import(&bank.carol, &admin, "vendor").ok();
    let size = bank.size();
    // The very same envelope, by somebody who read it in the ledger.
    let leaf = bank.leaf(of_kind(&bank, "import")[0]["index"].as_u64().unwrap());
    let envelope = leaf["statement"].as_str().unwrap();
    let blob = bank.mallory.write_object(&dir, "blob", envelope.as_bytes());
    let name = mledger::digest::sha256(envelope.as_bytes()).hex();
    let again = bank.mallory.push(&dir, &["--no-verify", &format!("{blob}:refs/mledger/inbox/{name}")]);
    assert!(again.err.contains("already; nothing to do"), "{again:#?}");
    again.ok();
    assert_eq!(bank.size(), size);
    assert!(bank.refs().keys().all(|name| !name.contains("inbox")));
    bank.holds();
}

#[test]
fn refs_moved_behind_the_gate_are_reconciled() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "one");
    bank.bob.push(&dir, &["HEAD:main", "HEAD:dev/gone"]).ok();
    // Somebody with a shell on the server moves one, makes one and removes one.
    let (other, made) = with_unsigned_on_server(&bank);
    bank.on_server(&["update-ref", "refs/heads/main", &made]);
    bank.on_server(&["update-ref", "refs/heads/new", &made]);
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/gone"]);
    bank.found("ref", "moved behind the gate");
    bank.bob.git(&other, &["reset", "-q", "--hard", &made]).ok();
    bank.bob.commit(&other, "models/b", "two");
    let said = bank.bob.push(&other, &["HEAD:main"]).fails();
    assert!(said.contains("moved behind the gate") && said.contains("mledger reconcile"), "{said}");

    let admin = bank.clone_of(&bank.carol);
    let listed = bank.carol.mledger(&admin, &["reconcile"]);
    assert_eq!((listed.code, listed.out.lines().count()), (Some(4), 3), "{listed:#?}");
    bank.carol.mledger(&admin, &["reconcile", "--reason", "by hand, on Monday", "main"]).ok();
    bank.found("ref", "it was made behind the gate");
    bank.carol.mledger(&admin, &["reconcile", "--reason", "by hand, on Monday"]).ok();
    bank.holds();
    assert_eq!(
        bank.carol.mledger(&admin, &["reconcile"]).ok(),
        "every ref stands where the ledger put it; there is nothing to reconcile"
    );
    let entries = of_kind(&bank, "reconcile");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["refs"], serde_json::json!(["refs/heads/main"]));
    let row = of_kind(&bank, "commit").into_iter().find(|row| row["commit"] == made.as_str()).unwrap();
    assert_eq!(bank.leaf(row["index"].as_u64().unwrap())["vouched-by"]["entry"], entries[0]["index"]);
    // The branch is in use again.
    bank.bob.push(&other, &["HEAD:main"]).ok();
    bank.holds();
}

/// An unsigned commit on top of main that lies in the server's store, without a ref.
fn with_unsigned_on_server(bank: &Bank) -> (PathBuf, String) {
    let dir = bank.bare_clone_of(&bank.bob, "behind");
    let made = bank.bob.commit(&dir, "models/evil", "evil");
    bank.bob
        .git(
            &dir,
            &[
                "push",
                "-q",
                "--receive-pack=git -c core.hooksPath=/dev/null receive-pack",
                "origin",
                "HEAD:refs/heads/x",
            ],
        )
        .ok();
    bank.on_server(&["update-ref", "-d", "refs/heads/x"]);
    bank.bob.mledger(&dir, &["init"]).ok();
    (dir, made)
}

#[test]
fn only_what_stands_can_be_reconciled_and_only_by_an_admin() {
    let bank = Bank::open();
    let (dir, made) = with_unsigned_on_server(&bank);
    bank.on_server(&["update-ref", "refs/heads/main", &made]);
    let bob = bank.bob.mledger(&dir, &["reconcile", "--reason", "mine"]);
    assert_eq!(bob.code, Some(3), "{bob:#?}");
    assert!(bob.err.contains("try: ask carol@bank.example"), "{bob:#?}");
    bank.found("ref", "moved behind the gate");
    let admin = bank.clone_of(&bank.carol);
    for reason in ["", "two\nlines"] {
        bank.carol.mledger(&admin, &["reconcile", "--reason", reason]).fails();
    }
    assert!(bank.carol.mledger(&admin, &["reconcile", "--reason", "x", "dev"]).fails().contains("is no ref"));
    bank.carol.mledger(&admin, &["reconcile", "--reason", "accepted"]).ok();
    bank.holds();
}

/// A statement of Carol's about this ref, as anybody can send it.
fn reconcile_by_hand(bank: &Bank, dir: &Path, refname: &str, expected: &str, tip: &str) -> crate::world::Run {
    let oid = |text: &str| Oid::parse(text).ok();
    let statement = Statement::Reconcile(ReconcileStatement {
        actor: ActorId::parse("carol@bank.example").unwrap(),
        expires: Timestamp::parse("2099-01-01T00:00:00.000Z").unwrap(),
        kind: ReconcileKind::Is,
        mledger: 1,
        origin: Origin::parse(ORIGIN).unwrap(),
        reason: "by hand".to_owned(),
        refs: vec![Unexplained { expected: oid(expected), refname: RefName::parse(refname).unwrap(), tip: oid(tip) }],
    });
    let statement = statement.to_text().unwrap();
    let signature = sshsig::sign(&bank.carol.key(), NAMESPACE, statement.as_bytes());
    let bytes = Envelope { attachment: String::new(), mledger: 1, signature, statement }.to_bytes().unwrap();
    let blob = bank.mallory.write_object(dir, "blob", &bytes);
    let name = mledger::digest::sha256(&bytes).hex();
    bank.mallory.push(dir, &["--no-verify", &format!("{blob}:refs/mledger/inbox/{name}")])
}

#[test]
fn a_reconciliation_that_is_not_about_what_stands_is_refused() {
    let bank = Bank::open();
    let (dir, made) = with_unsigned_on_server(&bank);
    let main = bank.tip("refs/heads/main");
    let refused = |words: &str, refname: &str, expected: &str, tip: &str| {
        bank.refused("update-problem", words, || reconcile_by_hand(&bank, &dir, refname, expected, tip));
    };
    refused("there is nothing to reconcile", "refs/heads/main", &main, &main);
    refused("has moved since; look again with `mledger reconcile`", "refs/heads/main", &main, &made);
    refused("has moved since", "refs/heads/main", "", &main);
    refused("has moved since", "refs/heads/nowhere", "", &made);
    refused("is no ref that the ledger keeps", "refs/mledger/hidden", "", &made);
    // Moved by hand after all, it counts for where it stands and whence it came, and for nothing else.
    bank.on_server(&["update-ref", "refs/heads/main", &made]);
    for (expected, tip) in [("", made.as_str()), (made.as_str(), &made), (&main, ""), (&main, &main)] {
        let said = reconcile_by_hand(&bank, &dir, "refs/heads/main", expected, tip).fails();
        assert!(said.contains("has moved since"), "{said}");
        assert!(of_kind(&bank, "reconcile").is_empty());
        bank.found("ref", "moved behind the gate");
    }
    let tree = bank.on_server(&["rev-parse", &format!("{made}^{{tree}}")]);
    bank.on_server(&["update-ref", "refs/tags/tree", &tree]);
    let said = reconcile_by_hand(&bank, &dir, "refs/tags/tree", "", &tree).fails();
    assert!(said.contains("stands at a tree; put it back instead"), "{said}");
    bank.on_server(&["update-ref", "-d", "refs/tags/tree"]);
    reconcile_by_hand(&bank, &dir, "refs/heads/main", &main, &made).ok();
    bank.holds();
}
