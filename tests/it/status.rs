//! `mledger status`: where somebody stands, and what to type next, in every state that a clone can be in.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bank::Bank;
use crate::formats::{fits, schema};
use crate::world::{Person, World, write};

/// `mledger status` as people and as programs see it: exit code, text, JSON.
#[track_caller]
fn status(person: &Person, dir: &Path, words: &[&str]) -> (i32, String, Value) {
    let shown = person.mledger(dir, &[&["status"], words].concat());
    let run = person.mledger(dir, &[&["--json", "status"], words].concat());
    let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no status: {run:#?}"));
    fits(&schema("status"), &value);
    assert_eq!((shown.code, value["ok"] == true), (run.code, run.code == Some(0)), "{shown:#?}");
    assert!(shown.out.lines().count() <= 24, "more than a screen:\n{}", shown.out);
    (run.code.unwrap(), shown.out, value)
}

struct Desk {
    bank: Bank,
    dir: PathBuf,
}

impl Desk {
    fn open() -> Self {
        let bank = Bank::open();
        let dir = bank.clone_of(&bank.alice);
        bank.alice.git(&dir, &["switch", "-q", "-c", "dev/a"]).ok();
        Self { bank, dir }
    }

    fn git(&self, words: &[&str]) -> String {
        self.bank.alice.git(&self.dir, words).ok()
    }

    /// The status; the first next step is this command, or there is none.
    #[track_caller]
    fn next(&self, code: i32, command: &str) -> (String, Value) {
        let (exit, text, value) = status(&self.bank.alice, &self.dir, &[]);
        let first = value["next"][0]["command"].as_str().unwrap_or_default();
        assert_eq!((exit, first), (code, command), "{text}\n{value:#}");
        let end = if command.is_empty() { "next: nothing to do\n".to_owned() } else { format!("next:\n  {command}") };
        assert!(text.contains(&end), "{text}");
        (text, value)
    }
}

#[test]
fn a_day_at_work() {
    let desk = Desk::open();
    let (bank, alice) = (&desk.bank, &desk.bank.alice);
    let (text, value) = desk.next(0, "");
    assert!(text.contains("the policy knows this key: engineer") && text.contains("everything is pushed"), "{text}");
    assert_eq!(value["who"]["known"]["actor"], "alice@bank.example");
    // A commit, its push.
    alice.commit(&desk.dir, "models/a", "one");
    let (text, value) = desk.next(0, "git push -u origin HEAD");
    assert!(text.contains("1 commit not pushed") && text.contains(": signed by you"), "{text}");
    assert_eq!((&value["gate"]["answer"], &value["branch"]["unpushed"][0]["mine"]), (&json!("accept"), &json!(true)));
    alice.push(&desk.dir, &["-u", "HEAD"]).ok();
    let (text, value) = desk.next(0, "");
    assert!(text.contains("dev/a → origin/dev/a") && text.contains("1 accepted, on record"), "{text}");
    assert_eq!(value["pushes"], json!({ "hidden": [], "receipts": 1, "refused": [], "waiting": [] }));
    // Not signed: one or several, the commit hook names the same command.
    alice.commit_as(&desk.dir, "models/a", "two", &["--no-gpg-sign", "-m", "Two"]);
    let (text, _) = desk.next(1, "mledger resign");
    assert!(text.contains("Two: not signed") && text.contains("would refuse a push now"), "{text}");
    alice.push(&desk.dir, &[]).fails();
    let (text, value) = desk.next(1, "mledger resign");
    let denied = bank.newest_push();
    assert_eq!(value["pushes"]["refused"][0]["index"], denied["index"], "{value:#}");
    assert!(text.contains("refused, commit-unsigned; mledger show"), "{text}");
    alice.commit_as(&desk.dir, "models/a", "three", &["--no-gpg-sign", "-m", "Three"]);
    desk.next(1, "mledger resign");
    // Amended away, the refused commit is nobody's any more.
    desk.git(&["reset", "-q", "--soft", "HEAD~2"]);
    desk.git(&["commit", "-q", "-m", "Again"]);
    let (_, value) = desk.next(0, "git push");
    assert_eq!(value["pushes"]["refused"], json!([]));
    // Without a manifest; with another content than the manifest's.
    desk.git(&["-c", "core.hooksPath=/dev/null", "commit", "-q", "--amend", "-S", "-m", "No trailer"]);
    let (text, _) = desk.next(0, "mledger resign");
    assert!(text.contains("signed, but binds no content"), "{text}");
    desk.git(&["commit", "-q", "--amend", "--no-edit"]);
    // Not granted: somebody else may, and somewhere else she may.
    write(&desk.dir, "README", "hers");
    desk.git(&["commit", "-qam", "Not hers"]);
    let (text, value) = desk.next(1, "leave these paths out, or ask carol@bank.example for a role that grants it");
    assert!(text.contains("may not commit here") && text.contains("README"), "{text}");
    assert_eq!(value["gate"]["reasons"][0]["code"], "commit-not-granted");
}

#[test]
fn whoever_was_overtaken_pulls() {
    let desk = Desk::open();
    let (bank, alice) = (&desk.bank, &desk.bank.alice);
    alice.commit(&desk.dir, "models/a", "one");
    alice.push(&desk.dir, &["-u", "HEAD"]).ok();
    let bob = bank.clone_of(&bank.bob);
    bank.bob.git(&bob, &["switch", "-q", "dev/a"]).ok();
    bank.bob.commit(&bob, "models/b", "his");
    bank.bob.push(&bob, &["HEAD"]).ok();
    alice.commit(&desk.dir, "models/c", "hers");
    // The ledger knows before Git does.
    let (text, value) = desk.next(0, "git pull --rebase");
    assert_eq!((&value["overtaken"], &value["branch"]["behind"]), (&json!(true), &json!(0)), "{text}");
    desk.git(&["fetch", "-q"]);
    let (text, _) = desk.next(0, "git pull --rebase");
    assert!(text.contains("1 behind"), "{text}");
    desk.git(&["pull", "-q", "--rebase"]);
    desk.next(0, "git push");
}

#[test]
fn whatever_git_is_in_the_middle_of_comes_first() {
    let desk = Desk::open();
    let alice = &desk.bank.alice;
    alice.commit(&desk.dir, "models/a", "one");
    alice.commit(&desk.dir, "models/a", "two");
    let editing = alice.with("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/");
    editing.git(&desk.dir, &["rebase", "-q", "-i", "HEAD~1"]).ok();
    let (text, value) = desk.next(0, "git rebase --continue");
    assert!(text.contains("in the middle of a rebase") && value["branch"].is_null(), "{text}");
    desk.git(&["rebase", "--continue"]);
    desk.git(&["checkout", "-q", "--detach"]);
    desk.next(0, "git switch -c NAME");
    desk.git(&["switch", "-q", "-c", "dev/side", "HEAD~1"]);
    alice.commit(&desk.dir, "models/a", "other");
    alice.git(&desk.dir, &["merge", "-q", "dev/a"]).fails();
    desk.next(0, "git commit");
    desk.git(&["merge", "--abort"]);
    alice.git(&desk.dir, &["cherry-pick", "dev/a"]).fails();
    desk.next(0, "git cherry-pick --continue");
    desk.git(&["cherry-pick", "--abort"]);
    // From a linked work tree, and from a folder below.
    desk.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    let (_, _, value) = status(alice, &desk.bank.world.path("linked/models"), &[]);
    assert_eq!(value["next"][0]["command"], "git switch -c NAME");
}

#[test]
fn a_newcomer_is_led_from_nothing_to_the_first_push() {
    let world = World::new();
    let nobody = world.person_without_key("nobody");
    fs::write(nobody.home.join(".gitconfig"), "[init]\n\tdefaultBranch = main\n").unwrap();
    nobody.git(world.root(), &["init", "-q", "lonely"]).ok();
    let dir = world.path("lonely");
    let (code, text, value) = status(&nobody, &dir, &[]);
    assert_eq!((code, &value["next"][0]["command"]), (0, &json!("mledger init")), "{text}");
    assert!(text.contains("`user.email` is not set") && text.contains("this clone has no remote"), "{text}");
    nobody.git(&dir, &["config", "user.email", "nobody@bank.example"]).ok();
    nobody.git(&dir, &["config", "user.name", "nobody"]).ok();
    nobody.mledger(&dir, &["init"]).ok();
    let (_, _, value) = status(&nobody, &dir, &[]);
    assert_eq!(value["next"][0]["command"], "git remote add origin URL");
    // A remote without a gate, then one out of reach.
    nobody.git(world.root(), &["init", "-q", "--bare", "plain.git"]).ok();
    nobody.git(&dir, &["remote", "add", "origin", "../plain.git"]).ok();
    let (_, text, value) = status(&nobody, &dir, &[]);
    assert_eq!(
        (&value["ledger"]["state"], &value["next"][0]["command"]),
        (&json!("none"), &json!("git commit")),
        "{text}"
    );
    nobody.git(&dir, &["remote", "set-url", "origin", "../nowhere.git"]).ok();
    let (code, text, _) = status(&nobody, &dir, &[]);
    assert!(code == 0 && text.contains("not reached in origin"), "{text}");
    // A stranger to the policy, in a clone with and without `init`.
    let bank = Bank::open();
    let theirs = bank.bare_clone_of(&bank.mallory, "theirs");
    let (_, text, value) = status(&bank.mallory, &theirs, &[]);
    assert_eq!(
        (&value["ledger"]["state"], &value["next"][0]["command"]),
        (&json!("not-set-up"), &json!("mledger init"))
    );
    assert!(!theirs.join(".git/mledger").exists(), "no key is trusted by looking: {text}");
    bank.mallory.mledger(&theirs, &["init"]).ok();
    let (_, text, value) = status(&bank.mallory, &theirs, &[]);
    assert!(
        text.contains("the policy does not know this key") && text.contains("send them to carol@bank.example"),
        "{text}"
    );
    assert_eq!(value["who"]["known"], Value::Null);
}

#[test]
fn a_key_that_does_not_count_and_one_that_soon_will_not() {
    let with = |until: &'static str| {
        let bank = Bank::closed();
        bank.seed();
        let key = format!("\"{}\"", bank.alice.public_key());
        let policy = bank.policy().replace(&key, &format!("{{ key = {key}, from = 2026-01-01, until = {until} }}"));
        write(bank.world.root(), "p.toml", &policy);
        let file = bank.world.path("p.toml");
        let words = ["init", "--origin", crate::bank::ORIGIN, "--policy", file.to_str().unwrap()];
        bank.carol.mledger(&bank.server, &words).ok();
        let dir = bank.clone_of(&bank.alice);
        status(&bank.alice, &dir, &[])
    };
    let (code, text, value) = with("2026-02-01");
    assert_eq!(code, 1);
    assert!(text.contains("was valid until") && text.contains("ask carol@bank.example for a valid key"), "{text}");
    assert_eq!(value["who"]["known"]["until"], "2026-02-01T00:00:00.000Z");
    let (code, text, _) = with("2099-02-01");
    assert!(code == 0 && text.contains("since 2026-01-01, until 2099-02-01"), "{text}");
}

