//! Small policies and facts from the bytes of an input, made so that accepting is not rare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use mledger::clock::Timestamp;
use mledger::identity::ed25519::SecretKey;
use mledger::identity::key::{KeyId, PublicKey};
use mledger::name::{ActorId, Oid, RefName, RepoPath};
use mledger::policy::Policy;
use mledger::policy::facts::{
    Collision, Commit, Facts, LogTrailer, ManifestTrailer, Move, Path, Pusher, Scope, Signature, Tag, Totals, Update,
    Voucher,
};

const PATHS: [&str; 8] = ["a", "a/b", "a/b/c", "d", "d/e", "a/.gitattributes", ".gitmodules", "A/b"];
const REFS: [&str; 9] = [
    "refs/heads/main",
    "refs/heads/dev/x",
    "refs/heads/dev/y",
    "refs/heads/x",
    "refs/tags/v1",
    "refs/notes/x",
    "refs/mledger/log",
    "refs/for/main",
    "refs/Heads/main",
];
const REF_GLOBS: [&str; 6] =
    ["refs/heads/main", "refs/heads/**", "refs/**", "refs/heads/dev/*", "refs/notes/x", "refs/tags/v?"];
const PATH_GLOBS: [&str; 8] = ["**", "a/**", "a/*", "d", "**/c", "a/b/**", "d/**", "?/b"];
const ACTIONS: [&str; 6] = ["commit", "create", "update", "rewrite", "delete", "approve"];

/// Three actors with keys 1 to 3, three roles in a chain, grants by role, and rules.
pub struct Draft {
    pub grants: Vec<(usize, String)>,
    pub rules: Vec<String>,
    roles: [usize; 3],
    ends: [&'static str; 3],
}

impl Draft {
    pub fn arbitrary(input: &mut Unstructured<'_>) -> Result<Self> {
        let mut roles = [0; 3];
        let mut ends = [""; 3];
        for at in 0..3 {
            roles[at] = input.choose_index(3)?;
            ends[at] = input.choose(&["", "", "", "until = 2026-05-01", "until = 2027-01-01"])?;
        }
        let mut grants = Vec::new();
        for _ in 0..input.int_in_range(0..=5)? {
            grants.push((input.choose_index(3)?, grant(input)?));
        }
        let mut rules = Vec::new();
        for _ in 0..input.int_in_range(0..=3)? {
            rules.push(rule(input)?);
        }
        Ok(Self { grants, rules, roles, ends })
    }

    pub fn policy(&self) -> Policy {
        let mut text = String::from("mledger = 1\nname = \"fuzz\"\n[admin]\nactors = [\"root\"]\n[actors.root]\n");
        let _ = writeln!(text, "keys = [\"{}\"]", keys()[0]);
        for (n, (role, end)) in self.roles.iter().zip(self.ends).enumerate() {
            let key = &keys()[n + 1];
            let _ = write!(text, "[actors.a{n}]\nroles = [\"r{role}\"]\nlogins = [\"http:a{n}\"]\n");
            let _ = writeln!(text, "keys = [\"{key}\"]\n{end}");
        }
        for role in 0..3 {
            let inherits = if role == 0 { String::new() } else { format!("\"r{}\"", role - 1) };
            let own = self.grants.iter().filter(|(owner, _)| *owner == role).map(|(_, grant)| grant.as_str());
            let allow: Vec<&str> = own.chain(["{ actions = [\"review\"] }"]).collect();
            let _ = write!(text, "[roles.r{role}]\ninherits = [{inherits}]\nallow = [{}]\n", allow.join(", "));
        }
        for (n, rule) in self.rules.iter().enumerate() {
            let _ = write!(text, "[[rules]]\nname = \"rule {n}\"\n{rule}\n");
        }
        text += "[limits]\nfile-size = \"100B\"\ncommits-per-push = 3\nchanges-per-commit = 3\nrefs-per-push = 2\n";
        Policy::parse(&text).unwrap_or_else(|errors| panic!("{errors:?} in\n{text}"))
    }
}

fn grant(input: &mut Unstructured<'_>) -> Result<String> {
    let actions = some(input, &ACTIONS)?;
    let actions = if actions.is_empty() { ACTIONS.to_vec() } else { actions };
    let links: bool = input.arbitrary()?;
    Ok(format!("{{ actions = {}, links = {links}{} }}", list(&actions), place(input, ", ")?))
}

pub fn rule(input: &mut Unstructured<'_>) -> Result<String> {
    let demands = [
        "signed-push = true",
        "manifest = true",
        "log = true",
        "trailers = [\"Ticket\", \"Kind\"]",
        "approvals = { count = 2, roles = [\"r1\"] }",
    ];
    Ok(format!("{}{}", input.choose(&demands)?, place(input, "\n")?))
}

/// `refs = …` and `paths = …`, or neither.
fn place(input: &mut Unstructured<'_>, comma: &str) -> Result<String> {
    let mut text = String::new();
    for (name, globs) in [("refs", &REF_GLOBS[..]), ("paths", &PATH_GLOBS)] {
        let globs = some(input, globs)?;
        if !globs.is_empty() {
            let _ = write!(text, "{comma}{name} = {}", list(&globs));
        }
    }
    Ok(text)
}

/// Those of the items whose bits are set.
fn some<'a>(input: &mut Unstructured<'_>, items: &[&'a str]) -> Result<Vec<&'a str>> {
    let bits: u8 = input.arbitrary()?;
    Ok(items.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, item)| *item).collect())
}

fn list(items: &[&str]) -> String {
    format!("[{}]", items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", "))
}

