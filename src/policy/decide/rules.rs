//! Condition 4: every rule that matches an update has its demands met.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::commits::voucher;
use super::findings::Findings;
use super::{Listed, look_up};
use crate::name::{Oid, RepoPath};
use crate::policy::document::Policy;
use crate::policy::facts::{Commit, Facts, LogTrailer, ManifestTrailer, Move, Pusher};
use crate::policy::reason::{Code, Reason};
use crate::policy::rule::Rule;

/// What a rule looks at in one update. Most rules share one view, and many commits the same paths.
struct View<'a> {
    commits: Vec<(Oid, &'a Commit)>,
    paths: BTreeSet<&'a RepoPath>,
}

/// A rule at work: every path counts as its own where no ref is guarded by it yet.
struct Guard<'v, 'a> {
    every_path: bool,
    rule: &'v Rule,
    view: &'v View<'a>,
}

/// Notes what is missing; `met` gathers the matching rules by their place in the policy.
pub(super) fn check<'a>(
    policy: &Policy,
    facts: &'a Facts,
    listed: &Listed<'a>,
    met: &mut BTreeMap<usize, String>,
    findings: &mut Findings,
) {
    let update = listed.update;
    let shared = View::new(listed.commits.clone(), &update.extra);
    let mut scoped: HashMap<&[Oid], View<'a>> = HashMap::new();
    for (place, rule) in policy.rules().iter().enumerate() {
        if !rule.refs.touches(&update.refname) {
            continue;
        }
        // A create looks at what the rule has not seen yet. Where nobody says what that is, at everything.
        let (view, every_path) = match (update.action, update.scopes.get(&rule.name)) {
            (Move::Create, Some(scope)) => {
                let view = || View::new(look_up(facts, update, &scope.commits, Some(&rule.name), findings), &[]);
                (&*scoped.entry(&scope.commits).or_insert_with(view), scope.every_path)
            }
            (Move::Create, None) => (&shared, true),
            (Move::Update | Move::Rewrite | Move::Delete, _) => (&shared, false),
        };
        let guard = Guard { every_path, rule, view };
        let path = guard.path();
        if path.is_some() || guard.is_everywhere() {
            met.insert(place, rule.name.clone());
            guard.demand(policy, facts, listed, path, findings);
        }
    }
}

impl<'a> View<'a> {
    fn new(commits: Vec<(Oid, &'a Commit)>, extra: &'a [RepoPath]) -> Self {
        let own = commits.iter().flat_map(|(_, commit)| commit.paths.iter().map(|change| &change.path));
        let paths = own.chain(extra).collect();
        Self { commits, paths }
    }
}

impl<'a> Guard<'_, 'a> {
    /// The path that makes the rule match.
    fn path(&self) -> Option<&'a RepoPath> {
        self.view.paths.iter().copied().find(|path| self.rule.paths.touches(path))
    }

    /// Whether the rule matches without any path.
    fn is_everywhere(&self) -> bool {
        self.every_path || self.rule.paths.is_every()
    }

    /// The commits that the rule is about, each with a path that makes it so.
    fn concerned(&self) -> impl Iterator<Item = (Oid, &'a Commit, Option<&'a RepoPath>)> {
        self.view.commits.iter().filter_map(|(oid, commit)| {
            let mut paths = commit.paths.iter().map(|change| &change.path);
            let path = paths.find(|path| self.every_path || self.rule.paths.touches(path));
            (path.is_some() || self.rule.paths.is_every()).then_some((*oid, *commit, path))
        })
    }

    fn demand(
        &self,
        policy: &Policy,
        facts: &Facts,
        listed: &Listed<'_>,
        path: Option<&RepoPath>,
        findings: &mut Findings,
    ) {
        let rule = self.rule;
        let about = |reason: Reason| Reason {
            refname: Some(listed.update.refname.clone()),
            rule: Some(rule.name.clone()),
            ..reason
        };
        if rule.signed_push && !matches!(facts.pusher, Pusher::Certificate { .. }) {
            findings.note(about(Reason { path: path.cloned(), ..Reason::new(Code::SignedPushMissing) }));
        }
        if let Some(approvals) = &rule.approvals {
            let detail = format!("needs {} of {}, has 0", approvals.count, approvals.roles.join(", "));
            let reason = Reason::new(Code::ApprovalsMissing).with_detail(&detail);
            findings.note(about(Reason { path: path.cloned(), ..reason }));
        }
        if rule.is_about_commits() {
            // Whoever made a commit that an admin vouches for knew nothing of our trailers.
            let own = |commit: &Commit| voucher(policy, commit, facts.time).is_none();
            for (oid, commit, path) in self.concerned().filter(|(_, commit, _)| own(commit)) {
                for reason in lacks(rule, commit) {
                    findings.note(about(Reason { commit: Some(oid), path: path.cloned(), ..reason }));
                }
            }
        }
    }
}

/// What the rule demands of a commit and the commit lacks.
fn lacks(rule: &Rule, commit: &Commit) -> Vec<Reason> {
    let mut lacks = vec![];
    let carried = |wanted: &&String| commit.trailers.iter().any(|trailer| trailer.eq_ignore_ascii_case(wanted));
    let missing: Vec<_> = rule.trailers.iter().filter(|wanted| !carried(wanted)).map(String::as_str).collect();
    if !missing.is_empty() {
        lacks.push(Reason::new(Code::TrailerMissing).with_detail(&missing.join(", ")));
    }
    match commit.manifest {
        ManifestTrailer::Missing if rule.manifest => lacks.push(Reason::new(Code::ManifestMissing)),
        ManifestTrailer::Mismatch if rule.manifest => lacks.push(Reason::new(Code::ManifestMismatch)),
        _ => {}
    }
    match commit.log {
        LogTrailer::Missing if rule.log => lacks.push(Reason::new(Code::LogMissing)),
        LogTrailer::Foreign if rule.log => {
            lacks.push(Reason::new(Code::LogMissing).with_detail("it names another ledger"));
        }
        LogTrailer::Fork if rule.log => lacks.push(Reason::new(Code::LogFork)),
        _ => {}
    }
    lacks
}
