//! The updates of a push that has too many for its leaf: the first few stay in it, for people; all further ones lie in a
//! blob, as the canonical JSON array that would have stood in the leaf.
//!
//! ```text
//! "updates":[{"move":"create",…},…],"updates-more":{"count":984,"sha256":"sha256:9f86…","size":270000}
//! ```

use serde::{Deserialize, Serialize};

use super::{Push, Update, canonical};
use crate::digest::{Digest, sha256};
use crate::entry::field::{BlobName, Blobs, FieldError, INLINE_BYTES_MAX, read_blob};

/// How many bytes the updates may take that stay in the leaf, where not all do: beside the reasons of so many refs
/// there is no room for more.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// Names the updates that are not in the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoreUpdates {
    /// How many they are.
    pub count: u64,
    /// SHA-256 of the blob.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl MoreUpdates {
    /// The blob that holds them.
    pub fn blob_name(&self) -> BlobName {
        BlobName { sha256: self.sha256, size: self.size }
    }

    fn store(updates: &[Update], blobs: &mut Blobs) -> Option<Self> {
        let bytes = serde_json::to_vec(updates).ok()?;
        let more = Self { count: updates.len() as u64, sha256: sha256(&bytes), size: bytes.len() as u64 };
        blobs.push(bytes);
        Some(more)
    }

    fn read<E: From<FieldError>>(&self, blob: impl FnOnce(&BlobName) -> Result<Vec<u8>, E>) -> Result<Vec<Update>, E> {
        let bytes = read_blob(&self.blob_name(), blob)?;
        let updates: Vec<Update> = canonical(&bytes).map_err(|_| FieldError::Updates(self.sha256))?;
        let whole = !updates.is_empty() && updates.len() as u64 == self.count;
        if whole { Ok(updates) } else { Err(FieldError::Updates(self.sha256).into()) }
    }
}

impl Push {
    /// Moves the updates that take too much room out of the leaf.
    #[must_use]
    pub fn with_updates_stored(mut self, blobs: &mut Blobs) -> Self {
        let shown = shown(&self.updates);
        let more = self.updates.get(shown..).filter(|more| !more.is_empty());
        if let Some(more) = more.and_then(|more| MoreUpdates::store(more, blobs)) {
            self.updates.truncate(shown);
            self.updates_more = Some(more);
        }
        self
    }

    /// The push with all its updates in place, those in the blob included; `blob` reads contents by name. Whoever looks
    /// at the refs of a push looks at this.
    pub fn whole<E: From<FieldError>>(mut self, blob: impl FnOnce(&BlobName) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        if let Some(more) = self.updates_more.take() {
            self.updates.extend(more.read(blob)?);
        }
        Ok(self)
    }

    /// How many refs it is about.
    pub fn updates_count(&self) -> usize {
        let more = self.updates_more.map_or(0, |more| usize::try_from(more.count).unwrap_or(usize::MAX));
        self.updates.len().saturating_add(more)
    }
}

/// How many updates stay in the leaf: all of them where they fit into a field, at least one.
fn shown(updates: &[Update]) -> usize {
    let ends = updates.iter().scan(0_usize, |end, update| {
        *end = end.saturating_add(serde_json::to_vec(update).map_or(usize::MAX, |bytes| bytes.len() + 1));
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    if ends.last().is_none_or(|end| *end <= INLINE_BYTES_MAX) {
        return updates.len();
    }
    ends.partition_point(|end| *end <= SHOWN_BYTES_MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entry::leaf::{LEAF_BYTES_MAX, Leaf, PushKind, Range, VERSION, Verdict};
    use crate::entry::story;
    use crate::name::{ActorId, Oid, RefName};
    use crate::policy::facts::{Move, Pusher};
    use crate::policy::reason::{Code, Reason};

    fn update(number: usize) -> Update {
        Update {
            extra: None,
            action: Move::Create,
            new: Some(Oid::from_bytes([1; 20])),
            old: None,
            refname: RefName::parse(&format!("refs/heads/{number:04}-{}", "x".repeat(180))).unwrap(),
            tag: None,
        }
    }

    fn push(count: usize) -> Push {
        Push {
            actor: Some(ActorId::parse("alice@bank.example").unwrap()),
            certificate: None,
            clock: None,
            commits: Range { count: 0, first: 1 },
            decider: 1,
            decision: Verdict::Accepted,
            facts: None,
            kind: PushKind::Is,
            mledger: VERSION,
            policy: 0,
            pusher: Pusher::Unknown,
            reasons: vec![Reason::new(Code::Granted)],
            time: Timestamp::from_millis(0).unwrap(),
            updates: (0..count).map(update).collect(),
            updates_more: None,
        }
    }

    #[test]
    fn few_updates_stay_and_a_thousand_move_out() {
        let mut blobs = Blobs::new();
        assert_eq!(push(40).with_updates_stored(&mut blobs), push(40));
        assert!(blobs.is_empty());
        let stored = push(1000).with_updates_stored(&mut blobs);
        let shown = stored.updates.len();
        assert!((1..40).contains(&shown), "{shown}");
        assert_eq!((stored.updates_count(), blobs.len()), (1000, 1));
        let leaf = Leaf::Push(Box::new(stored.clone()));
        let bytes = leaf.to_bytes().unwrap();
        assert!(bytes.len() < LEAF_BYTES_MAX / 8);
        assert_eq!(Leaf::parse(&bytes).unwrap(), leaf);
        assert_eq!(leaf.blob_names(), [stored.updates_more.unwrap().blob_name()]);
        assert!(story::of_leaf(&leaf).contains("and 997 more"), "{}", story::of_leaf(&leaf));
        assert_eq!(stored.whole::<FieldError>(|_| Ok(blobs[0].clone())).unwrap(), push(1000));
    }

    #[test]
    fn other_contents_are_refused() {
        let mut blobs = Blobs::new();
        let stored = push(1000).with_updates_stored(&mut blobs);
        let more = stored.updates_more.unwrap();
        let read = |count: u64, bytes: &[u8]| {
            let more = MoreUpdates { count, sha256: sha256(bytes), size: bytes.len() as u64 };
            Push { updates_more: Some(more), ..stored.clone() }.whole::<FieldError>(|_| Ok(bytes.to_vec()))
        };
        assert!(read(more.count, &blobs[0]).is_ok());
        assert!(read(more.count + 1, &blobs[0]).is_err());
        let spaced = [b" ", blobs[0].as_slice()].concat();
        let unknown = String::from_utf8(blobs[0].clone()).unwrap().replacen("{\"move\"", "{\"a\":1,\"move\"", 1);
        for (count, bytes) in
            [(more.count, spaced.as_slice()), (more.count, unknown.as_bytes()), (0, b"[]"), (1, b"{}")]
        {
            assert!(matches!(read(count, bytes), Err(FieldError::Updates(_))), "{}", String::from_utf8_lossy(bytes));
        }
        let other = stored.whole::<FieldError>(|_| Ok(spaced.clone()));
        assert!(matches!(other, Err(FieldError::Digest(_))), "{other:?}");
    }
}
