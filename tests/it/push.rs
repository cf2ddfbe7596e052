//! The engineer's push: what the gate will say is said before, shortly, and never in the way.

mod receipts;

use std::path::Path;

use crate::bank::Bank;
use crate::world::{Person, Run, write};

const HEAD: &str = "mledger: the gate will refuse this push (Ctrl-C stops it):\n";

/// What was said before the server said anything.
fn before(run: &Run) -> String {
    let begins = ["remote:", "To /"].into_iter().filter_map(|mark| run.err.find(mark)).min();
    run.err[..begins.unwrap_or(run.err.len())].to_owned()
}

fn push(person: &Person, dir: &Path, words: &[&str]) -> Run {
    person.push(dir, words)
}

#[test]
fn the_answer_is_foretold_with_reason_rule_and_path() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let tip = bank.alice.commit(&dir, "models/a", "one");
    // Accepted: not a word of ours before the server's.
    let run = push(&bank.alice, &dir, &["HEAD:dev/a"]);
    assert_eq!(before(&run), "", "{run:#?}");
    assert_eq!(run.code, Some(0));
    let run = push(&bank.alice, &dir, &["HEAD:main"]);
    let said = before(&run);
    assert!(run.code != Some(0) && said.starts_with(HEAD), "{run:#?}");
    assert!(said.contains("  refs/heads/main: alice@bank.example may not update this ref\n"), "{said}");
    assert!(said.contains("    rule    deny by default: no grant of alice@bank.example (engineer)"), "{said}");
    // The next step is said once, by the refusal itself.
    assert_eq!(run.err.matches("    try     ").count(), 1, "{}", run.err);
    // Who stops here can ask for what to do.
    let asked = bank.alice.mledger(&dir, &["check", &tip[..10], "--ref", "main"]);
    assert!(asked.code == Some(3) && asked.out.contains("may not update this ref"), "{asked:#?}");
    // Bob breaks a rule.
    let his = bank.clone_of(&bank.bob);
    bank.bob.commit(&his, "configs/prod/a", "one");
    let run = push(&bank.bob, &his, &["HEAD:main"]);
    let said = before(&run);
    assert!(
        said.contains("rule    \"prod configs need a ticket\"") && said.contains("path    configs/prod/a"),
        "{said}"
    );
    // A stranger's key.
    let theirs = bank.clone_of(&bank.mallory);
    bank.mallory.commit(&theirs, "models/m", "m");
    let said = before(&push(&bank.mallory, &theirs, &["HEAD:refs/heads/dev/m"]));
    assert!(said.contains("no actor of the policy has this key"), "{said}");
    bank.holds();
}

#[test]
fn nothing_is_said_of_the_pusher_where_the_push_is_not_signed() {
    let bank = Bank::open_with("", &["--login", "env"]);
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let login = "--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack";
    let run = push(&bank.alice, &dir, &["--no-signed", login, "HEAD:refs/heads/dev/a"]);
    assert_eq!((run.code, before(&run).as_str()), (Some(0), ""), "{run:#?}");
    // Nobody knows her by a login, so the gate refuses; the clone could not know.
    let run = push(&bank.alice, &dir, &["--no-signed", "HEAD:refs/heads/dev/b"]);
    assert!(run.code != Some(0) && before(&run).is_empty(), "{run:#?}");
    // What is wrong with the commits is foretold all the same.
    bank.alice.commit_as(&dir, "models/b", "b", &["--no-gpg-sign", "-m", "unsigned"]);
    let run = push(&bank.alice, &dir, &["--no-signed", login, "HEAD:refs/heads/dev/a"]);
    assert!(before(&run).contains("refs/heads/dev/a: a commit is not signed"), "{run:#?}");
    bank.holds();
}

#[test]
fn all_refs_are_judged_together() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let one = bank.alice.commit(&dir, "models/a", "one");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/gone", "HEAD:refs/heads/dev/back"]).ok();
    bank.alice.commit(&dir, "models/a", "two");
    let run = push(
        &bank.alice,
        &dir,
        &[
            "HEAD:refs/heads/dev/a",
            ":refs/heads/dev/gone",
            "+HEAD~1:refs/heads/dev/back",
            &format!("{one}:refs/heads/dev/A"),
        ],
    );
    let said = before(&run);
    assert!(run.code != Some(0) && said.contains("refs/heads/dev/A"), "{run:#?}");
    let run = push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a", ":refs/heads/dev/gone"]);
    assert_eq!((run.code, before(&run).as_str()), (Some(0), ""), "{run:#?}");
    // More reasons than fit into a warning are counted.
    let refs: Vec<String> = (0..5).map(|number| format!("HEAD:refs/heads/prod{number}")).collect();
    let run = push(&bank.alice, &dir, &refs.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(before(&run).contains("\n  … and 2 more reasons\n"), "{run:#?}");
    bank.holds();
}

