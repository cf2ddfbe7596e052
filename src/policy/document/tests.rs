use std::fs;

use super::*;
use crate::policy::actor::Kind;
use crate::policy::sample;

/// The policies under `tests/vectors/v1/<kind>/policy`, with their names.
fn vectors(kind: &str) -> Vec<(String, String)> {
    let folder = format!("{}/tests/vectors/v1/{kind}/policy", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files
        .map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&file).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 2, "{folder} is empty");
    found
}

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../../schemas/policy.v1.schema.json");
    let schema = serde_json::from_str(text).unwrap();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    jsonschema::validator_for(&schema).unwrap()
}

/// The document as JSON: dates become text.
fn json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(entries) => entries.into_iter().map(|(key, value)| (key, json(value))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

#[test]
fn good_policies_are_read_and_fit_the_schema() {
    let schema = schema();
    for (name, text) in vectors("valid") {
        assert_eq!(Policy::parse(&text).err(), None, "{name}");
        let document = json(toml::from_str(&text).unwrap());
        let errors: Vec<_> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

/// Each file ends with the errors that it gives, one in a line after `#! `.
#[test]
fn every_mistake_is_named_with_its_place() {
    let mut wrong = vec![];
    for (name, text) in vectors("invalid") {
        let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#! ")).collect();
        let errors: Vec<_> = Policy::parse(&text).unwrap_err().iter().map(ToString::to_string).collect();
        if errors != expected {
            wrong.push(format!("{name}:\n#! {}\n", errors.join("\n#! ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

/// `form-*` break the schema, too; `meaning-*` are mistakes beyond it.
#[test]
fn the_schema_refuses_what_is_malformed() {
    let schema = schema();
    for (name, text) in vectors("invalid") {
        let Ok(document) = toml::from_str(&text) else { continue };
        assert_eq!(schema.is_valid(&json(document)), name.starts_with("meaning-"), "{name}");
    }
}

#[test]
fn everything_is_read_as_written() {
    let (_, text) = vectors("valid").into_iter().find(|(name, _)| name == "everything").unwrap();
    let policy = Policy::parse(&text).unwrap();
    let id = |text: &str| ActorId::parse(text).unwrap();
    assert_eq!((policy.name(), policy.admin().threshold), ("Modèles 模型", 2));
    assert_eq!(policy.admin().actors, BTreeSet::from([id("ann"), id("ben")]));
    let ann = policy.actor(&id("ann")).unwrap();
    assert_eq!((ann.name.as_deref(), ann.kind, ann.logins.len()), (Some("Ann"), Kind::Person, 6));
    let moments = [ann.keys[1].from, ann.keys[1].until, ann.keys[1].revoked].map(|moment| moment.unwrap().to_string());
    assert_eq!(moments, ["2026-01-01T00:00:00.000Z", "2027-01-01T12:30:00.000Z", "2026-05-01T00:00:00.500Z"]);
    assert_eq!(policy.actor(&id("trainer")).unwrap().until, Some(sample::time("2026-12-31")));
    assert_eq!(policy.actor(&id("helper")).unwrap().kind, Kind::Agent);
    let roles: Vec<_> = policy.roles_of(ann).iter().map(|held| (held.role.name.as_str(), held.via)).collect();
    assert_eq!(roles, [("lead", None), ("reader", None), ("writer", Some(0))]);
    let grants: Vec<_> = policy.grants_of(ann).iter().map(|held| held.grant.to_string()).collect();
    assert_eq!(
        grants,
        [
            "review on every branch and tag at every path",
            "commit, create, update, rewrite, delete, approve, review on every branch and tag at every path",
            "commit on refs/notes/models at **/card.md, v?/*.bin, links too",
        ]
    );
    let [all, one] = policy.rules() else { panic!("two rules") };
    let approvals = all.approvals.as_ref().unwrap();
    assert_eq!((approvals.count, approvals.independent, approvals.max_age_ms), (100, false, Some(900_000)));
    assert!(all.signed_push && all.manifest && all.log && all.trailers == ["Change-Kind"]);
    assert!(one.approvals.as_ref().unwrap().independent && one.paths.is_every() && !one.is_about_commits());
    let limits = Limits { changes_per_commit: 1, commits_per_push: 10_000, file_size: 2 << 30, refs_per_push: 16 };
    assert_eq!(*policy.limits(), limits);
}

#[test]
fn keys_and_logins_lead_to_their_actor() {
    let policy = sample::policy(&format!(
        "[actors.ann]\nlogins = [\"http:ann\"]\nkeys = [\"{}\"]\nuntil = 2026-06-01\n",
        sample::key(1)
    ));
    let (before, after) = (sample::time("2026-05-31"), sample::time("2026-06-01"));
    let key = sample::key(1);
    assert_eq!(policy.actor_of_key(key.id(), before).unwrap().id.as_str(), "ann");
    assert_eq!(policy.actor_of_login("http:ann", before).unwrap().id.as_str(), "ann");
    assert_eq!(policy.actor_of_login(&format!("ssh-user-auth:{}", key.id()), before).unwrap().id.as_str(), "ann");
    assert_eq!(policy.key_owner(key.id()).unwrap().as_str(), "ann");
    assert!(matches!(policy.actor_of_key(key.id(), after), Err(KeyProblem::ActorExpired { .. })));
    assert!(matches!(policy.actor_of_login("http:ann", after), Err(LoginProblem::ActorExpired { .. })));
    assert!(matches!(policy.actor_of_login("gitea:ann", before), Err(LoginProblem::Unknown { .. })));
    assert!(matches!(policy.actor_of_key(sample::key(2).id(), before), Err(KeyProblem::Unknown { .. })));
}

#[test]
fn hostile_texts_are_refused_in_bounded_time() {
    let many = |line: fn(usize) -> String| (0..20_000).map(line).collect::<String>();
    for text in [
        "#".repeat(Policy::TEXT_BYTES_MAX + 1),
        "[".repeat(100_000),
        "a.".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        many(|n| format!("[roles.r{n}]\ninherits = [\"r{}\"]\n", n + 1)),
        many(|n| format!("[actors.a{n}]\nroles = [\"x{n}\"]\n")),
        many(|n| format!("field-{n} = 1\n")),
    ] {
        let errors = Policy::parse(&text).unwrap_err();
        assert!((1..=Policy::ERRORS_MAX).contains(&errors.len()));
        assert!(errors.iter().all(|error| error.message.len() < 1000));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(at in 0..2000_usize, junk in "[\\[\\]{}\"'=,#.a0\n-]{0,6}") {
        let (_, mut text) = vectors("valid").swap_remove(1);
        let at = text.ceil_char_boundary(at.min(text.len()));
        text.replace_range(at..text.ceil_char_boundary((at + 3).min(text.len())), &junk);
        let errors = Policy::parse(&text).err().unwrap_or_default();
        proptest::prop_assert!(errors.iter().all(|error| error.line >= 1 && error.column >= 1));
    }
}
