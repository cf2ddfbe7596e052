//! `mledger key new`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use mledger::git::Repository;
use mledger::hook::clone_setup::key::{MADE, NewKey, make};
use mledger::hook::clone_setup::{self, KeyError};

use super::show::show;
use super::standing::Standing;
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;

/// How many names are tried for a key that nobody named: whoever has more keys of ours names the next one.
const NAMES_MAX: u32 = 100;

/// Make a key, sign with it here, and print the lines that enrol it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is ever overwritten. A security key (ed25519-sk, ecdsa-sk) is touched to make the key and \
at every signature.\n\nExample:\n  mledger key new --passphrase\n  mledger key new --type ed25519-sk"
)]
pub struct Args {
    /// The private half's file [default: the next free name in ~/.ssh]
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// The type
    #[arg(long = "type", value_name = "TYPE", default_value = "ed25519")]
    kind: Type,
    /// Ask for a passphrase
    #[arg(long)]
    passphrase: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Type {
    Ed25519,
    #[value(name = "ed25519-sk")]
    Ed25519Sk,
    #[value(name = "ecdsa-sk")]
    EcdsaSk,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ed25519Sk => "ed25519-sk",
            Self::EcdsaSk => "ecdsa-sk",
        }
    }
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let standing = Standing::read(context)?;
    let path = match &args.file {
        Some(path) => std::path::absolute(path).map_err(|source| Failure::file("find", path, source))?,
        None => free_file(args.kind)?,
    };
    let new = NewKey {
        comment: standing.actor.to_string(),
        path,
        passphrase: args.passphrase,
        type_name: args.kind.name().to_owned(),
    };
    make(&new)?;
    use_it(&standing.repository, &new.path)?;
    show(context, &standing, false, Some(&new.path))
}

fn use_it(repository: &Repository, path: &Path) -> Result<(), Failure> {
    clone_setup::use_key(repository, path)?;
    Ok(())
}

/// The first name in `~/.ssh` that no key has.
fn free_file(kind: Type) -> Result<PathBuf, Failure> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or(KeyError::NoHome)?;
    let first = MADE.replace("ed25519", &kind.name().replace('-', "_"));
    let names = std::iter::once(first.clone()).chain((2..NAMES_MAX).map(|n| format!("{first}_{n}")));
    let mut files = names.map(|name| home.join(".ssh").join(name));
    let free = |file: &PathBuf| {
        [file.clone(), file.with_added_extension("pub")].iter().all(|file| file.symlink_metadata().is_err())
    };
    files.find(free).ok_or_else(|| {
        Failure::usage("there are many keys of mledger's already").try_this("mledger key new --file ~/.ssh/NAME")
    })
}
