//! Statements that arrive as a blob pushed to `refs/mledger/inbox/<sha256>`: checked, appended, and never kept as refs.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::pre_receive::{Answer, COUNTED, Gate, GateError, policy_in_force};
use crate::clock::Timestamp;
use crate::consent::{self, Change, Known};
use crate::digest::{Digest, sha256};
use crate::entry::denials::Source;
use crate::entry::field::Field;
use crate::entry::leaf::{Leaf, PolicyChange, PolicyKind, Push, VERSION};
use crate::entry::statement::{ENVELOPE_BYTES_MAX, Envelope};
use crate::git::{Kind, Repository};
use crate::index::Index;
use crate::ledger::append::{AppendError, Batch};
use crate::ledger::read::{Log, ReadError};
use crate::name::{ActorId, RefName};
use crate::object::certificate::Command;
use crate::policy::Policy;
use crate::policy::change::Owners;
use crate::policy::decide::decide;
use crate::policy::facts::{Facts, Move, Pusher, Update};
use crate::policy::reason::Code;

pub use crate::ledger::INBOX;

/// Whether a ref is in the inbox.
pub fn is_inbox(name: &RefName) -> bool {
    name.as_str().starts_with(INBOX)
}

/// Whether a push is for the inbox, in whole or in part: statements never come together with other refs.
pub fn is_for(commands: &[Command]) -> bool {
    commands.iter().any(|command| is_inbox(&command.refname))
}

/// The most statements of one actor that take effect within an hour of ledger time: somebody who enrols a team by a
/// script needs a few, and each may cost the ledger a megabyte.
pub const STATEMENTS_PER_HOUR_MAX: usize = 20;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Takes a statement, or says why not.
pub fn receive(gate: &Gate, pushed: &Repository, commands: &[Command], now: Timestamp) -> Result<Answer, GateError> {
    let bytes = read_one(pushed, commands);
    // Anybody may send anything: what a stranger sends is read and verified before others have to wait for it.
    let seen = gate.log()?;
    let early = early_refusal(gate, &seen, bytes.as_deref(), now)?;
    let mut locked = gate.lock()?;
    let log = gate.log()?;
    let index = gate.index(&log)?;
    let (policy, entry) = policy_in_force(&log, &index)?;
    let time = locked.time(now);
    if let Ok(bytes) = &bytes
        && took_effect(&log, entry, bytes)?
    {
        return Ok(already(policy));
    }
    let refusal = early.filter(|_| seen.head().commit == log.head().commit);
    let taken = match (bytes, refusal) {
        (Err(why), _) | (Ok(_), Some(why)) => Err(why),
        (Ok(bytes), None) => judge(gate, &log, &index, &policy, time, bytes)?,
    };
    let mut tally = gate.tally(&log);
    let due = tally.due(locked.size(), time).map_err(AppendError::from)?;
    let source = Source::of(None, &Pusher::Unknown);
    let is_counted = taken.is_err() && !tally.has_room(&source);
    let (batch, note) = match taken {
        Ok((bytes, change)) => (policy_batch(due, &bytes, change, time), None),
        Err(why) if is_counted => {
            tally.count(source, time);
            (Batch { leaves: due, ..Batch::default() }, Some(format!("{why}\n{COUNTED}")))
        }
        Err(why) => {
            tally.record(source);
            (denial_batch(due, &policy, entry, locked.size(), commands, &why, time), Some(why))
        }
    };
    let checkpoint = locked.append(&batch)?;
    // What the ledger holds is decided, whether or not the next denial finds room.
    let _ = tally.save();
    Ok(Answer {
        accepted: note.is_none(),
        decision: None,
        entry: (!is_counted).then(|| checkpoint.size() - 1),
        checkpoint: Some(checkpoint),
        policy: Some(Box::new(policy)),
        note: note.or_else(|| Some("the new policy is in force".to_owned())),
    })
}

