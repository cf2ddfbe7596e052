//! Decisions on any facts under any small policy, against the conditions of the gate written down plainly.

mod draft;
mod plainly;

use arbitrary::{Result, Unstructured};
use mledger::policy::decide::{decide, decide_in_full};
use mledger::policy::facts::Facts;
use mledger::policy::reason::{Decision, REASONS_MAX};
use mledger::policy::{Policy, sufficient};

use self::draft::Draft;

pub fn check(data: &[u8]) {
    let _ = judge(&mut Unstructured::new(data));
}

fn judge(input: &mut Unstructured<'_>) -> Result<()> {
    let mut draft = Draft::arbitrary(input)?;
    let facts = draft::facts(input)?;
    let policy = draft.policy();
    let decision = decide(&policy, &facts);
    assert_eq!(decision, decide(&policy, &facts));
    assert_eq!(decision.accepted, plainly::permits(&policy, &facts), "{facts:#?}\n{decision:#?}");
    explains_itself(&decision, &policy, &facts);
    // Facts and decisions stand in leaves.
    assert_eq!(decision, through_json(&decision));
    assert_eq!(facts, through_json(&facts));
    denial_is_small(&decision, &policy, &facts);
    // Who may less, or of whom more is demanded, gets no further.
    if !decision.accepted {
        draft.grants.pop();
        assert!(!decide(&draft.policy(), &facts).accepted, "without a grant a push is let through");
        draft.rules.push(draft::rule(input)?);
        assert!(!decide(&draft.policy(), &facts).accepted, "with a rule a push is let through");
    }
    draft.grants.clear();
    assert!(!decide(&draft.policy(), &facts).accepted, "nothing is granted, and a push is let through");
    Ok(())
}

fn explains_itself(decision: &Decision, policy: &Policy, facts: &Facts) {
    assert!(!decision.reasons.is_empty(), "a decision without a reason");
    assert!(decision.reasons.len() <= REASONS_MAX);
    assert!(decision.reasons.iter().all(|reason| reason.code.denies() != decision.accepted));
    let full = decide_in_full(policy, facts);
    assert_eq!((full.accepted, &full.pusher), (decision.accepted, &decision.pusher));
    assert!(full.reasons.len() >= decision.reasons.len());
}

/// What a denial's leaf keeps is denied for the same.
fn denial_is_small(decision: &Decision, policy: &Policy, facts: &Facts) {
    let kept = sufficient(policy, facts, decision);
    assert_eq!(kept.is_some(), !decision.accepted);
    let Some((reason, kept)) = kept else { return };
    let again = decide_in_full(policy, &kept);
    assert!(!again.accepted);
    assert!(again.reasons.contains(&reason));
    let bytes = serde_json::to_vec(&kept).expect("facts can be written").len();
    assert!(bytes <= 1500, "{bytes} bytes are kept of a denial: {kept:?}");
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it can be written");
    serde_json::from_str(&text).expect("what is written is read")
}
