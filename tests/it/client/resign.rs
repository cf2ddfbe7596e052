//! `mledger resign`: one's own commits made anew, and nothing else moved or lost.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::desk::{Desk, desk};
use crate::bank::Bank;
use crate::world::{Person, Run, write, write_script};

/// What must stay of a commit: tree, author, date and message without our trailers.
fn essence(desk: &Desk, commit: &str) -> String {
    let raw = desk.alice.git(&desk.dir, &["log", "-1", "--format=%T %an %ae %ad%n%B", "--date=raw", commit]).ok();
    raw.lines().filter(|line| !line.starts_with("Mledger-")).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn essences(desk: &Desk) -> Vec<String> {
    let commits = desk.git("rev-list --topo-order HEAD");
    commits.lines().map(|commit| essence(desk, commit)).collect()
}

fn resign(desk: &Desk, words: &[&str]) -> Run {
    desk.alice.mledger(&desk.dir, &[&["resign"], words].concat())
}

/// Runs without hooks and signatures, as an IDE, a web editor or `jj` would.
fn bare(desk: &Desk, line: &str) {
    desk.git(&format!("-c core.hooksPath=/dev/null -c commit.gpgSign=false {line}"));
}

fn bare_commit(desk: &Desk, name: &str) {
    desk.write(name, name);
    desk.git("add -A");
    bare(desk, &format!("commit -q -m {name}"));
}

#[track_caller]
fn json(run: Run) -> Value {
    serde_json::from_str(&run.ok()).unwrap()
}

#[test]
fn commits_of_all_kinds_become_good_and_keep_what_they_are() {
    let desk = desk();
    bare_commit(&desk, "root");
    desk.git("checkout -q -b side");
    bare_commit(&desk, "s1");
    desk.git("checkout -q main");
    desk.write("m1", "m1");
    desk.git("add -A");
    let author = ["--author=Ünal Ö <unal@bank.example>", "--date=2001-02-03T04:05:06-0730"];
    let words = [&["-c", "core.hooksPath=/dev/null", "commit", "-q", "-F", "../message"][..], &author].concat();
    write(
        desk.world.root(),
        "message",
        "title\n\nbody\n\nTicket: 7\nMledger-Manifest: sha256:stale\nSigned-off-by: A <a@b.c>",
    );
    desk.alice.git(&desk.dir, &words).ok();
    bare(&desk, "merge -q --no-edit side");
    bare_commit(&desk, "after");
    bare(&desk, "commit -q --allow-empty -m empty");
    bare(&desk, "commit -q --allow-empty --allow-empty-message -m=");

    let (before, head) = (essences(&desk), desk.git("rev-parse HEAD"));
    desk.write("after", "not committed");
    desk.write("staged", "staged");
    desk.git("add staged");
    let status = desk.git("status --porcelain");
    let said = resign(&desk, &[]).ok();
    assert!(said.contains("signed anew: 7 commits on main") && said.contains("is not signed"), "{said}");
    desk.check();
    assert_eq!(essences(&desk), before);
    assert_eq!(desk.git("status --porcelain"), status);
    assert_eq!(desk.git("rev-parse ORIG_HEAD"), head);
    assert!(desk.git("reflog -1").contains("mledger resign: 7"), "{}", desk.git("reflog -1"));
    let parsed = desk.git("log --format=%(trailers:key=Ticket,valueonly) main");
    assert_eq!(parsed.trim(), "7");

    let again = resign(&desk, &[]).ok();
    assert!(again.contains("nothing to do"), "{again}");
    desk.git("reset -q --soft ORIG_HEAD");
    assert_eq!((desk.git("rev-parse HEAD"), desk.git("status --porcelain")), (head, status));
}

#[test]
fn good_commits_stay_unless_they_stand_on_bad_ones() {
    let desk = desk();
    desk.commit("good", "1");
    let good = desk.git("rev-parse HEAD");
    bare_commit(&desk, "bad");
    desk.commit("upon", "1");
    let plan = json(resign(&desk, &["--json", "--dry-run"]));
    assert_eq!((plan["commits"].as_array().unwrap().len(), &plan["moved"]), (2, &Value::Bool(false)), "{plan:#}");
    let made = json(resign(&desk, &["--json"]));
    assert_eq!(made["head"], desk.git("rev-parse HEAD"), "{made:#}");
    assert_eq!(made["commits"][1]["why"], "stands upon one that changes");
    assert_eq!(desk.git("rev-parse HEAD~2"), good);
    desk.check();
    let all = json(resign(&desk, &["--json", "--all"]));
    assert_eq!(all["commits"].as_array().unwrap().len(), 3, "{all:#}");
    desk.check();
}

#[test]
fn trailers_that_do_not_hold_are_renewed() {
    let desk = desk();
    desk.commit("a", "1");
    let stale = desk.git("log -1 --format=%B");
    write(desk.world.root(), "stale", &stale);
    write(desk.world.root(), "twice", &format!("{stale}\nMledger-Manifest: sha256:{}\n", "0".repeat(64)));
    for message in ["stale", "twice"] {
        desk.write("a", message);
        desk.git(&format!("-c core.hooksPath=/dev/null commit -q -a -S -F ../{message}"));
    }
    let made = json(resign(&desk, &["--json"]));
    assert_eq!(made["commits"][0]["why"], "binds another content", "{made:#}");
    assert!(made["commits"][1]["why"].as_str().unwrap().contains("stands upon"), "{made:#}");
    desk.check();
}

#[test]
fn a_detached_head_and_a_linked_work_tree_are_as_good_as_a_branch() {
    let desk = desk();
    desk.commit("a", "1");
    desk.git("checkout -q --detach");
    bare_commit(&desk, "b");
    resign(&desk, &[]).ok();
    desk.check();
    assert_eq!(desk.try_git("symbolic-ref -q HEAD").code, Some(1));
    desk.git("worktree add -q -b linked ../linked");
    let linked = desk.world.path("linked");
    let main = desk.git("rev-parse main");
    desk.alice.git(&linked, &["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "x"]).ok();
    write(&linked, "sub/file", "x");
    desk.alice.mledger(&linked.join("sub"), &["resign"]).ok();
    desk.check_in(&linked);
    assert_eq!(desk.git("rev-parse main"), main);
}

#[test]
fn nothing_moves_while_git_is_busy() {
    let desk = desk();
    bare_commit(&desk, "file");
    desk.git("checkout -q -b side");
    desk.commit("file", "side");
    desk.git("checkout -q main");
    desk.commit("file", "main");
    let head = desk.git("rev-parse HEAD");
    let lines = [
        ("merge -q side", "merge --abort"),
        ("rebase -q side", "rebase --abort"),
        ("rebase -q --apply side", "rebase --abort"),
        ("cherry-pick side", "cherry-pick --abort"),
        ("revert --no-edit HEAD~1", "revert --abort"),
    ];
    for (start, abort) in lines {
        desk.try_git(start).fails();
        let at = desk.git("rev-parse HEAD");
        let err = resign(&desk, &[]).fails();
        assert!(err.contains("is under way") && err.contains("--continue"), "{start}: {err}");
        assert_eq!(desk.git("rev-parse HEAD"), at);
        desk.git(abort);
    }
    assert_eq!(desk.git("rev-parse HEAD"), head);
    desk.git("bisect start");
    assert!(resign(&desk, &[]).fails().contains("git bisect reset"));
}

#[test]
fn other_refs_are_named_with_what_moves_them_or_moved() {
    let desk = desk();
    bare_commit(&desk, "a");
    desk.git("branch one;two");
    desk.git("tag light");
    desk.git("tag -a -m x --no-sign heavy");
    desk.git("worktree add -q -b elsewhere ../else");
    bare_commit(&desk, "b");
    let said = resign(&desk, &[]).ok();
    let new = desk.git("rev-parse --short=10 HEAD~1");
    for line in [
        format!("git branch -f 'one;two' {new}"),
        format!("git tag -f light {new}"),
        format!("git tag -s -f heavy {new}"),
        format!("reset --soft {new}"),
    ] {
        assert!(said.contains(&line), "no `{line}` in\n{said}");
    }
    desk.git("reset -q --soft ORIG_HEAD");
    let said = resign(&desk, &["--update-refs"]).ok();
    assert!(said.contains("'one;two' moved along") && said.contains("the tag light moved along"), "{said}");
    for name in ["one;two", "light"] {
        assert_eq!(desk.git(&format!("rev-parse {name}")), desk.git("rev-parse HEAD~1"));
    }
    assert_ne!(desk.git("rev-parse heavy^{commit}"), desk.git("rev-parse HEAD~1"));
    assert_ne!(desk.git("rev-parse elsewhere"), desk.git("rev-parse HEAD~1"));
}

#[test]
fn commits_of_others_are_theirs_to_sign() {
    let desk = desk();
    desk.commit("a", "1");
    let bob = desk.world.person("bob");
    write(&desk.dir, "bob", "b");
    bob.git(&desk.dir, &["add", "bob"]).ok();
    bob.git(&desk.dir, &["-c", "core.hooksPath=/dev/null", "commit", "-q", "--no-gpg-sign", "-m", "by bob"]).ok();
    let theirs = desk.git("rev-parse HEAD");
    let said = resign(&desk, &[]).ok();
    assert!(said.contains("left alone") && said.contains("bob@bank.example"), "{said}");
    bare_commit(&desk, "c");
    resign(&desk, &[]).ok();
    assert_eq!(desk.git("rev-parse HEAD~1"), theirs, "what stands upon theirs is mine to sign");
    desk.check_commit(&desk.dir, "HEAD");

    bare(&desk, "commit -q --amend --no-edit --allow-empty");
    bob.git(
        &desk.dir,
        &["-c", "core.hooksPath=/dev/null", "commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "2"],
    )
    .ok();
    let head = desk.git("rev-parse HEAD");
    let err = resign(&desk, &[]).fails();
    assert!(err.contains("a commit of others") && err.contains("mledger resign --others"), "{err}");
    assert_eq!(desk.git("rev-parse HEAD"), head);
    resign(&desk, &["--others"]).ok();
    desk.check();
    assert_eq!(desk.git("log -1 --format=%an/%cn"), "bob/alice");
    // What I made of theirs, by a rebase or a pick, is mine.
    desk.git("-c core.hooksPath=/dev/null commit -q --amend --no-edit --no-gpg-sign --allow-empty");
    resign(&desk, &[]).ok();
    desk.check();
}

#[test]
fn a_commit_that_somebody_else_made_in_my_name_is_pointed_at() {
    let desk = desk();
    desk.commit("a", "1");
    let mallory = desk.world.person("mallory");
    mallory.git(desk.world.root(), &["clone", "-q", "model", "theirs"]).ok();
    let theirs = desk.world.path("theirs");
    let forged = ["-c", "user.name=alice", "-c", "user.email=alice@bank.example", "commit", "-q", "-m", "forged"];
    write(&theirs, "models/backdoor", "x");
    mallory.git(&theirs, &["add", "-A"]).ok();
    mallory.git(&theirs, &forged).ok();
    desk.git("pull -q ../theirs main");
    bare_commit(&desk, "own");
    let plan = json(resign(&desk, &["--dry-run", "--json"]));
    let elsewhere: Vec<_> = plan["commits"].as_array().unwrap().iter().map(|row| &row["from_elsewhere"]).collect();
    assert_eq!(elsewhere, [true, false], "{plan:#}");
    let said = resign(&desk, &[]).ok();
    assert!(said.contains("is not signed (made elsewhere)") && said.contains("git show ID"), "{said}");
}

#[test]
fn what_is_pushed_is_left_unless_it_is_named() {
    let desk = desk();
    bare_commit(&desk, "a");
    bare_commit(&desk, "b");
    desk.alice.git(desk.world.root(), &["init", "-q", "--bare", "server.git"]).ok();
    desk.git("remote add origin ../server.git");
    desk.git("push -q origin main");
    let said = resign(&desk, &[]).ok();
    assert!(said.contains("nothing to do") && said.contains("mledger resign HEAD~1"), "{said}");
    bare_commit(&desk, "c");
    let made = json(resign(&desk, &["--json"]));
    assert_eq!((made["commits"].as_array().unwrap().len(), &made["pushed"]), (1, &Value::from(0)), "{made:#}");
    let said = resign(&desk, &["HEAD~2..HEAD"]).ok();
    assert!(
        said.contains("1 of these commits is pushed already") && said.contains("git push --force-with-lease"),
        "{said}"
    );
    let said = resign(&desk, &["--root"]).ok();
    assert!(said.contains("3 commits") && said.contains("1 of these commits is pushed already"), "{said}");
    desk.check();
    for (range, says) in [
        ("nowhere", "is no commit here"),
        ("HEAD~1..HEAD~1", "does not end at HEAD"),
        ("-x..", "is no range"),
        ("a...b", "is no range"),
    ] {
        let err = resign(&desk, &["--", range]).fails();
        assert!(err.contains(says), "{range}: {err}");
    }
}

#[test]
fn without_a_key_or_a_commit_nothing_happens() {
    let desk = desk();
    assert!(resign(&desk, &[]).ok().contains("nothing to do"));
    bare_commit(&desk, "a");
    bare_commit(&desk, "b");
    let (head, key) = (desk.git("rev-parse HEAD"), desk.alice.key_file());
    let refused = |says: &str, hint: &str| {
        let err = resign(&desk, &[]).fails();
        assert!(err.contains(says) && err.contains(hint), "{err}");
        assert_eq!(desk.git("rev-parse HEAD"), head);
        assert_eq!(desk.try_git("rev-parse -q --verify ORIG_HEAD").code, Some(1));
    };
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", "secret words", "-f"]).arg(&key);
    desk.alice.run(&mut keygen, None).ok();
    refused("has a passphrase", "ssh-add ");
    desk.git("config gpg.ssh.program false");
    refused("could not be made anew", "mledger init");
    desk.git("config --unset gpg.ssh.program");
    std::fs::remove_file(&key).unwrap();
    refused("could not be made anew", "mledger init");
    desk.git("config gpg.format openpgp");
    refused("not set up to sign", "mledger init");
    let bare_dir = desk.world.path("bare.git");
    desk.alice.git(desk.world.root(), &["init", "-q", "--bare", "bare.git"]).ok();
    assert!(desk.alice.mledger(&bare_dir, &["resign"]).fails().contains("no work tree"));
}

#[test]
fn a_failure_half_way_moves_nothing() {
    let desk = desk();
    for name in ["a", "b", "c"] {
        bare_commit(&desk, name);
    }
    let counter = desk.world.path("count").display().to_string();
    let script = format!(
        "#!/bin/sh\necho x >> '{counter}'\n[ $(wc -l < '{counter}') -lt 3 ] || exit 1\nexec ssh-keygen \"$@\"\n"
    );
    write_script(desk.world.root(), "signer", &script);
    desk.alice.git(&desk.dir, &["config", "gpg.ssh.program", desk.world.path("signer").to_str().unwrap()]).ok();
    let head = desk.git("rev-parse HEAD");
    resign(&desk, &[]).fails();
    assert_eq!(desk.git("rev-parse HEAD"), head);
    desk.git("config --unset gpg.ssh.program");
    // Somebody moves the branch while the commits are made.
    let script = format!(
        "#!/bin/sh\nssh-keygen \"$@\" || exit 1\ngit -C '{}' update-ref refs/heads/main main~1\n",
        desk.dir.display()
    );
    write_script(desk.world.root(), "mover", &script);
    desk.alice.git(&desk.dir, &["config", "gpg.ssh.program", desk.world.path("mover").to_str().unwrap()]).ok();
    let err = resign(&desk, &["HEAD~1"]).fails();
    assert!(err.contains("the branch could not be moved"), "{err}");
    assert_eq!(desk.git("rev-parse HEAD"), desk.git(&format!("rev-parse {head}~1")));
}

#[test]
fn messages_in_other_encodings_become_utf8() {
    let desk = desk();
    std::fs::write(desk.world.path("latin"), b"Gr\xfc\xdfe\n\nTicket: 7\n").unwrap();
    desk.git("-c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -F ../latin");
    let raw = Command::new("git").args(["cat-file", "commit", "HEAD"]).current_dir(&desk.dir).output().unwrap().stdout;
    assert!(raw.windows(6).any(|part| part == b"Gr\xfc\xdfe\n"), "{}", raw.escape_ascii());
    assert!(
        raw.windows(25).any(|part| part == b"Ticket: 7\nMledger-Manifest".get(..25).unwrap()),
        "{}",
        raw.escape_ascii()
    );
    let made = json(resign(&desk, &["--json"]));
    assert!(made["commits"][0]["why"].as_str().unwrap().contains("not UTF-8"), "{made:#}");
    assert_eq!(desk.git("log -1 --format=%s"), "Grüße");
    desk.check();
    desk.alice.write_object(&desk.dir, "blob", b"x");
    let head = desk.git("rev-parse HEAD");
    let who = "alice <alice@bank.example> 1 +0000";
    let tree = desk.git("rev-parse HEAD^{tree}");
    let raw =
        [format!("tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\n\n").as_bytes(), b"\xff\xfe\n"].concat();
    let odd = desk.alice.write_object(&desk.dir, "commit", &raw);
    desk.git(&format!("reset -q --soft {odd}"));
    assert!(resign(&desk, &[]).fails().contains("is not UTF-8"));
}

#[test]
fn headers_notes_and_replaced_objects() {
    let desk = desk();
    desk.commit("a", "1");
    let (tree, head) = (desk.git("rev-parse HEAD^{tree}"), desk.git("rev-parse HEAD"));
    let who = "alice <alice@bank.example> 1 +0000";
    let raw = format!("tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\nchange-id kxryzmor\n\nby jj\n");
    let by_jj = desk.alice.write_object(&desk.dir, "commit", raw.as_bytes());
    desk.git(&format!("reset -q --soft {by_jj}"));
    desk.git("notes add -m reviewed");
    desk.git("config notes.rewriteRef refs/notes/commits");
    desk.git(&format!("replace {by_jj} {head}"));
    let said = resign(&desk, &[]).ok();
    assert!(said.contains("the header `change-id` could not be kept"), "{said}");
    assert_eq!(desk.git("log -1 --format=%s"), "by jj");
    assert_eq!(desk.git("notes show"), "reviewed");
    desk.git(&format!("replace -d {by_jj}"));
    desk.check();
}

/// Everything that Git does afterwards: push, and the ledger takes it.
#[test]
fn a_refused_push_goes_through_after_the_command_that_the_refusal_names() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "1");
    bank.bob.git(&dir, &["commit", "-q", "--amend", "--no-edit", "--no-gpg-sign"]).ok();
    bank.bob.commit(&dir, "models/b", "1");
    let push = || bank.bob.git(&dir, &["push", "--no-verify", "origin", "main"]);
    let said = bank.refused("commit-unsigned", "try     mledger resign", push);
    assert!(!said.contains("git rebase"), "{said}");
    let plan = json(bank.bob.mledger(&dir, &["resign", "--dry-run", "--json"]));
    assert_eq!(plan["commits"].as_array().unwrap().len(), 2, "{plan:#}");
    bank.bob.mledger(&dir, &["resign"]).ok();
    assert_log(&bank.bob, &dir, "HEAD");
    assert_log(&bank.bob, &dir, "HEAD~1");
    bank.bob.push(&dir, &["main"]).ok();
    bank.holds();
    // What the ledger holds is left alone, whatever this clone calls its remotes.
    bank.bob.git(&dir, &["update-ref", "-d", "refs/remotes/origin/main"]).ok();
    bank.bob.git(&dir, &["update-ref", "-d", "refs/remotes/origin/HEAD"]).ok();
    bank.bob.mledger(&dir, &["verify"]).ok();
    let plan = json(bank.bob.mledger(&dir, &["resign", "--dry-run", "--json", "--all"]));
    assert_eq!(plan["commits"].as_array().unwrap().len(), 0, "{plan:#}");
}

#[test]
fn what_a_forge_made_is_told_apart() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    let (tree, head) = (bank.on_server(&["rev-parse", "main^{tree}"]), bank.tip("refs/heads/main"));
    let (bob, forge) = ("bob <bob@bank.example> 1795436102 +0000", "GitHub <noreply@github.com> 1795436102 +0000");
    let text = format!("tree {tree}\nparent {head}\nauthor {bob}\ncommitter {forge}\n\nMerge pull request #1 from x\n");
    let made = bank.bob.write_object(&dir, "commit", text.as_bytes());
    bank.bob.git(&dir, &["reset", "-q", "--hard", &made]).ok();
    let push = || bank.bob.git(&dir, &["push", "--no-verify", "origin", "main"]);
    let said = bank.refused("commit-unsigned", "no one can sign for its button", push);
    assert!(said.contains("mledger resign --others"), "{said}");
    let check = bank.bob.mledger(&dir, &["check", "--ref", "main"]);
    assert!(check.out.contains("no one can sign for its button"), "{check:#?}");
    bank.bob.mledger(&dir, &["resign", "--others"]).ok();
    bank.bob.push(&dir, &["main"]).ok();
    bank.holds();
}

#[test]
fn a_stale_manifest_is_refused_and_mended() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "1");
    bank.bob.commit(&dir, "models/b", "1");
    // A rebase by a program that runs no hooks carries what was bound to other parents.
    let words = ["-c", "core.hooksPath=/dev/null", "rebase", "-q", "--onto", "HEAD~2", "HEAD~1"];
    bank.bob.git(&dir, &words).ok();
    let push = || bank.bob.git(&dir, &["push", "--no-verify", "origin", "main"]);
    bank.refused("manifest-mismatch", "try     mledger resign", push);
    bank.bob.mledger(&dir, &["resign"]).ok();
    bank.bob.push(&dir, &["main"]).ok();
}

