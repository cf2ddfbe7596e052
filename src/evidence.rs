//! From a commit's own bytes and its manifest to the facts that a decision needs.
//!
//! The gate gets the manifest from the repository, `verify` from the leaf; from there on both take this one path.

use std::collections::BTreeSet;

use crate::identity::sshsig::{self, NAMESPACE_GIT, SshSig, SshSigError};
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

/// What the signatures of commits are, each given with its raw bytes: what [`signature`] says, sooner for many.
pub fn signatures(commits: &[(&[u8], &Commit)]) -> Vec<Signature> {
    let parse = |(raw, commit): &(&[u8], &Commit)| {
        let armour = commit.signature.as_ref().ok_or(Signature::Missing)?;
        let signature = SshSig::parse(armour.as_bytes(), NAMESPACE_GIT).map_err(|error| invalid(&error))?;
        Ok((signature.signed_data(&signed_payload(raw)), signature))
    };
    let parsed: Vec<Result<(Vec<u8>, SshSig), Signature>> = commits.iter().map(parse).collect();
    let well_formed = parsed.iter().flatten();
    let together: Vec<(&SshSig, &[u8])> = well_formed.map(|(data, signature)| (signature, data.as_slice())).collect();
    let mut good = sshsig::verify_all(&together).into_iter();
    let mut judge = |signature: &SshSig| {
        let key = signature.key().id().clone();
        if good.next().unwrap_or(false) { Signature::Valid { key } } else { invalid(&SshSigError::Invalid(key)) }
    };
    parsed.iter().map(|parsed| parsed.as_ref().map_or_else(Clone::clone, |(_, signature)| judge(signature))).collect()
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
        Err(error) => invalid(&error),
    }
}

fn invalid(error: &SshSigError) -> Signature {
    Signature::Invalid { why: error.to_string() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ed25519::SecretKey;

    /// A commit as Git stores it, under a signature over it and `more`.
    fn signed(seed: u8, namespace: &str, more: &str) -> Vec<u8> {
        let who = "A <a@bank.example> 1795000000 +0000";
        let head = format!("tree {}\nauthor {who}\ncommitter {who}\n", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let payload = format!("{head}\nRetrain {seed}{more}");
        let armour = sshsig::sign(&SecretKey::from_seed(&[seed; 32]), namespace, payload.as_bytes());
        format!("{head}gpgsig {}\n\nRetrain {seed}", armour.trim_end().replace('\n', "\n ")).into_bytes()
    }

    #[test]
    fn many_signatures_are_what_each_is_by_itself() {
        let mut raws: Vec<Vec<u8>> = (1..=70).map(|seed| signed(seed, "git", "")).collect();
        raws.insert(3, signed(80, "git", ", but nobody signed this"));
        raws.insert(20, signed(81, "file", ""));
        let text = String::from_utf8(signed(82, "git", "")).unwrap();
        raws.insert(5, text.replace("SSH SIGNATURE", "PGP SIGNATURE").into_bytes());
        raws.insert(
            66,
            text.split_once("gpgsig").unwrap().0.as_bytes().iter().chain(b"\nNo signature").copied().collect(),
        );
        let commits: Vec<Commit> = raws.iter().map(|raw| Commit::parse(raw).unwrap()).collect();
        let both: Vec<(&[u8], &Commit)> = raws.iter().map(Vec::as_slice).zip(&commits).collect();
        let one_by_one: Vec<Signature> = both.iter().map(|(raw, commit)| signature(raw, commit)).collect();
        let why = |index: usize| match &one_by_one[index] {
            Signature::Invalid { why } => why.clone(),
            other => panic!("{other:?}"),
        };
        assert!(why(3).contains("it does not fit the signed bytes"), "{}", why(3));
        assert!(why(5).contains("not an SSH signature"), "{}", why(5));
        assert_eq!(one_by_one.iter().filter(|one| matches!(one, Signature::Valid { .. })).count(), 70);
        assert_eq!(one_by_one.iter().filter(|one| **one == Signature::Missing).count(), 1);
        for size in [1, 7, both.len()] {
            let together: Vec<Signature> = both.chunks(size).flat_map(signatures).collect();
            assert_eq!(together, one_by_one, "in chunks of {size}");
        }
    }
}
