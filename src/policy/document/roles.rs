//! `[roles.NAME]`: grants, and that inheritance ends.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::DeValue;

use super::actors::role_names;
use super::reader::{At, Reader, Table, shortened};
use super::{Names, Policy};
use crate::policy::glob::Glob;
use crate::policy::pattern::{PathSet, RefClass, RefSet};
use crate::policy::role::{Action, Grant, Role};

pub(super) fn read(reader: &mut Reader, roles: &Table<'_>, names: &Names<'_>) -> BTreeMap<String, Role> {
    let entries = roles.in_order();
    if let Some((name, _)) = entries.get(Policy::ROLES_MAX) {
        reader.refuse(name.at, format!("more than {} roles", Policy::ROLES_MAX));
    }
    let mut found = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (name, value) in entries.into_iter().take(Policy::ROLES_MAX) {
        check_name(reader, name);
        let Some(table) = reader.table_of(value, &format!("role `{}`", shortened(name.value))) else { continue };
        places.insert(name.value, table.place("inherits"));
        found.insert(name.value.to_owned(), read_role(reader, &table, name.value, names));
    }
    check_cycles(reader, &found, &places);
    found
}

fn check_name(reader: &mut Reader, name: At<&str>) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if !name.value.bytes().all(plain) || !(1..=64).contains(&name.value.len()) {
        let message = format!("`{}` is not a role name: 1 to 64 of a-z 0-9 - _ .", shortened(name.value));
        reader.refuse(name.at, message);
    }
}

fn read_role(reader: &mut Reader, table: &Table<'_>, name: &str, names: &Names<'_>) -> Role {
    reader.known(table, &["inherits", "allow"]);
    let inherits = role_names(reader, table, "inherits", names);
    let items = reader.array(table, "allow");
    if table.lacks("allow") && table.lacks("inherits") {
        reader.refuse(table.at, format!("{} is empty: give it `allow` or `inherits`", table.what()));
    }
    let allow = items.into_iter().filter_map(|item| read_grant(reader, item)).collect();
    Role { allow, inherits, name: name.to_owned() }
}

fn read_grant(reader: &mut Reader, value: &Spanned<DeValue<'_>>) -> Option<Grant> {
    let table = reader.table_of(value, "an `allow` entry")?;
    reader.known(&table, &["actions", "refs", "paths", "links"]);
    let actions = read_actions(reader, &table);
    let refs = read_refs(reader, &table);
    for glob in refs.iter().flatten().filter(|glob| RefClass::of_text(glob.value.as_str()) == RefClass::Never) {
        reader.refuse(glob.at, format!("`{}` can never be granted", glob.value));
    }
    Some(Grant {
        actions,
        links: reader.flag(&table, "links").unwrap_or_default(),
        paths: PathSet::new(read_paths(reader, &table)),
        refs: RefSet::new(refs.map(values)),
    })
}

fn read_actions(reader: &mut Reader, table: &Table<'_>) -> BTreeSet<Action> {
    let texts = reader.texts(table, "actions").unwrap_or_default();
    if table.lacks("actions") {
        reader.refuse(table.place("actions"), "an `allow` entry names no `actions`");
    }
    let mut actions = BTreeSet::new();
    for text in texts {
        match Action::parse(text.value) {
            Some(action) => actions.extend([action]),
            None => reader.unknown("action", text, Action::ALL.map(Action::as_str)),
        }
    }
    actions
}

/// Patterns for refs, which are whole names.
pub(super) fn read_refs(reader: &mut Reader, table: &Table<'_>) -> Option<Vec<At<Glob>>> {
    let globs = reader.globs(table, "refs")?;
    for glob in &globs {
        if !glob.value.as_str().starts_with("refs/") {
            let message = format!("`{}` is not a whole ref name like `refs/heads/main`", glob.value);
            reader.refuse(glob.at, message);
        }
    }
    Some(globs)
}

pub(super) fn read_paths(reader: &mut Reader, table: &Table<'_>) -> Option<Vec<Glob>> {
    reader.globs(table, "paths").map(values)
}

pub(super) fn values(globs: Vec<At<Glob>>) -> Vec<Glob> {
    globs.into_iter().map(|glob| glob.value).collect()
}

/// Takes away roles that inherit nothing that is left, until none goes: what stays runs in circles.
fn check_cycles(reader: &mut Reader, roles: &BTreeMap<String, Role>, places: &BTreeMap<&str, usize>) {
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut parents: BTreeMap<&str, usize> = BTreeMap::new();
    for role in roles.values() {
        let known = role.inherits.iter().filter(|parent| roles.contains_key(*parent));
        parents.insert(&role.name, known.clone().count());
        known.for_each(|parent| children.entry(parent).or_default().push(&role.name));
    }
    let mut open: Vec<&str> = parents.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = open.pop() {
        parents.remove(name);
        for child in children.get(name).into_iter().flatten() {
            if let Some(count) = parents.get_mut(child) {
                *count -= 1;
                open.extend((*count == 0).then_some(*child));
            }
        }
    }
    report_cycles(reader, roles, places, &parents.into_keys().collect());
}

fn report_cycles(
    reader: &mut Reader,
    roles: &BTreeMap<String, Role>,
    places: &BTreeMap<&str, usize>,
    stuck: &BTreeSet<&str>,
) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for start in stuck {
        let mut walk: Vec<&str> = vec![];
        let mut next = Some(*start);
        while let Some(name) = next.filter(|name| !told.contains(name)) {
            told.insert(name);
            walk.push(name);
            next = roles
                .get(name)
                .and_then(|role| role.inherits.iter().find_map(|parent| stuck.get(parent.as_str()).copied()));
        }
        let circle = walk.iter().position(|name| Some(*name) == next).and_then(|first| walk.get(first..));
        if let (Some(circle), Some(first)) = (circle, next) {
            let place = places.get(first).copied().unwrap_or_default();
            reader.refuse(place, format!("roles inherit each other in a circle: {} -> {first}", circle.join(" -> ")));
        }
    }
}
