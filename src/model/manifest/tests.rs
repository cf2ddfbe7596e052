use proptest::prelude::*;

use super::*;
use crate::object::fixture::vectors;

fn text(name: &str) -> String {
    let raw = vectors("valid/manifest").into_iter().find(|(found, _)| found == name).unwrap().1;
    String::from_utf8(raw).unwrap()
}

#[test]
fn vectors_are_judged() {
    for (name, raw) in vectors("valid/manifest") {
        let manifest = Manifest::parse(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(manifest.to_text().as_bytes(), raw, "{name}");
        assert_eq!(manifest.digest(), sha256(&raw), "{name}");
    }
    for (name, raw) in vectors("invalid/manifest") {
        assert!(Manifest::parse(&raw).is_err(), "{name}");
    }
}

#[test]
fn every_field_is_read() {
    let manifest = Manifest::parse(text("every-kind").as_bytes()).unwrap();
    let [changes] = manifest.parents() else { panic!("one parent") };
    let line = |path: &str| changes.lines.iter().find(|line| line.path.as_bytes() == path.as_bytes()).unwrap();
    let pointer = line("model \u{e9}.onnx").new.unwrap();
    assert!(matches!(pointer, New::Blob { bytes: 132, lfs: Some(LfsPointer { bytes: 73_400_320, .. }), .. }));
    assert!(matches!(line("a b  c ").old, Some(Old::Blob { mode: Mode::File, .. })));
    assert_eq!(line("a b  c ").new, None);
    assert_eq!(line("t5").old.unwrap().mode(), Mode::Gitlink);
    assert_eq!(line("t5").new.unwrap().mode(), Mode::Executable);
    let tricky = format!("lfs-sha256:{} 5 x", "0".repeat(64));
    assert!(matches!(line(&tricky).new, Some(New::Blob { lfs: None, .. })));
    assert_eq!(manifest.touched().len(), changes.lines.len());
}

#[test]
fn refusals_name_the_line() {
    let root = text("root");
    for (raw, expected) in [
        (root.replace("manifest 1", "manifest 2"), ManifestError::Version),
        (root.replace("A 0", "M 0"), ManifestError::Line { number: 3 }),
        (root.replace("parent -", "parent x"), ManifestError::Line { number: 2 }),
        (root.replace("parent -\n", ""), ManifestError::Line { number: 2 }),
        (root.replace("parent -\n", "parent -\nparent -\n"), ManifestError::Parents),
        (root.trim_end().to_owned(), ManifestError::NotText),
        (root.clone() + root.lines().last().unwrap() + "\n", ManifestError::Entry(RepoPath::parse("a").unwrap())),
    ] {
        assert_eq!(Manifest::parse(raw.as_bytes()).unwrap_err(), expected);
    }
    let long = vec![b' '; TEXT_BYTES_MAX + 1];
    assert_eq!(Manifest::parse(&long).unwrap_err(), ManifestError::TooLong { bytes: TEXT_BYTES_MAX + 1 });
}

#[test]
fn values_that_no_mode_allows_are_refused() {
    let path = RepoPath::parse("a").unwrap();
    let lfs = Some(LfsPointer { bytes: 1, sha256: sha256(b"") });
    let blob = |mode, lfs| Some(New::Blob { bytes: 1, lfs, mode, sha256: sha256(b"") });
    let old = |mode| Some(Old::Blob { mode, sha256: sha256(b"") });
    let check = |old, new| {
        let lines = vec![Line { new, old, path: path.clone() }];
        Manifest::new(vec![ParentChanges { lines, parent: None }]).is_ok()
    };
    assert!(check(None, blob(Mode::File, lfs)) && check(old(Mode::File), blob(Mode::Executable, None)));
    assert!(!check(None, None) && !check(old(Mode::File), blob(Mode::File, lfs)));
    assert!(!check(None, blob(Mode::Gitlink, None)) && !check(old(Mode::Gitlink), None));
    assert!(!check(None, blob(Mode::Symlink, lfs)));
    assert_eq!(Manifest::new(vec![]), Err(ManifestError::Parents));
}

#[test]
fn only_canonical_lfs_pointers_count() {
    let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let good = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
    assert_eq!(
        lfs_pointer(good.as_bytes()),
        Some(LfsPointer { bytes: 12345, sha256: Digest::parse_hex(oid).unwrap() })
    );
    for bad in [
        String::new(),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        good.clone() + "\n",
        good.replace("git-lfs.github.com/spec/v1", "hawser.github.com/spec/v1"),
        good.replace("oid", "ext-0-foo sha256:00\noid"),
        good.replace("12345", "012345"),
        good.replace("12345", "0"),
        good.replace("12345", "-1"),
        good.replace("12345", "9223372036854775808"),
        good.replace("sha256:4d7a", "sha256:4D7A"),
        good.replace("sha256:", "sha512:"),
        good.replace("size 12345\n", "") + "size 12345\noid x\n",
        good.replace("12345", &"1".repeat(300)),
    ] {
        assert_eq!(lfs_pointer(bad.as_bytes()), None, "{bad:?}");
    }
}

fn any_old() -> impl Strategy<Value = Old> {
    let mode = proptest::sample::select(vec![Mode::File, Mode::Executable, Mode::Symlink]);
    prop_oneof![
        (mode, any::<[u8; 32]>()).prop_map(|(mode, hash)| Old::Blob { mode, sha256: Digest::from_bytes(hash) }),
        any::<[u8; 20]>().prop_map(|oid| Old::Gitlink(Oid::from_bytes(oid))),
    ]
}

fn any_new() -> impl Strategy<Value = New> {
    (any_old(), any::<u64>(), proptest::option::of(any::<u64>())).prop_map(|(side, bytes, lfs)| match side {
        Old::Gitlink(oid) => New::Gitlink(oid),
        Old::Blob { mode, sha256 } => {
            let lfs = lfs.filter(|_| mode.is_file()).map(|bytes| LfsPointer { bytes, sha256 });
            New::Blob { bytes, lfs, mode, sha256 }
        }
    })
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let path = prop_oneof![
        "(lfs-sha256:|\"|commit:)?[a\" \\\\\n]{1,6}(/[b ]{1,3})?".prop_map(String::into_bytes),
        proptest::collection::vec(1_u8..=255, 1..12),
    ];
    let path = path.prop_filter_map("no path", |raw| RepoPath::from_bytes(&raw).ok());
    let sides = (proptest::option::of(any_old()), proptest::option::of(any_new()));
    proptest::collection::btree_map(path, sides, 0..6).prop_map(|lines| {
        let lines = lines.into_iter().map(|(path, (old, new))| Line { new, old, path });
        lines.filter(|line| line.old.is_some() || line.new.is_some()).collect()
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(lists in proptest::collection::vec(any_lines(), 1..4), root: bool) {
        let root = root && lists.len() == 1;
        let oid = |n: usize| Oid::from_bytes([u8::try_from(n).unwrap(); 20]);
        let changes = |(n, lines)| ParentChanges { lines, parent: (!root).then(|| oid(n)) };
        let manifest = Manifest::new(lists.into_iter().enumerate().map(changes).collect()).unwrap();
        prop_assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
    }

    #[test]
    fn whatever_parses_prints_as_the_same_bytes(at: proptest::sample::Index, byte in proptest::sample::select(b"\n \"0a1-lMTAD".to_vec()), how in 0..3) {
        let mut raw = text("every-kind").into_bytes();
        let at = at.index(raw.len());
        match how {
            0 => raw[at] = byte,
            1 => raw.insert(at, byte),
            _ => drop(raw.remove(at)),
        }
        if let Ok(manifest) = Manifest::parse(&raw) {
            prop_assert_eq!(manifest.to_text().into_bytes(), raw);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
        prop_assert!(Manifest::parse(&raw).is_err());
        let _ = Manifest::parse(&[b"mledger-manifest 1\nparent -\n", raw.as_slice()].concat());
        prop_assert_eq!(lfs_pointer(&raw), None);
    }
}
