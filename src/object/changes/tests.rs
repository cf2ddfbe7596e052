use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::digest;
use crate::object::fixture::Sandbox;

const LIMITS: Limits = Limits { changes_max: 1000, tree_bytes_max: 1 << 20 };

#[derive(Debug, thiserror::Error)]
#[error("missing")]
struct Missing;

#[derive(Default)]
struct Objects(BTreeMap<Oid, Vec<u8>>);

impl Objects {
    fn put(&mut self, raw: Vec<u8>) -> Oid {
        let oid = digest::git_oid("tree", &raw);
        self.0.insert(oid, raw);
        oid
    }

    /// Writes the tree of these files; the content is the id.
    fn tree(&mut self, files: &BTreeMap<String, (Mode, u8)>) -> Oid {
        let mut entries: BTreeMap<String, (String, [u8; 20])> = BTreeMap::new();
        for (path, (mode, content)) in files {
            let Some((folder, _)) = path.split_once('/') else {
                entries.insert(path.clone(), (format!("{mode} {path}"), [*content; 20]));
                continue;
            };
            let inside =
                |(path, side): (&String, &_)| Some((path.strip_prefix(folder)?.strip_prefix('/')?.into(), *side));
            let oid = self.tree(&files.iter().filter_map(inside).collect());
            entries.insert(format!("{folder}/"), (format!("40000 {folder}"), *oid.as_bytes()));
        }
        let raw = entries.values().flat_map(|(head, oid)| [head.as_bytes(), b"\0", oid].concat()).collect();
        self.put(raw)
    }

    fn compare(
        &self,
        old: Option<Oid>,
        new: Option<Oid>,
        limits: Limits,
    ) -> Result<Vec<Change>, CompareError<Missing>> {
        compare(old, new, &mut |oid| self.0.get(oid).cloned().ok_or(Missing), limits)
    }
}

fn files(paths: &[(&str, Mode, u8)]) -> BTreeMap<String, (Mode, u8)> {
    paths.iter().map(|(path, mode, content)| ((*path).to_owned(), (*mode, *content))).collect()
}

fn shown(changes: &[Change]) -> Vec<String> {
    let side =
        |side: Option<(Mode, Oid)>| side.map_or("-".into(), |(mode, oid)| format!("{mode}:{}", oid.as_bytes()[0]));
    changes.iter().map(|change| format!("{} {} {}", side(change.old), side(change.new), change.path)).collect()
}

#[test]
fn every_kind_of_change_is_found() {
    let mut objects = Objects::default();
    let old = objects.tree(&files(&[
        ("a", Mode::File, 1),
        ("b", Mode::File, 1),
        ("c/d", Mode::File, 1),
        ("e", Mode::File, 1),
        ("same/x", Mode::File, 1),
    ]));
    let new = objects.tree(&files(&[
        ("a/x", Mode::File, 1),
        ("a/y", Mode::File, 2),
        ("a.b", Mode::File, 9),
        ("b", Mode::Executable, 1),
        ("c", Mode::Symlink, 1),
        ("e", Mode::Gitlink, 3),
        ("same/x", Mode::File, 1),
    ]));
    let expected = [
        "100644:1 - a",
        "- 100644:9 a.b",
        "- 100644:1 a/x",
        "- 100644:2 a/y",
        "100644:1 100755:1 b",
        "- 120000:1 c",
        "100644:1 - c/d",
        "100644:1 160000:3 e",
    ];
    assert_eq!(shown(&objects.compare(Some(old), Some(new), LIMITS).unwrap()), expected);
    assert_eq!(objects.compare(None, Some(old), LIMITS).unwrap().len(), 5);
    assert_eq!(objects.compare(Some(old), None, LIMITS).unwrap().len(), 5);
    assert_eq!(objects.compare(Some(old), Some(old), LIMITS).unwrap(), []);
}

#[test]
fn equal_subtrees_are_never_read() {
    let mut objects = Objects::default();
    let old = objects.tree(&files(&[("same/x", Mode::File, 1), ("a", Mode::File, 1)]));
    let same = objects.tree(&files(&[("x", Mode::File, 1)]));
    let new = objects.tree(&files(&[("same/x", Mode::File, 1), ("a", Mode::File, 2)]));
    objects.0.remove(&same);
    assert_eq!(shown(&objects.compare(Some(old), Some(new), LIMITS).unwrap()), ["100644:1 100644:2 a"]);
    let error = objects.compare(None, Some(new), LIMITS).unwrap_err();
    assert!(matches!(error, CompareError::Read { oid, .. } if oid == same), "{error}");
}

