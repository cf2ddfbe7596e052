//! From the pushed objects to the facts: what the gate reads before it decides. No lock is held meanwhile.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::found::{Found, Read, look};
use super::lookalikes::Lookalikes;
use crate::digest::git_oid;
use crate::entry::leaf::{Leaf, parse_paths};
use crate::evidence;
use crate::git::manifest::{self, ManifestError};
use crate::git::{GitError, Kind, Repository, merge, touched};
use crate::history::{self, Graph, Node, Reach};
use crate::index::{Index, IndexError, Tip};
use crate::ledger::read::{Log, ReadError};
use crate::model::manifest::Manifest;
use crate::name::{Oid, RefName, RepoPath};
use crate::object::certificate::Command;
use crate::object::changes::CompareError;
use crate::object::collision::Collision;
use crate::object::commit::{Commit, CommitError, PARENTS_MAX, RAW_BYTES_MAX};
use crate::object::tag::{self, Tag};
use crate::policy::Policy;
use crate::policy::facts::{self, Move, Scope, Totals, Update};

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
        let mut update = Update {
            entering: Vec::new(),
            extra: Vec::new(),
            action: action(command),
            new: command.new,
            old: command.old,
            problem: None,
            refname: command.refname.clone(),
            scopes: BTreeMap::new(),
            tag: None,
        };
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

    fn create(&mut self, update: &mut Update, new: Oid) -> Result<(), GatherError> {
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
    fn in_order(&self, known: &[Oid], fresh: &[Oid]) -> Result<Vec<Oid>, GatherError> {
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
    fn tips_of(&self, wanted: impl Fn(&RefName) -> bool) -> Result<Vec<(u32, Oid)>, GatherError> {
        let tips = self.tips()?.iter().filter(|tip| wanted(&tip.refname));
        Ok(tips.filter_map(|tip| tip.commit).collect())
    }

    /// Where the ledger puts every ref at that moment.
    fn tips(&self) -> Result<&[Tip], GatherError> {
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
    fn beyond_baseline(&self, commits: Vec<Oid>) -> Result<Vec<Oid>, GatherError> {
        let mut kept = Vec::new();
        for oid in commits {
            let known = self.sources.index.known(&oid)?;
            if known.is_none_or(|known| known.leaf.is_some()) {
                kept.push(oid);
            }
        }
        Ok(kept)
    }

    fn advance(&mut self, update: &mut Update, old: Oid, new: Oid) -> Result<(), GatherError> {
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

    fn delete(&mut self, update: &mut Update, old: Oid) -> Result<(), GatherError> {
        let Some(old) = merge::commit_at(self.sources.pushed, old)? else {
            update.problem =
                Some("it stands at something that is no commit; an administrator must look at it".to_owned());
            return Ok(());
        };
        let leaving = self.leaving.get(&old).cloned().unwrap_or_default();
        self.extra(update, &leaving, old, None)
    }

    /// Finds what goes with each deleted ref, in one walk for all of them.
    fn find_leaving(&mut self, commands: &[Command]) -> Result<(), GatherError> {
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
            gone.extend(merge::commit_at(self.sources.pushed, *old)?);
        }
        self.leaving = others.leaving(self, &gone)?;
        Ok(())
    }

    /// The paths of leaving commits and of the difference between the tips, beyond those of the entering commits.
    fn extra(&mut self, update: &mut Update, leaving: &[Oid], old: Oid, new: Option<Oid>) -> Result<(), GatherError> {
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

    fn tree(&self, commit: &Oid) -> Result<Oid, GitError> {
        tree(&self.trees, self.sources.pushed, commit)
    }

    /// The commits reachable from `tip` that the ledger does not know, and the known ones where the walk ended.
    fn walk(&mut self, tip: Oid) -> Result<(Vec<Oid>, HashSet<Oid>), GatherError> {
        let max = self.sources.policy.limits().commits_per_push;
        let (mut fresh, mut boundary, mut seen) = (Vec::new(), HashSet::new(), HashSet::new());
        // Each commit is met twice: on the way up it calls its parents, on the way down their generations are known.
        let mut todo = vec![(tip, false)];
        while let Some((oid, parents_done)) = todo.pop() {
            if parents_done {
                self.settle_generation(&oid)?;
                continue;
            }
            if !seen.insert(oid) {
                continue;
            }
            let parents = match self.nodes.get(&oid) {
                Some(node) => node.parents.clone(),
                None if self.sources.index.known(&oid)?.is_some() => {
                    boundary.insert(oid);
                    continue;
                }
                None => self.read_parents(&oid)?,
            };
            fresh.push(oid);
            if self.nodes.len() as u64 > max {
                return Err(GatherError::Commits { max });
            }
            todo.push((oid, true));
            todo.extend(parents.into_iter().map(|parent| (parent, false)));
        }
        Ok((fresh, boundary))
    }

    fn read_parents(&mut self, oid: &Oid) -> Result<Vec<Oid>, GatherError> {
        self.limits.check_time()?;
        let parents = merge::parents_of(self.sources.pushed, oid).map_err(|error| match error {
            GitError::Missing(missing) => GatherError::Hole(missing),
            other => other.into(),
        })?;
        if parents.len() > PARENTS_MAX {
            return Err(GatherError::Parents(*oid));
        }
        self.nodes.insert(*oid, Node { generation: 1, parents: parents.clone() });
        Ok(parents)
    }

    fn settle_generation(&mut self, oid: &Oid) -> Result<(), GatherError> {
        let parents = self.nodes.get(oid).map(|node| node.parents.clone()).unwrap_or_default();
        let mut generation = 1;
        for parent in &parents {
            generation = generation.max(self.node(parent)?.generation.saturating_add(1));
        }
        if let Some(node) = self.nodes.get_mut(oid) {
            node.generation = generation;
        }
        Ok(())
    }

    fn by_generation(&self, mut oids: Vec<Oid>) -> Vec<Oid> {
        oids.sort_by_key(|oid| (self.nodes.get(oid).map(|node| node.generation), *oid));
        oids
    }

    /// Makes sure that each commit's evidence is at hand.
    fn describe(&mut self, oids: &[Oid]) -> Result<(), GatherError> {
        let missing: Vec<Oid> = oids.iter().filter(|oid| !self.found.commits.contains_key(oid)).copied().collect();
        for oids in missing.chunks(DESCRIBED_TOGETHER) {
            let (mut names, mut read) = (Vec::new(), Vec::new());
            for oid in oids {
                self.limits.check_time()?;
                let commit = match self.sources.index.known(oid)?.and_then(|known| known.leaf) {
                    Some(entry) => Ok(self.recorded(oid, entry)?),
                    None => self.fresh(oid)?,
                };
                match commit {
                    Ok(commit) => {
                        names.push(*oid);
                        read.push(commit);
                    }
                    Err(error) => {
                        self.found.commits.insert(*oid, Found::unreadable(&error.to_string()));
                    }
                }
            }
            for (oid, mut found) in names.into_iter().zip(look(read)) {
                found.evidence.facts.vouched = self.sources.index.voucher(&oid)?;
                self.found.commits.insert(oid, found);
            }
        }
        Ok(())
    }

    fn recorded(&self, oid: &Oid, entry: u64) -> Result<Read, GatherError> {
        let lost = || GatherError::Recorded { oid: *oid, entry };
        let Leaf::Commit(leaf) = self.sources.log.leaf(entry)? else { return Err(lost()) };
        let blob = |name: &_| self.sources.log.blob(name);
        let raw = leaf.object.read_bytes(blob)?;
        let manifest = Manifest::parse(leaf.manifest.read_text(blob)?.as_bytes()).map_err(|_| lost())?;
        let own = leaf.own.as_ref().map(|own| own.read_text(blob)).transpose()?;
        let own = own.map(|text| parse_paths(&text).ok_or_else(lost)).transpose()?;
        let commit = Commit::parse(&raw).map_err(|_| lost())?;
        Ok(Read { raw, commit, manifest, own, collision: None, is_recorded: true })
    }

    fn fresh(&mut self, oid: &Oid) -> Result<Result<Read, CommitError>, GatherError> {
        let raw = self.sources.pushed.read_limited(oid, Kind::Commit, RAW_BYTES_MAX as u64)?;
        self.commits_bytes += raw.len();
        if self.commits_bytes > COMMITS_BYTES_MAX {
            return Err(GatherError::CommitsBytes);
        }
        // Objects are not re-hashed on read, and this one goes into the ledger under its name.
        if git_oid("commit", &raw) != *oid {
            return Err(GatherError::Renamed(*oid));
        }
        let commit = match Commit::parse(&raw) {
            Ok(commit) => commit,
            Err(error) => return Ok(Err(error)),
        };
        self.trees.borrow_mut().insert(*oid, commit.tree);
        let mut parents = Vec::new();
        for parent in &commit.parents {
            parents.push((*parent, self.tree(parent)?));
        }
        let manifest = manifest::manifest(self.sources.pushed, &commit.tree, &parents, &mut self.cache, &self.limits)?;
        let own = if parents.len() > 1 { Some(self.own_paths(&parents, &manifest)?) } else { None };
        let collision =
            manifest::collision(self.sources.pushed, &commit.tree, &manifest, &mut self.cache, &self.limits)?;
        let collision = collision.map(|Collision { path, with }| facts::Collision { path, with });
        Ok(Ok(Read { raw, commit, manifest, own, collision, is_recorded: false }))
    }

    fn own_paths(&mut self, parents: &[(Oid, Oid)], manifest: &Manifest) -> Result<Vec<RepoPath>, GatherError> {
        let bases = merge::base_trees(self, self.sources.pushed, parents)?;
        let (pushed, cache, limits) = (self.sources.pushed, &mut self.cache, &self.limits);
        let mut compare = |old: Option<&Oid>, new: &Oid| compare(pushed, old, new, cache, limits).ok();
        Ok(merge::own_paths(parents, bases, manifest, &mut compare))
    }
}

/// The tree of a commit; most are asked for once more, by their children.
fn tree(seen: &RefCell<HashMap<Oid, Oid>>, pushed: &Repository, commit: &Oid) -> Result<Oid, GitError> {
    if let Some(tree) = seen.borrow().get(commit) {
        return Ok(*tree);
    }
    let tree = merge::tree_at(pushed, commit)?;
    seen.borrow_mut().insert(*commit, tree);
    Ok(tree)
}

/// The paths that differ, within what the push may cost in all.
fn compare(
    pushed: &Repository,
    old: Option<&Oid>,
    new: &Oid,
    cache: &mut manifest::Cache,
    limits: &manifest::Limits,
) -> Result<BTreeSet<RepoPath>, GatherError> {
    Ok(manifest::compare(pushed, old, new, cache, limits)?.into_iter().map(|change| change.path).collect())
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
        let node = Node { generation: known.generation, parents: merge::parents_of(self.sources.pushed, oid)? };
        self.known.borrow_mut().insert(*oid, node.clone());
        Ok(node)
    }
}
