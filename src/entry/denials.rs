//! Denials that were counted: a flood of refused pushes costs the ledger some leaves a minute, whatever it brings.
//!
//! Within a minute of ledger time the first denials of a source have leaves of their own ([`Source::leaves_max`]); the
//! others are counted, and the count becomes one leaf with the next append after that minute. Names that a stranger can
//! choose never make a new source.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::leaf::{DenialsKind, Push};
use crate::clock::Timestamp;
use crate::name::ActorId;
use crate::policy::facts::Pusher;

/// A minute, in milliseconds of ledger time.
const MINUTE_MS: i64 = 60_000;

/// How many denials of one source have no leaf of their own. Asserted by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denials {
    /// How many.
    pub count: u64,
    /// When the first was denied.
    pub first: Timestamp,
    /// Always `denials`.
    pub kind: DenialsKind,
    /// When the last was denied.
    pub last: Timestamp,
    /// Format version.
    pub mledger: u32,
    /// Whose they were.
    pub source: Source,
    /// When it was recorded.
    pub time: Timestamp,
}

/// Whose denials are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An actor of the policy.
    Actor(ActorId),
    /// Pushers who are no actor.
    Class(Class),
}

/// Pushers who are no actor: so many kinds there are, whatever they call themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Neither certificate nor login.
    Unknown,
    /// A certificate with a key that speaks for nobody.
    UnknownKey,
    /// A login that speaks for nobody.
    UnknownLogin,
    /// A certificate or login that does not hold.
    Refused,
}

impl Source {
    /// Whose a denied push is.
    pub fn of(actor: Option<&ActorId>, pusher: &Pusher) -> Self {
        match (actor, pusher) {
            (Some(actor), _) => Self::Actor(actor.clone()),
            (None, Pusher::Certificate { .. }) => Self::Class(Class::UnknownKey),
            (None, Pusher::Login { .. }) => Self::Class(Class::UnknownLogin),
            (None, Pusher::Refused { .. }) => Self::Class(Class::Refused),
            (None, Pusher::Unknown) => Self::Class(Class::Unknown),
        }
    }

    /// Whose the push of a leaf is.
    pub fn of_push(push: &Push) -> Self {
        Self::of(push.actor.as_ref(), &push.pusher)
    }

    /// How many denials within a minute have leaves of their own: an actor tries a thing or two before it works, and
    /// what strangers try tells little after the first.
    pub fn leaves_max(&self) -> u64 {
        match self {
            Self::Actor(_) => 10,
            Self::Class(_) => 1,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(actor) => f.write_str(actor.as_str()),
            Self::Class(Class::Unknown) => f.write_str("unknown pushers"),
            Self::Class(Class::UnknownKey) => f.write_str("unknown keys"),
            Self::Class(Class::UnknownLogin) => f.write_str("unknown logins"),
            Self::Class(Class::Refused) => f.write_str("refused pushers"),
        }
    }
}

/// The minute of ledger time that a moment belongs to, counted from 1970.
pub fn minute(time: Timestamp) -> i64 {
    time.millis().div_euclid(MINUTE_MS)
}

impl Denials {
    /// What is wrong with it, as far as it tells by itself.
    pub fn flaw(&self) -> Option<&'static str> {
        if self.count == 0 {
            Some("it counts no denial")
        } else if self.count == 1 && self.first != self.last {
            Some("it counts one denial at two times")
        } else if self.last < self.first || minute(self.first) != minute(self.last) {
            Some("the times it names are not of one minute")
        } else if minute(self.time) <= minute(self.last) {
            Some("the minute it is about was not over")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::leaf::{Leaf, VERSION};
    use crate::identity::key::KeyId;

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap()
    }

    fn denials(count: u64, first: &str, last: &str, time: &str) -> Denials {
        let source = Source::Class(Class::Unknown);
        let (first, last, time) = (at(first), at(last), at(time));
        Denials { count, first, kind: DenialsKind::Is, last, mledger: VERSION, source, time }
    }

    #[test]
    fn a_leaf_has_one_form() {
        let leaf = Leaf::Denials(denials(37, "09:30:00.000", "09:30:59.999", "09:31:00.000"));
        let bytes = leaf.to_bytes().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            r#"{"count":37,"first":"2026-11-23T09:30:00.000Z","kind":"denials","last":"2026-11-23T09:30:59.999Z","mledger":1,"source":{"class":"unknown"},"time":"2026-11-23T09:31:00.000Z"}"#
        );
        assert_eq!(
            serde_json_canonicalizer::to_vec(&serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()).unwrap(),
            bytes
        );
        assert_eq!(Leaf::parse(&bytes).unwrap(), leaf);
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replace("unknown", "nobody"),
            text.replace("class", "actor").replace("unknown", "Unknown"),
            text.replace("37", "-1"),
            text.replace("37", "1.0"),
            text.replace("\"count\":37,", ""),
        ] {
            assert!(Leaf::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_is_found() {
        for (good, count, first, last, time) in [
            (true, 37, "09:30:00.000", "09:30:59.999", "09:31:00.000"),
            (true, 1, "09:30:10.000", "09:30:10.000", "11:00:00.000"),
            (false, 0, "09:30:00.000", "09:30:00.000", "09:31:00.000"),
            (false, 1, "09:30:00.000", "09:30:01.000", "09:31:00.000"),
            (false, 2, "09:30:02.000", "09:30:01.000", "09:31:00.000"),
            (false, 2, "09:30:59.000", "09:31:00.000", "09:32:00.000"),
            (false, 2, "09:30:00.000", "09:30:01.000", "09:30:59.999"),
        ] {
            assert_eq!(denials(count, first, last, time).flaw().is_none(), good, "{count} {first} {last} {time}");
        }
    }

    #[test]
    fn strangers_do_not_make_sources() {
        let login = |login: &str| Pusher::Login { login: login.to_owned() };
        let refused = |why: &str| Pusher::Refused { why: why.to_owned() };
        let key = |blob: &[u8]| Pusher::Certificate { key: KeyId::of_blob(blob) };
        assert_eq!(Source::of(None, &login("env:a")), Source::of(None, &login("env:b")));
        assert_eq!(Source::of(None, &refused("a")), Source::of(None, &refused("b")));
        assert_eq!(Source::of(None, &key(b"a")), Source::of(None, &key(b"b")));
        let actor = ActorId::parse("alice").unwrap();
        assert_eq!(Source::of(Some(&actor), &key(b"a")), Source::Actor(actor));
    }
}
