use super::*;

const PROGRAM: &str = "/opt/it's here/mledger";

fn written(folder: &Path, name: &str, text: &str) {
    file::write(&folder.join(name), text).unwrap();
}

#[test]
fn shims_come_and_go_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path().join("hooks");
    let names = ["pre-push", "post-commit"];
    let all = |done| names.map(|name| (name, done)).to_vec();
    assert_eq!(install(&hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Installed));
    assert_eq!(install(&hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Unchanged));
    assert_eq!(install(&hooks, &names, Path::new("/elsewhere")).unwrap(), all(Done::Renewed));
    assert_eq!(undo(&hooks, &names).unwrap(), all(Done::Removed));
    assert_eq!(undo(&hooks, &names).unwrap(), all(Done::Unchanged));
    assert_eq!(fs::read_dir(&hooks).unwrap().count(), 0);
}

#[test]
fn what_was_there_is_kept_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path();
    let theirs = "#!/bin/sh\r\nexit 0 # \u{fc}";
    written(hooks, "pre-push", theirs);
    assert_eq!(install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap(), [("pre-push", Done::Chained)]);
    assert_eq!(install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap(), [("pre-push", Done::Unchanged)]);
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Restored)]);
    assert_eq!(fs::read_to_string(hooks.join("pre-push")).unwrap(), theirs);
    assert_eq!(fs::read_dir(hooks).unwrap().count(), 1);
}

#[test]
fn a_folder_counts_only_where_a_hook_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path();
    let names = ["pre-receive", "pre-push"];
    for name in names {
        fs::create_dir_all(hooks.join(format!("{name}.d"))).unwrap();
    }
    let all = |done| names.map(|name| (name, done)).to_vec();
    assert_eq!(install(hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Installed));
    assert_eq!(fs::read_dir(hooks.join("pre-receive.d")).unwrap().count(), 0);
    undo(hooks, &names).unwrap();
    for name in names {
        written(hooks, name, "#!/bin/sh\nfor hook in ${GIT_DIR}/hooks/${name}.d/*; do :; done\n");
    }
    let done = install(hooks, &names, Path::new(PROGRAM)).unwrap();
    assert_eq!(done, [("pre-receive", Done::Installed), ("pre-push", Done::Chained)]);
    assert!(is_ours(&fs::read(hooks.join("pre-receive.d/mledger")).unwrap()));
    assert_eq!(install(hooks, &names, Path::new(PROGRAM)).unwrap(), all(Done::Unchanged));
    assert_eq!(undo(hooks, &names).unwrap(), [("pre-receive", Done::Removed), ("pre-push", Done::Restored)]);
}

#[test]
fn hooks_that_replaced_ours_are_chained_in_order_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path();
    let again = || install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap()[0].1;
    for text in ["first", "second", "third"] {
        written(hooks, "pre-push", text);
        assert_eq!(again(), Done::Chained);
        assert_eq!(again(), Done::Unchanged);
    }
    let texts = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let hook = hooks.join("pre-push");
    assert_eq!(kept(&hook).iter().map(texts).collect::<Vec<_>>(), ["first", "second", "third"]);
    written(hooks, "pre-push", "second");
    assert_eq!((again(), kept(&hook).len()), (Done::Chained, 3), "an equal one would run twice");
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::RestoredNewest)]);
    assert_eq!((texts(&hook), kept(&hook).len()), ("third".to_owned(), 2));
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Foreign)]);
    assert_eq!(texts(&hook), "third");
}

#[test]
fn only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..9 {
        written(folder.path(), "pre-push", &format!("{n}"));
        install(folder.path(), &["pre-push"], Path::new(PROGRAM)).unwrap();
    }
    written(folder.path(), "pre-push", "one more");
    let refused = install(folder.path(), &["pre-push"], Path::new(PROGRAM)).unwrap_err();
    assert!(matches!(refused, InstallError::Many { most: 9, .. }), "{refused}");
    assert_eq!(fs::read_to_string(folder.path().join("pre-push")).unwrap(), "one more");
}

#[test]
fn a_program_that_writes_its_hook_anew_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path();
    let lfs = |version: &str| {
        format!("#!/bin/sh\ncommand -v git-lfs >/dev/null || exit {version}\ngit lfs pre-push \"$@\"\n")
    };
    let hook = hooks.join("pre-push");
    for version in ["1", "2"] {
        written(hooks, "pre-push", &lfs(version));
        install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap();
        assert_eq!(kept(&hook).len(), 1);
    }
    written(hooks, "pre-push", &lfs("3"));
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Unchanged)]);
    assert_eq!(fs::read_to_string(&hook).unwrap(), lfs("3"));
    assert_eq!(fs::read_dir(hooks).unwrap().count(), 1);
}

#[test]
fn ours_under_the_names_that_others_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = folder.path();
    let again = || install(hooks, &["pre-push"], Path::new(PROGRAM)).unwrap()[0].1;
    let hook = hooks.join("pre-push");
    let theirs = "#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\n";
    written(hooks, "pre-push", "mine");
    again();
    rename(&hook, &hooks.join("pre-push.legacy")).unwrap();
    written(hooks, "pre-push", theirs);
    assert_eq!(again(), Done::Unchanged, "pre-commit runs ours");
    assert_eq!(fs::read_to_string(&hook).unwrap(), theirs);
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Restored)]);
    assert_eq!(fs::read_to_string(hooks.join("pre-push.legacy")).unwrap(), "mine");
    assert_eq!(again(), Done::Chained);
    assert_eq!(fs::read_to_string(&hook).unwrap(), theirs, "pre-commit's stays in its place");
    assert!(is_ours(&fs::read(hooks.join("pre-push.legacy")).unwrap()));
    assert_eq!(undo(hooks, &["pre-push"]).unwrap(), [("pre-push", Done::Restored)]);
    assert_eq!(fs::read_to_string(hooks.join("pre-push.legacy")).unwrap(), "mine");
    fs::remove_file(hooks.join("pre-push.legacy")).unwrap();
    fs::remove_file(&hook).unwrap();

    written(hooks, "pre-push", "mine");
    again();
    rename(&hook, &hooks.join("pre-push.old")).unwrap();
    written(hooks, "pre-push", "#!/bin/sh\ncall_lefthook run \"pre-push\" \"$@\"\n");
    assert_eq!(again(), Done::Chained, "lefthook does not run ours");
    assert!(!is_there(&hooks.join("pre-push.old")));
    assert_eq!(kept(&hook).len(), 2);
}
