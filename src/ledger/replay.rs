//! Replaying a ledger: every entry in order, every decision made again from what the ledger itself holds.

mod derive;
mod hashes;
mod push;
mod refs;
mod resume;
mod statement;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

pub use self::hashes::ReplayHashes;
use super::appends::Notes;
use super::check::{CheckedCommit, Content, chain};
use super::earlier::{DigestRow, Earlier};
use super::graph::CommitGraph;
use super::objects::Objects;
use super::read::{Log, ReadError};
use super::verify::Problem;
use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::entry::denials::{Denials, Source, minute};
use crate::entry::leaf::{Genesis, Leaf, Update};
use crate::history::{self, Reach};
use crate::name::{Oid, Origin, RefName};
use crate::object::message::LogHead;
use crate::policy::Policy;
use crate::policy::change::Owners;
use crate::policy::facts::{LogTrailer, Voucher};
use crate::tlog::tree;

/// What stands at one moment of the replay.
pub struct Replay<'a> {
    log: &'a Log<'a>,
    /// The tree so far.
    pub hashes: ReplayHashes<'a>,
    /// Where landed pushes put the refs.
    pub tips: BTreeMap<RefName, Oid>,
    /// Authorised pushes not settled yet.
    pub open: BTreeMap<u64, Vec<Update>>,
    /// What was found wrong.
    pub problems: Vec<Problem>,
    /// Tally of decisions.
    pub counts: Counts,
    /// What the entries bring with them.
    pub notes: Notes,
    /// How many entries of each kind.
    pub entries: BTreeMap<Cow<'static, str>, u64>,
    /// What entries assert is held against this, where it is at hand.
    pub objects: Option<Objects<'a>>,
    /// What an earlier verification knew, which this one goes on from.
    earlier: Option<&'a Earlier>,
    graph: CommitGraph<'a>,
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
    /// Where refs stood, since the earlier verification.
    stood: Vec<DigestRow>,
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
    text: String,
    policy: Rc<Policy>,
}

/// The most roots kept; beyond it they are computed again.
const ROOTS_MAX: usize = 1024;

impl<'a> Replay<'a> {
    /// Begins before the first entry, or where an earlier verification ended. `watched` are tips of refs to look out for.
    pub fn new(
        log: &'a Log<'a>,
        watched: BTreeMap<RefName, BTreeMap<Oid, bool>>,
        earlier: Option<&'a Earlier>,
    ) -> Self {
        let mut replay = Self {
            log,
            hashes: ReplayHashes::new(log, earlier),
            tips: BTreeMap::new(),
            open: BTreeMap::new(),
            problems: Vec::new(),
            counts: Counts::default(),
            notes: Notes::after(earlier.map_or(0, Earlier::size)),
            entries: BTreeMap::new(),
            objects: None,
            earlier,
            graph: CommitGraph::after(earlier),
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
            stood: Vec::new(),
        };
        if let Some(earlier) = earlier {
            replay.resume(earlier);
        }
        replay
    }

    /// The index of the next entry.
    pub fn size(&self) -> u64 {
        self.hashes.size()
    }

    /// The entry that put the policy into force, and SHA-256 of its text.
    pub fn policy_in_force(&self) -> Option<(u64, Digest)> {
        self.policy.as_ref().map(|in_force| (in_force.entry, in_force.digest))
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
        self.policy = Some(InForce { entry: index, digest: sha256(text.as_bytes()), text, policy: Rc::new(policy) });
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

    /// What is still owed after the last entry.
    pub fn finish(&mut self) {
        if let Some(oid) = self.pending.keys().next() {
            let message = format!("commit {oid} is recorded, but no push follows that brought it");
            self.problem("decision", self.pending_first, message);
        }
    }

    /// Denials are counted only beyond those that have entries, in the same minute and of the same source.
    fn counted(&mut self, denials: &Denials) -> Result<(), Flaw> {
        let is_first = self.denied.get(&denials.source) != Some(&minute(denials.first));
        let flaw = denials.flaw().or_else(|| is_first.then_some("no entry holds the first denial of its minute"));
        flaw.map_or(Ok(()), |flaw| Err(Flaw::new("denials", flaw)))
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