#[test]
fn commits_that_name_no_checkpoint_of_the_followed_ledger_are_renewed() {
    let bank = Bank::open();
    let dir = bank.bare_clone_of(&bank.alice, "alice");
    let key = bank.alice.key_file();
    for words in [["config", "gpg.format", "ssh"], ["config", "user.signingKey", key.to_str().unwrap()]] {
        bank.alice.git(&dir, &words).ok();
    }
    bank.alice.commit_as(&dir, "models/a", "1", &["-S", "-m", "before init"]);
    bank.alice.mledger(&dir, &["init"]).ok();
    bank.alice.mledger(&dir, &["resign"]).ok();
    assert_log(&bank.alice, &dir, "HEAD");
    bank.alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
}

/// The one log trailer is of the newest checkpoint that the clone has seen.
#[track_caller]
fn assert_log(person: &Person, dir: &Path, commit: &str) {
    let held = person.git(dir, &["log", "-1", "--format=%(trailers:key=Mledger-Log,valueonly)", commit]).ok();
    assert_eq!(held.trim(), super::desk::newest_log(dir), "{commit}");
}

#[test]
fn a_thousand_commits() {
    let desk = desk();
    desk.commit("models/0", "base");
    let base = desk.git("rev-parse HEAD");
    let made = desk.alice.import(&desk.dir, Some(&base), 1000);
    desk.git(&format!("reset -q --hard {}", made.last().unwrap()));
    let result = json(resign(&desk, &["--json"]));
    assert_eq!(result["commits"].as_array().unwrap().len(), 1000);
    for commit in ["HEAD", "HEAD~500", "HEAD~999"] {
        desk.check_commit(&desk.dir, commit);
    }
    assert_eq!(desk.git("rev-parse HEAD~1000"), base);
    assert_eq!(json(resign(&desk, &["--json"]))["moved"], false);
}
