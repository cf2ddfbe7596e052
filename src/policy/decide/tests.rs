use proptest::prelude::*;

use super::*;
use crate::name::ActorId;
use crate::policy::facts::{
    Collision, LogTrailer, ManifestTrailer, Move, Pusher, Scope, Signature, Tag, Totals, Voucher,
};
use crate::policy::sample::{self, commit, key, oid, path, push, update};

mod arbitrary;
pub(in crate::policy) use arbitrary::{facts, policies};

const MAIN: &str = "refs/heads/main";
const DEV: &str = "refs/heads/dev/x";

/// Alice (1) engineer, Bob (2) maintainer, Carol (3) gone, Dora (4) with a key that comes, goes and is revoked.
fn policy() -> Policy {
    let text = r#"
[actors.alice]
roles = ["engineer"]
logins = ["http:alice"]
keys = ["KEY1"]
[actors.bob]
roles = ["maintainer"]
keys = ["KEY2"]
[actors.carol]
roles = ["maintainer"]
logins = ["http:carol"]
keys = ["KEY3"]
until = 2026-05-01
[actors.dora]
roles = ["maintainer"]
keys = [
  { key = "KEY4", from = 2026-07-01 },
  { key = "KEY5", until = 2026-06-01 },
  { key = "KEY6", revoked = 2026-01-01 },
]
[roles.engineer]
allow = [
  { actions = ["commit"], paths = ["models/**", "configs/**"] },
  { actions = ["create", "update", "rewrite", "delete"], refs = ["refs/heads/dev/**"] },
  { actions = ["commit"], refs = ["refs/heads/dev/**"], paths = ["links/**"], links = true },
]
[roles.maintainer]
inherits = ["engineer"]
allow = [
  { actions = ["create", "update"], refs = ["refs/heads/main", "refs/tags/v*", "refs/notes/models", "refs/x/*"] },
  { actions = ["rewrite", "delete"], refs = ["refs/heads/main"], paths = ["configs/**"] },
  { actions = ["commit"], refs = ["refs/notes/models"] },
]
[[rules]]
name = "ticket"
refs = ["refs/heads/main"]
paths = ["models/credit/**"]
trailers = ["ticket", "Change-Kind"]
[[rules]]
name = "bound"
refs = ["refs/heads/main", "refs/tags/**"]
paths = ["models/bound/**"]
manifest = true
log = true
[[rules]]
name = "signed"
refs = ["refs/heads/main"]
signed-push = true
[[rules]]
name = "reviewed"
refs = ["refs/heads/main"]
paths = ["models/reviewed/**"]
approvals = { count = 2, roles = ["maintainer", "engineer"] }
[limits]
file-size = "1kB"
commits-per-push = 3
changes-per-commit = 4
refs-per-push = 2
"#;
    let text = (1..=6).fold(text.to_owned(), |text, n| text.replace(&format!("KEY{n}"), &key(n).to_string()));
    sample::policy(&text)
}

/// A reason in one line, without its detail: `code actor action ref rule commit path +more`.
fn told(reason: &Reason) -> String {
    let mut words = vec![reason.code.to_string()];
    words.extend(reason.actor.as_ref().map(ToString::to_string));
    words.extend(reason.role.as_ref().map(|role| format!("as {role}")));
    words.extend(reason.action.map(|action| action.to_string()));
    words.extend(reason.refname.as_ref().map(|refname| refname.short().to_owned()));
    words.extend(reason.rule.as_ref().map(|rule| format!("`{rule}`")));
    words.extend(reason.commit.map(|commit| format!("#{}", commit.as_bytes()[0])));
    words.extend(reason.path.as_ref().map(ToString::to_string));
    words.extend((reason.more > 0).then(|| format!("+{}", reason.more)));
    words.join(" ")
}

fn check(facts: &Facts, expected: &[&str]) -> Decision {
    let decision = decide(&policy(), facts);
    assert_eq!(decision.reasons.iter().map(told).collect::<Vec<_>>(), expected, "{facts:#?}");
    assert_eq!(decision.accepted, decision.reasons.iter().all(|reason| !reason.code.denies()));
    decision
}

/// Bob pushes these paths of his to main.
fn bob(paths: &[&str]) -> Facts {
    push(2, vec![commit(2, paths)], vec![update(Move::Update, MAIN, &[1])])
}

fn with(mut facts: Facts, change: impl FnOnce(&mut Facts)) -> Facts {
    change(&mut facts);
    facts
}

