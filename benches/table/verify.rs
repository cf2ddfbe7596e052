//! Verifying a whole ledger, against the least that such a verification can cost.
//!
//! The floor reads each bundle from the same repository, inflates it, parses its entries, hashes them, and verifies
//! the same signatures, taken out beforehand, on all cores. It replays nothing and decides nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mledger::digest::leaf_hash;
use mledger::entry::field::FieldError;
use mledger::entry::leaf::Leaf;
use mledger::git::Repository;
use mledger::git::repository::verify_hashes_on_read;
use mledger::identity::sshsig::{self, NAMESPACE_GIT, SshSig};
use mledger::ledger::read::{Log, TILE_WIDTH};
use mledger::object::certificate::{self, Certificate};
use mledger::object::commit::{Commit, signed_payload};
use mledger::tlog::bundle;
use rayon::prelude::*;

use super::measure::{self, Pairs, Table, ms, s};
use super::world::{MLEDGER, World};
use super::{Size, folder, ledger};

/// Entries a second of `gittuf verify-ref`, version 0.15, the best of three lengths, 100 to 5,000 entries: 42 to 52, on
/// such a machine. It is not installed here.
const GITTUF_PER_SECOND: f64 = 52.0;

/// Verifies ledgers of a hundred thousand entries, and a million.
pub fn verify(table: &mut Table, size: Size) {
    one(table, 100_000, 5);
    if size == Size::Full {
        one(table, 1_000_000, 3);
    }
}

fn one(table: &mut Table, entries: u64, rounds: usize) {
    let (path, made) = ledger::ledger(entries);
    if let Some(made) = made {
        let per_second = entries as f64 / made.as_secs_f64();
        table.row(
            &format!("making a ledger of {entries} entries, signatures included"),
            s(made),
            format!("{per_second:.0} entries a second"),
        );
    }
    let signatures = signatures(&path);
    let (mut peak, mut our_cpu, mut floor_cpu) = (0, Vec::new(), Vec::new());
    let ours = || {
        let cost = measure::cost(Command::new(MLEDGER).args(["verify", "--full", "--no-refs"]).current_dir(&path));
        peak = cost.peak.max(peak);
        our_cpu.push(cost.cpu);
        cost.wall
    };
    let least = || {
        let before = measure::own_cpu();
        let wall = floor(&path, &signatures);
        floor_cpu.push(measure::own_cpu().saturating_sub(before));
        wall
    };
    let pairs = Pairs::run(rounds, ours, least);
    table.row(
        &format!("`mledger verify --full` of {entries} entries, {} signatures of 50 keys", signatures.len()),
        format!("{} ({:.2} ×)", s(pairs.ours()), pairs.ratio()),
        format!("{}: the floor (inflate, parse, hash, strict Ed25519, both cores); target 2 ×", s(pairs.other())),
    );
    let (ours, least) = (measure::median(&our_cpu), measure::median(&floor_cpu));
    table.row(
        "… processor time",
        format!("{} ({:.2} ×)", s(ours), ours.as_secs_f64() / least.as_secs_f64()),
        format!("{}: the floor", s(least)),
    );
    table.row("… peak memory", format!("{} MB", peak / 1_000_000), "target 300 MB".to_owned());
    let per_entry = pairs.ours().as_secs_f64() / entries as f64;
    table.row(
        "… per entry",
        format!("{:.0} µs", per_entry * 1e6),
        format!(
            "{:.0} × as fast as `gittuf verify-ref` at its best when we tried it, {GITTUF_PER_SECOND} entries a \
             second; target 1,000 ×",
            1.0 / per_entry / GITTUF_PER_SECOND
        ),
    );
    let git = show_signature();
    let per_signature = pairs.ours().as_secs_f64() / signatures.len() as f64;
    table.row(
        "… per signature",
        format!("{:.0} µs", per_signature * 1e6),
        format!(
            "{:.0} × as fast as `git log --show-signature`, {:.1} ms for each of {SHOWN}; target 500 ×",
            git / per_signature,
            git * 1e3
        ),
    );
    onwards(table, &path, entries);
}

