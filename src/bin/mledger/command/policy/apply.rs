//! `mledger policy apply`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::leaf::{PolicyKind, VERSION};
use mledger::entry::statement::{Envelope, NAMESPACE, PolicyStatement};
use mledger::git::command::{git, output};
use mledger::hook::clone_setup;
use mledger::hook::inbox::INBOX;
use mledger::identity::key::PublicKey;
use mledger::identity::sshsig;
use mledger::ledger::follow;
use mledger::name::ActorId;
use mledger::policy::Policy;

use super::read_policy;
use crate::command::End;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::{counted, read_file, tame};

/// How long a statement counts, in milliseconds: a week, so that it is not found and used much later.
const LIFETIME_MS: i64 = 7 * 24 * 60 * 60 * 1000;

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
    let clone = context.repository()?;
    let remote =
        clone_setup::remote(&clone)?.ok_or_else(|| Failure::new("this clone has no remote to send the policy to"))?;
    let known = read_policy(context, None, &args.key).map(|policy| policy.text);
    follow::fetch(clone.git_dir(), &follow::remote_url(&clone, &remote)?, args.key.vkey.as_ref())?;
    let in_force = read_policy(context, None, &args.key)?.text;
    if in_force == text {
        context.output.say("this policy is in force already; nothing to do");
        return Ok(End::Fine);
    }
    if known.is_ok_and(|known| known != in_force) {
        let file = args.file.display();
        let words = "the policy was changed since this clone last looked, and your file might take that back";
        return Err(Failure::new(words)
            .try_this(format!("mledger policy show | diff - '{file}'\nmledger policy apply '{file}'")));
    }
    let source = context.source(&args.key)?;
    let origin = context.open(&source)?.head().checkpoint.origin().clone();
    let signing_key = clone
        .config("user.signingkey")?
        .ok_or_else(|| Failure::new("no key of yours is configured").try_this("mledger init"))?;
    let signer = Signer { key_file: signing_key };
    let actor = signer
        .actor(&in_force)
        .map_err(|failure| failure.try_this("mledger init     (prints the lines that enrol you)"))?;
    let statement = PolicyStatement {
        actor: actor.clone(),
        expires: expiry(Timestamp::now())?,
        kind: PolicyKind::Is,
        mledger: VERSION,
        new: sha256(text.as_bytes()),
        origin,
        previous: sha256(in_force.as_bytes()),
    };
    let statement = statement.to_text()?;
    let signature = signer.sign(&statement)?;
    let envelope = Envelope { attachment: text, mledger: VERSION, signature, statement }.to_bytes()?;
    let end = send(context, &clone, &remote, &envelope)?;
    if end == End::Denied
        && let Ok(policy) = Policy::parse(&in_force)
        && !policy.admin().actors.contains(&actor)
    {
        let admins: Vec<&str> = policy.admin().actors.iter().map(ActorId::as_str).collect();
        context.output.say(format_args!("  try: ask {}, who may change the policy", admins.join(" or ")));
    }
    Ok(end)
}

fn expiry(now: Timestamp) -> Result<Timestamp, Failure> {
    Timestamp::from_millis(now.millis().saturating_add(LIFETIME_MS))
        .ok_or_else(|| Failure::new("the clock is beyond the year 9999"))
}

/// Pushes the envelope to the inbox; the gate answers.
fn send(context: &Context, clone: &mledger::git::Repository, remote: &str, envelope: &[u8]) -> Result<End, Failure> {
    let dir = clone.work_dir().unwrap_or(clone.git_dir());
    let blob = clone.write(mledger::git::Kind::Blob, envelope)?;
    let target = format!("{blob}:{INBOX}{}", sha256(envelope).hex());
    let pushed =
        git(dir).args(["push", "--no-verify", "--no-signed", remote, &target]).output().map_err(Failure::from)?;
    let said = String::from_utf8_lossy(&pushed.stderr);
    for line in said.lines().filter_map(|line| line.strip_prefix("remote: ")) {
        context.output.say(tame(line.trim_end()));
    }
    if pushed.status.success() {
        follow::fetch(clone.git_dir(), &follow::remote_url(clone, remote)?, None)?;
        return Ok(End::Fine);
    }
    if said.contains("pre-receive hook declined") {
        return Ok(End::Denied);
    }
    Err(Failure::new("the policy could not be sent").of(tame(said.trim())))
}

/// The caller's own key, used through `ssh-keygen`: it knows agents, passphrases and hardware keys.
struct Signer {
    key_file: String,
}

impl Signer {
    /// Whose key it is in the policy in force.
    fn actor(&self, in_force: &str) -> Result<ActorId, Failure> {
        let policy =
            Policy::parse(in_force).map_err(|_| Failure::new("the policy in force cannot be read by this version"))?;
        let key = self.public()?;
        let actor = policy.actor_of_key(key.id(), Timestamp::now())?;
        Ok(actor.id.clone())
    }

    fn public(&self) -> Result<PublicKey, Failure> {
        if let Some(line) = self.key_file.strip_prefix("key::") {
            return Ok(PublicKey::parse(line)?);
        }
        let path = self.path();
        let public =
            if path.extension().is_some_and(|end| end == "pub") { path } else { path.with_added_extension("pub") };
        Ok(PublicKey::parse(&read_file(&public, 1 << 16)?)?)
    }

    fn path(&self) -> PathBuf {
        match (self.key_file.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(&self.key_file),
        }
    }

    fn sign(&self, statement: &str) -> Result<String, Failure> {
        let folder = tempfile::tempdir().map_err(Failure::from)?;
        let file = folder.path().join("statement");
        std::fs::write(&file, statement).map_err(|source| Failure::file("write", &file, source))?;
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]);
        match self.key_file.strip_prefix("key::") {
            Some(line) => {
                let public = folder.path().join("key.pub");
                std::fs::write(&public, line).map_err(|source| Failure::file("write", &public, source))?;
                command.arg(public);
            }
            None => {
                command.arg(self.path());
            }
        }
        output(command.arg(&file).stdin(Stdio::inherit()))?;
        let armour = read_file(&folder.path().join("statement.sig"), 1 << 16)?;
        sshsig::verify(armour.as_bytes(), NAMESPACE, statement.as_bytes())?;
        Ok(armour)
    }
}
