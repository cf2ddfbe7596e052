//! The ledger that a clone follows: what was pinned and remembered, what was fetched, and what the remote shows now.

use super::{CLOCK_SLACK_MS, Check, Code, Finding, Fix, Group, Patient, base, counted, file, probe, quoted_text};
use crate::git::{Repository, command};
use crate::hook::{clone_setup, forecast};
use crate::index::Index;
use crate::ledger::check::chain;
use crate::ledger::follow::{self, CHECKPOINT, FollowError, LOG_DIR, VKEY};
use crate::ledger::read::{Log, ReadError};
use crate::ledger::{LOG_REF, append};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::key::VerifierKey;
use crate::tlog::tree;

/// Follows it anew; whose ledger it is, the administrator knows.
const FOLLOW_ANEW: &str = "mledger init --undo && mledger init --vkey VKEY";

/// Looks at all of it.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Ledger);
    let path = patient.place.file(VKEY);
    let vkey = match file::read_text(&path) {
        Ok(None) => return unfollowed(patient, check),
        Ok(Some(text)) => VerifierKey::parse(text.trim_end_matches('\n')).map_err(|error| chain(&error)),
        Err(error) => Err(chain(&error)),
    };
    match vkey {
        Ok(vkey) => followed(patient, check, &vkey),
        Err(why) => {
            let message = format!("the ledger's key, which this clone trusts, cannot be read: {why}");
            check.add(Finding::wrong(Code::VkeyDamaged, path.display().to_string(), message).try_this(FOLLOW_ANEW));
            check
        }
    }
}

/// No ledger was ever seen here: perhaps there is one by now.
fn unfollowed(patient: &Patient<'_>, mut check: Check) -> Check {
    let remote = match clone_setup::remote(patient.repository) {
        Ok(Some(remote)) => remote,
        Ok(None) => {
            let message = "this clone has no remote, so there is no ledger to follow";
            let command = "git remote add origin URL && mledger init";
            check.add(Finding::look(Code::NoRemote, "remote", message).try_this(command));
            return check;
        }
        Err(error) => {
            check.add(Finding::unknown("remote", &error));
            return check;
        }
    };
    if patient.options.offline {
        return check.note("none is followed");
    }
    let mut ask = command::git(base(patient.repository));
    ask.env("GIT_TERMINAL_PROMPT", "0").args(["ls-remote", "--", &remote, LOG_REF]);
    let finding = match probe::output(&mut ask) {
        Err(error) => unreachable(&remote, &error.to_string()),
        Ok(listed) if listed.is_empty() => {
            let message = format!("`{remote}` has no ledger yet, so nothing is recorded there");
            let command = "mledger init --policy FILE     (on the server)";
            Finding::look(Code::NoLedger, remote.as_str(), message).try_this(command)
        }
        Ok(_) => {
            let message = format!("`{remote}` has a ledger, and this clone does not follow it");
            Finding::wrong(Code::NotFollowed, remote.as_str(), message).try_this("mledger init")
        }
    };
    check.add(finding);
    check
}

fn unreachable(remote: &str, why: &str) -> Finding {
    let message = format!("`{remote}` does not answer: {why}");
    Finding::look(Code::RemoteUnreachable, remote, message).try_this(format!("git ls-remote {}", quoted_text(remote)))
}

fn followed(patient: &Patient<'_>, mut check: Check, vkey: &VerifierKey) -> Check {
    let remembered = remembered(patient, vkey);
    let seen = remembered.as_ref().ok().cloned().flatten();
    let damaged = damage(patient, vkey, seen.as_ref());
    match (&remembered, &damaged) {
        (Ok(Some(_)), None) => {}
        (Ok(Some(_)), Some(why)) => check.add(refetch(patient, why)),
        (unknown, whole) => {
            let why = unknown.as_ref().err().map_or("it is not there", String::as_str);
            check.add(forgotten(patient, why, whole.is_none()));
        }
    }
    check.add_all(damaged_index(patient));
    if check.findings.is_empty() && !patient.options.offline {
        check.add_all(remote(patient));
    }
    let log = follow::repository(patient.repository.git_dir()).ok().flatten();
    let log = log.as_ref().and_then(|repository| Log::open(repository, Some(vkey)).ok());
    check.add_all(log.as_ref().and_then(|log| clock(patient, log)));
    check.note(log.as_ref().map(size).unwrap_or_default())
}

/// A ledger's name, and how many entries it has.
pub(super) fn size(log: &Log<'_>) -> String {
    format!("{} of {}", log.head().checkpoint.origin(), counted(log.size(), "entry", "entries"))
}

fn remembered(patient: &Patient<'_>, vkey: &VerifierKey) -> Result<Option<Checkpoint>, String> {
    let text = file::read_text(&patient.place.file(CHECKPOINT)).map_err(|error| chain(&error))?;
    text.map(|note| Checkpoint::open(&note, vkey).map_err(|error| chain(&error))).transpose()
}

