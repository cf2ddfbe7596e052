//! Flips bytes of a ledger's objects, one after the other, and asks `verify` each time.
//!
//! An object is changed in two ways. *Re-made*: it gets its new id, and every tree and commit above it is made again, so
//! that Git itself finds nothing. *In place*: its loose file changes, as on a failing disk.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use mledger::git::{Kind, Repository};
use mledger::ledger::read::{Head, Log};
use mledger::ledger::verify::{Options, Problem, RefsOf, verify};
use mledger::ledger::{LOG_REF, log_ref};
use mledger::name::Oid;
use mledger::object::tree;
use mledger::tlog::key::VerifierKey;
use rayon::prelude::*;

use super::bank::Bank;
use super::world::write;

/// After how many flips the files that they left are thrown away.
const CHUNK: usize = 128;

/// Every object of a ledger, each after those that it names.
pub struct Objects {
    dir: PathBuf,
    vkey: VerifierKey,
    list: Vec<Object>,
}

/// One object.
struct Object {
    oid: Oid,
    kind: Kind,
    raw: Vec<u8>,
    /// Which objects it names, and where.
    names: Vec<(usize, usize)>,
    /// Of a commit: its entries, and those of the next, which tells of one that cannot be read.
    entries: Option<std::ops::Range<u64>>,
}

/// What became of flips.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many bytes were flipped.
    pub flips: u64,
    /// How many of them leave what Git reads as it was: bytes of a compressed file that say nothing.
    pub harmless: u64,
    /// Found before a report could be made, since the newest commit cannot be read.
    pub unreadable: u64,
    /// How often a code was the first that named the place.
    pub codes: BTreeMap<String, u64>,
    /// Flips that nothing finds.
    pub unfound: Vec<String>,
    /// Flips that are found, but not named.
    pub unnamed: Vec<String>,
}

/// What `verify` says.
enum Said {
    Nothing,
    Unreadable(String),
    Problems(Vec<Problem>),
}

impl Objects {
    /// Those of the ledger in a bare repository.
    pub fn of(dir: &Path) -> Self {
        let vkey = std::fs::read_to_string(dir.join("mledger/vkey")).unwrap();
        let mut objects =
            Self { dir: dir.to_owned(), vkey: VerifierKey::parse(vkey.trim()).unwrap(), list: Vec::new() };
        let repository = Repository::open(dir).unwrap();
        let mut chain = Vec::new();
        let mut at = repository.tip(&log_ref().unwrap()).unwrap();
        while let Some(commit) = at {
            chain.push(Head::read(&repository, commit).unwrap());
            at = chain.last().unwrap().message.parent;
        }
        let mut places = HashMap::new();
        let mut first: u64 = 0;
        let sizes: Vec<u64> = chain.iter().map(|head| head.checkpoint.size()).collect();
        for (place, head) in chain.iter().enumerate().rev() {
            let mut names = vec![(5, objects.add_tree(&repository, head.message.tree, &mut places))];
            names.extend(head.message.parent.map(|parent| (53, places[&parent])));
            let size = head.checkpoint.size();
            objects.add(&repository, head.commit, Kind::Commit, names, &mut places);
            objects.list.last_mut().unwrap().entries = Some(first.saturating_sub(1)..sizes[place.saturating_sub(1)]);
            first = size;
        }
        objects
    }

    fn add_tree(&mut self, repository: &Repository, tree: Oid, places: &mut HashMap<Oid, usize>) -> usize {
        if let Some(place) = places.get(&tree) {
            return *place;
        }
        let raw = repository.read(&tree, Kind::Tree).unwrap();
        let mut names = Vec::new();
        let mut at = 0;
        for entry in tree::parse(&raw).unwrap() {
            let mode = if entry.kind == tree::Kind::Folder { 5 } else { 6 };
            at += mode + 1 + entry.name.len() + 1;
            let named = match entry.kind {
                tree::Kind::Folder => self.add_tree(repository, entry.oid, places),
                tree::Kind::Leaf(_) => self.add(repository, entry.oid, Kind::Blob, Vec::new(), places),
            };
            names.push((at, named));
            at += 20;
        }
        self.add(repository, tree, Kind::Tree, names, places)
    }

    fn add(
        &mut self,
        repository: &Repository,
        oid: Oid,
        kind: Kind,
        names: Vec<(usize, usize)>,
        places: &mut HashMap<Oid, usize>,
    ) -> usize {
        *places.entry(oid).or_insert_with(|| {
            let raw = repository.read(&oid, kind).unwrap();
            self.list.push(Object { oid, kind, raw, names, entries: None });
            self.list.len() - 1
        })
    }