#[test]
fn a_ledger_out_of_reach_and_one_that_takes_something_back() {
    let desk = Desk::open();
    let alice = &desk.bank.alice;
    alice.commit(&desk.dir, "models/a", "one");
    alice.push(&desk.dir, &["-u", "HEAD"]).ok();
    desk.next(0, "");
    let before = alice.mledger(&desk.dir, &["--json", "status", "--offline"]).ok();
    let before: Value = serde_json::from_str(&before).unwrap();
    assert_eq!((&before["ledger"]["unreached"], &before["ledger"]["size"]), (&json!("it was not asked"), &json!(4)));
    let away = desk.bank.world.path("away.git");
    fs::rename(&desk.bank.server, &away).unwrap();
    let (text, _) = desk.next(0, "");
    assert!(text.contains("not looked at just now in origin"), "{text}");
    fs::rename(&away, &desk.bank.server).unwrap();
    // A push whose answer the clone has not seen waits; then it turns out to be hidden.
    let head = desk.bank.on_server(&["rev-parse", "refs/mledger/log"]);
    alice.commit(&desk.dir, "models/a", "two");
    alice.push(&desk.dir, &[]).ok();
    let (code, text, value) = status(alice, &desk.dir, &["--offline"]);
    assert!(code == 0 && text.contains("no entry answers it; none will, if it failed"), "{text}");
    assert_eq!(value["pushes"]["waiting"].as_array().unwrap().len(), 1);
    desk.bank.on_server(&["update-ref", "refs/mledger/log", &head]);
    let (text, value) = desk.next(1, "mledger verify");
    assert!(text.contains("the server took it, and its ledger does not show it"), "{text}");
    assert_eq!(value["pushes"]["hidden"].as_array().unwrap().len(), 1);
    desk.bank.on_server(&["update-ref", "-d", "refs/mledger/log"]);
    let (text, value) = desk.next(1, "mledger verify");
    assert!(text.contains("the remote's ledger is gone") && value["ledger"]["problem"].is_string(), "{text}");
}

