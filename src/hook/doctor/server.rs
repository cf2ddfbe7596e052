//! A bare repository: with a gate before it, or on the way to one.

mod beside;
mod gate_settings;
mod ledger_key;
mod refs;
mod room;

use super::{Check, Code, Finding, Group, Patient, file, followed, hooks, locks, policy};
use crate::hook::install::{self, SERVER};
use crate::hook::server_setup::{KEY_FILE, VKEY_FILE};
use crate::ledger::check::chain;
use crate::ledger::last::LAST_CHECKPOINT;
use crate::ledger::read::{Log, ReadError};
use crate::tlog::key::VerifierKey;

/// The ledger back from the clone that knows most of it.
const FETCH_BACK: &str = "git fetch --update-shallow CLONE/.git/mledger/log.git +refs/mledger/log:refs/mledger/log";

/// Looks at all of it.
pub(super) fn examine(patient: &Patient<'_>, tools: Check) -> Vec<Check> {
    let room = room::check(patient);
    let vkey = file::read_text(&patient.place.file(VKEY_FILE)).ok().flatten();
    let vkey = vkey.and_then(|text| VerifierKey::parse(text.trim()).ok());
    let log = match Log::open(patient.repository, vkey.as_ref()) {
        Ok(log) => log,
        Err(ReadError::NoLedger) => return [room, tools].into_iter().chain(without_ledger(patient)).collect(),
        Err(error) => {
            let mut ledger = Check::new(Group::Ledger);
            ledger.add(damaged(&chain(&error)));
            let key = ledger_key::check(patient);
            return vec![room, tools, hooks::check_server(patient), key, ledger, locks::check(patient)];
        }
    };
    vec![
        room,
        tools,
        hooks::check_server(patient),
        gate_settings::check(patient, &log),
        ledger_key::check(patient),
        ledger(patient, &log),
        policy::check(patient, &log),
        refs::check(patient, &log),
        locks::check(patient),
    ]
}

/// Why there is no ledger, and what is to be done about it.
fn without_ledger(patient: &Patient<'_>) -> Vec<Check> {
    let mut check = Check::new(Group::Ledger);
    if patient.place.file(LAST_CHECKPOINT).exists() {
        let message = "the ledger is gone, and it was here: its ref was removed";
        check.add(Finding::wrong(Code::LedgerGone, "refs/mledger/log", message).try_this(FETCH_BACK));
        return vec![hooks::check_server(patient), ledger_key::check(patient), check, locks::check(patient)];
    }
    let ours = |name: &str| {
        let hook = install::folder(patient.repository).map(|folder| install::slot(&folder, name));
        hook.is_ok_and(|hook| file::read(&hook).ok().flatten().is_some_and(|text| install::is_ours(&text)))
    };
    let begun = SERVER.into_iter().any(ours) || patient.place.file(KEY_FILE).exists();
    let (code, message) = if begun {
        (Code::Unfinished, "the set-up of the gate was interrupted, and until it is done every push is denied")
    } else {
        (Code::NotSetUp, "no gate stands here: whatever is pushed is accepted, and nothing is recorded")
    };
    check.add(Finding::wrong(code, "mledger", message).try_this("mledger init --policy FILE"));
    vec![check, locks::check(patient)]
}

fn damaged(why: &str) -> Finding {
    let message = format!("the ledger cannot be read, so every push is denied: {why}");
    Finding::wrong(Code::LedgerDamaged, "refs/mledger/log", message).try_this(FETCH_BACK)
}

fn ledger(patient: &Patient<'_>, log: &Log<'_>) -> Check {
    let mut check = Check::new(Group::Ledger);
    check.add_all(followed::hold(patient.repository, log.vkey(), None).err().map(|why| damaged(&why)));
    check.add_all(beside::last_checkpoints(patient, log));
    check.add_all(beside::caches(patient, log));
    check.add_all(followed::clock(patient, log));
    check.note(followed::size(log))
}
