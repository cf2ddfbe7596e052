//! The gate: reads, decides, appends, answers. No ref moves before the decision is durably in the ledger.
//!
//! 1. Without the lock: updates, objects, certificate, signatures, facts.
//! 2. Under it: is what was read still so? settle what is open, decide, append.
//! 3. Without it: answer. A client that stops reading must not hold up others.
//!
//! Every error on the way denies.

mod checks;
mod view;

use self::checks::check_tips;
pub(super) use self::checks::judge_logs;
use self::view::View;
use super::draft::Draft;
use super::gate::{Answer, Gate, GateError, policy_in_force};
use super::gather::{self, GatherError, Gathered};
use super::inbox;
use super::pusher::Environment;
use super::settle::{self, Settlement};
use crate::clock::Timestamp;
use crate::entry::denials::Source;
use crate::entry::leaf::{Leaf, Push};
use crate::git::Repository;
use crate::ledger::append::{AppendError, Locked};
use crate::ledger::check::chain;
use crate::name::{NameError, Oid, RefName};
use crate::object::certificate::Command;
use crate::object::message::LogHead;
use crate::policy::Policy;
use crate::policy::decide::decide;
use crate::policy::document::Mode;
use crate::policy::facts::{self, Facts};
use crate::policy::reason::Decision;

/// The most refs that one push may name, whatever the policy says: they are read before the policy is.
pub const COMMANDS_MAX: usize = 100_000;

/// Why a push that is granted everything is denied all the same.
const TOO_LONG: &str = "the entry of this push would be too long; push fewer refs at a time";

/// What a pusher is told whose denial has no entry.
pub(super) const COUNTED: &str =
    "counted with others: the ledger holds the first refusals of this minute, and will hold the number of the rest";

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

/// Decides a push to `main`, just opened by path. `input` is what Git gives to pre-receive on standard input.
pub fn pre_receive(main: Repository, input: &[u8], environment: &Environment) -> Result<Answer, GateError> {
    let gate = Gate::open(main)?;
    let answer = judge(&gate, input, environment);
    if answer.as_ref().is_err_and(GateError::is_damaged_index) {
        // It is made anew from the ledger: this push is denied, the next one is not.
        gate.forget_index();
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
    let mut locked = gate.lock(&view.log)?;
    let moved = locked.head().map(|head| head.commit) != Some(view.log.head().commit);
    if moved {
        view.catch_up(locked.log()?)?;
    } else {
        view.index.sync(&view.log)?;
    }
    let now = Timestamp::now();
    let settlement = settle::settle(gate.repository(), &view.index, locked.time(now), now, None)?;
    if view.is_stale(moved, &settlement)? {
        view.gather_again(&pushed, &settlement);
    }
    conclude(gate, &mut locked, view, settlement, problems, waiting.as_deref())
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
    // The cache of hashes answers at once; what it denies the ledger itself is asked for.
    let is_cached = |seen: &LogHead| Ok(locked.is_prefix(seen.size, &seen.root)?);
    judge_logs(&view.log, &gate.signer().origin, &mut gathered, is_cached)?;
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
        view.index.sync(&locked.log()?)?;
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
pub(super) fn is_tolerable(policy: &Policy, decision: &Decision, gathered: &Gathered) -> bool {
    policy.mode() == Mode::Observe
        && decision.reasons.iter().all(|reason| reason.code.is_tolerable())
        && gathered.commits.values().all(|found| found.is_readable)
}

/// The updates of a push whose facts could not be gathered: denied and recorded as what they were. Where a limit ended
/// the gathering, that is what denies.
pub(super) fn unjudged(commands: &[Command], error: &GatherError) -> Gathered {
    let problem = Some(chain(error));
    let update = |command: &Command| {
        let bare = facts::Update::bare(command.refname.clone(), gather::action(command), command.old, command.new);
        facts::Update { problem: problem.clone(), ..bare }
    };
    // Too many are counted, not listed: each would be looked up under the lock.
    let listed = if matches!(error, GatherError::Refs { .. }) { Push::DENIED_UPDATES_MAX } else { COMMANDS_MAX };
    Gathered { updates: commands.iter().take(listed).map(update).collect(), ..Gathered::default() }
}

/// An update that stands for something which cannot be one, so that its denial is decided and recorded like any other.
fn stand_in(why: String) -> Result<facts::Update, GateError> {
    let refname = RefName::parse("refs/unreadable").map_err(|error: NameError| GateError::Input(error.to_string()))?;
    Ok(facts::Update { problem: Some(why), ..facts::Update::bare(refname, facts::Move::Update, None, None) })
}
