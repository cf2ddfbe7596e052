//! The formats against independently made vectors, and the project's own vectors of good and bad files.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hashes::MemoryHashes;
use super::key::{KeyError, KeyKind, KeyName, VerifierKey};
use super::note::{Note, NoteError, NoteSignature};
use super::proof::{TlogProof, TlogProofError};
use super::tile::{TileKind, TilePath};
use super::tree::{inclusion_proof, root};
use super::{bundle, cosignature};
use crate::clock::Timestamp;
use crate::digest::{leaf_hash, parse_hex, to_hex};
use crate::identity::ed25519::SecretKey;
use crate::name::Origin;

/// The vectors made by `golang.org/x/mod` and torchwood.
pub(super) fn shared() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/shared/tlog.json")).unwrap()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

struct Vectors {
    log: SecretKey,
    log_key: VerifierKey,
    witness: SecretKey,
    witness_key: VerifierKey,
    time: Timestamp,
    json: Value,
}

impl Vectors {
    fn read() -> Self {
        let json = shared();
        let secret = |name: &str| SecretKey::from_seed(&parse_hex(text(&json[name])).unwrap());
        let key = |name: &str| VerifierKey::parse(text(&json[name])).unwrap();
        Self {
            log: secret("log_seed_hex"),
            log_key: key("log_vkey"),
            witness: secret("witness_seed_hex"),
            witness_key: key("witness_vkey"),
            time: Timestamp::from_millis(json["witness_time"].as_i64().unwrap() * 1000).unwrap(),
            json,
        }
    }

    fn text(&self, name: &str) -> &str {
        text(&self.json[name])
    }

    fn checkpoint(&self) -> Checkpoint {
        let hashes = entries(300);
        let origin = Origin::parse(self.log_key.name().as_str()).unwrap();
        Checkpoint::new(origin, 300, root(&hashes, 300).unwrap()).unwrap()
    }
}

fn entries(size: u64) -> MemoryHashes {
    (0..size).map(|index| leaf_hash(format!("entry-{index}").as_bytes())).collect()
}

#[test]
fn keys_are_those_of_the_vectors() {
    let vectors = Vectors::read();
    for (name, key, secret, kind) in [
        ("log_vkey", &vectors.log_key, &vectors.log, KeyKind::Ed25519),
        ("witness_vkey", &vectors.witness_key, &vectors.witness, KeyKind::Ed25519Cosignature),
    ] {
        assert_eq!(*key, VerifierKey::new(key.name().clone(), kind, secret.public()));
        assert_eq!(key.to_string(), vectors.text(name));
    }
    // The example of the specification.
    let example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert_eq!(VerifierKey::parse(example).unwrap().to_string(), example);
}

#[test]
fn a_checkpoint_is_signed_byte_for_byte() {
    let vectors = Vectors::read();
    let signed = vectors.checkpoint().sign(&vectors.log);
    assert_eq!(signed, vectors.text("signed_checkpoint"));
    assert_eq!(Checkpoint::open(&signed, &vectors.log_key), Ok(vectors.checkpoint()));
}

#[test]
fn a_checkpoint_is_cosigned_byte_for_byte() {
    let vectors = Vectors::read();
    let note = Note::parse(vectors.text("signed_checkpoint")).unwrap();
    let line = cosignature::sign(&note, vectors.time, vectors.witness_key.name(), &vectors.witness);
    assert_eq!(NoteSignature::parse(&line.to_string()).unwrap(), line);
    let cosigned = note.with(line).unwrap();
    assert_eq!(cosigned.to_string(), vectors.text("cosigned_checkpoint"));

    let verified = cosigned.open(&[vectors.witness_key.clone(), vectors.log_key.clone()]).unwrap();
    let signers: Vec<_> = verified.signers().iter().map(|signer| (&signer.key, signer.time)).collect();
    assert_eq!(signers, [(&vectors.log_key, None), (&vectors.witness_key, Some(vectors.time))]);
    assert_eq!(verified.text(), vectors.checkpoint().to_string());
    assert_eq!(Checkpoint::open(&cosigned.to_string(), &vectors.log_key), Ok(vectors.checkpoint()));
}

