//! What a change means, beyond its bytes.

pub mod manifest;
