//! What a new policy may not undo: a key or login that was ever one actor's is never another's.

use std::collections::BTreeMap;

use super::document::Policy;
use crate::identity::key::KeyId;
use crate::name::ActorId;

/// Whose each key and login is, over the whole history of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// By fingerprint.
    pub keys: BTreeMap<KeyId, ActorId>,
    /// By `source:name`.
    pub logins: BTreeMap<String, ActorId>,
}

/// Why a policy may not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// A key changes hands.
    #[error("the key {key} of `{actor}` was `{owner}`'s before; a key belongs to one actor for ever")]
    Key {
        /// Who is to get it.
        actor: ActorId,
        /// The key.
        key: KeyId,
        /// Whose it was.
        owner: ActorId,
    },
    /// A login changes hands.
    #[error("the login `{login}` of `{actor}` was `{owner}`'s before; a login belongs to one actor for ever")]
    Login {
        /// Who is to get it.
        actor: ActorId,
        /// The login.
        login: String,
        /// Whose it was.
        owner: ActorId,
    },
    /// Too few admins agree.
    #[error("{signed} of {threshold} necessary admins signed")]
    Threshold {
        /// How many distinct admins did.
        signed: u64,
        /// How many must.
        threshold: u64,
    },
}

impl Owners {
    /// Takes over a policy's owners; on a conflict it names them all and changes nothing.
    pub fn merge(&mut self, policy: &Policy) -> Result<(), Vec<ChangeError>> {
        let new = owners(policy);
        let taken_key = new.keys.iter().filter_map(|(key, actor)| {
            let owner = self.keys.get(key).filter(|owner| *owner != actor)?.clone();
            Some(ChangeError::Key { actor: actor.clone(), key: key.clone(), owner })
        });
        let taken_login = new.logins.iter().filter_map(|(login, actor)| {
            let owner = self.logins.get(login).filter(|owner| *owner != actor)?.clone();
            Some(ChangeError::Login { actor: actor.clone(), login: login.clone(), owner })
        });
        let conflicts: Vec<_> = taken_key.chain(taken_login).collect();
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        self.keys.extend(new.keys);
        self.logins.extend(new.logins);
        Ok(())
    }
}

/// Whose each key and login is in one policy.
pub fn owners(policy: &Policy) -> Owners {
    let mut owners = Owners::default();
    for actor in policy.actors() {
        owners.keys.extend(actor.keys.iter().map(|key| (key.public.id().clone(), actor.id.clone())));
        owners.logins.extend(actor.logins.iter().map(|login| (login.as_str().to_owned(), actor.id.clone())));
    }
    owners
}

/// Whether `new` may follow `old` in a ledger whose earlier policies had these owners; the owners afterwards.
pub fn check_change(old: &Policy, new: &Policy, history: &Owners) -> Result<Owners, Vec<ChangeError>> {
    let mut merged = history.clone();
    merged.merge(old)?;
    merged.merge(new)?;
    Ok(merged)
}

/// Whether these actors together may change the policy: distinct admins count, others do not.
pub fn admin_may(policy: &Policy, signers: &[ActorId]) -> Result<(), ChangeError> {
    let admin = policy.admin();
    let signed = admin.actors.iter().filter(|actor| signers.contains(actor)).count() as u64;
    let threshold = admin.threshold;
    if signed >= threshold { Ok(()) } else { Err(ChangeError::Threshold { signed, threshold }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    fn policy(owner: &str) -> Policy {
        sample::policy(&format!(
            "[actors.{owner}]\nlogins = [\"http:x\"]\nkeys = [\"{}\"]\n[actors.zoe]\nkeys = [\"{}\"]\n",
            sample::key(7),
            sample::key(8),
        ))
    }

    #[test]
    fn keys_and_logins_never_change_hands() {
        let (alice, bob) = (policy("alice"), policy("bob"));
        let merged = check_change(&alice, &alice, &Owners::default()).unwrap();
        assert_eq!(merged.logins["http:x"].as_str(), "alice");
        let conflicts = check_change(&alice, &bob, &Owners::default()).unwrap_err();
        let told: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].ends_with("of `bob` was `alice`'s before; a key belongs to one actor for ever"), "{}", told[0]);
        assert!(told[1].starts_with("the login `http:x` of `bob`"), "{}", told[1]);
        // Also with a policy in between that did not list it.
        let without = sample::policy("");
        let history = check_change(&alice, &without, &Owners::default()).unwrap();
        assert_eq!(check_change(&without, &bob, &history).unwrap_err().len(), 2);
    }

    #[test]
    fn distinct_admins_count() {
        let admins = format!(
            "mledger = 1\n[admin]\nactors = [\"a\", \"b\"]\nthreshold = 2\n[actors.a]\nkeys = [\"{}\"]\n\
             [actors.b]\nkeys = [\"{}\"]\n[actors.c]\n",
            sample::key(1),
            sample::key(2),
        );
        let policy = Policy::parse(&admins).unwrap();
        let ids = |names: &[&str]| names.iter().map(|name| ActorId::parse(name).unwrap()).collect::<Vec<_>>();
        assert_eq!(admin_may(&policy, &ids(&["b", "a"])), Ok(()));
        for few in [&["a", "a"][..], &["a", "c"], &[]] {
            let signed = u64::from(few.contains(&"a"));
            assert_eq!(admin_may(&policy, &ids(few)), Err(ChangeError::Threshold { signed, threshold: 2 }));
        }
    }
}
