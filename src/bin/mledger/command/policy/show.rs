//! `mledger policy show`.

use std::io::Write;

use serde_json::json;

use super::read_policy;
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;

/// Print the policy in force
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mledger policy show > policy.toml")]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    // A new version is made of what is printed here, so it has to be the newest.
    context.catch_up(&context.source(&args.key)?)?;
    let policy = read_policy(context, None, &args.key)?;
    if context.output.is_json() {
        context.output.result(&json!({ "policy": policy.text }), String::new)?;
    } else {
        let mut results = context.output.results();
        results.write_all(policy.text.as_bytes())?;
        results.flush()?;
    }
    Ok(End::Fine)
}
