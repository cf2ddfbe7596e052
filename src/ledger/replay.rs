//! Replaying a ledger: every entry in order, every decision made again from what the ledger itself holds.

mod statement;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::check::{CheckedCertificate, CheckedCommit, CheckedPush, Content, chain, check_one};
use super::graph::CommitGraph;
use super::objects::{Objects, Stand};
use super::read::{Log, ReadError};
use super::verify::Problem;
use crate::clock::Timestamp;
use crate::digest::{Digest, git_oid, sha256};
use crate::entry::denials::{Denials, Source, minute};
use crate::entry::leaf::{Genesis, Landed, Leaf, Observed, Push, State, Unexplained, Update, Verdict, parse_paths};
use crate::evidence;
use crate::history::{self, Graph, Reach};
use crate::name::{Oid, Origin, RefName, RepoPath};
use crate::object::message::LogHead;
use crate::object::tag::Tag;
use crate::policy::Policy;
use crate::policy::change::Owners;
use crate::policy::decide::{DECIDER, decide, decide_in_full};
use crate::policy::document::Mode;
use crate::policy::facts::{self, Facts, LogTrailer, Move, Pusher, Scope, Signature, Voucher};
use crate::policy::reason::{Decision, Reason};
use crate::tlog::hashes::MemoryHashes;
use crate::tlog::tree;

/// What stands at one moment of the replay.
pub struct Replay<'a> {
    log: &'a Log<'a>,
    /// The tree so far.
    pub hashes: MemoryHashes,
    /// Where landed pushes put the refs.
    pub tips: BTreeMap<RefName, Oid>,
    /// Authorised pushes not settled yet.
    pub open: BTreeMap<u64, Vec<Update>>,
    /// What was found wrong.
    pub problems: Vec<Problem>,
    /// Tally of decisions.
    pub counts: Counts,
    /// What entries assert is held against this, where it is at hand.
    pub objects: Option<Objects<'a>>,
    graph: CommitGraph,
    /// What the refs that a rule guards reach, by the rule's place in the policy; only of rules that were asked about.
    guarded: BTreeMap<usize, Reach>,
    origin: Option<Origin>,
    /// The one source of logins that counts.
    login: Option<String>,
    policy: Option<InForce>,
    owners: Owners,
    /// The commits that signed tags name, by the tags' ids.
    tags: BTreeMap<Oid, Oid>,
    /// Commits that an admin vouches for.
    vouchers: BTreeMap<Oid, Voucher>,
    /// SHA-256 of the statements that took effect.
    used: BTreeSet<Digest>,
    /// Commit leaves since the last push: they belong to the next.
    pending: BTreeMap<Oid, CheckedCommit>,
    pending_first: u64,
    /// Those of them that the baseline holds: known before, so no news to a new ref.
    promoted: BTreeSet<Oid>,
    certificates: HashSet<Digest>,
    time: Option<Timestamp>,
    /// The last minute in which each source has a denial of its own.
    denied: BTreeMap<Source, i64>,
    /// Roots by size that log trailers named, since many name the same.
    roots: BTreeMap<u64, Digest>,
    /// Tips that somebody else wants to know about, and whether the ledger ever put a ref there.
    watched: BTreeMap<RefName, BTreeMap<Oid, bool>>,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Pushes accepted.
    pub accepted: u64,
    /// Pushes denied.
    pub denied: u64,
    /// Pushes let through that the policy denies but only observes.
    pub tolerated: u64,
    /// Decisions made again with the same result.
    pub replayed: u64,
    /// Signatures of actors that verified.
    pub signatures: u64,
}

struct InForce {
    entry: u64,
    digest: Digest,
    policy: Rc<Policy>,
}

/// The most roots kept; beyond it they are computed again.
const ROOTS_MAX: usize = 1024;

