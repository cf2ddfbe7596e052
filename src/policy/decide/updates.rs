//! Condition 2: every update is granted to the pusher: one grant covers action, ref and path, for every path that the
//! update touches.

use std::collections::BTreeSet;

use super::Listed;
use super::cover::Cover;
use super::findings::Findings;
use crate::policy::actor::Actor;
use crate::policy::document::Policy;
use crate::policy::facts::{Move, Update};
use crate::policy::pattern::RefClass;
use crate::policy::reason::{Code, Reason};
use crate::policy::role::Action;

pub(super) fn check(policy: &Policy, pusher: Option<&Actor>, listed: &Listed<'_>, findings: &mut Findings) {
    let update = listed.update;
    if let Some(problem) = &update.problem {
        findings.note(listed.reason(Code::UpdateProblem).with_detail(problem));
    }
    if let Some(contradiction) = contradiction(update) {
        findings.note(listed.reason(Code::FactsIncomplete).with_detail(contradiction));
    }
    let action = Action::from(update.action);
    let cover = pusher.map(|actor| (actor, Cover::new(policy, actor, action, &update.refname)));
    let granted = cover.as_ref().and_then(|(_, cover)| cover.anywhere()).is_some();
    if RefClass::of(&update.refname) != RefClass::Ordinary && !granted {
        let actor = pusher.map(|actor| actor.id.clone());
        findings.note(Reason { action: Some(action), actor, ..listed.reason(Code::RefForbidden) });
    } else if let Some((actor, cover)) = cover {
        check_paths(actor, action, cover, listed, findings);
    }
}

/// What an update says of its tips must fit its move, or it is not the update that was judged.
fn contradiction(update: &Update) -> Option<&'static str> {
    let fits = match update.action {
        Move::Create => update.old.is_none() && update.new.is_some(),
        Move::Update | Move::Rewrite => update.old.is_some() && update.new.is_some(),
        Move::Delete => update.new.is_none() && update.entering.is_empty(),
    };
    (!fits).then_some("the move does not fit its tips")
}

fn check_paths<'a>(actor: &Actor, action: Action, mut cover: Cover<'a>, listed: &Listed<'a>, findings: &mut Findings) {
    let about = |code| Reason { action: Some(action), actor: Some(actor.id.clone()), ..listed.reason(code) };
    let Some(first) = cover.anywhere() else { return findings.note(about(Code::NotGranted)) };
    let own = listed.commits.iter().flat_map(|(_, commit)| commit.paths.iter().map(|change| &change.path));
    let touched: BTreeSet<_> = own.chain(&listed.update.extra).collect();
    let mut roles = BTreeSet::new();
    roles.extend(touched.is_empty().then_some(first));
    for path in touched {
        match cover.path(path) {
            Some(role) => roles.extend([role]),
            None => findings.note(Reason { path: Some(path.clone()), ..about(Code::NotGranted) }),
        }
    }
    for role in roles {
        findings.note(Reason { role: Some(role.to_owned()), ..about(Code::Granted) });
    }
}
