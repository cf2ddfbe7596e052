//! Small random policies and pushes, made so that about as many are accepted as denied.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::name::{ActorId, Oid, RefName, RepoPath};
use crate::policy::document::Policy;
use crate::policy::facts::{
    Commit, Facts, LogTrailer, ManifestTrailer, Move, Path, Pusher, Scope, Signature, Tag, Totals, Update, Voucher,
};
use crate::policy::sample::{self, key, oid, path};

/// A policy of three actors (keys 1 to 3), three roles in a chain, and some rules.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Draft {
    grants: Vec<(usize, String)>,
    roles: Vec<usize>,
    rules: Vec<String>,
}

impl Draft {
    /// The same without one grant.
    pub fn without(&self, taken: Index) -> Self {
        let mut fewer = self.clone();
        fewer.grants.remove(taken.index(self.grants.len()));
        fewer
    }

    pub fn policy(&self) -> Policy {
        let mut text = String::new();
        for (n, role) in self.roles.iter().enumerate() {
            let (key, login) = (key(u8::try_from(n).unwrap() + 1), format!("http:a{n}"));
            writeln!(text, "[actors.a{n}]\nroles = [\"r{role}\"]\nlogins = [\"{login}\"]\nkeys = [\"{key}\"]").unwrap();
        }
        for role in 0..3 {
            let inherits = if role == 0 { String::new() } else { format!("\"r{}\"", role - 1) };
            let grants: Vec<_> =
                self.grants.iter().filter(|(owner, _)| *owner == role).map(|(_, grant)| grant.as_str()).collect();
            writeln!(
                text,
                "[roles.r{role}]\ninherits = [{inherits}]\nallow = [{{ actions = [\"review\"] }}, {}]",
                grants.join(", ")
            )
            .unwrap();
        }
        for (n, rule) in self.rules.iter().enumerate() {
            writeln!(text, "[[rules]]\nname = \"rule {n}\"\n{rule}").unwrap();
        }
        sample::policy(&(text + "[limits]\nfile-size = \"100B\"\ncommits-per-push = 3\nchanges-per-commit = 3\n"))
    }
}

const PATHS: [&str; 7] = ["a", "a/b", "a/b/c", "d", "d/e", "a/.gitattributes", ".gitmodules"];
const REFS: [&str; 8] = [
    "refs/heads/main",
    "refs/heads/main",
    "refs/heads/dev/x",
    "refs/heads/dev/x",
    "refs/heads/x",
    "refs/tags/v1",
    "refs/notes/x",
    "refs/mledger/x",
];

fn list(items: &[&str]) -> String {
    format!("[{}]", items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", "))
}

/// `refs = …` and `paths = …`, or neither, with what divides them.
fn place(comma: &'static str) -> impl Strategy<Value = String> {
    let refs = prop::option::weighted(
        0.5,
        select(vec!["refs/heads/main", "refs/heads/**", "refs/**", "refs/heads/dev/*", "refs/notes/x"]),
    );
    let paths =
        prop::option::weighted(0.5, subsequence(vec!["**", "a/**", "a/*", "d", "**/c", "a/b/**", "d/**"], 1..5));
    (refs, paths).prop_map(move |(refs, paths)| {
        let refs = refs.map(|refs| format!("{comma}refs = {}", list(&[refs])));
        let paths = paths.map(|paths| format!("{comma}paths = {}", list(&paths)));
        refs.unwrap_or_default() + &paths.unwrap_or_default()
    })
}

fn grant() -> impl Strategy<Value = String> {
    let actions = subsequence(vec!["commit", "create", "update", "rewrite", "delete", "approve"], 4..=6);
    (actions, place(", "), any::<bool>())
        .prop_map(|(actions, place, links)| format!("{{ actions = {}, links = {links}{place} }}", list(&actions)))
}

fn rule() -> impl Strategy<Value = String> {
    let demands = vec![
        "signed-push = true",
        "manifest = true",
        "log = true",
        "trailers = [\"Ticket\", \"Kind\"]",
        "approvals = { count = 2, roles = [\"r1\"] }",
    ];
    (place("\n"), select(demands)).prop_map(|(place, demand)| format!("{demand}{place}"))
}

pub(in crate::policy) fn policies() -> impl Strategy<Value = Draft> {
    (
        prop::collection::vec((0..3_usize, grant()), 1..7),
        prop::collection::vec(0..3_usize, 3),
        prop::collection::vec(rule(), 0..4),
    )
        .prop_map(|(grants, roles, rules)| Draft { grants, roles, rules })
}

fn paths() -> impl Strategy<Value = Vec<RepoPath>> {
    subsequence(PATHS.to_vec(), 0..3).prop_map(|texts| texts.into_iter().map(path).collect())
}

