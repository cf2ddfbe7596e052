//! Kill -9 under load: several engineers push without a pause, and each push's processes die at some moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mledger::digest::Digest;
use mledger::entry::leaf::{Leaf, Verdict};
use mledger::git::Repository;
use mledger::ledger::Log;
use mledger::ledger::read::ReadError;
use rustix::process::{Pid, Signal, kill_process};

use super::bank::Bank;
use super::stage::{is_orderly, patiently};
use super::witness::Witness;
use super::world::Run;

/// The branches of one engineer.
const BRANCHES: usize = 3;

/// How often somebody looks whether a process has begun or a ref has moved.
const LOOK_EVERY: Duration = Duration::from_micros(300);

/// What became of many pushes.
#[derive(Debug, Default)]
pub struct Tally {
    /// Pushes that were struck by at least one kill.
    pub kills: usize,
    /// Pushes that Git called done.
    pub acknowledged: usize,
    /// Of those, the ones without an entry, or whose ref is not there.
    pub missing: usize,
    /// Checkpoints that the ledger no longer extends.
    pub forks: usize,
    /// Next pushes that did not work.
    pub repairs: usize,
    /// Locks on pushed refs that a killed Git left, and that were removed: no Git does so by itself.
    pub git_locks: usize,
    /// What was wrong, at length.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Adds another server's.
    pub fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.acknowledged += other.acknowledged;
        self.missing += other.missing;
        self.forks += other.forks;
        self.repairs += other.repairs;
        self.git_locks += other.git_locks;
        self.wrong.extend(other.wrong);
    }
}

/// Which processes of a push die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    All,
    Hook,
    ReceivePack,
}

/// When they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// As soon as the ledger moves: by this entry, or by another's.
    Entry,
    /// As long after the push began as this.
    After(Duration),
}

