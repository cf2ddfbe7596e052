//! `mledger commit`: `git commit` with trailers that say what the change is for.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mledger::digest::{Digest, Sha256};
use mledger::hook::intent::VARIABLE;
use mledger::object::intent::{Intent, IntentError, Name, check_alone};
use serde_json::json;

use super::End;
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Runs `git commit`, whose own arguments follow `--`, and adds trailers that you sign with the commit; each is checked \
before Git runs. With --amend, what is given anew takes the place of the old. KIND is one of train, retrain, finetune, \
quantize, config, prompt, data, card, deploy, rollback, fix, other.

Examples:
  mledger commit --kind retrain --ticket RISK-12 -m 'Retrain on the third quarter' -- --all
  mledger commit --kind train --dataset-file credit-q3=data/q3.parquet --metric auc=0.91
  mledger commit --amend --metric auc=0.92 -- --no-edit";

/// Commit, and say what the change is for
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// What is done
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Why, in another system; may be given again
    #[arg(long, value_name = "ID")]
    ticket: Vec<String>,
    /// The run that trained it; may be given again
    #[arg(long, value_name = "ID")]
    training_run: Vec<String>,
    /// A dataset by its content, NAME@sha256:…; may be given again
    #[arg(long, value_name = "CONTENT")]
    dataset: Vec<String>,
    /// A dataset by its file, NAME=PATH, which is hashed; may be given again
    #[arg(long, value_name = "FILE")]
    dataset_file: Vec<String>,
    /// A model that it is made of, NAME@sha256:…; may be given again
    #[arg(long, value_name = "CONTENT")]
    base_model: Vec<String>,
    /// How good it is, NAME=NUMBER; may be given again
    #[arg(long, value_name = "METRIC", allow_hyphen_values = true)]
    metric: Vec<String>,
    /// The message, as for git commit
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Vec<String>,
    /// Replace the newest commit
    #[arg(long)]
    amend: bool,
    /// Arguments of git commit
    #[arg(last = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let repository = context.repository()?;
    let intents = intents(context, args)?;
    let mut git = Command::new("git");
    // Whatever a person set for trailers of their own: these are added, and the hook gives each its place.
    git.args(["-c", "trailer.ifexists=add", "-c", "trailer.ifmissing=add", "-c", "trailer.separators=:", "commit"]);
    if args.amend {
        git.arg("--amend");
    }
    git.args(args.message.iter().map(|text| format!("--message={text}")));
    git.args(intents.iter().map(|intent| format!("--trailer={intent}")));
    git.args(&args.rest).current_dir(&context.dir);
    let lines: String = intents.iter().map(|intent| format!("{intent}\n")).collect();
    git.env(VARIABLE, lines);
    if context.output.is_json() {
        git.stdout(Stdio::null());
    }
    // Git has said why itself.
    if !git.status().map_err(Failure::from)?.success() {
        return Ok(End::Wrong);
    }
    if context.output.is_json() {
        let trailers: Vec<String> = intents.iter().map(ToString::to_string).collect();
        context.output.result(&json!({ "commit": repository.resolve("HEAD"), "trailers": trailers }), String::new)?;
    }
    Ok(End::Fine)
}

/// Everything that is said on the command line, checked; files are hashed last.
fn intents(context: &Context, args: &Args) -> Result<Vec<Intent>, Failure> {
    let mut intents = Vec::new();
    let given = [
        (Name::ChangeKind, args.kind.as_slice(), "--kind"),
        (Name::Ticket, &args.ticket, "--ticket"),
        (Name::TrainingRun, &args.training_run, "--training-run"),
        (Name::Dataset, &args.dataset, "--dataset"),
        (Name::BaseModel, &args.base_model, "--base-model"),
        (Name::Metric, &args.metric, "--metric"),
    ];
    for (name, values, option) in given {
        for value in values {
            add(&mut intents, Intent::parse(name, value), option)?;
        }
    }
    for given in &args.dataset_file {
        let (label, path) = given.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--dataset-file `{given}` is not NAME=PATH"))
                .try_this("mledger commit --dataset-file credit-q3=data/q3.parquet")
        })?;
        // A name that does not do is told before a long file is read.
        Intent::content(Name::Dataset, label, &Digest::from_bytes([0; 32]))
            .map_err(|error| refused(&error, "--dataset-file"))?;
        let digest = hash(context, &PathBuf::from(path))?;
        add(&mut intents, Intent::content(Name::Dataset, label, &digest), "--dataset-file")?;
    }
    Ok(intents)
}

fn add(intents: &mut Vec<Intent>, parsed: Result<Intent, IntentError>, option: &str) -> Result<(), Failure> {
    let intent = parsed.and_then(|intent| check_alone(intents, intent)).map_err(|error| refused(&error, option))?;
    intents.push(intent);
    Ok(())
}

fn refused(error: &IntentError, option: &str) -> Failure {
    let failure = Failure::usage(format!("{option}: {error}"));
    match error {
        IntentError::Kind { near: Some(near), .. } => failure.try_this(format!("mledger commit --kind {near}")),
        IntentError::Content(_) | IntentError::Digest { .. } => {
            failure.try_this("mledger commit --dataset-file NAME=PATH     (hashes the file)")
        }
        _ => failure,
    }
}

/// The SHA-256 of a file of any size.
fn hash(context: &Context, path: &Path) -> Result<Digest, Failure> {
    /// How much is read at once, in bytes: enough to keep the disk busy.
    const CHUNK_BYTES: usize = 1 << 20;
    let failed = |source| Failure::file("read", path, source);
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let bar = context.output.progress(bytes, "hashing");
    let mut hasher = Sha256::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).map_err(failed)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        bar.inc(read as u64);
    }
    bar.finish_and_clear();
    Ok(hasher.finish())
}
