//! The key that Git signs with.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::probe::{self, ProbeError};
use super::{Check, Code, Finding, Fix, Group, Patient, base, file, quoted};
use crate::identity::file::public_half;
use crate::identity::key::{Kind, PublicKey};

/// The setting that names it.
const SETTING: &str = "user.signingKey";

/// How many files of a home's `.ssh` are looked through.
const FILES_MAX: usize = 1000;

/// Looks at it; returns its public half, where one can be read.
pub(super) fn check(patient: &Patient<'_>) -> (Check, Option<PublicKey>) {
    let mut check = Check::new(Group::Key);
    let Some(set) = patient.settings.get(SETTING).filter(|set| !set.value.is_empty()) else {
        check.add(Finding::wrong(Code::KeyUnset, SETTING, "no key of yours is configured").try_this("mledger init"));
        return (check, None);
    };
    let literal = set.value.strip_prefix("key::").or_else(|| set.value.starts_with("ssh-").then_some(&set.value));
    let public = match literal {
        Some(line) => usable(line, SETTING, &mut check)
            .inspect(|key| check.add_all(in_agent(key, at_home(patient, key).as_deref()))),
        None => Files::named(patient, &set.value).check(&mut check),
    };
    let note = public.as_ref().map(|key| {
        let touch =
            if matches!(key.kind(), Kind::SkEd25519 | Kind::SkEcdsa) { ", wants a touch at each commit" } else { "" };
        format!("{} {}{touch}", key.kind().name(), key.id())
    });
    (check.note(note.unwrap_or_default()), public)
}

/// The file of a key that is configured by its public half: it may well lie where keys lie.
fn at_home(patient: &Patient<'_>, key: &PublicKey) -> Option<PathBuf> {
    let folder = patient.options.home.as_deref()?.join(".ssh");
    let entries = std::fs::read_dir(folder).ok()?.take(FILES_MAX);
    let mut halves =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "pub"));
    let is_it = |path: &PathBuf| {
        let line = file::read_text(path).ok().flatten();
        line.and_then(|line| PublicKey::parse(line.trim_end()).ok()).is_some_and(|found| found.id() == key.id())
    };
    halves.find(is_it).map(|path| path.with_extension(""))
}

/// The two files of a key.
struct Files {
    private: PathBuf,
    public: PathBuf,
}

impl Files {
    fn named(patient: &Patient<'_>, value: &str) -> Self {
        let home = patient.options.home.as_deref();
        let at_home = home.and_then(|home| Some(home.join(value.strip_prefix("~/")?)));
        let path = at_home.unwrap_or_else(|| base(patient.repository).join(value));
        if path.extension().is_some_and(|end| end == "pub") {
            return Self { private: path.with_extension(""), public: path };
        }
        Self { public: path.with_added_extension("pub"), private: path }
    }

    fn check(&self, check: &mut Check) -> Option<PublicKey> {
        let read = |path| file::read_text(path).map_err(|error| (path, error));
        let (private, public) = match read(&self.private).and_then(|private| Ok((private, read(&self.public)?))) {
            Ok((None, None)) => {
                let message = format!("the key `{}` is not there", self.private.display());
                check.add(Finding::wrong(Code::KeyMissing, SETTING, message).try_this("mledger init"));
                return None;
            }
            Ok(halves) => halves,
            Err((path, error)) => {
                let why = crate::ledger::check::chain(&error);
                let finding = Finding::wrong(Code::KeyUnreadable, path.display().to_string(), why);
                check.add(finding.try_this(format!("ls -l {}", quoted(path))));
                return None;
            }
        };
        // What Git is told of a literal public key it also takes from a file that holds one.
        let private = private.filter(|text| text.starts_with("-----BEGIN"));
        let half = private.as_deref().and_then(public_half);
        if private.is_some() {
            check.add_all(self.open_to_others());
        }
        let Some(line) = public else {
            check.add(self.without_public());
            return half.map(|(key, _)| key);
        };
        let key = usable(&line, &self.public.to_string_lossy(), check)?;
        match half {
            Some((other, _)) if other.id() != key.id() => check.add(self.other_half(&key, &other)),
            Some((_, true)) => check.add_all(self.locked(&key)),
            None if private.is_none() => check.add_all(in_agent(&key, Some(&self.private))),
            // An older form of private key, of which ssh-keygen alone knows whether it fits.
            Some(_) | None => {}
        }
        Some(key)
    }

