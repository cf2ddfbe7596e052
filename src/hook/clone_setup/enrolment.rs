//! What an engineer sends to the administrator.

use crate::identity::key::PublicKey;
use crate::name::ActorId;

/// The lines of a policy that make `actor` an engineer with this key.
pub fn enrolment(actor: &ActorId, name: &str, key: &PublicKey) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let id = format!("\"{actor}\"");
    let key = quoted(&key.to_string());
    format!("[actors.{id}]\nname = {}\nroles = [\"engineer\"]\nkeys = [{key}]\n", quoted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