/// One push after everything was verified, again and again.
fn onwards(table: &mut Table, path: &Path, entries: u64) {
    let mut maker = ledger::Maker::resume(path);
    let mut verify = Command::new(MLEDGER);
    verify.args(["verify", "--no-refs"]).current_dir(path);
    let mut peak = 0;
    let costs: Vec<Duration> = (0..11)
        .map(|_| {
            maker.append_one();
            let cost = measure::cost(&mut verify);
            peak = cost.peak.max(peak);
            cost.wall
        })
        .collect();
    let kept = fs::metadata(path.join("mledger/verified-state")).unwrap().len();
    table.row(
        &format!("`mledger verify` after one more push on {entries} entries"),
        ms(measure::median(&costs)),
        format!("target 100 ms; peak memory {} MB", peak / 1_000_000),
    );
    table.row(
        "… what it remembers",
        format!("{:.1} MB", kept as f64 / 1e6),
        format!("{:.0} bytes an entry", kept as f64 / entries as f64),
    );
}

/// How many signed commits Git is asked about: it starts `ssh-keygen` for each.
const SHOWN: usize = 200;

/// How long `git log --show-signature` takes for one commit, in seconds.
fn show_signature() -> f64 {
    let world = World::new(&folder("show-signature"));
    let newest = world.import("shown", None, SHOWN);
    let public = fs::read_to_string(world.path("home/.ssh/id_ed25519.pub")).unwrap();
    let allowed = world.path("allowed-signers");
    fs::write(&allowed, format!("alice@bank.example namespaces=\"git\" {public}")).unwrap();
    let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    let begin = Instant::now();
    let words = ["-c", setting.as_str(), "log", "--show-signature", "--format=%G?", &newest];
    let said = world.ok(&world.clone_dir(), "git", &words);
    let took = begin.elapsed();
    assert_eq!(said.lines().filter(|line| *line == "G").count(), SHOWN, "{said}");
    took.as_secs_f64() / SHOWN as f64
}

/// A signature with what it is over.
struct Signed {
    message: Vec<u8>,
    signature: SshSig,
}

fn signatures(path: &Path) -> Vec<Signed> {
    bundles(path, |bytes| {
        let leaves = bundle::parse(bytes).unwrap();
        leaves.into_iter().filter_map(|leaf| signed(&Leaf::parse(leaf).unwrap())).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect()
}

fn signed(leaf: &Leaf) -> Option<Signed> {
    let inline = |_: &_| Err::<Vec<u8>, FieldError>(FieldError::Utf8);
    let (armour, payload) = match leaf {
        Leaf::Commit(commit) => {
            let raw = commit.object.read_bytes(inline).unwrap();
            (Commit::parse(&raw).unwrap().signature.unwrap(), signed_payload(&raw))
        }
        Leaf::Push(push) => {
            let raw = push.certificate.as_ref()?.read_bytes(inline).unwrap();
            (Certificate::parse(&raw).unwrap().signature, certificate::signed_payload(&raw).to_vec())
        }
        _ => return None,
    };
    let signature = SshSig::parse(armour.as_bytes(), NAMESPACE_GIT).unwrap();
    Some(Signed { message: signature.signed_data(&payload), signature })
}

fn floor(path: &Path, signatures: &[Signed]) -> Duration {
    let begin = Instant::now();
    let hashes: usize = bundles(path, |bytes| {
        let leaves = bundle::parse(bytes).unwrap();
        leaves.iter().filter(|leaf| parse(leaf)).map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>().len()
    })
    .into_iter()
    .sum();
    let signed: Vec<(&SshSig, &[u8])> =
        signatures.iter().map(|signed| (&signed.signature, signed.message.as_slice())).collect();
    assert!(signed.par_chunks(256).all(|signed| sshsig::verify_all(signed).into_iter().all(|good| good)));
    assert!(hashes > signatures.len());
    begin.elapsed()
}

/// Parses a leaf, without the check that its form is canonical.
fn parse(leaf: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(leaf).unwrap();
    std::hint::black_box(value).is_object()
}

/// Does something with each bundle, on all cores.
fn bundles<T: Send>(path: &Path, work: impl Fn(&[u8]) -> T + Sync) -> Vec<T> {
    verify_hashes_on_read(false);
    let repository = Repository::open(path).unwrap();
    let (head, count) = {
        let log = Log::open(&repository, None).unwrap();
        (log.head().commit, log.head().sealed() / TILE_WIDTH)
    };
    let numbers: Vec<u64> = (0..count).collect();
    let share = numbers.len().div_ceil(rayon::current_num_threads() * 8).max(1);
    numbers
        .par_chunks(share)
        .flat_map_iter(|numbers| {
            let repository = Repository::open(path).unwrap();
            let log = Log::open_at(&repository, head, None).unwrap();
            numbers.iter().map(|number| work(&log.bundle(*number).unwrap())).collect::<Vec<_>>()
        })
        .collect()
}
