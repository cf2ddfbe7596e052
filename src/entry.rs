//! What the ledger holds: leaves, the fields that are too long for one, and the statements of actors.
//!
//! Wire types declare their fields in the order of their serialised names, so that plain serialising yields the
//! canonical form of RFC 8785 (JCS) for the values we allow: strings, booleans, and integers below 2^53.

pub mod denials;
pub mod field;
pub mod leaf;
pub mod statement;
pub mod story;
