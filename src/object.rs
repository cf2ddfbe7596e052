//! What Git hands over, as bytes: objects, messages and push certificates, parsed strictly and without Git.
//!
//! Git reads its own objects leniently, and whoever pushes may write what Git never would: a second signature that
//! Git overlooks, a tree that two readers understand in two ways. So everything here has one reading or none, and a
//! limit. It knows no repository: bytes come in, values go out.

pub mod certificate;
pub mod changes;
pub mod collision;
pub mod commit;
pub mod intent;
pub mod message;
pub mod person;
pub mod tag;
pub mod tree;

#[cfg(test)]
pub(crate) mod fixture;
