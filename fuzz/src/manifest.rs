//! Manifests, and the pointers of Git LFS.

use mledger::digest::sha256;
use mledger::model::manifest::{Manifest, New, lfs_pointer};

pub fn check(data: &[u8]) {
    if let Some(pointer) = lfs_pointer(data) {
        let text = format!(
            "version https://git-lfs.github.com/spec/v1\noid {}\nsize {}\n",
            pointer.sha256, pointer.bytes
        );
        assert_eq!(text.as_bytes(), data);
    }
    let Ok(manifest) = Manifest::parse(data) else { return };
    assert_eq!(manifest.to_text().as_bytes(), data);
    assert_eq!(manifest.digest(), sha256(data));
    let parents = manifest.parents();
    assert_eq!(Manifest::new(parents.to_vec()).as_ref(), Ok(&manifest));
    assert!(!parents.is_empty() && (parents.len() == 1 || parents.iter().all(|changes| changes.parent.is_some())));
    let mut lines = 0;
    for changes in parents {
        assert!(changes.lines.is_sorted_by(|a, b| a.path < b.path));
        for line in &changes.lines {
            assert_ne!(line.old, line.new.map(New::as_old), "a line that changes nothing");
            assert!(manifest.touched().contains(&line.path));
            lines += 1;
        }
    }
    assert!(manifest.touched().len() <= lines);
    assert_eq!(data.split(|byte| *byte == b'\n').count(), 2 + parents.len() + lines);
}
