//! Refs that are neither branches nor tags, and tags that are not what they seem.

use serde_json::json;

use super::{rev, wide, with_maintainer};
use crate::bank::Bank;
use crate::world::write;

#[test]
fn other_refs_need_a_grant_that_names_them() {
    let grants = "[roles.maintainer]\nallow = [\n  { actions = [\"commit\", \"create\", \"update\", \"rewrite\", \"delete\"] },\n  \
        { actions = [\"commit\", \"create\", \"update\"], refs = [\"refs/notes/commits\"] },\n  \
        { actions = [\"commit\", \"create\", \"update\"], refs = [\"refs/notes/*\", \"refs/**\"] },\n]\n";
    let bank = Bank::open_under(|policy| with_maintainer(&policy, grants), &[]);
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    let tip = bob.commit(&dir, "models/a", "one");
    bob.push(&dir, &["HEAD:refs/notes/commits"]).ok();
    assert_eq!(bank.tip("refs/notes/commits"), tip);
    // Granted by a pattern only, or never to be had.
    let names = ["refs/notes/other", "refs/changes/1", "refs/remotes/origin/x", "refs/for/main", "refs/mledger/x"];
    for name in names.map(str::to_owned).into_iter().chain([format!("refs/replace/{tip}")]) {
        let said = bank.refused("ref-forbidden", "only branches and tags may be pushed", || {
            bob.push(&dir, &[&format!("HEAD:{name}")])
        });
        assert!(said.contains("try     git push origin HEAD:refs/heads/BRANCH"), "{said}");
    }
    // What Git's own notes program writes is signed by nobody.
    bob.git(&dir, &["fetch", "-q", "origin", "refs/notes/commits:refs/notes/commits"]).ok();
    bob.git(&dir, &["notes", "add", "-m", "seen"]).ok();
    bank.refused("commit-unsigned", "a commit is not signed", || bob.push(&dir, &["refs/notes/commits"]));
}

#[test]
fn a_branch_takes_no_tag() {
    let bank = wide();
    let (bob, dir) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.commit(&dir, "models/a", "one");
    bob.git(&dir, &["tag", "-s", "-m", "release", "v1"]).ok();
    let tag = rev(bob, &dir, "v1");
    bank.refused("update-problem", "calls itself `v1`, and is pushed to `refs/heads/v1`", || {
        bob.push(&dir, &[&format!("{tag}:refs/heads/v1")])
    });
    bank.refused("update-problem", "tag again under that name", || bob.push(&dir, &[&format!("{tag}:refs/tags/v2")]));
    bob.push(&dir, &["v1", "HEAD:refs/heads/main"]).ok();
    // Both kinds of tag beside one another, and one in place of the other.
    bob.push(&dir, &["HEAD:refs/tags/light"]).ok();
    bank.refused("update-problem", "calls itself `v1`", || bob.push(&dir, &["-f", &format!("{tag}:refs/tags/light")]));
    bob.push(&dir, &["-f", "HEAD:refs/tags/v1"]).ok();
    bob.push(&dir, &["-f", "v1"]).ok();
    assert_eq!(bank.tip("refs/tags/v1"), tag);
    bank.holds();
}

#[test]
fn an_observing_policy_lets_every_move_through_and_names_what_was_wrong() {
    let bank = Bank::open_under(
        |policy| policy.replacen("name = \"models\"", "name = \"models\"\nmode = \"observe\"", 1),
        &[],
    );
    let dir = bank.bare_clone_of(&bank.mallory, "theirs");
    let person = &bank.mallory;
    person.commit(&dir, "README", "theirs");
    person.git(&dir, &["tag", "-m", "unsigned", "v1"]).ok();
    person.push(&dir, &["HEAD:refs/heads/main", "v1"]).ok();
    assert_eq!(bank.tip("refs/tags/v1"), rev(person, &dir, "v1"));
    let push = bank.newest_push();
    let codes: Vec<String> = bank.leaf(push["index"].as_u64().unwrap())["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["code"].as_str().unwrap().to_owned())
        .collect();
    assert!(codes.contains(&"tag-unsigned".to_owned()) && codes.contains(&"commit-unsigned".to_owned()), "{codes:?}");
    // An evil merge, a link, a rewind, a deletion.
    person.git(&dir, &["checkout", "-q", "-b", "side", "HEAD~1"]).ok();
    person.commit(&dir, "models/s", "side");
    person.git(&dir, &["merge", "-q", "--no-commit", "main"]).ok();
    write(&dir, "EVIL", "neither side");
    std::os::unix::fs::symlink("a", dir.join("models/link")).unwrap();
    person.git(&dir, &["add", "."]).ok();
    person.git(&dir, &["commit", "-q", "-m", "Merge"]).ok();
    person.push(&dir, &["HEAD:refs/heads/main"]).ok();
    person.push(&dir, &["-f", "HEAD~2:refs/heads/main", "HEAD:refs/heads/dev/x"]).ok();
    person.push(&dir, &[":refs/heads/dev/x", ":refs/tags/v1"]).ok();
    let report = bank.holds();
    assert_eq!(report["decisions"], json!({ "accepted": 0, "denied": 0, "replayed": 4, "tolerated": 4 }));
    // What no entry could hold stays out.
    let head =
        format!("object {}\ntype commit\ntag v2\ntagger m <m@x> 1795436102 +0000\n\nx\n", rev(person, &dir, "HEAD"));
    let pgp = head + "-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n";
    let pgp = person.write_object(&dir, "tag", pgp.as_bytes());
    bank.refused("update-problem", "not an SSH signature", || person.push(&dir, &[&format!("{pgp}:refs/tags/v2")]));
}

#[test]
fn what_was_tolerated_counts_as_what_was_there_before() {
    let rule = "[[rules]]\nname = \"releases are bound\"\nrefs = [\"refs/tags/v*\"]\nmanifest = true\n";
    let observing = |policy: String| policy.replacen("name = \"models\"", "name = \"models\"\nmode = \"observe\"", 1);
    let bank = Bank::open_under(observing, &[]);
    let dir = bank.bare_clone_of(&bank.mallory, "theirs");
    bank.mallory.commit(&dir, "README", "theirs");
    bank.mallory.push(&dir, &["HEAD:refs/heads/dev/theirs"]).ok();
    let admin = bank.clone_of(&bank.carol);
    write(&admin, "new.toml", &(bank.policy() + rule));
    bank.carol.mledger(&admin, &["policy", "apply", "new.toml"]).ok();
    // Known, it may stand on a new branch; no branch takes it in, and no rule takes it for met.
    let (bob, his) = (&bank.bob, bank.clone_of(&bank.bob));
    bob.push(&his, &["origin/dev/theirs:refs/heads/dev/x"]).ok();
    bank.refused("commit-unsigned", "a commit is not signed", || {
        bob.push(&his, &["origin/dev/theirs:refs/heads/main"])
    });
    bank.refused("manifest-missing", "releases are bound", || bob.push(&his, &["origin/dev/theirs:refs/tags/v1"]));
}
