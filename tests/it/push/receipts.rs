//! What the gate said to a push is remembered, and demanded of the ledger ever after.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bank::{Bank, found, report};
use crate::formats::{fits, schema};
use crate::world::{Person, Run};

/// A bank and Alice's clone.
struct Office {
    bank: Bank,
    dir: PathBuf,
}

impl Office {
    fn open() -> Self {
        let bank = Bank::open();
        let dir = bank.clone_of(&bank.alice);
        Self { bank, dir }
    }

    fn alice(&self) -> &Person {
        &self.bank.alice
    }

    fn commit(&self, text: &str) -> String {
        self.alice().commit(&self.dir, "models/a", text)
    }

    fn push(&self, words: &[&str]) -> Run {
        self.alice().push(&self.dir, words)
    }

    fn verify(&self) -> (i32, Value) {
        let (code, report) = report(self.alice(), &self.dir, &[]);
        fits(&schema("verify-report"), &report);
        (code, report)
    }

    /// Everything holds, with so many receipts.
    #[track_caller]
    fn holds(&self, receipts: u64) {
        let (code, report) = self.verify();
        assert_eq!((code, &report["ok"]), (0, &json!(true)), "{report:#}");
        assert_eq!(report["receipts"].as_u64().unwrap_or_default(), receipts, "{report:#}\n{:#?}", self.lines());
    }

    /// No problem of that code.
    #[track_caller]
    fn lacks(&self, code: &str) {
        let report = self.verify().1;
        assert!(report["problems"].as_array().unwrap().iter().all(|problem| problem["code"] != code), "{report:#}");
    }

    fn file(&self) -> PathBuf {
        self.dir.join(".git/mledger/pushes")
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.lines().iter().filter(|line| line["kind"] == kind).count()
    }

    fn head(&self) -> String {
        self.bank.on_server(&["rev-parse", "refs/mledger/log"])
    }

    /// Cuts the ledger behind an earlier commit of it, as whoever holds its key can unnoticed by the gate.
    fn cut(&self, to: &str) {
        self.bank.on_server(&["update-ref", "refs/mledger/log", to]);
        let message = self.bank.on_server(&["log", "-1", "--format=%B", to]);
        let notes = message.split("\n\n").skip_while(|part| !part.starts_with(crate::bank::ORIGIN));
        let note = notes.take(2).collect::<Vec<_>>().join("\n\n");
        let server = &self.bank.server;
        fs::write(server.join("mledger/last-checkpoint"), note.trim_end().to_owned() + "\n").unwrap();
        fs::remove_file(server.join("mledger/hashes")).unwrap();
    }

    /// Makes the clone forget what it saw of the ledger, but not what it pushed.
    fn forget(&self) {
        let folder = self.dir.join(".git/mledger");
        fs::remove_dir_all(folder.join("log.git")).unwrap();
        for name in ["checkpoint", "verified"] {
            let _ = fs::remove_file(folder.join(name));
        }
    }
}

#[test]
fn an_accepted_push_leaves_a_receipt_that_verify_demands() {
    let office = Office::open();
    let start = office.head();
    office.holds(0);
    let tip = office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    assert_eq!((office.count("note"), office.count("receipt")), (1, 0));
    office.holds(1);
    let kept = &office.lines()[0];
    let push = office.bank.newest_push();
    assert_eq!((&kept["index"], &kept["new"], &kept["time"]), (&push["index"], &json!(tip), &push["time"]));
    let shown = office.alice().mledger(&office.dir, &["verify"]).ok();
    assert!(shown.contains("\nreceipts 1 held\n"), "{shown}");
    // The entry goes, and then another stands there: nothing but the receipt remembers.
    office.bank.on_server(&["update-ref", "-d", "refs/heads/dev/a"]);
    office.cut(&start);
    office.forget();
    let index = found(&office.verify(), "receipt", "by a receipt kept here, and the ledger has");
    assert_eq!(index, kept["index"]);
    let bob = office.bank.clone_of(&office.bank.bob);
    for text in ["one", "two"] {
        office.bank.bob.commit(&bob, "models/b", text);
        office.bank.bob.push(&bob, &["HEAD:refs/heads/main"]).ok();
    }
    let index = found(&office.verify(), "receipt", "it accepted refs/heads/dev/a at");
    assert_eq!(index, kept["index"]);
    found(&office.verify(), "receipt", "and is another entry now");
    assert_eq!(office.alice().mledger(&office.dir, &["verify"]).code, Some(4));
}

