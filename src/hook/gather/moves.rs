//! What each kind of move brings into view: commits that enter, paths that are touched, what rules look at.

use std::collections::{BTreeMap, BTreeSet};

use super::commits::{compare, tree};
use super::{GatherError, Gatherer, Sources};
use crate::git::{Kind, commit, touched};
use crate::history::{self, Graph, Reach};
use crate::index::Tip;
use crate::name::{Oid, RefName};
use crate::object::certificate::Command;
use crate::policy::facts::{Move, Scope, Update};

impl Gatherer<'_> {
    pub(super) fn create(&mut self, update: &mut Update, new: Oid) -> Result<(), GatherError> {
        let (fresh, boundary) = self.walk(new)?;
        let boundary: Vec<Oid> = boundary.into_iter().collect();
        update.entering = self.by_generation(fresh);
        self.describe(&update.entering.clone())?;
        let policy = self.sources.policy;
        for rule in policy.rules().iter().filter(|rule| rule.refs.touches(&update.refname)) {
            let mut guarded = match self.guarded.remove(rule.name.as_str()) {
                Some(guarded) => guarded,
                None => Reach::new(self.tips_of(|name| rule.refs.touches(name))?),
            };
            let unguarded = guarded.is_empty();
            // What the ledger does not know no ref reaches, so only what lies below needs a walk.
            let known = guarded.entering(self, &boundary);
            self.guarded.insert(&rule.name, guarded);
            let entering = self.in_order(&known?, &update.entering)?;
            let entered = entering.len();
            let commits = self.beyond_baseline(entering)?;
            self.describe(&commits)?;
            // What the baseline holds could be anything that the rule is about.
            let every_path = unguarded || commits.len() < entered;
            update.scopes.insert(rule.name.clone(), Scope { commits, every_path });
        }
        Ok(())
    }

    /// Both together, parents first.
    pub(super) fn in_order(&self, known: &[Oid], fresh: &[Oid]) -> Result<Vec<Oid>, GatherError> {
        if known.is_empty() {
            return Ok(fresh.to_vec());
        }
        let mut all = BTreeSet::new();
        for oid in known.iter().chain(fresh) {
            all.insert((self.node(oid)?.generation, *oid));
        }
        Ok(all.into_iter().map(|(_, oid)| oid).collect())
    }

    /// Where the ledger puts some refs at the moment of the decision, with generations, as far as that is a known commit.
    pub(super) fn tips_of(&self, wanted: impl Fn(&RefName) -> bool) -> Result<Vec<(u32, Oid)>, GatherError> {
        let tips = self.tips()?.iter().filter(|tip| wanted(&tip.refname));
        Ok(tips.filter_map(|tip| tip.commit).collect())
    }

    /// Where the ledger puts every ref at that moment.
    pub(super) fn tips(&self) -> Result<&[Tip], GatherError> {
        if let Some(tips) = self.tips.get() {
            return Ok(tips);
        }
        let Sources { index, settled, .. } = self.sources;
        let mut tips = index.tips()?;
        tips.retain(|tip| !settled.contains_key(&tip.refname));
        for (refname, oid) in *settled {
            if let Some(oid) = *oid {
                tips.push(Tip { refname: refname.clone(), oid, commit: index.commit_at(&oid)? });
            }
        }
        Ok(self.tips.get_or_init(|| tips))
    }

    /// Without the commits that were there before the ledger: nobody asked anything of them then.
    pub(super) fn beyond_baseline(&self, commits: Vec<Oid>) -> Result<Vec<Oid>, GatherError> {
        let mut kept = Vec::new();
        for oid in commits {
            let known = self.sources.index.known(&oid)?;
            if known.is_none_or(|known| known.leaf.is_some()) {
                kept.push(oid);
            }
        }
        Ok(kept)
    }

    pub(super) fn advance(&mut self, update: &mut Update, old: Oid, new: Oid) -> Result<(), GatherError> {
        let old = match self.sources.index.tag(&old)? {
            Some(commit) => commit,
            None if self.sources.pushed.header(&old)?.0 == Kind::Commit => old,
            None => {
                let words = "it stands at an annotated tag from before the ledger; delete it, then create it anew";
                update.problem = Some(words.to_owned());
                return Ok(());
            }
        };
        let (fresh, boundary) = self.walk(new)?;
        let mut leaving = Vec::new();
        if boundary.len() == 1 && boundary.contains(&old) {
            update.entering = self.by_generation(fresh);
        } else {
            let found = history::difference(self, &[new], &[old])?;
            if !found.meeting.contains(&old) {
                update.action = Move::Rewrite;
            }
            update.entering = found.entering;
            leaving = found.leaving;
        }
        self.describe(&update.entering.clone())?;
        let merges = update.entering.iter().any(|oid| self.node(oid).is_ok_and(|node| node.parents.len() > 1));
        if merges || update.action == Move::Rewrite {
            self.extra(update, &leaving, old, Some(new))?;
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, update: &mut Update, old: Oid) -> Result<(), GatherError> {
        let Some(old) = commit::commit_at(self.sources.pushed, old)? else {
            update.problem =
                Some("it stands at something that is no commit; an administrator must look at it".to_owned());
            return Ok(());
        };
        let leaving = self.leaving.get(&old).cloned().unwrap_or_default();
        self.extra(update, &leaving, old, None)
    }

    /// Finds what goes with each deleted ref, in one walk for all of them.
    pub(super) fn find_leaving(&mut self, commands: &[Command]) -> Result<(), GatherError> {
        let deleted: BTreeMap<&RefName, Oid> = commands
            .iter()
            .filter(|command| command.new.is_none())
            .filter_map(|command| Some((&command.refname, command.old?)))
            .collect();
        if deleted.is_empty() {
            return Ok(());
        }
        let mut others = Reach::new(self.tips_of(|name| !deleted.contains_key(name))?);
        let mut gone = Vec::new();
        for old in deleted.values() {
            // One that stands at no commit gets a problem of its own.
            gone.extend(commit::commit_at(self.sources.pushed, *old)?);
        }
        self.leaving = others.leaving(self, &gone)?;
        Ok(())
    }

    /// The paths of leaving commits and of the difference between the tips, beyond those of the entering commits.
    pub(super) fn extra(
        &mut self,
        update: &mut Update,
        leaving: &[Oid],
        old: Oid,
        new: Option<Oid>,
    ) -> Result<(), GatherError> {
        let Self { sources, trees, cache, limits, .. } = self;
        let pushed = sources.pushed;
        let mut compare = |old: Option<&Oid>, new: &Oid| compare(pushed, old, new, cache, limits);
        let tips = (&old, new.as_ref());
        let mut paths = touched::between(pushed, leaving, tips, &|oid| tree(trees, pushed, oid), &mut compare)?;
        for oid in &update.entering {
            for path in
                self.found.commits.get(oid).map(|found| found.evidence.facts.paths.as_slice()).unwrap_or_default()
            {
                paths.remove(&path.path);
            }
        }
        update.extra = paths.into_iter().collect();
        Ok(())
    }
}
