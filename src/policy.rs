//! Who may do what: policy text in, decisions out. Pure: no I/O, no clock.
//!
//! ```text
//! policy.toml --Policy::parse--> Policy --+
//!                                         +--decide--> Decision { accepted, reasons … }
//! repository or ledger ---------> Facts --+
//! ```

pub mod glob;
pub mod pattern;

pub mod actor;
pub mod limits;
pub mod quantity;
pub mod role;
pub mod rule;

pub mod document;

pub mod facts;
pub mod reason;

pub mod decide;
pub mod sufficient;

pub mod change;
pub mod explain;
pub mod starter;

pub use decide::{DECIDER, decide};
pub use document::{Policy, PolicyError};
pub use facts::Facts;
pub use reason::{Code, Decision, Reason};
pub use sufficient::sufficient;

#[cfg(test)]
mod sample;
