//! `mledger check`: the gate's answer before the push, from the same facts by the same function.

use serde_json::Value;

use crate::bank::Bank;
use crate::world::{Person, write};

fn check(person: &Person, dir: &std::path::Path, words: &[&str]) -> (i32, Value) {
    let run = person.mledger(dir, &[&["--json", "check"], words].concat());
    let value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no answer: {run:#?}"));
    crate::formats::fits(&crate::formats::schema("check"), &value);
    (run.code.unwrap(), value)
}

#[test]
fn it_says_what_the_gate_says() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let said = |code: i32, words: &[&str]| {
        let (exit, answer) = check(&bank.alice, &dir, words);
        assert_eq!(exit, code, "{answer:#}");
        answer
    };
    // What the gate then decides has the same reasons.
    let agrees = |answer: &Value, refs: &str| {
        let pushed = bank.alice.push(&dir, &["--force", refs]);
        assert_eq!(pushed.code == Some(0), answer["accepted"] == true, "{pushed:#?}");
        let push = bank.leaf(bank.newest_push()["index"].as_u64().unwrap());
        if answer["accepted"] == true {
            assert_eq!(push["reasons"], answer["reasons"]);
        } else {
            let reasons = answer["reasons"].as_array().unwrap();
            assert!(reasons.contains(&push["reasons"][0]), "{push:#} {answer:#}");
        }
    };
    bank.alice.commit(&dir, "models/a", "one");
    let answer = said(0, &["--ref", "dev/a"]);
    assert_eq!(
        (&answer["commits"], &answer["move"], &answer["pusher"]),
        (&1.into(), &"create".into(), &"alice@bank.example".into())
    );
    agrees(&answer, "HEAD:dev/a");
    let answer = said(3, &["--ref", "main"]);
    assert_eq!(answer["reasons"][0]["code"], "not-granted");
    agrees(&answer, "HEAD:main");
    // Bob may; nobody in particular is not judged.
    said(0, &["--ref", "main", "--actor", "bob@bank.example"]);
    bank.alice.git(&dir, &["commit", "-q", "--amend", "-m", "again"]).ok();
    let answer = said(0, &["HEAD", "--ref", "refs/heads/dev/a"]);
    assert_eq!(answer["move"], "rewrite");
    agrees(&answer, "HEAD:dev/a");
    write(&dir, "README", "mine");
    bank.alice.git(&dir, &["commit", "-q", "-am", "not mine to change"]).ok();
    let answer = said(3, &["--ref", "dev/a"]);
    agrees(&answer, "HEAD:dev/a");
    bank.alice.git(&dir, &["-c", "commit.gpgSign=false", "commit", "-q", "--amend", "--no-edit", "--no-gpg-sign"]).ok();
    let answer = said(3, &["--ref", "dev/a"]);
    assert!(
        answer["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == "commit-unsigned"),
        "{answer:#}"
    );
    let shown = bank.alice.mledger(&dir, &["check", "--ref", "dev/a"]);
    assert!(
        shown.out.contains("the gate would refuse: update refs/heads/dev/a") && shown.out.contains("try "),
        "{shown:#?}"
    );
    bank.holds();
    // Nothing of it stays behind.
    bank.alice.mledger(&dir, &["init", "--undo"]).ok();
    let left = bank.alice.git(&dir, &["ls-files", "--others", "."]).ok();
    assert!(!dir.join(".git/mledger/log.git").exists() && left.is_empty(), "{left}");
}

#[test]
fn in_ci_a_policy_file_is_enough() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "one");
    bank.bob.commit_as(&dir, "configs/prod/a", "one", &["-m", "No ticket"]);
    // A runner has neither key nor ledger: a fresh clone of somebody's.
    let runner = bank.world.person_without_key("runner");
    runner.git(bank.world.root(), &["clone", "-q", dir.to_str().unwrap(), "ci"]).ok();
    let ci = bank.world.path("ci");
    let policy = bank.world.path("policy.toml");
    let file = ["--ref", "main", "--policy", policy.to_str().unwrap()];
    let (exit, answer) = check(&runner, &ci, &[&["HEAD~2..HEAD~1"], &file[..]].concat());
    assert_eq!((exit, &answer["commits"], &answer["pusher"]), (0, &1.into(), &Value::Null), "{answer:#}");
    let (exit, answer) = check(&runner, &ci, &[&["HEAD~2..HEAD"], &file[..]].concat());
    assert_eq!((exit, &answer["reasons"][0]["code"]), (3, &"trailer-missing".into()), "{answer:#}");
    // Nothing was left in the clone, and what was there before is not judged.
    assert!(!ci.join(".git/mledger").exists());
    let (exit, answer) = check(&runner, &ci, &[&["HEAD..HEAD"], &file[..]].concat());
    assert_eq!((exit, &answer["commits"]), (0, &0.into()), "{answer:#}");
    for (words, said) in [
        (&["HEAD", "--policy", policy.to_str().unwrap()][..], "what is new must be said"),
        (&["no-such..HEAD", "--policy", policy.to_str().unwrap()], "`no-such` is no commit here"),
        (&["HEAD~1..HEAD", "--policy", "/no/such"], "/no/such"),
        (&["--ref", "main"], "mledger init"),
    ] {
        let err = runner.mledger(&ci, &[&["check"], words].concat()).fails();
        assert!(err.contains(said), "not `{said}` but {err}");
    }
}
