//! Leaves of every kind, against another writer of canonical JSON.

use mledger::entry::field::{BlobName, FieldError};
use mledger::entry::leaf::{LEAF_BYTES_MAX, Leaf, parse_paths, paths_text};
use mledger::ledger::replay::{parse_baseline_commit, parse_baseline_ref};

pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        lists(text);
    }
    let Ok(leaf) = Leaf::parse(data) else { return };
    assert!(data.len() <= LEAF_BYTES_MAX);
    let again = leaf.to_bytes().expect("a leaf that was read can be written");
    assert_eq!(again, data);
    let value: serde_json::Value = serde_json::from_slice(data).expect("a leaf is JSON");
    assert_eq!(serde_json_canonicalizer::to_vec(&value).expect("it can be written"), data);
    assert_eq!(value["kind"], leaf.kind());
    assert_eq!(value["time"], leaf.time().to_string());
    let blobs = leaf.blob_names();
    assert!(blobs.iter().all(|blob| has(&value, blob)), "a blob that the leaf does not name");
    if let Leaf::Push(push) = leaf {
        let (count, more) = (push.updates_count(), push.updates_more);
        assert!(count >= push.updates.len());
        // Contents that are not the ones named are found.
        let whole = push.whole::<FieldError>(|_| Ok(b"[]".to_vec()));
        assert_eq!(whole.is_ok(), more.is_none());
    }
}

fn has(value: &serde_json::Value, blob: &BlobName) -> bool {
    match value {
        serde_json::Value::Object(object) => {
            let same = value["sha256"] == blob.sha256.to_string() && value["size"] == blob.size;
            same || object.values().any(|value| has(value, blob))
        }
        serde_json::Value::Array(values) => values.iter().any(|value| has(value, blob)),
        _ => false,
    }
}

/// The lists that a leaf's blobs hold.
fn lists(text: &str) {
    if let Some(paths) = parse_paths(text) {
        let again = paths_text(&paths);
        assert_eq!(parse_paths(&again).as_ref(), Some(&paths));
        assert!(text == again || text.lines().eq(again.lines()));
    }
    for line in text.lines() {
        if let Some((oid, tree, parents)) = parse_baseline_commit(line) {
            let words: Vec<String> = [oid, tree].iter().chain(&parents).map(ToString::to_string).collect();
            assert_eq!(words.join(" "), line);
        }
        if let Some((oid, name)) = parse_baseline_ref(line) {
            assert_eq!(format!("{oid} {name}"), line);
        }
    }
}