fn first(facts: &mut Facts) -> &mut Commit {
    facts.commits.get_mut(&oid(1)).unwrap()
}

#[test]
fn what_is_granted_is_accepted_with_what_granted_it() {
    let decision = check(
        &push(2, vec![commit(1, &["models/w"]), commit(2, &[])], vec![update(Move::Update, MAIN, &[1, 2])]),
        &[
            "granted bob as maintainer update main",
            "granted alice as engineer commit main",
            "granted bob as engineer commit main",
            "rule-met `signed`",
        ],
    );
    assert_eq!(decision.pusher.unwrap().as_str(), "bob");
    assert_eq!(decision.signers.values().map(ActorId::as_str).collect::<Vec<_>>(), ["alice", "bob"]);
    check(
        &with(push(1, vec![], vec![update(Move::Delete, DEV, &[])]), |facts| {
            facts.pusher = Pusher::Login { login: "http:alice".to_owned() };
            facts.updates[0].extra = vec![path("anything")];
        }),
        &["granted alice as engineer delete dev/x"],
    );
    check(
        &with(push(1, vec![], vec![update(Move::Create, DEV, &[])]), |facts| {
            facts.pusher = Pusher::Login { login: format!("ssh-user-auth:{}", key(1).id()) };
        }),
        &["granted alice as engineer create dev/x"],
    );
}

#[test]
fn an_unknown_pusher_is_denied() {
    let dev = || push(1, vec![], vec![update(Move::Update, DEV, &[])]);
    let by = |seed: u8| Pusher::Certificate { key: key(seed).id().clone() };
    let login = |login: &str| Pusher::Login { login: login.to_owned() };
    for (pusher, expected) in [
        (Pusher::Unknown, "pusher-unknown"),
        (Pusher::Refused { why: "deploy key".to_owned() }, "pusher-refused"),
        (by(9), "key-unknown"),
        (by(3), "actor-expired carol"),
        (by(4), "key-not-yet-valid dora"),
        (by(5), "key-expired dora"),
        (by(6), "key-revoked dora"),
        (login("http:mallory"), "login-unknown"),
        (login("http:carol"), "actor-expired carol"),
        (login(&format!("ssh-user-auth:{}", key(5).id())), "key-expired dora"),
        (login("ssh-user-auth:x"), "login-unknown"),
    ] {
        check(&with(dev(), |facts| facts.pusher = pusher), &[expected]);
    }
}

#[test]
fn keys_count_from_their_first_moment_to_before_their_last() {
    let at = |seed: u8, time: &str| {
        let facts = push(seed, vec![], vec![update(Move::Update, DEV, &[])]);
        decide(&policy(), &Facts { time: sample::time(time), ..facts }).accepted
    };
    for (seed, time, expected) in [
        (4, "2026-06-30", false),
        (4, "2026-07-01", true),
        (5, "2026-05-31", true),
        (5, "2026-06-01", false),
        (6, "2025-12-31", true),
        (6, "2026-01-01", false),
        (3, "2026-04-30", true),
        (3, "2026-05-01", false),
    ] {
        assert_eq!(at(seed, time), expected, "key {seed} at {time}");
    }
}

#[test]
fn one_grant_covers_action_ref_and_every_path() {
    let extra = |action, refname, paths: &[&str]| {
        let paths = paths.iter().map(|text| path(text)).collect();
        with(push(2, vec![], vec![update(action, refname, &[])]), |facts| facts.updates[0].extra = paths)
    };
    check(&push(1, vec![], vec![update(Move::Update, MAIN, &[])]), &["not-granted alice update main"]);
    check(
        &extra(Move::Rewrite, MAIN, &["configs/a"]),
        &["granted bob as maintainer rewrite main", "rule-met `signed`"],
    );
    check(&extra(Move::Rewrite, MAIN, &["a", "b", "configs/a"]), &["not-granted bob rewrite main a +1"]);
    // No grant for `delete main` without paths is asked for where nothing is touched.
    check(&extra(Move::Delete, MAIN, &[]), &["granted bob as maintainer delete main", "rule-met `signed`"]);
    check(
        &extra(Move::Rewrite, MAIN, &[".gitattributes"]),
        &["not-granted bob rewrite main .gitattributes", "approvals-missing main `reviewed` .gitattributes"],
    );
    check(
        &extra(Move::Rewrite, MAIN, &["configs/.gitattributes"]),
        &["granted bob as maintainer rewrite main", "rule-met `signed`"],
    );
    let moved = push(2, vec![commit(2, &["models/w"])], vec![update(Move::Rewrite, MAIN, &[1])]);
    check(&moved, &["not-granted bob rewrite main models/w"]);
}

