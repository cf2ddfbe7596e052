//! Exports and proofs, read by programs that share no line with this one: Go's transparency log and note, and the crate
//! `ct-merkle`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64_simd::STANDARD;
use ct_merkle::{InclusionProof, RootHash};
use sha2::Sha256;

use super::ledger::{Fixture, SIZE};
use super::value;
use crate::world::Run;

/// Go's reader of exports, built.
fn go_reader(fixture: &Fixture) -> PathBuf {
    let built = fixture.world.path("tlog");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers");
    let mut go = Command::new("go");
    go.arg("build")
        .arg("-o")
        .arg(&built)
        .arg("tlog.go")
        .current_dir(source)
        .env("GOCACHE", fixture.world.path("cache"));
    // No module of the network: the library lies where the system's packages put it.
    go.env("GO111MODULE", "off").env("GOFLAGS", "");
    go.env("GOPATH", std::env::var_os("GOPATH").unwrap_or_else(|| "/usr/share/gocode".into()));
    let said = go.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    built
}

fn export(fixture: &Fixture, dir: &Path) {
    fixture.run(&["export", "tiles", dir.to_str().unwrap()]).ok();
}

fn read(fixture: &Fixture, reader: &Path, vkey: &str, paths: &[&Path]) -> Run {
    fixture.person.run(Command::new(reader).arg(vkey).args(paths), None)
}

#[test]
fn an_export_is_read_by_another_program_and_only_unchanged() {
    let fixture = Fixture::new();
    let (dir, reader) = (fixture.world.path("export"), go_reader(&fixture));
    let whole = |olds: &[&Path]| read(&fixture, &reader, &fixture.vkey, &[&[dir.as_path()], olds].concat());
    export(&fixture, &dir);
    assert_eq!(whole(&[]).ok().trim(), SIZE.to_string());
    let old = fixture.world.path("old");
    fs::copy(dir.join("checkpoint"), &old).unwrap();
    // It grows beyond the next full tile, and stays one history.
    fixture.grow(250);
    export(&fixture, &dir);
    assert_eq!(whole(&[&old]).ok().trim(), (SIZE + 250).to_string());
    assert!(read(&fixture, &reader, &Fixture::other_vkey(), &[&dir]).fails().contains("note"));
    let other = fixture.world.path("another");
    let note = fs::read_to_string(&old).unwrap();
    fs::write(&other, note.replacen(&format!("\n{SIZE}\n"), &format!("\n{}\n", SIZE - 1), 1)).unwrap();
    whole(&[&other]).fails();
    // No byte of an entry, of a hash that is read, of a blob or of the checkpoint is another.
    let blob = fs::read_dir(dir.join("blob")).unwrap().next().unwrap().unwrap().path();
    let blob = fs::read_dir(blob).unwrap().next().unwrap().unwrap().path();
    let names = ["tile/entries/000", "tile/entries/001", "tile/0/000", "tile/0/001", "tile/1/000.p/2", "checkpoint"];
    for path in names.iter().map(|name| dir.join(name)).chain([blob]) {
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 2] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert_ne!(whole(&[&old]).code, Some(0), "byte {at} of {}", path.display());
        }
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_ne!(whole(&[&old]).code, Some(0), "{} is cut", path.display());
        fs::remove_file(&path).unwrap();
        let unread = path.starts_with(dir.join("blob"));
        assert_eq!(whole(&[&old]).code == Some(0), unread, "{} is gone", path.display());
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(whole(&[&old]).ok().trim(), (SIZE + 250).to_string());
}

/// What a proof's text says, read by its specification alone: index, hashes, size and root.
fn parts(proof: &str) -> (u64, Vec<u8>, u64, [u8; 32]) {
    let (head, checkpoint) = proof.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    let index = lines.next().unwrap().strip_prefix("index ").unwrap().parse().unwrap();
    let hashes: Vec<Vec<u8>> = lines.map(|line| STANDARD.decode_to_vec(line).unwrap()).collect();
    let stated: Vec<&str> = checkpoint.lines().collect();
    let root = STANDARD.decode_to_vec(stated[2]).unwrap();
    (index, hashes.concat(), stated[1].parse().unwrap(), root.try_into().unwrap())
}

#[test]
fn a_proof_is_checked_by_another_implementation() {
    let fixture = Fixture::new();
    for index in [0, 1, 2, 127, 128, 254, 255, 256, 257, 299, SIZE - 1] {
        let proved = value(fixture.run(&["prove", &index.to_string(), "--json"]));
        let leaf = proved["leaf"].as_str().unwrap().to_owned().into_bytes();
        let (stated, hashes, size, root) = parts(proved["proof"].as_str().unwrap());
        assert_eq!((stated, size), (index, SIZE));
        let root = RootHash::<Sha256>::new(root.into(), size);
        let holds = |leaf: &Vec<u8>, index, hashes: &[u8]| {
            let proof = InclusionProof::<Sha256>::try_from_bytes(hashes.to_vec());
            proof.is_ok_and(|proof| root.verify_inclusion(leaf, index, &proof).is_ok())
        };
        assert!(holds(&leaf, index, &hashes), "{index}");
        let mut other = leaf.clone();
        other[10] ^= 1;
        assert!(!holds(&other, index, &hashes), "another entry at {index}");
        assert!(!holds(&leaf, (index + 1) % SIZE, &hashes), "{index} elsewhere");
        for at in (0..hashes.len()).step_by(31) {
            let mut other = hashes.clone();
            other[at] ^= 1;
            assert!(!holds(&leaf, index, &other), "byte {at} of the proof of {index}");
        }
        assert!(!holds(&leaf, index, &hashes[32..]), "a hash less for {index}");
    }
}