impl<'a> Replay<'a> {
    /// Begins before the first entry. `watched` are tips of refs to look out for.
    pub fn new(log: &'a Log<'a>, watched: BTreeMap<RefName, BTreeMap<Oid, bool>>) -> Self {
        Self {
            log,
            hashes: MemoryHashes::default(),
            tips: BTreeMap::new(),
            open: BTreeMap::new(),
            problems: Vec::new(),
            counts: Counts::default(),
            objects: None,
            graph: CommitGraph::default(),
            guarded: BTreeMap::new(),
            origin: None,
            login: None,
            policy: None,
            owners: Owners::default(),
            tags: BTreeMap::new(),
            vouchers: BTreeMap::new(),
            used: BTreeSet::new(),
            pending: BTreeMap::new(),
            pending_first: 0,
            promoted: BTreeSet::new(),
            certificates: HashSet::new(),
            time: None,
            denied: BTreeMap::new(),
            roots: BTreeMap::new(),
            watched,
        }
    }

    /// The index of the next entry.
    pub fn size(&self) -> u64 {
        self.hashes.size()
    }

    /// SHA-256 of the policy text in force.
    pub fn policy_digest(&self) -> Option<Digest> {
        self.policy.as_ref().map(|in_force| in_force.digest)
    }

    /// Whether the ledger ever put the ref there.
    pub fn ever_put(&self, name: &RefName, tip: &Oid) -> bool {
        self.watched.get(name).and_then(|tips| tips.get(tip)).copied().unwrap_or(false)
    }

    /// Takes the next entry.
    pub fn take(&mut self, hash: Digest, content: Result<Content, String>) {
        let index = self.size();
        match content {
            Err(why) => self.problem("entry", index, why),
            Ok(content) => {
                let time = match &content {
                    Content::Commit(commit) => commit.time,
                    Content::Push(checked) => checked.push.time,
                    Content::Other(leaf) => leaf.time(),
                };
                if self.time.is_some_and(|before| time < before) {
                    self.problem("time", index, format!("its time {time} is before the entry before it"));
                }
                self.time = self.time.max(Some(time));
                self.apply(index, content);
            }
        }
        self.hashes.append(hash);
    }

    fn apply(&mut self, index: u64, content: Content) {
        if (index == 0) != matches!(content, Content::Other(Leaf::Genesis(_))) {
            self.problem("genesis", index, "a ledger has one genesis entry, and it comes first".to_owned());
            return;
        }
        let done = match content {
            Content::Commit(commit) => self.commit(index, *commit),
            Content::Other(Leaf::Genesis(genesis)) => self.genesis(index, &genesis),
            Content::Other(Leaf::Policy(change)) => self.policy_change(index, &change),
            Content::Other(Leaf::Import(import)) => self.import(index, &import),
            Content::Other(Leaf::Reconcile(reconcile)) => self.reconcile(index, &reconcile),
            Content::Push(checked) => self.push(index, *checked),
            Content::Other(Leaf::Landed(landed)) => self.landed(&landed),
            Content::Other(Leaf::Denials(denials)) => self.counted(&denials),
            Content::Other(Leaf::Observed(observed)) => self.observed(&observed),
            Content::Other(Leaf::Commit(_) | Leaf::Push(_)) => Ok(()),
        };
        if let Err(Flaw { code, message }) = done {
            self.problem(code, index, message);
        }
    }

    fn problem(&mut self, code: &'static str, index: u64, message: String) {
        self.problems.push(Problem { code, index: Some(index), refname: None, message });
    }