#[test]
fn a_push_that_the_server_takes_and_hides_is_found() {
    let office = Office::open();
    office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.holds(1);
    let before = office.head();
    let tip = office.commit("two");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.cut(&before);
    let words = format!("the server took a push of {} to it", &tip[..10]);
    let (code, report) = office.verify();
    assert_eq!(code, 4);
    let problem = report["problems"].as_array().unwrap().iter().find(|it| it["code"] == "unrecorded").unwrap();
    assert!(problem["message"].as_str().unwrap().starts_with(&words), "{report:#}");
    assert_eq!(problem["ref"], "refs/heads/dev/a");
    // It stays found, whatever Git forgets, and however the ledger grows.
    office.alice().git(&office.dir, &["branch", "-dr", "origin/dev/a"]).ok();
    let bob = office.bank.clone_of(&office.bank.bob);
    office.bank.bob.commit(&bob, "models/b", "b");
    office.bank.bob.push(&bob, &["HEAD:refs/heads/main"]).ok();
    found(&office.verify(), "unrecorded", &words);
    let offline = report_offline(&office);
    found(&offline, "unrecorded", &words);
}

fn report_offline(office: &Office) -> (i32, Value) {
    report(office.alice(), &office.dir, &["--offline"])
}

#[test]
fn a_remote_tracking_ref_that_went_on_has_a_reflog() {
    let office = Office::open();
    office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.holds(1);
    // The remote-tracking ref went on before anybody looked: its reflog knows.
    let before = office.head();
    office.commit("two");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.cut(&before);
    office.alice().git(&office.dir, &["update-ref", "refs/remotes/origin/dev/a", "HEAD~1"]).ok();
    found(&office.verify(), "unrecorded", "the server took a push of");
}

#[test]
fn without_reflogs_the_remote_tracking_ref_tells() {
    let office = Office::open();
    office.alice().git(&office.dir, &["config", "core.logAllRefUpdates", "false"]).ok();
    fs::remove_dir_all(office.dir.join(".git/logs")).unwrap();
    office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.holds(1);
    let before = office.head();
    office.commit("two");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    assert!(!office.dir.join(".git/logs/refs/remotes/origin/dev/a").exists());
    office.cut(&before);
    found(&office.verify(), "unrecorded", "the server took a push of");
}

#[test]
fn a_push_that_died_before_the_gate_raises_no_alarm() {
    let office = Office::open();
    office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    let tip = office.commit("two");
    office.bank.on_server(&["config", "receive.maxInputSize", "1"]);
    office.push(&["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b"]).fails();
    office.bank.on_server(&["config", "receive.maxInputSize", "0"]);
    assert_eq!(office.count("note"), 1);
    office.holds(1);
    assert_eq!(office.count("note"), 1, "it may still be on its way");
    // A colleague pushes the same commit, from elsewhere: it is in the ledger, and fetching it proves nothing.
    let bob = office.bank.clone_of(&office.bank.bob);
    office.bank.bob.git(&bob, &["fetch", "-q", office.dir.to_str().unwrap(), "HEAD"]).ok();
    office.bank.bob.push(&bob, &[&format!("{tip}~1:refs/heads/dev/b")]).ok();
    office.bank.bob.push(&bob, &[&format!("{tip}:refs/heads/dev/b")]).ok();
    office.alice().git(&office.dir, &["fetch", "-q"]).ok();
    office.holds(2);
    // What never came is given up after a day.
    let text = fs::read_to_string(office.file()).unwrap();
    let note = office.lines().into_iter().find(|line| line["kind"] == "note").unwrap();
    fs::write(office.file(), text.replace(note["time"].as_str().unwrap(), "2026-01-01T00:00:00.000Z")).unwrap();
    office.holds(2);
    assert_eq!(office.count("note"), 0, "{:#?}", office.lines());
}

