//! Who signs: keys, their fingerprints, and what a signature must be to count.
//!
//! The only room that knows `ed25519-dalek`, `curve25519-dalek` and `ssh-key`.

pub mod batch;
pub mod ed25519;
pub mod file;
pub mod key;
pub mod sshsig;
