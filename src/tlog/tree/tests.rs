use std::fs;
use std::path::{Path, PathBuf};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::digest::leaf_hash;
use crate::tlog::hashes::{MemoryHashes, MissingHash};
use crate::tlog::tests::{shared, text};
use crate::tlog::text::{decode_base64, parse_hash};
use crate::tlog::{PROOF_HASHES_MAX, SIZE_MAX};

const SIZE_TESTED: u64 = 300;

fn entry(index: u64) -> String {
    format!("entry-{index}")
}

fn leaf(index: u64) -> Digest {
    leaf_hash(entry(index).as_bytes())
}

fn tree(size: u64) -> MemoryHashes {
    (0..size).map(leaf).collect()
}

fn hash(value: &Value) -> Digest {
    parse_hash(text(value)).unwrap()
}

fn hashes(value: &Value) -> Vec<Digest> {
    value.as_array().unwrap().iter().map(hash).collect()
}

#[test]
fn leaves_and_empty_tree_are_those_of_the_vectors() {
    let vectors = shared();
    assert_eq!(root(&tree(0), 0).unwrap(), hash(&vectors["empty_root"]));
    assert_eq!(Frontier::default().root(), hash(&vectors["empty_root"]));
    let leaves = hashes(&vectors["leaf_hashes"]);
    assert_eq!(leaves, (0..leaves.len() as u64).map(leaf).collect::<Vec<_>>());
    assert_eq!(leaves.len(), 20);
}

#[test]
fn roots_and_proofs_are_those_of_the_vectors() {
    let vectors = shared();
    let all = tree(SIZE_TESTED);
    let mut proofs = 0;
    for tree in vectors["trees"].as_array().unwrap() {
        let size = tree["size"].as_u64().unwrap();
        assert_eq!(root(&all, size).unwrap(), hash(&tree["root"]), "{size}");
        for (index, proof) in (0..).zip(tree["inclusion"].as_array().into_iter().flatten()) {
            assert_eq!(inclusion_proof(&all, index, size).unwrap(), hashes(proof), "{index} of {size}");
            proofs += 1;
        }
        for (old, proof) in (1..).zip(tree["consistency"].as_array().into_iter().flatten()) {
            assert_eq!(consistency_proof(&all, old, size).unwrap(), hashes(proof), "{old} to {size}");
            proofs += 1;
        }
    }
    assert_eq!(proofs, 17 * 18);
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// Runs `holds` on every vector in a folder and compares with its `wantErr`; the number of vectors.
fn check_merkle(folder: &str, holds: impl Fn(&Value) -> Option<bool>) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/shared/merkle").join(folder);
    let mut files = Vec::new();
    files_below(&folder, &mut files);
    for file in &files {
        let vector: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        // Vectors with hashes of another length than 32 bytes are refused where a `Digest` is made.
        let held = holds(&vector).unwrap_or(false);
        assert_eq!(held, !vector["wantErr"].as_bool().unwrap(), "{}", file.display());
    }
    files.len()
}

fn proof(vector: &Value) -> Option<Vec<Digest>> {
    let lines = vector["proof"].as_array().into_iter().flatten();
    lines.map(|line| parse_hash(text(line))).collect()
}

#[test]
fn inclusion_verifies_as_in_the_merkle_vectors() {
    let checked = check_merkle("inclusion", |vector| {
        let (leaf, root) = (parse_hash(text(&vector["leafHash"]))?, parse_hash(text(&vector["root"]))?);
        let (index, size) = (vector["leafIdx"].as_u64().unwrap(), vector["treeSize"].as_u64().unwrap());
        Some(verify_inclusion(&leaf, index, size, &proof(vector)?, &root).is_ok())
    });
    assert_eq!(checked, 98);
}

#[test]
fn consistency_verifies_as_in_the_merkle_vectors() {
    let checked = check_merkle("consistency", |vector| {
        let (old, new) = (text(&vector["root1"]), text(&vector["root2"]));
        // Two of the vectors compare equal roots that are no hashes at all.
        let digest =
            |root: &str| if old == new { decode_base64(root).map(|root| sha256(&root)) } else { parse_hash(root) };
        let (old, new) = (digest(old)?, digest(new)?);
        let (old_size, new_size) = (vector["size1"].as_u64().unwrap(), vector["size2"].as_u64().unwrap());
        Some(verify_consistency(old_size, new_size, &old, &new, &proof(vector)?).is_ok())
    });
    assert_eq!(checked, 98);
}