    fn genesis(&mut self, index: u64, genesis: &Genesis) -> Result<(), Flaw> {
        let text = self.log.field_text(&genesis.baseline.commits)?;
        for line in text.lines() {
            let (oid, _, parents) =
                parse_baseline_commit(line).ok_or_else(|| Flaw::new("genesis", "a line of its baseline is damaged"))?;
            self.graph.add(oid, &parents, None).map_err(|error| Flaw::new("genesis", &error.to_string()))?;
        }
        for line in self.log.field_text(&genesis.baseline.refs)?.lines() {
            let (tip, name) =
                parse_baseline_ref(line).ok_or_else(|| Flaw::new("genesis", "a line of its baseline is damaged"))?;
            self.set_tip(&name, Some(tip));
        }
        if genesis.vkey != self.log.vkey().to_string() {
            return Err(Flaw::new("key", &format!("it names the key {}, not {}", genesis.vkey, self.log.vkey())));
        }
        let origin = self.log.head().checkpoint.origin();
        if genesis.origin != *origin {
            return Err(Flaw::new("origin", &format!("it begins the ledger {}, not {origin}", genesis.origin)));
        }
        self.origin = Some(genesis.origin.clone());
        self.login.clone_from(&genesis.login);
        let text = self.log.field_text(&genesis.policy)?;
        let policy = Policy::parse(&text).map_err(|_| Flaw::new("policy", "its policy has mistakes"))?;
        self.owners.merge(&policy).map_err(|_| Flaw::new("policy", "its policy gives one key to two actors"))?;
        self.policy = Some(InForce { entry: index, digest: sha256(text.as_bytes()), policy: Rc::new(policy) });
        Ok(())
    }

    fn commit(&mut self, index: u64, mut commit: CheckedCommit) -> Result<(), Flaw> {
        self.counts.signatures += u64::from(commit.actor.is_some());
        self.judge_log(&mut commit);
        if self.pending.is_empty() {
            self.pending_first = index;
        }
        let oid = commit.oid;
        let recorded = self.graph.leaf(&oid);
        let added = self.graph.add(oid, &commit.parents, Some(index));
        self.pending.insert(oid, commit);
        if let (Ok(_), Some(objects), Some(in_force)) = (&added, &mut self.objects, &self.policy) {
            let lie = objects.commit(self.log, index, &self.graph, &in_force.policy);
            if let Some(message) = lie {
                self.problem("objects", index, message);
            }
        }
        match (added, recorded) {
            (Err(error), _) => Err(Flaw::new("graph", &format!("its commit's parent is missing: {error}"))),
            (_, Some(entry)) => Err(Flaw::new("graph", &format!("its commit has an entry already: {entry}"))),
            (Ok(new), None) => {
                if !new {
                    self.promoted.insert(oid);
                }
                Ok(())
            }
        }
    }

    fn judge_log(&mut self, commit: &mut CheckedCommit) {
        if let Some(seen) = commit.evidence.log.take()
            && self.origin.as_ref() == Some(&seen.origin)
        {
            let holds = self.root_at(&seen) == Some(seen.root);
            commit.evidence.facts.log = if holds { LogTrailer::Holds } else { LogTrailer::Fork };
        }
    }

    fn root_at(&mut self, seen: &LogHead) -> Option<Digest> {
        if let Some(root) = self.roots.get(&seen.size) {
            return Some(*root);
        }
        if seen.size > self.size() {
            return None;
        }
        let root = tree::root(&self.hashes, seen.size).ok()?;
        if self.roots.len() >= ROOTS_MAX {
            self.roots.clear();
        }
        self.roots.insert(seen.size, root);
        Some(root)
    }

    fn push(&mut self, index: u64, checked: CheckedPush) -> Result<(), Flaw> {
        let pending = std::mem::take(&mut self.pending);
        let done = self.decided(index, checked, pending);
        self.promoted.clear();
        done
    }