    /// Every `stride`-th byte of every object, re-made.
    pub fn flip_remade(&self, stride: usize) -> Outcome {
        let bytes = |object: &Object| (0..object.raw.len()).map(|at| at as u64).collect::<Vec<_>>();
        let places = places(self.list.iter().map(bytes).collect(), stride);
        let chunks = places.par_chunks(CHUNK).map(|chunk| {
            let scratch = scratch();
            let repository = Repository::init_bare(scratch.path()).unwrap();
            repository.add_alternate(&self.dir.join("objects")).unwrap();
            let repository = Repository::open(scratch.path()).unwrap();
            let mut outcome = Outcome::default();
            for (object, byte) in chunk {
                let tip = self.remake(&repository, *object, *byte);
                outcome.take(self, *object, *byte, self.ask(&repository, tip));
            }
            outcome
        });
        chunks.reduce(Outcome::default, Outcome::plus)
    }

    /// Every `stride`-th byte of every object's loose file.
    pub fn flip_in_place(&self, stride: usize) -> Outcome {
        let copies = scratch();
        let master = copies.path().join("master.git");
        self.unpack(&master);
        let file = |dir: &Path, object: &Object| {
            let hex = object.oid.to_string();
            dir.join("objects").join(&hex[..2]).join(&hex[2..])
        };
        let bytes = |object: &Object| (0..std::fs::metadata(file(&master, object)).unwrap().len()).collect::<Vec<_>>();
        let places = places(self.list.iter().map(bytes).collect(), stride);
        let chunks = places.par_chunks(places.len().div_ceil(rayon::current_num_threads() * 4).max(1)).map(|chunk| {
            let copy = tempfile::tempdir_in(copies.path()).unwrap();
            let dir = copy.path().join("copy.git");
            run(Command::new("cp").arg("-r").arg(&master).arg(&dir));
            let mut outcome = Outcome::default();
            for (object, byte) in chunk {
                let path = file(&dir, &self.list[*object]);
                let whole = std::fs::read(&path).unwrap();
                let mut bad = whole.clone();
                bad[*byte] ^= 1;
                // Git writes objects read-only.
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, &bad).unwrap();
                let repository = Repository::open(&dir).unwrap();
                let tip = self.list.last().unwrap().oid;
                let said = self.ask(&repository, tip);
                let object_now = repository.read(&self.list[*object].oid, self.list[*object].kind);
                if matches!(said, Said::Nothing) && object_now.is_ok_and(|raw| raw == self.list[*object].raw) {
                    outcome.flips += 1;
                    outcome.harmless += 1;
                } else {
                    outcome.take(self, *object, *byte, said);
                }
                std::fs::write(&path, &whole).unwrap();
            }
            outcome
        });
        chunks.reduce(Outcome::default, Outcome::plus)
    }

    /// A bare repository in which each object is a file of its own.
    fn unpack(&self, dir: &Path) {
        let repository = Repository::init_bare(dir).unwrap();
        for object in &self.list {
            assert_eq!(repository.write(object.kind, &object.raw).unwrap(), object.oid);
        }
        let tip = self.list.last().unwrap().oid;
        repository.move_ref(&log_ref().unwrap(), &tip, None, LOG_REF).unwrap();
    }

    /// Flips the lowest bit of a byte, and makes everything again that names the object; returns the newest commit.
    fn remake(&self, repository: &Repository, object: usize, byte: usize) -> Oid {
        let mut new: HashMap<usize, Oid> = HashMap::new();
        for (place, found) in self.list.iter().enumerate().skip(object) {
            let mut raw = found.raw.clone();
            let is_above = found.names.iter().any(|(_, named)| new.contains_key(named));
            if place == object {
                raw[byte] ^= 1;
            } else if !is_above {
                continue;
            }
            for (at, oid) in found.names.iter().filter_map(|(at, named)| Some((*at, new.get(named)?))) {
                match found.kind {
                    Kind::Commit => raw[at..at + 40].copy_from_slice(oid.to_string().as_bytes()),
                    _ => raw[at..at + 20].copy_from_slice(oid.as_bytes()),
                }
            }
            new.insert(place, repository.write(found.kind, &raw).unwrap());
        }
        new[&(self.list.len() - 1)]
    }

    fn ask(&self, repository: &Repository, tip: Oid) -> Said {
        let log = match Log::open_at(repository, tip, Some(&self.vkey)) {
            Ok(log) => log,
            Err(error) => return Said::Unreadable(error.to_string()),
        };
        let options = Options { seen: Vec::new(), objects: None, refs: RefsOf::Nobody };
        match verify(&log, &options, &mut |_| ()) {
            Ok(report) if report.ok => Said::Nothing,
            Ok(report) => Said::Problems(report.problems),
            Err(error) => Said::Unreadable(error.to_string()),
        }
    }

    /// Whether a problem leads to the object: it names an entry of the commit or one at its edge, or a bundle that its
    /// tree lacks; where the object is no commit, any entry at all.
    fn is_named(&self, object: usize, problem: &Problem) -> bool {
        let Some(index) = problem.index else { return false };
        let entries = self.list[object].entries.as_ref();
        problem.code == "bundle" || entries.is_none_or(|entries| (entries.start..=entries.end).contains(&index))
    }
}

