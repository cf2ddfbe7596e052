//! The policy document: TOML text in, a [`Policy`] that holds together out.
//!
//! ```toml
//! mledger = 1
//! name = "credit models"
//! mode = "enforce"              # or "observe": everything is decided and recorded, and let through all the same
//!
//! [admin]
//! actors = ["carol@bank.example"]
//! threshold = 1
//!
//! [actors."carol@bank.example"]
//! roles = ["maintainer"]
//! logins = ["gitea:carol"]
//! keys = ["ssh-ed25519 AAAA…", { key = "ssh-ed25519 AAAA…", from = 2026-01-01, until = 2027-01-01 }]
//!
//! [roles.maintainer]
//! inherits = []
//! allow = [{ actions = ["commit", "update"], refs = ["refs/heads/main"], paths = ["models/**"], links = false }]
//!
//! [[rules]]
//! name = "models need a ticket"
//! paths = ["models/**"]
//! trailers = ["Ticket"]
//!
//! [limits]
//! file-size = "50MB"
//! ```
//!
//! A date means its first moment, UTC; `until` and `revoked` name the first moment that is too late.

mod actors;
mod admin;
mod reader;
mod roles;
mod rules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use toml::de::DeTable;

use self::reader::{Reader, Table};
use super::actor::{Actor, KeyProblem, LoginProblem};
use super::limits::Limits;
use super::role::{Held, HeldRole, Role};
use super::rule::Rule;
use crate::clock::Timestamp;
use crate::identity::key::KeyId;
use crate::name::ActorId;

/// Who may do what. Invariant: every name in it is defined, no role inherits itself, every key and login belongs to
/// one actor, and enough admins can sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    actors: BTreeMap<ActorId, Actor>,
    admin: Admin,
    keys: BTreeMap<KeyId, ActorId>,
    limits: Limits,
    logins: BTreeMap<String, ActorId>,
    mode: Mode,
    name: String,
    roles: BTreeMap<String, Role>,
    rules: Vec<Rule>,
}

/// What becomes of a push that is not permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is denied.
    #[default]
    Enforce,
    /// It is recorded with the reasons that would deny it, and let through: for the weeks before a team dares.
    Observe,
}

/// Who may change the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// The admins: persons with a key.
    pub actors: BTreeSet<ActorId>,
    /// How many of them must sign; from one to all.
    pub threshold: u64,
}

/// One mistake in a policy text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("policy:{line}:{column}: {message}")]
pub struct PolicyError {
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Policy {
    /// The longest policy text, in bytes: some thousand actors, and still read in milliseconds.
    pub const TEXT_BYTES_MAX: usize = 1 << 20;
    /// The most mistakes that are listed.
    pub const ERRORS_MAX: usize = 100;
    /// The most roles, and the most rules: each decision may have to look at all of them.
    pub const ROLES_MAX: usize = 1000;
    /// See [`Policy::ROLES_MAX`].
    pub const RULES_MAX: usize = 1000;

    /// Parses and checks a policy text. Lists every mistake in the order of the text, at most [`Policy::ERRORS_MAX`];
    /// where the text is no TOML, only the mistakes that make it none.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyError>> {
        let mut reader = Reader::default();
        if text.len() > Self::TEXT_BYTES_MAX {
            reader.refuse(0, format!("a policy of {} bytes is longer than {}", text.len(), Self::TEXT_BYTES_MAX));
            return Err(reader.errors(text));
        }
        let (table, malformed) = DeTable::parse_recoverable(text);
        for error in &malformed {
            reader.refuse(error.span().map_or(0, |span| span.start), error.message().to_owned());
        }
        if !malformed.is_empty() {
            return Err(reader.errors(text));
        }
        let policy = read(&mut reader, &Table::document(table.get_ref()));
        let errors = reader.errors(text);
        if errors.is_empty() { Ok(policy) } else { Err(errors) }
    }

