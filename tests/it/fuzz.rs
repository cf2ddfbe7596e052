//! The targets of `fuzz/` without a fuzzer: every input that is kept, and some thousand that are made of them, the same
//! in every run. For more, see `fuzz/README.md`.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use self::targets::TARGETS;

/// How many inputs are made per target.
const MADE: usize = 4000;

/// The longest input that is made, in bytes.
const BYTES_MAX: usize = 4096;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders that a target begins with, by `fuzz/targets`.
fn folders() -> Vec<(String, Vec<PathBuf>)> {
    let lines = fs::read_to_string(root().join("fuzz/targets")).unwrap();
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    let folders = |line: &str| {
        let (name, vectors) = line.split_once(' ').unwrap_or((line, ""));
        let of = |folder: &str| ["valid", "invalid"].map(|it| root().join("tests/vectors/v1").join(it).join(folder));
        let vectors = vectors.split(' ').filter(|word| !word.is_empty()).flat_map(of);
        (name.to_owned(), vectors.chain([root().join("fuzz/seeds").join(name)]).collect())
    };
    lines.map(folders).collect()
}

/// The inputs that a target begins with, in one order everywhere.
fn inputs(folders: &[PathBuf]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in folders.iter().filter(|folder| folder.exists()) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.map(|path| (path.clone(), fs::read(path).unwrap())));
    }
    found.sort();
    found
}

/// Bytes that mean something to one parser or another.
const TELLING: &[u8] = b"\0\n \t\r-+:/*?.\"\\{}[]0129azAZ=@#\x7f\x80\xff";

/// Numbers without pattern; the same from the same beginning.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        // Xorshift64*, by Vigna.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % end.max(1)
    }

    /// An input made of two others: a part of each, and some bytes changed.
    fn make(&mut self, one: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = one.to_vec();
        match self.below(4) {
            0 => bytes.truncate(self.below(one.len() + 1)),
            1 => {
                let (at, from) = (self.below(one.len() + 1), self.below(other.len() + 1));
                bytes.splice(at.., other[from..].iter().copied());
            }
            2 => {
                let (at, from) = (self.below(one.len() + 1), self.below(other.len() + 1));
                let end = (from + self.below(64)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            _ => {}
        }
        bytes.truncate(BYTES_MAX);
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            let byte =
                if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { self.below(256).to_le_bytes()[0] };
            match self.below(3) {
                0 if !bytes.is_empty() => {
                    bytes.remove(at);
                }
                1 if !bytes.is_empty() => bytes[at] = byte,
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    }
}

/// Takes one input, and says which where something does not hold.
fn take(name: &str, target: fn(&[u8]), source: &str, bytes: &[u8]) {
    let failed = std::panic::catch_unwind(|| target(bytes)).is_err();
    assert!(!failed, "{name}: something does not hold of {source}: \"{}\"", bytes.escape_ascii());
}

#[test]
fn every_target_is_known_everywhere() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert!(folders().iter().map(|(name, _)| name.as_str()).eq(names.iter().copied()), "fuzz/targets");
    let mut files: Vec<String> = fs::read_dir(root().join("fuzz/fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, names, "fuzz/fuzz_targets");
    for (name, folders) in folders() {
        assert!(!inputs(&folders).is_empty(), "{name} begins with nothing");
    }
}

#[test]
fn what_must_hold_holds_of_every_kept_input() {
    for ((name, target), (_, folders)) in TARGETS.iter().zip(folders()) {
        for (path, bytes) in inputs(&folders) {
            take(name, *target, &path.display().to_string(), &bytes);
        }
    }
}

#[test]
fn what_must_hold_holds_of_inputs_made_of_them() {
    for ((name, target), (_, folders)) in TARGETS.iter().zip(folders()) {
        let kept = inputs(&folders);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for made in 0..MADE {
            let (one, other) = (&kept[numbers.below(kept.len())].1, &kept[numbers.below(kept.len())].1);
            let bytes = numbers.make(one, other);
            take(name, *target, &format!("input {made} that was made"), &bytes);
        }
    }
}