/// Every `stride`-th of all bytes, over the ends of the objects.
fn places(bytes: Vec<Vec<u64>>, stride: usize) -> Vec<(usize, usize)> {
    let all = bytes
        .into_iter()
        .enumerate()
        .flat_map(|(object, bytes)| bytes.into_iter().map(move |byte| (object, usize::try_from(byte).unwrap())));
    all.step_by(stride).collect()
}

/// A folder in memory, where the system has one: thousands of files come and go.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

impl Outcome {
    fn take(&mut self, objects: &Objects, object: usize, byte: usize, said: Said) {
        self.flips += 1;
        let found = &objects.list[object];
        let place = || format!("byte {byte} of the {} {}", found.kind.word(), found.oid);
        match said {
            Said::Nothing => self.unfound.push(place()),
            // Only the newest commit is all that a reader begins with.
            Said::Unreadable(_) if object + 1 == objects.list.len() => self.unreadable += 1,
            Said::Unreadable(why) => self.unnamed.push(format!("{}: {why}", place())),
            Said::Problems(problems) => match problems.iter().find(|problem| objects.is_named(object, problem)) {
                Some(problem) => *self.codes.entry(problem.code.to_owned()).or_default() += 1,
                None => self.unnamed.push(format!("{}: {problems:?}", place())),
            },
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.flips += other.flips;
        self.harmless += other.harmless;
        self.unreadable += other.unreadable;
        self.unfound.extend(other.unfound);
        self.unnamed.extend(other.unnamed);
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self
    }
}

/// A ledger with something of every kind, in few entries: pushes accepted and denied, a tag, a deletion, an import, a
/// change of the policy, a ref moved by hand and taken as it stands, contents too long for an entry.
pub fn some_of_everything() -> Bank {
    let bank = Bank::closed();
    bank.begin_short();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "a", "one");
    alice.push(&dir, &["HEAD:refs/heads/a", "HEAD:refs/heads/b"]).ok();
    alice.push(&dir, &["--no-signed", "HEAD:refs/heads/c"]).fails();
    alice.git(&dir, &["tag", "-s", "-m", "release", "v1"]).ok();
    alice.push(&dir, &["v1"]).ok();
    alice.push(&dir, &[":refs/heads/b"]).ok();
    let policy = alice.mledger(&dir, &["policy", "show"]).ok();
    write(&dir, "new.toml", &format!("{policy}\n# {}\n", "long ".repeat(900)));
    alice.mledger(&dir, &["policy", "apply", "new.toml"]).ok();
    bank.on_server(&["update-ref", "refs/heads/hand", "refs/heads/a"]);
    alice.mledger(&dir, &["reconcile", "--reason", "by hand"]).ok();
    write(&dir, "vendor", "upstream");
    alice.git(&dir, &["add", "vendor"]).ok();
    alice.git(&dir, &["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "-qm", "up"]).ok();
    alice.mledger(&dir, &["import", "HEAD~1..HEAD", "--reason", "reviewed"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/a"]).ok();
    bank.holds();
    bank
}

/// A ledger whose first entries are sealed, with a little before and a little after the seal.
pub fn sealed() -> Bank {
    let bank = Bank::closed();
    bank.begin_short();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "a", "one");
    alice.push(&dir, &["HEAD:refs/heads/a"]).ok();
    bank.grow_by(26, 10);
    alice.commit(&dir, "a", "two");
    alice.push(&dir, &["HEAD:refs/heads/a"]).ok();
    bank.holds();
    bank
}
