//! Rebases, picks, reverts and patches, with all that can happen on the way, and what is told at their end.

use crate::client::desk::{Desk, desk};
use crate::world::{Person, Run, write_script};

impl Desk {
    /// Alice with this list of things to do in a rebase; other editors leave what they are shown.
    fn todo(&self, lines: &str) -> Person {
        write_script(self.world.root(), "todo", &format!("#!/bin/sh\ncat > \"$1\" <<'END'\n{lines}\nEND\n"));
        let path = self.world.path("todo").display().to_string().replace(' ', "\\ ");
        self.editor("true").with("GIT_SEQUENCE_EDITOR", &path)
    }

    /// Goes on until Git is through: what conflicts is resolved by the number of the stop.
    fn go_on(&self, alice: &Person, mut run: Run, verb: &str) -> usize {
        let mut stops = 0;
        while run.code != Some(0) {
            stops += 1;
            assert!(stops < 9, "{run:#?}");
            self.write("file", &format!("resolved {stops}"));
            self.git("add -A");
            run = alice.git(&self.dir, &[verb, "--continue"]);
        }
        stops
    }
}

#[test]
fn a_list_of_everything() {
    let desk = desk();
    for name in ["base", "a", "b", "c", "d", "e", "f"] {
        desk.commit(name, name);
    }
    let list = "reword HEAD~5\nedit HEAD~4\nsquash HEAD~3\nfixup HEAD~2\nexec git commit -q --allow-empty -m executed\ndrop HEAD~1\nfixup -C HEAD\nbreak";
    let mut list = list.to_owned();
    for back in (0..6).rev() {
        let name = if back == 0 { "HEAD".to_owned() } else { format!("HEAD~{back}") };
        list = list.replace(&format!("{name}\n"), &format!("{}\n", desk.git(&format!("rev-parse {name}"))));
    }
    let alice = desk.todo(&list);
    alice.git(&desk.dir, &["rebase", "-q", "-i", "HEAD~6"]).ok();
    desk.write("split", "1");
    desk.git("add -A");
    desk.git("commit -q -m split");
    let run = alice.git(&desk.dir, &["rebase", "--continue"]);
    assert!(run.err.contains("Stopped") || run.code == Some(0), "{run:#?}");
    alice.git(&desk.dir, &["rebase", "--continue"]).ok();
    desk.check();
    assert_eq!(desk.git("log --reverse --format=%s"), "base\na\nb\nsplit\nf");
}