    fn decided(&mut self, index: u64, checked: CheckedPush, pending: BTreeMap<Oid, CheckedCommit>) -> Result<(), Flaw> {
        let CheckedPush { push, certificate } = checked;
        if push.clock.is_some_and(|clock| push.time.millis().saturating_sub(clock.millis()) <= Push::CLOCK_SLACK_MS) {
            return Err(Flaw::new("time", "it says that the clock was behind, and it was not"));
        }
        let (entry, policy) = match &self.policy {
            Some(in_force) => (in_force.entry, Rc::clone(&in_force.policy)),
            None => return Err(Flaw::no_genesis()),
        };
        if push.policy != entry {
            return Err(Flaw::new(
                "decision",
                &format!("it was decided by entry {}, but entry {entry} was in force", push.policy),
            ));
        }
        if push.decider != DECIDER {
            return Err(Flaw::new(
                "decision",
                &format!("it was decided by version {} of the rules, which this program does not have", push.decider),
            ));
        }
        self.login(&push.pusher)?;
        match push.decision {
            Verdict::Denied => self.denied(&policy, &push, pending.len()),
            Verdict::Accepted | Verdict::Tolerated => self.let_through(index, &policy, &push, certificate, pending),
        }
    }

    /// A login is believed only from the source that the ledger began with.
    fn login(&self, pusher: &Pusher) -> Result<(), Flaw> {
        let Pusher::Login { login } = pusher else { return Ok(()) };
        let source = login.split_once(':').map(|(source, _)| source);
        if source.is_some() && source == self.login.as_deref() {
            return Ok(());
        }
        let why = format!("its pusher is known by `{login}`, a source that the genesis entry does not name");
        Err(Flaw::new("decision", &why))
    }

    /// What is still owed after the last entry.
    pub fn finish(&mut self) {
        if let Some(oid) = self.pending.keys().next() {
            let message = format!("commit {oid} is recorded, but no push follows that brought it");
            self.problem("decision", self.pending_first, message);
        }
    }

    fn denied(&mut self, policy: &Policy, push: &Push, stray: usize) -> Result<(), Flaw> {
        self.counts.denied += 1;
        self.denied.insert(Source::of_push(push), minute(push.time));
        if stray > 0 {
            return Err(Flaw::new("decision", "commit entries stand before it that belong to no accepted push"));
        }
        let beyond = |update: &Update| update.extra.is_some() || update.tag.is_some();
        if push.certificate.is_some() || push.commits.count > 0 || push.updates.iter().any(beyond) {
            return Err(Flaw::new("decision", "it is a denial, and holds what only a push that is let through leaves"));
        }
        let facts = push.facts.as_ref().ok_or_else(|| Flaw::new("decision", "it is a denial without facts"))?;
        if facts.time != push.time || facts.pusher != push.pusher {
            return Err(Flaw::new("decision", "its facts are of another moment or pusher"));
        }
        let decision = decide_in_full(policy, facts);
        let same = |reason| decision.reasons.contains(reason);
        if decision.accepted || push.reasons.is_empty() || !push.reasons.iter().all(same) {
            return Err(Flaw::new("decision", "its facts do not lead to the denial that it states"));
        }
        if decision.pusher != push.actor {
            return Err(Flaw::other_pusher());
        }
        let named = |update: &facts::Update| {
            let same = |listed: &Update| {
                (&listed.refname, listed.action, listed.new, listed.old)
                    == (&update.refname, update.action, update.new, update.old)
            };
            update.refname.as_str() == Push::UNNAMED_REF || push.updates.iter().any(same)
        };
        if push.updates.len() < Push::DENIED_UPDATES_MAX && !facts.updates.iter().all(named) {
            return Err(Flaw::new("decision", "its facts are about other refs than it names"));
        }
        self.counts.replayed += 1;
        Ok(())
    }

