//! Verifying a ledger: from nothing but its ref and one public key, everything it claims.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use super::appends;
use super::check::{Checked, Content, chain, check_all};
use super::earlier::{Earlier, Findings};
use super::objects::{self, Objects};
use super::parallel;
use super::read::{Head, Log, ReadError, TILE_WIDTH, own_leaves};
use super::replay::{Replay, ReplayHashes};
use crate::clock::Timestamp;
use crate::digest::{Digest, leaf_hash};
use crate::git::{self, Repository};
use crate::identity::key::Keys;
use crate::name::{Oid, Origin, RefName};
use crate::tlog::bundle;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::hashes::Hashes;
use crate::tlog::tile::{TileKind, TilePath, WIDTH_MAX};
use crate::tlog::tree;

/// How many checked bundles of each core wait for the replay at most: enough that neither waits for the other, and
/// few megabytes.
const BUNDLES_WAITING: usize = 8;

/// After how many bundles somebody who watches is told.
const PROGRESS_EVERY: u64 = 8;

/// The most problems that a report lists; a broken ledger has one per entry.
const PROBLEMS_MAX: usize = 1000;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of thing.
    pub code: &'static str,
    /// The entry it is about.
    pub index: Option<u64>,
    /// For people.
    pub message: String,
    /// The ref it is about.
    #[serde(rename = "ref")]
    pub refname: Option<String>,
}

impl Problem {
    /// One about the ledger as a whole.
    pub fn whole(code: &'static str, message: String) -> Self {
        Self { code, index: None, message, refname: None }
    }

    /// Whether it is about the repository as it stands, not about the ledger.
    fn is_of_repository(&self) -> bool {
        ["ref", "oddity"].contains(&self.code)
    }

    fn of_ref(code: &'static str, name: &str, message: String) -> Self {
        Self { code, index: None, message, refname: Some(name.to_owned()) }
    }
}

/// The outcome of a verification.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The signed checkpoint, a whole note.
    pub checkpoint: String,
    /// Tally of decisions.
    pub decisions: Decisions,
    /// How many entries of each kind.
    pub entries: BTreeMap<Cow<'static, str>, u64>,
    /// Whether everything holds.
    pub ok: bool,
    /// What was held against the repository's objects; none where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<objects::Counts>,
    /// The ledger's name.
    pub origin: Origin,
    /// What does not hold.
    pub problems: Vec<Problem>,
    /// How many receipts of pushes made here the ledger was held against; none where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipts: Option<u64>,
    /// The refs that were looked at.
    pub refs: Refs,
    /// The tree's root by the checkpoint.
    pub root: Digest,
    /// Signatures of actors that verified: commits, certificates, statements.
    pub signatures: u64,
    /// How many entries.
    pub size: u64,
    /// What was not verified now, but before; none where everything was verified now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_before: Option<Before>,
    /// The key that was trusted.
    pub vkey: String,
}

/// What was verified before.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Before {
    /// How many entries, from the first on.
    pub entries: u64,
    /// When all there were had been verified in one go the last time.
    pub full: Timestamp,
    /// When the last of them had been verified.
    pub time: Timestamp,
}

/// Decisions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Decisions {
    /// Pushes accepted.
    pub accepted: u64,
    /// Pushes denied.
    pub denied: u64,
    /// Made again with the same result.
    pub replayed: u64,
    /// Pushes let through that a policy denies which only observes.
    #[serde(skip_serializing_if = "is_zero")]
    pub tolerated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Refs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Refs {
    /// Stand where a landed entry, or the baseline, put them.
    pub covered: u64,
    /// Stand where an authorised push that is not settled yet puts them.
    pub pending: u64,
}

/// Whose refs are held against the ledger.
#[derive(Clone, Copy)]
pub enum RefsOf<'a> {
    /// None.
    Nobody,
    /// The server's repository, with its refs at a moment when the ledger was as long as it is: every one must stand
    /// where the ledger put it. The ledger of [`Log::is_newest`] after they were read is that long.
    Server(&'a Repository, &'a [(String, Oid)]),
    /// A clone: what it fetched from this remote must have stood on the server at some time.
    Clone(&'a Repository, &'a str),
}

/// What to verify.
pub struct Options<'a> {
    /// Checkpoints seen earlier, with the words for where: the ledger must extend them.
    pub seen: Vec<(String, Checkpoint)>,
    /// The repository whose objects tell whether it is true what entries merely assert, each changed file of each
    /// commit; none to believe them.
    pub objects: Option<&'a Repository>,
    /// Refs to look at.
    pub refs: RefsOf<'a>,
}