#[test]
fn refs_outside_branches_and_tags_are_forbidden() {
    let to = |refname| push(2, vec![commit(2, &["any"])], vec![update(Move::Update, refname, &[1])]);
    let granted =
        ["granted bob as maintainer update refs/notes/models", "granted bob as maintainer commit refs/notes/models"];
    check(&to("refs/notes/models"), &granted);
    for refname in ["refs/notes/other", "refs/x/y", "refs/mledger/log", "refs/Replace/a", "refs/for/main"] {
        let denied =
            [format!("ref-forbidden bob update {refname}"), format!("commit-not-granted bob commit {refname} #1 any")];
        check(&to(refname), &denied.each_ref().map(String::as_str));
    }
}

#[test]
fn commits_are_signed_by_who_may() {
    let signed = |signature: Signature| with(bob(&["models/w"]), |facts| first(facts).signature = signature);
    let by = |seed: u8| Signature::Valid { key: key(seed).id().clone() };
    let why = "bad armour".to_owned();
    for (signature, expected) in [
        (Signature::Missing, "commit-unsigned main #1"),
        (Signature::Invalid { why }, "commit-signature-invalid main #1"),
        (by(9), "key-unknown main #1"),
        (by(4), "key-not-yet-valid dora main #1"),
        (by(5), "key-expired dora main #1"),
        (by(6), "key-revoked dora main #1"),
        (by(3), "actor-expired carol main #1"),
        (by(255), "commit-not-granted root commit main #1 models/w"),
    ] {
        assert!(check(&signed(signature), &[expected]).signers.is_empty() || expected.contains("root"));
    }
    check(&bob(&["a", "models/w", "b"]), &["commit-not-granted bob commit main #1 a +1"]);
    // A control file in `models` might change what any file beneath it is.
    check(
        &bob(&["models/.gitattributes"]),
        &[
            "trailer-missing main `ticket` #1 models/.gitattributes",
            "approvals-missing main `reviewed` models/.gitattributes",
        ],
    );
}

#[test]
fn paths_that_collide_deny_whoever_adds_them() {
    let colliding = with(bob(&["models/w"]), |facts| {
        first(facts).collision = Some(Collision { path: path("models/w"), with: path("models/W") });
    });
    let decision = check(&colliding, &["path-collision main #1 models/w"]);
    assert_eq!(decision.reasons[0].detail.as_deref(), Some("`models/W` stands beside it"));
}

#[test]
fn links_need_a_grant_that_says_so() {
    let link = |refname, at: &str| {
        let facts = push(2, vec![commit(1, &[at])], vec![update(Move::Update, refname, &[1])]);
        with(facts, |facts| first(facts).paths[0].link = true)
    };
    check(&link(MAIN, "models/w"), &["link-not-granted alice commit main #1 models/w"]);
    check(&link(MAIN, "links/w"), &["commit-not-granted alice commit main #1 links/w"]);
    check(&link(DEV, "links/w"), &["granted bob as engineer update dev/x", "granted alice as engineer commit dev/x"]);
}

#[test]
fn false_trailers_always_deny() {
    let dev = || push(1, vec![commit(1, &["models/w"])], vec![update(Move::Update, DEV, &[1])]);
    let mismatch = with(dev(), |facts| first(facts).manifest = ManifestTrailer::Mismatch);
    check(&mismatch, &["manifest-mismatch dev/x #1"]);
    check(&with(dev(), |facts| first(facts).log = LogTrailer::Fork), &["log-fork dev/x #1"]);
    let granted = ["granted alice as engineer update dev/x", "granted alice as engineer commit dev/x"];
    check(&with(dev(), |facts| first(facts).log = LogTrailer::Foreign), &granted);
    check(&with(dev(), |facts| first(facts).log = LogTrailer::Missing), &granted);
}