/// What is wrong with the fetched copy, if anything.
fn damage(patient: &Patient<'_>, vkey: &VerifierKey, seen: Option<&Checkpoint>) -> Option<String> {
    let path = patient.place.file(LOG_DIR);
    if !path.exists() {
        return Some("it is not there".to_owned());
    }
    let repository = match Repository::open(&path) {
        Ok(repository) => repository,
        Err(error) => return Some(chain(&error)),
    };
    // Where Git finds no repository it looks further up, and would fetch into the clone itself.
    match probe::output(command::git(&path).args(["rev-parse", "--git-dir"])) {
        Ok(said) if said.trim_ascii() == b"." => {}
        Ok(_) => return Some("Git does not take it for a repository".to_owned()),
        Err(error) => return Some(chain(&error)),
    }
    hold(&repository, vkey, seen).err()
}

/// Whether a ledger's head holds, and extends what was seen.
pub(super) fn hold(repository: &Repository, vkey: &VerifierKey, seen: Option<&Checkpoint>) -> Result<(), String> {
    let said = |error: ReadError| chain(&error);
    let log = Log::open(repository, Some(vkey)).map_err(said)?;
    let head = &log.head().checkpoint;
    let root = tree::root(&log, head.size()).map_err(|error| chain(&error))?;
    if root != head.root() {
        return Err(format!("its entries hash to {root}, and its checkpoint says {}", head.root()));
    }
    let Some(seen) = seen else { return Ok(()) };
    if seen.size() > head.size() {
        return Err(append::AppendError::SetBack { found: head.size(), signed: seen.size() }.to_string());
    }
    let extends = log.was(seen.size(), &seen.root()).map_err(said)?;
    if extends { Ok(()) } else { Err(append::AppendError::Forked { signed: seen.size() }.to_string()) }
}

fn refetch(patient: &Patient<'_>, why: &str) -> Finding {
    let path = patient.place.file(LOG_DIR).display().to_string();
    let message = format!("the copy of the ledger that was fetched cannot be used: {why}");
    Finding::wrong(Code::FollowedDamaged, path, message).try_this("mledger doctor --fix").fix(Fix::FetchAnew)
}

/// Without its memory a clone would take a ledger that was set back.
fn forgotten(patient: &Patient<'_>, why: &str, whole: bool) -> Finding {
    let path = patient.place.file(CHECKPOINT).display().to_string();
    let message = format!("the newest checkpoint that was seen cannot be read: {why}");
    let finding = Finding::wrong(Code::CheckpointDamaged, path, message);
    if whole { finding.try_this("mledger doctor --fix").fix(Fix::Remember) } else { finding.try_this(FOLLOW_ANEW) }
}

fn damaged_index(patient: &Patient<'_>) -> Option<Finding> {
    let path = patient.place.file(LOG_DIR).join(forecast::INDEX_FILE);
    let error = Index::examine(&path).err()?;
    let message = format!("the index of the ledger is damaged, and is made anew: {}", chain(&error));
    let finding = Finding::look(Code::IndexDamaged, path.display().to_string(), message);
    Some(finding.try_this("mledger doctor --fix").fix(Fix::Index(path)))
}

/// Fetches what came since, as any command does.
fn remote(patient: &Patient<'_>) -> Option<Finding> {
    let repository = patient.repository;
    let name = match clone_setup::remote(repository) {
        Ok(Some(name)) => name,
        Ok(None) => {
            let message = "the remote whose ledger is followed is not there any more";
            let finding = Finding::look(Code::NoRemote, "remote", message);
            return Some(finding.try_this("git remote add origin URL && mledger init"));
        }
        Err(error) => return Some(Finding::unknown("remote", &error)),
    };
    let url = match follow::remote_url(repository, &name) {
        Ok(url) => url,
        Err(error) => return Some(Finding::unknown(name, &error)),
    };
    match follow::fetch(repository.git_dir(), &url, None) {
        Ok(_) => None,
        Err(error) if error.is_contradiction() => {
            let message = format!("{}: do not build on it, and show your administrator", chain(&error));
            Some(Finding::wrong(Code::LedgerContradicts, name, message).try_this("mledger verify"))
        }
        Err(FollowError::Unreachable { message }) => Some(unreachable(&name, &message)),
        Err(error) => Some(Finding::unknown(name, &error)),
    }
}

/// The ledger's time never goes back; the clock may.
pub(super) fn clock(patient: &Patient<'_>, log: &Log<'_>) -> Option<Finding> {
    let newest = log.size().checked_sub(1).and_then(|index| log.leaf(index).ok())?.time();
    let now = patient.options.now;
    let behind = newest.millis().saturating_sub(now.millis());
    if behind <= CLOCK_SLACK_MS {
        return None;
    }
    let message = format!("the newest entry is of {newest}, and this machine's clock says {now}");
    Some(Finding::look(Code::ClockBehind, "clock", message).try_this("timedatectl set-ntp true"))
}
