//! `mledger export …`: the ledger for others. One file per format under `export/`.

mod tiles;

use clap::Subcommand;

use super::End;
use crate::context::Context;
use crate::error::Failure;

/// Write the ledger for other programs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mledger export tiles /srv/www/ledger")]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Format {
    Tiles(tiles::Args),
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    match &args.format {
        Format::Tiles(args) => tiles::run(context, args),
    }
}
