//! Keys, policies and facts for the tests of this room.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Policy;
use super::facts::{Commit, Facts, LogTrailer, ManifestTrailer, Move, Path, Pusher, Signature, Update};
use crate::clock::Timestamp;
use crate::identity::ed25519::SecretKey;
use crate::identity::key::PublicKey;
use crate::name::{Oid, RefName, RepoPath};

pub fn key(seed: u8) -> PublicKey {
    PublicKey::from_ed25519(SecretKey::from_seed(&[seed; 32]).public())
}

/// A policy that `root` administers, with more text behind.
pub fn policy(text: &str) -> Policy {
    let head = "mledger = 1\nname = \"sample\"\n[admin]\nactors = [\"root\"]\n[actors.root]\nkeys = [\"KEY\"]\n";
    parse(&format!("{}{text}", head.replace("KEY", &key(255).to_string())))
}

/// Parses, or shows every mistake.
pub fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|errors| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", lines.join("\n"))
    })
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(&format!("{text}T00:00:00.000Z")).unwrap()
}

pub fn oid(byte: u8) -> Oid {
    Oid::from_bytes([byte; 20])
}

pub fn path(text: &str) -> RepoPath {
    RepoPath::from_bytes(text.as_bytes()).unwrap()
}

/// A commit with everything that a rule may demand.
pub fn commit(seed: u8, paths: &[&str]) -> Commit {
    let change = |text: &&str| Path { bytes: Some(10), link: false, path: path(text) };
    Commit {
        collision: None,
        log: LogTrailer::Holds,
        manifest: ManifestTrailer::Matches,
        paths: paths.iter().map(change).collect(),
        signature: Signature::Valid { key: key(seed).id().clone() },
        trailers: BTreeSet::from(["Ticket".to_owned()]),
        vouched: None,
    }
}

pub fn update(action: Move, refname: &str, entering: &[u8]) -> Update {
    Update {
        entering: entering.iter().map(|byte| oid(*byte)).collect(),
        extra: vec![],
        action,
        new: (action != Move::Delete).then_some(oid(200)),
        old: (action != Move::Create).then_some(oid(201)),
        problem: None,
        refname: RefName::parse(refname).unwrap(),
        scopes: BTreeMap::new(),
        tag: None,
    }
}

/// A push by the certificate of that key, with commits 1, 2 …
pub fn push(seed: u8, commits: Vec<Commit>, updates: Vec<Update>) -> Facts {
    Facts {
        commits: (1..).map(oid).zip(commits).collect(),
        pusher: Pusher::Certificate { key: key(seed).id().clone() },
        time: time("2026-06-01"),
        totals: None,
        updates,
    }
}