#[test]
fn foreign_words_do_no_harm() {
    let desk = Desk::open();
    let alice = &desk.bank.alice;
    let wild = "\u{1b}[2J\u{202e}evil\u{9b}";
    desk.git(&["commit", "-q", "--allow-empty", "-m", wild]);
    for n in 0..120 {
        let words = ["commit", "-q", "--no-gpg-sign", "--no-verify", "--allow-empty", "-m", &n.to_string()];
        desk.git(&words);
    }
    desk.git(&["config", "mledger.actor", wild]);
    let (text, value) = desk.next(1, "mledger resign");
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text:?}");
    assert!(text.contains("… and 95 more"), "{text}");
    assert_eq!(value["branch"]["unpushed"].as_array().unwrap().len(), 100);
    assert_eq!(value["branch"]["unpushed"][20]["signature"], Value::Null);
    alice.mledger(desk.bank.world.root(), &["status"]).fails();
}

#[test]
fn a_server_says_what_nothing_explains() {
    let bank = Bank::closed();
    let (code, text, value) = status(&bank.carol, &bank.server, &[]);
    assert_eq!(
        (code, &value["server"], &value["next"][0]["command"]),
        (0, &Value::Null, &json!("mledger init")),
        "{text}"
    );
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    fs::remove_file(bank.server.join("hooks/post-receive")).unwrap();
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let (code, text, value) = status(&bank.carol, &bank.server, &[]);
    assert_eq!((code, &value["server"]["open"], &value["server"]["size"]), (0, &json!(1), &json!(3)), "{text}");
    bank.on_server(&["update-ref", "refs/heads/dev/hand", "refs/heads/main"]);
    bank.on_server(&["update-ref", "-d", "refs/heads/main"]);
    let (code, text, value) = status(&bank.carol, &bank.server, &[]);
    assert!(
        code == 1
            && text.contains("refs/heads/dev/hand stands at")
            && text.contains("refs/heads/main stands at nothing"),
        "{text}"
    );
    assert_eq!(value["server"]["unexplained"].as_array().unwrap().len(), 2);
    assert!(text.contains("next:\n  mledger reconcile"), "{text}");
}
