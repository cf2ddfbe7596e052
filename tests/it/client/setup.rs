//! `mledger init` in a clone: which key, which actor, which settings, and what it tells.

use std::fs;

use crate::world::{Person, World};

fn init(world: &World, person: &Person, words: &[&str]) -> serde_json::Value {
    person.git(world.root(), &["init", "-q", "model"]).ok();
    let words = [&["--json", "init"], words].concat();
    serde_json::from_str(&person.mledger(&world.path("model"), &words).ok()).unwrap()
}

#[test]
fn the_key_at_home_signs_and_the_enrolment_names_it() {
    let world = World::new();
    let alice = world.person("Alice");
    let report = init(&world, &alice, &[]);
    assert_eq!(report["actor"], "alice@bank.example");
    assert_eq!(report["key"]["found"], "home");
    assert_eq!(report["key"]["public"], alice.public_key());
    assert_eq!(report["ledger"]["state"], "no-remote");
    let lines: toml::Table = report["enrolment"].as_str().unwrap().parse().unwrap();
    assert_eq!(lines["actors"]["alice@bank.example"]["keys"][0].as_str(), Some(alice.public_key().as_str()));
    assert_eq!(lines["actors"]["alice@bank.example"]["name"].as_str(), Some("Alice"));
    let get = |key| alice.git(&world.path("model"), &["config", "--local", "--get", key]).ok();
    assert_eq!(get("gpg.format"), "ssh");
    assert_eq!(get("user.signingKey"), alice.key_file().display().to_string());
    assert_eq!((get("commit.gpgSign"), get("push.gpgSign")), ("true".into(), "if-asked".into()));
    // With it, a plain `git tag v1` would make an annotated tag and ask for a message.
    assert_ne!(alice.git(&world.path("model"), &["config", "--local", "--get", "tag.gpgSign"]).code, Some(0));
}

#[test]
fn doing_it_again_changes_nothing() {
    let world = World::new();
    let alice = world.person("alice");
    let first = init(&world, &alice, &[]);
    assert!(!first["settings"].as_array().unwrap().is_empty());
    let config = fs::read(world.path("model/.git/config")).unwrap();
    let second = init(&world, &alice, &[]);
    assert_eq!(second["settings"].as_array().unwrap().len(), 0, "{second}");
    assert!(second["hooks"].as_object().unwrap().values().all(|done| done == "unchanged"), "{second}");
    assert_eq!(second["enrolment"], first["enrolment"]);
    assert_eq!(fs::read(world.path("model/.git/config")).unwrap(), config);
}

#[test]
fn without_a_key_one_is_made_and_then_kept() {
    let world = World::new();
    let bob = world.person_without_key("bob");
    let report = init(&world, &bob, &[]);
    assert_eq!(report["key"]["found"], "made");
    let path = bob.home.join(".ssh/mledger_ed25519");
    assert_eq!(report["key"]["configured"], path.display().to_string());
    let line = fs::read_to_string(bob.home.join(".ssh/mledger_ed25519.pub")).unwrap();
    assert!(line.starts_with(report["key"]["public"].as_str().unwrap()));
    let again = init(&world, &bob, &[]);
    assert_eq!(again["key"]["public"], report["key"]["public"]);
    bob.git(&world.path("model"), &["commit", "-q", "--allow-empty", "-m", "one"]).ok();
    assert!(bob.git(&world.path("model"), &["cat-file", "commit", "HEAD"]).ok().contains("BEGIN SSH SIGNATURE"));
}

#[test]
fn a_chosen_key_and_actor_win() {
    let world = World::new();
    let (alice, other) = (world.person("alice"), world.person("other"));
    let file = other.key_file().display().to_string();
    let report = init(&world, &alice, &["--key", &file, "--actor", "deploy-bot"]);
    assert_eq!(report["key"]["public"], other.public_key());
    assert_eq!(report["actor"], "deploy-bot");
    assert_eq!(init(&world, &alice, &[])["actor"], "deploy-bot", "it is remembered");
    fs::remove_file(other.home.join(".ssh/id_ed25519.pub")).unwrap();
    let from_private = init(&world, &alice, &["--key", &file]);
    assert_eq!(from_private["key"]["public"], report["key"]["public"]);
}

#[test]
fn the_key_that_git_signs_with_is_kept() {
    let world = World::new();
    let (alice, other) = (world.person("alice"), world.person("other"));
    let literal = format!("key::{}", other.public_key());
    for configured in [other.key_file().display().to_string(), literal] {
        alice.git(world.root(), &["config", "--global", "gpg.format", "ssh"]).ok();
        alice.git(world.root(), &["config", "--global", "user.signingKey", &configured]).ok();
        let report = init(&world, &alice, &[]);
        assert_eq!(report["key"]["found"], "configured");
        assert_eq!(report["key"]["configured"], configured);
        alice.mledger(&world.path("model"), &["init", "--undo"]).ok();
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let world = World::new();
    let alice = world.person("alice");
    alice.git(world.root(), &["init", "-q", "model"]).ok();
    let dir = world.path("model");
    fs::write(world.path("dsa.pub"), "ssh-dss AAAAB3NzaC1kc3M= me\n").unwrap();
    let dsa = world.path("dsa").display().to_string();
    for (words, expected) in [
        (&["init", "--key", dsa.as_str()][..], "use ssh-ed25519"),
        (&["init", "--key", "missing"], "missing"),
        (&["init", "--remote", "nowhere"], "no remote called `nowhere`"),
        (&["init", "--policy", "policy.toml"], "bare repository"),
    ] {
        let err = alice.mledger(&dir, words).fails();
        assert!(err.contains(expected), "{err}");
    }
    assert!(!dir.join(".git/hooks/pre-push").exists());
}
