//! One reason is enough: what a denial leaf keeps of a push that may have been huge.
//!
//! The kept facts are the pusher and at most one update with at most one commit and one path (two bare updates where a
//! ref is named twice), and `decide` denies them for the same reason. They are a part of what was, so other demands may
//! look unmet in them, too: only the reason that is returned counts.

use std::collections::BTreeMap;

use super::decide::decide_in_full;
use super::document::Policy;
use super::facts::{Commit, Facts, Pusher, Scope, Signature, Tag, Totals, Update};
use super::reason::{Code, Decision, Reason, bounded};
use crate::name::{Oid, RepoPath};

/// The size, as JSON, at which facts are small enough to look no further: a denial leaf is to hold at most 2 KiB.
const BYTES_ENOUGH: usize = 1000;

/// A denying reason and facts, as small as they get, which `decide` denies with the same code. `None` for a decision
/// that accepts, or that is not the one `decide` makes.
///
/// The facts fit 1,500 bytes of JSON unless a name in them (path, ref, rule, login) is very long.
pub fn sufficient(policy: &Policy, facts: &Facts, decision: &Decision) -> Option<(Reason, Facts)> {
    let mut smallest: Option<(usize, Reason, Facts)> = None;
    for reason in decision.reasons.iter().filter(|reason| reason.code.denies()) {
        let mut kept = candidates(policy, facts, reason);
        let Some((reason, facts)) = kept.find_map(|facts| Some((denied(policy, &facts, reason)?, facts))) else {
            continue;
        };
        let bytes = serde_json::to_vec(&facts).map_or(usize::MAX, |json| json.len());
        if smallest.as_ref().is_none_or(|(least, ..)| bytes < *least) {
            smallest = Some((bytes, reason, facts));
        }
        if bytes <= BYTES_ENOUGH {
            break;
        }
    }
    smallest.map(|(_, reason, facts)| (reason, facts))
}

/// The like reason that the facts are denied for.
fn denied(policy: &Policy, facts: &Facts, wanted: &Reason) -> Option<Reason> {
    let like = |reason: &Reason| {
        reason.code == wanted.code
            && reason.actor == wanted.actor
            && reason.key == wanted.key
            && reason.refname == wanted.refname
            && reason.rule == wanted.rule
    };
    decide_in_full(policy, facts).reasons.into_iter().find(like)
}

/// Facts to try, the smallest first. The last are all there are, in case no smaller ones do.
fn candidates<'a>(policy: &'a Policy, facts: &'a Facts, reason: &'a Reason) -> impl Iterator<Item = Facts> + 'a {
    let part = Part { facts, policy, reason };
    let about = move |update: &&Update| match (&reason.refname, reason.commit) {
        (Some(refname), _) => update.refname == *refname,
        (None, Some(commit)) => update.entering.contains(&commit),
        (None, None) => false,
    };
    let update = facts.updates.iter().find(about);
    let parts = update.map(|update| part.parts(update)).unwrap_or_default();
    let whole = move || Some(Facts { updates: vec![update?.clone()], ..facts.clone() });
    let least = std::iter::once(part.with(None, None));
    let twice = update.and_then(|update| part.twice(update));
    least
        .chain(twice)
        .chain(parts)
        .chain(std::iter::once_with(whole).flatten())
        .chain(std::iter::once_with(move || facts.clone()))
}

/// Takes parts of facts for one reason.
struct Part<'a> {
    facts: &'a Facts,
    policy: &'a Policy,
    reason: &'a Reason,
}

