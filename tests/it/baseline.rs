//! History from before the ledger: nobody asked anything of it then, but it gets onto another ref only as anything
//! else does.

use crate::bank::Bank;

/// A branch `old` that was there before the gate, one commit ahead of `main`.
fn bank_with_old_branch(signing: &[&str]) -> Bank {
    let bank = Bank::closed();
    bank.seed();
    let dir = bank.bare_clone_of(&bank.bob, "before");
    let key = bank.bob.key_file().display().to_string();
    for (name, value) in [("gpg.format", "ssh"), ("user.signingKey", key.as_str())] {
        bank.bob.git(&dir, &["config", name, value]).ok();
    }
    bank.bob.commit_as(&dir, "models/old", "older\n", signing);
    bank.bob.push(&dir, &["HEAD:refs/heads/old"]).ok();
    bank
}

#[test]
fn a_signed_commit_of_the_baseline_gets_its_entry_when_it_enters_a_ref() {
    let bank = bank_with_old_branch(&["-S", "-m", "Older"]);
    // Without the rule that wants manifests, which nobody wrote then.
    let policy = bank.policy().replace("manifest = true", "signed-push = true");
    crate::world::write(bank.world.root(), "policy.toml", &policy);
    let file = bank.world.path("policy.toml");
    bank.carol.mledger(&bank.server, &["init", "--policy", file.to_str().unwrap()]).ok();
    bank.holds();

    let dir = bank.clone_of(&bank.bob);
    bank.bob.push(&dir, &["origin/old:refs/heads/main"]).ok();
    assert_eq!(bank.tip("refs/heads/main"), bank.tip("refs/heads/old"));
    let recorded = |bank: &Bank| bank.log().iter().filter(|entry| entry["kind"] == "commit").count();
    assert_eq!(recorded(&bank), 1);
    bank.holds();

    // Known now, and not recorded again: neither by a new branch nor by what builds on it.
    bank.bob.push(&dir, &["origin/old:refs/heads/dev/again"]).ok();
    bank.bob.git(&dir, &["checkout", "-q", "-b", "next", "origin/old"]).ok();
    bank.bob.commit(&dir, "models/new", "new\n");
    bank.bob.push(&dir, &["HEAD:refs/heads/main", "HEAD:refs/heads/dev/next"]).ok();
    assert_eq!(recorded(&bank), 2);
    bank.holds();
}

#[test]
fn an_unsigned_commit_of_the_baseline_gets_onto_no_other_ref() {
    let bank = bank_with_old_branch(&["-m", "Older"]);
    bank.gate("", &[]).ok();
    let dir = bank.clone_of(&bank.bob);
    bank.refused("commit-unsigned", "a commit is not signed", || bank.bob.push(&dir, &["origin/old:refs/heads/main"]));
}

#[test]
fn one_push_may_bring_a_baseline_commit_to_one_ref_and_name_it_by_another() {
    let bank = bank_with_old_branch(&["-S", "-m", "Older"]);
    let policy = bank.policy().replace("manifest = true", "signed-push = true");
    crate::world::write(bank.world.root(), "policy.toml", &policy);
    let file = bank.world.path("policy.toml");
    bank.carol.mledger(&bank.server, &["init", "--policy", file.to_str().unwrap()]).ok();
    let dir = bank.clone_of(&bank.bob);
    bank.bob.push(&dir, &["origin/old:refs/heads/main", "origin/old:refs/tags/v1", "origin/old:refs/heads/dev/x"]).ok();
    bank.holds();
}
