//! Many clients that push at once, with real Git and real signatures, while an admin states things, strangers are
//! refused and others read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mledger::entry::leaf::{Leaf, State, Verdict};
use mledger::git::Repository;
use mledger::ledger::log_ref;
use mledger::ledger::read::{Head, Log};
use mledger::tlog::hashes::MemoryHashes;
use mledger::tlog::key::VerifierKey;
use mledger::tlog::tree;

use super::bank::{Bank, certified_anew, report};
use super::world::{Person, Run, write};

/// Clients that push at the same time.
pub const CLIENTS: usize = 24;

/// How many of them share refs, in groups of this size.
const SHARING: usize = 12;
const GROUP: usize = 4;

/// How often a client that shares a ref tries before something must be wrong: each time it loses, another has won.
const TRIES_MAX: usize = 400;

/// How many statements Carol makes: the gate takes no more of one admin in an hour.
const STATEMENTS_MAX: usize = 20;

/// A bank with two dozen engineers more.
pub struct Stampede {
    pub bank: Bank,
    clients: Vec<Client>,
}

struct Client {
    person: Person,
    dir: PathBuf,
    branch: String,
    /// Where its pushes are traced to.
    trace: Option<PathBuf>,
}

/// A push that the server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acknowledged {
    client: usize,
    refname: String,
    commit: String,
}

/// What happened.
pub struct Outcome {
    pub acknowledged: Vec<Acknowledged>,
    /// Pushes that lost a race for their ref.
    pub lost: usize,
    /// Statements that were taken.
    pub statements: usize,
    /// Pushes that were refused.
    pub denials: usize,
    /// How often somebody read or verified meanwhile.
    pub readings: usize,
    /// From the first push to the last.
    #[allow(dead_code, reason = "the bench asks for it")]
    pub took: Duration,
}

impl Stampede {
    /// Two dozen clones before a gate. Of `traced` clients the system calls on locks are written down.
    pub fn new(traced: usize) -> Self {
        let bank = Bank::closed();
        let people: Vec<Person> = (0..CLIENTS).map(|n| bank.world.person(&format!("client-{n:02}"))).collect();
        let actor = |person: &Person| {
            format!("[actors.\"{}\"]\nroles = [\"engineer\"]\nkeys = [\"{}\"]\n", person.id(), person.public_key())
        };
        bank.seed();
        bank.gate(&people.iter().map(actor).collect::<String>(), &[]).ok();
        let clients = people.into_iter().enumerate().map(|(n, person)| {
            let dir = bank.clone_of(&person);
            let branch = if n < SHARING { format!("dev/shared-{}", n / GROUP) } else { format!("dev/own-{n}") };
            person.git(&dir, &["checkout", "-q", "-b", &branch]).ok();
            let trace =
                (n % (CLIENTS / traced.max(1)) == 0 && traced > 0).then(|| bank.world.path(&format!("locks-{n}")));
            Client { person, dir, branch, trace }
        });
        Self { clients: clients.collect(), bank }
    }

    /// Everybody at once: each client pushes so many commits, one at a time.
    pub fn run(&self, pushes: usize) -> Outcome {
        let done = AtomicBool::new(false);
        let begin = Instant::now();
        let (acknowledged, lost, took, statements, denials, readings) = std::thread::scope(|scope| {
            let clients: Vec<_> = self
                .clients
                .iter()
                .enumerate()
                .map(|(n, client)| scope.spawn(move || client.work(n, pushes)))
                .collect();
            let admin = scope.spawn(|| self.state(&done));
            let strangers = scope.spawn(|| self.intrude(&done));
            let readers = [&["verify"][..], &["log", "-n", "50"]].map(|words| scope.spawn(|| self.read(words, &done)));
            let (acknowledged, lost): (Vec<_>, Vec<_>) =
                clients.into_iter().map(|client| client.join().unwrap()).unzip();
            let took = begin.elapsed();
            done.store(true, Ordering::Relaxed);
            let readings: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
            let acknowledged = acknowledged.into_iter().flatten().collect();
            let lost = lost.into_iter().sum();
            (acknowledged, lost, took, admin.join().unwrap(), strangers.join().unwrap(), readings)
        });
        Outcome { acknowledged, lost, statements, denials, readings, took }
    }

