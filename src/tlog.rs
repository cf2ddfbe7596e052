//! The transparency log's mathematics and text forms, each module one C2SP or RFC page.
//!
//! ```text
//! entry ── leaf hash ── hashes, tree, frontier ── root ──┐
//!   └── bundle, tile: what is served and sealed          ├── checkpoint: a note ── cosignature: another line on it
//!                         key: who may sign a note ──────┘        └── proof: entry, path and checkpoint in one file
//! ```
//!
//! Everything here is pure: hashes come from a [`hashes::Hashes`], bytes from the caller, time as an argument.

pub mod hashes;
pub mod tree;

pub mod bundle;
pub mod tile;

pub mod key;
pub mod note;

pub mod checkpoint;
pub mod cosignature;
pub mod proof;

mod text;

#[cfg(test)]
mod tests;

/// The most leaves a tree may have, in any format: POSIX times and sizes share the range of a signed 64-bit integer,
/// and the proofs of such a tree have at most 63 hashes.
pub const SIZE_MAX: u64 = i64::MAX.unsigned_abs();

/// The most hashes in an inclusion proof: the height of a tree of [`SIZE_MAX`] leaves. Formats allow as many in a
/// consistency proof, which has one more only beyond 2^62 leaves.
pub const PROOF_HASHES_MAX: usize = 63;
