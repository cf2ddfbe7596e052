//! Policy texts: what they mean does not hang on how they are written, and every mistake has a place.

use mledger::clock::Timestamp;
use mledger::policy::change::{check_change, owners};
use mledger::policy::explain::explain;
use mledger::policy::{Policy, PolicyError};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let table = text.parse::<toml::Table>();
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(errors) => return mistakes(text, &errors),
    };
    let table = table.expect("a policy is TOML");
    // Written anew, with other spelling and order of tables, it is the same.
    let other = toml::to_string(&table).expect("a table can be written");
    assert_eq!(Policy::parse(&other).as_ref(), Ok(&policy), "{other}");
    let commented = format!("# first\n{text}\n# last");
    assert_eq!(Policy::parse(&commented).as_ref(), Ok(&policy));
    sound(&policy);
}

fn mistakes(text: &str, errors: &[PolicyError]) {
    assert!(!errors.is_empty() && errors.len() <= Policy::ERRORS_MAX);
    assert!(errors.is_sorted_by_key(|error| (error.line, error.column)));
    let lines = text.split('\n').count();
    for error in errors {
        assert!((1..=lines).contains(&error.line), "{error}");
        let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
        assert!((1..=line.chars().count() + 1).contains(&error.column), "{error} in {line:?}");
        assert!(!error.message.is_empty());
    }
}

/// What the type promises.
fn sound(policy: &Policy) {
    let now = Timestamp::from_millis(1_795_436_102_000).expect("a time");
    let admin = policy.admin();
    assert!((1..=admin.actors.len() as u64).contains(&admin.threshold));
    assert!(admin.actors.iter().all(|id| policy.actor(id).is_some_and(|actor| !actor.keys.is_empty())));
    for actor in policy.actors() {
        for key in &actor.keys {
            assert_eq!(policy.key_owner(key.public.id()), Some(&actor.id));
            let counts = key.from.is_none_or(|from| from <= now)
                && [key.until, key.revoked, actor.until].iter().flatten().all(|end| now < *end);
            assert_eq!(policy.actor_of_key(key.public.id(), now).is_ok(), counts);
        }
        for login in &actor.logins {
            let found = policy.actor_of_login(login.as_str(), now);
            assert_eq!(found.is_ok(), actor.expired(now).is_none());
        }
        assert!(actor.roles.iter().all(|role| policy.role(role).is_some()));
        let roles = policy.roles_of(actor);
        let mut names: Vec<&str> = roles.iter().map(|held| held.role.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), roles.len());
        let grants: usize = roles.iter().map(|held| held.role.allow.len()).sum();
        assert_eq!(policy.grants_of(actor).len(), grants);
        assert!(explain(policy, &actor.id).is_some());
    }
    for role in policy.roles() {
        assert!(role.inherits.iter().all(|parent| policy.role(parent).is_some()));
        assert!(role.allow.iter().all(|grant| !grant.actions.is_empty()));
    }
    // To change nothing is always allowed.
    let history = owners(policy);
    assert_eq!(check_change(policy, policy, &history).as_ref().ok(), Some(&history));
}
