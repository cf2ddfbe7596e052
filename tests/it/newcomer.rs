//! The first five minutes, the first refusal, the first audit: what people do wrong, and what they read then.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bank::{Bank, ORIGIN};
use crate::world::{MLEDGER, Person, Run, World, write};

/// Types a line into a shell that finds the binary under test.
fn type_in(person: &Person, dir: &Path, line: &str) -> Run {
    let bin = Path::new(MLEDGER).parent().unwrap().display().to_string();
    let person = person.with("PATH", &format!("{bin}:{}", std::env::var("PATH").unwrap()));
    person.run(Command::new("bash").args(["-c", line]).current_dir(dir), None)
}

/// The first command that a refusal says to try after `headline`.
fn tried(said: &str, headline: &str) -> String {
    let (_, after) = said.split_once(headline).unwrap_or_else(|| panic!("no `{headline}` in\n{said}"));
    let line = after.lines().find_map(|line| line.trim_start_matches("remote:").trim().strip_prefix("try "));
    let line = line.unwrap_or_else(|| panic!("nothing to try in\n{said}"));
    // What the command is for stands behind it.
    line.split("     ").find(|part| !part.is_empty()).unwrap_or_default().trim().to_owned()
}

#[test]
fn commits_from_before_init_are_mended_by_the_line_in_the_refusal() {
    let bank = Bank::closed();
    bank.gate("", &[]).ok();
    let dir = bank.bare_clone_of(&bank.alice, "alice");
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.git(&dir, &["checkout", "-q", "-b", "side"]).ok();
    bank.alice.commit(&dir, "models/b", "2\n");
    bank.alice.git(&dir, &["checkout", "-q", "main"]).ok();
    bank.alice.commit(&dir, "models/c", "3\n");
    bank.alice.git(&dir, &["merge", "-q", "--no-edit", "side"]).ok();

    let said = bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).fails();
    let line = tried(&said, "a commit is not signed");
    assert_eq!(line, "mledger resign");
    let said = type_in(&bank.alice, &dir, &line).fails();
    assert!(said.contains("try: mledger init\n       mledger resign"), "{said}");
    type_in(&bank.alice, &dir, "mledger init").ok();
    type_in(&bank.alice, &dir, &line).ok();
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    assert_eq!(bank.alice.git(&dir, &["rev-list", "--count", "--merges", "HEAD"]).ok(), "1");

    bank.alice.commit_as(&dir, "models/a", "4\n", &["--no-gpg-sign", "-m", "four"]);
    let said = bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).fails();
    type_in(&bank.alice, &dir, &tried(&said, "a commit is not signed")).ok();
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
}

#[test]
fn a_refusal_points_at_a_branch_only_where_a_branch_helps() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "1\n");
    let said = bank.alice.push(&dir, &["HEAD:refs/heads/main"]).fails();
    type_in(&bank.alice, &dir, &tried(&said, "may not update this ref")).ok();
    let others = [["HEAD:refs/tags/v1"], [":refs/heads/main"]];
    for words in others {
        let said = bank.alice.push(&dir, &words).fails();
        assert!(said.contains("ask ") && !said.contains("HEAD:refs/heads/"), "{said}");
    }
    let hers = bank.clone_of(&bank.carol);
    let said = bank.carol.push(&hers, &[":refs/heads/main"]).fails();
    assert!(said.contains("mledger policy show") && !said.contains("ask carol"), "{said}");
}

#[test]
fn a_push_of_ones_own_is_known_at_once() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    for text in ["1\n", "2\n"] {
        bank.alice.commit(&dir, "models/a", text);
        bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    }
    let report = bank.alice.mledger(&dir, &["verify", "--offline"]).ok();
    assert!(report.contains("1 pending") && report.contains("everything holds"), "{report}");
    let shown = bank.alice.mledger(&dir, &["show", "HEAD"]).ok();
    assert!(shown.contains("kind         commit"), "{shown}");

    bank.alice.commit(&dir, "models/a", "3\n");
    let said = bank.alice.mledger(&dir, &["show", "HEAD"]).fails();
    assert!(said.contains("no entry records `HEAD`, the commit ") && said.contains("was not pushed"), "{said}");
}

#[test]
fn a_server_that_is_away_takes_one_line() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "1\n");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    fs::rename(&bank.server, bank.world.path("away.git")).unwrap();
    for words in [&["verify"][..], &["policy", "show"]] {
        let run = bank.alice.mledger(&dir, words);
        assert_eq!((run.code, run.err.lines().count()), (Some(0), 1), "{run:#?}");
        assert!(run.err.contains("fetched before: could not fetch the ledger"), "{run:#?}");
    }
    let init = bank.alice.mledger(&dir, &["init"]).ok();
    assert!(init.contains("If the policy does not know this key yet"), "{init}");
}