#[test]
fn rules_demand_of_the_commits_at_their_paths() {
    let decision = check(&bob(&["models/credit/w"]), &["trailer-missing main `ticket` #1 models/credit/w"]);
    assert_eq!(decision.reasons[0].detail.as_deref(), Some("Change-Kind"));
    let bound = |change: fn(&mut Commit)| with(bob(&["models/bound/w"]), |facts| change(first(facts)));
    for (change, expected) in [
        (
            (|commit| commit.manifest = ManifestTrailer::Missing) as fn(&mut Commit),
            &["manifest-missing main `bound` #1 models/bound/w"][..],
        ),
        (
            |commit| commit.manifest = ManifestTrailer::Mismatch,
            &["manifest-mismatch main #1", "manifest-mismatch main `bound` #1 models/bound/w"],
        ),
        (|commit| commit.log = LogTrailer::Missing, &["log-missing main `bound` #1 models/bound/w"]),
        (|commit| commit.log = LogTrailer::Foreign, &["log-missing main `bound` #1 models/bound/w"]),
        (|commit| commit.log = LogTrailer::Fork, &["log-fork main #1", "log-fork main `bound` #1 models/bound/w"]),
    ] {
        check(&bound(change), expected);
    }
    // A commit beside the rule's paths is not asked, even where another one makes the rule match.
    let two = push(
        2,
        vec![commit(2, &["models/bound/w"]), commit(2, &["models/w"])],
        vec![update(Move::Update, MAIN, &[1, 2])],
    );
    let two = with(two, |facts| facts.commits.get_mut(&oid(2)).unwrap().manifest = ManifestTrailer::Missing);
    assert!(decide(&policy(), &two).accepted);
}

#[test]
fn rules_demand_of_pushes() {
    let by_login =
        |facts| with(facts, |facts: &mut Facts| facts.pusher = Pusher::Login { login: "http:alice".to_owned() });
    let unsigned = by_login(push(1, vec![], vec![update(Move::Update, MAIN, &[])]));
    check(&unsigned, &["not-granted alice update main", "signed-push-missing main `signed`"]);
    let decision = check(&bob(&["models/reviewed/w"]), &["approvals-missing main `reviewed` models/reviewed/w"]);
    assert_eq!(decision.reasons[0].detail.as_deref(), Some("needs 2 of maintainer, engineer, has 0"));
    let undone = with(push(2, vec![], vec![update(Move::Update, MAIN, &[])]), |facts| {
        facts.updates[0].extra = vec![path("models/reviewed/w")];
    });
    check(&undone, &["approvals-missing main `reviewed` models/reviewed/w"]);
}

#[test]
fn a_create_is_judged_by_what_each_rule_has_not_seen() {
    let create = |scope: Option<Scope>| {
        let facts = push(
            2,
            vec![commit(2, &["models/w"]), commit(9, &["models/bound/w"])],
            vec![update(Move::Create, "refs/tags/v1", &[1])],
        );
        with(facts, |facts| {
            facts.commits.get_mut(&oid(2)).unwrap().manifest = ManifestTrailer::Missing;
            facts.updates[0].scopes = scope.map(|scope| ("bound".to_owned(), scope)).into_iter().collect();
        })
    };
    let scope = |commits: &[u8], every_path| {
        Some(Scope { commits: commits.iter().map(|byte| oid(*byte)).collect(), every_path })
    };
    let granted = ["granted bob as maintainer create v1", "granted bob as engineer commit v1"];
    let met = ["granted bob as maintainer create v1", "granted bob as engineer commit v1", "rule-met `bound`"];
    check(&create(scope(&[1], false)), &granted);
    check(&create(scope(&[1], true)), &met);
    // The signer of a commit that was known before is not judged again.
    check(&create(scope(&[2], false)), &["manifest-missing v1 `bound` #2 models/bound/w"]);
    check(&create(scope(&[1, 2], true)), &["manifest-missing v1 `bound` #2 models/bound/w"]);
    check(&create(scope(&[3], false)), &["facts-incomplete v1 `bound` #3"]);
    check(&create(None), &met);
    let unbound = with(create(None), |facts| first(facts).manifest = ManifestTrailer::Missing);
    check(&unbound, &["manifest-missing v1 `bound` #1 models/w"]);
}

