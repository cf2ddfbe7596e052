//! From the pushed objects to the facts: what the gate reads before it decides. No lock is held meanwhile.

mod commits;
mod moves;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::found::Found;
use super::lookalikes::Lookalikes;
use crate::digest::git_oid;
use crate::evidence;
use crate::git::manifest::{self, ManifestError};
use crate::git::{GitError, Kind, Repository, commit};
use crate::history::{Graph, Node, Reach};
use crate::index::{Index, IndexError, Tip};
use crate::ledger::read::{Log, ReadError};
use crate::name::{Oid, RefName};
use crate::object::certificate::Command;
use crate::object::changes::CompareError;
use crate::object::commit::PARENTS_MAX;
use crate::object::tag::{self, Tag};
use crate::policy::Policy;
use crate::policy::facts::{self, Move, Totals, Update};

/// The most bytes of new commits that one push brings, 256 MiB: they are in memory until they are recorded, and a pack
/// of some megabytes can hold 20,000 commits of a megabyte. An import of 10,000 takes 10 MB.
pub const COMMITS_BYTES_MAX: usize = 256 << 20;

/// How long a push may be looked at: an import of 10,000 commits takes seconds, and a client waits no longer than this
/// for an answer anyway.
pub const TIME_MAX: Duration = Duration::from_mins(5);

/// How long it may be looked at once more under the lock: less than others wait for that.
pub const TIME_LOCKED_MAX: Duration = Duration::from_secs(20);

/// How many commits are read before their signatures are verified, which all cores do then.
const DESCRIBED_TOGETHER: usize = 1024;

/// Why the facts cannot be gathered; each denies the push.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Two trees.
    #[error("two trees cannot be compared")]
    Compare(#[from] CompareError<GitError>),
    /// More than a push may bring.
    #[error("the push brings more than {max} new commits")]
    Commits {
        /// The limit of the policy in force.
        max: u64,
    },
    /// More refs than a push may move.
    #[error("the push moves {count} refs; {max} are allowed")]
    Refs {
        /// How many it moves.
        count: u64,
        /// The limit of the policy in force.
        max: u64,
    },
    /// More parents than a commit may have.
    #[error("the commit {0} has more than {PARENTS_MAX} parents")]
    Parents(Oid),
    /// Commits that are too big together.
    #[error("the new commits have more than {COMMITS_BYTES_MAX} bytes in all")]
    CommitsBytes,
    /// A commit in the ledger that cannot be read any more.
    #[error("the commit {oid} in entry {entry} cannot be read")]
    Recorded {
        /// The commit.
        oid: Oid,
        /// Its entry.
        entry: u64,
    },
    /// An object whose bytes are not those that its name stands for.
    #[error("commit {0} is damaged in the repository")]
    Renamed(Oid),
    /// A commit that nobody has pushed.
    #[error(
        "commit {0} is missing: it is not in the repository, and was not pushed; in a shallow clone run `git fetch --unshallow` first"
    )]
    Hole(Oid),
    /// A commit whose ancestors are not all there.
    #[error("commit {0} is reachable but neither pushed nor known to the ledger")]
    Unknown(Oid),
}

impl GatherError {
    /// What was counted where a limit of the policy ended the gathering: one more than it allows.
    pub fn totals(&self) -> Option<Totals> {
        match self {
            Self::Refs { count, .. } => Some(Totals { refs: *count, ..Totals::default() }),
            Self::Commits { max } => Some(Totals { commits: max.saturating_add(1), ..Totals::default() }),
            Self::Compare(CompareError::TooManyChanges { max })
            | Self::Manifest(ManifestError::Compare(CompareError::TooManyChanges { max })) => {
                Some(Totals { changes: (*max as u64).saturating_add(1), ..Totals::default() })
            }
            _ => None,
        }
    }
}

/// What a command does to its ref, before its commits are looked at: whether an update is a rewrite, they tell.
pub fn action(command: &Command) -> Move {
    match (command.old, command.new) {
        (None, _) => Move::Create,
        (Some(_), None) => Move::Delete,
        (Some(_), Some(_)) => Move::Update,
    }
}

