use proptest::prelude::*;

use super::*;
use crate::policy::decide::{decide, tests};
use crate::policy::facts::Move;
use crate::policy::sample::{self, commit, key, push, update};

fn policy(rest: &str) -> Policy {
    let text = format!(
        "[actors.alice]\nroles = [\"all\"]\nkeys = [\"{}\"]\n[roles.all]\nallow = [{{ actions = [\"commit\", \
         \"create\", \"update\"], paths = [\"models/**\"] }}]\n{rest}",
        key(1)
    );
    sample::policy(&text)
}

fn check(policy: &Policy, facts: &Facts) -> (Reason, Facts) {
    let decision = decide(policy, facts);
    let (reason, kept) = sufficient(policy, facts, &decision).unwrap();
    let again = decide(policy, &kept);
    assert!(!again.accepted && again.reasons.iter().any(|each| each.code == reason.code), "{reason}");
    assert!(decision.reasons.iter().any(|each| (each.code, &each.rule) == (reason.code, &reason.rule)), "{reason}");
    (reason, kept)
}

#[test]
fn huge_denials_become_small() {
    let many: Vec<String> = (0..5000).map(|n| format!("models/a-rather-long-name-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let bad = [&many[..], &["other/x"]].concat();
    let all: Vec<u8> = (1..=100).collect();
    let commits = || vec![commit(1, &many); 100];
    let refs: Vec<_> = (0..1500).map(|n| update(Move::Update, &format!("refs/heads/x{n}"), &[])).collect();
    let demanding = policy("[[rules]]\nname = \"bound\"\npaths = [\"models/**\"]\nlog = true\n");
    let limited = policy("[limits]\nchanges-per-commit = 4000\n");
    let few = policy("[limits]\ncommits-per-push = 99\n");
    let logless = |commits: Vec<Commit>| {
        let logless = |commit| Commit { log: crate::policy::facts::LogTrailer::Missing, ..commit };
        commits.into_iter().map(logless).collect::<Vec<_>>()
    };
    let main = |action| vec![update(action, "refs/heads/main", &all)];
    for (policy, facts, code) in [
        (policy(""), push(1, vec![commit(1, &bad); 100], main(Move::Update)), Code::NotGranted),
        (policy(""), push(1, vec![commit(9, &many); 100], main(Move::Update)), Code::KeyUnknown),
        (policy(""), push(9, commits(), main(Move::Update)), Code::KeyUnknown),
        (policy(""), push(1, vec![], refs), Code::TooManyRefs),
        (demanding.clone(), push(1, logless(commits()), main(Move::Update)), Code::LogMissing),
        (demanding, push(1, logless(commits()), main(Move::Create)), Code::LogMissing),
        (limited, push(1, commits(), main(Move::Update)), Code::TooManyChanges),
        (few, push(1, commits(), main(Move::Update)), Code::TooManyCommits),
    ] {
        let (reason, kept) = check(&policy, &facts);
        assert_eq!(reason.code, code);
        let bytes = serde_json::to_vec(&kept).unwrap().len() + serde_json::to_vec(&reason).unwrap().len();
        assert!(bytes < 1800, "{code}: {bytes}");
    }
}

#[test]
fn an_accepted_push_has_no_denying_reason() {
    let facts = push(1, vec![commit(1, &["models/w"])], vec![update(Move::Update, "refs/heads/main", &[1])]);
    let decision = decide(&policy(""), &facts);
    assert!(decision.accepted);
    assert_eq!(sufficient(&policy(""), &facts, &decision), None);
}

proptest! {
    #[test]
    fn one_reason_and_few_facts_deny_as_well(draft in tests::policies(), facts in tests::facts()) {
        let policy = draft.policy();
        if decide(&policy, &facts).accepted {
            return Ok(());
        }
        let (reason, kept) = check(&policy, &facts);
        prop_assert!(kept.updates.len() <= 1 && kept.commits.len() <= 1, "{} {:?}", reason, kept);
        prop_assert!(kept.commits.values().all(|commit| commit.paths.len() <= 1));
        let bytes = serde_json::to_vec(&kept).unwrap().len();
        prop_assert!(bytes <= 1500, "{} {}", reason, bytes);
    }
}