impl Part<'_> {
    /// The pusher and these; without an update the first ref stays, bare, to tell what was tried.
    fn with(&self, update: Option<Update>, commit: Option<Oid>) -> Facts {
        let first = || {
            let first = self.facts.updates.first()?;
            Some(Update::bare(first.refname.clone(), first.action, first.old, first.new))
        };
        let described = commit.and_then(|oid| Some((oid, self.commit(self.facts.commits.get(&oid)?))));
        Facts {
            commits: described.into_iter().collect(),
            pusher: self.pusher(),
            time: self.facts.time,
            totals: self.totals(),
            updates: update.or_else(first).into_iter().collect(),
        }
    }

    /// Two bare moves of one ref, where the push names it twice.
    fn twice(&self, update: &Update) -> Option<Facts> {
        let again = self.facts.updates.iter().filter(|other| other.refname == update.refname).nth(1)?;
        let bare = |update: &Update| Update::bare(update.refname.clone(), update.action, update.old, update.new);
        Some(Facts { updates: vec![bare(update), bare(again)], ..self.with(None, None) })
    }

    /// One update, down to one path and one commit.
    fn parts(&self, update: &Update) -> Vec<Facts> {
        let problem = update.problem.as_deref().map(|problem| bounded(problem).to_owned());
        let tag = update.tag.as_ref().map(|tag| Tag { signature: short(&tag.signature), ..*tag });
        let bare = Update { entering: vec![], extra: vec![], problem, scopes: BTreeMap::new(), tag, ..update.clone() };
        let mut parts = vec![self.with(Some(bare.clone()), None)];
        if let Some(path) = self.reason.path.as_ref().filter(|path| update.extra.contains(path)) {
            parts.push(self.with(Some(Update { extra: vec![path.clone()], ..bare.clone() }), None));
        }
        parts.extend(self.with_scope(update, &bare));
        let commit = self.reason.commit.or_else(|| self.commit_with_path(&update.entering));
        parts.extend(commit.map(|oid| self.with(Some(Update { entering: vec![oid], ..bare }), Some(oid))));
        parts
    }

    /// For a create: what the reason's rule looks at, down to one commit.
    fn with_scope(&self, update: &Update, bare: &Update) -> Vec<Facts> {
        let rule = self.reason.rule.as_ref();
        let Some((rule, scope)) = rule.and_then(|rule| Some((rule, update.scopes.get(rule)?))) else { return vec![] };
        let commit = self.reason.commit.or_else(|| self.commit_with_path(&scope.commits));
        let with = |commits: Vec<Oid>| {
            let commit = commits.first().copied();
            let scopes = BTreeMap::from([(rule.clone(), Scope { commits, every_path: scope.every_path })]);
            self.with(Some(Update { scopes, ..bare.clone() }), commit)
        };
        let mut tries = vec![with(vec![])];
        tries.extend(commit.map(|oid| with(vec![oid])));
        tries
    }

    fn commit_with_path(&self, oids: &[Oid]) -> Option<Oid> {
        let has = |commit: &Commit, path: &RepoPath| commit.paths.iter().any(|change| change.path == *path);
        let path = self.reason.path.as_ref()?;
        oids.iter().copied().find(|oid| self.facts.commits.get(oid).is_some_and(|commit| has(commit, path)))
    }

    /// The commit with the reason's path and the trailers that the reason's rule asks for, no others.
    fn commit(&self, commit: &Commit) -> Commit {
        let rule = self.policy.rules().iter().find(|rule| Some(&rule.name) == self.reason.rule.as_ref());
        let asked = |trailer: &&String| {
            rule.is_some_and(|rule| rule.trailers.iter().any(|wanted| wanted.eq_ignore_ascii_case(trailer)))
        };
        Commit {
            collision: commit.collision.clone().filter(|_| self.reason.code == Code::PathCollision),
            vouched: commit.vouched.clone(),
            paths: commit
                .paths
                .iter()
                .filter(|change| Some(&change.path) == self.reason.path.as_ref())
                .cloned()
                .collect(),
            signature: short(&commit.signature),
            trailers: commit.trailers.iter().filter(asked).cloned().collect(),
            ..*commit
        }
    }

    fn pusher(&self) -> Pusher {
        match &self.facts.pusher {
            Pusher::Refused { why } => Pusher::Refused { why: bounded(why).to_owned() },
            other => other.clone(),
        }
    }

    /// The counts, where the reason is that something was too many.
    fn totals(&self) -> Option<Totals> {
        let facts = self.facts;
        let given = facts.totals.unwrap_or_default();
        let entering = || facts.updates.iter().flat_map(|update| &update.entering);
        let totals = match self.reason.code {
            Code::TooManyRefs => Totals { refs: given.refs.max(facts.updates.len() as u64), ..Totals::default() },
            Code::TooManyCommits => {
                let listed = entering().collect::<std::collections::BTreeSet<_>>().len() as u64;
                Totals { commits: given.commits.max(listed), ..Totals::default() }
            }
            Code::TooManyChanges => {
                let counts = entering().filter_map(|oid| Some(facts.commits.get(oid)?.paths.len() as u64));
                Totals { changes: given.changes.max(counts.max().unwrap_or_default()), ..Totals::default() }
            }
            _ => return None,
        };
        Some(totals)
    }
}

/// A signature with bounded words.
fn short(signature: &Signature) -> Signature {
    match signature {
        Signature::Invalid { why } => Signature::Invalid { why: bounded(why).to_owned() },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