/// Verifies the whole ledger; calls `progress` with the number of entries done.
pub fn verify(log: &Log<'_>, options: &Options<'_>, progress: &mut dyn FnMut(u64)) -> Result<Report, ReadError> {
    Ok(verify_all(log, options, progress)?.0)
}

/// The same with what is worth keeping for the next time, where all entries hold.
pub fn verify_all(
    log: &Log<'_>,
    options: &Options<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, Option<Findings>), ReadError> {
    verify_from(log, options, None, true, progress)
}

/// Verifies what is new since an earlier verification; everything, if what is new does not hold, or what that one left
/// is odd. Then its word is not needed to find fault. What is worth keeping is gathered only where it `replaces` what
/// was kept, or where everything was verified: that costs more than to verify a few entries.
pub fn verify_new(
    log: &Log<'_>,
    options: &Options<'_>,
    earlier: &Earlier,
    replaces: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, Option<Findings>), ReadError> {
    if options.objects.is_none()
        && let Ok((report, findings)) = verify_from(log, options, Some(earlier), replaces, progress)
        && earlier.is_sound()
        && report.problems.iter().all(Problem::is_of_repository)
    {
        return Ok((report, findings));
    }
    verify_all(log, options, progress)
}

fn verify_from(
    log: &Log<'_>,
    options: &Options<'_>,
    earlier: Option<&Earlier>,
    keeps: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<(Report, Option<Findings>), ReadError> {
    let mut replay = Replay::new(log, watched_refs(options)?, earlier);
    replay.objects = options.objects.map(Objects::new);
    // The bundles' bytes are covered by our own hashes; Git's are slow. The repository's objects have no other.
    git::repository::verify_hashes_on_read(options.objects.is_some());
    let sealed = replay_sealed(log, &mut replay, progress);
    git::repository::verify_hashes_on_read(true);
    if let Err(stopped) = sealed.and_then(|()| replay_tail(log, &mut replay)) {
        replay.problems.push(stopped);
    }
    progress(replay.size());
    replay.finish();
    let checkpoint = &log.head().checkpoint;
    if replay.size() == checkpoint.size() {
        check_tree(log, &mut replay, options, earlier)?;
    }
    let findings = if keeps { replay.findings() } else { None };
    let refs = check_refs(&mut replay, options)?;
    let before = |earlier: &Earlier| Before { entries: earlier.size(), full: earlier.first(), time: earlier.written() };
    Ok((report(log, replay, refs, earlier.map(before)), findings))
}

fn report(log: &Log<'_>, mut replay: Replay<'_>, refs: Refs, verified_before: Option<Before>) -> Report {
    replay.problems.truncate(PROBLEMS_MAX);
    let checkpoint = &log.head().checkpoint;
    let counts = replay.counts;
    Report {
        checkpoint: log.head().message.note.clone(),
        decisions: Decisions {
            accepted: counts.accepted,
            denied: counts.denied,
            replayed: counts.replayed,
            tolerated: counts.tolerated,
        },
        entries: replay.entries,
        ok: replay.problems.is_empty(),
        objects: replay.objects.map(|objects| objects.counts),
        origin: checkpoint.origin().clone(),
        problems: replay.problems,
        receipts: None,
        refs,
        root: checkpoint.root(),
        signatures: counts.signatures,
        size: checkpoint.size(),
        verified_before,
        vkey: log.vkey().to_string(),
    }
}

/// A bundle after all that can be done without knowing what came before.
struct Bundle {
    number: u64,
    /// Hashes of those of its entries that were verified earlier.
    before: Vec<Digest>,
    entries: Result<Vec<Checked>, String>,
    tile: Result<Vec<Digest>, String>,
}

/// Checks bundles on all cores, and replays them in order on this one.
fn replay_sealed(log: &Log<'_>, replay: &mut Replay<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), Problem> {
    let from = replay.size();
    let bundles: Vec<u64> = (from / TILE_WIDTH..log.head().sealed() / TILE_WIDTH).collect();
    let check = |log: &Log<'_>, keys: &mut Keys, number| check_bundle(log, number, from, keys);
    parallel::in_order(log, &bundles, BUNDLES_WAITING, check, |bundle| {
        let number = bundle.number;
        take_bundle(replay, bundle)?;
        if number % PROGRESS_EVERY == 0 {
            progress(replay.size());
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Checks the entries from `from` on.
fn check_bundle(log: &Log<'_>, number: u64, from: u64, keys: &mut Keys) -> Bundle {
    let mut before = Vec::new();
    let read = log.bundle(number).map_err(|error| chain(&error));
    let entries = read.and_then(|bytes| {
        let leaves = bundle::parse(&bytes).map_err(|error| chain(&error))?;
        let skipped = usize::try_from(from.saturating_sub(number * TILE_WIDTH)).unwrap_or(usize::MAX);
        let (earlier, new) = leaves.split_at_checked(skipped).unwrap_or((&leaves, &[]));
        before.extend(earlier.iter().map(|leaf| leaf_hash(leaf)));
        Ok(check_all(log, new, keys))
    });
    Bundle { number, before, entries, tile: read_tile(log, number) }
}

fn read_tile(log: &Log<'_>, number: u64) -> Result<Vec<Digest>, String> {
    log.tile(0, number).map_err(|error| chain(&error))
}

fn take_bundle(replay: &mut Replay<'_>, bundle: Bundle) -> Result<(), Problem> {
    let first = bundle.number * TILE_WIDTH;
    let unreadable = |why: String| Problem {
        code: "bundle",
        index: Some(first),
        message: format!("entries {first} to {} cannot be read: {why}", first + TILE_WIDTH - 1),
        refname: None,
    };
    let checked = bundle.entries.map_err(unreadable)?;
    let held = bundle.before.len() + checked.len();
    if held as u64 != TILE_WIDTH {
        return Err(unreadable(format!("the bundle holds {held} entries")));
    }
    let tile = bundle.tile.unwrap_or_else(|why| {
        let path = TilePath::new(TileKind::Hashes { level: 0 }, bundle.number, WIDTH_MAX)
            .map_or_else(|_| String::new(), |path| path.to_string());
        let message = format!("`{path}` cannot be read: {why}");
        replay.problems.push(Problem { code: "tile", index: Some(first), message, refname: None });
        Vec::new()
    });
    let now = bundle.before.iter().copied().chain(checked.iter().map(|entry| entry.hash)).enumerate();
    for (at, hash) in now {
        let index = first + at as u64;
        if tile.get(at).is_some_and(|tile| *tile != hash) {
            let message = "it is not the entry that the tree was built from".to_owned();
            replay.problems.push(Problem { code: "hash", index: Some(index), message, refname: None });
        }
    }
    replay.doubt_unless_known(first, &bundle.before);
    for entry in checked {
        take(replay, entry);
    }
    Ok(())
}

fn take(replay: &mut Replay<'_>, entry: Checked) {
    count(&mut replay.entries, &entry);
    replay.notes.take(&entry);
    replay.take(entry.hash, entry.content);
}

fn count(entries: &mut BTreeMap<Cow<'static, str>, u64>, entry: &Checked) {
    let kind = match &entry.content {
        Ok(Content::Commit(_)) => "commit",
        Ok(Content::Push(_)) => "push",
        Ok(Content::Other(leaf)) => leaf.kind(),
        Err(_) => "unreadable",
    };
    *entries.entry(Cow::Borrowed(kind)).or_default() += 1;
}

fn replay_tail(log: &Log<'_>, replay: &mut Replay<'_>) -> Result<(), Problem> {
    let leaves = log.tail().map_err(|error| torn_tail(log, &error))?;
    let sealed = log.head().sealed();
    let skipped = usize::try_from(replay.size().saturating_sub(sealed)).unwrap_or(usize::MAX);
    let (earlier, new) = leaves.split_at_checked(skipped).unwrap_or((leaves, &[]));
    replay.doubt_unless_known(sealed, &earlier.iter().map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>());
    for entry in check_all(log, new, &mut Keys::default()) {
        take(replay, entry);
    }
    Ok(())
}

/// The unsealed entries cannot be read: names the first that can, or else the last that cannot.
fn torn_tail(log: &Log<'_>, error: &ReadError) -> Problem {
    let index = if let ReadError::Tail { found, .. } = error { *found } else { last_unreadable(log) };
    let message = format!("it cannot be read, or the one before it: {}", chain(error));
    Problem { code: "tail", index: Some(index), message, refname: None }
}

fn last_unreadable(log: &Log<'_>) -> u64 {
    let mut first = log.size();
    let mut at = Some(log.head().clone());
    while let Some(head) = at {
        first = head.first(head.message.leaves.len());
        at = head.message.parent.and_then(|parent| Head::read(log.repository(), parent).ok());
    }
    first.saturating_sub(1)
}

/// The root, the tiles above the bottom row, the policy's copy, and what was seen before.
fn check_tree(
    log: &Log<'_>,
    replay: &mut Replay<'_>,
    options: &Options<'_>,
    earlier: Option<&Earlier>,
) -> Result<(), ReadError> {
    let checkpoint = &log.head().checkpoint;
    let found = tree::root(&replay.hashes, checkpoint.size()).ok();
    if found == Some(checkpoint.root()) {
        let found = appends::check(log, &replay.hashes, &replay.notes, earlier);
        replay.problems.extend(found);
    } else {
        let where_ = blame_tail(log, &replay.hashes)?;
        replay.problems.push(where_.unwrap_or_else(|| {
            Problem::whole("root", "the entries do not hash to the root that the checkpoint signs".to_owned())
        }));
    }
    let upper = upper_tiles(log, &replay.hashes);
    replay.problems.extend(upper);
    let view = log.policy_view().ok().map(|text| crate::digest::sha256(text.as_bytes()));
    let in_force = replay.policy_in_force();
    if view.is_none() || view != in_force.map(|(_, digest)| digest) {
        let message = "the copy of its policy in the ledger's tree is not the policy in force".to_owned();
        let index = in_force.map(|(entry, _)| entry);
        replay.problems.push(Problem { code: "policy-view", index, message, refname: None });
    }
    for (whence, seen) in &options.seen {
        replay.problems.extend(extends(&replay.hashes, checkpoint, whence, seen));
    }
    Ok(())
}

/// Whether the ledger extends a checkpoint seen earlier.
pub fn extends<H: Hashes>(hashes: &H, now: &Checkpoint, whence: &str, seen: &Checkpoint) -> Option<Problem> {
    if seen.origin() != now.origin() {
        let message = format!("{whence} is of the ledger {}, this one is {}", seen.origin(), now.origin());
        return Some(Problem::whole("origin", message));
    }
    if seen.size() > now.size() {
        let message = format!(
            "the ledger has {} entries, but {whence} proves that it had {}: it was rolled back",
            now.size(),
            seen.size()
        );
        return Some(Problem::whole("rollback", message));
    }
    let same = tree::root(hashes, seen.size()).is_ok_and(|root| root == seen.root());
    (!same).then(|| {
        let message =
            format!("the first {} entries are not those of {whence}: the ledger was forked or rewritten", seen.size());
        Problem::whole("fork", message)
    })
}

/// The append at which the unsealed entries stop matching what their own checkpoints sign.
fn blame_tail(log: &Log<'_>, hashes: &ReplayHashes<'_>) -> Result<Option<Problem>, ReadError> {
    let sealed = log.head().sealed();
    let mut at = Some(log.head().clone());
    let mut blamed = None;
    while let Some(head) = at.take() {
        let size = head.checkpoint.size();
        if size <= sealed {
            break;
        }
        let before = head.message.parent.and_then(|parent| Head::read(log.repository(), parent).ok());
        let previous = before.as_ref().map_or(sealed, |before| before.checkpoint.size()).max(sealed);
        if tree::root(hashes, size).ok() != Some(head.checkpoint.root()) {
            let leaves = own_leaves(log.repository(), &head, previous)?.len() as u64;
            let last = size - 1;
            let message = format!(
                "entries {} to {last} do not hash to the root that was signed when they were appended",
                size - leaves.min(size)
            );
            blamed = Some(Problem { code: "root", index: Some(size - leaves.min(size)), message, refname: None });
        }
        at = before;
    }
    Ok(blamed)
}

fn upper_tiles(log: &Log<'_>, hashes: &ReplayHashes<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for row in 1..8_u8 {
        let covers = u32::from(row + 1) * 8;
        let full = log.head().sealed().checked_shr(covers).unwrap_or(0);
        for number in 0..full {
            let Ok(path) = TilePath::new(TileKind::Hashes { level: row }, number, WIDTH_MAX) else { continue };
            let stored = log.tile(row, number);
            let same = matches!((&stored, path.read(hashes)), (Ok(stored), Ok(right)) if *stored == right);
            if !same {
                problems.push(Problem::whole("tile", format!("`{path}` does not hold the tree's hashes")));
            }
        }
        if full == 0 {
            break;
        }
    }
    problems
}

/// The tips that a clone fetched, by the name that they have on the server.
fn watched_refs(options: &Options<'_>) -> Result<BTreeMap<RefName, BTreeMap<Oid, bool>>, ReadError> {
    let RefsOf::Clone(repository, remote) = options.refs else { return Ok(BTreeMap::new()) };
    let mut watched: BTreeMap<RefName, BTreeMap<Oid, bool>> = BTreeMap::new();
    let prefix = format!("refs/remotes/{remote}/");
    for (name, tip) in repository.refs()? {
        if let Some(branch) = name.strip_prefix(&prefix)
            && let Ok(name) = RefName::parse(&format!("refs/heads/{branch}"))
        {
            watched.entry(name).or_default().insert(tip, false);
        }
    }
    Ok(watched)
}

fn check_refs(replay: &mut Replay<'_>, options: &Options<'_>) -> Result<Refs, ReadError> {
    match options.refs {
        RefsOf::Nobody => Ok(Refs::default()),
        RefsOf::Server(repository, refs) => check_server_refs(replay, repository, refs),
        RefsOf::Clone(..) => {
            let watched = watched_refs(options)?;
            let mut refs = Refs::default();
            for (name, tips) in watched {
                for tip in tips.keys() {
                    if replay.ever_put(&name, tip) {
                        refs.covered += 1;
                    } else if is_authorised(replay, &name, Some(*tip)) {
                        refs.pending += 1;
                    } else {
                        let message = format!("this clone fetched {tip} from it, but no entry ever put it there");
                        replay.problems.push(Problem::of_ref("ref", name.as_str(), message));
                    }
                }
            }
            Ok(refs)
        }
    }
}

/// Whether an open push moves the ref there from where the ledger has it.
fn is_authorised(replay: &Replay<'_>, name: &RefName, tip: Option<Oid>) -> bool {
    let here = replay.tips.get(name);
    replay
        .open
        .values()
        .flatten()
        .any(|update| update.refname == *name && update.new == tip && update.old.as_ref() == here)
}

/// Whether only the ledger's own chain is cut, as it is where a clone gave it back: what is sealed lies in every tree.
fn is_of_ledger_alone(repository: &Repository) -> bool {
    let of_ledger = |oid: &Oid| Head::read(repository, *oid).is_ok();
    repository.shallow_commits().is_some_and(|commits| commits.iter().all(of_ledger))
}

fn check_server_refs(
    replay: &mut Replay<'_>,
    repository: &Repository,
    standing: &[(String, Oid)],
) -> Result<Refs, ReadError> {
    let mut refs = Refs::default();
    let mut expected = replay.tips.clone();
    for (name, tip) in standing {
        if name == super::LOG_REF || name.starts_with(super::INBOX) {
            continue;
        }
        let parsed = RefName::parse(name).ok();
        let put = parsed.as_ref().and_then(|name| expected.remove(name));
        if put == Some(*tip) {
            refs.covered += 1;
        } else if parsed.is_some_and(|name| is_authorised(replay, &name, Some(*tip))) {
            refs.pending += 1;
        } else {
            let message = match put {
                Some(put) => {
                    format!("it stands at {tip}, but the ledger put it at {put}: it was moved behind the gate")
                }
                None => format!("it stands at {tip}, but no entry put it there: it was made behind the gate"),
            };
            replay.problems.push(Problem::of_ref("ref", name, message));
        }
    }
    for (name, put) in expected {
        if is_authorised(replay, &name, None) {
            refs.pending += 1;
        } else {
            let message = format!("it is gone, but the ledger put it at {put}: it was removed behind the gate");
            replay.problems.push(Problem::of_ref("ref", name.as_str(), message));
        }
    }
    for (name, target) in repository.symbolic_refs()? {
        let message = format!("it is a symbolic ref to {target}: it follows that ref, and no entry ever put it there");
        replay.problems.push(Problem::of_ref("ref", &name, message));
    }
    if let Some(head) = repository.detached_head()?
        && !replay.tips.values().any(|tip| *tip == head)
    {
        let message = format!("it stands at {head}, where no ref stands: whoever clones gets that");
        replay.problems.push(Problem::of_ref("ref", "HEAD", message));
    }
    for oddity in repository.oddities() {
        if oddity == git::repository::SHALLOW && is_of_ledger_alone(repository) {
            continue;
        }
        replay
            .problems
            .push(Problem::whole("oddity", format!("the repository has {oddity}, which change what Git shows")));
    }
    Ok(refs)
}
