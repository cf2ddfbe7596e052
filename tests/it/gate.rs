//! What the gate lets through and what not, on real pushes by real Git. Every attack ends in `Bank::refused`.

use std::path::Path;

use mledger::clock::Timestamp;
use serde_json::{Value, json};

use crate::bank::{Bank, ORIGIN};
use crate::world::{Person, Run, write, write_script};

/// Commits without any hook of ours.
const NO_HOOKS: [&str; 2] = ["-c", "core.hooksPath=/dev/null"];

/// `git push` whose receive-pack runs in an environment with these variables.
fn push_with_env(person: &Person, dir: &Path, env: &str, spec: &str) -> Run {
    let receive = format!("--receive-pack=env {env} git-receive-pack");
    person.git(dir, &["push", "--no-signed", &receive, "origin", spec])
}

#[test]
fn a_certificate_names_the_pusher_and_what_lands_is_settled() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let first = bank.alice.commit(&dir, "models/a", "one");
    let said = bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains(&format!("mledger: accepted, entry 2 of {ORIGIN}")), "{}", said.err);
    assert!(said.err.contains("mledger: receipt: size 3 root sha256:"), "{}", said.err);
    let second = bank.alice.commit(&dir, "models/a", "two");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    assert_eq!(bank.tip("refs/heads/dev/a"), second);
    let kinds: Vec<Value> = bank.log().iter().map(|row| row["kind"].clone()).collect();
    assert_eq!(kinds, ["genesis", "commit", "push", "landed", "commit", "push", "landed"]);
    let push = bank.leaf(5);
    let key = bank.leaf(4)["key"].clone();
    assert_eq!(push["pusher"], json!({ "how": "certificate", "key": key }));
    assert_eq!((&push["actor"], &push["decision"]), (&json!("alice@bank.example"), &json!("accepted")));
    let update = json!([{ "move": "update", "new": second, "old": first, "ref": "refs/heads/dev/a" }]);
    assert_eq!(push["updates"], update);
    assert_eq!(bank.leaf(6)["updates"], json!([{ "ref": "refs/heads/dev/a", "state": "landed" }]));
    let report = bank.holds();
    assert_eq!(report["decisions"], json!({ "accepted": 2, "denied": 0, "replayed": 2 }));
    // Two commits and two certificates.
    assert_eq!(report["signatures"], 4);
    assert_eq!(report["refs"], json!({ "covered": 2, "pending": 0 }));
}

#[test]
fn one_source_of_logins_counts_and_no_other() {
    let login = |source: &str, right: &str, others: &[&str]| {
        let bank = Bank::open_with("", &["--login", source]);
        let dir = bank.clone_of(&bank.alice);
        let tip = bank.alice.commit(&dir, "models/a", "one");
        for other in others {
            bank.refused("pusher-unknown", "nobody can tell who is pushing", || {
                push_with_env(&bank.mallory, &dir, other, "HEAD:refs/heads/dev/a")
            });
        }
        let unknown = right.replace("=alice", "=mallory");
        bank.refused("login-unknown", "no actor of the policy has this login", || {
            push_with_env(&bank.mallory, &dir, &unknown, "HEAD:refs/heads/dev/a")
        });
        push_with_env(&bank.alice, &dir, right, "HEAD:refs/heads/dev/a").ok();
        assert_eq!(bank.tip("refs/heads/dev/a"), tip);
        let push = bank.newest_push();
        assert_eq!((&push["decision"], &push["actor"]), (&json!("accepted"), &json!("alice@bank.example")));
        let pusher = bank.leaf(push["index"].as_u64().unwrap())["pusher"].clone();
        assert_eq!(pusher, json!({ "how": "login", "login": format!("{source}:alice") }));
        assert_eq!(bank.leaf(0)["login"], source);
        // Setting up again without naming the source leaves it as it is.
        bank.gate("", &[]).ok();
        bank.alice.commit(&dir, "models/a", "two");
        push_with_env(&bank.alice, &dir, right, "HEAD:refs/heads/dev/a").ok();
        bank.holds();
    };
    login(
        "env",
        "MLEDGER_LOGIN=alice",
        &["REMOTE_USER=alice", "MLEDGER_LOGIN=", "GL_USER=alice GITEA_PUSHER_NAME=alice"],
    );
    login("http", "REMOTE_USER=alice", &["MLEDGER_LOGIN=alice", "USER=alice LOGNAME=alice"]);
    // Without a source none of them makes anybody Alice.
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    for env in [
        "MLEDGER_LOGIN=alice",
        "REMOTE_USER=alice",
        "GITEA_PUSHER_NAME=alice",
        "GL_USERNAME=alice",
        "GITHUB_USER_LOGIN=alice",
    ] {
        bank.refused("pusher-unknown", "nobody can tell who is pushing", || {
            push_with_env(&bank.alice, &dir, env, "HEAD:refs/heads/dev/a")
        });
    }
    assert!(bank.leaf(0).get("login").is_none());
    // Nor does one that came later: the first entry says which source there is, if any.
    bank.on_server(&["config", "mledger.login", "env"]);
    bank.refused("pusher-unknown", "nobody can tell who is pushing", || {
        push_with_env(&bank.alice, &dir, "MLEDGER_LOGIN=alice", "HEAD:refs/heads/dev/a")
    });
}