fn change(at: RepoPath) -> impl Strategy<Value = Path> {
    (prop::bool::weighted(0.05), prop_oneof![1 => Just(Some(101)), 9 => select(vec![None, Some(1), Some(100)])])
        .prop_map(move |(link, bytes)| Path { bytes, link, path: at.clone() })
}

fn signature() -> impl Strategy<Value = Signature> {
    prop_oneof![
        1 => Just(Signature::Missing),
        1 => Just(Signature::Valid { key: key(9).id().clone() }),
        1 => Just(Signature::Invalid { why: "x".repeat(3000) }),
        30 => (1..4_u8).prop_map(|seed| Signature::Valid { key: key(seed).id().clone() }),
    ]
}

fn commit() -> impl Strategy<Value = Commit> {
    let trailers = subsequence(vec!["ticket", "Kind", "Other"], 0..=3);
    let logs = prop_oneof![
        20 => Just(LogTrailer::Holds),
        1 => select(vec![LogTrailer::Foreign, LogTrailer::Missing, LogTrailer::Fork]),
    ];
    let manifests = prop_oneof![
        20 => Just(ManifestTrailer::Matches),
        1 => select(vec![ManifestTrailer::Missing, ManifestTrailer::Mismatch]),
    ];
    let paths = paths().prop_flat_map(|paths| paths.into_iter().map(change).collect::<Vec<_>>());
    let vouchers = prop::option::weighted(0.1, select(vec!["a0", "a1", "nobody"]));
    let parts = (logs, manifests, paths, signature(), trailers, vouchers);
    parts.prop_map(|(log, manifest, paths, signature, trailers, vouched)| {
        let trailers = trailers.into_iter().map(str::to_owned).collect();
        let vouched = vouched.map(|actor| Voucher { actor: ActorId::parse(actor).unwrap(), entry: 7 });
        Commit { collision: None, log, manifest, paths, signature, trailers, vouched }
    })
}

fn oids() -> impl Strategy<Value = Vec<Oid>> {
    prop_oneof![1 => subsequence(vec![1_u8, 2, 3, 4, 5], 0..=4), 9 => subsequence(vec![1_u8, 2, 3], 0..3)]
        .prop_map(|bytes| bytes.into_iter().map(oid).collect())
}

fn update() -> impl Strategy<Value = Update> {
    let scope = (oids(), any::<bool>()).prop_map(|(commits, every_path)| Scope { commits, every_path });
    let scopes = prop::collection::btree_map(select(vec!["rule 0".to_owned(), "rule 1".to_owned()]), scope, 0..3);
    let moves = vec![Move::Create, Move::Update, Move::Update, Move::Rewrite, Move::Delete];
    let problem = prop::option::weighted(0.05, Just("p".repeat(3000)));
    let tag = prop::option::weighted(0.1, signature().prop_map(|signature| Tag { commit: oid(1), signature }));
    (select(moves), select(REFS.to_vec()), oids(), paths(), scopes, problem, tag).prop_map(
        |(action, refname, entering, extra, scopes, problem, tag)| Update {
            entering: if action == Move::Delete { vec![] } else { entering },
            extra,
            action,
            new: (action != Move::Delete).then_some(oid(200)),
            old: (action != Move::Create).then_some(oid(201)),
            problem,
            refname: RefName::parse(refname).unwrap(),
            scopes,
            tag,
        },
    )
}

fn pusher() -> impl Strategy<Value = Pusher> {
    prop_oneof![
        1 => Just(Pusher::Unknown),
        1 => Just(Pusher::Login { login: "http:nobody".to_owned() }),
        1 => Just(Pusher::Certificate { key: key(9).id().clone() }),
        1 => Just(Pusher::Refused { why: "w".repeat(3000) }),
        10 => (1..4_u8).prop_map(|seed| Pusher::Certificate { key: key(seed).id().clone() }),
        10 => (0..3_u8).prop_map(|n| Pusher::Login { login: format!("http:a{n}") }),
    ]
}

pub(in crate::policy) fn facts() -> impl Strategy<Value = Facts> {
    let commits = prop::collection::vec(commit(), 4..6);
    let totals = prop::option::weighted(0.05, Just(Totals { changes: 9, commits: 9, refs: 9 }));
    (commits, pusher(), totals, prop::collection::vec(update(), 1..3)).prop_map(
        |(commits, pusher, totals, mut updates)| {
            updates.dedup_by_key(|update| update.refname.clone());
            Facts {
                commits: (1..).map(oid).zip(commits).collect(),
                pusher,
                time: sample::time("2026-06-01"),
                totals,
                updates,
            }
        },
    )
}
