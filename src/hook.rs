//! What happens at Git's moments: one file per hook, and how hooks get there.
//!
//! In a clone: a commit gets its trailers and is looked at once it is made, also by merges and rebases; a push is noted,
//! and preceded by a look at the ledger. On a server: a push is decided before any ref moves, and settled after.
//!
//! Beside the moments stand what people ask for between them: [`standing`] where they are, [`doctor`] what is amiss,
//! [`resign`] commits anew, [`intent`] what a commit is for.

pub mod install;

pub mod clone_setup;
pub mod commit_msg;
pub mod intent;
pub mod key_watch;
pub mod new_clone;
pub mod person;
pub mod post_applypatch;
pub mod post_commit;
pub mod post_merge;
pub mod post_rewrite;
pub mod pre_push;
pub mod prepare_commit_msg;
pub mod resign;

pub mod check;
pub mod doctor;
pub mod draft;
pub mod forecast;
pub mod forge;
pub mod found;
pub mod gate;
pub mod gather;
pub mod inbox;
pub mod lookalikes;
pub mod post_receive;
pub mod pre_receive;
pub mod pusher;
pub mod sent;
pub mod server_setup;
pub mod settle;
pub mod standing;
pub mod tally;
