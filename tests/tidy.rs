//! The house rules that no lint checks: who may import whom, and who may look at the world.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground of the words up; a room imports only from those before it.
const ROOMS: [&str; 16] = [
    "digest", "name", "clock", "history", "identity", "object", "tlog", "model", "policy", "entry", "evidence",
    "consent", "git", "ledger", "index", "query",
];

/// Rooms that do no I/O.
const PURE: [&str; 12] = [
    "digest", "name", "clock", "history", "identity", "object", "tlog", "model", "policy", "entry", "evidence",
    "consent",
];

/// What each crate or word is allowed in, beside tests.
const ONLY_IN: [(&str, &[&str]); 13] = [
    ("sha2", &["digest"]),
    ("sha1", &["digest"]),
    ("ed25519_dalek", &["identity"]),
    ("curve25519_dalek", &["identity"]),
    ("p256", &["identity"]),
    ("p384", &["identity"]),
    ("p521", &["identity"]),
    ("rsa", &["identity"]),
    ("ssh_key", &["identity"]),
    ("git2", &["git"]),
    ("flate2", &["git"]),
    ("rusqlite", &["index", "query"]),
    ("Utc::now", &["clock"]),
];

/// What pure rooms do not touch.
const WORLD: [&str; 7] =
    ["std::fs", "std::env", "std::net", "std::process", "std::thread", "SystemTime", "Instant::now"];

struct Source {
    room: String,
    path: PathBuf,
    /// Without comments and without what stands behind `#[cfg(test)]`.
    code: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !is_test(&path) {
                let inside = path.strip_prefix(&src).unwrap();
                let room = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let code =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
                found.push(Source { room, path, code });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// Files that only tests compile.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    ["tests", "fixture", "sample"].contains(&name.as_str()) || path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn imports_go_down() {
    for source in sources() {
        let Some(at) = ROOMS.iter().position(|room| *room == source.room) else { continue };
        for room in ROOMS.iter().skip(at + 1).chain(&["hook"]) {
            // Words may use one another; within the words `digest` and `name` do.
            let word = at < 3 && ROOMS.iter().take(3).any(|word| word == room);
            let named =
                source.code.contains(&format!("crate::{room}::")) || source.code.contains(&format!("crate::{room};"));
            assert!(word || !named, "{} imports from `{room}`, which stands above it", source.path.display());
        }
    }
}

#[test]
fn heavy_crates_have_one_room() {
    for source in sources() {
        for (word, rooms) in ONLY_IN {
            let used = source.code.contains(&format!("use {word}"))
                || source.code.contains(&format!("{word}::"))
                || (word.contains("::") && source.code.contains(word));
            assert!(!used || rooms.contains(&source.room.as_str()), "{} uses `{word}`", source.path.display());
        }
    }
}

#[test]
fn the_law_does_not_look_at_the_world() {
    for source in sources().into_iter().filter(|source| PURE.contains(&source.room.as_str())) {
        for word in WORLD {
            assert!(!source.code.contains(word), "{} uses `{word}`", source.path.display());
        }
    }
}

#[test]
fn the_library_does_not_print() {
    for source in sources().into_iter().filter(|source| source.room != "bin") {
        for word in ["println!", "print!", "eprintln!", "eprint!", "dbg!"] {
            assert!(!source.code.contains(word), "{} uses `{word}`", source.path.display());
        }
    }
}

#[test]
fn hooks_stay_shims() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        // Two lines find the program; the rest runs others' hooks without it.
        assert!(lines <= 7 && text.contains("NAME"), "{} is no shim any more", path.display());
        count += 1;
    }
    assert_eq!(count, 5);
}
