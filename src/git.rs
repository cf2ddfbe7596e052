//! A Git repository as plain data: objects as bytes, refs as names and ids. The only room that knows `git2`.

pub mod command;
pub mod commit;
pub mod file;
pub mod loose;
pub mod manifest;
pub mod merge;
pub mod ref_move;
pub mod reflog;
pub mod refs;
pub mod repository;
pub mod touched;

pub use repository::{Durable, GitError, Kind, Repository};
