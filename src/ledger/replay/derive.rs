//! The facts of a push, from the graph and the leaves.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::{Flaw, Replay, peel};
use crate::digest::git_oid;
use crate::entry::leaf::{Update, parse_paths};
use crate::evidence;
use crate::history::{self, Graph, Reach};
use crate::ledger::check::{CheckedCommit, Content, check_one};
use crate::ledger::objects::Stand;
use crate::name::{Oid, RefName, RepoPath};
use crate::object::tag::Tag;
use crate::policy::Policy;
use crate::policy::facts::{self, LogTrailer, Move, Scope, Signature};
use crate::tlog::hashes::Hashes;
use crate::tlog::tree;

impl Replay<'_> {
    /// The facts of one update, from the graph and the leaves.
    pub(super) fn update(
        &mut self,
        policy: &Policy,
        update: &Update,
        pending: &mut BTreeMap<Oid, CheckedCommit>,
        commits: &mut BTreeMap<Oid, facts::Commit>,
    ) -> Result<facts::Update, Flaw> {
        let name = &update.refname;
        if self.tips.get(name) != update.old.as_ref() {
            return Err(Flaw::new("decision", &format!("{name} did not stand where it says it did")));
        }
        let mut derived = facts::Update {
            extra: self.extra(update)?,
            tag: self.tag(update)?,
            ..facts::Update::bare(name.clone(), update.action, update.old, update.new)
        };
        let new = update.new.map(|new| derived.tag.as_ref().map_or(new, |tag| tag.commit));
        match (update.old.map(|old| self.peel(old)), new) {
            (Some(_), None) => derived.action = Move::Delete,
            (Some(old), Some(new)) => {
                let found = history::difference(&self.graph, &[new], &[old]).map_err(|error| Flaw::graph(&error))?;
                derived.action = if found.meeting.contains(&old) { Move::Update } else { Move::Rewrite };
                derived.entering = found.entering;
            }
            (None, Some(new)) => {
                derived.action = Move::Create;
                derived.entering = self.pending_reach(new, pending)?;
                derived.scopes = self.scopes(policy, name, new)?;
            }
            (None, None) => {}
        }
        if derived.action != update.action {
            return Err(Flaw::new("decision", &format!("the move of {name} is not what it says it is")));
        }
        let scoped = derived.scopes.values().flat_map(|scope| &scope.commits);
        for oid in derived.entering.iter().chain(scoped) {
            if !commits.contains_key(oid) {
                commits.insert(*oid, self.facts_of(oid, pending)?);
            }
        }
        if let Some(objects) = &mut self.objects {
            let stand = Stand { graph: &self.graph, policy, tags: &self.tags, tips: &self.tips };
            let lie = objects.update(&stand, update, &derived, commits);
            let index = self.size();
            if let Some(message) = lie {
                self.problem("objects", index, message);
            }
        }
        Ok(derived)
    }

    /// The signed tag that a ref is to point to; its commit is remembered.
    pub(super) fn tag(&mut self, update: &Update) -> Result<Option<facts::Tag>, Flaw> {
        let flaw = |why: &str| Flaw::new("tag", why);
        let Some(field) = &update.tag else { return Ok(None) };
        let new = update.new.ok_or_else(|| flaw("it has a tag, but no ref points to one by it"))?;
        let raw = self.log.field_bytes(field)?;
        if git_oid("tag", &raw) != new {
            return Err(flaw(&format!("its tag is not {new}")));
        }
        let tag = Tag::parse(&raw).map_err(|error| flaw(&error.to_string()))?;
        tag.check_name(&update.refname).map_err(|error| flaw(&error.to_string()))?;
        let signature = evidence::tag_signature(&raw, &tag);
        self.counts.signatures += u64::from(matches!(signature, Signature::Valid { .. }));
        self.tags.insert(new, tag.commit);
        Ok(Some(facts::Tag { commit: tag.commit, signature }))
    }

    /// The commit that a tip is or, as a signed tag, names.
    pub(super) fn peel(&self, tip: Oid) -> Oid {
        peel(&self.tags, tip)
    }

    pub(super) fn extra(&self, update: &Update) -> Result<Vec<RepoPath>, Flaw> {
        let Some(field) = &update.extra else { return Ok(Vec::new()) };
        let text = self.log.field_text(field)?;
        parse_paths(&text).ok_or_else(|| Flaw::new("decision", "its list of further paths is damaged"))
    }

    /// The commits of this push that `tip` reaches, in the order the gate had them.
    pub(super) fn pending_reach(&self, tip: Oid, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<Vec<Oid>, Flaw> {
        let (mut reached, mut todo) = (BTreeSet::new(), vec![tip]);
        while let Some(oid) = todo.pop() {
            let Some(commit) = pending.get(&oid).filter(|_| !self.promoted.contains(&oid)) else {
                if !self.graph.contains(&oid) {
                    return Err(Flaw::graph(&history::UnknownCommit(oid)));
                }
                continue;
            };
            if reached.insert((self.graph.node(&oid).map_err(|error| Flaw::graph(&error))?.generation, oid)) {
                todo.extend(&commit.parents);
            }
        }
        Ok(reached.into_iter().map(|(_, oid)| oid).collect())
    }

    pub(super) fn scopes(
        &mut self,
        policy: &Policy,
        name: &RefName,
        new: Oid,
    ) -> Result<BTreeMap<String, Scope>, Flaw> {
        let mut scopes = BTreeMap::new();
        for (place, rule) in policy.rules().iter().enumerate().filter(|(_, rule)| rule.refs.touches(name)) {
            let guarded = match self.guarded.entry(place) {
                Entry::Occupied(seen) => seen.into_mut(),
                Entry::Vacant(place) => {
                    let tips = self.tips.iter().filter(|(name, _)| rule.refs.touches(name));
                    place.insert(Reach::new(
                        tips.map(|(_, tip)| peel(&self.tags, *tip))
                            .filter_map(|commit| Some((self.graph.node(&commit).ok()?.generation, commit))),
                    ))
                }
            };
            let unguarded = guarded.is_empty();
            let entering = guarded.entering(&self.graph, &[new]).map_err(|error| Flaw::graph(&error))?;
            let recorded = |oid: &Oid| self.graph.leaf(oid).is_some() && !self.promoted.contains(oid);
            let entered = entering.len();
            let commits: Vec<Oid> = entering.into_iter().filter(recorded).collect();
            let every_path = unguarded || commits.len() < entered;
            scopes.insert(rule.name.clone(), Scope { commits, every_path });
        }
        Ok(scopes)
    }

    pub(super) fn facts_of(&self, oid: &Oid, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<facts::Commit, Flaw> {
        let vouched = self.voucher(oid);
        if let Some(commit) = pending.get(oid) {
            return Ok(facts::Commit { vouched, ..commit.evidence.facts.clone() });
        }
        let lost = || Flaw::new("decision", &format!("commit {oid} enters a ref but has no entry"));
        let entry = self.graph.leaf(oid).ok_or_else(lost)?;
        let bytes = self.log.leaf_bytes(entry)?;
        let checked = check_one(self.log, &bytes);
        if self.hashes.hash(0, entry) != Ok(checked.hash) {
            // What an earlier verification took in is not what the ledger shows now.
            self.earlier.inspect(|earlier| earlier.doubt());
            return Err(lost());
        }
        let Ok(Content::Commit(mut commit)) = checked.content else { return Err(lost()) };
        if let (Some(seen), Some(origin)) = (commit.evidence.log.take(), &self.origin)
            && seen.origin == *origin
        {
            let holds =
                seen.size <= self.size() && tree::root(&self.hashes, seen.size).is_ok_and(|root| root == seen.root);
            commit.evidence.facts.log = if holds { LogTrailer::Holds } else { LogTrailer::Fork };
        }
        Ok(facts::Commit { vouched, ..commit.evidence.facts })
    }
}
