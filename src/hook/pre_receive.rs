//! The gate: reads, decides, appends, answers. No ref moves before the decision is durably in the ledger.
//!
//! 1. Without the lock: updates, objects, certificate, signatures, facts.
//! 2. Under it: is what was read still so? settle what is open, decide, append.
//! 3. Without it: answer. A client that stops reading must not hold up others.
//!
//! Every error on the way denies.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::draft::Draft;
use super::gather::{self, GatherError, Gathered, Sources};
use super::pusher::{self, Environment, LoginSource};
use super::settle::{self, SettleError, Settlement};
use super::tally::Tally;
use super::{inbox, server_setup};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::entry::denials::Source;
use crate::entry::leaf::{Leaf, Push, Unexplained};
use crate::git::{GitError, Repository};
use crate::index::{Index, IndexError};
use crate::ledger::append::{AppendError, Locked, Signer};
use crate::ledger::check::chain;
use crate::ledger::place::{LOCK_WAIT_MAX, Place, PlaceError};
use crate::ledger::read::{Log, ReadError};
use crate::name::{NameError, Oid, Origin, RefName};
use crate::object::certificate::{self, Command};
use crate::object::message::LogHead;
use crate::policy::Policy;
use crate::policy::decide::decide;
use crate::policy::document::Mode;
use crate::policy::facts::{self, Facts, LogTrailer, Pusher};
use crate::policy::reason::Decision;
use crate::tlog::tree::{self, TreeError};

/// The most refs that one push may name, whatever the policy says: they are read before the policy is.
pub const COMMANDS_MAX: usize = 100_000;

/// Why a push that is granted everything is denied all the same.
const TOO_LONG: &str = "the entry of this push would be too long; push fewer refs at a time";

/// What a pusher is told whose denial has no entry.
pub(super) const COUNTED: &str =
    "counted with others: the ledger holds the first refusals of this minute, and will hold the number of the rest";

/// The index, beside the ledger.
const INDEX_FILE: &str = "index.sqlite";

/// How often somebody who waits for the lock looks whether there is still something to do.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How often the gate looks for a moment between two appends of others before it stops them for one.
const SNAPSHOT_TRIES: u32 = 8;

/// Why the gate could not decide; the push is denied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Git's input to the hook.
    #[error("Git's list of updates cannot be read: `{0}`")]
    Input(String),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The ledger, reading.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger, appending.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Open authorisations.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The server's own files.
    #[error(transparent)]
    Setup(#[from] server_setup::SetupError),
    /// A root of the ledger.
    #[error("the ledger's hashes cannot be read")]
    Tree(#[from] TreeError<ReadError>),
    /// The receive-pack that asked is gone.
    #[error("Git ended before the gate had decided, so nothing was recorded")]
    Alone,
    /// The policy in force does not parse, so nothing can be decided by it.
    #[error("the policy in force cannot be read")]
    Policy,
}

impl GateError {
    /// Whether the index turned out to be damaged on the way.
    fn is_damaged_index(&self) -> bool {
        let (Self::Index(index) | Self::Settle(SettleError::Index(index))) = self else { return false };
        index.is_damage()
    }
}

/// What the gate says to the pusher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the refs may move.
    pub accepted: bool,
    /// Whether they may only because the policy merely observes.
    pub tolerated: bool,
    /// The decision, with its reasons.
    pub decision: Option<Decision>,
    /// Where it stands in the ledger.
    pub entry: Option<u64>,
    /// The tree that holds it.
    pub checkpoint: Option<crate::tlog::checkpoint::Checkpoint>,
    /// The policy that decided, for hints.
    pub policy: Option<Box<Policy>>,
    /// A plain sentence, where there is more or nothing else to say.
    pub note: Option<String>,
}

/// Parses the lines `<old> <new> <ref>` that Git gives to receive hooks. A ref that is none becomes a stand-in with
/// the reason, so that its denial can be recorded.
pub fn parse_commands(input: &[u8]) -> Result<(Vec<Command>, Vec<String>), GateError> {
    let (mut commands, mut problems) = (Vec::new(), Vec::new());
    for line in input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let shown = || GateError::Input(String::from_utf8_lossy(line).chars().take(120).collect());
        if commands.len() + problems.len() >= COMMANDS_MAX {
            return Err(shown());
        }
        let mut words = line.splitn(3, |byte| *byte == b' ').map(std::str::from_utf8);
        let mut oid = || words.next()?.ok().and_then(|word| Oid::parse_optional(word).ok());
        let (Some(old), Some(new)) = (oid(), oid()) else { return Err(shown()) };
        match words.next() {
            Some(Ok(name)) => match RefName::parse(name) {
                Ok(refname) => commands.push(Command { new, old, refname }),
                Err(error) => problems.push(error.to_string()),
            },
            // Under another spelling the gate would judge another ref than Git moves.
            Some(Err(_)) => problems.push("a ref name that is not UTF-8 is not accepted".to_owned()),
            None => return Err(shown()),
        }
    }
    Ok((commands, problems))
}