#[test]
fn a_proof_is_written_byte_for_byte() {
    let vectors = Vectors::read();
    let note = Note::parse(vectors.text("cosigned_checkpoint")).unwrap();
    let hashes = inclusion_proof(&entries(300), 5, 300).unwrap();
    let proof = TlogProof::new(None, 5, hashes.clone(), note.clone()).unwrap();
    assert_eq!(proof.to_string(), vectors.text("tlog_proof_index_5"));
    assert_eq!(TlogProof::parse(&proof.to_string()).unwrap(), proof);
    assert_eq!(proof.verify(b"entry-5", &vectors.log_key), Ok(vectors.checkpoint()));

    assert!(matches!(proof.verify(b"entry-6", &vectors.log_key), Err(TlogProofError::Inclusion(_))));
    let elsewhere = TlogProof::new(None, 6, hashes, note).unwrap();
    assert!(matches!(elsewhere.verify(b"entry-5", &vectors.log_key), Err(TlogProofError::Inclusion(_))));
    let witness = proof.verify(b"entry-5", &vectors.witness_key);
    assert!(matches!(witness, Err(TlogProofError::Checkpoint(CheckpointError::Cosigner(_)))));
}

#[test]
fn proofs_have_limits() {
    let vectors = Vectors::read();
    let note = || Note::parse(vectors.text("signed_checkpoint")).unwrap();
    let hash = leaf_hash(b"");
    let new = |extra, index, hashes| TlogProof::new(extra, index, vec![hash; hashes], note());

    let largest = new(Some(vec![0; 65_535]), super::SIZE_MAX - 1, 63).unwrap();
    assert_eq!(TlogProof::parse(&largest.to_string()).unwrap(), largest);
    assert_eq!(largest.extra().unwrap().len(), 65_535);
    let refused = [(Some(vec![0; 65_536]), 0, 0), (Some(vec![]), 0, 0), (None, super::SIZE_MAX, 0), (None, 0, 64)];
    for (extra, index, hashes) in refused {
        assert!(new(extra, index, hashes).is_err(), "{index} {hashes}");
    }
    let line = largest.to_string().replacen("\n\n", &format!("\n{}\n\n", "A".repeat(43) + "="), 1);
    assert_eq!(TlogProof::parse(&line), Err(TlogProofError::TooManyHashes));
}

#[test]
fn tile_paths_are_those_of_the_vectors() {
    let vectors = shared();
    let paths = vectors["tile_paths"].as_object().unwrap();
    for (description, path) in paths {
        let numbers: Vec<i64> =
            description.split(' ').map(|part| part.split_once('=').unwrap().1.parse().unwrap()).collect();
        let kind = u8::try_from(numbers[0]).map_or(TileKind::Entries, |level| TileKind::Hashes { level });
        let (index, width) = (u64::try_from(numbers[1]).unwrap(), u16::try_from(numbers[2]).unwrap());
        let tile = TilePath::new(kind, index, width).unwrap();
        assert_eq!(tile.to_string(), text(path), "{description}");
        assert_eq!(TilePath::parse(text(path)), Ok(tile));
    }
    assert_eq!(paths.len(), 6);
}

