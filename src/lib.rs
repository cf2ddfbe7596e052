//! A signed, verifiable ledger under Git repositories of models and configuration: who changed this model, were they
//! allowed to, and can you prove it?

pub mod clock;
pub mod digest;
pub mod name;

pub mod history;
pub mod identity;
pub mod object;
pub mod tlog;

pub mod model;
pub mod policy;

pub mod entry;
pub mod evidence;

pub mod consent;

pub mod git;
pub mod ledger;

pub mod index;
