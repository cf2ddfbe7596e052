//! Going on where an earlier verification ended, and keeping what this one knows.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{InForce, Replay};
use crate::digest::{Digest, sha256};
use crate::history::Graph;
use crate::ledger::earlier::{Earlier, Findings, Stand, TILE_HEIGHT, VouchedRow, commit_rows, stood_row, vouched_row};
use crate::ledger::read::TILE_WIDTH;
use crate::name::{Oid, RefName};
use crate::policy::Policy;
use crate::policy::facts::Voucher;
use crate::tlog::hashes::Hashes;

impl Replay<'_> {
    /// Takes up what was known when the earlier verification ended.
    pub(super) fn resume(&mut self, earlier: &Earlier) {
        let stand = earlier.stand();
        let [accepted, denied, tolerated, replayed] = stand.decisions;
        (self.counts.accepted, self.counts.denied) = (accepted, denied);
        (self.counts.tolerated, self.counts.replayed) = (tolerated, replayed);
        self.counts.signatures = stand.signatures;
        self.entries.clone_from(&stand.entries);
        self.origin = Some(stand.origin.clone());
        self.login.clone_from(&stand.login);
        self.time = stand.time;
        self.tips.extend(stand.tips.iter().cloned());
        self.open.extend(stand.open.iter().cloned());
        self.tags.extend(stand.tags.iter().copied());
        self.used.extend(stand.used.iter().copied());
        self.denied.extend(stand.denied.iter().cloned());
        self.owners.keys.extend(stand.keys.iter().cloned());
        self.owners.logins.extend(stand.logins.iter().cloned());
        match Policy::parse(&stand.policy) {
            Ok(policy) => {
                let digest = sha256(stand.policy.as_bytes());
                let (entry, text) = (stand.policy_entry, stand.policy.clone());
                self.policy = Some(InForce { entry, digest, text, policy: Rc::new(policy) });
            }
            Err(_) => earlier.doubt(),
        }
        for (name, tips) in &mut self.watched {
            for (tip, stood) in tips {
                *stood = earlier.has_stood(name, tip);
            }
        }
    }

    /// Notes where the ledger shows other entries, from `first` on, than the earlier verification took in.
    pub fn doubt_unless_known(&self, first: u64, hashes: &[Digest]) {
        let same = (first..).zip(hashes).all(|(index, hash)| self.hashes.hash(0, index) == Ok(*hash));
        if let (false, Some(earlier)) = (same, self.earlier) {
            earlier.doubt();
        }
    }

    /// Notes that a ref stood there at some time, for whoever verifies later.
    pub(super) fn note_stood(&mut self, name: &RefName, tip: &Oid) {
        self.stood.push(stood_row(name, tip));
    }

    /// Whether a push certificate was used before; it is from now on.
    pub(super) fn use_up(&mut self, certificate: Digest) -> bool {
        let before = self.earlier.is_some_and(|earlier| earlier.has_certificate(&certificate));
        !self.certificates.insert(certificate) || before
    }

    /// Who vouches for a commit.
    pub(super) fn voucher(&self, oid: &Oid) -> Option<Voucher> {
        self.vouchers.get(oid).cloned().or_else(|| self.earlier?.voucher(oid))
    }

    /// What is known after the last entry; none where something does not hold, or a push is not complete.
    pub fn findings(&self) -> Option<Findings> {
        let in_force = self.policy.as_ref().filter(|_| self.pending.is_empty() && self.problems.is_empty())?;
        let size = self.size();
        let whole = size / TILE_WIDTH;
        let (counts, log) = (self.counts, self.log);
        let mut vouchers = self.earlier.map(|earlier| earlier.stand().vouchers.clone()).unwrap_or_default();
        let vouched = self.vouched(&mut vouchers)?;
        let mut commits = Vec::with_capacity(self.graph.oids().len());
        for oid in self.graph.oids() {
            commits.extend(commit_rows(oid, &self.graph.node(oid).ok()?, self.graph.leaf(oid))?);
        }
        let stand = Stand {
            commit: log.head().commit,
            decisions: [counts.accepted, counts.denied, counts.tolerated, counts.replayed],
            denied: self.denied.iter().map(|(source, minute)| (source.clone(), *minute)).collect(),
            entries: self.entries.clone(),
            first: None,
            leaves: (whole * TILE_WIDTH..size)
                .map(|index| self.hashes.hash(0, index))
                .collect::<Result<_, _>>()
                .ok()?,
            login: self.login.clone(),
            keys: self.owners.keys.clone().into_iter().collect(),
            logins: self.owners.logins.clone().into_iter().collect(),
            open: self.open.clone().into_iter().collect(),
            origin: self.origin.clone()?,
            policy: in_force.text.clone(),
            policy_entry: in_force.entry,
            root: log.head().checkpoint.root(),
            signatures: counts.signatures,
            size,
            tags: self.tags.iter().map(|(tag, commit)| (*tag, *commit)).collect(),
            tiles: (0..whole).map(|number| self.hashes.hash(TILE_HEIGHT, number)).collect::<Result<_, _>>().ok()?,
            time: self.time,
            tips: self.tips.clone().into_iter().collect(),
            used: self.used.iter().copied().collect(),
            vkey: log.vkey().to_string(),
            vouchers,
        };
        let certificates = self.certificates.iter().map(|digest| *digest.as_bytes()).collect();
        Some(Findings { certificates, commits, stand, stood: self.stood.clone(), vouched })
    }

    /// A row for each commit that somebody began to vouch for, by a number in the list of vouchers.
    fn vouched(&self, vouchers: &mut Vec<Voucher>) -> Option<Vec<VouchedRow>> {
        let mut numbers: BTreeMap<Voucher, u32> = BTreeMap::new();
        let mut rows = Vec::with_capacity(self.vouchers.len());
        for (oid, voucher) in &self.vouchers {
            let next = u32::try_from(vouchers.len()).ok()?;
            let number = *numbers.entry(voucher.clone()).or_insert_with(|| {
                vouchers.push(voucher.clone());
                next
            });
            rows.push(vouched_row(oid, number));
        }
        Some(rows)
    }
}
