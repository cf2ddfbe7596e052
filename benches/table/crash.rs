//! Kill -9 under load, and every system call of the hooks that fails or is the last: what the tests in `tests/it/crash`
//! do in small, by the same code.

#[path = "../../tests/it/crash/clone.rs"]
mod clone;
#[path = "../../tests/it/crash/fault.rs"]
mod fault;
#[path = "../../tests/it/crash/kills.rs"]
mod kills;
#[path = "../../tests/it/crash/server.rs"]
mod server;
#[path = "../../tests/it/crash/stage.rs"]
#[allow(dead_code, reason = "the tests' own, of which this needs a part")]
mod stage;
#[path = "../../tests/it/crash/witness.rs"]
mod witness;

use std::time::{SystemTime, UNIX_EPOCH};

use self::clone::Desk;
use self::fault::Fault;
use self::kills::Tally;
use self::server::{Scene, Theatre};
use self::stage::Outcome;
use super::Size;
use super::it::{bank, world};
use super::measure::Table;

/// Engineers who push at once.
const CLIENTS: usize = 4;

/// Kills of one server, before the next begins with a ledger that is new.
const KILLS_PER_SERVER: usize = 500;

/// Every scene of the server's hooks.
const SERVER_SCENES: [Scene; 8] = [
    Scene::Accept,
    Scene::Seal,
    Scene::Deny,
    Scene::Anew,
    Scene::Policy,
    Scene::Reconcile,
    Scene::Settle,
    Scene::Sweep,
];

/// Kills pushes at random moments. `MLEDGER_KILLS` says how many, `MLEDGER_SEED` which.
pub fn kills(table: &mut Table, size: Size) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("MLEDGER_SEED").unwrap_or_else(now);
    let default = if size == Size::Full { 10_000 } else { 100 };
    let count = number("MLEDGER_KILLS").and_then(|count| usize::try_from(count).ok()).unwrap_or(default);
    let mut all = Tally::default();
    while all.kills < count {
        let of = seed.wrapping_add(all.kills as u64);
        let found = kills::kills(KILLS_PER_SERVER.min(count - all.kills), CLIENTS, of);
        found.wrong.iter().for_each(|why| eprintln!("  seed {of}: {why}"));
        all.add(found);
        eprintln!("  {} kills: {}", all.kills, line(&all));
    }
    table.row(
        "pushes killed with kill -9 at random moments, four at a time: hook, receive-pack or both",
        format!("{} kills; {} pushes acknowledged", all.kills, all.acknowledged),
        line(&all),
    );
}

/// Lets every system call of every hook fail in every way, and every process die before it.
pub fn faults(table: &mut Table, size: Size) {
    let mut counts = Counts::default();
    let servers: &[Scene] = if size == Size::Full { &SERVER_SCENES } else { &[Scene::Accept] };
    for scene in servers {
        let theatre = Theatre::new(*scene);
        let calls = theatre.calls();
        counts.play(&format!("{scene:?}"), &faults_of(&calls, size), |fault| theatre.play(fault));
    }
    let clones: &[clone::Scene] = if size == Size::Full { &clone::SCENES } else { &[] };
    for scene in clones {
        let desk = Desk::new(*scene);
        let calls = desk.calls();
        counts.play(&format!("{scene:?}"), &faults_of(&calls, size), |fault| desk.play(fault));
    }
    table.row(
        "system calls of the hooks that failed, or before which the process was killed, one at a time",
        format!("{} faults; {} refused, {} done all the same", counts.all, counts.refused, counts.done),
        format!("{} left something wrong; {} came too late", counts.wrong, counts.spared),
    );
}

fn faults_of(calls: &std::collections::BTreeMap<String, usize>, size: Size) -> Vec<Fault> {
    if size == Size::Full { fault::all(calls) } else { fault::sample(calls) }
}

/// What became of faults.
#[derive(Default)]
struct Counts {
    all: usize,
    spared: usize,
    done: usize,
    refused: usize,
    wrong: usize,
}

impl Counts {
    fn play(&mut self, scene: &str, faults: &[Fault], play: impl Fn(&Fault) -> Result<Outcome, String>) {
        for fault in faults {
            self.all += 1;
            match play(fault) {
                Ok(Outcome::Spared) => self.spared += 1,
                Ok(Outcome::Done) => self.done += 1,
                Ok(Outcome::Refused) => self.refused += 1,
                Err(why) => {
                    self.wrong += 1;
                    eprintln!("  {scene}, {fault}: {why}");
                }
            }
        }
        eprintln!("  {scene}: {} faults so far, {} left something wrong", self.all, self.wrong);
    }
}

/// What must be nothing, and what Git leaves.
fn line(tally: &Tally) -> String {
    let Tally { missing, forks, repairs, git_locks, wrong, .. } = tally;
    let wrong = wrong.len();
    format!(
        "{missing} missing, {forks} forks, {repairs} repairs, {wrong} faults in all; Git left its lock on {git_locks} refs"
    )
}
