//! Which entries somebody asks for.

use super::brief::Brief;
use crate::clock::Timestamp;
use crate::entry::leaf::Verdict;
use crate::name::{ActorId, RefName, RepoPath};
use crate::policy::glob::Glob;

/// Entries for which each condition given holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this actor, or signed by them.
    pub actor: Option<ActorId>,
    /// About a ref whose full or short name matches.
    pub refs: Option<Glob>,
    /// About a path that matches, or lies beneath the one named.
    pub paths: Option<Glob>,
    /// Of one of these kinds; none for any.
    pub kinds: Vec<String>,
    /// Decided so.
    pub decision: Option<Verdict>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether every entry is asked for.
    pub fn is_empty(&self) -> bool {
        let Self { actor, refs, paths, kinds, decision, since, until } = self;
        let about = actor.is_none() && refs.is_none() && paths.is_none();
        about && kinds.is_empty() && decision.is_none() && since.is_none() && until.is_none()
    }

    /// Whether the entry is asked for. Where there is a condition on paths, the entry must have been read with its own.
    pub fn keeps(&self, brief: &Brief) -> bool {
        let by = |actor: &ActorId| brief.actor.as_ref() == Some(actor) || brief.actors.contains(actor);
        self.actor.as_ref().is_none_or(by)
            && self.refs.as_ref().is_none_or(|glob| brief.refs.iter().any(|name| is_about_ref(glob, name)))
            && self.paths.as_ref().is_none_or(|glob| brief.paths.iter().any(|path| is_about_path(glob, path)))
            && (self.kinds.is_empty() || self.kinds.contains(&brief.kind))
            && self.decision.is_none_or(|wanted| brief.decision == Some(wanted))
            && self.since.is_none_or(|since| brief.time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| brief.time.is_some_and(|time| time <= until))
    }
}

pub(super) fn is_about_ref(glob: &Glob, name: &RefName) -> bool {
    glob.matches(name.as_str().as_bytes()) || glob.matches(name.short().as_bytes())
}

pub(super) fn is_about_path(glob: &Glob, path: &RepoPath) -> bool {
    let beneath = path.as_bytes().strip_prefix(glob.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
    beneath || glob.matches(path.as_bytes())
}
