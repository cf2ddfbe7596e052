//! `mledger export tiles`: a folder that any C2SP client reads.

use std::path::PathBuf;

use mledger::digest::Digest;
use mledger::ledger::export::export_tiles;
use mledger::name::Origin;
use serde::Serialize;

use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::counted;

const AFTER_HELP: &str = "\
Serve the folder over HTTP as it is. Run it again to bring the folder up to date: only what is new is written, \
the checkpoint last.

With --json: origin, size, root, and how many files were written.

Example:
  mledger export tiles /srv/www/ledger";

/// Write a static log folder (C2SP tlog-tiles)
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The folder: new, empty, or an earlier export of this ledger
    dir: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `export tiles --json` prints.
#[derive(Debug, Serialize)]
struct Exported {
    origin: Origin,
    size: u64,
    root: Digest,
    files: u64,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let source = context.source(&args.key)?;
    let log = context.open(&source)?;
    let bar = context.output.progress(log.size(), "exporting");
    let files = export_tiles(&log, &args.dir, |done| bar.set_position(done));
    bar.finish_and_clear();
    let files = files?;
    let checkpoint = &log.head().checkpoint;
    let exported =
        Exported { origin: checkpoint.origin().clone(), size: checkpoint.size(), root: checkpoint.root(), files };
    context.output.result(&exported, || {
        let entries = counted(exported.size, "entry", "entries");
        let written = counted(files, "file", "files");
        format!("{entries} of {} in `{}`, {written} written\n", exported.origin, args.dir.display())
    })?;
    Ok(End::Fine)
}
