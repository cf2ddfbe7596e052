//! Proofs of inclusion and consistency, true and false, against another implementation.

use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use mledger::digest::{Digest, leaf_hash};
use mledger::tlog::hashes::MemoryHashes;
use mledger::tlog::tree::{consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion};
use sha2::Sha256;

const LEAVES: u64 = 260;

struct Tree {
    hashes: MemoryHashes,
    roots: Vec<Digest>,
}

pub fn check(data: &[u8]) {
    // Whatever the bytes say, there is a case: the end of the input reads as zeros.
    let _ = judge(&mut Unstructured::new(data));
}

fn judge(input: &mut Unstructured<'_>) -> Result<()> {
    static TREE: OnceLock<Tree> = OnceLock::new();
    let tree = TREE.get_or_init(|| {
        let hashes: MemoryHashes = (0..LEAVES).map(|index| leaf_hash(&index.to_be_bytes())).collect();
        let roots = (0..=LEAVES).map(|size| root(&hashes, size).expect("all are there")).collect();
        Tree { hashes, roots }
    });
    let size = input.int_in_range(1..=LEAVES)?;
    let other = input.int_in_range(0..=size)?;
    let is_inclusion = input.arbitrary()?;
    let proof = if is_inclusion {
        inclusion_proof(&tree.hashes, other.min(size - 1), size)
    } else {
        consistency_proof(&tree.hashes, other, size)
    };
    let mut proof = proof.expect("all are there");
    let changed = spoil(input, &mut proof)?;
    // Also asked for sizes and places that the proof was not made for.
    let (stated, place) = if input.ratio(1, 4)? { (arbitrary_size(input)?, arbitrary_size(input)?) } else { (size, other) };
    if is_inclusion {
        let place = if place == other { other.min(size - 1) } else { place };
        include(tree, stated, place, &proof, !changed && (stated, place) == (size, other.min(size - 1)));
    } else {
        extend(tree, place, stated, &proof, !changed && (place, stated) == (other, size));
    }
    Ok(())
}

fn arbitrary_size(input: &mut Unstructured<'_>) -> Result<u64> {
    input.int_in_range(0..=LEAVES)
}

/// Does nothing, or drops, adds, doubles or flips something; whether the proof is another now.
fn spoil(input: &mut Unstructured<'_>, proof: &mut Vec<Digest>) -> Result<bool> {
    let before = proof.clone();
    for _ in 0..input.int_in_range(0..=2)? {
        let at = if proof.is_empty() { 0 } else { input.choose_index(proof.len())? };
        match input.int_in_range(0..=3)? {
            0 if !proof.is_empty() => {
                proof.remove(at);
            }
            1 => proof.insert(at, Digest::from_bytes(input.arbitrary()?)),
            2 if !proof.is_empty() => proof.insert(at, proof[at]),
            _ if !proof.is_empty() => {
                let mut bytes = *proof[at].as_bytes();
                bytes[usize::from(input.arbitrary::<u8>()? % 32)] ^= input.arbitrary::<u8>()?;
                proof[at] = Digest::from_bytes(bytes);
            }
            _ => {}
        }
    }
    Ok(*proof != before)
}

fn include(tree: &Tree, size: u64, index: u64, proof: &[Digest], expected: bool) {
    let leaf = index.to_be_bytes();
    let ours = verify_inclusion(&leaf_hash(&leaf), index, size, proof, &tree.roots[at(size)]);
    assert!(ours.is_ok() || !expected, "a proof of {index} in {size} is refused");
    if index < size {
        let theirs = InclusionProof::<Sha256>::try_from_bytes(bytes(proof))
            .is_ok_and(|proof| theirs(tree, size).verify_inclusion(&leaf, index, &proof).is_ok());
        assert_eq!(ours.is_ok(), theirs, "inclusion of {index} in {size}");
    } else {
        assert!(ours.is_err(), "{index} in {size}");
    }
}

fn extend(tree: &Tree, old: u64, new: u64, proof: &[Digest], expected: bool) {
    let ours = verify_consistency(old, new, &tree.roots[at(old)], &tree.roots[at(new)], proof);
    assert!(ours.is_ok() || !expected, "a proof from {old} to {new} is refused");
    if 0 < old && old < new {
        let theirs = ConsistencyProof::<Sha256>::try_from_bytes(bytes(proof))
            .is_ok_and(|proof| theirs(tree, new).verify_consistency(&theirs(tree, old), &proof).is_ok());
        assert_eq!(ours.is_ok(), theirs, "consistency of {old} and {new}");
    } else {
        // Where there is nothing to prove, nothing may be said.
        assert_eq!(ours.is_ok(), old <= new && proof.is_empty(), "from {old} to {new}");
    }
}

fn theirs(tree: &Tree, size: u64) -> RootHash<Sha256> {
    RootHash::new((*tree.roots[at(size)].as_bytes()).into(), size)
}

fn bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn at(size: u64) -> usize {
    usize::try_from(size).expect("a small tree")
}
