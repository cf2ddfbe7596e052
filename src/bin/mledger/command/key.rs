//! `mledger key`: the key that signs here, whom the policy knows it as, and what to do when keys come and go.

mod advice;
mod new;
mod show;
mod standing;

use clap::Subcommand;

use super::End;
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Your key is lost, or somebody else may have it:   mledger key lost
This machine takes the place of another:          mledger key new-laptop
This machine comes beside another:                mledger key second-laptop
Each says, step by step, what to do, and prints the lines to send.

Example:
  mledger key --try
  mledger key new --passphrase";

/// Show the key that signs here, and print the lines that enrol it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Sign something with it, to see whether it really can
    #[arg(long = "try")]
    attempt: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    New(new::Args),
    /// Say what to do when a key is lost, or somebody else may have it
    #[command(after_help = "Example:\n  mledger key lost")]
    Lost(advice::LostArgs),
    /// Say what to do when this machine takes the place of another
    #[command(after_help = "Example:\n  mledger key new-laptop")]
    NewLaptop,
    /// Say what to do when this machine comes beside another
    #[command(after_help = "Example:\n  mledger key second-laptop")]
    SecondLaptop,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    match &args.verb {
        None => show::run(context, args.attempt),
        Some(Verb::New(args)) => new::run(context, args),
        Some(Verb::Lost(args)) => advice::lost(context, args),
        Some(Verb::NewLaptop) => advice::laptop(context, advice::Laptop::New),
        Some(Verb::SecondLaptop) => advice::laptop(context, advice::Laptop::Second),
    }
}
