//! Condition 3: every entering commit is signed, by somebody who may change what it changes, and its trailers hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Listed;
use super::cover::Cover;
use super::findings::Findings;
use super::pusher::key_reason;
use crate::clock::Timestamp;
use crate::name::{ActorId, Oid};
use crate::policy::document::Policy;
use crate::policy::facts::{Collision, Commit, Facts, LogTrailer, ManifestTrailer, Signature};
use crate::policy::reason::{Code, Reason};
use crate::policy::role::Action;

/// Who signed the entering commits, as far as keys hold.
pub(super) fn signers(policy: &Policy, facts: &Facts) -> BTreeMap<Oid, ActorId> {
    let signer = |oid: &Oid| match &facts.commits.get(oid)?.signature {
        Signature::Valid { key } => policy.actor_of_key(key, facts.time).ok().map(|actor| (*oid, actor.id.clone())),
        Signature::Invalid { .. } | Signature::Missing => None,
    };
    facts.updates.iter().flat_map(|update| &update.entering).filter_map(signer).collect()
}

pub(super) fn check<'a>(policy: &'a Policy, time: Timestamp, listed: &Listed<'a>, findings: &mut Findings) {
    let mut covers: HashMap<&ActorId, Cover<'a>> = HashMap::new();
    let mut granted = BTreeSet::new();
    for (oid, commit) in &listed.commits {
        let about =
            |reason: Reason| Reason { commit: Some(*oid), refname: Some(listed.update.refname.clone()), ..reason };
        check_trailers(commit, |code| findings.note(about(Reason::new(code))));
        if let Some(Collision { path, with }) = &commit.collision {
            let reason = Reason::new(Code::PathCollision).with_detail(&format!("`{with}` stands beside it"));
            findings.note(about(Reason { path: Some(path.clone()), ..reason }));
        }
        let signer = match &commit.signature {
            Signature::Missing => Err(Reason::new(Code::CommitUnsigned)),
            Signature::Invalid { why } => Err(Reason::new(Code::CommitSignatureInvalid).with_detail(why)),
            Signature::Valid { key } => policy.actor_of_key(key, time).map_err(|problem| key_reason(&problem)),
        };
        let signer = match signer {
            Ok(signer) => signer,
            Err(reason) => {
                findings.note(about(reason));
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
    for (actor, role) in granted {
        let role = Some(role.to_owned());
        let reason = listed.reason(Code::Granted);
        findings.note(Reason { action: Some(Action::Commit), actor: Some(actor.clone()), role, ..reason });
    }
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
