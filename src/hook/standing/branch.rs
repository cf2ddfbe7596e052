//! The branch that is checked out: what of it is not pushed yet, and what a gate will find in that.

use std::path::Path;

use serde::Serialize;

use super::StandingError;
use crate::git::manifest::Cache;
use crate::git::{Repository, command};
use crate::hook::post_commit;
use crate::identity::key::KeyId;
use crate::name::{Oid, RefName};
use crate::policy::facts::{ManifestTrailer, Signature};

/// How many commits that are not pushed are listed: more are a project that was never pushed.
const LISTED_MAX: usize = 100;

/// How many of them, the newest, are looked into: each costs as much as it changes.
const EXAMINED_MAX: usize = 20;

/// The branch that is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// How many commits of its upstream it lacks.
    pub behind: u64,
    /// Its name.
    pub name: RefName,
    /// Where the remote-tracking ref of `target` stands.
    pub pushed: Option<Oid>,
    /// The ref that a push goes to.
    pub target: RefName,
    /// Where it stands.
    pub tip: Oid,
    /// The commits that no ref of the remote reaches, newest first, at most so many as are listed.
    pub unpushed: Vec<Unpushed>,
    /// The ref here that it follows.
    pub upstream: Option<String>,
}

/// A commit that is not pushed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unpushed {
    /// Its id.
    pub commit: Oid,
    /// What its manifest trailer is; none where it was not looked into.
    pub manifest: Option<ManifestTrailer>,
    /// Whether it is signed with the key of this clone.
    pub mine: bool,
    /// Its signature; none where it was not looked into.
    pub signature: Option<Signature>,
    /// The first line of its message.
    pub subject: String,
}

impl Unpushed {
    /// Whether a gate will find something amiss in the commit itself.
    pub fn is_amiss(&self) -> bool {
        let signed = matches!(self.signature, None | Some(Signature::Valid { .. }));
        !signed || !matches!(self.manifest, None | Some(ManifestTrailer::Matches))
    }
}

/// The branch, if one is checked out that has a commit.
pub(super) fn branch(
    dir: &Path,
    repository: &Repository,
    remote: Option<&str>,
    own: Option<&KeyId>,
) -> Result<Option<Branch>, StandingError> {
    let Some(name) = repository.head_ref()?.and_then(|name| RefName::parse(&name).ok()) else { return Ok(None) };
    let Some(tip) = repository.resolve("HEAD") else { return Ok(None) };
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    let format = "--format=%(upstream)%00%(upstream:track,nobracket)%00%(push)%00%(push:remoteref)";
    let mut ask = command::git(base);
    ask.env("LC_ALL", "C").env("LANGUAGE", "C").args(["for-each-ref", format, name.as_str()]);
    let said = command::output(&mut ask)?;
    let mut words = said.lines().next().unwrap_or_default().split('\0');
    let mut word = || words.next().filter(|word| !word.is_empty()).map(str::to_owned);
    let (upstream, track, push, target) = (word(), word(), word(), word());
    let target = target.and_then(|target| RefName::parse(&target).ok()).unwrap_or_else(|| name.clone());
    let usual = || Some(format!("refs/remotes/{}/{}", remote?, name.as_str().strip_prefix("refs/heads/")?));
    let tracking = push.or_else(usual).and_then(|name| RefName::parse(&name).ok());
    let pushed = tracking.map(|name| repository.tip(&name)).transpose()?.flatten();
    let mut cache = Cache::default();
    let unpushed = unpushed(base, remote)?.into_iter().enumerate();
    let unpushed = unpushed.map(|(at, (commit, subject))| {
        cache.renew();
        let evidence = (at < EXAMINED_MAX).then(|| post_commit::evidence(dir, repository, &commit, &mut cache));
        let facts = evidence.transpose()?;
        let facts = facts.map(|evidence| evidence.facts);
        let signature = facts.as_ref().map(|facts| facts.signature.clone());
        let mine = matches!(&signature, Some(Signature::Valid { key }) if Some(key) == own);
        Ok(Unpushed { commit, manifest: facts.map(|facts| facts.manifest), mine, signature, subject })
    });
    let unpushed = unpushed.collect::<Result<Vec<_>, StandingError>>()?;
    Ok(Some(Branch { behind: behind(track.as_deref()), name, pushed, target, tip, unpushed, upstream }))
}

/// The commits of HEAD that no ref of the remote reaches, with their subjects.
fn unpushed(base: &Path, remote: Option<&str>) -> Result<Vec<(Oid, String)>, StandingError> {
    let remotes = remote.map_or_else(|| "--remotes".to_owned(), |remote| format!("--remotes={remote}"));
    let count = format!("--max-count={LISTED_MAX}");
    let mut list = command::git(base);
    list.args([
        "log",
        "--topo-order",
        "--no-show-signature",
        "--format=%H %s",
        &count,
        "HEAD",
        "--not",
        &remotes,
        "--",
    ]);
    let listed = command::output(&mut list)?;
    let pair = |line: &str| {
        let (oid, subject) = line.split_once(' ').unwrap_or((line, ""));
        Ok((Oid::parse(oid)?, subject.to_owned()))
    };
    listed.lines().map(pair).collect()
}

/// What Git says of an upstream: `ahead 1, behind 2`.
fn behind(track: Option<&str>) -> u64 {
    let words = track.unwrap_or_default().split(", ");
    words.filter_map(|word| word.strip_prefix("behind ")).find_map(|count| count.parse().ok()).unwrap_or_default()
}
