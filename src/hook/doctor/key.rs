//! The key that Git signs with, and how its private half is kept.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::probe::{self, ProbeError};
use super::{Check, Code, Finding, Fix, Group, Patient, base, file, quoted};
use crate::hook::clone_setup::key::custody::wants_touch;
use crate::hook::clone_setup::key::{Agent, Configured, Custody, KeyError, Place, custody};
use crate::identity::key::PublicKey;
use crate::ledger::check::chain;

/// The setting that names it.
const SETTING: &str = "user.signingKey";

/// How many files of a home's `.ssh` are looked through.
const FILES_MAX: usize = 1000;

/// Starts an agent for one terminal.
const START_AGENT: &str = "eval \"$(ssh-agent -s)\"";

/// Looks at it; returns its public half, where one can be read.
pub(super) fn check(patient: &Patient<'_>) -> (Check, Option<PublicKey>) {
    let mut check = Check::new(Group::Key);
    let configured = match Configured::read(base(patient.repository)) {
        Ok(configured) => configured,
        // Of the format itself tell the settings.
        Err(KeyError::OtherFormat(_)) => return (check.note("none of SSH is asked for"), None),
        Err(error) => {
            check.add(refused(&error));
            return (check, None);
        }
    };
    if let Some(finding) = odd(&configured) {
        check.add(finding);
        return (check, None);
    }
    let agent = agent();
    let public = match configured.public() {
        Ok(public) => public,
        Err(error) => {
            check.add(refused(&error));
            return (check, None);
        }
    };
    match custody(&configured, &agent) {
        Ok(custody) => check.add_all(kept(patient, &custody, &public)),
        Err(error) => check.add(refused(&error)),
    }
    let touch = if wants_touch(public.kind()) { ", wants a touch at each commit" } else { "" };
    let note = format!("{} {}{touch}", public.kind().name(), public.id());
    (check.note(note), Some(public))
}

/// Asks the agent, who may hang.
fn agent() -> Agent {
    match probe::output(Command::new("ssh-add").arg("-L")) {
        Ok(listed) => Agent::Holds(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect()),
        // It answers, and holds nothing.
        Err(ProbeError::Failed { code: Some(1), .. }) => Agent::Holds(Vec::new()),
        Err(_) => Agent::Absent,
    }
}

/// What is no small file would be read whole, or for ever.
fn odd(configured: &Configured) -> Option<Finding> {
    let Place::File(path) = &configured.place else { return None };
    let private = path.extension().filter(|end| *end == "pub").map(|_| path.with_extension(""));
    let halves = [Some(path.clone()), Some(path.with_added_extension("pub")), private];
    let odd = halves.iter().flatten().find_map(|path| Some((path, file::read(path).err()?)));
    odd.map(|(path, error)| unreadable(path, &chain(&error)))
}

fn unreadable(path: &Path, why: &str) -> Finding {
    let finding = Finding::wrong(Code::KeyUnreadable, path.display().to_string(), why);
    finding.try_this(format!("ls -ld {}", quoted(path)))
}

/// Why the key cannot sign, or cannot be told.
fn refused(error: &KeyError) -> Finding {
    let why = chain(error);
    let derive = |private: &Path, public: &Path| format!("ssh-keygen -y -f {} > {}", quoted(private), quoted(public));
    match error {
        KeyError::File { path, source } if source.kind() != ErrorKind::NotFound => unreadable(path, &why),
        KeyError::File { .. } => Finding::wrong(Code::KeyMissing, SETTING, why).try_this("mledger init"),
        KeyError::Exposed(path) => {
            let finding = Finding::wrong(Code::KeyOpen, path.display().to_string(), why);
            finding.try_this(format!("chmod 600 {}", quoted(path))).fix(Fix::Private(path.clone()))
        }
        KeyError::Halves { public, private } => {
            let finding = Finding::wrong(Code::KeyHalves, public.display().to_string(), why);
            finding.try_this(derive(private, public))
        }
        KeyError::Locked(path) => {
            let public = path.with_added_extension("pub");
            let message = "the private key has a passphrase and no public half beside it";
            let finding = Finding::wrong(Code::KeyPublicMissing, path.display().to_string(), message);
            finding.try_this(derive(path, &public))
        }
        KeyError::NotConfigured | KeyError::DefaultCommand(_) => {
            Finding::wrong(Code::KeyUnset, SETTING, why).try_this("mledger init")
        }
        _ => Finding::wrong(Code::KeyKind, SETTING, why).try_this("mledger init"),
    }
}

/// What its owner should do before it hurts.
fn kept(patient: &Patient<'_>, custody: &Custody, key: &PublicKey) -> Option<Finding> {
    match custody {
        Custody::Agent | Custody::Open | Custody::Program(_) => None,
        Custody::Passphrase { agent, path } => {
            let who = if *agent { "the agent does not hold it" } else { "no agent runs" };
            let message = format!("the key has a passphrase, and {who}: Git asks for it at every commit");
            let finding = Finding::look(Code::KeyLocked, path.display().to_string(), message);
            Some(finding.try_this(add(*agent, &quoted(path))))
        }
        Custody::Missing { agent, public } => {
            let file = public.as_ref().map(|public| public.with_extension("")).or_else(|| at_home(patient, key));
            let file = file.map_or_else(|| "FILE".to_owned(), |file| quoted(&file));
            let (code, who) = match agent {
                true => (Code::KeyNotInAgent, "the agent does not hold it"),
                false => (Code::AgentUnreachable, "no agent answers"),
            };
            let message = format!("the private half of {} is not here, and {who}: nobody can sign", key.id());
            Some(Finding::wrong(code, SETTING, message).try_this(add(*agent, &file)))
        }
    }
}

fn add(agent: bool, file: &str) -> String {
    if agent { format!("ssh-add {file}") } else { format!("{START_AGENT} && ssh-add {file}") }
}

/// The file of a key that is configured by its public half: it may well lie where keys lie.
fn at_home(patient: &Patient<'_>, key: &PublicKey) -> Option<PathBuf> {
    let folder = patient.options.home.as_deref()?.join(".ssh");
    let entries = std::fs::read_dir(folder).ok()?.take(FILES_MAX);
    let is_public = |path: &PathBuf| path.extension().is_some_and(|end| end == "pub");
    let is_it = |path: &PathBuf| {
        let line = file::read_text(path).ok().flatten();
        line.and_then(|line| PublicKey::parse(line.trim_end()).ok()).is_some_and(|found| found.id() == key.id())
    };
    let mut halves = entries.flatten().map(|entry| entry.path()).filter(is_public);
    halves.find(is_it).map(|path| path.with_extension(""))
}
