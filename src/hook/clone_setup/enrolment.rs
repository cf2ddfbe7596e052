//! What an engineer sends to the administrator: lines of a policy, ready to paste.

use std::fmt::Write as _;

use crate::clock::Timestamp;
use crate::identity::key::{KeyId, PublicKey};
use crate::name::ActorId;
use crate::policy::actor::{Actor, Key};

/// The lines of a policy that make `actor` an engineer with this key.
pub fn enrolment(actor: &ActorId, name: &str, key: &PublicKey) -> String {
    let key = quoted(&key.to_string());
    format!("[actors.\"{actor}\"]\nname = {}\nroles = [\"engineer\"]\nkeys = [{key}]\n", quoted(name))
}

/// The `keys` of an actor whom the policy knows, and one more.
pub fn with_key(actor: &Actor, key: &PublicKey) -> String {
    let more = Key { from: None, public: key.clone(), revoked: None, until: None };
    keys(actor.keys.iter().cloned().chain([more]))
}

/// The `keys` of an actor whom the policy knows, one of them revoked from a moment on.
pub fn with_revoked(actor: &Actor, id: &KeyId, revoked: Timestamp) -> String {
    keys(actor.keys.iter().map(|key| {
        let revoked = if key.public.id() == id { Some(revoked) } else { key.revoked };
        Key { revoked, ..key.clone() }
    }))
}

/// The `keys` of an actor whom the policy knows, one of them ending at a moment.
pub fn with_end(actor: &Actor, id: &KeyId, until: Timestamp) -> String {
    keys(actor.keys.iter().map(|key| {
        let until = if key.public.id() == id { Some(until) } else { key.until };
        Key { until, ..key.clone() }
    }))
}

fn keys(keys: impl Iterator<Item = Key>) -> String {
    let entries: Vec<String> = keys.map(|key| entry(&key)).collect();
    match entries.as_slice() {
        [only] => format!("keys = [{only}]\n"),
        entries => format!("keys = [\n  {},\n]\n", entries.join(",\n  ")),
    }
}

fn entry(key: &Key) -> String {
    let line = quoted(&key.public.to_string());
    let moments = [("from", key.from), ("until", key.until), ("revoked", key.revoked)];
    let mut text = String::new();
    for (name, moment) in moments {
        if let Some(moment) = moment {
            let _ = write!(text, ", {name} = {}", date(moment));
        }
    }
    if text.is_empty() { line } else { format!("{{ key = {line}{text} }}") }
}

/// A moment as a policy writes it: a date means its first moment.
pub fn date(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.strip_suffix("T00:00:00.000Z").map_or_else(|| text.clone(), str::to_owned)
}

/// The first moment of the day, UTC.
pub fn day_of(moment: Timestamp) -> Timestamp {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    Timestamp::from_millis(moment.millis() / DAY_MS * DAY_MS).unwrap_or(moment)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ed25519::SecretKey;
    use crate::policy::Policy;

    #[test]
    fn the_lines_are_toml_whatever_the_name() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";
        let key = PublicKey::parse(line).unwrap();
        let actor = ActorId::parse("alice@bank.example").unwrap();
        for name in ["Alice", "A \"b\" \\ 'c'\n[x]", "Zoë\u{7}", "'''", ""] {
            let parsed: toml::Table = enrolment(&actor, name, &key).parse().unwrap();
            let actor = &parsed["actors"]["alice@bank.example"];
            assert_eq!(actor["name"].as_str(), Some(name));
            assert_eq!(actor["keys"][0].as_str(), Some(line));
            assert_eq!(actor["roles"][0].as_str(), Some("engineer"));
        }
    }

    #[test]
    fn changed_keys_parse_to_what_was_there_and_the_change() {
        let line = |seed| PublicKey::from_ed25519(SecretKey::from_seed(&[seed; 32]).public());
        let policy = |keys: &str| {
            let text =
                format!("mledger = 1\nname = \"m\"\n[admin]\nactors = [\"alice\"]\n[actors.alice]\nroles = []\n{keys}");
            Policy::parse(&text).unwrap()
        };
        let alice = |policy: &Policy| policy.actors().next().unwrap().clone();
        let before = format!(
            "keys = [\"{}\", {{ key = \"{}\", from = 2026-01-02, until = 2026-05-01T09:30:00.250Z }}]\n",
            line(1),
            line(2)
        );
        let before = alice(&policy(&before));
        let today = day_of(Timestamp::parse("2026-11-23T18:00:00.000Z").unwrap());
        assert_eq!(date(today), "2026-11-23");

        let mut added = before.clone();
        added.keys.push(Key { from: None, public: line(3), revoked: None, until: None });
        assert_eq!(alice(&policy(&with_key(&before, &line(3)))), added);

        let mut revoked = before.clone();
        revoked.keys[1].revoked = Some(today);
        let text = with_revoked(&before, line(2).id(), today);
        assert!(text.contains("revoked = 2026-11-23"), "{text}");
        assert_eq!(alice(&policy(&text)), revoked);

        let mut ended = before.clone();
        ended.keys[0].until = Some(today);
        assert_eq!(alice(&policy(&with_end(&before, line(1).id(), today))), ended);
    }
}
