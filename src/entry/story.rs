//! A leaf in one line, for `git log refs/mledger/log`, `mledger log` and messages.
//!
//! `verify` holds the subjects of ledger commits against these words: they are never put otherwise, only added to.

use super::denials::Denials;
use super::leaf::{Leaf, Push, State, Verdict};
use crate::policy::facts::{Move, Pusher};

/// The subject line of an append: its most telling leaf.
pub fn of_batch(leaves: &[Leaf]) -> String {
    leaves.iter().max_by_key(|leaf| weight(leaf.kind())).map(of_leaf).unwrap_or_default()
}

/// How telling a leaf of that kind is; of several the last counts.
pub fn weight(kind: &str) -> u8 {
    match kind {
        "genesis" => 5,
        "policy" | "import" | "reconcile" => 4,
        "push" => 3,
        "observed" => 2,
        "landed" | "denials" => 1,
        _ => 0,
    }
}

/// One line about one leaf.
pub fn of_leaf(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Genesis(genesis) => format!("the ledger {} begins", genesis.origin),
        Leaf::Policy(policy) => format!("the policy is now sha256:{:.12}…", policy.digest.hex()),
        Leaf::Commit(commit) => match (&commit.actor, &commit.vouched_by) {
            (Some(actor), _) => format!("{actor} signed {}", commit.oid.short()),
            (None, Some(voucher)) => format!("{} vouches for {}", voucher.actor, commit.oid.short()),
            (None, None) => format!("nobody enrolled signed {}", commit.oid.short()),
        },
        Leaf::Push(push) => of_push(push),
        Leaf::Landed(landed) => {
            let word = |state| if state == State::Landed { "landed" } else { "void" };
            let parts =
                landed.updates.iter().map(|update| format!("{} {}", update.refname.short(), word(update.state)));
            format!("push {}: {}", landed.push, listed(parts))
        }
        Leaf::Observed(observed) => {
            format!("unexplained: {}", listed(observed.refs.iter().map(|seen| seen.refname.short().to_owned())))
        }
        Leaf::Import(import) => format!("{} vouches for {}", import.actor, commits(import.count)),
        Leaf::Reconcile(reconcile) => {
            format!("{} takes refs as they stand ({})", reconcile.actor, commits(reconcile.commits.count))
        }
        Leaf::Denials(Denials { count: 1, source, .. }) => format!("1 more denial of {source}"),
        Leaf::Denials(Denials { count, source, .. }) => format!("{count} more denials of {source}"),
    }
}

fn of_push(push: &Push) -> String {
    let who = match (&push.actor, &push.pusher) {
        (Some(actor), _) => actor.to_string(),
        (None, Pusher::Certificate { key }) => format!("unknown key {:.15}…", key.to_string()),
        (None, Pusher::Login { login }) => format!("unknown login {login}"),
        (None, Pusher::Refused { .. } | Pusher::Unknown) => "somebody unknown".to_owned(),
    };
    let moves = counted(
        push.updates_count(),
        push.updates.iter().map(|update| {
            let word = match update.action {
                Move::Create => "create",
                Move::Update => "update",
                Move::Rewrite => "rewrite",
                Move::Delete => "delete",
            };
            format!("{word} {}", update.refname.short())
        }),
    );
    match push.decision {
        Verdict::Tolerated => {
            let code = push.reasons.first().map(|reason| format!(", though {}", reason.code)).unwrap_or_default();
            format!("{who} was let through to {moves} ({}){code}", commits(push.commits.count))
        }
        Verdict::Accepted => format!("{who} may {moves} ({})", commits(push.commits.count)),
        Verdict::Denied => {
            let code = push.reasons.first().map(|reason| format!(": {}", reason.code)).unwrap_or_default();
            format!("{who} may not {moves}{code}")
        }
    }
}

/// The first of them, and how many more there are: a push may move a thousand refs.
fn listed(parts: impl ExactSizeIterator<Item = String>) -> String {
    counted(parts.len(), parts)
}

/// The same where there are more than those at hand.
fn counted(count: usize, parts: impl Iterator<Item = String>) -> String {
    const SHOWN_MAX: usize = 3;
    let shown = parts.take(SHOWN_MAX).collect::<Vec<_>>();
    let more = count.saturating_sub(shown.len());
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn commits(count: u64) -> String {
    match count {
        0 => "no new commit".to_owned(),
        1 => "1 commit".to_owned(),
        _ => format!("{count} commits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_counted() {
        for (count, shown) in
            [(0, ""), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (1000, "0, 1, 2 and 997 more")]
        {
            assert_eq!(listed((0..count).map(|part: i32| part.to_string())), shown);
        }
    }
}