    fn open_to_others(&self) -> Option<Finding> {
        let mode = file::mode(&self.private).filter(|mode| mode & 0o077 != 0)?;
        let path = self.private.display();
        let message = format!("others may read the private key `{path}` ({mode:o}), so ssh-keygen does not use it");
        let finding = Finding::wrong(Code::KeyOpen, path.to_string(), message);
        Some(finding.try_this(format!("chmod 600 {}", quoted(&self.private))).fix(Fix::Private(self.private.clone())))
    }

    fn derive(&self) -> String {
        format!("ssh-keygen -y -f {} > {}", quoted(&self.private), quoted(&self.public))
    }

    fn without_public(&self) -> Finding {
        let message = format!("the public half `{}` is not there", self.public.display());
        Finding::wrong(Code::KeyPublicMissing, self.public.display().to_string(), message).try_this(self.derive())
    }

    fn other_half(&self, public: &PublicKey, private: &PublicKey) -> Finding {
        let message = format!(
            "`{}` is {}, and the private half beside it is of {}",
            self.public.display(),
            public.id(),
            private.id()
        );
        Finding::wrong(Code::KeyHalves, self.public.display().to_string(), message).try_this(self.derive())
    }

    fn locked(&self, key: &PublicKey) -> Option<Finding> {
        let add = format!("ssh-add {}", quoted(&self.private));
        let (why, command) = match is_held(key) {
            Held::Yes => return None,
            Held::No => ("and the agent does not hold it", add),
            Held::NoAgent => ("and no agent runs", format!("eval \"$(ssh-agent -s)\" && {add}")),
        };
        let message = format!("the key has a passphrase, {why}: Git asks for it at every commit");
        Some(Finding::look(Code::KeyLocked, self.private.display().to_string(), message).try_this(command))
    }
}

/// A public key that counts.
fn usable(line: &str, place: &str, check: &mut Check) -> Option<PublicKey> {
    let parsed = PublicKey::parse(line.trim_end_matches('\n'));
    let refused = |error: &dyn std::error::Error| {
        Finding::wrong(Code::KeyKind, place, crate::ledger::check::chain(error)).try_this("mledger init")
    };
    parsed.map_err(|error| check.add(refused(&error))).ok()
}

/// Whether the agent, who alone has the private half, holds it.
fn in_agent(key: &PublicKey, file: Option<&Path>) -> Option<Finding> {
    let add = file.map_or_else(|| "ssh-add".to_owned(), |file| format!("ssh-add {}", quoted(file)));
    match is_held(key) {
        Held::Yes => None,
        Held::No => {
            let message = format!("the agent does not hold the key {}", key.id());
            Some(Finding::wrong(Code::KeyNotInAgent, SETTING, message).try_this(add))
        }
        Held::NoAgent => {
            let message = format!("the key {} is an agent's, and none answers", key.id());
            let command = format!("eval \"$(ssh-agent -s)\" && {add}");
            Some(Finding::wrong(Code::AgentUnreachable, SETTING, message).try_this(command))
        }
    }
}

enum Held {
    Yes,
    No,
    NoAgent,
}

fn is_held(key: &PublicKey) -> Held {
    match probe::output(Command::new("ssh-add").arg("-L")) {
        Ok(listed) => {
            let listed = String::from_utf8_lossy(&listed);
            let held = listed.lines().filter_map(|line| PublicKey::parse(line).ok()).any(|held| held.id() == key.id());
            if held { Held::Yes } else { Held::No }
        }
        // An agent without keys.
        Err(ProbeError::Failed { code: Some(1), .. }) => Held::No,
        Err(_) => Held::NoAgent,
    }
}