#[test]
fn an_observing_policy_is_foretold_as_one_that_will_be_enforced() {
    let observe = |policy: String| policy.replacen("name = \"models\"", "name = \"models\"\nmode = \"observe\"", 1);
    let bank = Bank::open_under(observe, &[]);
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let run = push(&bank.alice, &dir, &["HEAD:main"]);
    let said = before(&run);
    assert!(said.starts_with("mledger: once the policy is enforced, the gate will refuse this push:\n"), "{run:#?}");
    assert!(said.contains("may not update this ref") && !said.contains("Ctrl-C"), "{said}");
    assert_eq!(run.code, Some(0));
}

#[test]
fn a_ref_moved_behind_the_gate_is_pointed_out() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "one");
    push(&bank.bob, &dir, &["HEAD:main"]).ok();
    let (ledger, moved) = (bank.tip("refs/heads/main"), bank.on_server(&["rev-parse", "refs/heads/main~1"]));
    bank.on_server(&["update-ref", "refs/heads/main", &moved]);
    bank.bob.commit(&dir, "models/a", "two");
    let run = push(&bank.bob, &dir, &["HEAD:main"]);
    let words = format!(
        "mledger: refs/heads/main stands at {} on the server, and the ledger put it at {}\n",
        &moved[..10],
        &ledger[..10]
    );
    assert!(before(&run).contains(&words), "{run:#?}");
    assert!(run.err.contains("it was moved behind the gate"), "{run:#?}");
}

#[test]
fn a_push_whose_last_one_is_not_settled_yet_is_foretold_right() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    std::fs::remove_file(bank.server.join("hooks/post-receive")).unwrap();
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]).ok();
    assert_eq!(bank.log().last().unwrap()["kind"], "push", "nothing says that it landed");
    bank.alice.commit(&dir, "models/a", "two");
    let run = push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    assert_eq!((run.code, before(&run).as_str()), (Some(0), ""), "{run:#?}");
}

#[test]
fn whatever_goes_wrong_with_a_forecast_the_push_goes_on() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let folder = dir.join(".git/mledger");
    bank.alice.commit(&dir, "models/a", "1");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]).ok();
    // An index that is none is made anew.
    std::fs::write(folder.join("log.git/check.sqlite"), "no database at all, but long enough for a header").unwrap();
    bank.alice.commit(&dir, "models/a", "2");
    let run = push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    assert_eq!((run.code, before(&run).as_str()), (Some(0), ""), "{run:#?}");
    // One that cannot be made is said.
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("log.git/check.sqlite{end}")));
    }
    std::fs::create_dir(folder.join("log.git/check.sqlite")).unwrap();
    bank.alice.commit(&dir, "models/a", "3");
    let run = push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    assert!(before(&run).starts_with("mledger: the gate's answer is not foretold: "), "{run:#?}");
    assert_eq!((run.code, before(&run).lines().count()), (Some(0), 1), "{run:#?}");
    std::fs::remove_dir(folder.join("log.git/check.sqlite")).unwrap();
    // One that another process writes for too long.
    push(&bank.alice, &dir, &["HEAD~1:refs/heads/dev/more"]).ok();
    let busy = rusqlite::Connection::open(folder.join("log.git/check.sqlite")).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    bank.alice.commit(&dir, "models/a", "3b");
    let run = bank.alice.git(&dir, &["push", "origin", "HEAD:refs/heads/dev/a"]);
    assert!(before(&run).contains("the gate's answer is not foretold: that takes more than 3 seconds"), "{run:#?}");
    assert_eq!(run.code, Some(0), "{run:#?}");
    drop(busy);
    // Notes that cannot be written.
    std::fs::remove_file(folder.join("pushes")).unwrap();
    std::fs::create_dir(folder.join("pushes")).unwrap();
    bank.alice.commit(&dir, "models/a", "4");
    let run = push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    assert_eq!((run.code, before(&run).as_str()), (Some(0), ""), "{run:#?}");
    // A shallow clone cannot see all that a push brings.
    let words = ["clone", "-q", "--depth=1", "--no-local", "-b", "dev/a", bank.server.to_str().unwrap(), "shallow"];
    bank.alice.git(bank.world.root(), &words).ok();
    let shallow = bank.world.path("shallow");
    bank.alice.mledger(&shallow, &["init"]).ok();
    bank.alice.commit(&shallow, "models/a", "5");
    push(&bank.alice, &shallow, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
}

#[test]
fn a_push_of_everything_from_a_linked_work_tree_is_foretold() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.git(&dir, &["worktree", "add", "-q", "../linked", "-b", "linked"]).ok();
    let linked = bank.world.path("linked");
    bank.alice.commit(&linked, "models/a", "one");
    write(&linked, "README", "not hers");
    bank.alice.git(&linked, &["commit", "-qam", "Not hers"]).ok();
    let run = push(&bank.alice, &linked, &["HEAD:refs/heads/dev/a"]);
    assert!(
        before(&run).contains("alice@bank.example may not commit here") && before(&run).contains("README"),
        "{run:#?}"
    );
}
