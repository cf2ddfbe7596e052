//! `mledger man`: manual pages.

use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, End};
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Example:
  mledger man /usr/local/share/man/man1";

/// Write the manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The folder they go to
    dir: PathBuf,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let failed = |source| Failure::file("write manual pages to", &args.dir, source);
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &args.dir).map_err(failed)?;
    context.output.say(format_args!("wrote the manual pages to `{}`", args.dir.display()));
    Ok(End::Fine)
}
