//! `[actors."id"]`: who they are, and that no two share a key or login.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::DeValue;

use super::Names;
use super::reader::{At, Reader, Table, shortened};
use crate::clock::Timestamp;
use crate::identity::key::{KeyId, PublicKey};
use crate::name::ActorId;
use crate::policy::actor::{Actor, Key, Kind, Login};

/// All actors, and whose the keys and logins are.
#[derive(Default)]
pub(super) struct Roster {
    pub actors: BTreeMap<ActorId, Actor>,
    /// Actors with a mistake, about which nothing more is concluded.
    pub broken: BTreeSet<ActorId>,
    pub keys: BTreeMap<KeyId, ActorId>,
    pub logins: BTreeMap<String, ActorId>,
}

pub(super) fn read(reader: &mut Reader, actors: &Table<'_>, names: &Names<'_>) -> Roster {
    let mut roster = Roster::default();
    for (name, value) in actors.in_order() {
        let id = match ActorId::parse(name.value) {
            Ok(id) => id,
            Err(error) => {
                reader.refuse(name.at, error.to_string());
                continue;
            }
        };
        let before = reader.problems();
        let Some(table) = reader.table_of(value, &format!("actor `{id}`")) else { continue };
        let actor = read_actor(reader, &table, &id, names, &mut roster);
        if reader.problems() > before {
            roster.broken.insert(id.clone());
        }
        roster.actors.insert(id, actor);
    }
    roster
}

fn read_actor(reader: &mut Reader, table: &Table<'_>, id: &ActorId, names: &Names<'_>, roster: &mut Roster) -> Actor {
    reader.known(table, &["name", "roles", "kind", "logins", "keys", "until"]);
    Actor {
        id: id.clone(),
        keys: read_keys(reader, table, id, roster),
        kind: read_kind(reader, table),
        logins: read_logins(reader, table, id, roster),
        name: reader.label(table, "name"),
        roles: role_names(reader, table, "roles", names),
        until: reader.moment(table, "until").map(|until| until.value),
    }
}

fn read_kind(reader: &mut Reader, table: &Table<'_>) -> Kind {
    const KINDS: [Kind; 3] = [Kind::Person, Kind::Service, Kind::Agent];
    let Some(text) = reader.text(table, "kind") else { return Kind::default() };
    let kind = KINDS.into_iter().find(|kind| kind.as_str() == text.value);
    kind.unwrap_or_else(|| {
        reader.unknown("kind", text, KINDS.map(Kind::as_str));
        Kind::default()
    })
}

/// A list of defined roles, each once.
pub(super) fn role_names(reader: &mut Reader, table: &Table<'_>, field: &str, names: &Names<'_>) -> Vec<String> {
    let mut roles: Vec<String> = vec![];
    let mut seen = BTreeSet::new();
    for text in reader.texts(table, field).unwrap_or_default() {
        if !names.roles.contains(text.value) {
            reader.unknown("role", text, names.roles.iter().copied());
        } else if !seen.insert(text.value) {
            reader.refuse(text.at, format!("role `{}` is listed twice", text.value));
        } else {
            roles.push(text.value.to_owned());
        }
    }
    roles
}

fn read_logins(reader: &mut Reader, table: &Table<'_>, id: &ActorId, roster: &mut Roster) -> Vec<Login> {
    let mut logins = vec![];
    for text in reader.texts(table, "logins").unwrap_or_default() {
        let login = match Login::parse(text.value) {
            Ok(login) => login,
            Err(error) => {
                reader.refuse(text.at, error.to_string());
                continue;
            }
        };
        match roster.logins.insert(login.as_str().to_owned(), id.clone()) {
            Some(owner) => reader.refuse(text.at, format!("login `{login}` belongs to `{owner}` already")),
            None => logins.push(login),
        }
    }
    logins
}

fn read_keys(reader: &mut Reader, table: &Table<'_>, id: &ActorId, roster: &mut Roster) -> Vec<Key> {
    let mut keys = vec![];
    for value in reader.array(table, "keys") {
        let Some(At { at, value: key }) = read_key(reader, value) else { continue };
        match roster.keys.insert(key.public.id().clone(), id.clone()) {
            Some(owner) => reader.refuse(at, format!("key {} belongs to `{owner}` already", key.public.id())),
            None => keys.push(key),
        }
    }
    keys
}

fn read_key(reader: &mut Reader, value: &Spanned<DeValue<'_>>) -> Option<At<Key>> {
    if let DeValue::String(_) = value.get_ref() {
        let text = reader.text_of(value, "a key")?;
        return read_public(reader, text).map(|public| bare(text.at, public));
    }
    let table = reader.table_of(value, "a key")?;
    reader.known(&table, &["key", "from", "until", "revoked"]);
    if !table.has("key") {
        reader.refuse(table.at, "a key has no `key`");
    }
    let text = reader.text(&table, "key");
    let public = text.and_then(|text| Some(At { at: text.at, value: read_public(reader, text)? }));
    let [from, until, revoked] = ["from", "until", "revoked"].map(|field| reader.moment(&table, field));
    ordered(reader, from, until);
    let At { at, value: public } = public?;
    let moment = |at: Option<At<Timestamp>>| at.map(|at| at.value);
    Some(At { at, value: Key { from: moment(from), public, revoked: moment(revoked), until: moment(until) } })
}

fn bare(at: usize, public: PublicKey) -> At<Key> {
    At { at, value: Key { from: None, public, revoked: None, until: None } }
}

fn ordered(reader: &mut Reader, from: Option<At<Timestamp>>, until: Option<At<Timestamp>>) {
    if let (Some(from), Some(until)) = (from, until)
        && from.value >= until.value
    {
        reader.refuse(until.at, format!("`until` {} is not after `from` {}", until.value, from.value));
    }
}

fn read_public(reader: &mut Reader, text: At<&str>) -> Option<PublicKey> {
    match PublicKey::parse(text.value) {
        Ok(public) => Some(public),
        Err(error) => {
            reader.refuse(text.at, format!("bad key `{}`: {error}", shortened(text.value)));
            None
        }
    }
}
