//! The five conditions of the gate again, one after the other, without caches and without reasons.

use std::collections::BTreeSet;

use mledger::clock::Timestamp;
use mledger::name::{Oid, RefName, RepoPath};
use mledger::policy::Policy;
use mledger::policy::actor::Actor;
use mledger::policy::facts::{
    Commit, Facts, LogTrailer, ManifestTrailer, Move, Pusher, Signature, Update,
};
use mledger::policy::role::Action;
use mledger::policy::rule::Rule;

pub fn permits(policy: &Policy, facts: &Facts) -> bool {
    let Some(pusher) = pusher(policy, facts) else { return false };
    let refs: BTreeSet<_> = facts.updates.iter().map(|update| &update.refname).collect();
    !facts.updates.is_empty()
        && refs.len() == facts.updates.len()
        && limits(policy, facts)
        && facts.updates.iter().all(|update| {
            is_described(facts, &update.entering)
                && is_granted(policy, facts, pusher, update)
                && is_signed(policy, facts, update)
                && policy.rules().iter().all(|rule| is_met(policy, facts, rule, update))
        })
}

fn pusher<'a>(policy: &'a Policy, facts: &Facts) -> Option<&'a Actor> {
    match &facts.pusher {
        Pusher::Certificate { key } => policy.actor_of_key(key, facts.time).ok(),
        Pusher::Login { login } => policy.actor_of_login(login, facts.time).ok(),
        Pusher::Refused { .. } | Pusher::Unknown => None,
    }
}

fn limits(policy: &Policy, facts: &Facts) -> bool {
    let (limits, totals) = (policy.limits(), facts.totals.unwrap_or_default());
    let entering: BTreeSet<&Oid> = facts.updates.iter().flat_map(|update| &update.entering).collect();
    let commits = || entering.iter().filter_map(|oid| facts.commits.get(*oid));
    facts.updates.len() as u64 <= limits.refs_per_push
        && totals.refs <= limits.refs_per_push
        && entering.len() as u64 <= limits.commits_per_push
        && totals.commits <= limits.commits_per_push
        && totals.changes <= limits.changes_per_commit
        && commits().all(|commit| commit.paths.len() as u64 <= limits.changes_per_commit)
        && commits().flat_map(|commit| &commit.paths).all(|path| path.bytes.is_none_or(|it| it <= limits.file_size))
}

fn is_described(facts: &Facts, oids: &[Oid]) -> bool {
    oids.iter().all(|oid| facts.commits.contains_key(oid))
}

fn commits<'a>(facts: &'a Facts, oids: &[Oid]) -> Vec<&'a Commit> {
    oids.iter().filter_map(|oid| facts.commits.get(oid)).collect()
}

fn is_granted(policy: &Policy, facts: &Facts, pusher: &Actor, update: &Update) -> bool {
    let tips = (update.old.is_some(), update.new.is_some());
    let fits = match update.action {
        Move::Create => tips == (false, true),
        Move::Update | Move::Rewrite => tips == (true, true),
        Move::Delete => !tips.1 && update.entering.is_empty(),
    };
    let action = Action::from(update.action);
    let own = commits(facts, &update.entering).into_iter().flat_map(|commit| commit.paths.iter().map(|it| &it.path));
    fits && update.problem.is_none()
        && may(policy, pusher, action, &update.refname, None)
        && own.chain(&update.extra).all(|path| may(policy, pusher, action, &update.refname, Some((path, false))))
}

/// Whether one grant has the action, the ref, and the path with what it becomes.
fn may(policy: &Policy, actor: &Actor, action: Action, refname: &RefName, path: Option<(&RepoPath, bool)>) -> bool {
    policy.grants_of(actor).iter().any(|held| {
        held.grant.actions.contains(&action)
            && held.grant.refs.grants(refname)
            && path.is_none_or(|(path, link)| held.grant.paths.grants(path) && (held.grant.links || !link))
    })
}

fn is_signed(policy: &Policy, facts: &Facts, update: &Update) -> bool {
    let tag = update.tag.as_ref().is_none_or(|tag| signer(policy, &tag.signature, facts.time).is_some());
    let fine = |commit: &Commit| {
        let Some(actor) = signer(policy, &commit.signature, facts.time).or_else(|| voucher(policy, commit, facts.time))
        else {
            return false;
        };
        let may = |path| may(policy, actor, Action::Commit, &update.refname, path);
        commit.collision.is_none()
            && commit.manifest != ManifestTrailer::Mismatch
            && commit.log != LogTrailer::Fork
            && may(None)
            && commit.paths.iter().all(|it| may(Some((&it.path, it.link))))
    };
    tag && commits(facts, &update.entering).into_iter().all(fine)
}

fn signer<'a>(policy: &'a Policy, signature: &Signature, time: Timestamp) -> Option<&'a Actor> {
    match signature {
        Signature::Valid { key } => policy.actor_of_key(key, time).ok(),
        Signature::Invalid { .. } | Signature::Missing => None,
    }
}

fn voucher<'a>(policy: &'a Policy, commit: &Commit, time: Timestamp) -> Option<&'a Actor> {
    let voucher = commit.vouched.as_ref()?;
    policy.actor(&voucher.actor).filter(|actor| actor.until.is_none_or(|until| time < until))
}

fn is_met(policy: &Policy, facts: &Facts, rule: &Rule, update: &Update) -> bool {
    if !rule.refs.touches(&update.refname) {
        return true;
    }
    let scope = update.scopes.get(&rule.name).filter(|_| update.action == Move::Create);
    let seen = scope.map_or(&update.entering, |scope| &scope.commits);
    if !is_described(facts, seen) {
        return false;
    }
    let extra: &[RepoPath] = if scope.is_some() { &[] } else { &update.extra };
    let every_path = scope.map_or(update.action == Move::Create, |scope| scope.every_path) || rule.paths.is_every();
    let commits = commits(facts, seen);
    let touches = |commit: &Commit| commit.paths.iter().any(|it| rule.paths.touches(&it.path));
    let applies = every_path || commits.iter().any(|it| touches(it)) || extra.iter().any(|path| rule.paths.touches(path));
    if !applies {
        return true;
    }
    // With every path, a commit that changes none is asked only by a rule without paths.
    let concerned = |commit: &Commit| {
        rule.paths.is_every() || if every_path { !commit.paths.is_empty() } else { touches(commit) }
    };
    let carries = |commit: &Commit, wanted: &String| commit.trailers.iter().any(|it| it.eq_ignore_ascii_case(wanted));
    let fine = |commit: &Commit| {
        voucher(policy, commit, facts.time).is_some()
            || rule.trailers.iter().all(|wanted| carries(commit, wanted))
                && (!rule.manifest || commit.manifest == ManifestTrailer::Matches)
                && (!rule.log || commit.log == LogTrailer::Holds)
    };
    (!rule.signed_push || matches!(facts.pusher, Pusher::Certificate { .. }))
        && rule.approvals.is_none()
        && commits.into_iter().filter(|commit| concerned(commit)).all(fine)
}