    fn let_through(
        &mut self,
        index: u64,
        policy: &Policy,
        push: &Push,
        certificate: Option<Result<CheckedCertificate, String>>,
        mut pending: BTreeMap<Oid, CheckedCommit>,
    ) -> Result<(), Flaw> {
        match push.decision {
            Verdict::Tolerated => self.counts.tolerated += 1,
            Verdict::Accepted | Verdict::Denied => self.counts.accepted += 1,
        }
        self.open.insert(index, push.updates.clone());
        if push.facts.is_some() {
            return Err(Flaw::new("decision", "it states facts, which follow from the ledger"));
        }
        let first = if pending.is_empty() { index } else { self.pending_first };
        if push.commits.count != pending.len() as u64
            || push.commits.first != first
            || first + push.commits.count != index
        {
            return Err(Flaw::new("decision", "its commit entries do not stand right before it"));
        }
        self.certificate(push, certificate)?;
        let mut commits: BTreeMap<Oid, facts::Commit> = BTreeMap::new();
        let mut updates = Vec::new();
        if let Some(objects) = &mut self.objects {
            let stand = Stand { graph: &self.graph, policy, tags: &self.tags, tips: &self.tips };
            objects.push(&stand, &push.updates);
        }
        for update in &push.updates {
            updates.push(self.update(policy, update, &mut pending, &mut commits)?);
        }
        if let Some(oid) = pending.keys().find(|oid| !commits.contains_key(*oid)) {
            return Err(Flaw::new("decision", &format!("commit {oid} was recorded with it but enters no ref")));
        }
        let facts = Facts { commits, pusher: push.pusher.clone(), time: push.time, totals: None, updates };
        let decision = decide(policy, &facts);
        match push.decision {
            Verdict::Tolerated => Self::tolerated(policy, push, &facts)?,
            Verdict::Accepted | Verdict::Denied => Self::accepted(push, &decision)?,
        }
        if decision.pusher != push.actor {
            return Err(Flaw::other_pusher());
        }
        Self::check_signers(&decision, &pending)?;
        self.counts.replayed += 1;
        Ok(())
    }

    fn accepted(push: &Push, decision: &Decision) -> Result<(), Flaw> {
        if !decision.accepted {
            let codes: BTreeSet<String> = decision.reasons.iter().map(|reason| reason.code.to_string()).collect();
            let codes: Vec<String> = codes.into_iter().collect();
            return Err(Flaw::new(
                "decision",
                &format!("the policy in force denies what it accepts: {}", codes.join(", ")),
            ));
        }
        if decision.reasons != push.reasons {
            return Err(Flaw::new("decision", "it was accepted for other reasons than it states"));
        }
        Ok(())
    }

    /// Under a policy that observes, what is denied may pass, but for what no entry could hold.
    fn tolerated(policy: &Policy, push: &Push, facts: &Facts) -> Result<(), Flaw> {
        if policy.mode() != Mode::Observe {
            return Err(Flaw::new("decision", "it was let through, but the policy in force does not merely observe"));
        }
        let decision = decide_in_full(policy, facts);
        if decision.accepted {
            return Err(Flaw::new("decision", "the policy in force accepts what it says is only tolerated"));
        }
        let states = |reason: &Reason| decision.reasons.contains(reason) || reason.code.is_asserted();
        if push.reasons.is_empty() || !push.reasons.iter().all(states) {
            return Err(Flaw::new("decision", "its facts do not lead to the reasons that it states"));
        }
        if let Some(reason) = push.reasons.iter().chain(&decision.reasons).find(|reason| !reason.code.is_tolerable()) {
            return Err(Flaw::new("decision", &format!("{} is never let through", reason.code)));
        }
        Ok(())
    }