#[test]
fn every_tree_extends_every_smaller_one() {
    let all = tree(SIZE_TESTED);
    let roots: Vec<Digest> = (0..=SIZE_TESTED).map(|size| root(&all, size).unwrap()).collect();
    for new in 0..=SIZE_TESTED {
        for old in 0..=new {
            let proof = consistency_proof(&all, old, new).unwrap();
            let (old_root, new_root) = (&roots[usize::try_from(old).unwrap()], &roots[usize::try_from(new).unwrap()]);
            verify_consistency(old, new, old_root, new_root, &proof).unwrap();
            if old > 0 {
                let other = leaf_hash(b"other");
                assert!(verify_consistency(old, new, &other, new_root, &proof).is_err(), "{old} to {new}");
                assert!(verify_consistency(old, new, old_root, &other, &proof).is_err(), "{old} to {new}");
            }
            let longer = [proof.as_slice(), &[*new_root]].concat();
            assert!(verify_consistency(old, new, old_root, new_root, &longer).is_err(), "{old} to {new}");
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_consistency(old, new, old_root, new_root, shorter).is_err(), "{old} to {new}");
            }
        }
    }
}

#[test]
fn an_independent_tree_has_the_same_roots() {
    let all = tree(SIZE_TESTED);
    let mut oracle = MemoryBackedTree::<sha2::Sha256, String>::new();
    let mut frontier = Frontier::default();
    for index in 0..SIZE_TESTED {
        oracle.push(entry(index));
        frontier.append(leaf(index));
        assert_eq!(frontier.size(), index + 1);
        assert_eq!(frontier.root().as_bytes()[..], oracle.root().as_bytes()[..], "{index}");
        assert_eq!(root(&all, index + 1).unwrap(), frontier.root(), "{index}");
    }
}

/// The proof with a hash less, with one doubled, with two exchanged, and with a bit of each hash flipped.
fn spoilt(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let mut others = vec![[proof, &[leaf(7)]].concat()];
    for at in 0..proof.len() {
        let with = |change: &dyn Fn(&mut Vec<Digest>)| {
            let mut other = proof.to_vec();
            change(&mut other);
            other
        };
        let flip = |hash: &Digest| {
            let mut bytes = *hash.as_bytes();
            bytes[at % 32] ^= 1 << (at % 8);
            Digest::from_bytes(bytes)
        };
        others.push([&proof[..at], &proof[at + 1..]].concat());
        others.push(with(&|other| other.insert(at, proof[at])));
        others.push(with(&|other| other[at] = flip(&proof[at])));
        others.push(with(&|other| other.swap(at, 0)));
    }
    others.retain(|other| other != proof);
    others
}

fn to_bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<Digest> {
    bytes.as_chunks::<32>().0.iter().copied().map(Digest::from_bytes).collect()
}

/// How large the trees are whose every proof goes both ways between the two implementations.
const SIZE_EXCHANGED: u64 = 40;

#[test]
fn an_independent_implementation_makes_and_takes_the_same_inclusion_proofs() {
    let all = tree(SIZE_EXCHANGED);
    let mut theirs = MemoryBackedTree::<sha2::Sha256, String>::new();
    for size in 1..=SIZE_EXCHANGED {
        theirs.push(entry(size - 1));
        let (ours, root_of_theirs) = (root(&all, size).unwrap(), theirs.root());
        let is_taken = |proof: &[Digest], index| {
            let proof = InclusionProof::<sha2::Sha256>::try_from_bytes(to_bytes(proof));
            proof.is_ok_and(|proof| root_of_theirs.verify_inclusion(&entry(index), index, &proof).is_ok())
        };
        for index in 0..size {
            let proof = inclusion_proof(&all, index, size).unwrap();
            let made = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(from_bytes(made.as_bytes()), proof, "{index} in {size}");
            assert!(is_taken(&proof, index), "{index} in {size}");
            verify_inclusion(&leaf(index), index, size, &from_bytes(made.as_bytes()), &ours).unwrap();
            for other in spoilt(&proof) {
                assert!(!is_taken(&other, index), "{index} in {size}");
                assert!(verify_inclusion(&leaf(index), index, size, &other, &ours).is_err(), "{index} in {size}");
            }
        }
    }
}

#[test]
fn an_independent_implementation_makes_and_takes_the_same_consistency_proofs() {
    let all = tree(SIZE_EXCHANGED);
    let mut theirs = MemoryBackedTree::<sha2::Sha256, String>::new();
    let mut roots: Vec<RootHash<sha2::Sha256>> = vec![theirs.root()];
    for new in 1..=SIZE_EXCHANGED {
        theirs.push(entry(new - 1));
        roots.push(theirs.root());
        let new_root = root(&all, new).unwrap();
        for old in 1..new {
            let (old_root, of_theirs) = (root(&all, old).unwrap(), &roots[usize::try_from(old).unwrap()]);
            let is_taken = |proof: &[Digest]| {
                let proof = ConsistencyProof::<sha2::Sha256>::try_from_bytes(to_bytes(proof));
                proof.is_ok_and(|proof| theirs.root().verify_consistency(of_theirs, &proof).is_ok())
            };
            let proof = consistency_proof(&all, old, new).unwrap();
            let made = theirs.prove_consistency(usize::try_from(new - old).unwrap());
            assert_eq!(from_bytes(made.as_bytes()), proof, "{old} to {new}");
            assert!(is_taken(&proof), "{old} to {new}");
            verify_consistency(old, new, &old_root, &new_root, &from_bytes(made.as_bytes())).unwrap();
            for other in spoilt(&proof) {
                assert!(!is_taken(&other), "{old} to {new}");
                assert!(verify_consistency(old, new, &old_root, &new_root, &other).is_err(), "{old} to {new}");
            }
        }
    }
}

