use super::*;
use crate::clock::Timestamp;
use crate::identity::ed25519::SecretKey;
use crate::identity::key::{KeyId, PublicKey};
use crate::name::{ActorId, RepoPath};
use crate::policy::decide::decide;
use crate::policy::facts::{LogTrailer, ManifestTrailer, Move, Path, Scope, Signature, Tag, Voucher};

/// An actor id as long as any.
fn actor() -> ActorId {
    ActorId::parse(&"a".repeat(ActorId::BYTES_MAX)).unwrap()
}

fn key() -> KeyId {
    PublicKey::from_ed25519(SecretKey::from_seed(&[7; 32]).public()).id().clone()
}

/// A policy of one actor with a rule whose name is long.
fn policy() -> Policy {
    let public = PublicKey::from_ed25519(SecretKey::from_seed(&[7; 32]).public());
    Policy::parse(&format!(
        "mledger = 1\nname = \"sample\"\n[admin]\nactors = [\"{0}\"]\n[actors.\"{0}\"]\nkeys = [\"{public}\"]\n\
         roles = [\"all\"]\n[roles.all]\nallow = [{{ actions = [\"update\", \"create\", \"commit\"], paths = [\"models/**\"] }}]\n\
         [[rules]]\nname = \"{1}\"\nmanifest = true\n",
        actor(),
        "\u{e9}\\\\".repeat(66)
    ))
    .unwrap()
}

fn oid(byte: u8) -> Oid {
    Oid::from_bytes([byte; 20])
}

fn push(pusher: Pusher, refname: &str, paths: &[&[u8]], problem: Option<&str>) -> Facts {
    let change = |path: &&[u8]| Path { bytes: Some(1), link: true, path: RepoPath::from_bytes(path).unwrap() };
    let commit = facts::Commit {
        collision: None,
        log: LogTrailer::Fork,
        manifest: ManifestTrailer::Missing,
        paths: paths.iter().map(change).collect(),
        signature: Signature::Valid { key: key() },
        trailers: BTreeSet::from(["T".repeat(3000)]),
        vouched: Some(Voucher { actor: actor(), entry: 999_999_999 }),
    };
    let update = |n: u8| facts::Update {
        entering: vec![oid(1)],
        extra: paths.iter().map(|path| RepoPath::from_bytes(path).unwrap()).collect(),
        action: Move::Update,
        new: Some(oid(2)),
        old: Some(oid(3)),
        problem: problem.map(str::to_owned),
        refname: RefName::parse(&format!("{refname}{n}")).unwrap(),
        scopes: BTreeMap::from([("rule".to_owned(), Scope { commits: vec![oid(1)], every_path: true })]),
        tag: Some(Tag { commit: oid(4), signature: Signature::Invalid { why: "\u{1}".repeat(5000) } }),
    };
    let time = Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap();
    let commits = BTreeMap::from([(oid(1), commit)]);
    Facts { commits, pusher, time, totals: None, updates: (0..9).map(update).collect() }
}

/// The denial as it is recorded, which must be denied again for its reason.
fn denied(facts: &Facts) -> Push {
    let policy = policy();
    let decision = decide(&policy, facts);
    assert!(!decision.accepted);
    let mut draft = Draft::new(7, Vec::new());
    draft.deny(&policy, facts, &decision, 999_999_999);
    let [leaf] = draft.batch.leaves.as_slice() else { panic!("not one leaf") };
    let bytes = leaf.to_bytes().unwrap();
    assert!(bytes.len() <= DENIAL_BYTES_MAX, "{} bytes: {}", bytes.len(), String::from_utf8_lossy(&bytes));
    let Leaf::Push(push) = Leaf::parse(&bytes).unwrap() else { panic!("no push") };
    let kept = push.facts.as_ref().unwrap();
    let again = decide_in_full(&policy, kept);
    assert!(!again.accepted && again.reasons.contains(&push.reasons[0]) && kept.pusher == push.pusher);
    *push
}

#[test]
fn a_denial_is_short_whatever_the_names() {
    let login = |name: &str| Pusher::Login { login: format!("http:{}", name.repeat(128)) };
    let refused = |why: &str| Pusher::Refused { why: why.repeat(1000) };
    let certificate = Pusher::Certificate { key: key() };
    let foreign = Pusher::Certificate { key: KeyId::of_blob(b"foreign") };
    let pushers =
        [certificate, foreign, login("\""), login("\\"), refused("\u{1}"), refused("\u{1f600}"), Pusher::Unknown];
    let quotes = format!("refs/heads/{}", "\"".repeat(243));
    let wide = format!("refs/heads/{}", "\u{1f600}".repeat(60));
    let paths: [&[&[u8]]; 4] = [&[], &[b"x"], &[&[b'"'; 4096]], &[&[0xff; 4096], b"models/ok"]];
    for pusher in &pushers {
        for refname in ["refs/heads/x", &quotes, &wide] {
            for paths in paths {
                for problem in [None, Some("\u{2}".repeat(5000).as_str()), Some("short")] {
                    denied(&push(pusher.clone(), refname, paths, problem));
                }
            }
        }
    }
}

#[test]
fn a_denial_of_usual_size_keeps_its_reason_and_its_refs() {
    let certificate = Pusher::Certificate { key: key() };
    let mut facts = push(certificate, "refs/heads/x", &[b"README"], None);
    facts.updates.iter_mut().for_each(|update| update.tag = None);
    let push = denied(&facts);
    assert_ne!(push.reasons[0].code, Code::UpdateProblem);
    assert_eq!(push.updates.len(), Push::DENIED_UPDATES_MAX);
}

#[test]
fn a_denial_without_room_names_its_ref_and_code() {
    let certificate = Pusher::Certificate { key: key() };
    let mut facts = push(certificate, "refs/heads/x", &[&[b'"'; 4096]], None);
    facts.commits.values_mut().for_each(|commit| commit.log = LogTrailer::Holds);
    facts.updates.truncate(1);
    let push = denied(&facts);
    let reason = &push.reasons[0];
    assert_eq!(
        (reason.code, reason.refname.as_ref().map(RefName::as_str)),
        (Code::UpdateProblem, Some("refs/heads/x0"))
    );
    assert!(reason.detail.as_deref().unwrap().ends_with("about names too long to record"), "{reason}");
}
