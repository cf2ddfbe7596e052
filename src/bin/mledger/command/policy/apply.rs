//! `mledger policy apply`.

use std::path::PathBuf;

use mledger::clock::Timestamp;
use mledger::digest::{Digest, sha256};
use mledger::entry::leaf::{PolicyKind, VERSION};
use mledger::entry::statement::{PolicyStatement, Statement};
use mledger::policy::Policy;
use serde::Serialize;

use super::read_policy;
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{counted, read_file, tame};
use crate::statement::{Desk, expiry, send};

/// Put a new policy in force: sign it as an admin and send it to the server
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The policy in force can be printed with `mledger policy show`.\n\nExample:\n  mledger policy show > policy.toml\n  mledger policy apply policy.toml"
)]
pub struct Args {
    /// The new policy
    file: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
}

/// What `policy apply --json` prints: the policy by its digest, and whether the server took it just now.
#[derive(Serialize)]
struct Applied {
    policy: Digest,
    sent: bool,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let text = read_file(&args.file, Policy::TEXT_BYTES_MAX)?;
    let errors = Policy::parse(&text).err().unwrap_or_default();
    if !errors.is_empty() {
        for error in &errors {
            let place = format!("{}:{}:{}", args.file.display(), error.line, error.column);
            context.output.say(tame(&format!("{place}: {}", error.message)));
        }
        let mistakes = counted(errors.len(), "mistake", "mistakes");
        let words = format!("`{}` has {mistakes}; nothing was sent", args.file.display());
        return Err(Failure::new(words).try_this(format!("mledger policy check {}", args.file.display())));
    }
    let known = read_policy(context, None, &args.key).map(|policy| policy.text);
    let desk = Desk::open(context, &args.key)?;
    let in_force = &desk.in_force;
    let policy = sha256(text.as_bytes());
    if *in_force == text {
        context.output.say("this policy is in force already; nothing to do");
        print(context, &Applied { policy, sent: false })?;
        return Ok(End::Fine);
    }
    if known.is_ok_and(|known| known != *in_force) {
        let file = args.file.display();
        let words = "the policy was changed since this clone last looked, and your file might take that back";
        return Err(Failure::new(words)
            .try_this(format!("mledger policy show | diff - '{file}'\nmledger policy apply '{file}'")));
    }
    let (signer, actor, origin) = desk.sign_as(context, &args.key)?;
    let statement = Statement::Policy(PolicyStatement {
        actor: actor.clone(),
        expires: expiry(Timestamp::now())?,
        kind: PolicyKind::Is,
        mledger: VERSION,
        new: policy,
        origin,
        previous: sha256(in_force.as_bytes()),
    });
    let end = send(context, &desk.clone, &desk.remote, &signer.envelope(&statement, text)?)?;
    print(context, &Applied { policy, sent: end == End::Fine })?;
    Ok(desk.who_else(context, end, &actor))
}

/// People have been told by the gate itself.
fn print(context: &Context, applied: &Applied) -> Result<(), Failure> {
    Ok(context.output.result(applied, String::new)?)
}
