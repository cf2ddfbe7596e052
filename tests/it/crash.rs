//! Dying and failing: system calls of the hooks, kill -9, too little of everything. Whatever happens, nothing
//! acknowledged is lost, nothing forks, and the next push works without anybody's help.
//!
//! `cargo bench -- crash faults` does the same at length.
#![cfg(target_os = "linux")]

mod clone;
mod fault;
mod kills;
mod limits;
mod server;
mod stage;
mod witness;

use self::clone::Desk;
use self::fault::{Fault, Harm};
use self::limits::Scarce;
use self::server::{Scene, Theatre};
use self::stage::Outcome;
use crate::{bank, world};

/// Each fault leaves everything in order; most of them happen, since a hook does the same each time.
fn each(faults: &[Fault], play: impl Fn(&Fault) -> Result<Outcome, String>) {
    let spared = faults.iter().filter(|fault| {
        let outcome = play(fault).unwrap_or_else(|why| panic!("{fault}: {why}"));
        outcome == Outcome::Spared
    });
    let spared = spared.count();
    assert!(spared * 5 <= faults.len(), "{spared} of {} faults did not happen", faults.len());
}

/// Every step of an append, and of each kind of call one.
fn steps(scene: Scene) {
    let theatre = Theatre::new(scene);
    let calls = theatre.calls();
    assert!(calls["fsync"] >= 6 && calls["rename"] >= 2, "{calls:?}");
    each(&fault::sample(&calls), |fault| theatre.play(fault));
}

/// A few deaths and errors that are spread over the whole.
fn spread(scene: Scene, count: usize) {
    let theatre = Theatre::new(scene);
    each(&thin(fault::sample(&theatre.calls()), count), |fault| theatre.play(fault));
}

fn thin(faults: Vec<Fault>, count: usize) -> Vec<Fault> {
    let every = faults.len().div_ceil(count).max(1);
    faults.into_iter().step_by(every).collect()
}

#[test]
fn a_push_survives_every_step_that_fails_or_is_the_last() {
    steps(Scene::Accept);
}

#[test]
fn so_does_the_one_that_seals() {
    spread(Scene::Seal, 12);
}

#[test]
fn so_do_denials_and_what_is_made_anew() {
    spread(Scene::Deny, 12);
    spread(Scene::Anew, 12);
}

#[test]
fn so_do_statements() {
    spread(Scene::Policy, 12);
    spread(Scene::Reconcile, 12);
}

#[test]
fn so_does_what_comes_after_the_refs_moved() {
    spread(Scene::Settle, 24);
    spread(Scene::Sweep, 8);
}

#[test]
fn no_commit_and_no_message_is_lost_when_a_hook_fails() {
    for scene in clone::SCENES {
        let desk = Desk::new(scene);
        let calls = desk.calls();
        let writes = |fault: &Fault| {
            let call = ["write", "rename", "unlink", "fchmod", "chmod"].contains(&fault.call.as_str());
            call && matches!(fault.harm, Harm::Kill | Harm::Error("ENOSPC" | "EROFS"))
        };
        let mut faults: Vec<Fault> = fault::all(&calls).into_iter().filter(writes).collect();
        faults = thin(faults, 8);
        faults.extend(thin(fault::sample(&calls), 6));
        each(&faults, |fault| desk.play(fault));
    }
}

#[test]
fn kill_nine_at_any_moment_loses_nothing() {
    let seed = u64::from(std::process::id());
    eprintln!("seed {seed}");
    let tally = kills::kills(200, 4, seed);
    assert!(tally.kills >= 150, "{tally:#?}");
    assert_eq!((tally.missing, tally.forks, tally.repairs), (0, 0, 0), "seed {seed}: {tally:#?}");
    assert!(tally.wrong.is_empty(), "seed {seed}: {tally:#?}");
}

#[test]
fn too_little_of_anything_denies_with_a_reason_or_does() {
    let theatre = Theatre::new(Scene::Accept);
    let mut refused = Vec::new();
    for (scarce, amounts) in [
        (Scarce::Disk, &[0, 1, 2, 4, 16, 64][..]),
        (Scarce::Handles, &[3, 4, 5, 6, 7, 8, 9, 10, 12]),
        (Scarce::Memory, &[2_000, 10_000, 15_000, 20_000, 24_000, 32_000, 64_000]),
    ] {
        for amount in amounts {
            let run = scarce.play(&theatre, *amount).unwrap();
            if run.code != Some(0) {
                refused.push((scarce, *amount, run.err));
            }
        }
    }
    let says = |words: &str| refused.iter().any(|(_, _, err)| err.contains(words));
    assert!(says("make room on the disk") && says("allow more open files"), "{refused:#?}");
    // What cannot be opened for want of handles is not damaged.
    assert!(!says("git fsck"), "{refused:#?}");
}
