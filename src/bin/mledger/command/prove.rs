//! `mledger prove`: a proof of one entry that travels alone.

use std::path::PathBuf;

use mledger::digest::{Digest, leaf_hash};
use mledger::git::repository::verify_hashes_on_read;
use mledger::ledger::prove::prove;
use serde::Serialize;

use super::End;
use super::verify_proof::leaf_beside;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::write_file;

const AFTER_HELP: &str = "\
The proof (C2SP tlog-proof) does not hold the entry itself. With -o, the entry goes into a file beside it: \
x.tlog-proof and x.leaf.json. Hand on both; whoever has them and the ledger's key needs nothing else.

With --json: index, size, root, leaf_hash, proof and leaf, the last two exactly as in the files.

Example:
  mledger prove 42 -o release.tlog-proof
  mledger verify-proof release.tlog-proof --key VKEY";

/// Prove to others that an entry is in the ledger
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The entry's index
    #[arg(value_parser = parse_index)]
    index: u64,
    /// Write the proof to FILE, and the entry beside it
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the entry to this file
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `prove --json` prints.
#[derive(Serialize)]
struct Proved {
    index: u64,
    size: u64,
    root: Digest,
    leaf_hash: Digest,
    proof: String,
    leaf: String,
}

fn parse_index(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "an entry's index is a number; `mledger show COMMIT` tells a commit's".to_owned())
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    // Git's own hashes are slow; the proof is checked before anybody gets it.
    verify_hashes_on_read(false);
    let source = context.source(&args.key)?;
    let log = context.open(&source)?;
    let proof = prove(&log, args.index)?.to_string();
    let leaf = log.leaf_bytes(args.index)?;
    if let Some(path) = &args.output {
        write_file(path, proof.as_bytes())?;
    }
    let leaf_path = args.leaf.clone().or_else(|| args.output.as_deref().map(leaf_beside));
    if let Some(path) = &leaf_path {
        write_file(path, &leaf)?;
    }
    if let (Some(proof), Some(leaf)) = (&args.output, &leaf_path) {
        context.output.say(format_args!("wrote `{}` and `{}`", proof.display(), leaf.display()));
    }
    let checkpoint = &log.head().checkpoint;
    let proved = Proved {
        index: args.index,
        size: checkpoint.size(),
        root: checkpoint.root(),
        leaf_hash: leaf_hash(&leaf),
        leaf: String::from_utf8_lossy(&leaf).into_owned(),
        proof,
    };
    if context.output.is_json() || args.output.is_none() {
        context.output.result(&proved, || proved.proof.clone())?;
    }
    Ok(End::Fine)
}
