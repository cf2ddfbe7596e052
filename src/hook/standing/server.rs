//! Where a server's repository stands.

use serde::Serialize;

use super::StandingError;
use crate::clock::Timestamp;
use crate::entry::leaf::Unexplained;
use crate::git::Repository;
use crate::index::Index;
use crate::ledger::read::Log;
use crate::ledger::{LOG_REF, REFS};
use crate::name::{Oid, Origin, RefName};

/// A server's repository and its ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// When the newest entry was made.
    pub newest: Timestamp,
    /// How many authorised moves of refs are not settled.
    pub open: u64,
    /// The ledger's name.
    pub origin: Origin,
    /// How many refs stand where the ledger put them.
    pub refs: u64,
    /// How many entries it has.
    pub size: u64,
    /// Refs that no entry put where they stand.
    pub unexplained: Vec<Unexplained>,
}

/// Holds the refs of a repository against its ledger and the index that stands at its head.
pub fn stand(repository: &Repository, log: &Log<'_>, index: &Index) -> Result<Server, StandingError> {
    let mut put: std::collections::BTreeMap<RefName, Oid> =
        index.tips()?.into_iter().map(|tip| (tip.refname, tip.oid)).collect();
    let open = index.open_moves()?;
    let (mut unexplained, mut refs) = (Vec::new(), 0);
    for (name, tip) in repository.refs()? {
        if name == LOG_REF || name.starts_with(REFS) {
            continue;
        }
        let refname = RefName::parse(&name)?;
        let expected = put.remove(&refname);
        if expected == Some(tip) {
            refs += 1;
        } else {
            unexplained.push(Unexplained { expected, refname, tip: Some(tip) });
        }
    }
    unexplained.extend(put.into_iter().map(|(refname, tip)| Unexplained { expected: Some(tip), refname, tip: None }));
    // A push that was accepted a moment ago, and that no later entry has settled yet.
    unexplained.retain(|found| {
        !open.iter().any(|open| open.refname == found.refname && open.new == found.tip && open.old == found.expected)
    });
    Ok(Server {
        newest: log.leaf(log.size().saturating_sub(1))?.time(),
        open: open.len() as u64,
        origin: log.head().checkpoint.origin().clone(),
        refs,
        size: log.size(),
        unexplained,
    })
}
