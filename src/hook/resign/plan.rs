//! Which commits are made anew, and why.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{ResignError, reflog};
use crate::git::manifest::Cache;
use crate::git::{Kind, Repository, command};
use crate::hook::person::{Person, header};
use crate::hook::post_commit::evidence;
use crate::hook::prepare_commit_msg::{newest_log, repository};
use crate::name::{Oid, Origin};
use crate::object::commit::Commit;
use crate::policy::facts::{ManifestTrailer, Signature};

/// What Git may be in the middle of: the file that says so, and how to end it.
const STATES: [(&str, &str, &str); 8] = [
    ("rebase-merge", "a rebase", "git rebase --continue     (or --abort)"),
    ("rebase-apply/applying", "an application of patches", "git am --continue     (or --abort)"),
    ("rebase-apply", "a rebase", "git rebase --continue     (or --abort)"),
    ("MERGE_HEAD", "a merge", "git merge --continue     (or --abort)"),
    ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue     (or --abort)"),
    ("REVERT_HEAD", "a revert", "git revert --continue     (or --abort)"),
    ("sequencer", "a cherry-pick or revert", "git cherry-pick --continue     (or --quit)"),
    ("BISECT_LOG", "a bisection", "git bisect reset"),
];

/// Which commits may be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// What HEAD reaches, and neither a remote's branch nor the ledger holds.
    Unpushed,
    /// What HEAD reaches and this commit does not.
    After(String),
    /// All that HEAD reaches.
    Root,
}

/// What the caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Make every commit of the range anew, also where nothing is amiss.
    pub all: bool,
    /// Sign commits of others as well.
    pub others: bool,
    /// The range.
    pub range: Range,
}

/// Why a commit is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is asked for, and nothing is amiss.
    Asked,
    /// It names no checkpoint of the ledger that is followed.
    NoLog,
    /// It binds no content.
    NoManifest,
    /// It binds another content.
    OtherManifest,
    /// It stands upon one that is made anew.
    Parent,
    /// Its signature, or its bytes, do not count.
    Signature(String),
    /// It is not signed.
    Unsigned,
}

/// A commit to make anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The commit.
    pub commit: Oid,
    /// Whether it was made somewhere else, by what Git noted of HEAD here.
    pub from_elsewhere: bool,
    /// Its parents as they are.
    pub parents: Vec<Oid>,
    /// Its tree.
    pub tree: Oid,
    /// Why.
    pub why: Why,
}

/// A commit of somebody else that is left as it is although something is amiss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The commit.
    pub commit: Oid,
    /// Who made it, as Git tells it.
    pub who: String,
    /// What is amiss.
    pub why: Why,
}

/// What is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The full name of the branch that moves; none where HEAD is detached.
    pub branch: Option<String>,
    /// Where HEAD stands; none before the first commit.
    pub head: Option<Oid>,
    /// Commits of others that are left.
    pub left: Vec<Left>,
    /// How many of the steps a remote's branch holds already.
    pub pushed: usize,
    /// The commits to make anew, parents first.
    pub steps: Vec<Step>,
}

/// Looks at the commits of the clone in `dir`. `is_known` tells of a commit whether the ledger holds it.
pub fn plan<E: From<ResignError>>(
    dir: &Path,
    options: &Options,
    mut is_known: impl FnMut(&Oid) -> Result<bool, E>,
) -> Result<Plan, E> {
    let repository = repository(dir).map_err(ResignError::from)?;
    check_state(&repository)?;
    let branch = repository.head_ref().map_err(ResignError::from)?;
    let head = repository.resolve("HEAD");
    let mut plan = Plan { branch, head, left: Vec::new(), pushed: 0, steps: Vec::new() };
    if head.is_none() {
        return Ok(plan);
    }
    let mut commits = listed(dir, &repository, &options.range)?;
    if options.range == Range::Unpushed {
        // What the ledger knows it knows with all that it stands upon.
        let mut unknown = Vec::new();
        for commit in commits {
            if !is_known(&commit)? {
                unknown.push(commit);
            }
        }
        commits = unknown;
    }
    judge(dir, &repository, options, &commits, &mut plan)?;
    plan.pushed = pushed(dir, &plan)?;
    Ok(plan)
}

fn check_state(repository: &Repository) -> Result<(), ResignError> {
    if repository.work_dir().is_none() {
        return Err(ResignError::Bare);
    }
    let under_way = STATES.iter().find(|(file, ..)| repository.own_dir().join(file).exists());
    under_way.map_or(Ok(()), |(_, what, finish)| Err(ResignError::Busy { what, finish }))
}

/// The commits of a range, parents first. Objects that replace others count for nothing in what is signed.
fn listed(dir: &Path, repository: &Repository, range: &Range) -> Result<Vec<Oid>, ResignError> {
    let mut list = command::git_in_hook(dir);
    list.args(["--no-replace-objects", "rev-list", "--topo-order", "--reverse", "HEAD"]);
    match range {
        Range::Unpushed => list.args(["--not", "--remotes"]),
        Range::After(base) => {
            let base = repository.resolve(base).ok_or_else(|| ResignError::Base(base.clone()))?;
            list.arg(format!("^{base}"))
        }
        Range::Root => &mut list,
    };
    let text = command::output(list.arg("--"))?;
    Ok(text.lines().map(Oid::parse).collect::<Result<_, _>>()?)
}

