//! Whatever way of Git makes a commit: it is signed, and its trailer holds the digest of what it changes.

mod messages;
mod rewriting;
mod speed;
mod verbs;

use super::desk::desk;
use crate::world::{MLEDGER, write, write_script};

#[test]
fn plain_commits() {
    let desk = desk();
    desk.commit("root", "1");
    desk.commit("models/credit/model.json", "{}");
    desk.write("root", "2");
    desk.write("staged", "s");
    desk.git("add staged");
    desk.git("commit -q -m all -a");
    desk.git("commit -q -m empty --allow-empty");
    desk.git("rm -q staged");
    desk.git("commit -q -m gone");
    desk.write("message", "title\n\nbody\n\nTicket: 7\nMledger-Manifest: sha256:stale\n");
    desk.git("commit -q --allow-empty -F message");
    desk.git("commit -q --allow-empty -C HEAD");
    desk.git("commit -q --allow-empty -m signed-off -s");
    desk.git("commit -q --allow-empty --no-verify -m unverified");
    desk.git("commit -q --allow-empty --fixup HEAD~1");
    desk.check();
    assert_eq!(desk.git("rev-list --count HEAD"), "10");
}

#[test]
fn odd_names_modes_links_and_submodules() {
    let desk = desk();
    for name in ["a b", "tab\there", "quote\"d", "ümlaut", "a.b/c", "a/b", "a-b"] {
        desk.write(name, name);
    }
    desk.git("add -A");
    desk.git("commit -q -m names");
    write_script(&desk.dir, "a/b", "a/b");
    std::os::unix::fs::symlink("a/b", desk.dir.join("link")).unwrap();
    desk.git("add -A");
    desk.git("commit -q -m modes");
    std::fs::remove_file(desk.dir.join("link")).unwrap();
    desk.write("link/now a folder", "x");
    desk.git("add -A");
    let head = desk.git("rev-parse HEAD");
    desk.git(&format!("update-index --add --cacheinfo 160000,{head},vendor"));
    desk.git("commit -q -m submodule");
    desk.check();
    assert_eq!(desk.git("rev-list --count HEAD"), "3");
}

#[test]
fn partial_commits_leave_the_rest_of_the_index_out() {
    let desk = desk();
    desk.commit("a", "1");
    desk.write("a", "2");
    desk.write("b", "staged and not meant");
    desk.git("add b");
    desk.git("commit -q -m only-a a");
    desk.write("c", "intended");
    desk.git("add -N c");
    desk.git("commit -q -m b");
    desk.check();
    assert_eq!(desk.git("show --format= --name-only HEAD"), "b");
}

#[test]
fn amends() {
    let desk = desk();
    desk.commit("root", "1");
    desk.write("root", "2");
    desk.git("commit -q -a --amend --no-edit");
    desk.check();
    desk.git("commit -q --amend -m retitled");
    desk.check();
    desk.commit("next", "1");
    desk.write("next", "2");
    desk.git("commit -q -a --am -m next");
    desk.check();
}

#[test]
fn amends_of_merges_and_by_aliases() {
    let desk = desk();
    desk.fork();
    desk.git("merge -q --no-edit side");
    desk.write("late", "x");
    desk.git("add late");
    desk.git("commit -q --amend --no-edit");
    desk.check();
    assert_eq!(desk.git("log -1 --format=%P").split(' ').count(), 2);
    desk.alice.git(&desk.dir, &["config", "alias.fix", "commit -q -a --amend --no-edit"]).ok();
    desk.alice.git(&desk.dir, &["config", "alias.fox", "!git commit -q -a --amend --no-edit"]).ok();
    for alias in ["fix", "fox"] {
        desk.write("late", alias);
        desk.git(alias);
        desk.check();
    }
}