#[test]
fn only_the_logs_own_key_opens_its_checkpoint() {
    let vectors = Vectors::read();
    let signed = vectors.text("cosigned_checkpoint");
    let open = |key: &VerifierKey| Checkpoint::open(signed, key).unwrap_err();
    assert!(matches!(open(&vectors.witness_key), CheckpointError::Cosigner(_)));

    let named =
        |name: &str, key: &SecretKey| VerifierKey::new(KeyName::parse(name).unwrap(), KeyKind::Ed25519, key.public());
    // Another key of the same name, and the same key under another name, are unknown.
    assert_eq!(open(&named("example.com/ledger", &vectors.witness)), CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(open(&named("example.com/other", &vectors.log)), CheckpointError::Note(NoteError::Unsigned));

    // A key that signs for an origin which is not its name.
    let text = vectors.checkpoint().to_string();
    let foreign = Note::sign(&text, &KeyName::parse("example.com/other").unwrap(), &vectors.log).unwrap().to_string();
    let refused = Checkpoint::open(&foreign, &named("example.com/other", &vectors.log));
    assert!(matches!(refused, Err(CheckpointError::Foreign { .. })));
}

#[test]
fn lines_of_unknown_keys_are_ignored_and_false_ones_of_known_keys_refused() {
    let vectors = Vectors::read();
    let keys = [vectors.log_key.clone(), vectors.witness_key.clone()];
    let note = Note::parse(vectors.text("cosigned_checkpoint")).unwrap();
    let unknown = NoteSignature::parse("\u{2014} example.com/ledger AAAAAAA=").unwrap();
    let opened = note.clone().with(unknown.clone()).unwrap().open(&keys).unwrap();
    assert_eq!(opened.signers().len(), 2);
    assert_eq!(note.open(&[]), Err(NoteError::Unsigned));

    let moved = vectors.text("cosigned_checkpoint").replacen("\n300\n", "\n301\n", 1);
    let log_name = vectors.log_key.name().clone();
    let refused = NoteError::Invalid { name: log_name, id: vectors.log_key.id() };
    assert_eq!(Note::parse(&moved).unwrap().open(&keys), Err(refused));

    // The same line twice is one signer; another by the same key is a contradiction.
    let twice = note.clone().with(note.signatures()[1].clone()).unwrap();
    assert_eq!(twice.open(&keys).unwrap().signers().len(), 2);
    let later = Timestamp::from_millis(vectors.time.millis() + 1000).unwrap();
    let second = cosignature::sign(&note, later, vectors.witness_key.name(), &vectors.witness);
    assert!(matches!(note.with(second), Err(NoteError::Contradiction { .. })));
}

#[test]
fn a_cosignature_fits_only_its_text_and_time() {
    let vectors = Vectors::read();
    let public = vectors.witness.public();
    let verify = |text: &str, blob: &[u8]| cosignature::verify(text, &public, blob);
    let sign = |seconds: u64| {
        let message = format!("cosignature/v1\ntime {seconds}\ntext\n");
        [seconds.to_be_bytes().as_slice(), &vectors.witness.sign(message.as_bytes())].concat()
    };
    let last_second = 253_402_300_799;
    for seconds in [0, 1_700_000_000, last_second] {
        assert_eq!(verify("text\n", &sign(seconds)).map(Timestamp::millis), i64::try_from(seconds * 1000).ok());
    }
    for seconds in [last_second + 1, 1 << 62, u64::MAX] {
        assert_eq!(verify("text\n", &sign(seconds)), None, "{seconds}");
    }
    let good = sign(7);
    assert_eq!(verify("other\n", &good), None);
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1;
        assert_eq!(verify("text\n", &bad), None, "byte {byte}");
        assert_eq!(verify("text\n", &good[..byte]), None, "length {byte}");
    }
    assert_eq!(verify("text\n", &[good.as_slice(), &[0]].concat()), None);
}

#[test]
fn notes_have_limits() {
    let vectors = Vectors::read();
    let name = KeyName::parse("a").unwrap();
    let sign = |text: &str| Note::sign(text, &name, &vectors.log);
    assert_eq!(sign("text"), Err(NoteError::Text));
    assert_eq!(sign("te\txt\n"), Err(NoteError::Control(9)));

    let line = sign("\n").unwrap().to_string().len() - 1;
    let longest = "a".repeat(Note::BYTES_MAX - line - 1) + "\n";
    let note = sign(&longest).unwrap();
    assert_eq!(Note::parse(&note.to_string()).unwrap(), note);
    assert!(matches!(sign(&format!("a{longest}")), Err(NoteError::TooLong { .. })));
    assert!(matches!(Note::parse(&format!("a{note}")), Err(NoteError::TooLong { .. })));

    let mut note = sign("text with\n\na blank line\n").unwrap();
    for _ in 1..Note::SIGNATURES_MAX {
        note = note.clone().with(note.signatures()[0].clone()).unwrap();
    }
    assert_eq!(Note::parse(&note.to_string()).unwrap(), note);
    assert_eq!(note.clone().with(note.signatures()[0].clone()), Err(NoteError::TooManySignatures));
    let line = format!("{}\n", note.signatures()[0]);
    assert_eq!(Note::parse(&format!("{note}{line}")), Err(NoteError::TooManySignatures));
}

