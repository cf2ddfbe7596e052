//! Somebody who forgets nothing: every checkpoint that ever stood in the ledger or in a receipt, and every push that Git
//! called done.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mledger::digest::Digest;
use mledger::git::Repository;
use mledger::ledger::Log;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::VerifierKey;
use serde_json::Value;

use super::bank::Bank;
use super::world::Run;

/// How many of the newest checkpoints a new one is held to.
const NEWEST: usize = 8;

/// What one server has promised so far.
pub struct Witness {
    vkey: VerifierKey,
    /// Roots by size.
    seen: BTreeMap<u64, Digest>,
}

impl Witness {
    /// Looks at the server for the first time.
    pub fn of(server: &Path) -> Self {
        let vkey = fs::read_to_string(server.join("mledger/vkey")).unwrap();
        let mut witness = Self { vkey: VerifierKey::parse(vkey.trim()).unwrap(), seen: BTreeMap::new() };
        witness.look(server).unwrap();
        witness
    }

    /// Remembers the receipts that a push printed.
    pub fn hear(&mut self, run: &Run) -> Result<(), String> {
        let lines = run.err.lines().filter_map(|line| line.split_once("receipt: size ")?.1.split_once(" root "));
        for (size, root) in lines {
            let root = root.split_whitespace().next().unwrap_or_default();
            self.remember(size.parse().unwrap(), Digest::parse(root).map_err(|error| format!("{root}: {error}"))?)?;
        }
        Ok(())
    }

    /// Remembers the checkpoints that stand on the server, and holds it to all earlier ones: it never went back, nor
    /// another way.
    pub fn look(&mut self, server: &Path) -> Result<(), String> {
        // What an append that failed had signed may lie here, and may be the newest there is. It is read before the
        // ledger, which others go on with meanwhile.
        if let Ok(note) = fs::read_to_string(server.join("mledger/last-checkpoint")) {
            let last = Checkpoint::open(&note, &self.vkey).map_err(|error| format!("last-checkpoint: {error}"))?;
            self.remember(last.size(), last.root())?;
        }
        let repository = Repository::open(server).map_err(|error| error.to_string())?;
        let log = Log::open(&repository, Some(&self.vkey)).map_err(|error| format!("the ledger: {error:?}"))?;
        let head = log.head().checkpoint.clone();
        self.remember(head.size(), head.root())?;
        // Each was held to those before it when it came.
        self.hold(&log, NEWEST)
    }

    /// Holds the ledger to everything that it ever said.
    pub fn look_back(&self, server: &Path) -> Result<(), String> {
        let repository = Repository::open(server).map_err(|error| error.to_string())?;
        let log = Log::open(&repository, Some(&self.vkey)).map_err(|error| format!("the ledger: {error:?}"))?;
        self.hold(&log, usize::MAX)
    }

    /// Roots by size.
    pub fn seen(&self) -> &BTreeMap<u64, Digest> {
        &self.seen
    }

    fn hold(&self, log: &Log<'_>, newest: usize) -> Result<(), String> {
        for (size, root) in self.seen.iter().rev().take(newest) {
            match log.was(*size, root) {
                Ok(true) => {}
                told => {
                    return Err(format!("a fork: at size {size} it was {root}, and now {} says {told:?}", log.size()));
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, size: u64, root: Digest) -> Result<(), String> {
        match self.seen.insert(size, root) {
            Some(other) if other != root => Err(format!("a fork: two roots of size {size}, {other} and {root}")),
            _ => Ok(()),
        }
    }

    /// `mledger verify` finds nothing, by the key that the ledger had at first; returns how many moves are open.
    pub fn verify(&self, bank: &Bank) -> Result<u64, String> {
        let key = self.vkey.to_string();
        verify_with(bank, &["--objects", "--key", &key])
    }

    /// The same without a look at the refs: somebody has moved one behind the gate's back.
    pub fn verify_entries(&self, bank: &Bank) -> Result<(), String> {
        let key = self.vkey.to_string();
        verify_with(bank, &["--objects", "--no-refs", "--key", &key]).map(|_| ())
    }
}

fn verify_with(bank: &Bank, words: &[&str]) -> Result<u64, String> {
    let run = bank.carol.mledger(&bank.server, &[&["--json", "verify"], words].concat());
    let report: Value = serde_json::from_str(&run.out).map_err(|error| format!("{error}: {run:#?}"))?;
    match run.code {
        Some(0) => Ok(report["refs"]["pending"].as_u64().unwrap_or(0)),
        _ => Err(format!("verify: {report:#} {}", run.err)),
    }
}