#[test]
fn what_no_grant_covers_is_denied() {
    let bank = Bank::open();
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (hers, his) = (bank.clone_of(alice), bank.clone_of(bob));
    alice.commit(&hers, "models/a", "one");
    let rule = "deny by default: no grant of alice@bank.example (engineer) covers it";
    bank.refused("not-granted", rule, || alice.push(&hers, &["HEAD:refs/heads/main"]));
    bank.refused("not-granted", "may not create this ref", || alice.push(&hers, &["HEAD:refs/heads/release"]));
    bank.refused("not-granted", "may not create this ref", || alice.push(&hers, &["HEAD:refs/tags/v1"]));
    bank.refused("not-granted", "may not delete this ref", || alice.push(&hers, &[":refs/heads/main"]));
    bank.refused("not-granted", "may not create this ref", || bob.push(&his, &["HEAD:refs/tags/mine"]));
    alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
    alice.commit(&hers, "README", "hers now");
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", || {
        alice.push(&hers, &["HEAD:refs/heads/dev/a"])
    });
    assert!(said.contains("path    README"), "{said}");
    // Whoever pushes it: what counts is who signed it, on the ref that it enters.
    alice.git(&his, &["fetch", "-q", hers.to_str().unwrap(), "HEAD:stolen"]).ok();
    bank.refused("commit-not-granted", "alice@bank.example may not commit here", || {
        bob.push(&his, &["stolen:refs/heads/main"])
    });
    // Main: rewritten, deleted, and brought forward by one who may.
    bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    bob.git(&his, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    bob.commit(&his, "README", "otherwise");
    bank.refused("not-granted", "may not rewrite this ref", || bob.push(&his, &["-f", "HEAD:refs/heads/main"]));
    bank.refused("not-granted", "may not rewrite this ref", || bob.push(&his, &["-f", "HEAD~1:refs/heads/main"]));
    bank.refused("not-granted", "may not delete this ref", || bob.push(&his, &[":refs/heads/main"]));
}