fn judge(
    dir: &Path,
    repository: &Repository,
    options: &Options,
    commits: &[Oid],
    plan: &mut Plan,
) -> Result<(), ResignError> {
    let origin = newest_log(repository)?.map(|log| log.origin);
    let (person, made_here) = (Person::here(dir), reflog::made_here(repository));
    let mut anew: HashSet<Oid> = HashSet::new();
    let mut upon: Vec<(Oid, String)> = Vec::new();
    let mut cache = Cache::default();
    for commit in commits {
        cache.renew();
        let raw = repository.read(commit, Kind::Commit)?;
        let (tree, parents) = links(&raw)
            .ok_or_else(|| ResignError::Differs { commit: *commit, what: "its headers cannot be read".to_owned() })?;
        let may = options.others || person.had_a_hand_in(&raw);
        let why = if parents.iter().any(|parent| anew.contains(parent)) {
            Some(Why::Parent)
        } else {
            check_parents(repository, commit, &parents)?;
            amiss(dir, repository, commit, origin.as_ref(), &mut cache)?.or((options.all && may).then_some(Why::Asked))
        };
        match why {
            Some(why) if may => {
                anew.insert(*commit);
                let from_elsewhere = made_here.as_ref().is_some_and(|made| !made.contains(commit));
                plan.steps.push(Step { commit: *commit, from_elsewhere, parents, tree, why });
            }
            Some(Why::Parent) => upon.push((*commit, committer(&raw))),
            Some(why) => plan.left.push(Left { commit: *commit, who: committer(&raw), why }),
            None => {}
        }
    }
    match upon.as_slice() {
        [(example, who), ..] => Err(ResignError::UponThem { count: upon.len(), example: *example, who: who.clone() }),
        [] => Ok(()),
    }
}

/// What a gate may object to in a commit by itself.
fn amiss(
    dir: &Path,
    repository: &Repository,
    commit: &Oid,
    origin: Option<&Origin>,
    cache: &mut Cache,
) -> Result<Option<Why>, ResignError> {
    let found = evidence(dir, repository, commit, cache)?;
    Ok(match (found.facts.signature, found.facts.manifest) {
        (Signature::Missing, _) => Some(Why::Unsigned),
        (Signature::Invalid { why }, _) => Some(Why::Signature(why)),
        (Signature::Valid { .. }, ManifestTrailer::Missing) => Some(Why::NoManifest),
        (Signature::Valid { .. }, ManifestTrailer::Mismatch) => Some(Why::OtherManifest),
        (Signature::Valid { .. }, ManifestTrailer::Matches) => {
            let named = found.log.as_ref().map(|log| &log.origin);
            (origin.is_some() && origin != named).then_some(Why::NoLog)
        }
    })
}

fn check_parents(repository: &Repository, commit: &Oid, parents: &[Oid]) -> Result<(), ResignError> {
    for parent in parents {
        if !repository.has(parent)? {
            return Err(ResignError::Shallow(*commit));
        }
    }
    Ok(())
}

/// Tree and parents as the bytes say it, also of a commit that counts for nothing.
fn links(raw: &[u8]) -> Option<(Oid, Vec<Oid>)> {
    if let Ok(commit) = Commit::parse(raw) {
        return Some((commit.tree, commit.parents));
    }
    let oid = |value: &[u8]| Oid::parse(std::str::from_utf8(value).ok()?).ok();
    let headers = raw.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let parents = headers.filter_map(|line| line.strip_prefix(b"parent ")).map(oid).collect::<Option<Vec<_>>>()?;
    Some((oid(header(raw, b"tree ")?)?, parents))
}

fn committer(raw: &[u8]) -> String {
    let ident = header(raw, b"committer ").unwrap_or_default();
    let end = ident.iter().position(|byte| *byte == b'>').map_or(ident.len(), |at| at + 1);
    String::from_utf8_lossy(ident.get(..end).unwrap_or_default()).into_owned()
}

/// How many of the commits to make anew a remote's branch holds.
fn pushed(dir: &Path, plan: &Plan) -> Result<usize, ResignError> {
    let mut list = command::git_in_hook(dir);
    list.args(["--no-replace-objects", "rev-list", "HEAD", "--not", "--remotes", "--"]);
    let text = command::output(&mut list)?;
    let unpushed: HashSet<Oid> = text.lines().map(Oid::parse).collect::<Result<_, _>>()?;
    Ok(plan.steps.iter().filter(|step| !unpushed.contains(&step.commit)).count())
}

impl Plan {
    /// The parents of a step, where `made` holds what was made anew before it.
    pub(super) fn parents(step: &Step, made: &HashMap<Oid, Oid>) -> Vec<Oid> {
        step.parents.iter().map(|parent| made.get(parent).copied().unwrap_or(*parent)).collect()
    }
}