#[test]
fn every_way_to_push_is_settled() {
    let office = Office::open();
    let server = office.bank.server.to_str().unwrap();
    office.commit("one");
    office.push(&["--atomic", "HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b"]).ok();
    office.alice().git(&office.dir, &["push", "-q", server, "HEAD:refs/heads/dev/c"]).ok();
    assert_eq!(office.count("note"), 1, "the second push settled the first");
    office.push(&[":refs/heads/dev/b"]).ok();
    office.push(&["--no-verify", "HEAD:refs/heads/dev/d"]).ok();
    office.holds(4);
    assert_eq!(office.count("note"), 0);
    // Remote-tracking refs that are gone say nothing.
    office.alice().git(&office.dir, &["branch", "-dr", "origin/dev/a"]).ok();
    office.alice().git(&office.dir, &["fetch", "-q", "--prune"]).ok();
    office.holds(4);
    // A push to another repository is not noted.
    office.alice().git(office.bank.world.root(), &["init", "-q", "--bare", "fork.git"]).ok();
    office.alice().git(&office.dir, &["push", "-q", "../fork.git", "HEAD:refs/heads/x"]).ok();
    assert_eq!(office.count("note"), 0);
    // Tags.
    let (bob, dir) = (&office.bank.bob, office.bank.clone_of(&office.bank.bob));
    bob.git(&dir, &["tag", "-s", "-m", "release", "v1"]).ok();
    bob.push(&dir, &["v1"]).ok();
    let (code, of_bob) = report(bob, &dir, &[]);
    assert_eq!((code, &of_bob["receipts"]), (0, &json!(1)), "{of_bob:#}");
    // What `init --undo` takes back.
    office.alice().mledger(&office.dir, &["init", "--undo"]).ok();
    assert!(!office.file().exists());
}

#[test]
fn of_pushes_from_two_work_trees_none_is_lost() {
    let office = Office::open();
    let trees: Vec<PathBuf> = (0..3)
        .map(|number| {
            let name = format!("../tree{number}");
            office.alice().git(&office.dir, &["worktree", "add", "-q", "-b", &format!("b{number}"), &name]).ok();
            let tree = office.bank.world.path(&format!("tree{number}"));
            office.alice().commit(&tree, "models/a", &number.to_string());
            tree
        })
        .collect();
    std::thread::scope(|scope| {
        for (number, tree) in trees.iter().enumerate() {
            let alice = office.alice();
            scope.spawn(move || alice.push(tree, &[&format!("HEAD:refs/heads/dev/{number}")]).ok());
        }
    });
    office.holds(3);
}

#[test]
fn a_refusal_is_remembered_until_the_ref_is_accepted() {
    let office = Office::open();
    let refused = office.alice().commit_as(&office.dir, "models/a", "one", &["--no-gpg-sign", "-m", "one"]);
    office.push(&["HEAD:refs/heads/dev/a"]).fails();
    office.holds(0);
    let refusal = &office.lines()[0];
    let denial = office.bank.newest_push();
    assert_eq!(
        (&refusal["kind"], &refusal["index"], &refusal["reason"], &refusal["new"]),
        (&json!("refusal"), &denial["index"], &json!("commit-unsigned"), &json!(refused))
    );
    office.alice().git(&office.dir, &["commit", "-q", "--amend", "--no-edit", "-S"]).ok();
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.holds(1);
    assert_eq!(office.lines().len(), 1, "{:#?}", office.lines());
}

#[test]
fn an_admin_who_takes_a_ref_as_it_stands_explains_a_push_that_no_gate_saw() {
    let office = Office::open();
    office.commit("one");
    let hook = office.bank.server.join("hooks/pre-receive");
    fs::rename(&hook, hook.with_extension("off")).unwrap();
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    fs::rename(hook.with_extension("off"), &hook).unwrap();
    found(&office.verify(), "unrecorded", "the server took a push of");
    let carols = office.bank.clone_of(&office.bank.carol);
    let words = ["reconcile", "--reason", "the gate was off", "refs/heads/dev/a"];
    office.bank.carol.mledger(&carols, &words).ok();
    office.holds(0);
}