    /// Carol changes the policy, and vouches for commits that nobody signed, until the clients are done.
    fn state(&self, done: &AtomicBool) -> usize {
        let (carol, bank) = (&self.bank.carol, &self.bank);
        let dir = bank.clone_of(carol);
        let policy = carol.mledger(&dir, &["policy", "show"]).ok();
        let mut count = 0;
        while !done.load(Ordering::Relaxed) && count < STATEMENTS_MAX {
            write(&dir, "new.toml", &format!("{policy}\n# round {count}\n"));
            carol.mledger(&dir, &["policy", "apply", "new.toml"]).ok();
            write(&dir, "vendor", &count.to_string());
            carol.git(&dir, &["add", "vendor"]).ok();
            let plain =
                ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "vendor"];
            carol.git(&dir, &plain).ok();
            carol.mledger(&dir, &["import", "HEAD~1..HEAD", "--reason", "reviewed"]).ok();
            count += 2;
        }
        count
    }

    /// Mallory, whom nobody enrolled, and Alice where she may not, until the clients are done.
    fn intrude(&self, done: &AtomicBool) -> usize {
        let (mallory, alice, bank) = (&self.bank.mallory, &self.bank.alice, &self.bank);
        let (his, hers) = (bank.clone_of(mallory), bank.clone_of(alice));
        alice.commit(&hers, "docs/forbidden", "x");
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            mallory.commit(&his, "models/m", &count.to_string());
            let said = mallory.git(&his, &["push", "--no-verify", "origin", "HEAD:refs/heads/dev/mallory"]).fails();
            assert!(said.contains("no actor of the policy has this key"), "{said}");
            let branch = format!("HEAD:refs/heads/dev/forbidden-{count}");
            let said = alice.git(&hers, &["push", "--no-verify", "origin", &branch]).fails();
            assert!(said.contains("docs/forbidden"), "{said}");
            count += 2;
        }
        count
    }

    fn read(&self, words: &[&str], done: &AtomicBool) -> usize {
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            self.bank.carol.mledger(&self.bank.server, words).ok();
            count += 1;
        }
        count
    }

    /// Nothing that was acknowledged is lost or doubled, the ledger is one line, and everybody's receipts are in it.
    pub fn check(&self, outcome: &Outcome) {
        self.check_line();
        let (pushed, accepted) = self.check_settled();
        for push in &outcome.acknowledged {
            let landed = pushed.get(&(push.refname.clone(), push.commit.clone())).copied();
            assert_eq!(landed, Some(1), "{push:?} was acknowledged, and landed {landed:?} times");
        }
        let refs = self.bank.refs();
        assert!(refs.keys().all(|name| !name.contains("mallory") && !name.contains("forbidden")), "{refs:?}");
        let whole = self.bank.holds();
        let refs = &whole["refs"];
        assert_eq!((refs["covered"].as_u64().unwrap(), &refs["pending"]), (self.bank.refs().len() as u64, &0.into()));
        for (n, client) in self.clients.iter().enumerate() {
            let (code, seen) = report(&client.person, &client.dir, &[]);
            assert_eq!((code, &seen["root"]), (0, &whole["root"]), "{seen:#}");
            let count = outcome.acknowledged.iter().filter(|push| push.client == n).count();
            // What was accepted and lost its race within Git has a receipt, too.
            let accepted = accepted.get(&client.person.id()).copied().unwrap_or(0);
            let receipts = usize::try_from(seen["receipts"].as_u64().unwrap()).unwrap();
            assert!((count..=accepted).contains(&receipts), "{}: {receipts} receipts", client.person.name);
        }
    }

    /// Each ledger commit has one parent, and its checkpoint extends the one before.
    fn check_line(&self) {
        let repository = Repository::open(&self.bank.server).unwrap();
        let log = self.log(&repository);
        let mut hashes = MemoryHashes::default();
        log.each(0..log.size(), |_, leaf| {
            hashes.append(mledger::digest::leaf_hash(leaf));
            Ok::<(), mledger::ledger::ReadError>(())
        })
        .unwrap();
        let mut at = repository.tip(&log_ref().unwrap()).unwrap();
        let mut after = log.size() + 1;
        while let Some(commit) = at {
            assert!(repository.links(&commit).unwrap().1.len() <= 1);
            let head = Head::read(&repository, commit).unwrap();
            assert!(head.checkpoint.size() < after);
            assert_eq!(tree::root(&hashes, head.checkpoint.size()).unwrap(), head.checkpoint.root());
            (at, after) = (head.message.parent, head.checkpoint.size());
        }
    }

    /// Each accepted push is settled once, ref by ref, and each commit has one entry. Returns how often what landed, and
    /// how many pushes of whom were accepted.
    fn check_settled(&self) -> (BTreeMap<(String, String), usize>, BTreeMap<String, usize>) {
        let repository = Repository::open(&self.bank.server).unwrap();
        let log = self.log(&repository);
        let mut open = BTreeMap::new();
        let mut commits = BTreeSet::new();
        let (mut landed, mut accepted) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..log.size() {
            match log.leaf(index).unwrap() {
                Leaf::Commit(commit) => assert!(commits.insert(commit.oid), "{} has two entries", commit.oid),
                Leaf::Push(push) if push.decision == Verdict::Accepted => {
                    *accepted.entry(push.actor.map(|actor| actor.to_string()).unwrap_or_default()).or_default() += 1;
                    open.extend(push.updates.into_iter().map(|update| ((index, update.refname), update.new)));
                }
                Leaf::Landed(leaf) => {
                    for update in leaf.updates {
                        let new = open.remove(&(leaf.push, update.refname.clone()));
                        let new = new.unwrap_or_else(|| panic!("push {} is settled twice: {update:?}", leaf.push));
                        if let (State::Landed, Some(new)) = (update.state, new) {
                            *landed.entry((update.refname.to_string(), new.to_string())).or_default() += 1;
                        }
                    }
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "pushes that are not settled: {open:?}");
        (landed, accepted)
    }

    fn log<'a>(&self, repository: &'a Repository) -> Log<'a> {
        let vkey = std::fs::read_to_string(self.bank.server.join("mledger/vkey")).unwrap();
        Log::open(repository, Some(&VerifierKey::parse(vkey.trim()).unwrap())).unwrap()
    }

    /// How long each hook that was traced waited for the ledger's lock.
    #[allow(dead_code, reason = "the bench asks for it")]
    pub fn lock_waits(&self) -> Vec<Duration> {
        let traces = self.clients.iter().filter_map(|client| client.trace.as_ref());
        traces.flat_map(|trace| lock_waits(trace)).collect()
    }
}

