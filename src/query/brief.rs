//! One entry in brief: what one asks a ledger by, and what a line about it says.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::entry::denials::{Denials, Source};
use crate::entry::field::Field;
use crate::entry::leaf::{self, Commit, Leaf, LeafError, Push, Verdict};
use crate::entry::statement::{Envelope, Statement};
use crate::entry::story;
use crate::ledger::read::{Log, ReadError};
use crate::model::manifest::Manifest;
use crate::name::{ActorId, Oid, Origin, RefName, RepoPath};
use crate::policy::Reason;

/// An entry in brief. What it does not say is null or empty.
#[derive(Debug, Default, Serialize)]
pub struct Brief {
    /// Its number.
    pub index: u64,
    /// The word for its kind; `unreadable` where it does not say one.
    pub kind: String,
    /// Ledger time.
    pub time: Option<Timestamp>,
    /// Whose it is: of a commit the author, of a push the pusher.
    pub actor: Option<ActorId>,
    /// Of a push.
    pub decision: Option<Verdict>,
    /// The refs that it is about.
    pub refs: Vec<RefName>,
    /// For a commit those it changes, for a push those it touches beyond its commits.
    pub paths: Vec<RepoPath>,
    /// The commit that it records.
    pub commit: Option<Oid>,
    /// Everybody who signed a policy change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<ActorId>,
    /// The first reason of a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Of the first entry: the ledger's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Of the first entry: the ledger's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vkey: Option<String>,
    /// In a sentence.
    pub story: String,
}

impl Brief {
    /// Reads an entry; its paths, which may lie in a blob, only where somebody looks at them.
    pub fn read(log: &Log<'_>, index: u64, bytes: &[u8], with_paths: bool) -> Result<Self, ReadError> {
        let leaf = match Leaf::parse(bytes) {
            Ok(leaf) => leaf,
            Err(error) => return Ok(Self::unreadable(index, bytes, &error)),
        };
        let brief = Self {
            index,
            kind: leaf.kind().to_owned(),
            time: Some(leaf.time()),
            story: story::of_leaf(&leaf),
            ..Self::default()
        };
        match leaf {
            Leaf::Genesis(genesis) => {
                Ok(Self { origin: Some(genesis.origin.clone()), vkey: Some(genesis.vkey.clone()), ..brief })
            }
            Leaf::Policy(change) => brief.with_signers(log, &change.statements),
            Leaf::Import(import) => brief.with_signers(log, std::slice::from_ref(&import.statement)),
            Leaf::Reconcile(reconcile) => brief.with_signers(log, std::slice::from_ref(&reconcile.statement)),
            Leaf::Commit(commit) => brief.with_commit(log, &commit, with_paths),
            Leaf::Push(push) => brief.with_push(log, &push.whole(|name| log.blob(name))?, with_paths),
            Leaf::Landed(landed) => {
                Ok(Self { refs: landed.updates.iter().map(|update| update.refname.clone()).collect(), ..brief })
            }
            Leaf::Observed(observed) => {
                Ok(Self { refs: observed.refs.iter().map(|seen| seen.refname.clone()).collect(), ..brief })
            }
            Leaf::Denials(Denials { source: Source::Actor(actor), .. }) => {
                Ok(Self { actor: Some(actor.clone()), ..brief })
            }
            Leaf::Denials(_) => Ok(brief),
        }
    }

    /// An entry that this version cannot read is shown, too: hiding it would hide that it is there.
    fn unreadable(index: u64, bytes: &[u8], error: &LeafError) -> Self {
        let leaf: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = |name: &str| leaf.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let kind = match text("kind") {
            "" => "unreadable".to_owned(),
            kind => kind.chars().take(40).collect(),
        };
        Self { index, kind, time: Timestamp::parse(text("time")).ok(), story: error.to_string(), ..Self::default() }
    }

    fn with_signers(mut self, log: &Log<'_>, statements: &[Field]) -> Result<Self, ReadError> {
        for statement in statements {
            let bytes = statement.read_text(|name| log.blob(name))?;
            let Ok((_, statement)) = Envelope::parse(bytes.as_bytes()) else { continue };
            self.actors.push(statement.actor().clone());
            if let Statement::Reconcile(statement) = &statement {
                self.refs.extend(statement.refs.iter().map(|found| found.refname.clone()));
            }
        }
        self.actor = self.actors.first().cloned();
        Ok(self)
    }

    fn with_commit(mut self, log: &Log<'_>, commit: &Commit, with_paths: bool) -> Result<Self, ReadError> {
        self.actor = commit.actor.clone().or_else(|| commit.vouched_by.as_ref().map(|voucher| voucher.actor.clone()));
        self.commit = Some(commit.oid);
        if with_paths {
            self.paths = match &commit.own {
                Some(own) => read_paths(log, own)?,
                None => changed_paths(&commit.manifest.read_text(|name| log.blob(name))?),
            };
        }
        Ok(self)
    }

    fn with_push(mut self, log: &Log<'_>, push: &Push, with_paths: bool) -> Result<Self, ReadError> {
        self.actor.clone_from(&push.actor);
        self.decision = Some(push.decision);
        self.refs = push.updates.iter().map(|update| update.refname.clone()).collect();
        if push.decision != Verdict::Accepted {
            self.reason = push.reasons.first().cloned();
        }
        if with_paths {
            for extra in push.updates.iter().filter_map(|update| update.extra.as_ref()) {
                self.paths.extend(read_paths(log, extra)?);
            }
            let facts = push.facts.iter().flat_map(|facts| facts.commits.values());
            self.paths.extend(facts.flat_map(|commit| &commit.paths).map(|path| path.path.clone()));
            self.paths.sort();
            self.paths.dedup();
        }
        Ok(self)
    }
}

fn read_paths(log: &Log<'_>, field: &Field) -> Result<Vec<RepoPath>, ReadError> {
    Ok(leaf::parse_paths(&field.read_text(|name| log.blob(name))?).unwrap_or_default())
}

fn changed_paths(manifest: &str) -> Vec<RepoPath> {
    Manifest::parse(manifest.as_bytes())
        .map(|manifest| manifest.touched().into_iter().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_later_versions_are_shown() {
        for (bytes, kind, time) in [
            (&br#"{"kind":"weather","mledger":1,"time":"2026-11-23T09:30:00.000Z"}"#[..], "weather", true),
            (br#"{"kind":"push","mledger":2}"#, "push", false),
            (b"\xff", "unreadable", false),
        ] {
            let brief = Brief::unreadable(7, bytes, &Leaf::parse(bytes).unwrap_err());
            assert_eq!((brief.index, brief.kind.as_str(), brief.time.is_some()), (7, kind, time));
            assert!(!brief.story.is_empty());
        }
    }
}
