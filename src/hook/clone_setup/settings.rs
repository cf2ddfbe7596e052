//! Git's configuration of a clone, and what it was before.

use std::collections::BTreeMap;
use std::path::Path;

use super::key::SigningKey;
use super::{ACTOR_KEY, SetupError};
use crate::git::{GitError, command};
use crate::hook::pre_push::REMOTE_KEY;
use crate::ledger::place::Place;
use crate::name::ActorId;

/// The file that holds what was set before, as JSON: `{"commit.gpgSign":["false"],"gpg.format":[]}`.
pub const BEFORE: &str = "before.json";

/// A value of the repository's own configuration that changed.
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

type Before = BTreeMap<String, Vec<String>>;

/// What `git commit` and `git push` need to sign.
pub fn wanted(key: &SigningKey, actor: &ActorId, remote: Option<&str>) -> Vec<(&'static str, String)> {
    let mut wanted: Vec<_> = SIGNING.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    wanted.extend([("user.signingKey", key.configured.clone()), (ACTOR_KEY, actor.to_string())]);
    wanted.extend(remote.map(|remote| (REMOTE_KEY, remote.to_owned())));
    wanted
}

/// Sets what is not set so already. What was there is noted first, and only the first time.
pub fn apply(base: &Path, place: &Place, wanted: &[(&'static str, String)]) -> Result<Vec<Setting>, SetupError> {
    let mut before = read_before(place)?;
    let mut changes = Vec::new();
    for (key, value) in wanted {
        let present = local_values(base, key)?;
        if present != [value.clone()] {
            before.entry((*key).to_owned()).or_insert_with(|| present.clone());
            changes.push(Setting { key: (*key).to_owned(), old: present.last().cloned(), new: Some(value.clone()) });
        }
    }
    place.write(BEFORE, &(serde_json::to_string(&before)? + "\n"), 0o600)?;
    for change in &changes {
        let value = change.new.as_deref().unwrap_or_default();
        command::output(command::git(base).args(["config", "--local", "--replace-all", &change.key, value]))?;
    }
    Ok(changes)
}

/// Puts back what [`apply`] noted.
pub fn restore(base: &Path, place: &Place) -> Result<Vec<Setting>, SetupError> {
    let mut changes = Vec::new();
    for (key, values) in read_before(place)? {
        let present = local_values(base, &key)?;
        if present == values {
            continue;
        }
        if !present.is_empty() {
            command::output(command::git(base).args(["config", "--local", "--unset-all", &key]))?;
        }
        for value in &values {
            command::output(command::git(base).args(["config", "--local", "--add", &key, value]))?;
        }
        changes.push(Setting { key, old: present.last().cloned(), new: values.last().cloned() });
    }
    place.remove(BEFORE)?;
    Ok(changes)
}

fn read_before(place: &Place) -> Result<Before, SetupError> {
    Ok(place.read(BEFORE)?.map_or_else(|| Ok(Before::new()), |text| serde_json::from_str(&text))?)
}

fn local_values(base: &Path, key: &str) -> Result<Vec<String>, GitError> {
    // Without the key Git fails just as with a file it cannot read; the whole list tells them apart.
    let listed = command::output(command::git(base).args(["config", "--local", "-z", "--list"]))?;
    let pairs = listed.split('\0').filter_map(|item| item.split_once('\n'));
    Ok(pairs.filter(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.to_owned()).collect())
}