#[test]
fn a_frontier_goes_on_where_a_tree_ended() {
    let all = tree(SIZE_TESTED);
    for size in 0..SIZE_TESTED {
        let mut frontier = Frontier::resume(&all, size).unwrap();
        assert_eq!(frontier.root(), root(&all, size).unwrap());
        for index in size..SIZE_TESTED.min(size + 20) {
            frontier.append(leaf(index));
        }
        assert_eq!(frontier.root(), root(&all, frontier.size()).unwrap(), "from {size}");
    }
    assert_eq!(Frontier::resume(&all, 512).unwrap_err(), MissingHash { level: 9, index: 0 });
}

/// A tree of any size whose leaves are all alike: one hash per level.
struct Uniform([Digest; 64]);

impl Uniform {
    fn new() -> Self {
        let mut levels = [leaf(0); 64];
        for level in 1..64 {
            levels[level] = node_hash(&levels[level - 1], &levels[level - 1]);
        }
        Self(levels)
    }
}

impl Hashes for Uniform {
    type Error = MissingHash;

    fn hash(&self, level: u8, index: u64) -> Result<Digest, MissingHash> {
        self.0.get(usize::from(level)).copied().ok_or(MissingHash { level, index })
    }
}

#[test]
fn the_largest_trees_have_proofs_within_the_limit() {
    let hashes = Uniform::new();
    for size in [SIZE_MAX, SIZE_MAX - 1, 1 << 62, (1 << 62) + 1] {
        let tree_root = root(&hashes, size).unwrap();
        assert_eq!(Frontier::resume(&hashes, size).unwrap().root(), tree_root);
        for index in [0, 1, size / 2, size - 2, size - 1] {
            let proof = inclusion_proof(&hashes, index, size).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX);
            verify_inclusion(&leaf(0), index, size, &proof, &tree_root).unwrap();

            let old = index + 1;
            let proof = consistency_proof(&hashes, old, size).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX + usize::from(size > 1 << 62));
            verify_consistency(old, size, &root(&hashes, old).unwrap(), &tree_root, &proof).unwrap();
        }
    }
}

#[test]
fn what_no_tree_has_is_an_error() {
    let four = tree(4);
    assert_eq!(inclusion_proof(&four, 4, 4), Err(TreeError::Index { index: 4, size: 4 }));
    assert_eq!(inclusion_proof(&four, 0, 0), Err(TreeError::Index { index: 0, size: 0 }));
    assert_eq!(consistency_proof(&four, 5, 4), Err(TreeError::Sizes { old: 5, new: 4 }));
    assert_eq!(inclusion_proof(&four, 0, 8), Err(TreeError::Hash(MissingHash { level: 2, index: 1 })));
    assert_eq!(root(&four, 5), Err(MissingHash { level: 0, index: 4 }));

    let any = leaf(0);
    assert_eq!(verify_inclusion(&any, 3, 3, &[], &any), Err(VerifyError::Index { index: 3, size: 3 }));
    assert_eq!(verify_inclusion(&any, 0, 2, &[], &any), Err(VerifyError::Length { hashes: 0 }));
    assert_eq!(verify_inclusion(&any, 0, 1, &[any], &any), Err(VerifyError::Length { hashes: 1 }));
    assert_eq!(verify_consistency(0, 4, &any, &any, &[]), Err(VerifyError::Root { size: 0 }));
    assert_eq!(verify_consistency(1, 4, &any, &any, &[]), Err(VerifyError::Length { hashes: 0 }));
}

proptest! {
    #[test]
    fn an_inclusion_proof_holds_for_its_leaf_alone(size in 1..=SIZE_TESTED, place: proptest::sample::Index) {
        let all = tree(size);
        let index = place.index(usize::try_from(size).unwrap()) as u64;
        let (tree_root, proof) = (root(&all, size).unwrap(), inclusion_proof(&all, index, size).unwrap());
        for other in 0..size {
            let leaf_holds = verify_inclusion(&leaf(other), index, size, &proof, &tree_root).is_ok();
            let place_holds = verify_inclusion(&leaf(index), other, size, &proof, &tree_root).is_ok();
            prop_assert_eq!((leaf_holds, place_holds), (other == index, other == index), "{} of {}", other, size);
        }
    }

    #[test]
    fn verifiers_end_on_anything(
        sizes: (u64, u64),
        shifts in (0..64_u32, 0..64_u32),
        proof in proptest::collection::vec(any::<[u8; 32]>().prop_map(Digest::from_bytes), 0..70),
    ) {
        let (a, b) = (sizes.0 >> shifts.0, sizes.1 >> shifts.1);
        prop_assert!(verify_inclusion(&leaf(0), a, b, &proof, &leaf(1)).is_err());
        prop_assert!(verify_consistency(a, b, &leaf(0), &leaf(1), &proof).is_err());
    }
}