#[test]
fn limits_and_rules_hold() {
    let limits = "[limits]\nfile-size = \"10kB\"\ncommits-per-push = 3\nchanges-per-commit = 4\nrefs-per-push = 2\n";
    let bank = Bank::open_with(limits, &[]);
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (hers, his) = (bank.clone_of(alice), bank.clone_of(bob));
    bank.refused("too-many-refs", "3 refs, at most 2", || {
        alice.push(&hers, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b", "HEAD:refs/heads/dev/c"])
    });
    alice.commit(&hers, "models/big", &"x".repeat(10_001));
    let said =
        bank.refused("file-too-large", "10001 bytes, at most 10000", || alice.push(&hers, &["HEAD:refs/heads/dev/a"]));
    assert!(said.contains("git lfs migrate"), "{said}");
    alice.git(&hers, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    (0..5).for_each(|n| write(&hers, &format!("models/{n}"), "x"));
    alice.git(&hers, &["add", "."]).ok();
    alice.git(&hers, &["commit", "-q", "-m", "Five"]).ok();
    bank.refused("too-many-changes", "", || alice.push(&hers, &["HEAD:refs/heads/dev/a"]));
    alice.git(&hers, &["reset", "-q", "--hard", "HEAD~1"]).ok();
    (0..4).for_each(|n| drop(alice.commit(&hers, "models/n", &n.to_string())));
    bank.refused("too-many-commits", "too many commits", || alice.push(&hers, &["HEAD:refs/heads/dev/a"]));
    alice.push(&hers, &["HEAD~1:refs/heads/dev/a"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
    // The rule on configs/prod asks for a ticket, of this very commit.
    bob.commit(&his, "configs/prod/x", "1");
    let said = bank.refused("trailer-missing", "a commit lacks trailers", || bob.push(&his, &["HEAD:refs/heads/main"]));
    assert!(said.contains("\"prod configs need a ticket\"") && said.contains("configs/prod/x"), "{said}");
    bob.git(&his, &["commit", "-q", "--amend", "-m", "Change\n\nTicket: M-1"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    bob.commit(&his, "configs/dev/x", "1");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    bank.holds();
}

#[test]
fn a_commit_counts_by_its_signature() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let push = |commit: &str| alice.push(&dir, &["-f", &format!("{commit}:refs/heads/dev/a")]);
    let refused = |code: &str, words: &str, commit: &str| bank.refused(code, words, || push(commit));

    let good = alice.commit(&dir, "models/a", "one");
    let raw = alice.git(&dir, &["cat-file", "commit", &good]).ok() + "\n";
    alice.git(&dir, &["commit", "-q", "--amend", "--no-edit", "--no-gpg-sign"]).ok();
    refused("commit-unsigned", "a commit is not signed", "HEAD");
    let key = bank.mallory.key_file();
    alice
        .git(&dir, &["-c", &format!("user.signingKey={}", key.display()), "commit", "-q", "--amend", "--no-edit"])
        .ok();
    refused("key-unknown", "no actor of the policy has this key", "HEAD");

    let (head, rest) = raw.split_once("gpgsig ").unwrap();
    let (_, message) = rest.split_once("\n\n").unwrap();
    let by = |person: &Person, namespace: &str| person.write_signed_commit(&dir, head, message, namespace);
    for namespace in ["file", "mledger", "git "] {
        refused("commit-signature-invalid", "it is made for namespace", &by(alice, namespace));
    }
    refused("key-unknown", "no actor of the policy has this key", &by(&bank.mallory, "git"));
    // One bit of the signed text, another tree, another message, a second signature, bytes nobody signed.
    let tree = alice.git(&dir, &["rev-parse", "HEAD~1^{tree}"]).ok();
    let old = raw.lines().next().unwrap();
    let armour_end = " -----END SSH SIGNATURE-----\n";
    let invalid = "commit-signature-invalid";
    for (code, bad, words) in [
        (invalid, raw.replace("Change models/a", "Change models/b"), "it does not fit the signed bytes"),
        ("manifest-mismatch", raw.replace(old, &format!("tree {tree}")), "it does not fit the signed bytes"),
        (
            invalid,
            raw.replace(armour_end, &format!("{armour_end}gpgsig {}", rest.split_once("\n\n").unwrap().0)),
            "gpgsig",
        ),
        (invalid, raw.replace(armour_end, &format!("{armour_end}gpgsig-sha256 rubbish\n")), "gpgsig-sha256"),
        (invalid, raw.replace(armour_end, &format!("{armour_end}note unsigned\n")), "it does not fit the signed bytes"),
        (invalid, raw.replace("\n\nChange", "\nencoding latin1\n\nChange"), "only UTF-8"),
        (
            invalid,
            raw.replace("gpgsig -----BEGIN SSH SIGNATURE-----\n", "gpgsig -----BEGIN SSH SIGNATURE-----\n \n"),
            "its armour is not written",
        ),
        (
            invalid,
            raw.replace(&format!("gpgsig {}", rest.split_once("\n\n").unwrap().0), "gpgsig rubbish"),
            "not an SSH signature",
        ),
    ] {
        assert_ne!(bad, raw);
        refused(code, words, &alice.write_object(&dir, "commit", bad.as_bytes()));
    }
    push(&good).ok();
    assert_eq!(bank.tip("refs/heads/dev/a"), good);
    bank.holds();
}

#[test]
fn a_manifest_binds_the_content() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let push = || bob.push(&dir, &["HEAD:refs/heads/main"]);
    // Swapped after, and signed again: the trailer still names the old content.
    bob.commit(&dir, "models/a", "good");
    write(&dir, "models/a", "evil");
    bob.git(&dir, &["add", "."]).ok();
    bob.git(&dir, &[&NO_HOOKS[..], &["commit", "-q", "--amend", "--no-edit"]].concat()).ok();
    bank.refused("manifest-mismatch", "names other contents than it has", push);
    // The same on a ref where no rule asks for a manifest: a wrong one always denies.
    bank.refused("manifest-mismatch", "names other contents", || bob.push(&dir, &["HEAD:refs/heads/dev/b"]));
    // Stale: the trailer of another commit.
    let stale = bob.git(&dir, &["log", "-1", "--format=%B"]).ok();
    bob.git(&dir, &["reset", "-q", "--hard", "origin/main"]).ok();
    write(&dir, "models/b", "b");
    bob.git(&dir, &["add", "."]).ok();
    bob.git(&dir, &[&NO_HOOKS[..], &["commit", "-q", "-m", &stale]].concat()).ok();
    bank.refused("manifest-mismatch", "names other contents", push);
    // Twice, malformed, missing where a rule asks for it.
    let trailer = format!("Mledger-Manifest: sha256:{}", "0".repeat(64));
    for (message, code, words) in [
        (format!("x\n\n{trailer}\n{trailer}"), "commit-signature-invalid", "twice"),
        ("x\n\nMledger-Manifest: rubbish".to_owned(), "commit-signature-invalid", "malformed"),
        ("x".to_owned(), "manifest-missing", "has no Mledger-Manifest trailer"),
    ] {
        bob.git(&dir, &[&NO_HOOKS[..], &["commit", "-q", "--amend", "-m", &message]].concat()).ok();
        bank.refused(code, words, push);
    }
    bob.push(&dir, &["HEAD:refs/heads/dev/b"]).ok();
    // Known from there, it still may not enter main.
    bank.refused("manifest-missing", "main is bound by manifests", push);
    bob.git(&dir, &["commit", "-q", "--amend", "--no-edit"]).ok();
    push().ok();
    bank.holds();
}

#[test]
fn a_commit_that_saw_another_ledger_is_refused() {
    let log_rule = "[[rules]]\nname = \"logged\"\nrefs = [\"refs/heads/main\"]\nlog = true\n";
    let bank = Bank::open_with(log_rule, &[]);
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    let size = bank.size();
    write(&dir, "models/a", "two");
    bob.git(&dir, &["add", "."]).ok();
    bob.git(&dir, &["commit", "-q", "-m", "x"]).ok();
    let message = bob.git(&dir, &["log", "-1", "--format=%B"]).ok();
    let line = message.lines().find(|line| line.starts_with("Mledger-Log: ")).unwrap().to_owned();
    let with = |line_now: &str| {
        let text = message.replace(&line, line_now);
        bob.git(&dir, &[&NO_HOOKS[..], &["commit", "-q", "--amend", "-m", &text]].concat()).ok();
        bob.push(&dir, &["HEAD:refs/heads/main"])
    };
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words.len(), words[1]), (4, ORIGIN), "{line}");
    let other =
        words[3].get(..words[3].len() - 1).unwrap().to_owned() + if words[3].ends_with('0') { "1" } else { "0" };
    for fork in [
        format!("Mledger-Log: {ORIGIN} {} {other}", words[2]),
        format!("Mledger-Log: {ORIGIN} {} {}", size + 1000, words[3]),
        format!("Mledger-Log: {ORIGIN} {} {}", words[2].parse::<u64>().unwrap() + 1, words[3]),
    ] {
        bank.refused("log-fork", "saw another ledger under this name", || with(&fork));
    }
    bank.refused("log-missing", "no Mledger-Log trailer", || {
        with(&format!("{} elsewhere.example/x {} {}", words[0], words[2], words[3]))
    });
    bank.refused("log-missing", "no Mledger-Log trailer", || with(""));
    with(&line).ok();
    bank.holds();
}

#[test]
fn a_certificate_counts_once_for_what_it_names_by_an_actor() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let zero = "0".repeat(40);
    let first = alice.commit(&dir, "models/a", "one");
    let second = alice.commit(&dir, "models/a", "two");
    let nonce = format!("{}-y", Timestamp::now().millis() / 1000);
    let text = |old: &str, new: &str, name: &str| {
        let head = format!("certificate version 0.1\npusher alice 1795436102 +0000\npushee x\nnonce {nonce}\n");
        format!("{head}\n{old} {new} {name}\n")
    };
    // Whoever sets the environment of receive-pack can give any certificate to the hook.
    let push = |certificate: &str, status: &str, spec: &str| {
        let blob = alice.write_object(&bank.server, "blob", certificate.as_bytes());
        push_with_env(alice, &dir, &format!("GIT_PUSH_CERT={blob} GIT_PUSH_CERT_NONCE_STATUS={status}"), spec)
    };
    let make =
        |person: &Person, namespace: &str, text: &str| text.to_owned() + &person.sign(namespace, text.as_bytes());
    let spec = format!("{first}:refs/heads/dev/a");
    let named = text(&zero, &first, "refs/heads/dev/a");
    let good = make(alice, "git", &named);
    for (certificate, status, code, words) in [
        (make(&bank.mallory, "git", &named), "OK", "key-unknown", "no actor of the policy has this key"),
        (make(alice, "file", &named), "OK", "pusher-refused", "it is made for namespace"),
        (good.replace("pushee x", "pushee z"), "OK", "pusher-refused", "it does not fit the signed bytes"),
        (
            make(alice, "git", &text(&zero, &second, "refs/heads/dev/a")),
            "OK",
            "pusher-refused",
            "names other refs or commits",
        ),
        (
            make(alice, "git", &text(&zero, &first, "refs/heads/main")),
            "OK",
            "pusher-refused",
            "names other refs or commits",
        ),
        (
            make(alice, "git", &text(&second, &first, "refs/heads/dev/a")),
            "OK",
            "pusher-refused",
            "names other refs or commits",
        ),
        (format!("{named}{}", "x".repeat(10)), "OK", "pusher-refused", "malformed"),
        (good.clone(), "BAD", "pusher-refused", "nonce is not the one"),
        (good.clone(), "SLOP", "pusher-refused", "nonce is not the one"),
        (good.clone(), "MISSING", "pusher-refused", "nonce is not the one"),
        // Made for another server long ago, or for none.
        (make(alice, "git", &named.replace(&nonce, "1700000000-y")), "OK", "pusher-refused", "the last 24 hours"),
        (make(alice, "git", &named.replace(&nonce, "y")), "OK", "pusher-refused", "the last 24 hours"),
    ] {
        bank.refused(code, words, || push(&certificate, status, &spec));
    }
    bank.refused("pusher-refused", "cannot be read", || {
        push_with_env(alice, &dir, &format!("GIT_PUSH_CERT={} GIT_PUSH_CERT_NONCE_STATUS=OK", "1".repeat(40)), &spec)
    });
    // A push that is accepted and does not land uses its certificate up; within a second Git makes the same again.
    write_script(&bank.server.join("hooks"), "update", "#!/bin/sh\nexit 1\n");
    push(&good, "OK", &spec).fails();
    let said = bank.refused("pusher-refused", "this push certificate was used before", || push(&good, "OK", &spec));
    assert!(said.contains("accepted and did not land, push again a second later"), "{said}");
    std::fs::remove_file(bank.server.join("hooks/update")).unwrap();
    let good = make(alice, "git", &named.replace("1795436102", "1795436103"));
    push(&good, "OK", &spec).ok();
    alice.push(&dir, &[":refs/heads/dev/a"]).ok();
    bank.refused("pusher-refused", "this push certificate was used before", || push(&good, "OK", &spec));
}

#[test]
fn a_push_without_certificate_is_nobodys() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let said = bank.refused("pusher-unknown", "nobody can tell who is pushing", || {
        bank.alice.push(&dir, &["--no-signed", "HEAD:refs/heads/dev/a"])
    });
    assert!(said.contains("mledger init     (in your clone"), "{said}");
    let theirs = bank.clone_of(&bank.mallory);
    bank.mallory.commit(&theirs, "models/a", "two");
    let said = bank.refused("key-unknown", "no actor of the policy has this key", || {
        bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"])
    });
    assert!(said.contains("mledger policy apply"), "{said}");
    // Alice's work, pushed by Mallory; and hers, pushed by Alice.
    bank.mallory.git(&theirs, &["fetch", "-q", dir.to_str().unwrap(), "HEAD:alice"]).ok();
    bank.refused("key-unknown", "no actor", || bank.mallory.push(&theirs, &["alice:refs/heads/dev/m"]));
    bank.alice.git(&dir, &["fetch", "-q", theirs.to_str().unwrap(), "HEAD:mallory"]).ok();
    bank.refused("key-unknown", "no actor", || bank.alice.push(&dir, &["mallory:refs/heads/dev/m"]));
}