/// Why a statement is refused by the ledger as it was `seen` without the lock: if it has not moved since, that holds.
fn early_refusal(
    gate: &Gate,
    seen: &Log<'_>,
    bytes: Result<&[u8], &String>,
    now: Timestamp,
) -> Result<Option<String>, GateError> {
    let Ok(bytes) = bytes else { return Ok(None) };
    let index = gate.index(seen)?;
    let (policy, _) = policy_in_force(seen, &index)?;
    Ok(consider(gate, seen, &policy, now, bytes, &Past::default())?.err())
}

/// Judges a statement under the lock. The past grows: it is read only for what an admin has signed.
fn judge(
    gate: &Gate,
    log: &Log<'_>,
    index: &Index,
    policy: &Policy,
    time: Timestamp,
    bytes: Vec<u8>,
) -> Result<Result<(Vec<u8>, Change), String>, GateError> {
    if let Err(why) = consider(gate, log, policy, time, &bytes, &Past::default())? {
        return Ok(Err(why));
    }
    let change = match consider(gate, log, policy, time, &bytes, &Past::read(log, index)?)? {
        Ok(change) => change,
        Err(why) => return Ok(Err(why)),
    };
    let actor = &change.statement.actor;
    if stated_within_the_hour(log, index, actor, time)? >= STATEMENTS_PER_HOUR_MAX {
        let why =
            format!("{actor} has changed the policy {STATEMENTS_PER_HOUR_MAX} times within an hour; wait a while");
        return Ok(Err(why));
    }
    Ok(Ok((bytes, change)))
}

fn consider(
    gate: &Gate,
    log: &Log<'_>,
    policy: &Policy,
    time: Timestamp,
    bytes: &[u8],
    Past { owners, used }: &Past,
) -> Result<Result<Change, String>, GateError> {
    let digest = sha256(log.policy_view()?.as_bytes());
    let origin = &gate.signer().origin;
    let known = Known { policy, digest, origin, owners, time, used };
    Ok(consent::check(&known, bytes).map_err(|error| error.to_string()))
}

/// How many statements of the actor took effect in the hour before `time`.
fn stated_within_the_hour(log: &Log<'_>, index: &Index, actor: &ActorId, time: Timestamp) -> Result<usize, GateError> {
    let mut count = 0;
    for entry in index.policy_entries()?.into_iter().rev() {
        let Leaf::Policy(change) = log.leaf(entry)? else { break };
        if change.time.millis().saturating_add(HOUR_MS) <= time.millis() || count >= STATEMENTS_PER_HOUR_MAX {
            break;
        }
        for envelope in &change.statements {
            let bytes = log.field_text(envelope)?;
            let (_, statement) = Envelope::parse(bytes.as_bytes()).map_err(|_| GateError::Policy)?;
            count += usize::from(statement.actor == *actor);
        }
    }
    Ok(count)
}

/// Whether this very envelope put the policy in force, which `entry` holds.
fn took_effect(log: &Log<'_>, entry: u64, bytes: &[u8]) -> Result<bool, GateError> {
    let Leaf::Policy(change) = log.leaf(entry)? else { return Ok(false) };
    for envelope in &change.statements {
        if log.field_text(envelope)?.as_bytes() == bytes {
            return Ok(true);
        }
    }
    Ok(false)
}

fn already(policy: Policy) -> Answer {
    Answer {
        accepted: true,
        decision: None,
        entry: None,
        checkpoint: None,
        policy: Some(Box::new(policy)),
        note: Some("this policy is in force already; nothing to do".to_owned()),
    }
}

/// The one blob of an inbox push.
fn read_one(pushed: &Repository, commands: &[Command]) -> Result<Vec<u8>, String> {
    let [Command { old: None, new: Some(blob), refname }] = commands else {
        return Err("a statement is pushed alone, to a new ref in the inbox".to_owned());
    };
    let bytes = pushed
        .read_limited(blob, Kind::Blob, ENVELOPE_BYTES_MAX as u64)
        .map_err(|error| format!("the statement cannot be read: {error}"))?;
    let named = refname.as_str().strip_prefix(INBOX).and_then(|hex| Digest::parse_hex(hex).ok());
    if named == Some(sha256(&bytes)) {
        Ok(bytes)
    } else {
        Err(format!("`{refname}` is not named by the SHA-256 of its contents"))
    }
}

