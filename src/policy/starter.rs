//! The policy to begin with: everything allowed that a small team needs, every choice explained.

use crate::identity::key::PublicKey;
use crate::name::ActorId;

/// A commented policy text that makes `actor` its admin and first maintainer. It parses, whatever the name.
pub fn starter(actor: &ActorId, name: &str, key: &PublicKey) -> String {
    // A label holds at most 200 bytes, none a control character.
    let plain: String = name.chars().filter(|each| !each.is_control() && u32::from(*each) <= 0xffff).collect();
    let name = plain.get(..plain.floor_char_boundary(150)).unwrap_or_default().trim();
    let name = if name.is_empty() { actor.as_str() } else { name };
    TEXT.replace("{actor}", actor.as_str())
        .replace("{key}", &key.to_string())
        .replace("{name}", &toml::Value::String(name.to_owned()).to_string())
}

const TEXT: &str = r#"# Who may do what in this repository. What is not allowed here is denied.
# Check a change with `mledger policy check`, see what it means with `mledger policy explain`.
mledger = 1
name = "models"
# mode = "observe"                 # for the first weeks: record what would be denied, and let it through

# Who may change this file, and how many of them must sign each change. With two admins or more, set the threshold
# to 2: nobody can then widen a role alone. Admins are persons with a key.
[admin]
actors = ["{actor}"]
threshold = 1

# People and machines. One table each; never remove somebody who left: give `until = 2027-01-31` instead, so that
# old signatures still have a name and the key can never be another's.
[actors."{actor}"]
name = {name}
roles = ["maintainer"]
keys = ["{key}"]

# [actors."bob@example.com"]
# name = "Bob"
# roles = ["engineer"]
# logins = ["gitea:bob"]           # names the pusher where pushes are not signed
# keys = [
#   { key = "ssh-ed25519 AAAA…", until = 2026-01-01 },
#   "ssh-ed25519 AAAA…",
# ]

# [actors."trainer"]
# kind = "service"                 # or "agent"; only persons approve and administer
# roles = ["engineer"]
# keys = ["ssh-ed25519 AAAA…"]

# Engineers change files anywhere, and move branches of their own as they like. To narrow `commit`, add
# `paths = ["models/**", "configs/**"]`; `*` stays within a folder, `**` crosses folders. Symbolic links and
# submodules need `links = true`.
[roles.engineer]
allow = [
  { actions = ["commit"] },
  { actions = ["create", "update", "rewrite", "delete"], refs = ["refs/heads/dev/**"] },
]

# Maintainers also bring changes to main, and make tags. Nobody may rewrite or delete main, or move a tag.
[roles.maintainer]
inherits = ["engineer"]
allow = [
  { actions = ["create", "update"], refs = ["refs/heads/main"] },
  { actions = ["create"], refs = ["refs/tags/**"] },
]

# What every update of main must bring along. The manifest binds the SHA-256 of each changed file into the
# signature; `mledger init` in a clone makes Git write it.
[[rules]]
name = "main is bound by manifests"
refs = ["refs/heads/main"]
manifest = true

# [[rules]]
# name = "models need a ticket and a signed push"
# refs = ["refs/heads/main"]
# paths = ["models/**"]
# trailers = ["Change-Kind", "Ticket"]
# signed-push = true
# log = true                       # the commit names a checkpoint of this ledger that its author saw

# Bounds of one push. These are the defaults.
[limits]
file-size = "100MB"                # a bigger file belongs in Git LFS
commits-per-push = 20000
changes-per-commit = 50000
refs-per-push = 1000
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::actor::Kind;
    use crate::policy::document::Policy;
    use crate::policy::limits::Limits;
    use crate::policy::sample;

    #[test]
    fn the_starter_parses_whatever_the_name() {
        let actor = ActorId::parse("alice@bank.example").unwrap();
        let long = "é".repeat(500);
        for (name, expected) in [
            ("Alice", "Alice"),
            ("", "alice@bank.example"),
            ("A \"quoted\" \\ name\n{key} '''", "A \"quoted\" \\ name{key} '''"),
            ("\u{1f600}", "alice@bank.example"),
            (&long, &long[..150]),
        ] {
            let policy = Policy::parse(&starter(&actor, name, &sample::key(1))).unwrap();
            let alice = policy.actor(&actor).unwrap();
            assert_eq!((alice.name.as_deref(), alice.kind), (Some(expected), Kind::Person));
            assert!(policy.admin().actors.contains(&actor));
            assert_eq!(*policy.limits(), Limits::default());
        }
    }
}