#[test]
fn only_commits_become_tips() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&dir, "models/a", "one");
    bob.git(&dir, &["tag", "--no-sign", "v2", "HEAD:models/a"]).ok();
    bob.git(&dir, &["tag", "--no-sign", "v3", "HEAD:models"]).ok();
    bob.git(&dir, &["tag", "--no-sign", "v4", "HEAD"]).ok();
    for (tag, kind) in [("v2", "blob"), ("v3", "tree")] {
        bank.refused("update-problem", &format!("it would point to a {kind}"), || bob.push(&dir, &[tag]));
    }
    bob.push(&dir, &["v4"]).ok();
    // A branch that points to a blob is not even offered by Git; by hand it is.
    let blob = bob.git(&dir, &["rev-parse", "HEAD:models/a"]).ok();
    bank.refused("update-problem", "it would point to a blob", || bob.push(&dir, &[&format!("{blob}:refs/tags/v5")]));
    bank.holds();
}

#[test]
fn a_symbolic_ref_is_not_pushed_through() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bank.on_server(&["symbolic-ref", "refs/heads/dev/alias", "refs/heads/main"]);
    bank.found("ref", "symbolic ref");
    bob.commit(&dir, "models/a", "one");
    let before = bank.refs();
    let said = bob.push(&dir, &["HEAD:refs/heads/dev/alias"]).fails();
    assert!(said.contains("it is a symbolic ref"), "{said}");
    assert_eq!((bank.refs(), &bank.newest_push()["reason"]["code"]), (before, &json!("update-problem")));
    bank.on_server(&["symbolic-ref", "-d", "refs/heads/dev/alias"]);
    bank.holds();
}

