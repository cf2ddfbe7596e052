//! A server that was restored from a backup, or lost what stands beside its ledger: refused with the next step, and
//! whole again after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::bank::{Bank, certified_anew, found, report};
use crate::world::Run;

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A bank whose newest checkpoint is kept on another volume, too, with a backup from before some pushes that Alice's
/// clone has seen.
struct Restored {
    bank: Bank,
    hers: PathBuf,
    backup: PathBuf,
}

impl Restored {
    fn new(words: &[&str]) -> Self {
        let bank = Bank::open_with("", words);
        let (hers, his) = (bank.clone_of(&bank.alice), bank.clone_of(&bank.bob));
        bank.alice.commit(&hers, "models/a", "one");
        bank.alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
        let backup = bank.world.path("backup");
        copy(&bank.server, &backup);
        bank.alice.commit(&hers, "models/a", "two");
        bank.alice.push(&hers, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/new"]).ok();
        bank.bob.commit(&his, "README", "his");
        bank.bob.push(&his, &["HEAD:refs/heads/main"]).ok();
        bank.alice.mledger(&hers, &["verify"]).ok();
        Self { bank, hers, backup }
    }

    fn restore(&self) {
        fs::remove_dir_all(&self.bank.server).unwrap();
        copy(&self.backup, &self.bank.server);
    }

    fn push(&self, spec: &str) -> Run {
        certified_anew(|| self.bank.alice.git(&self.hers, &["push", "--no-verify", "origin", spec]))
    }

    /// Types a line of advice as it stands, in the shell, with the folders for their stand-ins.
    fn type_line(&self, said: &str, begins: &str) -> Run {
        let lines = said.lines().map(|line| line.trim_start_matches("remote:").trim().trim_start_matches("try: "));
        let line = lines.map(str::trim).find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{said}"));
        let quoted = |path: &Path| format!("'{}'", path.display());
        let line = line.split(", ").next().unwrap().replace("SERVER", &quoted(&self.bank.server));
        let line = line.replace("CLONE/.git", &quoted(&self.hers.join(".git")));
        self.bank.carol.run(Command::new("sh").args(["-c", &line]).current_dir(self.bank.world.root()), None)
    }
}

#[test]
fn a_restored_server_goes_on_with_the_ledger_of_a_clone() {
    let elsewhere = tempfile::tempdir().unwrap();
    let third = elsewhere.path().join("models.checkpoint");
    let restored = Restored::new(&["--last-checkpoint", third.to_str().unwrap()]);
    let Restored { bank, hers, .. } = &restored;
    let whole = bank.holds();
    let (main, size) = (bank.tip("refs/heads/main"), bank.size());
    assert_eq!(fs::read(&third).unwrap(), fs::read(bank.server.join("mledger/last-checkpoint")).unwrap());
    restored.restore();

    // Everything in the repository is old, what stands beside the ledger included; the other volume is not.
    assert!(bank.size() < size);
    bank.found("rollback", "it was rolled back");
    let said = bank.stopped("it was set back, perhaps from a backup", || restored.push("HEAD:refs/heads/dev/b"));
    // Whoever follows it refuses it, too, before anything is sent.
    bank.stopped("the remote's ledger was rolled back", || bank.alice.push(hers, &["HEAD:refs/heads/dev/b"]));
    found(&report(&bank.alice, hers, &[]), "rollback", "rolled back");

    restored.type_line(&said, "git -C SERVER fetch").ok();
    assert_eq!((bank.size(), &bank.report().1["root"]), (size, &whole["root"]));
    // The clone follows it again. The refs are still old, and no entry explains that.
    bank.found("ref", "moved behind the gate");
    bank.found("ref", "it is gone, but the ledger put it at");
    bank.alice.mledger(hers, &["log"]).ok();
    let said = restored.push("HEAD:refs/heads/dev/a").fails();
    assert!(said.contains("moved behind the gate") && said.contains("mledger reconcile"), "{said}");
    let hers_too = bank.clone_of(&bank.carol);
    let listed = bank.carol.mledger(&hers_too, &["reconcile"]);
    assert_eq!((listed.code, listed.out.lines().count()), (Some(4), 3), "{listed:#?}");
    bank.carol.mledger(&hers_too, &["reconcile", "--reason", "restored from the backup of Monday night"]).ok();
    bank.holds();

    // What the backup lacked is pushed again, by those who have it.
    bank.alice.push(hers, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/new"]).ok();
    bank.bob.push(&bank.world.path("bob"), &["HEAD:refs/heads/main"]).ok();
    assert_eq!(bank.tip("refs/heads/main"), main);
    let now = bank.holds();
    assert_eq!(now["refs"], json!({ "covered": 3, "pending": 0 }));
    let (code, followed) = report(&bank.alice, hers, &[]);
    assert_eq!((code, &followed["root"]), (0, &now["root"]), "{followed:#}");
    // Each commit has one entry, however often it came.
    assert_eq!(now["entries"]["commit"], whole["entries"]["commit"]);
}

#[test]
fn a_checkpoint_elsewhere_is_set_later_too_and_missed_when_it_is_gone() {
    let restored = Restored::new(&[]);
    let bank = &restored.bank;
    let elsewhere = tempfile::tempdir().unwrap();
    let third = elsewhere.path().join("models.checkpoint");
    // By hand: it must be there before the ledger goes on.
    bank.on_server(&["config", "mledger.lastCheckpoint", third.to_str().unwrap()]);
    let said = bank.stopped("is missing, so a ledger set back could not be told", || restored.push("HEAD:dev/b"));
    restored.type_line(&said, "cp CLONE/.git/mledger/checkpoint").ok();
    restored.push("HEAD:refs/heads/dev/b").ok();
    bank.holds();
    // By `init`, which makes it.
    fs::remove_file(&third).unwrap();
    let moved = elsewhere.path().join("moved");
    bank.gate("", &["--last-checkpoint", moved.to_str().unwrap()]).ok();
    restored.push("HEAD:refs/heads/dev/c").ok();
    assert_eq!(fs::read(&moved).unwrap(), fs::read(bank.server.join("mledger/last-checkpoint")).unwrap());
    bank.holds();
    // Another ledger's is none.
    fs::write(&moved, fs::read_to_string(&moved).unwrap().replace("git.bank.example", "git.rest.example")).unwrap();
    let said = bank.stopped("does not hold a checkpoint of this ledger", || restored.push("HEAD:refs/heads/dev/d"));
    restored.type_line(&said, "cp CLONE/.git/mledger/checkpoint").ok();
    restored.push("HEAD:refs/heads/dev/d").ok();
}

#[test]
fn a_ledger_ref_that_was_rewound_or_removed_comes_back_from_a_clone() {
    let restored = Restored::new(&[]);
    let (bank, hers) = (&restored.bank, &restored.hers);
    let head = bank.on_server(&["rev-parse", "refs/mledger/log"]);
    for ruin in
        [&["update-ref", "refs/mledger/log", "refs/mledger/log~3"][..], &["update-ref", "-d", "refs/mledger/log"]]
    {
        let refs = bank.refs();
        bank.on_server(ruin);
        let said = restored.push("HEAD:refs/heads/dev/b").fails();
        assert!(said.contains("it has signed a checkpoint of"), "{said}");
        assert_eq!(bank.refs(), refs);
        bank.alice.push(hers, &["HEAD:refs/heads/dev/b"]).fails();
        // It is never begun anew: that would be another ledger under the same key.
        if bank.on_server(&["for-each-ref", "refs/mledger"]).is_empty() {
            let again = bank.gate("", &[]).fails();
            assert!(again.contains("the ledger is gone, but it has signed") && again.contains("fetch"), "{again}");
            assert!(bank.server.join("hooks/pre-receive").exists(), "the gate must stay closed");
        }
        restored.type_line(&said, "git -C SERVER fetch").ok();
        assert_eq!(bank.on_server(&["rev-parse", "refs/mledger/log"]), head);
        bank.holds();
    }
    restored.push("HEAD:refs/heads/dev/b").ok();
    bank.alice.mledger(hers, &["verify"]).ok();
    bank.holds();
}

#[test]
fn another_ledger_in_its_place_is_refused_and_put_right() {
    let restored = Restored::new(&[]);
    let (bank, hers) = (&restored.bank, &restored.hers);
    let head = bank.on_server(&["rev-parse", "refs/mledger/log"]);
    // The volume of the backup goes on by itself for a while, and comes back without the rest.
    let (server, whole) = (&bank.server, bank.world.path("whole"));
    copy(server, &whole);
    restored.restore();
    let his = bank.bare_clone_of(&bank.bob, "fork");
    bank.bob.mledger(&his, &["init"]).ok();
    for n in 0..6 {
        bank.bob.commit(&his, "models/b", &n.to_string());
        bank.bob.push(&his, &["HEAD:refs/heads/dev/bob"]).ok();
    }
    let fork = bank.world.path("forked");
    copy(server, &fork);
    fs::remove_dir_all(server).unwrap();
    copy(&whole, server);
    bank.on_server(&["fetch", "-q", fork.to_str().unwrap(), "+refs/mledger/log:refs/mledger/log"]);
    let said = bank.stopped("it was replaced", || restored.push("HEAD:refs/heads/dev/b"));
    restored.type_line(&said, "git -C SERVER bundle").ok();
    restored.type_line(&said, "git -C SERVER fetch").ok();
    assert_eq!(bank.on_server(&["rev-parse", "refs/mledger/log"]), head);
    restored.push("HEAD:refs/heads/dev/b").ok();
    bank.holds();
    bank.alice.mledger(hers, &["verify"]).ok();
}

#[test]
fn a_lost_key_says_what_is_lost() {
    let restored = Restored::new(&[]);
    let bank = &restored.bank;
    let push = || restored.push("HEAD:refs/heads/dev/b");
    let place = bank.server.join("mledger");
    let (key, vkey) = (fs::read(place.join("ledger.key")).unwrap(), fs::read(place.join("vkey")).unwrap());
    fs::remove_file(place.join("ledger.key")).unwrap();
    let said = bank.stopped("is missing; without it nothing can be appended", push);
    assert!(said.contains("try: put mledger/ledger.key and mledger/vkey back from your backup"), "{said}");
    fs::write(place.join("ledger.key"), &key).unwrap();
    // The public half is in every clone.
    fs::remove_file(place.join("vkey")).unwrap();
    let said = push().fails();
    assert!(said.contains("the ledger's public key") && said.contains("is missing"), "{said}");
    restored.type_line(&said, "cp CLONE/.git/mledger/vkey").ok();
    assert_eq!(fs::read(place.join("vkey")).unwrap(), vkey);
    // Another ledger's pair, fitting each other, signs nothing here.
    let other = Bank::open();
    for file in ["ledger.key", "vkey"] {
        fs::copy(other.server.join("mledger").join(file), place.join(file)).unwrap();
    }
    let said = push().fails();
    assert!(said.contains("the ledger's checkpoint does not hold"), "{said}");
    assert!(said.contains("mledger/ledger.key and mledger/vkey back from your backup"), "{said}");
    fs::write(place.join("ledger.key"), &key).unwrap();
    bank.carol.mledger(&bank.server, &["log", "--key", std::str::from_utf8(&vkey).unwrap().trim()]).ok();
    fs::write(place.join("vkey"), &vkey).unwrap();
    push().ok();
    bank.holds();
}

#[test]
fn entries_that_nobody_has_are_given_up_knowingly() {
    let restored = Restored::new(&[]);
    let Restored { bank, hers, .. } = &restored;
    // The last push before the server was lost: nobody has looked at the ledger since.
    bank.alice.commit(hers, "models/a", "last");
    let said = bank.alice.push(hers, &["HEAD:refs/heads/dev/a"]);
    assert!(said.err.contains("mledger: receipt: size"), "{said:#?}");
    said.ok();
    let lost = bank.size();
    let last = fs::read(bank.server.join("mledger/last-checkpoint")).unwrap();
    restored.restore();
    fs::write(bank.server.join("mledger/last-checkpoint"), last).unwrap();
    let push = || restored.push("HEAD:refs/heads/dev/b");
    let said = bank.stopped("it was set back", push);
    restored.type_line(&said, "git -C SERVER fetch").ok();
    let said = bank.stopped("it was set back", push);
    assert!(said.contains(&format!("it has signed a checkpoint of {lost}")), "{said}");
    bank.found("rollback", "it was rolled back");
    let help = bank.carol.mledger(bank.world.root(), &["reconcile", "--help"]).ok();
    restored.type_line(&help, "mv SERVER").ok();
    restored.type_line(&help, "cp CLONE").ok();
    bank.alice.mledger(hers, &["verify"]);
    let admin = bank.clone_of(&bank.carol);
    bank.carol.mledger(&admin, &["reconcile", "--reason", "restored; 3 entries are lost"]).ok();
    bank.alice.push(hers, &["HEAD:refs/heads/dev/a"]).ok();
    bank.holds();
    // The proof of what was lost stays, and proves it.
    let proof = bank.server.join("mledger/lost-checkpoint");
    let outcome = report(&bank.carol, &bank.server, &["--since", proof.to_str().unwrap()]);
    assert_eq!(outcome.0, 4, "{outcome:#?}");
}

#[test]
fn a_clone_gives_the_ledger_back_though_it_holds_the_newest_part_only() {
    let restored = Restored::new(&[]);
    let bank = &restored.bank;
    // A clone fetches no more than it needs, the newest 256 appends. One that begins now lacks those before.
    bank.grow(300);
    let late = bank.bare_clone_of(&bank.alice, "late");
    bank.alice.mledger(&late, &["init"]).ok();
    assert!(late.join(".git/mledger/log.git/shallow").exists());
    let (size, root) = (bank.size(), bank.holds()["root"].clone());
    let last = fs::read(bank.server.join("mledger/last-checkpoint")).unwrap();
    restored.restore();
    fs::write(bank.server.join("mledger/last-checkpoint"), last).unwrap();
    let said = bank.stopped("it was set back", || restored.push("HEAD:refs/heads/dev/b"));
    let late = Restored { hers: late, bank: restored.bank, backup: restored.backup };
    late.type_line(&said, "git -C SERVER fetch").ok();
    let bank = &late.bank;
    assert_eq!((bank.size(), &bank.report().1["root"]), (size, &root));
    // The ledger's chain has a gap now, of appends that are sealed since. It hides nothing else, and hurts nobody.
    assert!(bank.server.join("shallow").exists());
    let admin = bank.clone_of(&bank.carol);
    assert_eq!(bank.carol.git(&admin, &["rev-parse", "--is-shallow-repository"]).ok(), "false");
    bank.carol.mledger(&admin, &["reconcile", "--reason", "restored"]).ok();
    bank.alice.push(&late.hers, &["HEAD:refs/heads/dev/b"]).ok();
    bank.holds();
    bank.on_server(&["gc", "-q", "--prune=now"]);
    bank.on_server(&["fsck", "--full", "--strict"]);
    bank.alice.commit(&late.hers, "models/z", "z");
    bank.alice.push(&late.hers, &["HEAD:refs/heads/dev/b"]).ok();
    bank.holds();
    // One of the models' commits there would hide what lies behind it.
    let shallow = fs::read_to_string(bank.server.join("shallow")).unwrap();
    fs::write(bank.server.join("shallow"), shallow + &bank.tip("refs/heads/main") + "\n").unwrap();
    bank.found("oddity", "a shallow boundary");
}