/// The server's side of one repository, open.
pub struct Gate {
    main: Repository,
    place: Place,
    signer: Signer,
}

impl Gate {
    /// Opens the repository at `path` and its ledger key.
    pub fn open(path: &Path) -> Result<Self, GateError> {
        let main = Repository::open(path)?;
        server_setup::check_stands(&main)?;
        let place = Place::in_repository(main.git_dir());
        let signer = server_setup::read_signer(&place)?;
        Ok(Self { main, place, signer })
    }

    /// The repository, opened by path.
    pub fn repository(&self) -> &Repository {
        &self.main
    }

    /// The ledger's key.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Opens the ledger at its newest entry.
    pub fn log(&self) -> Result<Log<'_>, ReadError> {
        Log::open(&self.main, Some(&self.signer.vkey()))
    }

    /// Opens the index, brought up to `log`.
    pub fn index(&self, log: &Log<'_>) -> Result<Index, IndexError> {
        Index::open(&self.place.file(INDEX_FILE), log)
    }

    /// The ledger at its newest entry, and an index that stands there, too, and stays so while others append.
    fn snapshot(&self) -> Result<(Log<'_>, Index), GateError> {
        for _ in 0..SNAPSHOT_TRIES {
            let log = self.log()?;
            let index = self.index(&log)?;
            if index.pin(&log)? {
                return Ok((log, index));
            }
        }
        let _still = self.lock()?;
        let log = self.log()?;
        let index = self.index(&log)?;
        index.pin(&log)?;
        Ok((log, index))
    }

    /// The denials of this minute; `log` is the ledger at its head, and locked.
    pub fn tally(&self, log: &Log<'_>) -> Tally<'_> {
        Tally::open(&self.place, log)
    }

    /// Locks the ledger for an append.
    pub fn lock(&self) -> Result<Locked<'_>, AppendError> {
        Locked::open(&self.main, &self.place, &self.signer)
    }

    /// The same, unless it becomes needless while others hold the lock: then none.
    pub fn lock_unless(&self, needless: impl Fn() -> Result<bool, GateError>) -> Result<Option<Locked<'_>>, GateError> {
        let begin = Instant::now();
        loop {
            let taken = self.place.lock_within(LOOK_EVERY);
            match taken {
                Err(PlaceError::Locked { .. }) if needless()? => return Ok(None),
                Err(PlaceError::Locked { .. }) if begin.elapsed() < LOCK_WAIT_MAX => {}
                taken => {
                    let lock = taken.map_err(AppendError::from)?;
                    return Ok(Some(Locked::open_with(lock, &self.main, &self.place, &self.signer)?));
                }
            }
        }
    }

    /// The configured source of logins. One that the genesis entry does not name is none: nobody would believe it.
    fn login_source(&self, log: &Log<'_>) -> Result<LoginSource, GateError> {
        let word = self.main.config("mledger.login")?;
        let source = word.as_deref().and_then(LoginSource::parse).unwrap_or(LoginSource::None);
        if source == LoginSource::None {
            return Ok(source);
        }
        match log.leaf(0)? {
            Leaf::Genesis(genesis) if genesis.login.as_deref() == Some(source.word()) => Ok(source),
            _ => Ok(LoginSource::None),
        }
    }
}

/// Decides a push. `input` is what Git gives to pre-receive on standard input.
pub fn pre_receive(path: &Path, input: &[u8], environment: &Environment) -> Result<Answer, GateError> {
    let gate = Gate::open(path)?;
    let answer = judge(&gate, input, environment);
    if answer.as_ref().is_err_and(GateError::is_damaged_index) {
        // It is made anew from the ledger: this push is denied, the next one is not.
        Index::remove(&gate.place.file(INDEX_FILE));
    }
    answer
}

