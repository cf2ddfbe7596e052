//! Who somebody is in a clone, and whether the policy knows them.

use serde::Serialize;

use super::StandingError;
use crate::clock::Timestamp;
use crate::git::Repository;
use crate::hook::clone_setup::ACTOR_KEY;
use crate::hook::forecast::own_key;
use crate::identity::key::{KeyId, PublicKey};
use crate::name::ActorId;
use crate::policy::Policy;
use crate::policy::actor::Actor;

/// Who commits here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The configured actor, else the e-mail address; what stands there, whether or not it can name an actor.
    pub actor: Option<String>,
    /// The key that Git signs with.
    pub key: Option<KeyId>,
    /// Whom the policy knows the key as; none where it does not, or no policy is known.
    pub known: Option<Known>,
    /// Whether `mledger init` was here.
    #[serde(rename = "set-up")]
    pub set_up: bool,
}

/// An actor as the policy knows one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The actor.
    pub actor: ActorId,
    /// The first moment at which the key counts.
    pub from: Option<Timestamp>,
    /// Why the key does not count now.
    pub problem: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The first moment at which the key, or the actor, counts no more.
    pub until: Option<Timestamp>,
}

pub(super) fn who(repository: &Repository, policy: Option<&Policy>, now: Timestamp) -> Result<Who, StandingError> {
    let configured = repository.config(ACTOR_KEY)?;
    let set_up = configured.is_some();
    let actor = match configured {
        Some(actor) => Some(actor),
        None => repository.config("user.email")?,
    };
    let key = own_key(repository);
    let known = policy.zip(key.as_ref()).and_then(|(policy, key)| known(policy, key, now));
    Ok(Who { actor: actor.map(|actor| actor.to_lowercase()), key: key.map(|key| key.id().clone()), known, set_up })
}

fn known(policy: &Policy, key: &PublicKey, now: Timestamp) -> Option<Known> {
    let id = key.id();
    let actor: &Actor = policy.actor(policy.key_owner(id)?)?;
    let held = actor.keys.iter().find(|held| held.public.id() == id)?;
    Some(Known {
        actor: actor.id.clone(),
        from: held.from,
        problem: policy.actor_of_key(id, now).err().map(|problem| problem.to_string()),
        roles: actor.roles.clone(),
        until: [held.until, held.revoked, actor.until].into_iter().flatten().min(),
    })
}