#[test]
fn fixups_that_amend_and_reword() {
    let desk = desk();
    desk.commit("a", "1");
    desk.commit("b", "1");
    desk.write("a", "2");
    desk.git("add a");
    let editor = desk.editor(r#"sed -i '3s/.*/New title\n\nTicket: 7/' "$1""#);
    editor.git(&desk.dir, &["commit", "-q", "--fixup=amend:HEAD~1"]).ok();
    desk.check();
    editor.git(&desk.dir, &["commit", "-q", "--fixup=reword:HEAD~1"]).ok();
    desk.check();
    desk.editor("true").git(&desk.dir, &["rebase", "-q", "-i", "--autosquash", "--root"]).ok();
    desk.check();
    assert_eq!(desk.git("rev-list --count HEAD"), "2");
    assert_eq!(desk.git("log -1 --format=%(trailers:key=Ticket,valueonly) HEAD").trim(), "7");
}

#[test]
fn merges_roots_and_branches_on_the_way() {
    let desk = desk();
    desk.commit("base", "1");
    desk.git("checkout -q -b topic");
    desk.commit("t1", "1");
    desk.git("branch middle");
    desk.git("checkout -q -b sub");
    desk.commit("s1", "1");
    desk.git("checkout -q topic");
    desk.commit("t2", "1");
    desk.git("merge -q --no-edit sub");
    desk.git("checkout -q main");
    desk.commit("m1", "1");
    desk.git("checkout -q topic");
    desk.write("t1", "not committed");
    desk.git("rebase -q -r --update-refs --autostash main");
    assert_eq!(desk.git("status --porcelain"), " M t1");
    desk.check();
    assert_eq!(desk.git("merge-base middle main"), desk.git("rev-parse main"));
    desk.git("stash -q");
    desk.git("rebase -q -r --root --force-rebase");
    desk.check();
    assert_eq!(desk.git("rev-list --count --merges HEAD"), "1");
}

#[test]
fn octopus_merges_and_merged_tags_on_the_way() {
    let desk = desk();
    desk.commit("base", "1");
    for name in ["x", "y", "z"] {
        desk.git(&format!("checkout -q -b {name} main"));
        desk.commit(name, "1");
    }
    desk.git("tag -s -m signed tagged");
    desk.git("checkout -q x");
    desk.git("merge -q -m octopus y z");
    desk.check();
    desk.git("checkout -q main");
    desk.commit("later", "1");
    desk.git("checkout -q x");
    desk.git("rebase -q -r main");
    desk.check();
    assert_eq!(desk.git("log -1 --format=%P").split(' ').count(), 3);
    desk.git("checkout -q main");
    desk.git("merge -q --no-edit tagged");
    desk.git("commit -q --amend --no-edit");
    assert!(desk.git("cat-file commit HEAD").contains("mergetag object"));
    desk.check();
    // What Git cannot write again is said to be lost.
    let said = desk.alice.mledger(&desk.dir, &["resign", "--all"]).ok();
    assert!(said.contains("the header `mergetag` could not be kept"), "{said}");
    desk.check();
}

#[test]
fn old_rebases_and_patches_that_conflict() {
    let desk = desk();
    desk.commit("file", "base\n");
    desk.git("checkout -q -b side");
    desk.commit("file", "side\n");
    desk.commit("other", "1");
    desk.git("checkout -q main");
    desk.commit("file", "main\n");
    desk.git("checkout -q -b applied side");
    let run = desk.try_git("rebase --apply main");
    assert_eq!(desk.go_on(&desk.editor("true"), run, "rebase"), 1);
    desk.check();
    desk.git("checkout -q -b skipped side");
    desk.try_git("rebase main").fails();
    desk.git("rebase --skip");
    desk.check();
    assert_eq!(desk.git("rev-list --count main..HEAD"), "1");
    desk.git("format-patch -q -o ../patches main~1..side");
    desk.git("checkout -q -b mailed main");
    let run = desk.try_git("am -q -3 ../patches/0001-file.patch ../patches/0002-other.patch");
    assert_eq!(desk.go_on(&desk.alice, run, "am"), 1);
    desk.check();
    assert_eq!(desk.git("rev-list --count main..HEAD"), "2");
}

#[test]
fn picks_and_reverts_of_all_kinds() {
    let desk = desk();
    desk.fork();
    desk.git("checkout -q side");
    desk.commit("second", "2");
    desk.git("checkout -q main");
    desk.git("merge -q --no-edit side");
    let merge = desk.git("rev-parse HEAD");
    desk.git(&format!("revert --no-edit -m 1 {merge}"));
    desk.check();
    desk.git("checkout -q -b other main~2");
    desk.git(&format!("cherry-pick -m 1 -x {merge}"));
    desk.check();
    desk.git("revert -n HEAD");
    desk.git("commit -q --no-edit");
    desk.git(&format!("cherry-pick -n -m 1 {merge}"));
    desk.git("commit -q -m picked");
    let alice = desk.editor(r#"sed -i '1s/^/Edited: /' "$1""#);
    alice.git(&desk.dir, &["revert", "-e", "HEAD"]).ok();
    alice.git(&desk.dir, &["cherry-pick", "-e", "--allow-empty", "--keep-redundant-commits", "HEAD~1"]).ok();
    desk.check();
    assert!(desk.git("log -1 --format=%s").starts_with("Edited: "));
}

#[test]
fn a_range_with_conflicts_is_told_of_once() {
    let desk = desk();
    desk.commit("file", "base");
    desk.git("checkout -q -b side");
    for name in ["one", "file", "two"] {
        desk.commit(name, "side");
    }
    desk.git("checkout -q main");
    desk.commit("file", "main");
    let alice = desk.editor("true");
    let run = alice.git(&desk.dir, &["cherry-pick", "main~1..side"]);
    assert!(!run.err.contains("mledger"), "{run:#?}");
    assert_eq!(desk.go_on(&alice, run, "cherry-pick"), 1);
    desk.check();
    desk.git("reset -q --hard main~3");
    let run = desk.try_git("-c commit.gpgSign=false cherry-pick side~2 side");
    assert_eq!(run.err.matches("mledger").count(), 2, "{run:#?}");
    assert!(run.err.contains("mledger: 2 of 2 commits are not signed"), "{run:#?}");
    assert!(run.err.contains("mend with `mledger resign`"), "{run:#?}");
    desk.alice.mledger(&desk.dir, &["resign"]).ok();
    desk.check();
    let run = desk.try_git("revert --no-edit HEAD HEAD~1");
    assert!(!run.err.contains("mledger"), "nothing is amiss: {run:#?}");
    desk.check();
}

#[test]
fn a_rebase_is_told_of_once() {
    let desk = desk();
    desk.fork();
    desk.git("checkout -q side");
    for name in ["a", "b", "c"] {
        desk.commit(name, "1");
    }
    for backend in ["--merge", "--apply"] {
        // On other commits than before, so that none comes out as it was.
        let onto = desk.git(&format!("commit-tree -m {backend} main^{{tree}} -p main"));
        desk.git(&format!("update-ref refs/heads/main {onto}"));
        desk.alice.git(&desk.dir, &["checkout", "-q", "main"]).ok();
        desk.git("commit -q --amend --no-edit --allow-empty");
        desk.git("checkout -q side");
        let run = desk.try_git(&format!("rebase --force-rebase {backend} main"));
        assert!(!run.err.contains("mledger"), "{backend}: nothing is amiss: {run:#?}");
        desk.check();
    }
    // Without our first hook the messages carry what they were bound to before.
    std::fs::rename(desk.dir.join(".git/hooks/prepare-commit-msg"), desk.world.path("kept")).unwrap();
    desk.git("commit -q --amend --allow-empty -m rebound");
    let onto = desk.git("commit-tree -m elsewhere main~1^{tree} -p main~1");
    let run = desk.try_git(&format!("rebase --merge --onto {onto} main"));
    assert!(run.err.contains("mledger: 4 of 4 commits are not signed, or bound to other contents"), "{run:#?}");
    assert_eq!(run.err.matches("mledger:").count(), 1, "{run:#?}");
    std::fs::rename(desk.world.path("kept"), desk.dir.join(".git/hooks/prepare-commit-msg")).unwrap();
    desk.alice.mledger(&desk.dir, &["resign"]).ok();
    desk.check();
    let run = desk.try_git("commit --amend --allow-empty --no-edit --no-gpg-sign");
    assert_eq!(run.err.matches("mledger:").count(), 1, "an amend is told of by one hook: {run:#?}");
}