fn judge(gate: &Gate, input: &[u8], environment: &Environment) -> Result<Answer, GateError> {
    let waiting = settle::receive_pack();
    let (commands, mut problems) = parse_commands(input)?;
    if let Some(namespace) = environment.get("GIT_NAMESPACE") {
        // Git moves other refs then than those that it names.
        problems.push(format!("it goes to the namespace `{namespace}`; only the repository itself takes pushes"));
    }
    if problems.is_empty() && inbox::is_for(&commands) {
        let pushed = Repository::open_from_env()?;
        return inbox::receive(gate, &pushed, &commands, Timestamp::now());
    }
    let pushed = Repository::open_from_env()?;
    let mut view = View::read(gate, &pushed, commands, environment)?;
    let mut locked = gate.lock()?;
    let moved = locked.head().map(|head| head.commit) != Some(view.log.head().commit);
    if moved {
        view.catch_up(gate)?;
    } else {
        view.index.sync(&view.log)?;
    }
    let now = Timestamp::now();
    let settlement = settle::settle(&gate.main, &view.index, locked.time(now), now, None)?;
    if view.is_stale(moved, &settlement)? {
        view.gather_again(&pushed, &settlement);
    }
    conclude(gate, &mut locked, view, settlement, problems, waiting.as_deref())
}

/// What was read without the lock.
struct View<'a> {
    commands: Vec<Command>,
    log: Log<'a>,
    index: Index,
    policy: Policy,
    policy_entry: u64,
    pusher: Pusher,
    certificate: Option<Vec<u8>>,
    gathered: Result<Gathered, GatherError>,
}

impl<'a> View<'a> {
    fn read(
        gate: &'a Gate,
        pushed: &Repository,
        commands: Vec<Command>,
        environment: &Environment,
    ) -> Result<Self, GateError> {
        let (log, index) = gate.snapshot()?;
        let (policy, policy_entry) = policy_in_force(&log, &index)?;
        let (pusher, certificate) = pusher::identify(environment, gate.login_source(&log)?, pushed, &index, &commands)?;
        let settled = &BTreeMap::new();
        let sources = Sources { pushed, log: &log, index: &index, policy: &policy, settled };
        let gathered = match gather::gather(&sources, &commands, BTreeMap::new(), gather::TIME_MAX) {
            Err(GatherError::Index(error)) if error.is_damage() => return Err(error.into()),
            gathered => gathered,
        };
        Ok(Self { commands, log, index, policy, policy_entry, pusher, certificate, gathered })
    }

    /// Others have appended since: takes their entries in.
    fn catch_up(&mut self, gate: &'a Gate) -> Result<(), GateError> {
        self.log = gate.log()?;
        self.index.sync(&self.log)?;
        if let (Pusher::Certificate { .. }, Some(bytes)) = (&self.pusher, &self.certificate)
            && self.index.certificate_used(&certificate::single_use_digest(bytes))?
        {
            self.pusher = Pusher::Refused { why: pusher::USED.to_owned() };
        }
        Ok(())
    }

    /// Whether anything that the facts depend on is not what it was: the policy, which commits are known, and for a new
    /// ref where the others stand.
    fn is_stale(&mut self, moved: bool, settlement: &Settlement) -> Result<bool, GateError> {
        let mut stale = false;
        if moved && self.index.policy_entry()? != self.policy_entry {
            (self.policy, self.policy_entry) = policy_in_force(&self.log, &self.index)?;
            stale = true;
        }
        // Whatever is denied anyway is not gathered again: others wait, and a thief could let them wait for long.
        let Ok(gathered) = &self.gathered else { return Ok(false) };
        if !self.is_by_an_actor(settlement.time) {
            return Ok(false);
        }
        if moved {
            stale |= !gather::changed_since(&self.index, &gathered.commits)?.is_empty();
        }
        let looks_at_others =
            |update: &facts::Update| !update.scopes.is_empty() || update.action == facts::Move::Delete;
        let others_moved = moved || !settlement.tips.is_empty();
        Ok(stale || others_moved && gathered.updates.iter().any(looks_at_others))
    }

    fn is_by_an_actor(&self, time: Timestamp) -> bool {
        let pusher = self.pusher.clone();
        let facts = Facts { commits: BTreeMap::new(), pusher, time, totals: None, updates: Vec::new() };
        decide(&self.policy, &facts).pusher.is_some()
    }