/// Random numbers by Marsaglia's xorshift: the same from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// Strikes `count` pushes of `clients` engineers at once, by a seed that tells which and when.
pub fn kills(count: usize, clients: usize, seed: u64) -> Tally {
    let bank = Bank::open_with("", &["--login", "env"]);
    let left = AtomicUsize::new(count);
    let found = std::thread::scope(|scope| {
        let (bank, left) = (&bank, &left);
        let clients: Vec<_> = (0..clients)
            .map(|number| {
                let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64) | 1);
                scope.spawn(move || Client::new(bank, number, count, dice).work(left))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    sum(&bank, found)
}

/// What all saw, held against the ledger as it is at the end.
fn sum(bank: &Bank, found: Vec<Client<'_>>) -> Tally {
    let mut all = Tally::default();
    let entries = entries(bank);
    let mut roots: BTreeMap<u64, Digest> = BTreeMap::new();
    for mut client in found {
        for (size, root) in client.witness.seen() {
            all.forks += usize::from(*roots.entry(*size).or_insert(*root) != *root);
        }
        if let Err(why) = client.witness.look_back(&bank.server) {
            client.tally.forks += 1;
            client.tally.wrong.push(why);
        }
        for (name, commit) in &client.acknowledged {
            let is_missing = !entries.contains(&(name.clone(), commit.clone()));
            all.missing += usize::from(is_missing);
            all.wrong.extend(is_missing.then(|| format!("no entry puts {name} at {commit}")));
        }
        all.acknowledged += client.acknowledged.len();
        all.add(client.tally);
        match client.witness.verify(bank) {
            Ok(0) => {}
            Ok(open) => all.wrong.push(format!("{open} moves stay open")),
            Err(why) => all.wrong.push(why),
        }
    }
    all
}

/// Every move that the ledger authorised.
fn entries(bank: &Bank) -> BTreeSet<(String, String)> {
    let repository = Repository::open(&bank.server).unwrap();
    let log = Log::open(&repository, None).unwrap();
    let mut entries = BTreeSet::new();
    log.each(0..log.size(), |_, bytes| {
        if let Leaf::Push(push) = Leaf::parse(bytes).unwrap()
            && push.decision == Verdict::Accepted
        {
            let moves =
                push.updates.iter().filter_map(|update| Some((update.refname.to_string(), update.new?.to_string())));
            entries.extend(moves);
        }
        Ok::<_, ReadError>(())
    })
    .unwrap();
    entries
}

/// An engineer who pushes one commit after another, each of them twice: once it is struck, once it must work.
struct Client<'a> {
    bank: &'a Bank,
    number: usize,
    dir: PathBuf,
    /// Where a receive-pack writes its number.
    pid_file: PathBuf,
    commits: Vec<String>,
    dice: Dice,
    /// How long a push takes that nobody strikes.
    takes: Duration,
    witness: Witness,
    acknowledged: BTreeSet<(String, String)>,
    tally: Tally,
}

impl<'a> Client<'a> {
    fn new(bank: &'a Bank, number: usize, count: usize, dice: Dice) -> Self {
        let dir = bank.bare_clone_of(&bank.alice, &format!("client {number}"));
        Self {
            number,
            pid_file: bank.world.path(&format!("pid {number}")),
            // One may get more than its share of the kills.
            commits: bank.alice.import(&dir, Some("origin/main"), count),
            dir,
            dice,
            takes: Duration::from_millis(60),
            witness: Witness::of(&bank.server),
            acknowledged: BTreeSet::new(),
            tally: Tally::default(),
            bank,
        }
    }

    fn work(mut self, left: &AtomicUsize) -> Self {
        for (round, commit) in self.commits.clone().iter().enumerate() {
            if left.load(Ordering::Relaxed) == 0 || self.tally.wrong.len() > 5 {
                break;
            }
            let branch = format!("refs/heads/dev/{}/{}", self.number, round % BRANCHES);
            if let Err(why) = self.round(&branch, commit, left) {
                self.tally.wrong.push(format!("client {} round {round}: {why}", self.number));
            }
        }
        // What the last one left open is settled by the next.
        let last = self.commits.first().cloned().unwrap_or_default();
        let run = self.push(&last, &format!("refs/heads/dev/{}/last", self.number));
        self.tally.repairs += usize::from(run.code != Some(0));
        self
    }

    fn round(&mut self, branch: &str, commit: &str, left: &AtomicUsize) -> Result<(), String> {
        let victim = match self.dice.below(3) {
            0 => Victim::All,
            1 => Victim::Hook,
            _ => Victim::ReceivePack,
        };
        let span = u64::try_from(self.takes.as_micros()).unwrap_or(u64::MAX);
        let moment = match self.dice.below(4) {
            0 => Moment::Entry,
            _ => Moment::After(Duration::from_micros(self.dice.below(span))),
        };
        let (run, is_struck) = self.struck(branch, commit, victim, moment);
        if is_struck {
            self.tally.kills += 1;
            // Others may have taken the last one.
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        }
        self.look(&run, branch, commit)?;
        let lock = self.bank.server.join(format!("{branch}.lock"));
        self.tally.git_locks += usize::from(fs::remove_file(lock).is_ok());
        let begin = Instant::now();
        let next = self.push(commit, branch);
        self.takes = (self.takes + begin.elapsed()) / 2;
        if next.code != Some(0) {
            self.tally.repairs += 1;
            return Err(format!("the next push does not work: {next:#?} after {run:#?}, {victim:?} {moment:?}"));
        }
        self.look(&next, branch, commit)
    }

    /// What a push showed, and what stands on the server now.
    fn look(&mut self, run: &Run, branch: &str, commit: &str) -> Result<(), String> {
        is_orderly(run)?;
        let seen = self.witness.hear(run).and_then(|()| self.witness.look(&self.bank.server));
        if let Err(why) = seen {
            self.tally.forks += 1;
            return Err(why);
        }
        if run.code != Some(0) {
            return Ok(());
        }
        self.acknowledged.insert((branch.to_owned(), commit.to_owned()));
        let stands = fs::read_to_string(self.bank.server.join(branch)).unwrap_or_default();
        if stands.trim() == commit {
            return Ok(());
        }
        self.tally.missing += 1;
        Err(format!("{branch} stands at `{stands}`, not at {commit}: {run:#?}"))
    }

    fn push(&self, commit: &str, branch: &str) -> Run {
        let script =
            format!("echo $$ > \"{}\"; MLEDGER_LOGIN=alice exec git-receive-pack \"$0\"", self.pid_file.display());
        let (receive, spec) = (format!("--receive-pack=sh -c '{script}'"), format!("{commit}:{branch}"));
        patiently(&self.bank.alice, &self.dir, &["git", "push", "--no-signed", &receive, "origin", &spec])
    }

    /// Pushes, and kills; says whether anything was there to be killed.
    fn struck(&self, branch: &str, commit: &str, victim: Victim, moment: Moment) -> (Run, bool) {
        let _ = fs::remove_file(&self.pid_file);
        let log_file = self.bank.server.join("refs/mledger/log");
        let head = || fs::read(&log_file).unwrap_or_default();
        let before = head();
        std::thread::scope(|scope| {
            let push = scope.spawn(|| self.push(commit, branch));
            let receiver = loop {
                let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
                if push.is_finished() || text.ends_with('\n') {
                    break text.trim().to_owned();
                }
                std::thread::sleep(LOOK_EVERY);
            };
            match moment {
                Moment::After(pause) => std::thread::sleep(pause),
                Moment::Entry => {
                    while head() == before && !push.is_finished() {
                        std::thread::sleep(LOOK_EVERY);
                    }
                }
            }
            let is_struck = strike(&receiver, victim);
            (push.join().unwrap(), is_struck)
        })
    }
}

/// Kills a receive-pack, its hooks, or both; nothing of it starts anything new meanwhile. Says whether any was there.
fn strike(receiver: &str, victim: Victim) -> bool {
    if !is_receive_pack(receiver) {
        return false;
    }
    if victim == Victim::ReceivePack {
        return signal(Signal::KILL, receiver);
    }
    signal(Signal::STOP, receiver);
    let struck = below(receiver).iter().filter(|pid| signal(Signal::KILL, pid)).count() > 0;
    let end = if victim == Victim::All { Signal::KILL } else { Signal::CONT };
    let ended = signal(end, receiver);
    struck || victim == Victim::All && ended
}

/// Whether the process is still that of this push: its number may be another's by now.
fn is_receive_pack(pid: &str) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.starts_with("git") || name.trim_end() == "sh"
}

/// All processes below one, by `/proc`.
fn below(pid: &str) -> Vec<String> {
    let listed = fs::read_to_string(Path::new("/proc").join(pid).join("task").join(pid).join("children"));
    let children: Vec<String> = listed.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let deeper: Vec<String> = children.iter().flat_map(|child| below(child)).collect();
    [children, deeper].concat()
}

fn signal(signal: Signal, pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}