#[test]
fn other_namespaces_are_closed() {
    let bank = Bank::open();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let tip = bob.commit(&dir, "models/a", "one");
    let size = bank.size();
    bank.refused("ref-forbidden", "hidden ref", || bob.push(&dir, &["-f", "HEAD:refs/mledger/log"]));
    bank.refused("pusher-refused", "hidden ref", || bob.push(&dir, &[":refs/mledger/log"]));
    assert_eq!(bank.size(), size + 2);
    for name in [
        format!("refs/replace/{tip}"),
        "refs/for/main".to_owned(),
        "refs/notes/commits".to_owned(),
        "refs/mledger/logs".to_owned(),
        "refs/MLedger/log".to_owned(),
        "refs/stash".to_owned(),
        "refs/headsup/main".to_owned(),
        "refs/remotes/origin/main".to_owned(),
    ] {
        bank.refused("ref-forbidden", "only branches and tags may be pushed", || {
            bob.push(&dir, &[&format!("HEAD:{name}")])
        });
    }
    let long = format!("refs/heads/{}", "a/".repeat(125) + "aaa");
    bank.refused("pusher-refused", "longer than 255 bytes", || bob.push(&dir, &[&format!("HEAD:{long}")]));
}

#[test]
fn refs_of_one_push_move_together_or_not_at_all() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    bank.refused("not-granted", "refs/heads/main", || {
        alice.push(&dir, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/main", "HEAD:refs/heads/dev/b"])
    });
    bank.refused("ref-forbidden", "refs/for/main", || {
        alice.push(&dir, &["HEAD:refs/heads/dev/a", "HEAD:refs/for/main"])
    });
    alice.push(&dir, &["HEAD:refs/heads/dev/a", "HEAD~1:refs/heads/dev/b", "HEAD:refs/heads/dev/c"]).ok();
    assert_eq!(bank.refs().len(), 4);
    let push = bank.newest_push();
    assert_eq!(push["refs"].as_array().unwrap().len(), 3);
    alice.push(&dir, &[":refs/heads/dev/a", "+HEAD~1:refs/heads/dev/c", "HEAD:refs/heads/dev/b"]).ok();
    assert_eq!(bank.holds()["refs"], json!({ "covered": 3, "pending": 0 }));
}

