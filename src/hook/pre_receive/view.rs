//! What the gate read without the lock, and whether it still holds under it.

use std::collections::BTreeMap;

use super::{Gate, GateError, policy_in_force};
use crate::clock::Timestamp;
use crate::git::Repository;
use crate::hook::gather::{self, GatherError, Gathered, Sources};
use crate::hook::pusher::{self, Environment};
use crate::hook::settle::Settlement;
use crate::index::Index;
use crate::ledger::read::Log;
use crate::object::certificate::{self, Command};
use crate::policy::Policy;
use crate::policy::decide::decide;
use crate::policy::facts::{self, Facts, Pusher};

/// What was read without the lock.
pub(super) struct View<'a> {
    pub(super) commands: Vec<Command>,
    pub(super) log: Log<'a>,
    pub(super) index: Index,
    pub(super) policy: Policy,
    pub(super) policy_entry: u64,
    pub(super) pusher: Pusher,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) gathered: Result<Gathered, GatherError>,
}

impl<'a> View<'a> {
    pub(super) fn read(
        gate: &'a Gate,
        pushed: &Repository,
        commands: Vec<Command>,
        environment: &Environment,
    ) -> Result<Self, GateError> {
        let (log, index) = gate.snapshot()?;
        let (policy, policy_entry) = policy_in_force(&log, &index)?;
        let (pusher, certificate) = pusher::identify(environment, gate.login_source(&log)?, pushed, &index, &commands)?;
        let settled = &BTreeMap::new();
        let sources = Sources { pushed, log: &log, index: &index, policy: &policy, settled };
        let gathered = match gather::gather(&sources, &commands, BTreeMap::new(), gather::TIME_MAX) {
            Err(GatherError::Index(error)) if error.is_damage() => return Err(error.into()),
            gathered => gathered,
        };
        Ok(Self { commands, log, index, policy, policy_entry, pusher, certificate, gathered })
    }

    /// Others have appended since: takes their entries in, from the ledger as it is under the lock.
    pub(super) fn catch_up(&mut self, log: Log<'a>) -> Result<(), GateError> {
        self.log = log;
        self.index.sync(&self.log)?;
        if let (Pusher::Certificate { .. }, Some(bytes)) = (&self.pusher, &self.certificate)
            && self.index.certificate_used(&certificate::single_use_digest(bytes))?
        {
            self.pusher = Pusher::Refused { why: pusher::USED.to_owned() };
        }
        Ok(())
    }

    /// Whether anything that the facts depend on is not what it was: the policy, which commits are known, and for a new
    /// ref where the others stand.
    pub(super) fn is_stale(&mut self, moved: bool, settlement: &Settlement) -> Result<bool, GateError> {
        let mut stale = false;
        if moved && self.index.policy_entry()? != self.policy_entry {
            (self.policy, self.policy_entry) = policy_in_force(&self.log, &self.index)?;
            stale = true;
        }
        // Whatever is denied anyway is not gathered again: others wait, and a thief could let them wait for long.
        let Ok(gathered) = &self.gathered else { return Ok(false) };
        if !self.is_by_an_actor(settlement.time) {
            return Ok(false);
        }
        if moved {
            stale |= !gather::changed_since(&self.index, &gathered.commits)?.is_empty();
        }
        let looks_at_others =
            |update: &facts::Update| !update.scopes.is_empty() || update.action == facts::Move::Delete;
        let others_moved = moved || !settlement.tips.is_empty();
        Ok(stale || others_moved && gathered.updates.iter().any(looks_at_others))
    }

    pub(super) fn is_by_an_actor(&self, time: Timestamp) -> bool {
        let pusher = self.pusher.clone();
        let facts = Facts { commits: BTreeMap::new(), pusher, time, totals: None, updates: Vec::new() };
        decide(&self.policy, &facts).pusher.is_some()
    }

    pub(super) fn gather_again(&mut self, pushed: &Repository, settlement: &Settlement) {
        let settled = &settlement.tips;
        let sources = Sources { pushed, log: &self.log, index: &self.index, policy: &self.policy, settled };
        // Reading the commits again would hold up others for as long as a thief likes.
        let found = self.gathered.as_mut().map(|gathered| std::mem::take(&mut gathered.commits)).unwrap_or_default();
        self.gathered = gather::gather(&sources, &self.commands, found, gather::TIME_LOCKED_MAX);
    }
}
