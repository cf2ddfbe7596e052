//! One entry, as `log` shows it.

use mledger::clock::Timestamp;
use mledger::entry::denials::{Denials, Source};
use mledger::entry::field::Field;
use mledger::entry::leaf::{self, Commit, Leaf, LeafError, Push, Verdict};
use mledger::entry::statement::{Envelope, Statement};
use mledger::entry::story;
use mledger::ledger::read::{Log, ReadError};
use mledger::model::manifest::Manifest;
use mledger::name::{ActorId, Oid, Origin, RefName, RepoPath};
use mledger::policy::Reason;
use serde::Serialize;

use crate::output::{BAD, FAINT, GOOD, ODD, cut, styled, tame};

/// An entry in brief. What it does not say is null or empty.
#[derive(Debug, Default, Serialize)]
pub struct Row {
    pub index: u64,
    pub kind: String,
    pub time: Option<Timestamp>,
    pub actor: Option<ActorId>,
    pub decision: Option<Verdict>,
    pub refs: Vec<RefName>,
    /// For a commit those it changes, for a push those it touches beyond its commits.
    pub paths: Vec<RepoPath>,
    pub commit: Option<Oid>,
    /// Everybody who signed a policy change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<ActorId>,
    /// The first reason of a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vkey: Option<String>,
    pub story: String,
}

impl Row {
    /// Reads an entry; its paths, which may lie in a blob, only where somebody looks at them.
    pub fn read(log: &Log<'_>, index: u64, bytes: &[u8], with_paths: bool) -> Result<Self, ReadError> {
        let leaf = match Leaf::parse(bytes) {
            Ok(leaf) => leaf,
            Err(error) => return Ok(Self::unreadable(index, bytes, &error)),
        };
        let row = Self {
            index,
            kind: leaf.kind().to_owned(),
            time: Some(leaf.time()),
            story: story::of_leaf(&leaf),
            ..Self::default()
        };
        match leaf {
            Leaf::Genesis(genesis) => {
                Ok(Self { origin: Some(genesis.origin.clone()), vkey: Some(genesis.vkey.clone()), ..row })
            }
            Leaf::Policy(change) => row.with_signers(log, &change.statements),
            Leaf::Import(import) => row.with_signers(log, std::slice::from_ref(&import.statement)),
            Leaf::Reconcile(reconcile) => row.with_signers(log, std::slice::from_ref(&reconcile.statement)),
            Leaf::Commit(commit) => row.with_commit(log, &commit, with_paths),
            Leaf::Push(push) => row.with_push(log, &push.whole(|name| log.blob(name))?, with_paths),
            Leaf::Landed(landed) => {
                Ok(Self { refs: landed.updates.iter().map(|update| update.refname.clone()).collect(), ..row })
            }
            Leaf::Observed(observed) => {
                Ok(Self { refs: observed.refs.iter().map(|seen| seen.refname.clone()).collect(), ..row })
            }
            Leaf::Denials(Denials { source: Source::Actor(actor), .. }) => {
                Ok(Self { actor: Some(actor.clone()), ..row })
            }
            Leaf::Denials(_) => Ok(row),
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

    /// One line for people: index, time, kind, mark, story.
    pub fn to_line(&self, digits: usize, width: Option<usize>) -> String {
        let time = self.time.map(|time| time.to_string()).unwrap_or_default();
        // To the second: whoever needs the milliseconds asks for one entry.
        let time = time.get(..19).unwrap_or_default().replace('T', " ");
        let head = format!("{:>digits$}  {time:19}  {:9}  ", self.index, tame(&self.kind));
        let columns = width.map_or(usize::MAX, |width| width.saturating_sub(head.chars().count() + 2));
        let story = cut(&tame(&self.story), columns);
        let (style, mark) = match (self.decision, self.kind.as_str()) {
            (Some(Verdict::Accepted), _) => (GOOD, '✓'),
            (Some(Verdict::Denied), _) => (BAD, '✗'),
            (Some(Verdict::Tolerated), _) => (ODD, '~'),
            (None, "observed" | "unreadable") => (ODD, '!'),
            (None, _) => (FAINT, '·'),
        };
        format!("{}{} {story}", styled(FAINT, head), styled(style, mark))
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
            let row = Row::unreadable(7, bytes, &Leaf::parse(bytes).unwrap_err());
            assert_eq!((row.index, row.kind.as_str(), row.time.is_some()), (7, kind, time));
            assert!(!row.story.is_empty());
        }
    }

    #[test]
    fn lines_fit_the_terminal() {
        let row = Row { index: 7, kind: "push".to_owned(), story: "x".repeat(200), ..Row::default() };
        for width in [50, 80, 120] {
            let line = row.to_line(3, Some(width));
            assert_eq!(anstream::adapter::strip_str(&line).to_string().chars().count(), width);
        }
        assert!(row.to_line(3, None).contains(&row.story));
    }
}