    fn check_signers(decision: &Decision, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<(), Flaw> {
        for (oid, commit) in pending {
            let (signer, voucher) = (decision.signers.get(oid), decision.vouchers.get(oid));
            if signer != commit.actor.as_ref() || voucher != commit.vouched_by.as_ref() {
                return Err(Flaw::new("decision", &format!("commit {oid} is not by whom its entry names")));
            }
        }
        Ok(())
    }

    fn certificate(
        &mut self,
        push: &Push,
        certificate: Option<Result<CheckedCertificate, String>>,
    ) -> Result<(), Flaw> {
        let flaw = |why: &str| Flaw::new("certificate", why);
        let (key, certificate) = match (&push.pusher, certificate) {
            (Pusher::Certificate { key }, Some(certificate)) => (key, certificate.map_err(|why| flaw(&why))?),
            (Pusher::Certificate { .. }, None) => return Err(flaw("its push certificate is missing")),
            (_, Some(_)) => return Err(flaw("it has a push certificate that names nobody")),
            (_, None) => return Ok(()),
        };
        if certificate.key != *key {
            return Err(flaw("its push certificate is signed by another key"));
        }
        let named = certificate.commands.iter().map(|command| (&command.old, &command.new, &command.refname));
        if !named.eq(push.updates.iter().map(|update| (&update.old, &update.new, &update.refname))) {
            return Err(flaw("its push certificate names other refs or commits"));
        }
        if !self.certificates.insert(certificate.digest) {
            return Err(flaw("its push certificate was used before"));
        }
        self.counts.signatures += 1;
        Ok(())
    }

    /// The facts of one update, from the graph and the leaves.
    fn update(
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
            entering: Vec::new(),
            extra: self.extra(update)?,
            action: update.action,
            new: update.new,
            old: update.old,
            problem: None,
            refname: name.clone(),
            scopes: BTreeMap::new(),
            tag: self.tag(update)?,
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
    fn tag(&mut self, update: &Update) -> Result<Option<facts::Tag>, Flaw> {
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
    fn peel(&self, tip: Oid) -> Oid {
        peel(&self.tags, tip)
    }

    fn extra(&self, update: &Update) -> Result<Vec<RepoPath>, Flaw> {
        let Some(field) = &update.extra else { return Ok(Vec::new()) };
        let text = self.log.field_text(field)?;
        parse_paths(&text).ok_or_else(|| Flaw::new("decision", "its list of further paths is damaged"))
    }

    /// The commits of this push that `tip` reaches, in the order the gate had them.
    fn pending_reach(&self, tip: Oid, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<Vec<Oid>, Flaw> {
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

    fn scopes(&mut self, policy: &Policy, name: &RefName, new: Oid) -> Result<BTreeMap<String, Scope>, Flaw> {
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

    fn facts_of(&self, oid: &Oid, pending: &BTreeMap<Oid, CheckedCommit>) -> Result<facts::Commit, Flaw> {
        let vouched = self.vouchers.get(oid).cloned();
        if let Some(commit) = pending.get(oid) {
            return Ok(facts::Commit { vouched, ..commit.evidence.facts.clone() });
        }
        let lost = || Flaw::new("decision", &format!("commit {oid} enters a ref but has no entry"));
        let entry = self.graph.leaf(oid).ok_or_else(lost)?;
        let bytes = self.log.leaf_bytes(entry)?;
        let Ok(Content::Commit(mut commit)) = check_one(self.log, &bytes).content else { return Err(lost()) };
        if let (Some(seen), Some(origin)) = (commit.evidence.log.take(), &self.origin)
            && seen.origin == *origin
        {
            let holds =
                seen.size <= self.size() && tree::root(&self.hashes, seen.size).is_ok_and(|root| root == seen.root);
            commit.evidence.facts.log = if holds { LogTrailer::Holds } else { LogTrailer::Fork };
        }
        Ok(facts::Commit { vouched, ..commit.evidence.facts })
    }

    /// Denials are counted only beyond those that have entries, in the same minute and of the same source.
    fn counted(&mut self, denials: &Denials) -> Result<(), Flaw> {
        let is_first = self.denied.get(&denials.source) != Some(&minute(denials.first));
        let flaw = denials.flaw().or_else(|| is_first.then_some("no entry holds the first denial of its minute"));
        flaw.map_or(Ok(()), |flaw| Err(Flaw::new("denials", flaw)))
    }

    fn landed(&mut self, landed: &Landed) -> Result<(), Flaw> {
        let flaw = |why: &str| Flaw::new("landed", why);
        for settled in &landed.updates {
            let open = self.open.get_mut(&landed.push).ok_or_else(|| flaw("it settles a push that is not open"))?;
            let at = open.iter().position(|update| update.refname == settled.refname);
            let update = open.remove(at.ok_or_else(|| flaw("it settles a ref that its push does not name"))?);
            if open.is_empty() {
                self.open.remove(&landed.push);
            }
            if settled.state == State::Landed {
                if self.tips.get(&update.refname) != update.old.as_ref() {
                    return Err(flaw(&format!("{} could not land there from where it stood", update.refname)));
                }
                self.set_tip(&update.refname, update.new);
                self.follow_guarded(&update);
            }
        }
        Ok(())
    }

    /// What rules guard grows with a new tip that keeps what was below the old one; after any other move it is found
    /// out anew.
    fn follow_guarded(&mut self, update: &Update) {
        let (Move::Create | Move::Update, Some(new), Some(in_force)) = (update.action, update.new, &self.policy) else {
            return self.guarded.clear();
        };
        let new = self.peel(new);
        let Ok(node) = self.graph.node(&new) else { return };
        for (place, guarded) in &mut self.guarded {
            if in_force.policy.rules().get(*place).is_some_and(|rule| rule.refs.touches(&update.refname)) {
                guarded.add(node.generation, new);
            }
        }
    }

    /// An incident that was recorded is no fault of the ledger, if it is one; what the refs are now is looked at in the
    /// end.
    fn observed(&self, observed: &Observed) -> Result<(), Flaw> {
        let moved =
            |seen: &&Unexplained| self.tips.get(&seen.refname) == seen.expected.as_ref() && seen.tip != seen.expected;
        match observed.refs.iter().find(|seen| !moved(seen)) {
            Some(seen) => {
                Err(Flaw::new("observed", &format!("{} was not where it says the ledger put it", seen.refname)))
            }
            None => Ok(()),
        }
    }

    fn set_tip(&mut self, name: &RefName, tip: Option<Oid>) {
        match tip {
            Some(tip) => {
                if let Some(seen) = self.watched.get_mut(name).and_then(|tips| tips.get_mut(&tip)) {
                    *seen = true;
                }
                self.tips.insert(name.clone(), tip);
            }
            None => {
                self.tips.remove(name);
            }
        }
    }
}

/// The commit that a tip is or, as one of these tags, names.
fn peel(tags: &BTreeMap<Oid, Oid>, tip: Oid) -> Oid {
    tags.get(&tip).copied().unwrap_or(tip)
}

/// What is wrong with one entry.
struct Flaw {
    code: &'static str,
    message: String,
}

impl Flaw {
    fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }

    fn graph(error: &history::UnknownCommit) -> Self {
        Self::new("graph", &error.to_string())
    }

    fn other_pusher() -> Self {
        Self::new("decision", "it names another pusher than its facts do")
    }

    fn no_genesis() -> Self {
        Self::new("genesis", "no policy is in force, because the genesis entry does not hold")
    }
}

impl From<ReadError> for Flaw {
    fn from(error: ReadError) -> Self {
        Self::new("entry", &chain(&error))
    }
}

/// Parses a baseline line `<oid> <tree> [<parent> …]`.
pub fn parse_baseline_commit(line: &str) -> Option<(Oid, Oid, Vec<Oid>)> {
    let mut oids = line.split(' ').map(Oid::parse);
    let (oid, tree) = (oids.next()?.ok()?, oids.next()?.ok()?);
    Some((oid, tree, oids.collect::<Result<_, _>>().ok()?))
}

/// Parses a baseline line `<oid> <ref>`.
pub fn parse_baseline_ref(line: &str) -> Option<(Oid, RefName)> {
    let (oid, name) = line.split_once(' ')?;
    Some((Oid::parse(oid).ok()?, RefName::parse(name).ok()?))
}