#[test]
fn limits_hold() {
    let large = with(bob(&["models/w", "models/v"]), |facts| {
        first(facts).paths.iter_mut().for_each(|change| change.bytes = Some(1001));
    });
    let decision = check(&large, &["file-too-large #1 models/w +1"]);
    assert_eq!(decision.reasons[0].detail.as_deref(), Some("1001 bytes, at most 1000"));
    assert!(
        decide(
            &policy(),
            &with(large, |facts| first(facts).paths.iter_mut().for_each(|change| change.bytes = Some(1000)))
        )
        .accepted
    );
    check(&bob(&["models/1", "models/2", "models/3", "models/4", "models/5"]), &["too-many-changes"]);
    let four = push(1, vec![commit(1, &[]); 4], vec![update(Move::Update, DEV, &[1, 2, 3, 4, 4])]);
    check(&four, &["too-many-commits"]);
    let dev = |names: &[&str]| push(1, vec![], names.iter().map(|name| update(Move::Update, name, &[])).collect());
    check(&dev(&["refs/heads/dev/a", "refs/heads/dev/b", "refs/heads/dev/c"]), &["too-many-refs"]);
    let counted = with(dev(&[DEV]), |facts| facts.totals = Some(Totals { changes: 5, commits: 4, refs: 3 }));
    check(&counted, &["too-many-refs", "too-many-commits", "too-many-changes"]);
}

#[test]
fn facts_that_do_not_fit_deny() {
    check(&push(1, vec![], vec![]), &["facts-incomplete"]);
    check(&push(1, vec![], vec![update(Move::Update, DEV, &[1])]), &["facts-incomplete dev/x #1"]);
    for (action, change) in [
        (Move::Create, (|update| update.old = Some(oid(7))) as fn(&mut Update)),
        (Move::Create, |update| update.new = None),
        (Move::Update, |update| update.old = None),
        (Move::Rewrite, |update| update.new = None),
        (Move::Delete, |update| update.new = Some(oid(7))),
        (Move::Delete, |update| update.entering = vec![oid(1)]),
    ] {
        let facts = push(1, vec![commit(1, &[])], vec![update(action, DEV, &[])]);
        check(&with(facts, |facts| change(&mut facts.updates[0])), &["facts-incomplete dev/x"]);
    }
    check(
        &push(1, vec![], vec![update(Move::Update, DEV, &[]), update(Move::Rewrite, DEV, &[])]),
        &["facts-incomplete dev/x"],
    );
    let problem = with(push(1, vec![], vec![update(Move::Update, DEV, &[])]), |facts| {
        facts.updates[0].problem = Some("the target is no commit".to_owned());
    });
    check(&problem, &["update-problem dev/x"]);
}

#[test]
fn many_reasons_are_bounded_and_no_kind_is_lost() {
    let refs: Vec<_> = (0..200).map(|n| format!("refs/heads/x{n}")).collect();
    let mut updates: Vec<_> = refs.iter().map(|name| update(Move::Update, name, &[])).collect();
    updates.push(Update { problem: Some("at the end".to_owned()), ..update(Move::Update, DEV, &[]) });
    let decision = decide(&policy(), &push(1, vec![], updates));
    assert!((30..=REASONS_MAX).contains(&decision.reasons.len()), "{}", decision.reasons.len());
    assert_eq!(decision.reasons.last().unwrap().code, Code::UpdateProblem);
}

#[test]
fn a_big_push_is_decided_in_milliseconds() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for n in 0..1000 {
        let seed = crate::digest::sha256(format!("{n}").as_bytes());
        let secret = crate::identity::ed25519::SecretKey::from_seed(seed.as_bytes());
        let public = crate::identity::key::PublicKey::from_ed25519(secret.public());
        writeln!(text, "[actors.a{n}]\nroles = [\"all\"]\nkeys = [\"{public}\"]").unwrap();
    }
    text += "[roles.all]\nallow = [{ actions = [\"commit\", \"update\"], paths = [\"models/**\", \"docs/*.md\"] }]\n";
    for n in 0..200 {
        writeln!(
            text,
            "[[rules]]\nname = \"{n}\"\npaths = [\"models/team-{n}/**\", \"**/x{n}\"]\ntrailers = [\"Ticket\"]"
        )
        .unwrap();
    }
    let policy = sample::policy(&text);
    let signers: Vec<_> = policy
        .actors()
        .filter(|actor| actor.id.as_str() != "root")
        .map(|actor| actor.keys[0].public.id().clone())
        .collect();
    let commits = (0..100).map(|n| {
        let paths: Vec<_> = (0..10).map(|m| format!("models/team-{}/w{}", n * 2, n * 10 + m)).collect();
        let signature = Signature::Valid { key: signers[n].clone() };
        Commit { signature, ..commit(0, &paths.iter().map(String::as_str).collect::<Vec<_>>()) }
    });
    let entering: Vec<u8> = (1..=100).collect();
    let mut facts = push(0, commits.collect(), vec![update(Move::Update, MAIN, &entering)]);
    facts.pusher = Pusher::Certificate { key: signers[0].clone() };
    let decision = decide(&policy, &facts);
    let run = || {
        let begin = std::time::Instant::now();
        decide(&policy, &facts);
        begin.elapsed()
    };
    let took = (0..5).map(|_| run()).min().unwrap();
    assert!(decision.accepted, "{:?}", decision.reasons);
    // Four milliseconds when optimised; the bound only catches a matcher that went quadratic.
    assert!(took.as_millis() < 2000, "{took:?}");
}