    fn gather_again(&mut self, pushed: &Repository, settlement: &Settlement) {
        let settled = &settlement.tips;
        let sources = Sources { pushed, log: &self.log, index: &self.index, policy: &self.policy, settled };
        // Reading the commits again would hold up others for as long as a thief likes.
        let found = self.gathered.as_mut().map(|gathered| std::mem::take(&mut gathered.commits)).unwrap_or_default();
        self.gathered = gather::gather(&sources, &self.commands, found, gather::TIME_LOCKED_MAX);
    }
}

/// The policy in force, parsed, with the entry that holds it.
pub fn policy_in_force(log: &Log<'_>, index: &Index) -> Result<(Policy, u64), GateError> {
    let policy = Policy::parse(&log.policy_view()?).map_err(|_| GateError::Policy)?;
    Ok((policy, index.policy_entry()?))
}

/// Settles, decides and appends, under the lock; then lets go of it.
fn conclude(
    gate: &Gate,
    locked: &mut Locked<'_>,
    mut view: View<'_>,
    settlement: Settlement,
    problems: Vec<String>,
    waiting: Option<&str>,
) -> Result<Answer, GateError> {
    let time = settlement.time;
    let (mut gathered, totals, complete) = match view.gathered {
        Ok(gathered) => (gathered, None, true),
        Err(GatherError::Index(error)) if error.is_damage() => return Err(error.into()),
        Err(error) => (unjudged(&view.commands, &error), error.totals(), false),
    };
    judge_logs(&view.log, &gate.signer.origin, &mut gathered)?;
    let mut unexplained = Vec::new();
    for update in &mut gathered.updates {
        check_tips(gate, &view.index, &settlement, update, &mut unexplained)?;
    }
    for why in problems.into_iter().take(Push::DENIED_UPDATES_MAX) {
        gathered.updates.push(stand_in(why)?);
    }
    let mut facts = Facts {
        commits: gathered.commits.iter().map(|(oid, found)| (*oid, found.evidence.facts.clone())).collect(),
        pusher: view.pusher,
        time,
        totals,
        updates: gathered.updates.clone(),
    };
    let mut tally = gate.tally(&view.log);
    let mut leaves = tally.due(locked.size(), time).map_err(AppendError::from)?;
    leaves.extend(settlement.leaves);
    let before = |leaves: Vec<Leaf>| {
        let mut draft = Draft::new(locked.size(), leaves);
        draft.flag_clock(Timestamp::now(), time);
        draft.observe(&unexplained, time);
        draft
    };
    let mut decision = decide(&view.policy, &facts);
    let mut draft = before(leaves.clone());
    let mut tolerated = !decision.accepted && complete && is_tolerable(&view.policy, &decision, &gathered);
    if decision.accepted || tolerated {
        draft.let_through(&facts, &decision, &gathered, view.certificate.as_deref(), view.policy_entry);
        if draft.is_too_long() {
            facts.updates.iter_mut().for_each(|update| update.problem = Some(TOO_LONG.to_owned()));
            decision = decide(&view.policy, &facts);
            tolerated = false;
            draft = before(leaves);
        }
    }
    let passes = decision.accepted || tolerated;
    let source = Source::of(decision.pusher.as_ref(), &facts.pusher);
    let is_counted = !passes && !tally.has_room(&source);
    if !passes && !is_counted {
        draft.deny(&view.policy, &facts, &decision, view.policy_entry);
    }
    if passes {
        if waiting.is_some_and(settle::is_gone) {
            return Err(GateError::Alone);
        }
        view.index.expect(locked.size() + draft.batch.leaves.len() as u64 - 1, waiting)?;
    }
    let checkpoint = locked.append(&draft.batch)?;
    let entry = (!is_counted).then(|| checkpoint.size() - 1);
    match (passes, is_counted) {
        (true, _) => {}
        (false, true) => tally.count(source, time),
        (false, false) => tally.record(source),
    }
    // What the ledger holds is decided, whether or not the next denial finds room.
    let _ = tally.save();
    if passes {
        view.index.sync(&gate.log()?)?;
    }
    Ok(Answer {
        accepted: passes,
        tolerated,
        decision: Some(decision),
        entry,
        checkpoint: Some(checkpoint),
        policy: Some(Box::new(view.policy)),
        note: is_counted.then(|| COUNTED.to_owned()),
    })
}