/// Everything gathered about a push's updates.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The commits, by id.
    pub commits: BTreeMap<Oid, Found>,
    /// The updates, in the client's order.
    pub updates: Vec<Update>,
    /// The commits that were not known to the ledger, parents first.
    pub fresh: Vec<Oid>,
    /// The raw bytes of the tags that refs are to point to.
    pub tags: BTreeMap<Oid, Vec<u8>>,
}

/// What is read from.
pub struct Sources<'a> {
    /// Sees the pushed objects.
    pub pushed: &'a Repository,
    /// The ledger.
    pub log: &'a Log<'a>,
    /// What the ledger knows.
    pub index: &'a Index,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Refs that settlements move which the ledger does not hold yet: they will stand right before the decision.
    pub settled: &'a BTreeMap<RefName, Option<Oid>>,
}

/// Gathers the facts about `commands`, within `time_max`; what an earlier gathering `found` of commits is not read
/// again.
pub fn gather(
    sources: &Sources<'_>,
    commands: &[Command],
    mut found: BTreeMap<Oid, Found>,
    time_max: Duration,
) -> Result<Gathered, GatherError> {
    let (count, max) = (commands.len() as u64, sources.policy.limits().refs_per_push);
    if count > max {
        return Err(GatherError::Refs { count, max });
    }
    for oid in changed_since(sources.index, &found)? {
        found.remove(&oid);
    }
    let mut gatherer = Gatherer::new(sources, found);
    gatherer.limits.until = Instant::now().checked_add(time_max);
    gatherer.find_leaving(commands)?;
    for command in commands {
        let update = gatherer.update(command)?;
        gatherer.found.updates.push(update);
    }
    gatherer.refuse_lookalikes()?;
    gatherer.found.fresh = gatherer.by_generation(gatherer.nodes.keys().copied().collect());
    Ok(gatherer.found)
}

/// Gathers what must be recorded before refs may stay at these commits, which no push brought.
pub fn explain(sources: &Sources<'_>, tips: impl IntoIterator<Item = Oid>) -> Result<Gathered, GatherError> {
    let mut gatherer = Gatherer::new(sources, BTreeMap::new());
    for tip in tips {
        let (fresh, _) = gatherer.walk(tip)?;
        gatherer.describe(&fresh)?;
    }
    gatherer.found.fresh = gatherer.by_generation(gatherer.nodes.keys().copied().collect());
    Ok(gatherer.found)
}

/// The commits of which the ledger knows more than when they were found: they have an entry by now, or somebody else
/// vouches for them.
pub fn changed_since(index: &Index, found: &BTreeMap<Oid, Found>) -> Result<Vec<Oid>, IndexError> {
    let mut changed = Vec::new();
    for (oid, found) in found {
        let recorded = found.material.is_some() && index.known(oid)?.is_some_and(|known| known.leaf.is_some());
        if recorded || found.is_readable && index.voucher(oid)? != found.evidence.facts.vouched {
            changed.push(*oid);
        }
    }
    Ok(changed)
}

struct Gatherer<'a> {
    sources: &'a Sources<'a>,
    /// Commits that the ledger does not know, with the graph around them.
    nodes: HashMap<Oid, Node>,
    /// Commits that it knows, as far as a walk came by.
    known: RefCell<HashMap<Oid, Node>>,
    /// The trees of commits that were read: most are asked for once more, by their children.
    trees: RefCell<HashMap<Oid, Oid>>,
    tips: OnceCell<Vec<Tip>>,
    /// What the refs that a rule guards reach, by the rule's name.
    guarded: BTreeMap<&'a str, Reach>,
    /// What only the deleted refs reach, by their tips.
    leaving: HashMap<Oid, Vec<Oid>>,
    found: Gathered,
    cache: manifest::Cache,
    /// How many bytes of raw commits were read to be kept.
    commits_bytes: usize,
    limits: manifest::Limits,
}

impl<'a> Gatherer<'a> {
    fn new(sources: &'a Sources<'a>, commits: BTreeMap<Oid, Found>) -> Self {
        Self {
            sources,
            nodes: HashMap::new(),
            known: RefCell::default(),
            trees: RefCell::default(),
            tips: OnceCell::new(),
            guarded: BTreeMap::new(),
            leaving: HashMap::new(),
            found: Gathered { commits, ..Gathered::default() },
            cache: manifest::Cache::default(),
            commits_bytes: 0,
            limits: manifest::Limits::of(sources.policy),
        }
    }