fn voucher(actor: &str) -> Voucher {
    Voucher { actor: ActorId::parse(actor).unwrap(), entry: 7 }
}

#[test]
fn a_vouched_commit_is_judged_as_if_the_admin_had_made_it() {
    let unsigned = |actor: &str, path: &str| {
        with(bob(&[path]), |facts| {
            *first(facts) = Commit {
                log: LogTrailer::Missing,
                manifest: ManifestTrailer::Missing,
                signature: Signature::Missing,
                trailers: BTreeSet::new(),
                vouched: Some(voucher(actor)),
                ..first(facts).clone()
            }
        })
    };
    // Its author knew nothing of trailers; what rules ask of the push is asked all the same.
    let decision = check(
        &unsigned("bob", "models/credit/w"),
        &[
            "granted bob as maintainer update main",
            "vouched bob main",
            "granted bob as engineer commit main",
            "rule-met `ticket`",
            "rule-met `signed`",
        ],
    );
    assert_eq!((decision.signers.len(), decision.vouchers[&oid(1)].entry), (0, 7));
    // Nobody gets more by it than the admin may commit, who has to be an actor still.
    check(&unsigned("bob", "docs/x"), &["commit-not-granted bob commit main #1 docs/x"]);
    check(&unsigned("carol", "models/w"), &["commit-unsigned main #1"]);
    check(&unsigned("nobody", "models/w"), &["commit-unsigned main #1"]);
    // A good signature counts first.
    let signed = with(unsigned("nobody", "models/w"), |facts| first(facts).signature = commit(1, &[]).signature);
    assert_eq!(decide(&policy(), &signed).signers[&oid(1)].as_str(), "alice");
    // What is false is false, whoever vouches.
    let false_manifest = with(unsigned("bob", "models/w"), |facts| first(facts).manifest = ManifestTrailer::Mismatch);
    check(&false_manifest, &["manifest-mismatch main #1"]);
}

#[test]
fn a_tag_is_signed_by_an_actor() {
    let tagged = |signature| {
        let tag = Some(Tag { commit: oid(1), signature });
        push(2, vec![], vec![Update { tag, ..update(Move::Create, "refs/tags/v1", &[]) }])
    };
    let signed = |seed| Signature::Valid { key: key(seed).id().clone() };
    assert!(decide(&policy(), &tagged(signed(1))).accepted);
    check(&tagged(Signature::Missing), &["tag-unsigned v1"]);
    check(&tagged(Signature::Invalid { why: "bent".to_owned() }), &["tag-signature-invalid v1"]);
    check(&tagged(signed(9)), &["key-unknown v1"]);
    check(&tagged(signed(3)), &["actor-expired carol v1"]);
}

proptest! {
    #[test]
    fn deciding_is_monotone(draft in policies(), facts in facts(), taken in any::<prop::sample::Index>()) {
        let all = draft.policy();
        let fewer = draft.without(taken).policy();
        let (before, after) = (decide(&all, &facts), decide(&fewer, &facts));
        prop_assert!(before.accepted || !after.accepted, "{:?}\n{:?}", before, facts);
    }

    #[test]
    fn deciding_is_pure_and_explains_itself(draft in policies(), facts in facts()) {
        let policy = draft.policy();
        let decision = decide(&policy, &facts);
        prop_assert_eq!(&decision, &decide(&policy, &facts));
        prop_assert!(!decision.reasons.is_empty() && decision.reasons.len() <= REASONS_MAX);
        prop_assert!(decision.reasons.iter().all(|reason| reason.code.denies() != decision.accepted));
        let json = serde_json::to_string(&(&facts, &decision)).unwrap();
        prop_assert_eq!(&serde_json_canonicalizer::to_string(&(&facts, &decision)).unwrap(), &json);
        let (facts_again, decision_again): (Facts, Decision) = serde_json::from_str(&json).unwrap();
        prop_assert_eq!((facts_again, decision_again), (facts, decision));
    }
}
