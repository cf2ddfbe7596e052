//! `mledger init`: a ledger under a bare repository, or a clone that works with one.

mod clone;
mod machine;
mod server;

use std::path::PathBuf;

use mledger::name::{ActorId, Origin};
use mledger::tlog::key::VerifierKey;

use super::End;
use crate::context::Context;
use crate::error::Failure;

/// Set up this clone or machine, or a gate in this bare repository
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// In a bare repository: the policy to begin with
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// In a bare repository: the ledger's name [default: host and folder]
    #[arg(long, value_name = "NAME", value_parser = Origin::parse)]
    pub origin: Option<Origin>,
    /// In a bare repository: where another copy of the newest checkpoint is kept, on another volume than the repository
    #[arg(long, value_name = "FILE")]
    pub last_checkpoint: Option<PathBuf>,
    /// In a bare repository: what tells who pushes, where a push is not signed; see below [default: none]
    #[arg(long, value_name = "SOURCE")]
    pub login: Option<String>,
    /// In a clone: who you are to the policy [default: your e-mail address]
    #[arg(long, value_name = "ID", value_parser = ActorId::parse)]
    pub actor: Option<ActorId>,
    /// In a clone: the SSH key to sign with [default: the one you sign with, have, or get now]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// In a clone: the remote whose ledger is followed [default: origin, or the only one]
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
    /// In a clone: the ledger's public key, as its administrator told you [default: trust at first sight]
    #[arg(long, value_name = "VKEY", value_parser = VerifierKey::parse)]
    pub vkey: Option<VerifierKey>,
    /// Set up this machine, so that every clone made later sets itself up, if its remote keeps a ledger
    #[arg(long, conflicts_with_all = ["policy", "origin", "last_checkpoint", "login", "actor", "remote", "vkey"])]
    pub global: bool,
    /// Put back what was there before
    #[arg(long)]
    pub undo: bool,
}

const AFTER_HELP: &str = "\
Doing it again changes nothing, and mends what other programs replaced. Hooks that are there are
kept, and run, too: in .git/hooks as NAME.before-mledger; with pre-commit, ours is its NAME.legacy.
Where core.hooksPath is set, ours lie in .git/mledger/shims, and nothing is put into that folder.

Sources of logins, one for the life of a ledger; a policy writes a login as SOURCE:NAME:
  none           no login counts: every push must be signed
  ssh-user-auth  the key that signed in, from SSH_USER_AUTH of an sshd with ExposeAuthInfo
  gitolite       GL_USER; refused with GL_BYPASS_ACCESS_CHECKS
  gitea          GITEA_PUSHER_NAME, of Forgejo too; refused for deploy keys and internal pushes
  gitlab         GL_USERNAME; refused for deploy keys
  github         GITHUB_USER_LOGIN of GitHub Enterprise Server; refused for apps
  http           REMOTE_USER of a web server that authenticates, before git http-backend
  env            MLEDGER_LOGIN, set by your forced command

Whoever chooses the environment of git-receive-pack chooses the login. So a source is safe where
every push comes through that front end, and no pusher has a shell on the server or may send it
variables (AcceptEnv and PermitUserEnvironment of sshd). A signed push nobody can forge.

Examples:
  mledger init                        in a clone
  mledger init --global               once on a new laptop
  mledger init --policy policy.toml   in the bare repository that people push to
  mledger init --policy policy.toml --login gitea
  mledger init --undo";

/// Sets up the repository that holds the current folder.
pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    if args.global {
        return if args.undo { machine::undo(context) } else { machine::set_up(context, args) };
    }
    let repository = context.repository()?;
    let bare = repository.work_dir().is_none();
    if !bare && args.policy.is_some() {
        return Err(Failure::usage("a gate stands in the bare repository that people push to, and this is a clone"));
    }
    match (bare, args.undo) {
        (true, false) => server::set_up(context, args, &repository),
        (true, true) => server::undo(context, &repository),
        (false, false) => clone::set_up(context, args),
        (false, true) => clone::undo(context),
    }
}