#[test]
fn a_denial_says_enough_to_be_decided_again_and_stays_small() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    (0..400).for_each(|n| write(&dir, &format!("secret/{n}/{}", "long".repeat(20)), "x"));
    alice.commit(&dir, "models/a", "one");
    alice.git(&dir, &["add", "."]).ok();
    alice.git(&dir, &["commit", "-q", "--amend", "--no-edit"]).ok();
    (0..30).for_each(|n| drop(alice.git(&dir, &["branch", &format!("b{n}")]).ok()));
    let size = bank.size();
    let said =
        bank.refused("commit-not-granted", "and 399 more", || alice.push(&dir, &["refs/heads/b*:refs/heads/dev/b*"]));
    assert!(said.len() < 24 * 1024, "{} bytes", said.len());
    assert_eq!(bank.size(), size + 1);
    let leaf = bank.leaf(size);
    assert_eq!((leaf["decision"].as_str(), leaf["reasons"].as_array().unwrap().len()), (Some("denied"), 1));
    assert_eq!((leaf["updates"].as_array().unwrap().len(), leaf["commits"]["count"].as_u64()), (4, Some(0)));
    assert!(leaf.to_string().len() <= 2048, "{} bytes: {leaf:#}", leaf.to_string().len());
}

#[test]
fn objects_of_a_denied_push_stay_unknown() {
    let bank = Bank::open();
    let (alice, hers) = (&bank.alice, bank.clone_of(&bank.alice));
    let theirs = bank.clone_of(&bank.mallory);
    let smuggled = bank.mallory.commit(&theirs, "models/evil", "evil");
    bank.refused("key-unknown", "no actor", || bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"]));
    let gone = alice.git(&bank.server, &["cat-file", "-e", &smuggled]);
    gone.fails();
    // Even where they are in the main store, by whatever way, being there is not being known.
    bank.on_server(&["fetch", "-q", theirs.to_str().unwrap(), "HEAD"]);
    bank.on_server(&["cat-file", "-e", &smuggled]);
    alice.git(&hers, &["fetch", "-q", theirs.to_str().unwrap(), "HEAD:evil"]).ok();
    bank.refused("key-unknown", "no actor", || alice.push(&hers, &["evil:refs/heads/dev/a"]));
    alice.git(&hers, &["checkout", "-q", "evil"]).ok();
    alice.commit(&hers, "models/a", "on top");
    let said = bank.refused("key-unknown", "no actor", || alice.push(&hers, &["HEAD:refs/heads/dev/a"]));
    assert!(said.contains(&smuggled), "{said}");
    alice.git(&hers, &["checkout", "-q", "main"]).ok();
    alice.git(&hers, &["merge", "-q", "-s", "ours", "-m", "Merge", "evil"]).ok();
    bank.refused("key-unknown", "no actor", || alice.push(&hers, &["HEAD:refs/heads/dev/a"]));
}

#[test]
fn a_merge_is_judged_by_what_it_changes_itself() {
    let bank = Bank::open();
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (hers, his) = (bank.clone_of(alice), bank.clone_of(bob));
    alice.commit(&hers, "models/a", "hers");
    alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
    bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.git(&hers, &["fetch", "-q"]).ok();
    let start = alice.git(&hers, &["rev-parse", "HEAD"]).ok();
    let push = || alice.push(&hers, &["HEAD:refs/heads/dev/a"]);
    let reset = || alice.git(&hers, &["reset", "-q", "--hard", &start]).ok();
    // Ours: undoes what Bob did to a file that she may not touch.
    alice.git(&hers, &["merge", "-q", "-s", "ours", "-m", "Merge", "origin/main"]).ok();
    let said = bank.refused("commit-not-granted", "alice@bank.example may not commit here", push);
    assert!(said.contains("path    README"), "{said}");
    // Evil: says merge and does more.
    reset();
    alice.git(&hers, &["merge", "-q", "--no-commit", "origin/main"]).ok();
    write(&hers, "README", "hers, in a merge");
    alice.git(&hers, &["add", "."]).ok();
    alice.git(&hers, &["commit", "-q", "-m", "Merge"]).ok();
    bank.refused("commit-not-granted", "alice@bank.example may not commit here", push);
    // Clean: takes what Bob did as he did it.
    reset();
    alice.git(&hers, &["merge", "-q", "-m", "Merge", "origin/main"]).ok();
    push().ok();
    let merge = bank.log().into_iter().rev().find(|row| row["kind"] == "commit").unwrap();
    assert_eq!(merge["paths"], json!([]));
    // Bob brings it to main, as a merge of his own, and as a fast-forward of hers.
    bob.git(&his, &["fetch", "-q"]).ok();
    bob.git(&his, &["merge", "-q", "--no-ff", "-m", "Merge", "origin/dev/a"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    let report = bank.holds();
    assert_eq!(report["refs"], json!({ "covered": 2, "pending": 0 }));
    // A fast-forward merge with ours that throws away all of main is an update that touches all it undoes.
    bob.git(&his, &["checkout", "-q", "--orphan", "fresh"]).ok();
    bob.git(&his, &["rm", "-rfq", "."]).ok();
    bob.commit(&his, "models/z", "z");
    bob.git(&his, &["merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "Replace", "origin/main"]).ok();
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    let push = bank.newest_push();
    assert_eq!(push["decision"], "accepted");
    bank.holds();
}

#[test]
fn what_leaves_a_ref_is_touched_too() {
    let scoped = r#"
[roles.curator]
allow = [
  { actions = ["update", "rewrite", "delete"], refs = ["refs/heads/shared/**"], paths = ["models/**"] },
  { actions = ["create"], refs = ["refs/heads/shared/**"] },
]
"#;
    let bank = Bank::closed();
    bank.seed();
    let policy = bank.policy().replace("roles = [\"engineer\"]", "roles = [\"engineer\", \"curator\"]") + scoped;
    let policy = policy.replace(
        "refs = [\"refs/heads/main\", \"refs/tags/v*\"]",
        "refs = [\"refs/heads/main\", \"refs/heads/shared/**\"]",
    );
    write(bank.world.root(), "scoped.toml", &policy);
    let file = bank.world.path("scoped.toml");
    bank.carol.mledger(&bank.server, &["init", "--origin", ORIGIN, "--policy", file.to_str().unwrap()]).ok();
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (hers, his) = (bank.clone_of(alice), bank.clone_of(bob));
    alice.commit(&hers, "models/a", "one");
    alice.push(&hers, &["HEAD:refs/heads/shared/a"]).ok();
    // Her own models may go and come.
    alice.push(&hers, &["-f", "HEAD~1:refs/heads/shared/a"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/shared/a"]).ok();
    // Bob adds what only he may change. Now neither a rewrite nor a delete of hers may undo it.
    bob.git(&his, &["fetch", "-q"]).ok();
    bob.git(&his, &["reset", "-q", "--hard", "origin/shared/a"]).ok();
    bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/shared/a"]).ok();
    alice.git(&hers, &["fetch", "-q"]).ok();
    for spec in ["+HEAD:refs/heads/shared/a", "+HEAD~1:refs/heads/shared/a", ":refs/heads/shared/a"] {
        let said = bank.refused("not-granted", "README", || alice.push(&hers, &[spec]));
        assert!(said.contains("refs/heads/shared/a"), "{said}");
    }
    // Where another ref still holds it, a delete undoes nothing but the tip's own tree.
    bob.push(&his, &["HEAD:refs/heads/dev/kept"]).ok();
    bank.refused("not-granted", "README", || alice.push(&hers, &[":refs/heads/shared/a"]));
    alice.commit(&hers, "models/b", "one");
    alice.push(&hers, &["HEAD:refs/heads/dev/mine"]).ok();
    alice.push(&hers, &["-f", "HEAD~1:refs/heads/dev/mine"]).ok();
    assert_eq!(bank.leaf(bank.newest_push()["index"].as_u64().unwrap())["updates"][0]["move"], "rewrite");
    alice.push(&hers, &[":refs/heads/dev/mine"]).ok();
    assert_eq!(bank.tip("refs/heads/dev/mine"), "");
    bank.holds();
}

#[test]
fn a_hook_from_before_the_gate_decides_first() {
    let bank = Bank::closed();
    bank.seed();
    let hooks = bank.server.join("hooks");
    write_script(
        &hooks,
        "pre-receive",
        "#!/bin/sh\ncat > seen\n[ ! -e refuse ] || { echo 'not on a Friday' >&2; exit 1; }\n",
    );
    bank.gate("", &[]).ok();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let tip = alice.commit(&dir, "models/a", "one");
    write(&bank.server, "refuse", "");
    bank.stopped("not on a Friday", || alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
    std::fs::remove_file(bank.server.join("refuse")).unwrap();
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let seen = std::fs::read_to_string(bank.server.join("seen")).unwrap();
    assert_eq!(seen, format!("{} {tip} refs/heads/dev/a\n", "0".repeat(40)));
    bank.holds();
}

#[test]
fn an_authorisation_that_did_not_land_is_void_for_ever() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let hooks = bank.server.join("hooks");
    write_script(&hooks, "update", "#!/bin/sh\necho \"update refuses $1\" >&2\n[ \"$1\" != refs/heads/dev/a ]\n");
    let tip = alice.commit(&dir, "models/a", "one");
    let said = alice.push(&dir, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b"]).fails();
    assert!(said.contains("accepted, entry") && said.contains("update refuses"), "{said}");
    assert_eq!((bank.tip("refs/heads/dev/a"), bank.tip("refs/heads/dev/b")), (String::new(), tip.clone()));
    let push = bank.newest_push()["index"].clone();
    // What landed with it settles it.
    assert_eq!(bank.holds()["refs"]["covered"], 2);
    alice.push(&dir, &["HEAD:refs/heads/dev/c"]).ok();
    let settled: Vec<Value> = bank
        .log()
        .iter()
        .filter(|row| row["kind"] == "landed")
        .map(|row| bank.leaf(row["index"].as_u64().unwrap()))
        .collect();
    let states: Vec<&Value> = settled
        .iter()
        .filter(|leaf| leaf["push"] == push)
        .flat_map(|leaf| leaf["updates"].as_array().unwrap())
        .collect();
    let state = |name: &str, state: &str| json!({ "ref": name, "state": state });
    assert_eq!(states, [&state("refs/heads/dev/b", "landed"), &state("refs/heads/dev/a", "void")]);
    bank.holds();
    // Moved there by hand, the ref stands where no entry put it.
    bank.on_server(&["update-ref", "refs/heads/dev/a", &tip]);
    bank.found("ref", "it was made behind the gate");
    std::fs::remove_file(hooks.join("update")).unwrap();
    alice.commit(&dir, "models/a", "two");
    let said = alice.push(&dir, &["HEAD:refs/heads/dev/a"]).fails();
    assert!(said.contains("it was moved behind the gate"), "{said}");
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/a"]);
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
}
