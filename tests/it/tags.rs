//! Annotated tags: signed by an actor, of a commit, under their own name.

use crate::bank::Bank;
use crate::world::{Person, write};

/// A bank whose `main` has a signed commit, and Bob's clone of it.
fn open() -> (Bank, std::path::PathBuf) {
    let bank = Bank::open_with(
        "[[rules]]\nname = \"tags are pushed signed\"\nrefs = [\"refs/tags/**\"]\nsigned-push = true\n",
        &[],
    );
    let dir = bank.clone_of(&bank.bob);
    bank.bob.commit(&dir, "models/a", "one");
    bank.bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    (bank, dir)
}

fn tag(person: &Person, dir: &std::path::Path, words: &[&str]) -> String {
    person.git(dir, &[&["tag", "-m", "release"], words].concat()).ok();
    person.git(dir, &["rev-parse", words.last().unwrap()]).ok()
}

#[test]
fn a_signed_tag_is_created_moved_and_deleted() {
    let (bank, dir) = open();
    let delete = "[roles.maintainer]\ninherits = [\"engineer\"]\nallow = [\n  { actions = [\"commit\"] },\n  { actions = [\"create\", \"update\", \"rewrite\", \"delete\"] },\n]\n";
    let policy = bank.policy();
    let start = policy.find("[roles.maintainer]").unwrap();
    let end = policy.find("[[rules]]").unwrap();
    let text = format!("{}{delete}{}", &policy[..start], &policy[end..]);
    let carol = bank.clone_of(&bank.carol);
    write(&carol, "new.toml", &text);
    bank.carol.mledger(&carol, &["policy", "apply", "new.toml"]).ok();

    let first = tag(&bank.bob, &dir, &["-s", "v1"]);
    bank.bob.push(&dir, &["v1"]).ok();
    assert_eq!(bank.tip("refs/tags/v1"), first);
    let push = bank.newest_push();
    let leaf = bank.leaf(push["index"].as_u64().unwrap());
    assert!(leaf["updates"][0]["tag"].is_string(), "{leaf:#}");
    bank.holds();

    // A commit that comes with the tag is judged like any other.
    bank.bob.commit(&dir, "models/b", "two");
    let second = tag(&bank.bob, &dir, &["-s", "-f", "v1"]);
    bank.bob.push(&dir, &["--force", "v1"]).ok();
    assert_eq!(bank.tip("refs/tags/v1"), second);
    assert_eq!(bank.newest_push()["refs"][0], "refs/tags/v1");
    // Back to the first, which is a rewrite, then to a bare commit, then away.
    bank.bob.push(&dir, &["--force", &format!("{first}:refs/tags/v1")]).ok();
    bank.bob.push(&dir, &["--force", "HEAD:refs/tags/v1"]).ok();
    bank.bob.push(&dir, &[":refs/tags/v1"]).ok();
    bank.bob.push(&dir, &["HEAD:refs/heads/main"]).ok();
    let moves: Vec<String> = bank
        .log()
        .iter()
        .filter(|row| row["decision"] == "accepted")
        .map(|row| row["story"].as_str().unwrap().split(' ').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(moves, ["update", "create", "update", "rewrite", "update", "delete", "update"]);
    let report = bank.holds();
    assert_eq!(report["decisions"]["accepted"], 7);
}

#[test]
fn a_tag_that_nobody_enrolled_signed_is_refused() {
    let (bank, dir) = open();
    tag(&bank.bob, &dir, &["-a", "v1"]);
    bank.refused("tag-unsigned", "an annotated tag is not signed", || bank.bob.push(&dir, &["v1"]));

    let raw = |person: &Person, head: &str| {
        let signed = format!("{head}\nrelease\n");
        let object = format!("{signed}{}", person.sign("git", signed.as_bytes()));
        bank.bob.write_object(&dir, "tag", object.as_bytes())
    };
    let commit = bank.bob.git(&dir, &["rev-parse", "HEAD"]).ok();
    let tree = bank.bob.git(&dir, &["rev-parse", "HEAD^{tree}"]).ok();
    let head = |kind: &str, object: &str, name: &str| {
        format!("object {object}\ntype {kind}\ntag {name}\ntagger Bob <bob@bank.example> 1795436102 +0000\n")
    };
    let by_mallory = raw(&bank.mallory, &head("commit", &commit, "v1"));
    bank.refused("key-unknown", "no actor of the policy has this key", || {
        bank.bob.push(&dir, &[&format!("{by_mallory}:refs/tags/v1")])
    });

    // Signed for another version, and pushed as this one.
    let other = raw(&bank.bob, &head("commit", &commit, "v0"));
    bank.refused("update-problem", "calls itself `v0`", || bank.bob.push(&dir, &[&format!("{other}:refs/tags/v1")]));

    let of_tree = raw(&bank.bob, &head("tree", &tree, "v1"));
    bank.refused("update-problem", "only tags of commits", || {
        bank.bob.push(&dir, &[&format!("{of_tree}:refs/tags/v1")])
    });
    let good = raw(&bank.bob, &head("commit", &commit, "v1"));
    let of_tag = raw(&bank.bob, &head("tag", &good, "v1"));
    bank.refused("update-problem", "only tags of commits", || {
        bank.bob.push(&dir, &[&format!("{of_tag}:refs/tags/v1")])
    });
    let twice = {
        let signed = format!("{}\nrelease\n", head("commit", &commit, "v1"));
        let armour = bank.bob.sign("git", signed.as_bytes());
        bank.bob.write_object(&dir, "tag", format!("{signed}{armour}{armour}").as_bytes())
    };
    bank.refused("update-problem", "more than one signature", || {
        bank.bob.push(&dir, &[&format!("{twice}:refs/tags/v1")])
    });
    let bent = {
        let signed = format!("{}\nrelease\n", head("commit", &commit, "v1"));
        let armour = bank.bob.sign("git", signed.as_bytes());
        bank.bob.write_object(&dir, "tag", format!("{}{armour}", signed.replace("release", "Release")).as_bytes())
    };
    bank.refused("tag-signature-invalid", "the tag's signature does not count", || {
        bank.bob.push(&dir, &[&format!("{bent}:refs/tags/v1")])
    });
    bank.bob.push(&dir, &[&format!("{good}:refs/tags/v1")]).ok();
    bank.holds();
}
