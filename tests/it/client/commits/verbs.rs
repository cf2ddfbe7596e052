//! Less common ways to commit and to merge, and repositories that are not plain.

use std::process::Command;

use crate::bank::Bank;
use crate::client::desk::{desk, newest_log};
use crate::world::write;

#[test]
fn parts_of_files_and_lists_of_paths() {
    let desk = desk();
    desk.commit("file", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    desk.commit("other", "1");
    desk.write("file", "one\n2\n3\n4\n5\n6\n7\n8\nnine\n");
    let mut command = Command::new("git");
    command.args(["commit", "-q", "-p", "-m", "one"]).current_dir(&desk.dir);
    desk.alice.run(&mut command, Some(b"s\ny\nn\n")).ok();
    desk.check();
    assert!(desk.git("show HEAD:file").ends_with('9'), "the other half is not committed");
    desk.write("other", "2");
    write(desk.world.root(), "paths", "other\n");
    desk.git("commit -q -m other --pathspec-from-file=../paths");
    desk.git("commit -q -i -m included file");
    desk.check();
    assert_eq!(desk.git("status --porcelain"), "");
}

#[test]
fn first_commits_and_heads_without_a_branch() {
    let desk = desk();
    desk.git("commit -q --allow-empty -m root");
    desk.git("checkout -q --orphan other");
    desk.commit("a", "1");
    desk.git("commit -q --amend -m amended-root");
    desk.git("checkout -q --detach");
    desk.commit("b", "1");
    desk.git("commit -q --amend -m amended");
    desk.check();
    desk.git("switch -q --orphan third");
    desk.git("commit -q --allow-empty -m third");
    desk.git("merge -q --allow-unrelated-histories -m joined main");
    desk.check();
}

#[test]
fn merges_of_every_kind() {
    let desk = desk();
    desk.fork();
    let run = desk.try_git("merge --no-edit side");
    assert!(run.err.contains(" signed by SHA256:"), "post-merge tells: {run:#?}");
    run.ok();
    desk.git("checkout -q side");
    let run = desk.try_git("merge main");
    assert!(!run.err.contains("mledger"), "a fast-forward makes nothing: {run:#?}");
    desk.commit("more", "1");
    desk.git("checkout -q main");
    desk.git("merge -q --no-ff -m no-ff side");
    desk.check();
    desk.git("checkout -q side");
    desk.commit("again", "1");
    desk.git("checkout -q main");
    desk.git("merge -q --no-ff --no-commit side");
    desk.write("extra", "evil");
    desk.git("add extra");
    desk.git("commit -q --no-edit");
    desk.check();
    let run = desk.try_git("-c commit.gpgSign=false merge --no-ff -m unsigned side~1");
    assert!(run.err.is_empty() || !run.err.contains("is not signed"), "nothing was merged: {run:#?}");
    desk.git("checkout -q -b late side~1");
    desk.commit("late", "1");
    desk.git("checkout -q main");
    let run = desk.try_git("-c commit.gpgSign=false merge -m unsigned late");
    assert!(run.err.contains("is not signed; mend it with `mledger resign`"), "{run:#?}");
    desk.alice.mledger(&desk.dir, &["resign"]).ok();
    desk.check();
    assert_eq!(desk.git("log -1 --format=%P").split(' ').count(), 2);
}

#[test]
fn subtrees_and_what_is_merged_in_by_strategy() {
    let desk = desk();
    desk.commit("a", "1");
    desk.git("checkout -q --orphan library");
    desk.git("rm -q -rf .");
    desk.commit("lib", "1");
    desk.git("checkout -q main");
    desk.git("merge -q -s ours --no-commit --allow-unrelated-histories library");
    desk.git("read-tree --prefix=vendor/ -u library");
    desk.git("commit -q -m vendored");
    desk.git("checkout -q library");
    desk.commit("lib", "2");
    desk.git("checkout -q main");
    desk.git("merge -q -X subtree=vendor -m updated library");
    desk.check();
    assert_eq!(desk.git("show HEAD:vendor/lib"), "2");
}

#[test]
fn pulls_with_merge_and_with_rebase() {
    let desk = desk();
    desk.commit("base", "1");
    desk.alice.git(desk.world.root(), &["clone", "-q", "model", "other"]).ok();
    let other = desk.world.path("other");
    desk.alice.mledger(&other, &["init"]).ok();
    for (round, how) in ["--no-rebase", "--rebase", "--rebase=merges"].into_iter().enumerate() {
        desk.commit(&format!("here{round}"), "1");
        desk.alice.commit(&other, &format!("there{round}"), "1");
        desk.alice.git(&other, &["pull", "-q", "--no-edit", how]).ok();
        desk.check_in(&other);
    }
}

#[test]
fn sparse_and_split_indexes_and_modules() {
    let desk = desk();
    for name in ["in/a", "out/b", "out/deep/c"] {
        desk.write(name, name);
    }
    desk.git("add -A");
    desk.git("commit -q -m base");
    desk.git("sparse-checkout set --cone --sparse-index in");
    desk.commit("in/a", "2");
    desk.git("sparse-checkout set --cone --no-sparse-index in");
    desk.git("update-index --split-index");
    desk.commit("in/d", "3");
    desk.check();
    assert!(!desk.dir.join("out").exists());
    assert_eq!(desk.git("ls-tree -r --name-only HEAD").lines().count(), 4);
    desk.alice.git(desk.world.root(), &["clone", "-q", "model", "module"]).ok();
    desk.git("-c protocol.file.allow=always submodule --quiet add ../module in/module");
    desk.git("commit -q -m module");
    desk.check();
}

#[test]
fn stashes_notes_and_replaced_objects_are_left_alone() {
    let desk = desk();
    desk.commit("a", "1");
    desk.commit("a", "2");
    desk.write("a", "3");
    desk.git("stash -q");
    assert!(!desk.git("log -1 --format=%B refs/stash").contains("Mledger"));
    desk.git("stash pop -q");
    desk.git("notes add -m reviewed");
    assert!(!desk.git("log -1 --format=%B refs/notes/commits").contains("Mledger"));
    // What replaces HEAD for reading does not replace it as a parent.
    let other = desk.git("commit-tree -m other HEAD^{tree}");
    desk.git(&format!("replace HEAD {other}"));
    desk.git("commit -q -a -m three");
    desk.git("replace -d HEAD~1");
    desk.check();
}

#[test]
fn environments_that_name_another_index_or_repository() {
    let desk = desk();
    desk.commit("a", "1");
    let index = desk.world.path("index");
    let alice = desk.alice.with("GIT_INDEX_FILE", index.to_str().unwrap());
    alice.git(&desk.dir, &["read-tree", "HEAD"]).ok();
    desk.write("b", "other index");
    alice.git(&desk.dir, &["add", "b"]).ok();
    alice.git(&desk.dir, &["commit", "-q", "-m", "b"]).ok();
    desk.git("reset -q");
    desk.check();
    let git_dir = desk.dir.join(".git");
    let alice = desk.alice.with("GIT_DIR", git_dir.to_str().unwrap());
    let alice = alice.with("GIT_WORK_TREE", desk.dir.to_str().unwrap());
    desk.write("c", "1");
    alice.git(desk.world.root(), &["add", "c"]).ok();
    alice.git(desk.world.root(), &["commit", "-q", "-m", "afar"]).ok();
    alice.git(desk.world.root(), &["commit", "-q", "--amend", "-m", "amended afar"]).ok();
    desk.check();
    assert_eq!(desk.git("show --format= --name-only HEAD"), "c");
    desk.git("-c core.hooksPath=/dev/null commit -q --amend --no-edit --no-gpg-sign");
    alice.mledger(&desk.dir, &["resign"]).ok();
    desk.check();
}

#[test]
fn the_newest_checkpoint_is_named_once_by_every_verb() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let alice = bank.alice.with("GIT_EDITOR", "true");
    let git = |line: &str| alice.git(&dir, &line.split(' ').collect::<Vec<_>>()).ok();
    let check = |commits: &str| {
        for commit in git(&format!("rev-list {commits}")).lines() {
            let message = git(&format!("log -1 --format=%B {commit}"));
            let logs: Vec<&str> = message.lines().filter(|line| line.starts_with("Mledger-Log")).collect();
            assert_eq!(logs, [format!("Mledger-Log: {}", newest_log(&dir))], "{message}");
        }
    };
    git("checkout -q -b dev");
    alice.commit(&dir, "models/a", "1");
    alice.commit(&dir, "models/b", "1");
    check("main..dev");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    let old = newest_log(&dir);
    alice.mledger(&dir, &["verify"]).ok();
    assert_ne!(newest_log(&dir), old, "the push made the ledger longer");
    git("commit -q --amend --no-edit");
    check("-1 dev");
    git("rebase -q --force-rebase main");
    check("main..dev");
    git("checkout -q -b side main");
    alice.commit(&dir, "models/c", "1");
    git("cherry-pick -x main..dev");
    git("revert --no-edit HEAD");
    git("merge -q --no-edit dev");
    check("main..side");
}
