//! Who signs: keys, their fingerprints, and what a signature must be to count.
//!
//! The only room that knows `ed25519-dalek`, `curve25519-dalek`, `p256`, `p384`, `p521`, `rsa` and `ssh-key`.

pub mod batch;
pub mod ecdsa;
pub mod ed25519;
pub mod file;
pub mod hash;
pub mod key;
pub mod rsa;
pub mod signature;
pub mod sshsig;
mod wire;
