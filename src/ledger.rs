//! The ledger on disk: `refs/mledger/log`, one commit per append.
//!
//! ```text
//! refs/mledger/log                 the chain; its tip's message ends in the signed checkpoint
//!   policy.toml                    policy in force
//!   tile/0/000 …, tile/entries/000 sealed: full tiles and bundles of 256 leaves
//!   blob/<2 hex>/<rest>            fields too long for a leaf
//!   tail/<first index>             leaves of an append too big for a message, until they are sealed
//! <repository>/mledger/
//!   ledger.key                     private key (server)
//!   vkey                           the public key that this copy trusts
//!   last-checkpoint                second copy of the newest checkpoint, against restored backups; `last` tells of a third
//!   hashes                         cache of the tree's hashes, checked against the checkpoint, rebuildable
//!   denials                        refused pushes of this minute that have no entry; the next minute records their number
//!   verified-state                 what the last `verify` knew, for the next; see `earlier`
//!   lock                           held around every append
//! ```
//!
//! An append, and what holds if the process dies right after each step:
//!
//! 1. lock, read the head, check it against `last-checkpoint`: nothing changed; the kernel frees the lock;
//! 2. write blobs, tiles, tree and commit object, fsynced: unreachable objects and `objects/tmp_object_*`, which
//!    `git gc` removes; nothing changed;
//! 3. read the commit back, re-hash its leaves: nothing changed;
//! 4. move the ref, compare-and-swap, fsynced: **appended**. The ref is ahead of `last-checkpoint`, which is fine. Before
//!    the rename `log.lock` may stay behind: the next append waits a second for it, then breaks it, since whoever holds
//!    the append lock knows that no append of ours made it;
//! 5. write `last-checkpoint`, fsynced: the ref can no longer be set back unnoticed. `last-checkpoint.new` may stay; the
//!    next append replaces it;
//! 6. write the cache: if it is missing or wrong, the next append makes it anew from the tiles.
//!
//! A step that fails ends the append like a death, with an error: from step 4 on the entry is there all the same, and
//! says that something was authorised which then did not land; the next append makes it `void`. So a push may be told
//! that it is refused and have an entry that accepts it, and never the other way round.

pub mod append;
pub mod appends;
pub mod check;
pub mod earlier;
pub mod export;
pub mod follow;
pub mod graph;
pub mod hashes;
pub mod last;
pub mod message;
pub mod objects;
pub mod parallel;
pub mod place;
pub mod prove;
pub mod read;
pub mod replay;
pub mod verify;

#[cfg(test)]
pub(crate) mod fixture;

pub use append::{AppendError, Batch, Locked};
pub use read::{Head, Log, ReadError};

use crate::name::RefName;

/// The ref that holds the ledger.
pub const LOG_REF: &str = "refs/mledger/log";

/// Where the ledger's own refs lie.
pub const REFS: &str = "refs/mledger/";

/// Where statements are pushed to, which stay there for a moment only.
pub const INBOX: &str = "refs/mledger/inbox/";

/// [`LOG_REF`] as a name.
pub fn log_ref() -> Result<RefName, crate::name::NameError> {
    RefName::parse(LOG_REF)
}
