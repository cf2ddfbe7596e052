//! Actors: who they are, and which keys and logins mean them, when.
//!
//! ```text
//! valid:   from <= time < until, time < revoked, time < the actor's own until
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::identity::key::{KeyId, PublicKey};
use crate::name::ActorId;

/// Somebody or something that the policy knows. Actors that left stay listed: their keys are theirs for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The id.
    pub id: ActorId,
    /// Public keys; each belongs to this actor alone.
    pub keys: Vec<Key>,
    /// What the actor is.
    pub kind: Kind,
    /// Transport identities; each belongs to this actor alone.
    pub logins: Vec<Login>,
    /// The name for people.
    pub name: Option<String>,
    /// Names of roles, all defined.
    pub roles: Vec<String>,
    /// The first moment at which the actor is none any more.
    pub until: Option<Timestamp>,
}

/// What an actor is. Only persons approve, review and administer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A human being.
    #[default]
    Person,
    /// A program that does what it was told.
    Service,
    /// A program that decides what to do.
    Agent,
}

/// A public key and when it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The first moment at which it counts.
    pub from: Option<Timestamp>,
    /// The key.
    pub public: PublicKey,
    /// The first moment at which it is revoked.
    pub revoked: Option<Timestamp>,
    /// The first moment at which it counts no more.
    pub until: Option<Timestamp>,
}

/// A transport identity, written `source:name` like `gitea:alice`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

/// Why a text is not a [`Login`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// No `source:` in front.
    #[error("`{0}` is not a login like `gitea:alice`")]
    Form(String),
    /// A source that does not exist.
    #[error("unknown login source `{0}`; the sources are env, http, gitea, gitlab, github, gitolite")]
    Source(String),
    /// The source whose identities are the keys themselves.
    #[error("`ssh-user-auth` needs no login: it names the actor by the key")]
    SshUserAuth,
    /// A name that no transport hands over.
    #[error("the name in login `{0}` is empty, longer than 128 bytes, or holds a space or control character")]
    Name(String),
}

/// Why a key does not speak for an actor at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProblem {
    /// Nobody's key.
    #[error("no actor has the key {key}")]
    Unknown {
        /// The key.
        key: KeyId,
    },
    /// Before its `from`.
    #[error("the key {key} of `{actor}` is valid from {from} only")]
    NotYetValid {
        /// Whose key it is.
        actor: ActorId,
        /// The key.
        key: KeyId,
        /// When it begins to count.
        from: Timestamp,
    },
    /// At or after its `until`.
    #[error("the key {key} of `{actor}` was valid until {until}")]
    Expired {
        /// Whose key it is.
        actor: ActorId,
        /// The key.
        key: KeyId,
        /// When it ceased to count.
        until: Timestamp,
    },
    /// At or after its revocation.
    #[error("the key {key} of `{actor}` was revoked at {revoked}")]
    Revoked {
        /// Whose key it is.
        actor: ActorId,
        /// The key.
        key: KeyId,
        /// When it was revoked.
        revoked: Timestamp,
    },
    /// At or after its actor's `until`.
    #[error("`{actor}` was an actor until {until}")]
    ActorExpired {
        /// Whose key it is.
        actor: ActorId,
        /// When the actor ceased to be one.
        until: Timestamp,
    },
}

/// Why a login does not mean an actor at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginProblem {
    /// Nobody's login.
    #[error("no actor has the login `{login}`")]
    Unknown {
        /// The login.
        login: String,
    },
    /// At or after its actor's `until`.
    #[error("`{actor}` was an actor until {until}")]
    ActorExpired {
        /// Whose login it is.
        actor: ActorId,
        /// When the actor ceased to be one.
        until: Timestamp,
    },
    /// The key of an `ssh-user-auth` login does not hold.
    #[error(transparent)]
    Key(#[from] KeyProblem),
}

impl Actor {
    /// When the actor ceased to be one, if it did by `time`.
    pub fn expired(&self, time: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| time >= *until)
    }

    /// Whether the key, one of this actor's, speaks for it at `time`.
    pub(super) fn check_key(&self, id: &KeyId, time: Timestamp) -> Result<(), KeyProblem> {
        let (actor, key) = (self.id.clone(), id.clone());
        let Some(found) = self.keys.iter().find(|each| each.public.id() == id) else {
            return Err(KeyProblem::Unknown { key });
        };
        if let Some(revoked) = found.revoked.filter(|revoked| time >= *revoked) {
            return Err(KeyProblem::Revoked { actor, key, revoked });
        }
        if let Some(from) = found.from.filter(|from| time < *from) {
            return Err(KeyProblem::NotYetValid { actor, key, from });
        }
        if let Some(until) = found.until.filter(|until| time >= *until) {
            return Err(KeyProblem::Expired { actor, key, until });
        }
        match self.expired(time) {
            Some(until) => Err(KeyProblem::ActorExpired { actor, until }),
            None => Ok(()),
        }
    }
}

impl Kind {
    /// The name as in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Login {
    /// The longest name behind the source, in bytes: forges end at 255 and less, people far below.
    pub const NAME_BYTES_MAX: usize = 128;

    /// Parses `source:name`.
    pub fn parse(text: &str) -> Result<Self, LoginError> {
        let shortened = |text: &str| text.chars().take(80).collect::<String>();
        let (source, name) = text.split_once(':').ok_or_else(|| LoginError::Form(shortened(text)))?;
        match source {
            "env" | "http" | "gitea" | "gitlab" | "github" | "gitolite" => {}
            "ssh-user-auth" => return Err(LoginError::SshUserAuth),
            _ => return Err(LoginError::Source(shortened(source))),
        }
        let plain = name.chars().all(|each| !each.is_whitespace() && !each.is_control());
        if name.is_empty() || name.len() > Self::NAME_BYTES_MAX || !plain {
            return Err(LoginError::Name(shortened(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl TryFrom<String> for Login {
    type Error = LoginError;

    fn try_from(text: String) -> Result<Self, LoginError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_name_their_source() {
        for good in ["gitea:alice", "http:alice@bank.example", "github:a:b", "env:é"] {
            assert_eq!(Login::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("alice", "not a login"),
            ("ldap:alice", "unknown login source `ldap`"),
            ("ssh-user-auth:SHA256:x", "needs no login"),
            ("http:", "is empty"),
            ("http:a b", "space"),
            (&format!("http:{}", "a".repeat(129)), "longer than 128"),
        ] {
            let error = Login::parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
