//! A policy that only observes: everything is decided and recorded, and let through all the same.

use serde_json::Value;

use crate::bank::Bank;
use crate::world::{Person, write};

fn observing(bank: &Bank) -> String {
    bank.policy().replacen("name = \"models\"", "name = \"models\"\nmode = \"observe\"", 1)
}

fn open() -> Bank {
    let bank = Bank::closed();
    bank.seed();
    write(bank.world.root(), "observe.toml", &observing(&bank));
    let policy = bank.world.path("observe.toml");
    bank.carol
        .mledger(&bank.server, &["init", "--origin", crate::bank::ORIGIN, "--policy", policy.to_str().unwrap()])
        .ok();
    bank
}

#[test]
fn what_would_be_refused_is_recorded_and_let_through() {
    let bank = open();
    // Nobody to the policy, unsigned, onto main, with a file that is nobody's.
    let dir = bank.bare_clone_of(&bank.mallory, "mallory");
    let first = bank.mallory.commit(&dir, "README", "mine");
    let pushed = bank.mallory.push(&dir, &["HEAD:main"]);
    assert!(pushed.err.contains("let through, because the policy only observes"), "{pushed:#?}");
    assert!(pushed.err.contains("nobody can tell who is pushing"), "{pushed:#?}");
    pushed.ok();
    assert_eq!(bank.tip("refs/heads/main"), first);
    let push = bank.newest_push();
    assert_eq!(
        (&push["decision"], &push["reason"]["code"]),
        (&Value::from("tolerated"), &Value::from("pusher-unknown"))
    );
    let leaf = bank.leaf(push["index"].as_u64().unwrap() - 1);
    assert_eq!(leaf["kind"], "commit");
    assert!(leaf.get("actor").is_none() && leaf.get("vouched-by").is_none());
    // Rewrites, deletes, and what is signed by nobody enrolled on top.
    bank.mallory.commit(&dir, "models/x", "x");
    bank.mallory.push(&dir, &["HEAD:main", "HEAD:dev/x"]).ok();
    bank.mallory.push(&dir, &["--force", "HEAD~1:main", ":dev/x"]).ok();
    // Good pushes are accepted, and say so.
    let alice = bank.clone_of(&bank.alice);
    bank.alice.commit(&alice, "models/a", "a");
    let pushed = bank.alice.push(&alice, &["HEAD:dev/alice"]);
    assert!(!pushed.err.contains("observes"), "{pushed:#?}");
    pushed.ok();
    let report = bank.holds();
    assert_eq!(
        (&report["decisions"]["accepted"], &report["decisions"]["tolerated"]),
        (&Value::from(1), &Value::from(3))
    );
}

#[test]
fn whatever_is_wrong_with_the_pusher_is_told_and_verifies() {
    let bank = open();
    let dir = bank.bare_clone_of(&bank.mallory, "mallory");
    let zero = "0".repeat(40);
    let certificate = |person: &Person, name: &str, tip: &str| {
        let now = mledger::clock::Timestamp::now().millis() / 1000;
        let head = format!("certificate version 0.1\npusher x 1795436102 +0000\nnonce {now}-y\n");
        let text = format!("{head}\n{zero} {tip} {name}\n");
        let armour = person.sign("git", text.as_bytes());
        bank.carol.write_object(&bank.server, "blob", (text + &armour).as_bytes())
    };
    let push = |env: &str, spec: &str| {
        let receive = format!("--receive-pack=env {env} git-receive-pack");
        bank.mallory.git(&dir, &["push", "-q", &receive, "origin", spec]).ok();
        bank.holds();
        bank.newest_push()["reason"]["code"].clone()
    };
    for (n, (status, person, code)) in [
        ("BAD", &bank.alice, "pusher-refused"),
        ("OK", &bank.mallory, "key-unknown"),
        ("OK", &bank.alice, "commit-unsigned"),
    ]
    .into_iter()
    .enumerate()
    {
        let tip = bank.mallory.commit(&dir, "models/x", &n.to_string());
        let name = format!("refs/heads/dev/{n}");
        let blob = certificate(person, &name, &tip);
        let env = format!("GIT_PUSH_CERT={blob} GIT_PUSH_CERT_NONCE_STATUS={status}");
        assert_eq!(push(&env, &format!("{tip}:{name}")), code);
        assert_eq!(bank.tip(&name), tip);
    }
}

#[test]
fn what_no_entry_could_hold_is_refused_all_the_same() {
    let bank = open();
    let dir = bank.clone_of(&bank.bob);
    let head = bank.bob.git(&dir, &["rev-parse", "HEAD"]).ok();
    bank.refused("update-problem", "only commits and signed tags", || {
        bank.bob.push(&dir, &["HEAD^{tree}:refs/tags/tree"])
    });
    bank.refused("ref-forbidden", "only branches and tags", || bank.bob.push(&dir, &["HEAD:refs/notes/x"]));
    let tree = bank.bob.git(&dir, &["rev-parse", "HEAD^{tree}"]).ok();
    let who = "Bob <bob@bank.example> 1795436102 +0000";
    let odd = format!("tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\nencoding latin1\n\nx\n");
    let odd = bank.bob.write_object(&dir, "commit", odd.as_bytes());
    bank.refused("commit-signature-invalid", "does not count", || {
        bank.bob.push(&dir, &[&format!("{odd}:refs/heads/dev/odd")])
    });
}

#[test]
fn once_enforced_it_refuses() {
    let bank = open();
    let dir = bank.bare_clone_of(&bank.mallory, "mallory");
    bank.mallory.commit(&dir, "models/x", "x");
    bank.mallory.push(&dir, &["HEAD:dev/x"]).ok();
    let admin = bank.clone_of(&bank.carol);
    write(&admin, "new.toml", &bank.policy());
    bank.carol.mledger(&admin, &["policy", "apply", "new.toml"]).ok();
    bank.mallory.commit(&dir, "models/y", "y");
    bank.refused("pusher-unknown", "nobody can tell who is pushing", || bank.mallory.push(&dir, &["HEAD:dev/x"]));
    // What was observed only is known, but signed by nobody: it does not get further without an admin's word.
    bank.carol.git(&admin, &["fetch", "-q"]).ok();
    bank.carol.git(&admin, &["merge", "-q", "--no-edit", "origin/dev/x"]).ok();
    bank.refused("commit-unsigned", "a commit is not signed", || bank.carol.push(&admin, &["HEAD:main"]));
    bank.carol.mledger(&admin, &["import", "origin/main..origin/dev/x", "--reason", "observed in October"]).ok();
    bank.carol.push(&admin, &["HEAD:main"]).ok();
    bank.holds();
}
