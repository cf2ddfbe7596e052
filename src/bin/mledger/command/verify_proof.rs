//! `mledger verify-proof`: is this entry in that ledger? Needs neither ledger nor network.

use std::path::{Path, PathBuf};

use mledger::clock::Timestamp;
use mledger::digest::Digest;
use mledger::entry::leaf::{LEAF_BYTES_MAX, Leaf};
use mledger::entry::story;
use mledger::name::Origin;
use mledger::tlog::key::VerifierKey;
use mledger::tlog::note::Note;
use mledger::tlog::proof::{TlogProof, TlogProofError};
use serde::Serialize;

use super::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{BAD, GOOD, counted, read_bytes, styled, tame};

const AFTER_HELP: &str = "\
Without --key it takes the key that is trusted in the repository it is started in, if any. Exits with 4 \
where the proof does not hold.

With --json: ok, then index, origin, size, root, time and leaf, or the problem.

Example:
  mledger verify-proof release.tlog-proof --key VKEY";

/// The longest proof that is read, in bytes: a note with all it may hold, 63 hashes, and extra data as long as an entry.
const PROOF_BYTES_MAX: usize = Note::BYTES_MAX + 2 * LEAF_BYTES_MAX;

/// Check a proof made by `mledger prove`, offline
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The proof
    file: PathBuf,
    /// The entry [default: beside the proof, x.leaf.json for x.tlog-proof]
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `verify-proof --json` prints.
#[derive(Debug, Default, Serialize)]
struct Verified {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let vkey = trusted(context, args)?;
    let proof = read_bytes(&args.file, PROOF_BYTES_MAX)?;
    let leaf = read_bytes(&args.leaf.clone().unwrap_or_else(|| leaf_beside(&args.file)), LEAF_BYTES_MAX)?;
    // What is no text is no proof; the parser says so of whatever stands in its place.
    match verify(&String::from_utf8_lossy(&proof), &leaf, &vkey) {
        Ok(verified) => {
            context.output.result(&verified, || text(&verified, &leaf))?;
            Ok(End::Fine)
        }
        Err(error) => {
            let causes: Vec<String> = Failure::from(error).words().to_vec();
            let refused = Verified { problem: Some(causes.join(": ")), ..Verified::default() };
            context
                .output
                .result(&refused, || format!("{}: {}\n", styled(BAD, "not proven"), tame(&causes.join(": "))))?;
            Ok(End::Found)
        }
    }
}

/// Where the entry lies that belongs to a proof: `x.leaf.json` for `x.tlog-proof`.
pub fn leaf_beside(proof: &Path) -> PathBuf {
    proof.with_extension("leaf.json")
}

fn trusted(context: &Context, args: &Args) -> Result<VerifierKey, Failure> {
    if let Some(vkey) = &args.key.vkey {
        return Ok(vkey.clone());
    }
    let found = context.source(&args.key).and_then(|source| context.trusted(&source));
    found.map_err(|_| {
        Failure::usage("no ledger here says which key to trust")
            .try_this(format!("mledger verify-proof {} --key VKEY", args.file.display()))
    })
}

fn verify(proof: &str, leaf: &[u8], vkey: &VerifierKey) -> Result<Verified, TlogProofError> {
    let proof = TlogProof::parse(proof)?;
    let checkpoint = proof.verify(leaf, vkey)?;
    Ok(Verified {
        ok: true,
        index: Some(proof.index()),
        origin: Some(checkpoint.origin().clone()),
        size: Some(checkpoint.size()),
        root: Some(checkpoint.root()),
        time: Leaf::parse(leaf).ok().map(|leaf| leaf.time()),
        leaf: serde_json::from_slice(leaf).ok(),
        problem: None,
    })
}

fn text(verified: &Verified, leaf: &[u8]) -> String {
    let said = match Leaf::parse(leaf) {
        Ok(leaf) => format!("{} at {}: {}", leaf.kind(), leaf.time(), story::of_leaf(&leaf)),
        Err(error) => error.to_string(),
    };
    let origin = verified.origin.as_ref().map(ToString::to_string).unwrap_or_default();
    let root = verified.root.map(|root| root.to_string()).unwrap_or_default();
    format!(
        "{}: entry {} is in the tree of {} of {origin}\n  root {root}\n  {}\n",
        styled(GOOD, "proven"),
        verified.index.unwrap_or_default(),
        counted(verified.size.unwrap_or_default(), "entry", "entries"),
        tame(&said)
    )
}