    /// What becomes of a push that is not permitted.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may change it.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Every actor, also those that left.
    pub fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.actors.values()
    }

    /// The actor of that id.
    pub fn actor(&self, id: &ActorId) -> Option<&Actor> {
        self.actors.get(id)
    }

    /// Every role.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Every rule, in the order of the text.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How much one push may hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whose key it is, valid or not.
    pub fn key_owner(&self, key: &KeyId) -> Option<&ActorId> {
        self.keys.get(key)
    }

    /// The actor for whom the key speaks at a ledger time.
    pub fn actor_of_key(&self, key: &KeyId, at: Timestamp) -> Result<&Actor, KeyProblem> {
        let owner = self.keys.get(key).and_then(|owner| self.actors.get(owner));
        let actor = owner.ok_or_else(|| KeyProblem::Unknown { key: key.clone() })?;
        actor.check_key(key, at).map(|()| actor)
    }

    /// The actor whom a login like `http:alice` means at a ledger time. `ssh-user-auth:SHA256:…` means the actor of
    /// that key.
    pub fn actor_of_login(&self, login: &str, at: Timestamp) -> Result<&Actor, LoginProblem> {
        let unknown = || LoginProblem::Unknown { login: login.to_owned() };
        if let Some(fingerprint) = login.strip_prefix("ssh-user-auth:") {
            let key = KeyId::parse(fingerprint).map_err(|_| unknown())?;
            return Ok(self.actor_of_key(&key, at)?);
        }
        let actor = self.logins.get(login).and_then(|owner| self.actors.get(owner)).ok_or_else(unknown)?;
        match actor.expired(at) {
            Some(until) => Err(LoginProblem::ActorExpired { actor: actor.id.clone(), until }),
            None => Ok(actor),
        }
    }

    /// The roles that an actor holds, each once: its own first, in the order of the text, then what these inherit.
    pub fn roles_of<'a>(&'a self, actor: &'a Actor) -> Vec<HeldRole<'a>> {
        let mut seen = BTreeSet::new();
        let mut open: VecDeque<(&str, Option<usize>)> = actor.roles.iter().map(|name| (name.as_str(), None)).collect();
        let mut found = vec![];
        while let Some((name, via)) = open.pop_front() {
            let Some(role) = self.roles.get(name).filter(|_| seen.insert(name)) else { continue };
            open.extend(role.inherits.iter().map(|parent| (parent.as_str(), Some(found.len()))));
            found.push(HeldRole { role, via });
        }
        found
    }

    /// The grants that an actor holds, inherited ones included, in the order of [`Policy::roles_of`].
    pub fn grants_of<'a>(&'a self, actor: &'a Actor) -> Vec<Held<'a>> {
        let grants = |HeldRole { role, .. }: HeldRole<'a>| role.allow.iter().map(move |grant| Held { grant, role });
        self.roles_of(actor).into_iter().flat_map(grants).collect()
    }
}

/// The names that a text defines, whether or not their definitions are sound.
struct Names<'t> {
    actors: BTreeSet<&'t str>,
    roles: BTreeSet<&'t str>,
}

fn read(reader: &mut Reader, document: &Table<'_>) -> Policy {
    reader.known(document, &["mledger", "name", "mode", "admin", "actors", "roles", "rules", "limits"]);
    version(reader, document);
    let empty = DeTable::new();
    let actors = reader.table(document, "actors").unwrap_or_else(|| Table::part(&empty, 0, "`actors`"));
    let roles = reader.table(document, "roles").unwrap_or_else(|| Table::part(&empty, 0, "`roles`"));
    let names = Names { actors: actors.names().collect(), roles: roles.names().collect() };
    let roles = roles::read(reader, &roles, &names);
    let roster = actors::read(reader, &actors, &names);
    Policy {
        admin: admin::read(reader, document, &names, &roster),
        keys: roster.keys,
        limits: admin::limits(reader, document),
        logins: roster.logins,
        mode: mode(reader, document),
        name: reader.label(document, "name").unwrap_or_default(),
        rules: rules::read(reader, document, &names),
        actors: roster.actors,
        roles,
    }
}

fn mode(reader: &mut Reader, document: &Table<'_>) -> Mode {
    let Some(text) = reader.text(document, "mode") else { return Mode::default() };
    match text.value {
        "enforce" => Mode::Enforce,
        "observe" => Mode::Observe,
        _ => {
            reader.unknown("mode", text, ["enforce", "observe"]);
            Mode::default()
        }
    }
}

fn version(reader: &mut Reader, document: &Table<'_>) {
    if !document.has("mledger") {
        reader.refuse(0, "the first line of a policy is `mledger = 1`");
    } else if let Some(found) = reader.count(document, "mledger", 0..=u64::MAX).filter(|found| found.value != 1) {
        reader.refuse(found.at, format!("policy version {} is unknown; this program knows 1", found.value));
    }
}

#[cfg(test)]
mod tests;
