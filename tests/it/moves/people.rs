//! Who may: keys that end, people who leave, and what was theirs.

use std::path::Path;

use super::alices;
use crate::bank::Bank;
use crate::world::{Person, Run, write};

/// `policy apply` by Carol of the policy in force, changed.
fn apply(bank: &Bank, dir: &Path, change: impl FnOnce(String) -> String) -> Run {
    let old = bank.carol.mledger(dir, &["policy", "show"]).ok() + "\n";
    let new = change(old.clone());
    assert_ne!(new, old);
    write(dir, "new.toml", &new);
    bank.carol.mledger(dir, &["policy", "apply", "new.toml"])
}

/// The policy where this person's key is a table with one more word.
fn with_key(policy: &str, person: &Person, more: &str) -> String {
    let key = person.public_key();
    policy.replace(&format!("\"{key}\""), &format!("{{ key = \"{key}\", {more} }}"))
}

#[test]
fn a_key_that_ended_signs_nothing_more_however_old_the_commit() {
    for (more, code, words) in [
        ("revoked = 2026-01-01", "key-revoked", "the key of alice@bank.example is revoked"),
        ("until = 2026-01-01", "key-expired", "the key of alice@bank.example has expired"),
        ("from = 2099-01-01", "key-not-yet-valid", "the key of alice@bank.example is not valid yet"),
    ] {
        let bank = Bank::open();
        let (alice, dir) = (&bank.alice, alices(&bank));
        alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
        let (his, admin) = (bank.clone_of(&bank.bob), bank.clone_of(&bank.carol));
        apply(&bank, &admin, |policy| with_key(&policy, alice, more)).ok();
        // Neither her pushes, nor new commits of hers, nor old ones on another ref.
        let said = bank.refused(code, words, || alice.push(&dir, &["HEAD:refs/heads/dev/b"]));
        assert!(said.contains("try     ask carol@bank.example for a valid key in the policy"), "{said}");
        bank.refused(code, words, || bank.bob.push(&his, &["origin/dev/a:refs/heads/main"]));
        alice.commit(&dir, "models/a", "two");
        bank.bob.git(&his, &["fetch", "-q", dir.to_str().unwrap(), "HEAD:new"]).ok();
        bank.refused(code, words, || bank.bob.push(&his, &["new:refs/heads/dev/a"]));
        // What stands, stands, and what is made of it is judged by who makes it.
        bank.bob.push(&his, &["origin/dev/a:refs/heads/dev/kept"]).ok();
        bank.bob.git(&his, &["checkout", "-q", "-B", "squashed", "origin/main"]).ok();
        bank.bob.git(&his, &["cherry-pick", "origin/dev/a"]).ok();
        bank.bob.push(&his, &["HEAD:refs/heads/main"]).ok();
        bank.holds();
    }
}

#[test]
fn a_key_or_login_is_its_first_owners_for_ever() {
    let bank = Bank::open();
    let admin = bank.clone_of(&bank.carol);
    let actor = |policy: &str| {
        let start = policy.find("[actors.\"alice@bank.example\"]").unwrap();
        let end = start + policy[start..].find("[roles.").unwrap();
        policy[start..end].to_owned()
    };
    let block = actor(&bank.policy());
    // Alice leaves; years later somebody else is to have her key, or her login.
    apply(&bank, &admin, |policy| policy.replace(&block, "")).ok();
    let bobs = bank.bob.public_key();
    let key = apply(&bank, &admin, |policy| {
        policy
            .replace(&format!("keys = [\"{bobs}\"]"), &format!("keys = [\"{bobs}\", \"{}\"]", bank.alice.public_key()))
    });
    assert_eq!(key.code, Some(3), "{key:#?}");
    assert!(key.err.contains("was `alice@bank.example`'s before; a key belongs to one actor for ever"), "{key:#?}");
    let login = apply(&bank, &admin, |policy| {
        policy.replace(&format!("keys = [\"{bobs}\"]"), &format!("keys = [\"{bobs}\"]\nlogins = [\"env:alice\"]"))
    });
    assert!(login.err.contains("a login belongs to one actor for ever"), "{login:#?}");
    // She herself may come back.
    apply(&bank, &admin, |policy| format!("{policy}{block}")).ok();
    bank.holds();
}

#[test]
fn one_admin_is_not_two() {
    let bank = Bank::open_under(
        |policy| {
            policy.replace(
                "actors = [\"carol@bank.example\"]",
                "actors = [\"bob@bank.example\", \"carol@bank.example\"]\nthreshold = 2",
            )
        },
        &[],
    );
    let admin = bank.clone_of(&bank.carol);
    let size = bank.size();
    let run = apply(&bank, &admin, |policy| policy.replace("name = \"models\"", "name = \"mine\""));
    assert!(run.code == Some(3) && run.err.contains("1 of 2 necessary admins signed"), "{run:#?}");
    assert_eq!(bank.size(), size + 1);
    bank.holds();
}

#[test]
fn who_vouched_must_still_be_somebody() {
    let more = "[actors.\"dora@bank.example\"]\nroles = [\"maintainer\"]\nkeys = [\"KEY\"]\n";
    let bank = Bank::closed();
    bank.seed();
    let dora = bank.world.person("dora");
    let policy = bank
        .policy()
        .replace("actors = [\"carol@bank.example\"]", "actors = [\"carol@bank.example\", \"dora@bank.example\"]")
        + &more.replace("KEY", &dora.public_key());
    write(bank.world.root(), "two.toml", &policy);
    let file = bank.world.path("two.toml");
    bank.carol
        .mledger(&bank.server, &["init", "--origin", crate::bank::ORIGIN, "--policy", file.to_str().unwrap()])
        .ok();
    let dir = bank.bare_clone_of(&bank.bob, "upstream");
    bank.bob.commit(&dir, "models/u", "upstream");
    bank.bob.mledger(&dir, &["init"]).ok();
    let hers = bank.clone_of(&dora);
    dora.git(&hers, &["fetch", "-q", dir.to_str().unwrap(), "HEAD:vendor"]).ok();
    dora.mledger(&hers, &["import", "vendor", "--reason", "reviewed"]).ok();
    // She leaves before anybody has pushed it.
    let admin = bank.clone_of(&bank.carol);
    apply(&bank, &admin, |policy| {
        let policy = policy
            .replace("actors = [\"carol@bank.example\", \"dora@bank.example\"]", "actors = [\"carol@bank.example\"]");
        policy.replace("[actors.\"dora@bank.example\"]\n", "[actors.\"dora@bank.example\"]\nuntil = 2026-01-01\n")
    })
    .ok();
    bank.refused("commit-unsigned", "a commit is not signed", || bank.bob.push(&dir, &["HEAD:refs/heads/main"]));
}
