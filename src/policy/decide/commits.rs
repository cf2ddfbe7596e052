//! Condition 3: every entering commit is signed, by somebody who may change what it changes, and its trailers hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Listed;
use super::cover::Cover;
use super::findings::Findings;
use super::pusher::key_reason;
use crate::clock::Timestamp;
use crate::name::{ActorId, Oid};
use crate::policy::actor::Actor;
use crate::policy::document::Policy;
use crate::policy::facts::{Collision, Commit, Facts, LogTrailer, ManifestTrailer, Signature, Voucher};
use crate::policy::reason::{Code, Reason};
use crate::policy::role::Action;

/// Who signed the entering commits, as far as keys hold.
pub(super) fn signers(policy: &Policy, facts: &Facts) -> BTreeMap<Oid, ActorId> {
    let of = |oid: &Oid| {
        let actor = signer(policy, facts.commits.get(oid)?, facts.time).ok()?;
        Some((*oid, actor.id.clone()))
    };
    facts.updates.iter().flat_map(|update| &update.entering).filter_map(of).collect()
}

/// The enrolled actor who signed a commit.
pub(super) fn signer<'a>(policy: &'a Policy, commit: &Commit, time: Timestamp) -> Result<&'a Actor, Box<Reason>> {
    match &commit.signature {
        Signature::Missing => Err(Box::new(Reason::new(Code::CommitUnsigned))),
        Signature::Invalid { why } => Err(Box::new(Reason::new(Code::CommitSignatureInvalid).with_detail(why))),
        Signature::Valid { key } => policy.actor_of_key(key, time).map_err(|problem| Box::new(key_reason(&problem))),
    }
}

/// Who vouches for the entering commits that have no such signer.
pub(super) fn vouchers(facts: &Facts, signers: &BTreeMap<Oid, ActorId>) -> BTreeMap<Oid, Voucher> {
    let voucher = |oid: &Oid| Some((*oid, facts.commits.get(oid)?.vouched.clone()?));
    let entering = facts.updates.iter().flat_map(|update| &update.entering);
    entering.filter(|oid| !signers.contains_key(oid)).filter_map(voucher).collect()
}

pub(super) fn check<'a>(policy: &'a Policy, time: Timestamp, listed: &Listed<'a>, findings: &mut Findings) {
    let mut covers: HashMap<&ActorId, Cover<'a>> = HashMap::new();
    let (mut granted, mut vouched) = (BTreeSet::new(), BTreeSet::new());
    for (oid, commit) in &listed.commits {
        let about =
            |reason: Reason| Reason { commit: Some(*oid), refname: Some(listed.update.refname.clone()), ..reason };
        check_trailers(commit, |code| findings.note(about(Reason::new(code))));
        if let Some(Collision { path, with }) = &commit.collision {
            let reason = Reason::new(Code::PathCollision).with_detail(&format!("`{with}` stands beside it"));
            findings.note(about(Reason { path: Some(path.clone()), ..reason }));
        }
        let vouch = |reason| voucher(policy, commit, time).inspect(|actor| vouched.extend([&actor.id])).ok_or(reason);
        let signer = match signer(policy, commit, time).or_else(vouch) {
            Ok(signer) => signer,
            Err(reason) => {
                findings.note(about(*reason));
                continue;
            }
        };
        let cover = covers
            .entry(&signer.id)
            .or_insert_with(|| Cover::new(policy, signer, Action::Commit, &listed.update.refname));
        let denial =
            |code| Reason { action: Some(Action::Commit), actor: Some(signer.id.clone()), ..Reason::new(code) };
        check_paths(
            commit,
            cover,
            |role| granted.extend([(&signer.id, role)]),
            |code, path| findings.note(about(Reason { path: path.cloned(), ..denial(code) })),
        );
    }
    for actor in vouched {
        findings.note(Reason { actor: Some(actor.clone()), ..listed.reason(Code::Vouched) });
    }
    for (actor, role) in granted {
        let role = Some(role.to_owned());
        let reason = listed.reason(Code::Granted);
        findings.note(Reason { action: Some(Action::Commit), actor: Some(actor.clone()), role, ..reason });
    }
}

/// The admin who vouches for a commit, if he is still an actor.
pub(super) fn voucher<'a>(policy: &'a Policy, commit: &Commit, time: Timestamp) -> Option<&'a Actor> {
    policy.actor(&commit.vouched.as_ref()?.actor).filter(|actor| actor.expired(time).is_none())
}

fn check_trailers(commit: &Commit, mut deny: impl FnMut(Code)) {
    if commit.manifest == ManifestTrailer::Mismatch {
        deny(Code::ManifestMismatch);
    }
    if commit.log == LogTrailer::Fork {
        deny(Code::LogFork);
    }
}

/// A commit without paths needs some grant on the ref; a link one that permits links.
fn check_paths<'a>(
    commit: &'a Commit,
    cover: &mut Cover<'a>,
    mut grant: impl FnMut(&'a str),
    mut deny: impl FnMut(Code, Option<&crate::name::RepoPath>),
) {
    if commit.paths.is_empty() {
        match cover.anywhere() {
            Some(role) => grant(role),
            None => deny(Code::CommitNotGranted, None),
        }
    }
    for change in &commit.paths {
        let role = if change.link { cover.link(&change.path) } else { cover.path(&change.path) };
        match role {
            Some(role) => grant(role),
            None if cover.path(&change.path).is_some() => deny(Code::LinkNotGranted, Some(&change.path)),
            None => deny(Code::CommitNotGranted, Some(&change.path)),
        }
    }
}
