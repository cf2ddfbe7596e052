//! `[[rules]]`: demands, each rule with a name of its own.

use std::collections::BTreeSet;

use super::actors::role_names;
use super::reader::{Reader, Table, shortened};
use super::roles::{read_paths, read_refs, values};
use super::{Names, Policy};
use crate::policy::pattern::{PathSet, RefSet};
use crate::policy::quantity;
use crate::policy::rule::{Approvals, Rule};

const PLACE: [&str; 3] = ["name", "refs", "paths"];
const DEMANDS: [&str; 5] = ["approvals", "trailers", "signed-push", "manifest", "log"];

pub(super) fn read(reader: &mut Reader, document: &Table<'_>, names: &Names<'_>) -> Vec<Rule> {
    let items = reader.array(document, "rules");
    if let Some(item) = items.get(Policy::RULES_MAX) {
        reader.refuse(item.span().start, format!("more than {} rules", Policy::RULES_MAX));
    }
    let mut seen = BTreeSet::new();
    let mut rules = vec![];
    for item in items.into_iter().take(Policy::RULES_MAX) {
        let Some(table) = reader.table_of(item, "a rule") else { continue };
        let Some(rule) = read_rule(reader, &table, names) else { continue };
        if !seen.insert(rule.name.clone()) {
            reader.refuse(table.place("name"), format!("another rule is named `{}`, too", rule.name));
        }
        rules.push(rule);
    }
    rules
}

fn read_rule(reader: &mut Reader, table: &Table<'_>, names: &Names<'_>) -> Option<Rule> {
    reader.known(table, &[&PLACE[..], &DEMANDS].concat());
    if !table.has("name") {
        reader.refuse(table.at, "a rule has no `name`; reasons cite it");
    }
    let name = reader.label(table, "name");
    let refs = read_refs(reader, table).map(values);
    let rule = Rule {
        approvals: read_approvals(reader, table, names),
        log: reader.flag(table, "log").unwrap_or_default(),
        manifest: reader.flag(table, "manifest").unwrap_or_default(),
        name: name.clone().unwrap_or_default(),
        paths: PathSet::new(read_paths(reader, table)),
        refs: RefSet::new(refs),
        signed_push: reader.flag(table, "signed-push").unwrap_or_default(),
        trailers: read_trailers(reader, table),
    };
    if !DEMANDS.iter().any(|demand| table.has(demand)) {
        reader.refuse(table.at, format!("a rule demands nothing; give it one of {}", DEMANDS.join(", ")));
    }
    name.map(|_| rule)
}

fn read_trailers(reader: &mut Reader, table: &Table<'_>) -> Vec<String> {
    let texts = reader.texts(table, "trailers");
    if table.has("trailers") && table.lacks("trailers") {
        reader.refuse(table.place("trailers"), "`trailers` names no trailer");
    }
    let mut trailers = vec![];
    for text in texts.unwrap_or_default() {
        let plain = text.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain && (1..=64).contains(&text.value.len()) {
            trailers.push(text.value.to_owned());
        } else {
            let message = format!("`{}` is not a trailer's name like `Change-Kind`", shortened(text.value));
            reader.refuse(text.at, message);
        }
    }
    trailers
}

fn read_approvals(reader: &mut Reader, table: &Table<'_>, names: &Names<'_>) -> Option<Approvals> {
    const COUNT_MAX: u64 = 100;
    let table = reader.table(table, "approvals")?;
    reader.known(&table, &["count", "roles", "independent", "max-age"]);
    for field in ["count", "roles"] {
        if !table.has(field) {
            reader.refuse(table.at, format!("`approvals` has no `{field}`"));
        }
    }
    if table.has("roles") && table.lacks("roles") {
        reader.refuse(table.place("roles"), "`roles` of `approvals` is empty; nobody could approve");
    }
    Some(Approvals {
        count: reader.count(&table, "count", 1..=COUNT_MAX).map_or(1, |count| count.value),
        independent: reader.flag(&table, "independent").unwrap_or(true),
        max_age_ms: read_max_age_ms(reader, &table),
        roles: role_names(reader, &table, "roles", names),
    })
}

fn read_max_age_ms(reader: &mut Reader, approvals: &Table<'_>) -> Option<u64> {
    let text = reader.text(approvals, "max-age")?;
    match quantity::parse_duration_ms(text.value) {
        Ok(ms) => Some(ms),
        Err(error) => {
            reader.refuse(text.at, error.to_string());
            None
        }
    }
}
