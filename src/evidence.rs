//! From a commit's own bytes and its manifest to the facts that a decision needs.
//!
//! The gate gets the manifest from the repository, `verify` from the leaf; from there on both take this one path.

use std::collections::BTreeSet;

use crate::identity::sshsig::{NAMESPACE_GIT, SshSig};
use crate::model::manifest::{Manifest, New};
use crate::name::RepoPath;
use crate::object::commit::{Commit, signed_payload};
use crate::object::message::{self, LogHead};
use crate::object::tag::{self, Tag};
use crate::object::tree::Mode;
use crate::policy::facts::{self, LogTrailer, ManifestTrailer, Signature};

/// What a commit shows by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The facts; `facts.log` stays open until [`Evidence::log`] is held against the ledger.
    pub facts: facts::Commit,
    /// The ledger head that its author saw.
    pub log: Option<LogHead>,
}

/// The facts about a commit that could not be read: they deny, and say why.
pub fn unreadable(why: &str) -> Evidence {
    let facts = facts::Commit {
        collision: None,
        log: LogTrailer::Missing,
        manifest: ManifestTrailer::Missing,
        paths: Vec::new(),
        signature: Signature::Invalid { why: why.to_owned() },
        trailers: BTreeSet::new(),
        vouched: None,
    };
    Evidence { facts, log: None }
}

/// Gathers what `commit` (whose bytes are `raw`) shows; `own` holds the paths a merge changes by itself.
pub fn gather(raw: &[u8], commit: &Commit, manifest: &Manifest, own: Option<&[RepoPath]>) -> Evidence {
    let signature = signature(raw, commit);
    assemble(commit, manifest, own, signature)
}

/// Like [`gather`], with the signature checked already.
pub fn assemble(commit: &Commit, manifest: &Manifest, own: Option<&[RepoPath]>, signature: Signature) -> Evidence {
    let ours = match message::ours(&commit.message) {
        Ok(ours) => ours,
        Err(error) => {
            let mut refused = unreadable(&error.to_string());
            refused.facts.paths = paths(manifest, own);
            return refused;
        }
    };
    let manifest_trailer = match &ours.manifest {
        None => ManifestTrailer::Missing,
        Some(digests) if digests.contains(&manifest.digest()) => ManifestTrailer::Matches,
        Some(_) => ManifestTrailer::Mismatch,
    };
    let named = |(name, value): (String, String)| (!value.trim().is_empty()).then_some(name);
    let facts = facts::Commit {
        collision: None,
        log: if ours.log.is_some() { LogTrailer::Foreign } else { LogTrailer::Missing },
        manifest: manifest_trailer,
        paths: paths(manifest, own),
        signature,
        trailers: message::trailers(&commit.message).into_iter().filter_map(named).collect(),
        vouched: None,
    };
    Evidence { facts, log: ours.log }
}

/// What a commit's signature is.
pub fn signature(raw: &[u8], commit: &Commit) -> Signature {
    commit.signature.as_ref().map_or(Signature::Missing, |armour| check(armour, &signed_payload(raw)))
}

/// What a tag's signature is.
pub fn tag_signature(raw: &[u8], tag: &Tag) -> Signature {
    tag.signature.as_ref().map_or(Signature::Missing, |armour| check(armour, tag::signed_payload(raw)))
}

fn check(armour: &str, payload: &[u8]) -> Signature {
    let checked = SshSig::parse(armour.as_bytes(), NAMESPACE_GIT)
        .and_then(|signature| signature.verify(payload).map(|()| signature.key().id().clone()));
    match checked {
        Ok(key) => Signature::Valid { key },
        Err(error) => Signature::Invalid { why: error.to_string() },
    }
}

/// The paths a commit changes by itself, with size and link mark of the new contents. Sorted, each once.
fn paths(manifest: &Manifest, own: Option<&[RepoPath]>) -> Vec<facts::Path> {
    let own: Option<BTreeSet<&RepoPath>> = own.map(|own| own.iter().collect());
    let mut paths: Vec<facts::Path> = manifest
        .parents()
        .iter()
        .flat_map(|parent| &parent.lines)
        .filter(|line| own.as_ref().is_none_or(|own| own.contains(&line.path)))
        .map(|line| facts::Path {
            bytes: match &line.new {
                Some(New::Blob { bytes, .. }) => Some(*bytes),
                Some(New::Gitlink(_)) | None => None,
            },
            link: matches!(line.new.as_ref().map(New::mode), Some(Mode::Symlink | Mode::Gitlink)),
            path: line.path.clone(),
        })
        .collect();
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    paths.dedup_by(|a, b| a.path == b.path);
    paths
}