    fn update(&mut self, command: &Command) -> Result<Update, GatherError> {
        let mut update = Update::bare(command.refname.clone(), action(command), command.old, command.new);
        let new = match self.target(command)? {
            Ok(target) => target,
            Err(problem) => return Ok(Update { problem: Some(problem), ..update }),
        };
        update.tag = new.filter(|new| Some(*new) != command.new).and(command.new).and_then(|tag| self.tag_fact(tag));
        match (command.old, new) {
            (None, Some(new)) => self.create(&mut update, new)?,
            (Some(old), Some(new)) => self.advance(&mut update, old, new)?,
            (Some(old), None) => self.delete(&mut update, old)?,
            (None, None) => update.problem = Some("it neither exists nor is created".to_owned()),
        }
        Ok(update)
    }

    /// A new ref must differ from every other by more than case and accents: where a file system folds them, one stands
    /// for both.
    fn refuse_lookalikes(&mut self) -> Result<(), GatherError> {
        let created = self.found.updates.iter().filter(|update| update.action == Move::Create);
        let mut created = created.map(|update| &update.refname).peekable();
        if created.peek().is_none() {
            return Ok(());
        }
        let mut names = Lookalikes::new(created);
        for tip in self.tips()? {
            names.add(&tip.refname);
        }
        for update in &self.found.updates {
            names.add(&update.refname);
        }
        for update in self.found.updates.iter_mut().filter(|update| update.action == Move::Create) {
            let problem = names.problem(&update.refname);
            update.problem = update.problem.take().or(problem);
        }
        Ok(())
    }

    /// The commit that a new tip is or, as an annotated tag, names; or why it cannot be judged as one.
    fn target(&mut self, command: &Command) -> Result<Result<Option<Oid>, String>, GatherError> {
        let Some(new) = command.new else { return Ok(Ok(None)) };
        let pushed = self.sources.pushed;
        match pushed.header(&new)?.0 {
            Kind::Commit => return Ok(Ok(Some(new))),
            Kind::Tag => {}
            kind => {
                return Ok(Err(format!(
                    "it would point to a {}; only commits and signed tags are accepted",
                    kind.word()
                )));
            }
        }
        let raw = pushed.read_limited(&new, Kind::Tag, tag::RAW_BYTES_MAX as u64)?;
        if git_oid("tag", &raw) != new {
            return Err(GatherError::Renamed(new));
        }
        let parsed = Tag::parse(&raw).and_then(|tag| tag.check_name(&command.refname).map(|()| tag));
        let commit = match parsed {
            Ok(tag) => tag.commit,
            Err(error) => return Ok(Err(error.to_string())),
        };
        self.found.tags.insert(new, raw);
        Ok(match pushed.header(&commit)?.0 {
            Kind::Commit => Ok(Some(commit)),
            kind => Err(format!("the tag says that it names a commit, but it is a {}", kind.word())),
        })
    }

    fn tag_fact(&self, oid: Oid) -> Option<facts::Tag> {
        let raw = self.found.tags.get(&oid)?;
        let tag = Tag::parse(raw).ok()?;
        Some(facts::Tag { commit: tag.commit, signature: evidence::tag_signature(raw, &tag) })
    }
}

impl Graph for Gatherer<'_> {
    type Error = GatherError;

    fn node(&self, oid: &Oid) -> Result<Node, GatherError> {
        if let Some(node) = self.nodes.get(oid) {
            return Ok(node.clone());
        }
        if let Some(node) = self.known.borrow().get(oid) {
            return Ok(node.clone());
        }
        self.limits.check_time()?;
        let known = self.sources.index.known(oid)?.ok_or(GatherError::Unknown(*oid))?;
        let node = Node { generation: known.generation, parents: commit::parents_of(self.sources.pushed, oid)? };
        self.known.borrow_mut().insert(*oid, node.clone());
        Ok(node)
    }
}
