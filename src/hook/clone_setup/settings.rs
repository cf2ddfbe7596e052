//! Git's configuration of a clone or of a person, and what it was before.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::de::DeserializeOwned;

use super::key::SigningKey;
use super::{ACTOR_KEY, SetupError};
use crate::git::{GitError, command};
use crate::hook::pre_push::REMOTE_KEY;
use crate::ledger::place::Place;
use crate::name::ActorId;

/// The file that holds what was set before, as JSON: `{"commit.gpgSign":["false"],"gpg.format":[]}`.
pub const BEFORE: &str = "before.json";

/// Which configuration.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// Of the clone in this folder alone.
    Clone(&'a Path),
    /// Of a person, in this file.
    File(&'a Path),
}

/// A value of the configuration that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// What it was; none if it was not set here.
    pub old: Option<String>,
    /// What it is; none if it is not set here.
    pub new: Option<String>,
}

/// What makes `git commit` and `git push` sign, with whatever key.
pub const SIGNING: [(&str, &str); 3] =
    [("gpg.format", "ssh"), ("commit.gpgSign", "true"), ("push.gpgSign", "if-asked")];
/// The file that holds what was set instead, as JSON: `{"commit.gpgSign":"true","gpg.format":"ssh"}`.
const OURS: &str = "set.json";

/// What became of settings that were to be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The configuration that was put back.
    pub settings: Vec<Setting>,
    /// What somebody else set in between, and stays.
    pub left: Vec<String>,
}

type Before = BTreeMap<String, Vec<String>>;

type Ours = BTreeMap<String, String>;

/// What `git commit` and `git push` need to sign.
pub fn wanted(key: &SigningKey, actor: &ActorId, remote: Option<&str>) -> Vec<(&'static str, String)> {
    let mut wanted = signing(key);
    wanted.push((ACTOR_KEY, actor.to_string()));
    wanted.extend(remote.map(|remote| (REMOTE_KEY, remote.to_owned())));
    wanted
}

/// The part of it that is true of every clone.
pub fn signing(key: &SigningKey) -> Vec<(&'static str, String)> {
    let mut wanted: Vec<_> = SIGNING.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    wanted.push(("user.signingKey", key.configured.clone()));
    wanted
}

/// Sets what is not set so already. What was there is noted first, and only the first time.
pub fn apply(scope: Scope<'_>, place: &Place, wanted: &[(&'static str, String)]) -> Result<Vec<Setting>, SetupError> {
    let mut before: Before = read(place, BEFORE)?;
    let mut ours: Ours = read(place, OURS)?;
    let mut changes = Vec::new();
    for (key, value) in wanted {
        let present = values(scope, key)?;
        if present != [value.clone()] {
            before.entry((*key).to_owned()).or_insert_with(|| present.clone());
            ours.insert((*key).to_owned(), value.clone());
            changes.push(Setting { key: (*key).to_owned(), old: present.last().cloned(), new: Some(value.clone()) });
        }
    }
    place.write(BEFORE, &(serde_json::to_string(&before)? + "\n"), 0o600)?;
    place.write(OURS, &(serde_json::to_string(&ours)? + "\n"), 0o600)?;
    for change in &changes {
        let value = change.new.as_deref().unwrap_or_default();
        command::output(scope.git().args(["--replace-all", &change.key, value]))?;
    }
    Ok(changes)
}

/// Puts back what [`apply`] noted, where it is still as [`apply`] left it.
pub fn restore(scope: Scope<'_>, place: &Place) -> Result<Restored, SetupError> {
    let ours: Ours = read(place, OURS)?;
    let mut restored = Restored::default();
    for (key, values) in read::<Before>(place, BEFORE)? {
        let present = self::values(scope, &key)?;
        if present == values {
            continue;
        }
        if ours.get(&key).is_some_and(|value| present != [value.clone()]) {
            restored.left.push(key);
            continue;
        }
        if !present.is_empty() {
            command::output(scope.git().args(["--unset-all", &key]))?;
        }
        for value in &values {
            command::output(scope.git().args(["--add", &key, value]))?;
        }
        let (old, new) = (present.last().cloned(), values.last().cloned());
        restored.settings.push(Setting { key, old, new });
    }
    place.remove(OURS)?;
    place.remove(BEFORE)?;
    Ok(restored)
}

fn read<T: Default + DeserializeOwned>(place: &Place, name: &str) -> Result<T, SetupError> {
    Ok(place.read(name)?.map_or_else(|| Ok(T::default()), |text| serde_json::from_str(&text))?)
}

impl Scope<'_> {
    fn git(self) -> Command {
        match self {
            Self::Clone(base) => {
                let mut git = command::git(base);
                git.args(["config", "--local"]);
                git
            }
            Self::File(path) => {
                let mut git = command::git(path.parent().unwrap_or(path));
                git.args(["config", "--file"]).arg(path);
                git
            }
        }
    }
}

fn values(scope: Scope<'_>, key: &str) -> Result<Vec<String>, GitError> {
    if let Scope::File(path) = scope
        && !path.exists()
    {
        return Ok(Vec::new());
    }
    // Without the key Git fails just as with a file it cannot read; the whole list tells them apart.
    let listed = command::output(scope.git().args(["-z", "--list"]))?;
    let pairs = listed.split('\0').filter_map(|item| item.split_once('\n'));
    Ok(pairs.filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.to_owned()).collect())
}