impl Client {
    fn work(&self, n: usize, pushes: usize) -> (Vec<Acknowledged>, usize) {
        let mut lost = 0;
        let acknowledged = (0..pushes).map(|round| {
            let mut commit = self.person.commit(&self.dir, &format!("models/{}", self.person.name), &round.to_string());
            let mut tries = 0;
            loop {
                let run = certified_anew(|| self.push());
                if run.code == Some(0) {
                    break;
                }
                assert!(n < SHARING && is_lost_race(&run), "{run:#?}");
                lost += 1;
                tries += 1;
                assert!(tries < TRIES_MAX, "{run:#?}");
                self.person.git(&self.dir, &["pull", "-q", "--rebase", "origin", &self.branch]).ok();
                commit = self.person.git(&self.dir, &["rev-parse", "HEAD"]).ok();
            }
            Acknowledged { client: n, refname: format!("refs/heads/{}", self.branch), commit }
        });
        (acknowledged.collect(), lost)
    }

    fn push(&self) -> Run {
        let push = ["git", "push", "origin", "HEAD"];
        match &self.trace {
            None => self.person.git(&self.dir, &push[1..]),
            Some(file) => {
                let mut command = Command::new("strace");
                command.args([
                    "-A",
                    "-f",
                    "--seccomp-bpf",
                    "-ttt",
                    "-y",
                    "-e",
                    "trace=flock",
                    "-e",
                    "signal=none",
                    "-o",
                ]);
                command.arg(file).args(push).current_dir(&self.dir);
                self.person.run(&mut command, None)
            }
        }
    }
}

/// Whether a push failed only because another was faster, by Git's words or by the gate's.
fn is_lost_race(run: &Run) -> bool {
    ["fetch first", "non-fast-forward", "cannot lock ref", "it moved while you pushed", "failed to update ref"]
        .iter()
        .any(|words| run.err.contains(words))
}

/// From the first attempt of each process at a ledger's lock to the one that got it:
/// `4711 1795438000.123456 flock(5</…/mledger/lock>, LOCK_EX|LOCK_NB) = -1 EAGAIN (…)`.
#[allow(dead_code, reason = "the bench asks for it")]
fn lock_waits(trace: &Path) -> Vec<Duration> {
    let mut since: BTreeMap<String, f64> = BTreeMap::new();
    let mut waits = Vec::new();
    for line in std::fs::read_to_string(trace).unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        let (Some(process), Some(time)) = (words.next(), words.next().and_then(|time| time.parse::<f64>().ok())) else {
            continue;
        };
        // The server's; a clone that follows a ledger has one, too. Where processes take turns, a call has two lines.
        let asks = line.contains("/models.git/mledger/lock>, LOCK_EX");
        if !asks && !line.contains("<... flock resumed>") {
            continue;
        }
        let begin = since.get(process).copied().or(asks.then_some(time));
        since.extend(begin.map(|begin| (process.to_owned(), begin)));
        if let (Some(begin), true) = (begin, line.ends_with("= 0")) {
            since.remove(process);
            waits.push(Duration::from_secs_f64((time - begin).max(0.0)));
        }
    }
    waits
}