#[test]
fn editors() {
    let desk = desk();
    desk.commit("root", "1");
    desk.write("a", "1");
    desk.git("add a");
    let alice = desk.editor(r#"sed -i '1s/^/A title/' "$1""#);
    alice.git(&desk.dir, &["commit", "-q"]).ok();
    desk.check();
    assert_eq!(desk.git("log -1 --format=%s"), "A title");
    alice.git(&desk.dir, &["commit", "-q", "-v", "--amend"]).ok();
    assert_eq!(desk.git("log -1 --format=%s"), "A titleA title");
    for character in [";", "auto", "//"] {
        desk.alice.git(&desk.dir, &["config", "core.commentString", character]).ok();
        alice.git(&desk.dir, &["commit", "-q", "--allow-empty"]).ok();
        desk.check();
    }
}

#[test]
fn leaving_the_editor_without_a_word_aborts() {
    let desk = desk();
    desk.commit("root", "1");
    let alice = desk.editor("true");
    let head = desk.git("rev-parse HEAD");
    for words in [&["commit", "--allow-empty"][..], &["commit", "--allow-empty", "-v"]] {
        let err = alice.git(&desk.dir, words).fails();
        assert!(err.contains("empty commit message"), "{err}");
    }
    let alice = desk.editor(r#": > "$1""#);
    alice.git(&desk.dir, &["commit", "--allow-empty"]).fails();
    assert_eq!(desk.git("rev-parse HEAD"), head);
}

#[test]
fn merges() {
    let desk = desk();
    desk.fork();
    desk.git("merge -q --no-edit side");
    desk.check();
    desk.git("checkout -q -b left");
    desk.commit("left-file", "l");
    desk.git("checkout -q -b right main");
    desk.commit("right-file", "r");
    desk.git("checkout -q main");
    desk.commit("trunk", "t");
    desk.git("merge -q -m octopus left right");
    desk.check();
    assert_eq!(desk.git("log -1 --format=%P").split(' ').count(), 3);
    desk.git("checkout -q -b ours HEAD~1");
    desk.commit("undone", "u");
    desk.git("checkout -q main");
    desk.git("merge -q -s ours --no-edit ours");
    desk.check();
    desk.git("checkout -q -b squashed side");
    desk.git("merge -q --squash main");
    desk.git("commit -q --no-edit");
    desk.check();
}

#[test]
fn merges_with_conflicts() {
    let desk = desk();
    desk.commit("file", "base");
    desk.git("checkout -q -b side");
    desk.commit("file", "side");
    desk.git("checkout -q main");
    desk.commit("file", "main");
    desk.try_git("merge -q side").fails();
    desk.write("file", "resolved");
    desk.git("add file");
    desk.git("commit -q --no-edit");
    desk.check();
    desk.git("reset -q --hard HEAD~1");
    desk.try_git("merge -q side").fails();
    desk.write("file", "resolved");
    desk.git("add file");
    desk.editor("true").git(&desk.dir, &["merge", "--continue"]).ok();
    desk.check();
}

#[test]
fn rebases() {
    let desk = desk();
    desk.fork();
    desk.git("checkout -q side");
    desk.commit("second", "2");
    desk.write("side-file", "fixed");
    desk.git("commit -q -a --fixup HEAD~1");
    desk.write("second", "squashed");
    desk.git("commit -q -a -m note --squash HEAD~1");
    desk.git("rebase -q main");
    desk.check();
    desk.editor("true").git(&desk.dir, &["rebase", "-q", "-i", "--autosquash", "main"]).ok();
    desk.check();
    assert_eq!(desk.git("rev-list --count main..HEAD"), "2");
    let alice = desk.editor(r#"sed -i '1s/^/Reworded: /' "$1""#).with("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/reword/");
    alice.git(&desk.dir, &["rebase", "-q", "-i", "main"]).ok();
    desk.check();
    assert!(desk.git("log -1 --format=%s").starts_with("Reworded: "));
    desk.git("rebase -q --force-rebase --exec true main");
    desk.check();
}

#[test]
fn rebases_that_stop() {
    let desk = desk();
    desk.commit("file", "base");
    desk.git("checkout -q -b side");
    desk.commit("file", "side");
    desk.commit("other", "1");
    desk.write("file", "side, fixed");
    desk.git("commit -q -a --fixup HEAD~1");
    desk.git("checkout -q main");
    desk.commit("file", "main");
    desk.git("checkout -q side");
    let alice = desk.editor("true");
    let mut run = alice.git(&desk.dir, &["rebase", "-i", "--autosquash", "main"]);
    let mut stops = 0;
    while run.code != Some(0) {
        stops += 1;
        assert!(stops < 5, "{run:#?}");
        desk.write("file", &format!("resolved {stops}"));
        desk.git("add -A");
        run = alice.git(&desk.dir, &["rebase", "--continue"]);
    }
    assert!(stops > 1, "the fixup stops as well");
    desk.check();
    let alice = desk.alice.with("GIT_SEQUENCE_EDITOR", "sed -i s/^pick/edit/");
    alice.git(&desk.dir, &["rebase", "-q", "-i", "HEAD~1"]).ok();
    desk.write("other", "edited");
    desk.git("commit -q -a --amend --no-edit");
    desk.git("rebase --continue");
    desk.check();
}

#[test]
fn patches_and_the_old_rebase() {
    let desk = desk();
    desk.fork();
    desk.git("checkout -q side");
    desk.commit("second", "2");
    desk.git("rebase -q --apply main");
    desk.check();
    desk.git("format-patch -q -o ../patches main");
    desk.git("checkout -q -b applied main");
    for patch in ["0001-side-file.patch", "0002-second.patch"] {
        desk.git(&format!("am -q ../patches/{patch}"));
    }
    desk.check();
    assert_eq!(desk.git("rev-parse HEAD^{tree}"), desk.git("rev-parse side^{tree}"));
}

#[test]
fn cherry_picks_and_reverts() {
    let desk = desk();
    desk.fork();
    desk.git("checkout -q side");
    desk.commit("second", "2");
    desk.git("checkout -q main");
    desk.git("cherry-pick -x main..side");
    desk.git("revert --no-edit HEAD");
    desk.git("revert --no-edit HEAD~1..HEAD");
    desk.check();
    desk.commit("side-file", "changed");
    desk.git("checkout -q -b stop side");
    desk.commit("side-file", "otherwise");
    desk.try_git("cherry-pick main").fails();
    desk.write("side-file", "resolved");
    desk.git("add -A");
    desk.editor("true").git(&desk.dir, &["cherry-pick", "--continue"]).ok();
    desk.check();
    desk.git("cherry-pick --allow-empty --keep-redundant-commits HEAD");
    desk.check();
}

#[test]
fn linked_work_trees_and_other_git_dirs() {
    let desk = desk();
    desk.commit("root", "1");
    desk.git("worktree add -q ../linked");
    let linked = desk.world.path("linked");
    write(&linked, "file", "1");
    desk.alice.git(&linked, &["add", "-A"]).ok();
    desk.alice.git(&linked, &["commit", "-q", "-m", "linked"]).ok();
    desk.check_in(&linked);
    let elsewhere = desk.world.root();
    let git_dir = format!("--git-dir={}", desk.dir.join(".git").display());
    let work_tree = format!("--work-tree={}", desk.dir.display());
    desk.alice.git(elsewhere, &[&git_dir, &work_tree, "commit", "-q", "--allow-empty", "-m", "afar"]).ok();
    write(&desk.dir, "sub/file", "1");
    desk.git("add -A");
    desk.alice.git(&desk.dir.join("sub"), &["commit", "-q", "-m", "from a folder"]).ok();
    desk.check();
}

#[test]
fn the_shallow_boundary_can_be_amended() {
    let desk = desk();
    desk.commit("a", "1");
    desk.commit("b", "1");
    let url = format!("file://{}", desk.dir.display());
    desk.alice.git(desk.world.root(), &["clone", "-q", "--depth=1", &url, "shallow"]).ok();
    let shallow = desk.world.path("shallow");
    desk.alice.mledger(&shallow, &["init"]).ok();
    desk.alice.git(&shallow, &["commit", "-q", "--amend", "-m", "amended"]).ok();
    desk.check_in(&shallow);
}

#[test]
fn a_partial_clone_fetches_what_the_manifest_needs() {
    let desk = desk();
    desk.fork();
    desk.git("config uploadpack.allowFilter true");
    desk.git("config uploadpack.allowAnySHA1InWant true");
    let url = format!("file://{}", desk.dir.display());
    desk.alice.git(desk.world.root(), &["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "partial"]).ok();
    let partial = desk.world.path("partial");
    desk.alice.mledger(&partial, &["init"]).ok();
    desk.alice.git(&partial, &["read-tree", "HEAD"]).ok();
    desk.alice.git(&partial, &["rm", "-q", "--cached", "base", "main-file"]).ok();
    desk.alice.git(&partial, &["commit", "-q", "-m", "gone, and never seen here"]).ok();
    desk.check_commit(&partial, "HEAD");
}

#[test]
fn feedback_says_what_is_wrong_and_how_to_mend_it() {
    let desk = desk();
    let run = desk.try_git("commit --allow-empty -m fine");
    assert!(run.err.contains(" signed by SHA256:"), "{run:#?}");
    let run = desk.try_git("commit --allow-empty --no-gpg-sign -m unsigned");
    assert!(run.err.contains("is not signed; mend it with `mledger resign`"), "{run:#?}");
    let run = desk.try_git("commit --amend --no-edit --allow-empty");
    assert!(run.err.contains(" signed by SHA256:"), "{run:#?}");
    std::fs::remove_file(desk.dir.join(".git/hooks/prepare-commit-msg")).unwrap();
    let run = desk.try_git("commit --allow-empty -m unbound");
    assert!(run.err.contains("is signed, and binds no content"), "{run:#?}");
    desk.git("checkout -q HEAD~1");
    desk.write("a", "1");
    desk.git("add -A");
    let run = desk.try_git("commit -C HEAD");
    assert!(run.err.contains("is signed for another content"), "{run:#?}");
}

#[test]
fn a_commit_goes_on_without_the_program() {
    let desk = desk();
    let copy = desk.world.path("mledger");
    std::fs::copy(MLEDGER, &copy).unwrap();
    let init = desk.alice.run(std::process::Command::new(&copy).arg("init").current_dir(&desk.dir), None);
    init.ok();
    std::fs::remove_file(&copy).unwrap();
    desk.write("a", "1");
    desk.git("add -A");
    let run = desk.try_git("commit -m a");
    assert!(run.err.contains("mledger: not found"), "{run:#?}");
    run.ok();
}
