//! What a move undoes is touched by it: whatever a rule asked for when it came, it asks for again when it goes.

use std::path::PathBuf;

use crate::bank::Bank;
use crate::world::Run;

/// Production configs come to `main` and to releases by signed pushes only; pushes without a certificate are Bob's by
/// his login. `main` has such a config, on top of the seed.
fn reviewed() -> (Bank, PathBuf) {
    let bank = Bank::open_under(
        |policy| {
            let all = "[roles.maintainer]\nallow = [{ actions = [\"commit\", \"create\", \"update\", \"rewrite\", \"delete\"] }]\n";
            let rule = "[[rules]]\nname = \"prod configs are pushed signed\"\nrefs = [\"refs/heads/main\", \"refs/heads/release/**\"]\npaths = [\"configs/prod/**\"]\nsigned-push = true\n";
            let login = "roles = [\"maintainer\"]\nlogins = [\"env:bob\"]";
            let at = policy.find("[actors.\"bob@bank.example\"]").unwrap();
            let (before, after) = policy.split_at(at);
            let policy = before.to_owned() + &after.replacen("roles = [\"maintainer\"]", login, 1);
            super::with_maintainer(&policy, all) + rule
        },
        &["--login", "env"],
    );
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "README", "his");
    bank.bob.commit_as(&dir, "configs/prod/limits", "strict", &["-m", "Limits\n\nTicket: M-1"]);
    bank.bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    (bank, dir)
}

/// A push of Bob's without a certificate.
fn unsigned(bank: &Bank, dir: &std::path::Path, specs: &[&str]) -> Run {
    let words = ["--no-signed", "--receive-pack=env MLEDGER_LOGIN=bob git-receive-pack"];
    bank.bob.push(dir, &[&words, specs].concat())
}

const RULE: &str = "\"prod configs are pushed signed\"";

#[test]
fn a_rewind_and_a_rewrite_undo_under_the_rule() {
    let (bank, dir) = reviewed();
    let refused = |spec: &str| {
        let said = bank.refused("signed-push-missing", RULE, || unsigned(&bank, &dir, &[spec]));
        assert!(said.contains("configs/prod/limits") && said.contains("try     git push --signed"), "{said}");
    };
    refused("+HEAD~1:refs/heads/main");
    bank.bob.git(&dir, &["checkout", "-q", "-B", "otherwise", "HEAD~1"]).ok();
    bank.bob.commit(&dir, "models/b", "two");
    refused("+HEAD:refs/heads/main");
    bank.bob.push(&dir, &["+HEAD:refs/heads/main"]).ok();
    // A commit that comes and one that undoes it: the two leave together, and no tree differs by them in the end.
    bank.bob.commit_as(&dir, "configs/prod/limits", "lax", &["-m", "Limits\n\nTicket: M-2"]);
    bank.bob.git(&dir, &["rm", "-q", "configs/prod/limits"]).ok();
    bank.bob.git(&dir, &["commit", "-q", "-m", "None\n\nTicket: M-3"]).ok();
    bank.bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    refused("+HEAD~2:refs/heads/main");
    bank.bob.push(&dir, &["+HEAD~2:refs/heads/main"]).ok();
    bank.holds();
}

#[test]
fn a_deletion_and_a_re_creation_undo_under_the_rule() {
    let (bank, dir) = reviewed();
    bank.bob.push(&dir, &["HEAD:refs/heads/release/1"]).ok();
    bank.refused("signed-push-missing", RULE, || unsigned(&bank, &dir, &[":refs/heads/release/1"]));
    bank.bob.push(&dir, &[":refs/heads/release/1"]).ok();
    // Made again where it stood, every commit has met the rule on main; made anew with what has not, none has.
    unsigned(&bank, &dir, &["HEAD:refs/heads/release/1"]).ok();
    unsigned(&bank, &dir, &["HEAD~1:refs/heads/release/2"]).ok();
    bank.bob.commit_as(&dir, "configs/prod/limits", "none", &["-m", "No limits\n\nTicket: M-2"]);
    unsigned(&bank, &dir, &["HEAD:refs/heads/dev/known"]).ok();
    bank.refused("signed-push-missing", RULE, || unsigned(&bank, &dir, &["HEAD:refs/heads/release/3"]));
    bank.holds();
}

#[test]
fn one_push_does_not_excuse_itself() {
    let (bank, dir) = reviewed();
    bank.bob.commit_as(&dir, "configs/prod/limits", "none", &["-m", "No limits\n\nTicket: M-2"]);
    // Neither by another ref of the same push, nor in the other order.
    for specs in [
        ["HEAD:refs/heads/dev/known", "HEAD:refs/heads/release/1"],
        ["HEAD:refs/heads/release/1", "HEAD:refs/heads/release/2"],
        ["+HEAD~2:refs/heads/main", "HEAD~1:refs/heads/release/1"],
    ] {
        bank.refused("signed-push-missing", RULE, || unsigned(&bank, &dir, &specs));
    }
}