/// Removes every ref in the inbox: what was pushed there is in the ledger, or denied. A crash may leave one behind.
pub fn sweep(repository: &Repository) -> Result<(), GateError> {
    for name in repository.ref_names_under(INBOX.trim_end_matches('/'))? {
        repository.delete_ref(&name)?;
    }
    Ok(())
}

/// What the policies so far leave behind.
#[derive(Default)]
struct Past {
    owners: Owners,
    used: BTreeSet<Digest>,
}

impl Past {
    fn read(log: &Log<'_>, index: &Index) -> Result<Self, GateError> {
        Ok(Self { owners: owners_so_far(log, index)?, used: statements_so_far(log, index)? })
    }
}

/// Who ever held which key and login, by every policy so far.
fn owners_so_far(log: &Log<'_>, index: &Index) -> Result<Owners, GateError> {
    let mut owners = Owners::default();
    for entry in index.policy_entries()? {
        let field = match log.leaf(entry)? {
            Leaf::Genesis(genesis) => genesis.policy,
            Leaf::Policy(policy) => policy.policy,
            _ => continue,
        };
        let text = field.read_text(|name| log.blob(name)).map_err(|error: ReadError| error)?;
        let policy = Policy::parse(&text).map_err(|_| GateError::Policy)?;
        owners.merge(&policy).map_err(|_| GateError::Policy)?;
    }
    Ok(owners)
}

/// SHA-256 of every statement that took effect.
fn statements_so_far(log: &Log<'_>, index: &Index) -> Result<BTreeSet<Digest>, GateError> {
    let mut used = BTreeSet::new();
    for entry in index.policy_entries()? {
        let Leaf::Policy(change) = log.leaf(entry)? else { continue };
        for envelope in &change.statements {
            let bytes = envelope.read_text(|name| log.blob(name)).map_err(|error: ReadError| error)?;
            let (envelope, _) = Envelope::parse(bytes.as_bytes()).map_err(|_| GateError::Policy)?;
            used.insert(sha256(envelope.statement.as_bytes()));
        }
    }
    Ok(used)
}

fn policy_batch(due: Vec<Leaf>, envelope: &[u8], change: Change, time: Timestamp) -> Batch {
    let mut batch = Batch { leaves: due, ..Batch::default() };
    let leaf = PolicyChange {
        digest: change.statement.new,
        kind: PolicyKind::Is,
        mledger: VERSION,
        policy: Field::text(&change.text, &mut batch.blobs),
        statements: vec![Field::text(&String::from_utf8_lossy(envelope), &mut batch.blobs)],
        time,
    };
    batch.leaves.push(Leaf::Policy(Box::new(leaf)));
    batch.policy = Some(change.text);
    batch
}

fn denial_batch(
    due: Vec<Leaf>,
    policy: &Policy,
    entry: u64,
    size: u64,
    commands: &[Command],
    why: &str,
    time: Timestamp,
) -> Batch {
    let update = |command: &Command| Update {
        entering: Vec::new(),
        extra: Vec::new(),
        action: Move::Create,
        new: command.new,
        old: command.old,
        problem: Some(why.to_owned()),
        refname: command.refname.clone(),
        scopes: std::collections::BTreeMap::new(),
    };
    let updates: Vec<Update> = commands.iter().take(Push::DENIED_UPDATES_MAX).map(update).collect();
    let facts =
        Facts { commits: std::collections::BTreeMap::new(), pusher: Pusher::Unknown, time, totals: None, updates };
    // Nobody asked who pushes, or whether the ref is granted: what is wrong with the statement is the reason.
    let mut decision = decide(policy, &facts);
    decision.reasons.retain(|reason| reason.code == Code::UpdateProblem);
    let mut draft = Draft::new(size, due);
    draft.deny(policy, &facts, &decision, entry);
    draft.batch
}