/// Whether a policy that only observes lets the push through: nothing stands against it but what the policy forbids,
/// and every commit can be recorded.
fn is_tolerable(policy: &Policy, decision: &Decision, gathered: &Gathered) -> bool {
    policy.mode() == Mode::Observe
        && decision.reasons.iter().all(|reason| reason.code.is_tolerable())
        && gathered.commits.values().all(|found| found.is_readable)
}

/// The updates of a push whose facts could not be gathered: denied and recorded as what they were. Where a limit ended
/// the gathering, that is what denies.
pub(super) fn unjudged(commands: &[Command], error: &GatherError) -> Gathered {
    let problem = Some(chain(error));
    let update = |command: &Command| facts::Update {
        entering: Vec::new(),
        extra: Vec::new(),
        action: gather::action(command),
        new: command.new,
        old: command.old,
        problem: problem.clone(),
        refname: command.refname.clone(),
        scopes: BTreeMap::new(),
        tag: None,
    };
    // Too many are counted, not listed: each would be looked up under the lock.
    let listed = if matches!(error, GatherError::Refs { .. }) { Push::DENIED_UPDATES_MAX } else { COMMANDS_MAX };
    Gathered { updates: commands.iter().take(listed).map(update).collect(), ..Gathered::default() }
}

/// An update that stands for something which cannot be one, so that its denial is decided and recorded like any other.
fn stand_in(why: String) -> Result<facts::Update, GateError> {
    let refname = RefName::parse("refs/unreadable").map_err(|error: NameError| GateError::Input(error.to_string()))?;
    Ok(facts::Update {
        entering: Vec::new(),
        extra: Vec::new(),
        action: facts::Move::Update,
        new: None,
        old: None,
        problem: Some(why),
        refname,
        scopes: BTreeMap::new(),
        tag: None,
    })
}

/// Holds each commit's `Mledger-Log` trailer against the ledger.
pub(super) fn judge_logs(log: &Log<'_>, origin: &Origin, gathered: &mut Gathered) -> Result<(), GateError> {
    let mut roots = Roots { log, known: BTreeMap::new() };
    for found in gathered.commits.values_mut() {
        if let Some(seen) = &found.evidence.log
            && seen.origin == *origin
        {
            let holds = roots.holds(seen)?;
            found.evidence.facts.log = if holds { LogTrailer::Holds } else { LogTrailer::Fork };
        }
    }
    Ok(())
}

/// Roots by the ledger's own tiles, each computed once, however many commits of a thief name its size.
struct Roots<'a> {
    log: &'a Log<'a>,
    known: BTreeMap<u64, Digest>,
}

impl Roots<'_> {
    fn holds(&mut self, seen: &LogHead) -> Result<bool, GateError> {
        if seen.size > self.log.size() {
            return Ok(false);
        }
        let root = match self.known.get(&seen.size) {
            Some(root) => *root,
            None => tree::root(self.log, seen.size)?,
        };
        self.known.insert(seen.size, root);
        Ok(root == seen.root)
    }
}

/// Whether the ref stands where the client believes and where the ledger put it.
fn check_tips(
    gate: &Gate,
    index: &Index,
    settlement: &Settlement,
    update: &mut facts::Update,
    unexplained: &mut Vec<Unexplained>,
) -> Result<(), GateError> {
    let name = &update.refname;
    if name.as_str().starts_with(crate::ledger::REFS) {
        // The ledger's own refs are not where a ledger puts refs, and no push is granted there.
        return Ok(());
    }
    // A ref that a settlement looked at is not looked at again: Git may be moving it this very moment.
    let stands = match settlement.stands.get(name) {
        Some(tip) => *tip,
        None => gate.main.tip(name)?,
    };
    let expected = match settlement.tips.get(name) {
        Some(tip) => *tip,
        None => index.tip(name)?,
    };
    let problem = if gate.main.is_symbolic(name)? {
        Some("it is a symbolic ref; push to the branch that it names".to_owned())
    } else if stands != expected {
        if !index.is_observed(name, stands.as_ref())? {
            unexplained.push(Unexplained { expected, refname: name.clone(), tip: stands });
        }
        let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
        Some(format!(
            "it stands at {}, but the ledger put it at {}: it was moved behind the gate; an administrator must put it back, or take it as it is with `mledger reconcile`",
            at(stands),
            at(expected)
        ))
    } else if stands != update.old {
        Some("it moved while you pushed; fetch, then push again".to_owned())
    } else {
        None
    };
    update.problem = update.problem.take().or(problem);
    Ok(())
}
