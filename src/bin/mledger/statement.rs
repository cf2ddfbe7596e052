//! Statements of the caller: signed with their own key, and sent to the server's inbox.

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::leaf::VERSION;
use mledger::entry::statement::{Envelope, NAMESPACE, Statement};
use mledger::git::command::git;
use mledger::git::{Kind, Repository};
use mledger::hook::clone_setup::{self, key::Configured};
use mledger::hook::inbox::INBOX;
use mledger::identity::key::PublicKey;
use mledger::ledger::follow;
use mledger::name::{ActorId, Origin};
use mledger::policy::Policy;

use crate::command::End;
use crate::command::policy::read_policy;
use crate::context::{Context, KeyArgs};
use crate::error::Failure;
use crate::output::tame;

/// How long a statement counts, in milliseconds: a week, so that it is not found and used much later.
const LIFETIME_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The first moment at which a statement made now does not count any more.
pub fn expiry(now: Timestamp) -> Result<Timestamp, Failure> {
    Timestamp::from_millis(now.millis().saturating_add(LIFETIME_MS))
        .ok_or_else(|| Failure::new("the clock is beyond the year 9999"))
}

/// Pushes the envelope to the inbox; the gate answers.
pub fn send(context: &Context, clone: &Repository, remote: &str, envelope: &[u8]) -> Result<End, Failure> {
    let dir = clone.work_dir().unwrap_or(clone.git_dir());
    let blob = clone.write(Kind::Blob, envelope)?;
    let target = format!("{blob}:{INBOX}{}", sha256(envelope).hex());
    let pushed =
        git(dir).args(["push", "--no-verify", "--no-signed", remote, &target]).output().map_err(Failure::from)?;
    let said = String::from_utf8_lossy(&pushed.stderr);
    let answer: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("remote: ")).collect();
    for line in &answer {
        context.output.say(tame(line.trim_end()));
    }
    if pushed.status.success() {
        follow::fetch(clone.git_dir(), &follow::remote_url(clone, remote)?, None)?;
        return Ok(End::Fine);
    }
    if said.contains("pre-receive hook declined") {
        if answer.is_empty() {
            // The gate died before it could answer; Git knows of what.
            context.output.say(tame(said.trim()));
        }
        return Ok(End::Denied);
    }
    Err(Failure::new("the statement could not be sent").of(tame(said.trim())))
}

/// What a statement of the caller needs: a clone, its server, and the policy in force there.
pub struct Desk {
    /// The caller's clone.
    pub clone: Repository,
    /// The remote that stands for the server.
    pub remote: String,
    /// The text of the policy in force there.
    pub in_force: String,
}

impl Desk {
    /// Opens the clone and fetches its ledger.
    pub fn open(context: &Context, key: &KeyArgs) -> Result<Self, Failure> {
        let clone = context.repository()?;
        let remote = clone_setup::remote(&clone)?
            .ok_or_else(|| Failure::new("this clone has no remote to send the statement to"))?;
        follow::fetch(clone.git_dir(), &follow::remote_url(&clone, &remote)?, key.vkey.as_ref())?;
        let in_force = read_policy(context, None, key)?.text;
        Ok(Self { clone, remote, in_force })
    }

    /// The caller's key, whom it means, and the ledger's name.
    pub fn sign_as(&self, context: &Context, key: &KeyArgs) -> Result<(Signer, ActorId, Origin), Failure> {
        let source = context.source(key)?;
        let origin = context.open(&source)?.head().checkpoint.origin().clone();
        let signer = Signer::of(&self.clone)?;
        let actor = signer.actor(&self.in_force)?;
        Ok((signer, actor, origin))
    }

    /// Where the server denied a statement of somebody who is no admin: says who is.
    pub fn who_else(&self, context: &Context, end: End, actor: &ActorId) -> End {
        if end == End::Denied
            && let Ok(policy) = Policy::parse(&self.in_force)
            && !policy.admin().actors.contains(actor)
        {
            let admins: Vec<&str> = policy.admin().actors.iter().map(ActorId::as_str).collect();
            context.output.say(format_args!("  try: ask {}, who may", admins.join(" or ")));
        }
        end
    }
}

/// The caller's own key, with which Git signs here.
pub struct Signer {
    configured: Configured,
}

impl Signer {
    /// The key that is configured in a clone.
    pub fn of(clone: &Repository) -> Result<Self, Failure> {
        Ok(Self { configured: clone_setup::configured_key(clone)? })
    }

    /// The signed envelope of a statement with what it refers to.
    pub fn envelope(&self, statement: &Statement, attachment: String) -> Result<Vec<u8>, Failure> {
        let statement = statement.to_text()?;
        let signature = self.configured.sign(NAMESPACE, &statement)?;
        Ok(Envelope { attachment, mledger: VERSION, signature, statement }.to_bytes()?)
    }

    /// Whose key it is in the policy in force.
    pub fn actor(&self, in_force: &str) -> Result<ActorId, Failure> {
        let policy =
            Policy::parse(in_force).map_err(|_| Failure::new("the policy in force cannot be read by this version"))?;
        let key = self.public()?;
        let actor = policy
            .actor_of_key(key.id(), Timestamp::now())
            .map_err(|error| Failure::from(error).try_this("mledger key     (prints the lines that enrol you)"))?;
        Ok(actor.id.clone())
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, Failure> {
        Ok(self.configured.public()?)
    }
}
