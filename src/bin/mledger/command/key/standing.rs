//! Where a person stands with the policy in force, as far as this clone can tell.

use mledger::clock::Timestamp;
use mledger::git::Repository;
use mledger::hook::clone_setup::{self, enrolment};
use mledger::identity::key::{KeyId, PublicKey};
use mledger::name::ActorId;
use mledger::policy::Policy;
use mledger::policy::actor::{Actor, Key};

use crate::context::{Context, KeyArgs};
use crate::error::Failure;

/// Who is at the keyboard, and what the policy says of them.
pub struct Standing {
    /// Who they are by this clone's configuration.
    pub actor: ActorId,
    /// Their name by Git's configuration.
    pub name: String,
    /// The policy in force; none where no ledger is followed, or this version cannot read it.
    pub policy: Option<Policy>,
    /// Why there is none.
    pub why_none: Option<String>,
    /// The clone.
    pub repository: Repository,
}

impl Standing {
    /// Asks the clone, and the ledger that it follows, brought up to date where its server answers.
    pub fn read(context: &Context) -> Result<Self, Failure> {
        let repository = context.repository()?;
        let (actor, name) = clone_setup::committer(&repository)?;
        let source = context.source(&KeyArgs { vkey: None })?;
        context.catch_up(&source)?;
        let text = source.peek().map(|log| log.policy_view()).transpose()?;
        let policy = text.as_deref().map(Policy::parse);
        let why_none = match &policy {
            None => Some("no ledger is followed here".to_owned()),
            Some(Err(_)) => Some("the policy in force cannot be read by this version".to_owned()),
            Some(Ok(_)) => None,
        };
        Ok(Self { actor, name, policy: policy.and_then(Result::ok), why_none, repository })
    }

    /// The person as the policy knows them: the owner of the key, else the actor of this clone's configuration.
    pub fn person(&self, key: Option<&KeyId>) -> Option<&Actor> {
        let policy = self.policy.as_ref()?;
        let owner = key.and_then(|key| policy.key_owner(key));
        policy.actor(owner.unwrap_or(&self.actor))
    }

    /// What the policy says of a key; none if it is nobody's.
    pub fn entry(&self, key: &KeyId) -> Option<(&Actor, &Key)> {
        let actor = self.person(Some(key))?;
        Some((actor, actor.keys.iter().find(|held| held.public.id() == key)?))
    }

    /// The lines of a policy that make this key one of theirs; none where it is somebody's already.
    pub fn enrolment(&self, key: &PublicKey) -> Option<String> {
        if self.entry(key.id()).is_some() {
            return None;
        }
        Some(match self.person(None) {
            Some(actor) => format!("[actors.\"{}\"]\n{}", actor.id, enrolment::with_key(actor, key)),
            None => enrolment::enrolment(&self.actor, &self.name, key),
        })
    }

    /// Whom to send lines of the policy to: `carol@bank.example or dan@bank.example`.
    pub fn admins(&self) -> String {
        let admins: Vec<&str> =
            self.policy.iter().flat_map(|policy| &policy.admin().actors).map(ActorId::as_str).collect();
        if admins.is_empty() { "the administrator of the policy".to_owned() } else { admins.join(" or ") }
    }

    /// The keys of an actor that count now, but for this one.
    pub fn valid_keys<'a>(&self, actor: &'a Actor, but: Option<&KeyId>) -> Vec<&'a Key> {
        let now = Timestamp::now();
        let counts = |key: &KeyId| self.policy.as_ref().is_some_and(|policy| policy.actor_of_key(key, now).is_ok());
        actor.keys.iter().filter(|key| Some(key.public.id()) != but && counts(key.public.id())).collect()
    }
}