fn keys() -> &'static [PublicKey; 5] {
    static KEYS: OnceLock<[PublicKey; 5]> = OnceLock::new();
    KEYS.get_or_init(|| {
        [9_u8, 1, 2, 3, 8].map(|seed| PublicKey::from_ed25519(SecretKey::from_seed(&[seed; 32]).public()))
    })
}

/// Mostly an actor's key, sometimes the admin's or nobody's.
fn key(input: &mut Unstructured<'_>) -> Result<KeyId> {
    let at = input.choose(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 0, 4])?;
    Ok(keys()[*at].id().clone())
}

pub fn facts(input: &mut Unstructured<'_>) -> Result<Facts> {
    let mut commits = BTreeMap::new();
    for byte in 1..=input.int_in_range(0..=5)? {
        commits.insert(oid(byte), commit(input)?);
    }
    let mut updates = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        updates.push(update(input)?);
    }
    let totals = if input.ratio(1, 16)? {
        Some(Totals { changes: count(input)?, commits: count(input)?, refs: count(input)? })
    } else {
        None
    };
    let pusher = match input.int_in_range(0..=11)? {
        0 => Pusher::Unknown,
        1 => Pusher::Refused { why: "w".repeat(usize::from(input.arbitrary::<u16>()?)) },
        2 => Pusher::Login { login: "http:nobody".to_owned() },
        3 => Pusher::Login { login: format!("ssh-user-auth:{}", key(input)?) },
        4..=6 => Pusher::Login { login: format!("http:a{}", input.int_in_range(0..=2)?) },
        _ => Pusher::Certificate { key: key(input)? },
    };
    let time = Timestamp::parse("2026-06-01T00:00:00.000Z").expect("a time");
    Ok(Facts { commits, pusher, time, totals, updates })
}

fn count(input: &mut Unstructured<'_>) -> Result<u64> {
    input.int_in_range(0..=5)
}

fn commit(input: &mut Unstructured<'_>) -> Result<Commit> {
    let mut paths = Vec::new();
    for path in paths_of(input)? {
        let bytes = *input.choose(&[None, Some(1), Some(100), Some(100), Some(101)])?;
        paths.push(Path { bytes, link: input.ratio(1, 8)?, path });
    }
    let collides = input.ratio(1, 32)?;
    let vouched = if input.ratio(1, 8)? {
        let actor = ActorId::parse(input.choose(&["a0", "a1", "root", "nobody"])?).expect("an actor");
        Some(Voucher { actor, entry: 7 })
    } else {
        None
    };
    let trailers: BTreeSet<String> =
        some(input, &["ticket", "Kind", "Other"])?.into_iter().map(str::to_owned).collect();
    Ok(Commit {
        collision: collides.then(|| Collision { path: path("A/b"), with: path("a/b") }),
        log: *input.choose(&[LogTrailer::Holds, LogTrailer::Holds, LogTrailer::Missing, LogTrailer::Foreign, LogTrailer::Fork])?,
        manifest: *input.choose(&[
            ManifestTrailer::Matches,
            ManifestTrailer::Matches,
            ManifestTrailer::Missing,
            ManifestTrailer::Mismatch,
        ])?,
        paths,
        signature: signature(input)?,
        trailers,
        vouched,
    })
}

fn signature(input: &mut Unstructured<'_>) -> Result<Signature> {
    Ok(match input.int_in_range(0..=9)? {
        0 => Signature::Missing,
        1 => Signature::Invalid { why: "x".repeat(usize::from(input.arbitrary::<u16>()?)) },
        _ => Signature::Valid { key: key(input)? },
    })
}

fn update(input: &mut Unstructured<'_>) -> Result<Update> {
    let action = *input.choose(&[Move::Update, Move::Create, Move::Update, Move::Rewrite, Move::Delete])?;
    // Now and then the tips, or the commits, do not fit the move.
    let fits = !input.ratio(1, 16)?;
    let mut scopes = BTreeMap::new();
    for name in some(input, &["rule 0", "rule 1", "rule 3"])? {
        scopes.insert(name.to_owned(), Scope { commits: oids(input)?, every_path: input.arbitrary()? });
    }
    let tag = if input.ratio(1, 8)? { Some(Tag { commit: oid(1), signature: signature(input)? }) } else { None };
    let problem = if input.ratio(1, 16)? { Some("p".repeat(usize::from(input.arbitrary::<u16>()?))) } else { None };
    Ok(Update {
        entering: if action == Move::Delete && fits { Vec::new() } else { oids(input)? },
        extra: paths_of(input)?,
        action,
        new: (action != Move::Delete || !fits).then_some(oid(200)),
        old: (action != Move::Create || !fits).then_some(oid(201)),
        problem,
        refname: RefName::parse(input.choose(&REFS)?).expect("a ref"),
        scopes,
        tag,
    })
}

fn oids(input: &mut Unstructured<'_>) -> Result<Vec<Oid>> {
    let mut oids = Vec::new();
    for _ in 0..input.int_in_range(0..=4)? {
        oids.push(oid(input.int_in_range(1..=5)?));
    }
    Ok(oids)
}

/// Sorted, each once, as facts hold them.
fn paths_of(input: &mut Unstructured<'_>) -> Result<Vec<RepoPath>> {
    let mut paths: Vec<RepoPath> = some(input, &PATHS)?.into_iter().map(path).collect();
    if input.arbitrary()? {
        paths.truncate(1);
    }
    paths.sort();
    Ok(paths)
}

fn oid(byte: u8) -> Oid {
    Oid::from_bytes([byte; 20])
}

fn path(text: &str) -> RepoPath {
    RepoPath::from_bytes(text.as_bytes()).expect("a path")
}
