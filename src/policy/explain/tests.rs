use super::*;
use crate::name::RefName;
use crate::policy::sample;

fn policy() -> Policy {
    let text = r#"
[actors.alice]
name = "Alice"
roles = ["lead"]
logins = ["gitea:alice"]
keys = [{ key = "KEY", from = 2026-01-01, until = 2027-01-01 }]
until = 2028-01-01
[actors.guest]
kind = "agent"
[roles.engineer]
allow = [{ actions = ["commit"], paths = ["models/**"] }]
[roles.maintainer]
inherits = ["engineer"]
allow = [{ actions = ["create", "update"], refs = ["refs/heads/main"], paths = ["models/**"] }]
[roles.lead]
inherits = ["maintainer", "engineer"]
[[rules]]
name = "reviewed"
refs = ["refs/heads/main"]
paths = ["models/credit/**"]
approvals = { count = 2, roles = ["lead"] }
[[rules]]
name = "elsewhere"
refs = ["refs/heads/release/**"]
log = true
"#;
    sample::policy(&text.replace("KEY", &sample::key(1).to_string()))
}

fn id(text: &str) -> ActorId {
    ActorId::parse(text).unwrap()
}

#[test]
fn an_actor_is_explained_with_all_that_applies() {
    let explanation = explain(&policy(), &id("alice")).unwrap();
    let expected = format!(
        "alice (Alice): person, until 2028-01-01T00:00:00.000Z
  login gitea:alice
  key {}, from 2026-01-01T00:00:00.000Z, until 2027-01-01T00:00:00.000Z
  role lead
  role maintainer, inherited by lead
    create, update on refs/heads/main at models/**
  role engineer, inherited by lead
    commit on every branch and tag at models/**
  rule `reviewed`: 2 independent approvals of lead
    on refs/heads/main at models/credit/**
",
        sample::key(1).id()
    );
    assert_eq!(explanation.to_string(), expected);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["roles"][1]["via"], serde_json::json!(["lead"]));
    assert_eq!(json["rules"][0]["rule"], "reviewed");
    assert_eq!(explain(&policy(), &id("guest")).unwrap().to_string(), "guest: agent\n  no role: may do nothing\n");
    assert!(explain(&policy(), &id("root")).unwrap().admin);
    assert_eq!(explain(&policy(), &id("nobody")), None);
}

#[test]
fn questions_name_the_grant_or_the_lack() {
    for (actor, action, refname, path, at, expected) in [
        ("alice", Action::Update, "refs/heads/main", Some("models/w"), "2026-06-01", "yes, by role `maintainer`"),
        ("alice", Action::Update, "refs/heads/main", Some("models/credit/w"), "2026-06-01", "are met: reviewed"),
        ("alice", Action::Commit, "refs/heads/x", Some("models/w"), "2026-06-01", "yes, by role `engineer`"),
        ("alice", Action::Commit, "refs/heads/x", None, "2026-06-01", "yes, by role `engineer`"),
        ("alice", Action::Update, "refs/heads/main", Some("x"), "2026-06-01", "only at models/**"),
        ("alice", Action::Update, "refs/heads/x", None, "2026-06-01", "only on refs/heads/main"),
        ("alice", Action::Delete, "refs/heads/main", None, "2026-06-01", "has this action"),
        ("alice", Action::Update, "refs/replace/x", None, "2026-06-01", "nobody may push there"),
        ("alice", Action::Update, "refs/heads/main", None, "2028-01-01", "until 2028"),
        ("nobody", Action::Update, "refs/heads/main", None, "2026-06-01", "no such actor"),
    ] {
        let refname = RefName::parse(refname).unwrap();
        let path = path.map(sample::path);
        let answer = explain_question(&policy(), &id(actor), action, &refname, path.as_ref(), sample::time(at));
        assert!(answer.to_string().contains(expected), "{actor} {action} {refname}: {answer}");
        assert_eq!(answer.is_granted(), expected.contains("yes") || expected.contains("met"));
    }
}
