//! Many Ed25519 signatures at once, each judged by itself: exactly what single verification accepts, faster.
//!
//! ```text
//! R' = [s]B - [k]A,   k = SHA-512(R || A || message) mod l,   accepted if R' is written as R and neither has small order
//! ```
//!
//! Writing a point down takes an inversion, a tenth of the work; over many points one inversion serves all. There is
//! no combined equation: that would accept signatures, made for the purpose, that single verification refuses.

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::Scalar;

use crate::digest;
use crate::identity::ed25519::PublicKey;

/// How many share an inversion. Beyond 64 sharing gains nothing measurable.
const CHUNK: usize = 64;

/// A signature to verify.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The key that should have signed.
    pub key: &'a PublicKey,
    /// The signed bytes.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8; 64],
}

/// Verifies each item, on this thread; the answers stand in the items' order, and equal [`PublicKey::verify`]'s.
pub fn verify_all(items: &[Item<'_>]) -> Vec<bool> {
    items.chunks(CHUNK).flat_map(verify_chunk).collect()
}

fn verify_chunk(items: &[Item<'_>]) -> Vec<bool> {
    let points: Vec<Option<EdwardsPoint>> = items.iter().map(recompute).collect();
    let present: Vec<EdwardsPoint> = points.iter().flatten().copied().collect();
    let mut written = EdwardsPoint::compress_batch_alloc(&present).into_iter();
    let mut next_is = |r: &[u8]| written.next().is_some_and(|point| point.as_bytes() == r);
    let judge = |(item, point): (&Item<'_>, &Option<_>)| point.is_some() && next_is(item.signature.split_at(32).0);
    items.iter().zip(&points).map(judge).collect()
}

/// The point that R must be the encoding of; `None` where the signature fails without it. R itself is never decoded:
/// only one encoding can equal R', so R has small order exactly if R' has.
fn recompute(item: &Item<'_>) -> Option<EdwardsPoint> {
    let ([r, s], []) = item.signature.as_chunks::<32>() else { return None };
    let s = Option::from(Scalar::from_canonical_bytes(*s))?;
    let key = item.key.point();
    let k = Scalar::from_bytes_mod_order_wide(&digest::sha512(&[r, &item.key.to_bytes(), item.message]));
    let point = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key, &s);
    (!key.is_small_order() && !point.is_small_order()).then_some(point)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::identity::ed25519::SecretKey;

    const CCTV: &str = include_str!("../../tests/vectors/shared/ed25519-cctv.json");

    #[derive(Deserialize)]
    struct Case {
        key: String,
        sig: String,
        msg: String,
        number: u32,
    }

    struct Owned {
        key: PublicKey,
        message: Vec<u8>,
        number: u32,
        signature: [u8; 64],
    }

    impl Owned {
        fn item(&self) -> Item<'_> {
            Item { key: &self.key, message: &self.message, signature: &self.signature }
        }

        fn verify(&self) -> bool {
            self.key.verify(&self.message, &self.signature)
        }
    }

    fn cctv() -> Vec<Owned> {
        let cases: Vec<Case> = serde_json::from_str(CCTV).unwrap();
        assert_eq!(cases.len(), 914);
        let owned = |case: Case| {
            let key = PublicKey::from_bytes(&digest::parse_hex(&case.key).unwrap()).unwrap();
            let signature = digest::parse_hex(&case.sig).unwrap();
            Owned { key, message: case.msg.into_bytes(), number: case.number, signature }
        };
        cases.into_iter().map(owned).collect()
    }

    fn good(seed: u8) -> Owned {
        let secret = SecretKey::from_seed(&[seed; 32]);
        let message = vec![seed; usize::from(seed)];
        Owned { key: secret.public(), signature: secret.sign(&message), message, number: 0 }
    }

    #[test]
    fn every_corner_case_is_judged_as_by_single_verification() {
        let cases = cctv();
        let accepted = cases.iter().filter(|case| case.verify()).count();
        assert!((1..cases.len()).contains(&accepted), "{accepted}");
        for case in &cases {
            assert_eq!(verify_all(&[case.item()]), [case.verify()], "case {}", case.number);
        }
    }

    #[test]
    fn mixed_batches_judge_each_by_itself() {
        let mut mixed = Vec::new();
        for (index, case) in cctv().into_iter().enumerate() {
            mixed.push(case);
            if index % 3 == 0 {
                mixed.push(good(u8::try_from(index % 200).unwrap()));
            }
        }
        let expected: Vec<bool> = mixed.iter().map(Owned::verify).collect();
        for size in [1, 2, 7, CHUNK - 1, CHUNK, CHUNK + 1, mixed.len()] {
            for (part, expected) in mixed.chunks(size).zip(expected.chunks(size)) {
                let items: Vec<_> = part.iter().map(Owned::item).collect();
                assert_eq!(verify_all(&items), expected, "in chunks of {size}");
            }
        }
        assert!(verify_all(&[]).is_empty());
    }

    #[test]
    fn one_flipped_bit_fails_alone() {
        for bit in 0..512 {
            let mut batch = [good(1), good(2), good(3)];
            batch[1].signature[bit / 8] ^= 1 << (bit % 8);
            let items: Vec<_> = batch.iter().map(Owned::item).collect();
            assert_eq!(verify_all(&items), [true, false, true], "bit {bit}");
        }
    }
}