#[test]
fn whoever_edits_the_file_breaks_no_push_and_is_found() {
    let office = Office::open();
    office.commit("one");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    office.holds(1);
    let good = fs::read_to_string(office.file()).unwrap();
    // A receipt of another index, hash, ref or tip; one that was never given; lines that are none.
    for (old, new) in [
        ("\"index\":2", "\"index\":0"),
        ("\"index\":2", "\"index\":99999"),
        ("\"hash\":\"sha256:", "\"hash\":\"sha256:00"),
        ("refs/heads/dev/a", "refs/heads/dev/b"),
        ("\"kind\":\"receipt\"", "\"kind\":\"note\""),
        ("{", "\u{1b}[2J{"),
    ] {
        let bad = if new.ends_with("00") { flip(&good) } else { good.replacen(old, new, 1) };
        assert_ne!(bad, good, "{good}");
        fs::write(office.file(), &bad).unwrap();
        found(&office.verify(), "receipt", "");
        let shown = office.alice().mledger(&office.dir, &["verify"]);
        assert!(shown.code == Some(4) && !shown.out.contains('\u{1b}'), "{shown:#?}");
        let text = office.commit(new);
        office.push(&["HEAD:refs/heads/dev/a"]).ok();
        assert!(!text.is_empty());
    }
    // A note from the future, as after the clock went back, and one about a longer ledger.
    let note = |time: &str, size: u64| {
        let (new, name) = ("1".repeat(40), "refs/heads/dev/x");
        json!({ "kind": "note", "remote": "origin", "scanned": size, "size": size, "time": time,
                "updates": [{ "new": new, "ref": name }] })
        .to_string()
            + "\n"
    };
    fs::write(office.file(), note("2999-01-01T00:00:00.000Z", 1)).unwrap();
    office.lacks("receipt");
    assert!(office.lines()[0]["time"].as_str().unwrap() < "2999", "it ages from now on");
    fs::write(office.file(), note("2026-11-01T00:00:00.000Z", 99_999)).unwrap();
    found(&office.verify(), "rollback", "and had 99999 when a push was made here");
    // A thousand of them.
    let many: String = (0..1000).map(|_| note("2999-01-01T00:00:00.000Z", 1)).collect();
    fs::write(office.file(), many.repeat(3)).unwrap();
    office.commit("last");
    office.push(&["HEAD:refs/heads/dev/a"]).ok();
    assert_eq!(office.count("note"), 1024);
    office.verify();
    assert!(office.count("receipt") == 1);
}

/// The text with another first digit of its first hash.
fn flip(text: &str) -> String {
    let (before, after) = text.split_once("sha256:").unwrap();
    let digit = if after.starts_with('0') { "1" } else { "0" };
    format!("{before}sha256:{digit}{}", &after[1..])
}

#[test]
fn a_push_that_did_not_reach_the_ledger_is_settled_later() {
    let office = Office::open();
    let server = office.bank.server.display().to_string();
    let config = |words: &[&str]| office.alice().git(&office.dir, &[&["config"], words].concat()).ok();
    config(&["remote.origin.pushUrl", &server]);
    config(&["remote.origin.url", "../nowhere.git"]);
    office.commit("one");
    let run = office.push(&["HEAD:refs/heads/dev/a"]);
    assert!(run.code == Some(0) && run.err.contains("was not looked at"), "{run:#?}");
    assert_eq!(office.count("note"), 1);
    config(&["remote.origin.url", &server]);
    office.holds(1);
}

#[test]
fn a_receipt_from_the_terminal_is_demanded() {
    let office = Office::open();
    let before = office.head();
    office.commit("one");
    let run = office.push(&["HEAD:refs/heads/dev/a"]);
    let line = run.err.lines().find(|line| line.contains("receipt:")).unwrap().to_owned();
    let words = line.trim_start_matches("remote: mledger: receipt: ").trim().to_owned();
    let asked = |dir: &Path, words: &str| office.alice().mledger(dir, &["--json", "verify", "--receipt", words]);
    for words in [line.as_str(), &words, &format!("receipt: {words}")] {
        asked(&office.dir, words).ok();
        asked(&office.bank.server, words).ok();
    }
    let other = flip(&words);
    let run = asked(&office.dir, &other);
    assert!(run.code == Some(4) && run.out.contains("\"fork\"") && run.out.contains("the receipt"), "{run:#?}");
    for words in ["", "size 3", "size x root sha256:00", "size 0 root", &format!("{words} more"), &words[5..]] {
        assert_eq!(asked(&office.dir, words).code, Some(2), "{words}");
    }
    office.cut(&before);
    let run = asked(&office.bank.server, &words);
    assert!(run.code == Some(4) && run.out.contains("\"rollback\""), "{run:#?}");
}
