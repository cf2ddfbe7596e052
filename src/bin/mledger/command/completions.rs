//! `mledger completions`: what a shell needs to complete our commands.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, End};
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Example:
  mledger completions bash > ~/.local/share/bash-completion/completions/mledger";

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    // Into memory first: the generator does not survive a reader that goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mledger", &mut script);
    let mut results = context.output.results();
    results.write_all(&script)?;
    results.flush()?;
    Ok(End::Fine)
}
