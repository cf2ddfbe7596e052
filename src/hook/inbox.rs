//! Statements that arrive as a blob pushed to `refs/mledger/inbox/<sha256>`: checked, appended, and never kept as refs.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::gate::{Answer, Gate, GateError, policy_in_force};
use super::gather::{self, Gathered, Sources};
use super::pre_receive::COUNTED;
use super::settle::{self, Settlement};
use crate::clock::Timestamp;
use crate::consent::{self, Change, Known, Stated, Wish};
use crate::digest::{Digest, sha256};
use crate::entry::denials::Source;
use crate::entry::field::Field;
use crate::entry::leaf::{Import, ImportKind, Leaf, PolicyChange, PolicyKind, Push, VERSION};
use crate::entry::statement::{ENVELOPE_BYTES_MAX, ReconcileStatement};
use crate::git::{Kind, Repository};
use crate::index::Index;
use crate::ledger::append::{AppendError, Batch};
use crate::ledger::check::chain;
use crate::ledger::read::{Log, ReadError};
use crate::name::{Oid, RefName};
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
pub const STATEMENTS_PER_HOUR_MAX: u64 = 20;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Takes a statement, or says why not.
pub fn receive(gate: &Gate, pushed: &Repository, commands: &[Command], now: Timestamp) -> Result<Answer, GateError> {
    let bytes = read_one(pushed, commands);
    // Anybody may send anything: what a stranger sends is read and verified before others have to wait for it.
    let seen = gate.log()?;
    let early = early_refusal(gate, &seen, bytes.as_deref(), now)?;
    let mut locked = gate.lock(&seen)?;
    let log = locked.log()?;
    let index = gate.index(&log)?;
    let (policy, entry) = policy_in_force(&log, &index)?;
    if let Ok(bytes) = &bytes
        && let Some(answer) = taken_before(&log, &index, bytes)?
    {
        return Ok(Answer { policy: Some(Box::new(policy)), ..answer });
    }
    let mut settlement = settle::settle(gate.repository(), &index, locked.time(now), now, None)?;
    let mut tally = gate.tally(&log);
    let due = tally.due(locked.size(), settlement.time).map_err(AppendError::from)?;
    settlement.leaves.splice(0..0, due);
    let source = Source::of(None, &Pusher::Unknown);
    let is_counted = !tally.has_room(&source);
    let bytes = match early.filter(|_| seen.head().commit == log.head().commit) {
        Some(why) => Err(why),
        None => bytes,
    };
    let desk = Desk { gate, log: &log, index: &index, policy: &policy, settlement: &settlement };
    let taken = match bytes {
        Ok(bytes) => desk.take(locked.size(), &bytes)?,
        Err(why) => Err(why),
    };
    let (batch, note, accepted) = match taken {
        Ok((batch, note)) => (batch, note, true),
        Err(why) if is_counted => {
            tally.count(source, settlement.time);
            let leaves = settlement.leaves.clone();
            (Batch { leaves, ..Batch::default() }, format!("{why}\n{COUNTED}"), false)
        }
        Err(why) => {
            tally.record(source);
            (desk.deny(entry, locked.size(), commands, &why), why, false)
        }
    };
    let checkpoint = locked.append(&batch)?;
    // What the ledger holds is decided, whether or not the next denial finds room.
    let _ = tally.save();
    Ok(Answer {
        accepted,
        tolerated: false,
        decision: None,
        entry: (accepted || !is_counted).then(|| checkpoint.size() - 1),
        checkpoint: Some(checkpoint),
        policy: Some(Box::new(policy)),
        note: Some(note),
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
    Ok(check(gate, seen, &policy, &Owners::default(), now, bytes)?.err())
}

/// The answer to an envelope that led to an entry already: sending it once more, by whomever, does nothing.
fn taken_before(log: &Log<'_>, index: &Index, bytes: &[u8]) -> Result<Option<Answer>, GateError> {
    let Some(entry) = index.envelope_entry(&sha256(bytes))? else { return Ok(None) };
    let in_force = index.policy_entry()? == entry;
    let note = match log.leaf(entry)? {
        // A policy that another one followed is not put in force again by its old statement.
        Leaf::Policy(_) if !in_force => return Ok(None),
        Leaf::Policy(_) => "this policy is in force already; nothing to do".to_owned(),
        _ => format!("this statement is entry {entry} already; nothing to do"),
    };
    Ok(Some(Answer {
        accepted: true,
        tolerated: false,
        decision: None,
        entry: None,
        checkpoint: None,
        policy: None,
        note: Some(note),
    }))
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

/// What a statement is held against, under the lock.
struct Desk<'a> {
    gate: &'a Gate,
    log: &'a Log<'a>,
    index: &'a Index,
    policy: &'a Policy,
    settlement: &'a Settlement,
}

impl Desk<'_> {
    /// The entries that the statement leads to, with a sentence about them; or why it does not count.
    fn take(&self, size: u64, bytes: &[u8]) -> Result<Result<(Batch, String), String>, GateError> {
        // Anybody may send anything, and the past grows: it is read only for what an admin has signed.
        if let Err(why) = self.check(bytes, &Owners::default())? {
            return Ok(Err(why));
        }
        let stated = match self.check(bytes, &owners_so_far(self.log, self.index)?)? {
            Ok(stated) if self.index.statement_used(&stated.digest)? => {
                return Ok(Err(consent::ConsentError::Used.to_string()));
            }
            Ok(stated) => stated,
            Err(why) => return Ok(Err(why)),
        };
        let time = self.settlement.time;
        let actor = stated.wish.actor();
        if self.index.statements_since(actor, time.millis().saturating_sub(HOUR_MS))? >= STATEMENTS_PER_HOUR_MAX {
            let max = STATEMENTS_PER_HOUR_MAX;
            return Ok(Err(format!("{actor} has made {max} statements within an hour; wait a while")));
        }
        let mut draft = Draft::new(size, self.settlement.leaves.clone());
        let text = String::from_utf8_lossy(bytes);
        let note = match stated.wish {
            Wish::Policy(change) => {
                add_policy(&mut draft.batch, &text, *change, time);
                "the new policy is in force".to_owned()
            }
            Wish::Import(stated, commits) => {
                let statement = Field::text(&text, &mut draft.batch.blobs);
                let (actor, count) = (stated.actor, commits.len() as u64);
                let leaf = Import { actor, count, kind: ImportKind::Is, mledger: VERSION, statement, time };
                draft.batch.leaves.push(Leaf::Import(leaf));
                match commits.len() {
                    1 => "1 commit is vouched for; push the branch that holds it".to_owned(),
                    count => format!("{count} commits are vouched for; push the branch that holds them"),
                }
            }
            Wish::Reconcile(statement) => match self.explain(&statement)? {
                Ok(gathered) => {
                    draft.reconcile(&gathered, &statement.actor, &text, time);
                    let names: Vec<&str> = statement.refs.iter().map(|found| found.refname.short()).collect();
                    format!("the ledger takes {} as it stands", names.join(", "))
                }
                Err(why) => return Ok(Err(why)),
            },
        };
        Ok(Ok((draft.batch, note)))
    }

    fn check(&self, bytes: &[u8], owners: &Owners) -> Result<Result<Stated, String>, GateError> {
        check(self.gate, self.log, self.policy, owners, self.settlement.time, bytes)
    }

    /// What must be recorded before the refs may stay where the statement says that they stand; or why they may not.
    fn explain(&self, statement: &ReconcileStatement) -> Result<Result<Gathered, String>, GateError> {
        let repository = self.gate.repository();
        let mut tips = Vec::new();
        for found in &statement.refs {
            let name = &found.refname;
            let put = match self.settlement.tips.get(name) {
                Some(tip) => *tip,
                None => self.index.tip(name)?,
            };
            let stands = repository.tip(name)?;
            if name.as_str().starts_with(crate::ledger::REFS) || repository.is_symbolic(name)? {
                return Ok(Err(format!("`{name}` is no ref that the ledger keeps; remove it")));
            }
            if self.settlement.waiting.contains(name) {
                return Ok(Err(format!("a push to `{name}` is under way; wait for it, then try again")));
            }
            if (put, stands) != (found.expected, found.tip) {
                return Ok(Err(format!("`{name}` has moved since; look again with `mledger reconcile`")));
            }
            if put == stands {
                return Ok(Err(format!("`{name}` stands where the ledger put it; there is nothing to reconcile")));
            }
            match self.commit_at(name, stands)? {
                Ok(commit) => tips.extend(commit),
                Err(why) => return Ok(Err(why)),
            }
        }
        let settled = &self.settlement.tips;
        let Self { log, index, policy, .. } = self;
        let sources = Sources { pushed: repository, log, index, policy, settled };
        let gathered = match gather::explain(&sources, tips) {
            Ok(gathered) => gathered,
            Err(error) => return Ok(Err(chain(&error))),
        };
        let unreadable = gathered.commits.iter().find(|(_, found)| !found.is_readable);
        Ok(match unreadable {
            Some((oid, _)) => {
                Err(format!("commit {oid} is of a form that no entry can hold; put the ref back instead"))
            }
            None => Ok(gathered),
        })
    }

    /// The commit at which a ref stands: none where it is gone, or an old annotated tag.
    fn commit_at(&self, name: &RefName, tip: Option<Oid>) -> Result<Result<Option<Oid>, String>, GateError> {
        let Some(tip) = tip else { return Ok(Ok(None)) };
        Ok(match self.gate.repository().header(&tip)?.0 {
            Kind::Commit => Ok(Some(tip)),
            Kind::Tag if name.as_str().starts_with("refs/tags/") => Ok(None),
            kind => Err(format!("`{name}` stands at a {}; put it back instead", kind.word())),
        })
    }

    fn deny(&self, policy_entry: u64, size: u64, commands: &[Command], why: &str) -> Batch {
        let update = |command: &Command| {
            let bare = Update::bare(command.refname.clone(), Move::Create, command.old, command.new);
            Update { problem: Some(why.to_owned()), ..bare }
        };
        let updates: Vec<Update> = commands.iter().take(Push::DENIED_UPDATES_MAX).map(update).collect();
        let (pusher, time) = (Pusher::Unknown, self.settlement.time);
        let facts = Facts { commits: BTreeMap::new(), pusher, time, totals: None, updates };
        // Nobody asked who pushes, or whether the ref is granted: what is wrong with the statement is the reason.
        let mut decision = decide(self.policy, &facts);
        decision.reasons.retain(|reason| reason.code == Code::UpdateProblem);
        let mut draft = Draft::new(size, self.settlement.leaves.clone());
        draft.deny(self.policy, &facts, &decision, policy_entry);
        draft.batch
    }
}

/// Removes every ref in the inbox: what was pushed there is in the ledger, or denied. A crash may leave one behind.
pub fn sweep(repository: &Repository) -> Result<(), GateError> {
    for name in repository.ref_names_under(INBOX.trim_end_matches('/'))? {
        repository.delete_ref(&name)?;
    }
    Ok(())
}

fn check(
    gate: &Gate,
    log: &Log<'_>,
    policy: &Policy,
    owners: &Owners,
    time: Timestamp,
    bytes: &[u8],
) -> Result<Result<Stated, String>, GateError> {
    let digest = sha256(log.policy_view()?.as_bytes());
    let origin = &gate.signer().origin;
    let known = Known { policy, digest, origin, owners, time, used: &BTreeSet::new() };
    Ok(consent::check(&known, bytes).map_err(|error| chain(&error)))
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

fn add_policy(batch: &mut Batch, envelope: &str, change: Change, time: Timestamp) {
    let leaf = PolicyChange {
        digest: change.statement.new,
        kind: PolicyKind::Is,
        mledger: VERSION,
        policy: Field::text(&change.text, &mut batch.blobs),
        statements: vec![Field::text(envelope, &mut batch.blobs)],
        time,
    };
    batch.leaves.push(Leaf::Policy(Box::new(leaf)));
    batch.policy = Some(change.text);
}
