//! Which entries: a set of places for each bundle.

use std::collections::BTreeMap;

use crate::ledger::read::{Log, TILE_WIDTH};

/// Which entry comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest.
    NewestFirst,
    /// The one of the lowest index.
    OldestFirst,
}

/// Which of a bundle's entries: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places([u64; 4]);

/// The bytes of a set that is written bit by bit; one with fewer places is written place by place.
const BITS_BYTES: usize = 32;

impl Places {
    /// Every entry.
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn insert(&mut self, place: u8) {
        if let Some(word) = self.0.get_mut(usize::from(place >> 6)) {
            *word |= 1 << (place & 63);
        }
    }

    pub(super) fn contains(&self, place: u8) -> bool {
        self.0.get(usize::from(place >> 6)).is_some_and(|word| word >> (place & 63) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    pub(super) fn or(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn and(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    /// What an index keeps of it.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let places: Vec<u8> = (0..=u8::MAX).filter(|place| self.contains(*place)).collect();
        if places.len() < BITS_BYTES { places } else { self.0.iter().flat_map(|word| word.to_le_bytes()).collect() }
    }

    /// Reads what [`Places::to_bytes`] wrote; none for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut places = Self::default();
        if bytes.len() == BITS_BYTES {
            for (word, bytes) in places.0.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().ok()?);
            }
        } else {
            for place in bytes {
                places.insert(*place);
            }
        }
        (!places.is_empty() && places.to_bytes() == bytes).then_some(places)
    }
}

/// Entries by bundle.
pub(super) type Named = BTreeMap<u64, Places>;

/// The entries that may be meant: of the bundles that an index knows, the first ones, those that it names; and all
/// others.
#[derive(Debug, Default)]
pub struct Selection {
    pub(super) known: u64,
    pub(super) named: Named,
}

impl Selection {
    /// Every entry.
    pub fn all() -> Self {
        Self::default()
    }

    /// The bundles to look through, with the places in each.
    pub(super) fn bundles(&self, log: &Log<'_>, order: Order) -> Vec<(u64, Places)> {
        let known = self.known.min(log.head().sealed() / TILE_WIDTH);
        let named = self.named.range(..known).map(|(number, places)| (*number, *places));
        let unknown = (known..log.size().div_ceil(TILE_WIDTH)).map(|number| (number, Places::ALL));
        let mut bundles: Vec<_> = named.chain(unknown).collect();
        if order == Order::NewestFirst {
            bundles.reverse();
        }
        bundles
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(members: &[u8]) -> Places {
        let mut places = Places::default();
        for place in members {
            places.insert(*place);
        }
        places
    }

    proptest! {
        #[test]
        fn sets_are_what_was_put_in(left: Vec<u8>, right: Vec<u8>) {
            let (mut or, mut and) = (places(&left), places(&left));
            or.or(&places(&right));
            and.and(&places(&right));
            for place in 0..=u8::MAX {
                prop_assert_eq!(places(&left).contains(place), left.contains(&place));
                prop_assert_eq!(or.contains(place), left.contains(&place) || right.contains(&place));
                prop_assert_eq!(and.contains(place), left.contains(&place) && right.contains(&place));
            }
            let bytes = or.to_bytes();
            prop_assert!(bytes.len() <= 32);
            prop_assert_eq!(Places::parse(&bytes), Some(or).filter(|places| !places.is_empty()));
        }

        #[test]
        fn bytes_mean_one_set_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(places) = Places::parse(&bytes) {
                prop_assert_eq!(places.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn odd_bytes_are_no_set() {
        let few = places(&[1, 2, 3]).0.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        for odd in [&[][..], &[2, 1], &[1, 1], &[0; 32], &few, &[7; 33]] {
            assert_eq!(Places::parse(odd), None, "{odd:?}");
        }
        assert_eq!(Places::parse(&Places::ALL.to_bytes()), Some(Places::ALL));
    }
}
