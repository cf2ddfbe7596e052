use proptest::prelude::*;

use super::*;
use crate::identity::ed25519::SecretKey;
use crate::identity::key::PublicKey;
use crate::identity::sshsig;
use crate::object::fixture::{Sandbox, vectors};

/// Whether the raw bytes are a commit with a valid signature.
fn verifies(raw: &[u8]) -> bool {
    let signature = Commit::parse(raw).ok().and_then(|commit| commit.signature);
    signature.is_some_and(|armour| sshsig::verify(armour.as_bytes(), "git", &signed_payload(raw)).is_ok())
}

fn vector(name: &str) -> Vec<u8> {
    vectors("valid/commit").into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn vectors_are_judged() {
    for (name, raw) in vectors("valid/commit") {
        let commit = Commit::parse(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(commit.author.name, "Alice M\u{fc}ller", "{name}");
        let untouched = ["root-signed", "merge-signed-with-mergetag", "empty-message"].contains(&name.as_str());
        assert_eq!(verifies(&raw), untouched, "{name}");
    }
    for (name, raw) in vectors("invalid/commit") {
        assert!(Commit::parse(&raw).is_err(), "{name}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let text = String::from_utf8(vector("root-signed")).unwrap();
    let tree = text.lines().next().unwrap().to_owned() + "\n";
    for (raw, expected) in [
        (text.replace("\ngpgsig", "\ngpgsig-sha256 x\ngpgsig"), CommitError::OtherSignature("gpgsig-sha256".into())),
        (text.replace("\ngpgsig", "\ngpgsig x\ngpgsig"), CommitError::Twice("gpgsig".into())),
        (text.replace("\ngpgsig", "\nencoding big5\ngpgsig"), CommitError::Encoding("big5".into())),
        (text.replace("\ngpgsig", "\nchange-id\ngpgsig"), CommitError::Line("change-id".into())),
        (text.replace(&tree, ""), CommitError::Missing("tree")),
        (text.replace("+0100", "0100"), CommitError::Person("author")),
        (text.replace('T', "\0"), CommitError::Nul),
        (" ".repeat(RAW_BYTES_MAX + 1), CommitError::TooLarge { bytes: RAW_BYTES_MAX + 1 }),
    ] {
        assert_eq!(Commit::parse(raw.as_bytes()).unwrap_err(), expected);
    }
}

#[test]
fn numbers_of_parents_and_headers_are_limited() {
    let text = String::from_utf8(vector("root-signed")).unwrap();
    let parents = |count| (0..count).map(|n| format!("parent {n:040x}\n")).collect::<Vec<_>>().concat();
    let with_parents = |count| text.replacen("author", &(parents(count) + "author"), 1);
    assert_eq!(Commit::parse(with_parents(PARENTS_MAX).as_bytes()).unwrap().parents.len(), PARENTS_MAX);
    let refused = Commit::parse(with_parents(PARENTS_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!(refused, CommitError::TooMany { what: "parents", max: PARENTS_MAX });

    let with_headers = |count| text.replacen("gpgsig", &("x y\n".repeat(count) + "gpgsig"), 1);
    assert_eq!(Commit::parse(with_headers(HEADERS_MAX - 1).as_bytes()).unwrap().headers.len(), HEADERS_MAX - 1);
    let refused = Commit::parse(with_headers(HEADERS_MAX).as_bytes()).unwrap_err();
    assert_eq!(refused, CommitError::TooMany { what: "headers", max: HEADERS_MAX });
}

#[test]
fn other_headers_are_kept_and_signed() {
    let raw = vector("other-headers");
    let commit = Commit::parse(&raw).unwrap();
    let names: Vec<_> = commit.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
    assert_eq!(names, [("change-id", "kxryzmor"), ("HG:extra", "a:b\nc")]);
    let payload = String::from_utf8(signed_payload(&raw)).unwrap();
    assert!(payload.contains("\nHG:extra a:b\n c\n\nSide\n") && !payload.contains("SSH"), "{payload}");
}

#[test]
fn commits_of_real_git_are_read_as_git_reads_them() {
    let key = SecretKey::from_seed(&[3; 32]);
    let sandbox = Sandbox::repository(&key);
    for (content, message) in [("1", "One\n\ngpgsig in the message\n"), ("2", "Two"), ("3", "Three\n\n\u{fc}")] {
        sandbox.write("file", content.as_bytes());
        sandbox.git(&["add", "."]);
        sandbox.git(&["commit", "-q", "-m", message]);
        let raw = sandbox.git(&["cat-file", "commit", "HEAD"]);
        let commit = Commit::parse(&raw).unwrap();
        let parents: Vec<_> = commit.parents.iter().map(Oid::to_string).collect();
        assert_eq!(commit.tree.to_string(), sandbox.git_text(&["log", "-1", "--format=%T"]));
        assert_eq!(parents.join(" "), sandbox.git_text(&["log", "-1", "--format=%P"]));
        assert_eq!(commit.message.trim_end(), sandbox.git_text(&["log", "-1", "--format=%B"]));
        assert_eq!(commit.author.seconds.to_string(), sandbox.git_text(&["log", "-1", "--format=%at"]));
        let signer = sshsig::verify(commit.signature.unwrap().as_bytes(), "git", &signed_payload(&raw)).unwrap();
        assert_eq!(signer, PublicKey::from_ed25519(key.public()));
    }
}

#[test]
fn no_other_bytes_verify() {
    let raw = vector("root-signed");
    assert!(verifies(&raw));
    for at in 0..raw.len() {
        for mask in [1, 0x20, 0x80] {
            let mut changed = raw.clone();
            changed[at] ^= mask;
            assert!(!verifies(&changed), "byte {at} ^ {mask}");
        }
        for inserted in *b"\n =x" {
            let mut longer = raw.clone();
            longer.insert(at, inserted);
            assert!(!verifies(&longer), "{inserted} before byte {at}");
        }
        let mut shorter = raw.clone();
        shorter.remove(at);
        assert!(!verifies(&shorter), "without byte {at}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..300), text in "(tree |parent |author |gpgsig | |[0-9a-f]{40}|\n|A <a> 1 \\+0000){0,30}") {
        for raw in [raw.as_slice(), text.as_bytes()] {
            let _ = Commit::parse(raw);
            prop_assert!(signed_payload(raw).len() <= raw.len());
        }
    }
}