#[test]
fn a_policy_that_others_changed_meanwhile_is_not_taken_back_unawares() {
    let bank = Bank::open();
    let (one, other) = (bank.clone_of(&bank.carol), bank.bare_clone_of(&bank.carol, "other"));
    bank.carol.mledger(&other, &["init"]).ok();
    let shown = bank.carol.mledger(&one, &["policy", "show"]).ok() + "\n";
    write(&one, "policy.toml", &(shown.clone() + "# one\n"));
    write(&other, "policy.toml", &(shown + "# other\n"));
    bank.carol.mledger(&other, &["policy", "apply", "policy.toml"]).ok();
    let size = bank.size();
    let said = bank.carol.mledger(&one, &["policy", "apply", "policy.toml"]).fails();
    assert!(said.contains("the policy was changed since"), "{said}");
    assert_eq!(bank.size(), size);
    assert!(bank.carol.mledger(&one, &["policy", "show"]).ok().ends_with("# other"));
    bank.carol.mledger(&one, &["policy", "apply", "policy.toml"]).ok();

    let dir = bank.clone_of(&bank.alice);
    write(&dir, "policy.toml", &(bank.policy() + "# alice\n"));
    let run = bank.alice.mledger(&dir, &["policy", "apply", "policy.toml"]);
    assert!(run.code == Some(3) && run.err.contains("ask carol@bank.example"), "{run:#?}");
}

#[test]
fn a_row_of_the_log_fits_a_hundred_columns() {
    let bank = Bank::open();
    let (alice, mallory) = (bank.clone_of(&bank.alice), bank.clone_of(&bank.mallory));
    bank.alice.commit(&alice, "configs/a", "1\n");
    bank.alice.push(&alice, &["HEAD:refs/heads/dev/a"]).ok();
    bank.alice.push(&alice, &["HEAD:refs/heads/main"]).fails();
    bank.alice
        .push(&alice, &["HEAD:refs/for/main", "HEAD:refs/tags/v1", "HEAD:refs/tags/v2", ":refs/heads/main"])
        .fails();
    bank.mallory.commit(&mallory, "configs/b", "1\n");
    bank.mallory.push(&mallory, &["HEAD:refs/heads/dev/b"]).fails();
    let carol = bank.clone_of(&bank.carol);
    write(&carol, "policy.toml", &(bank.policy() + "# new\n"));
    bank.carol.mledger(&carol, &["policy", "apply", "policy.toml"]).ok();
    let log = bank.carol.mledger(&carol, &["log"]).ok();
    assert!(log.contains("unknown key SHA256:") && log.contains("the policy is now sha256:"), "{log}");
    for row in log.lines().filter(|row| !row.contains(" more")) {
        assert!(row.chars().count() <= 100, "{row}");
    }
    let none = bank.carol.mledger(&carol, &["log", "--actor", "nobody"]);
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (Some(0), "", "note: no entry matches\n"));
}

#[test]
fn a_key_that_verified_is_trusted_from_then_on() {
    let bank = Bank::open();
    let auditor = bank.world.person("auditor");
    auditor.git(bank.world.root(), &["init", "-q", "--bare", "audit.git"]).ok();
    let dir = bank.world.path("audit.git");
    let refspec = "refs/mledger/log:refs/mledger/log";
    auditor.git(&dir, &["fetch", "-q", bank.server.to_str().unwrap(), refspec]).ok();
    let vkey = fs::read_to_string(bank.server.join("mledger/vkey")).unwrap();
    assert!(auditor.mledger(&dir, &["log"]).err.contains("trusting the key"));
    auditor.mledger(&dir, &["verify", "--key", vkey.trim()]).ok();
    assert_eq!(auditor.mledger(&dir, &["log"]).err, "");

    let clone = bank.clone_of(&bank.alice);
    let mut wrong = bank.world.path("other.git");
    auditor.git(bank.world.root(), &["init", "-q", "--bare", "other.git"]).ok();
    auditor.mledger(&wrong, &["init", "--origin", ORIGIN]).ok();
    wrong.push("mledger/vkey");
    let wrong = fs::read_to_string(wrong).unwrap();
    let said = bank.alice.mledger(&clone, &["verify", "--key", wrong.trim()]).fails();
    assert!(said.contains("error: the ledger is known by the key") && said.contains("--vkey"), "{said}");
}

#[test]
fn init_says_what_it_found_and_what_to_do_next() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "w"]).ok();
    let dir = world.path("w");
    let init = |words: &[&str]| alice.mledger(&dir, &[&["init"], words].concat());
    assert!(init(&["--undo"]).ok().contains("nothing to undo"));
    let first = init(&[]).ok();
    assert!(first.starts_with("From now on") && first.contains("mledger init --remote NAME"), "{first}");
    assert!(init(&[]).ok().starts_with("This clone is set up already"));
    assert!(init(&["--remote", "nope"]).fails().contains("try: git remote -v"));
    assert!(init(&["--key", "nope"]).fails().contains("mledger key new"));
    let change = ["-q", "-p", "-N", "secret", "-P", "", "-f", alice.key_file().to_str().unwrap()].map(str::to_owned);
    alice.run(Command::new("ssh-keygen").args(change), None).ok();
    assert!(init(&[]).ok().contains("ssh-add ~/.ssh/id_ed25519"));

    let nobody = world.person_without_key("nobody");
    fs::write(nobody.home.join(".gitconfig"), "").unwrap();
    nobody.git(world.root(), &["init", "-q", "--bare", "n.git"]).ok();
    let said = nobody.mledger(&world.path("n.git"), &["init"]).fails();
    let (_, line) = said.split_once("try: ").unwrap();
    type_in(&nobody, &world.path("n.git"), line).ok();
    let said = nobody.mledger(&world.path("n.git"), &["init", "--origin", "elsewhere"]);
    assert!(said.err.contains("the ledger keeps its name"), "{said:#?}");
}