#[test]
fn unknown_key_types_are_named() {
    let blob = |type_byte: u8| super::text::encode_base64(&[&[type_byte][..], &[9; 32]].concat());
    for (type_byte, name) in [(2, "ECDSA"), (5, "RFC 6962"), (6, "ML-DSA-44"), (0xff, "private"), (0x77, "unknown")] {
        let refused = VerifierKey::parse(&format!("name+00000000+{}", blob(type_byte))).unwrap_err();
        assert_eq!(refused, KeyError::Type(type_byte));
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

#[test]
fn a_secret_key_is_refused_and_not_repeated() {
    let vectors = shared();
    let secret = text(&vectors["log_skey"]);
    let refused = VerifierKey::parse(secret).unwrap_err();
    assert_eq!(refused, KeyError::Secret);
    assert!(!refused.to_string().contains(&secret[secret.len() - 8..]));
}

/// How a format reads a vector, and what it prints then.
fn reprint(format: &str, file: &[u8]) -> Result<Vec<u8>, String> {
    fn printed<E: std::fmt::Debug>(result: Result<impl ToString, E>) -> Result<Vec<u8>, String> {
        result.map(|value| value.to_string().into_bytes()).map_err(|error| format!("{error:?}"))
    }
    let vectors = Vectors::read();
    let text = str::from_utf8(file).unwrap();
    match format {
        "bundle" => {
            let bytes: Vec<u8> = text.trim_end().as_bytes().chunks(2).map(hex_byte).collect();
            let entries = bundle::parse(&bytes).map_err(|error| error.to_string())?;
            Ok(to_hex(&bundle::to_bytes(&entries).unwrap()).into_bytes()).map(|hex| [hex.as_slice(), b"\n"].concat())
        }
        "checkpoint" => printed(Checkpoint::parse(text)),
        "note" => printed(Note::parse(text).and_then(|note| {
            note.open(&[vectors.log_key, vectors.witness_key])?;
            Ok(note)
        })),
        "tile-path" => printed(TilePath::parse(text)),
        "tlog-proof" => printed(TlogProof::parse(text).and_then(|proof| {
            proof.verify(b"entry-5", &vectors.log_key)?;
            Ok(proof)
        })),
        "vkey" => printed(VerifierKey::parse(text)),
        _ => panic!("no format `{format}`"),
    }
}

fn hex_byte(digits: &[u8]) -> u8 {
    let [byte] = parse_hex::<1>(str::from_utf8(digits).unwrap()).unwrap();
    byte
}

const FORMATS: [&str; 6] = ["bundle", "checkpoint", "note", "tile-path", "tlog-proof", "vkey"];

fn vector_files(verdict: &str, format: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/v1").join(verdict).join(format);
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn good_files_print_as_they_were() {
    for format in FORMATS {
        let files = vector_files("valid", format);
        assert!(!files.is_empty(), "{format}");
        for path in files {
            let file = fs::read(&path).unwrap();
            assert_eq!(reprint(format, &file), Ok(file), "{}", path.display());
        }
    }
}

#[test]
fn bad_files_are_refused() {
    for format in FORMATS {
        let files = vector_files("invalid", format);
        assert!(!files.is_empty(), "{format}");
        for path in files {
            let file = fs::read(&path).unwrap();
            assert!(reprint(format, &file).is_err(), "{}", path.display());
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_file_is_refused_or_prints_as_it_is(place: proptest::sample::Index, byte in 0..0x80_u8, cut: bool) {
        for format in FORMATS.iter().filter(|format| **format != "bundle") {
            for path in vector_files("valid", format) {
                let mut file = fs::read(&path).unwrap();
                let place = place.index(file.len());
                if cut { file.truncate(place) } else { file[place] = byte }
                if str::from_utf8(&file).is_ok() && let Ok(printed) = reprint(format, &file) {
                    prop_assert_eq!(printed, file, "{}", path.display());
                }
            }
        }
    }
}
