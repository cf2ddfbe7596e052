//! The engineer's side: `init` in a clone, and the hooks around `git commit` and `git push`.

mod commits;
mod desk;
mod hooks;
#[cfg(unix)]
mod hostile;
mod ledger;
mod machine;
mod resign;
mod setup;
