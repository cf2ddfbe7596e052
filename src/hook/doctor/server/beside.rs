//! What is kept beside the ledger: copies of its newest checkpoint, and caches.

use std::path::Path;

use super::super::{Code, Finding, Fix, Patient, file, quoted};
use crate::hook::{forecast, gate};
use crate::index::Index;
use crate::ledger::check::chain;
use crate::ledger::hashes::{self, HashCache};
use crate::ledger::last::LastCheckpoint;
use crate::ledger::read::Log;
use crate::tlog::checkpoint::Checkpoint;

/// Each copy must be there, signed, and not ahead of the ledger.
pub(super) fn last_checkpoints(patient: &Patient<'_>, log: &Log<'_>) -> Vec<Finding> {
    match LastCheckpoint::of(patient.repository, &patient.place) {
        Ok(last) => last.files().iter().filter_map(|path| last_checkpoint(path, log)).collect(),
        Err(error) => vec![Finding::unknown("last-checkpoint", &error)],
    }
}

fn last_checkpoint(path: &Path, log: &Log<'_>) -> Option<Finding> {
    let subject = path.display().to_string();
    let put_back = format!("cp CLONE/.git/mledger/checkpoint {}", quoted(path));
    let text = match file::read_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            let message = format!("`{subject}` is missing, so every push is denied");
            return Some(Finding::wrong(Code::LastCheckpointMissing, subject, message).try_this(put_back));
        }
        Err(error) => {
            return Some(Finding::wrong(Code::LastCheckpointDamaged, subject, chain(&error)).try_this(put_back));
        }
    };
    let signed = match Checkpoint::open(&text, log.vkey()) {
        Ok(signed) => signed,
        Err(error) => {
            let message = format!("`{subject}` holds no checkpoint of this ledger: {}", chain(&error));
            return Some(Finding::wrong(Code::LastCheckpointDamaged, subject, message).try_this(put_back));
        }
    };
    if signed.size() > log.size() {
        let message = format!(
            "the ledger stands at {} entries, and `{subject}` says that it had {}: it was set back",
            log.size(),
            signed.size()
        );
        return Some(Finding::wrong(Code::LedgerSetBack, "refs/mledger/log", message).try_this(super::FETCH_BACK));
    }
    match log.was(signed.size(), &signed.root()) {
        Ok(true) => None,
        Ok(false) => {
            let message = format!("the ledger does not extend the checkpoint in `{subject}`: it was replaced");
            Some(Finding::wrong(Code::LedgerForked, "refs/mledger/log", message).try_this("mledger verify"))
        }
        Err(error) => Some(Finding::unknown(subject, &error)),
    }
}

/// They are made anew where they do not match; a damaged one costs the next push time, or its answer.
pub(super) fn caches(patient: &Patient<'_>, log: &Log<'_>) -> Vec<Finding> {
    let hashes = patient.place.file(hashes::FILE);
    let mut found = Vec::new();
    if !HashCache::is_sound(&hashes, log) {
        // A push may have come in between.
        let newer = Log::open(log.repository(), Some(log.vkey())).ok();
        if !newer.is_some_and(|log| HashCache::is_sound(&hashes, &log)) {
            found.push(cache(
                Code::HashesDamaged,
                &hashes,
                Fix::Remove(hashes.clone()),
                "it does not give the ledger's root",
            ));
        }
    }
    for name in [gate::INDEX_FILE, forecast::INDEX_FILE] {
        let path = patient.place.file(name);
        if let Err(error) = Index::examine(&path) {
            found.push(cache(Code::IndexDamaged, &path, Fix::Index(path.clone()), &chain(&error)));
        }
    }
    found
}

fn cache(code: Code, path: &Path, fix: Fix, why: &str) -> Finding {
    let message = format!("`{}` is damaged, and is made anew from the ledger: {why}", path.display());
    Finding::look(code, path.display().to_string(), message).try_this("mledger doctor --fix").fix(fix)
}
