//! `[admin]` and `[limits]`.

use super::actors::Roster;
use super::reader::{At, Reader, Table};
use super::{Admin, Names};
use crate::name::ActorId;
use crate::policy::actor::Kind;
use crate::policy::limits::Limits;
use crate::policy::quantity;

/// Reads who may change the policy; without enough of them nobody could ever mend it.
pub(super) fn read(reader: &mut Reader, document: &Table<'_>, names: &Names<'_>, roster: &Roster) -> Admin {
    if !document.has("admin") {
        reader.refuse(0, "a policy has an `[admin]` table that says who may change it");
    }
    let Some(table) = reader.table(document, "admin") else { return Admin::default() };
    reader.known(&table, &["actors", "threshold"]);
    let mut admin = Admin { threshold: 1, ..Admin::default() };
    let listed = reader.texts(&table, "actors").unwrap_or_default();
    for text in &listed {
        let Some(id) = known_actor(reader, *text, names) else { continue };
        check_admin(reader, text.at, &id, roster);
        if !admin.actors.insert(id) {
            reader.refuse(text.at, format!("admin `{}` is listed twice", text.value));
        }
    }
    if table.lacks("actors") {
        reader.refuse(
            table.place("actors"),
            "`actors` of `admin` lists nobody; somebody must be able to change the policy",
        );
    }
    if let Some(threshold) = reader.count(&table, "threshold", 1..=listed.len().max(1) as u64) {
        admin.threshold = threshold.value;
    }
    admin
}

fn known_actor(reader: &mut Reader, text: At<&str>, names: &Names<'_>) -> Option<ActorId> {
    if names.actors.contains(text.value) {
        // One that is no id was refused where it is defined.
        return ActorId::parse(text.value).ok();
    }
    reader.unknown("actor", text, names.actors.iter().copied());
    None
}

fn check_admin(reader: &mut Reader, at: usize, id: &ActorId, roster: &Roster) {
    let Some(actor) = roster.actors.get(id).filter(|_| !roster.broken.contains(id)) else { return };
    if actor.kind != Kind::Person {
        reader.refuse(at, format!("admin `{id}` is of kind {}; only a person can be an admin", actor.kind));
    }
    if actor.keys.iter().all(|key| key.revoked.is_some()) {
        reader.refuse(at, format!("admin `{id}` has no key to sign with"));
    }
}

/// Reads how much one push may hold.
pub(super) fn limits(reader: &mut Reader, document: &Table<'_>) -> Limits {
    const COUNT_MAX: u64 = 10_000_000;
    let mut limits = Limits::default();
    let Some(table) = reader.table(document, "limits") else { return limits };
    reader.known(&table, &["file-size", "commits-per-push", "changes-per-commit", "refs-per-push"]);
    let mut set = |field: &str, limit: &mut u64| {
        *limit = reader.count(&table, field, 1..=COUNT_MAX).map_or(*limit, |count| count.value);
    };
    set("commits-per-push", &mut limits.commits_per_push);
    set("changes-per-commit", &mut limits.changes_per_commit);
    set("refs-per-push", &mut limits.refs_per_push);
    if let Some(text) = reader.text(&table, "file-size") {
        match quantity::parse_size(text.value) {
            Ok(bytes) => limits.file_size = bytes,
            Err(error) => reader.refuse(text.at, error.to_string()),
        }
    }
    limits
}
