//! Commit messages: our trailers are put in once and right, and nothing else changes.

use mledger::digest::{Digest, sha256};
use mledger::name::Origin;
use mledger::object::message::{
    LogHead, ManifestDigests, Ours, insert, insert_into_bytes, is_only_ours, is_ours, ours, trailers, without_comments,
    written,
};

pub fn check(data: &[u8]) {
    let Some((choice, message)) = data.split_first() else { return };
    let comments = [None, Some("#"), Some(";"), Some("//"), Some("")][usize::from(choice % 5)];
    let manifest = ManifestDigests::new(digest(1), (choice & 32 != 0).then(|| digest(2)));
    let head = LogHead { origin: Origin::parse("git.bank.example/models").expect("an origin"), size: 7, root: digest(3) };
    let log = (choice & 64 != 0).then_some(&head);
    let inserted = insert_into_bytes(message, &manifest, log, comments);
    assert_eq!(insert_into_bytes(&inserted, &manifest, log, comments), inserted, "inserting again changes something");
    assert_eq!(written(&inserted, comments), written(message, comments), "what was written changed");
    assert_eq!(is_only_ours(message, comments), written(message, comments).is_empty());
    let Ok(text) = std::str::from_utf8(message) else { return };
    let inserted = insert(text, &manifest, log, comments);
    let kept = without_comments(&inserted, comments);
    let found = ours(&kept);
    assert_eq!(found, Ok(Ours { log: log.cloned(), manifest: Some(manifest) }), "{inserted:?}");
    assert_eq!(kept.lines().filter(|line| is_ours(line)).count(), 1 + usize::from(log.is_some()));
    read(text);
}

/// What is read of a message by itself.
fn read(text: &str) {
    if let Ok(found) = ours(text) {
        let lines = |line: String| text.split('\n').filter(|each| *each == line).count();
        assert_eq!(found.manifest.map_or(1, |trailer| lines(trailer.to_string())), 1);
        assert_eq!(found.log.map_or(1, |trailer| lines(trailer.to_string())), 1);
    }
    for (name, value) in trailers(text) {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        assert!(!value.contains('\n'));
        assert!(text.contains(&name));
    }
}

fn digest(byte: u8) -> Digest {
    sha256(&[byte])
}