#[test]
fn costs_are_limited() {
    let mut objects = Objects::default();
    // Each level names the next one ten times: 10^8 paths in less than 4 KB.
    let mut bomb = objects.tree(&files(&[("x", Mode::File, 1)]));
    for _ in 0..8 {
        let raw = (b'a'..=b'j').flat_map(|name| [b"40000 ", &[name][..], b"\0", bomb.as_bytes()].concat()).collect();
        bomb = objects.put(raw);
    }
    let few = Limits { changes_max: 100, ..LIMITS };
    assert!(matches!(objects.compare(None, Some(bomb), few), Err(CompareError::TooManyChanges { max: 100 })));
    let small = Limits { tree_bytes_max: 5000, ..LIMITS };
    assert!(matches!(objects.compare(None, Some(bomb), small), Err(CompareError::TooManyBytes { max: 5000 })));

    let deep = |folders: usize| files(&[(&("d/".repeat(folders) + "x"), Mode::File, 1)]);
    let allowed = objects.tree(&deep(DEPTH_MAX));
    assert_eq!(objects.compare(None, Some(allowed), LIMITS).unwrap().len(), 1);
    let too_deep = objects.tree(&deep(DEPTH_MAX + 1));
    assert!(matches!(objects.compare(None, Some(too_deep), LIMITS), Err(CompareError::TooDeep)));

    let long = objects.tree(&files(&[(&(vec!["n".repeat(200); 21].join("/")), Mode::File, 1)]));
    assert!(matches!(objects.compare(None, Some(long), LIMITS), Err(CompareError::Path { .. })));
    let broken = objects.put(b"100644 a".to_vec());
    assert!(
        matches!(objects.compare(Some(broken), None, LIMITS), Err(CompareError::Tree { oid, .. }) if oid == broken)
    );
}

#[test]
fn real_git_finds_the_same() {
    let sandbox = Sandbox::new();
    sandbox.git(&["init", "-q"]);
    let tree = |writes: &[(&str, &str)], removes: &[&str]| {
        sandbox.remove(removes);
        for (path, content) in writes {
            sandbox.write(path, content.as_bytes());
        }
        sandbox.git(&["add", "-A"]);
        Oid::parse(&sandbox.git_text(&["write-tree"])).unwrap()
    };
    let old =
        tree(&[("a", "1"), ("m/n/o", "1"), ("m/n.o", "1"), ("m/n-o", "1"), ("z \u{e9}", "1"), ("same/s", "1")], &[]);
    let new = tree(&[("a.d/x", "1"), ("m/n/o", "2"), ("m/n/p", "2"), ("m.x", "2")], &["a", "m/n.o", "z \u{e9}"]);
    let mut read = |oid: &Oid| Ok::<_, Missing>(sandbox.git(&["cat-file", "tree", &oid.to_string()]));
    let line = |change: &Change| {
        let mode = |side: Option<(Mode, Oid)>| side.map_or("000000".into(), |(mode, _)| mode.to_string());
        let oid = |side: Option<(Mode, Oid)>| side.map_or("0".repeat(40), |(_, oid)| oid.to_string());
        let letter = if change.old.is_none() {
            "A"
        } else if change.new.is_none() {
            "D"
        } else {
            "M"
        };
        let (old, new) = (change.old, change.new);
        format!(":{} {} {} {} {letter}\t{}", mode(old), mode(new), oid(old), oid(new), change.path)
    };
    let ours: Vec<_> = compare(Some(old), Some(new), &mut read, LIMITS).unwrap().iter().map(line).collect();
    let git = ["diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", &old.to_string(), &new.to_string()];
    assert_eq!(ours.join("\n"), sandbox.git_text(&git));
}

proptest! {
    #[test]
    fn comparing_trees_is_comparing_lists(old in any_files(), new in any_files()) {
        let mut objects = Objects::default();
        let (old_tree, new_tree) = (objects.tree(&old), objects.tree(&new));
        let found = objects.compare(Some(old_tree), Some(new_tree), LIMITS).unwrap();
        let paths: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let side = |files: &BTreeMap<String, (Mode, u8)>, path| files.get(path).map(|(mode, content)| (*mode, Oid::from_bytes([*content; 20])));
        let expected: Vec<_> = paths.into_iter()
            .map(|path| Change { old: side(&old, path), new: side(&new, path), path: RepoPath::from_bytes(path.as_bytes()).unwrap() })
            .filter(|change| change.old != change.new)
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// Files of which none is another's folder.
fn any_files() -> impl Strategy<Value = BTreeMap<String, (Mode, u8)>> {
    let mode = proptest::sample::select(vec![Mode::File, Mode::Executable, Mode::Symlink, Mode::Gitlink]);
    proptest::collection::btree_map("[ab]{1,2}(/[a-]){0,2}", (mode, 1_u8..4), 0..8).prop_map(|mut files| {
        let paths: Vec<_> = files.keys().cloned().collect();
        let is_folder = |path: &String| paths.iter().any(|other| other.starts_with(&format!("{path}/")));
        files.retain(|path, _| !is_folder(path));
        files
    })
}
