//! What can be checked of one leaf by itself: form, digests, signatures. Costs nearly all of a verification, and runs
//! on all cores.

use std::collections::BTreeSet;

use super::read::{Log, ReadError};
use crate::digest::{Digest, git_oid, leaf_hash, sha256};
use crate::entry::field::{BlobName, Field};
use crate::entry::leaf::{self, Leaf, parse_paths};
use crate::evidence::{self, Evidence};
use crate::identity::key::{KeyId, Keys};
use crate::identity::sshsig::{self, NAMESPACE_GIT, SshSig};
use crate::model::manifest::Manifest;
use crate::name::{ActorId, Oid, RepoPath};
use crate::object::certificate::{self, Certificate, Command};
use crate::object::commit::{Commit, signed_payload};
use crate::policy::facts::{Signature, Voucher};

/// A leaf after these checks.
pub struct Checked {
    /// Its leaf hash.
    pub hash: Digest,
    /// Contents that it names, and those that they name.
    pub blobs: Vec<BlobName>,
    /// What it says, or why it says nothing.
    pub content: Result<Content, String>,
}

/// What a leaf says.
pub enum Content {
    /// A commit, with everything big taken out.
    Commit(Box<CheckedCommit>),
    /// A push, with its certificate looked at.
    Push(Box<CheckedPush>),
    /// Any other leaf.
    Other(Leaf),
}

/// A commit leaf whose parts agree with one another.
pub struct CheckedCommit {
    /// Whose key signed it, by the leaf.
    pub actor: Option<ActorId>,
    /// What it shows.
    pub evidence: Evidence,
    /// Its name.
    pub oid: Oid,
    /// Its parents.
    pub parents: Vec<Oid>,
    /// When it was recorded.
    pub time: crate::clock::Timestamp,
    /// Who vouches for it, by the leaf.
    pub vouched_by: Option<Voucher>,
}

/// A push leaf.
pub struct CheckedPush {
    /// What it says, with all its updates in place.
    pub push: leaf::Push,
    /// What its certificate says, or why that does not count; none where it has no certificate.
    pub certificate: Option<Result<CheckedCertificate, String>>,
}

/// A push certificate whose signature verifies.
pub struct CheckedCertificate {
    /// What it moves.
    pub commands: Vec<Command>,
    /// What it is known by once it is used.
    pub digest: Digest,
    /// The key that signed it.
    pub key: KeyId,
}

/// Checks leaves together: their signatures cost less that way. `keys` are those seen before, which cost less, too.
pub fn check_all<L: AsRef<[u8]>>(log: &Log<'_>, leaves: &[L], keys: &mut Keys) -> Vec<Checked> {
    let mut parsed: Vec<Named> = leaves.iter().map(|leaf| Named::parse(log, leaf.as_ref(), keys)).collect();
    let mut good = verify_signatures(&parsed).into_iter();
    let mut next_is_good = || good.next().unwrap_or(false);
    parsed
        .drain(..)
        .map(|Named { hash, blobs, parsed }| {
            let content = parsed.and_then(|parsed| match parsed {
                Parsed::Other(leaf) => Ok(Content::Other(*leaf)),
                Parsed::Commit(commit) => {
                    commit.finish(&mut next_is_good).map(|commit| Content::Commit(Box::new(commit)))
                }
                Parsed::Push(push) => Ok(Content::Push(Box::new(push.finish(&mut next_is_good)))),
            });
            Checked { hash, blobs, content }
        })
        .collect()
}

/// Checks one leaf.
pub fn check_one(log: &Log<'_>, bytes: &[u8]) -> Checked {
    check_all(log, &[bytes], &mut Keys::default()).pop().unwrap_or(Checked {
        hash: leaf_hash(bytes),
        blobs: Vec::new(),
        content: Err("nothing to check".to_owned()),
    })
}

/// A leaf whose signatures are not verified yet, with its hash and the contents that it names.
struct Named {
    hash: Digest,
    blobs: Vec<BlobName>,
    parsed: Result<Parsed, String>,
}

impl Named {
    fn parse(log: &Log<'_>, bytes: &[u8], keys: &mut Keys) -> Self {
        let mut blobs = Vec::new();
        let parsed = parse(log, bytes, &mut blobs, keys);
        Self { hash: leaf_hash(bytes), blobs, parsed }
    }
}

enum Parsed {
    Commit(Box<ParsedCommit>),
    Push(Box<ParsedPush>),
    Other(Box<Leaf>),
}

/// A commit leaf whose signature is not verified yet.
struct ParsedCommit {
    leaf: leaf::Commit,
    commit: Commit,
    manifest: Manifest,
    own: Option<Vec<RepoPath>>,
    /// Its signature by an enrolled actor; or, where the leaf names none, what became of it.
    signed: Result<Signed, Signature>,
}

/// A push leaf whose certificate is not verified yet.
struct ParsedPush {
    push: leaf::Push,
    certificate: Option<Result<ParsedCertificate, String>>,
}

struct ParsedCertificate {
    commands: Vec<Command>,
    digest: Digest,
    signed: Signed,
}

/// A signature and the bytes that it is over.
struct Signed {
    bytes: Vec<u8>,
    signature: SshSig,
}

impl Signed {
    fn parse(armour: &str, message: &[u8], keys: &mut Keys) -> Result<Self, String> {
        let signature = SshSig::parse_with(keys, armour.as_bytes(), NAMESPACE_GIT).map_err(|error| chain(&error))?;
        Ok(Self { bytes: signature.signed_data(message), signature })
    }
}

impl Parsed {
    fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Commit(commit) => commit.signed.as_ref().ok(),
            Self::Push(push) => push.certificate.as_ref()?.as_ref().ok().map(|certificate| &certificate.signed),
            Self::Other(_) => None,
        }
    }
}

fn verify_signatures(parsed: &[Named]) -> Vec<bool> {
    let signed = parsed.iter().filter_map(|named| named.parsed.as_ref().ok()?.signed());
    sshsig::verify_all(&signed.map(|signed| (&signed.signature, signed.bytes.as_slice())).collect::<Vec<_>>())
}

fn parse(log: &Log<'_>, bytes: &[u8], blobs: &mut Vec<BlobName>, keys: &mut Keys) -> Result<Parsed, String> {
    let leaf = Leaf::parse(bytes).map_err(|error| chain(&error))?;
    *blobs = leaf.blob_names();
    if let Leaf::Commit(leaf) = leaf {
        return parse_commit(log, *leaf, keys).map(|commit| Parsed::Commit(Box::new(commit)));
    }
    blobs.iter().try_for_each(|name| check_blob(log, name))?;
    match leaf {
        Leaf::Push(push) => {
            let push = whole_push(log, *push, blobs)?;
            let certificate = push.certificate.as_ref().map(|field| parse_certificate(log, field, keys));
            Ok(Parsed::Push(Box::new(ParsedPush { push, certificate })))
        }
        other => Ok(Parsed::Other(Box::new(other))),
    }
}

fn check_blob(log: &Log<'_>, name: &BlobName) -> Result<(), String> {
    let blob = log.blob(name).map_err(|error| chain(&error))?;
    let same = sha256(&blob) == name.sha256;
    if same { Ok(()) } else { Err(format!("the contents under `{}` are not those that the entry names", name.sha256)) }
}

/// A push with all its updates, and every blob that the further ones name.
fn whole_push(log: &Log<'_>, push: leaf::Push, blobs: &mut Vec<BlobName>) -> Result<leaf::Push, String> {
    let shown = push.updates.len();
    let push = push.whole(|name| log.blob(name)).map_err(|error: ReadError| chain(&error))?;
    let extras = push.updates.iter().skip(shown).filter_map(|update| update.extra.as_ref());
    let named: Vec<BlobName> = extras.filter_map(Field::blob_name).copied().collect();
    named.iter().try_for_each(|name| check_blob(log, name))?;
    blobs.extend(named);
    Ok(push)
}

fn parse_certificate(log: &Log<'_>, field: &Field, keys: &mut Keys) -> Result<ParsedCertificate, String> {
    let bytes = log.field_bytes(field).map_err(|error| chain(&error))?;
    let parsed = Certificate::parse(&bytes).map_err(|error| chain(&error))?;
    let payload = certificate::signed_payload(&bytes);
    let signed = Signed::parse(&parsed.signature, payload, keys)?;
    let digest = certificate::digest_signed_by(payload, &signed.signature);
    Ok(ParsedCertificate { commands: parsed.commands, digest, signed })
}

fn parse_commit(log: &Log<'_>, leaf: leaf::Commit, keys: &mut Keys) -> Result<ParsedCommit, String> {
    let text = |field: &Field| field.read_text(|name| log.blob(name)).map_err(|error: ReadError| chain(&error));
    let raw: Vec<u8> = leaf.object.read_bytes(|name| log.blob(name)).map_err(|error: ReadError| chain(&error))?;
    if git_oid("commit", &raw) != leaf.oid {
        return Err(format!("its commit object is not {}", leaf.oid));
    }
    let commit = Commit::parse(&raw).map_err(|error| chain(&error))?;
    let manifest = Manifest::parse(text(&leaf.manifest)?.as_bytes()).map_err(|error| chain(&error))?;
    let listed: Vec<Option<Oid>> = manifest.parents().iter().map(|parent| parent.parent).collect();
    let real: Vec<Option<Oid>> = commit.parents.iter().copied().map(Some).collect();
    if listed != real && !(real.is_empty() && listed == [None]) {
        return Err("its manifest is about other parents than the commit has".to_owned());
    }
    let own = leaf.own.as_ref().map(text).transpose()?;
    let own = own.map(|own| parse_paths(&own).ok_or("its list of a merge's own paths is damaged")).transpose()?;
    check_own(&manifest, own.as_deref())?;
    let signed = parse_signed(&raw, &leaf, &commit, keys)?;
    Ok(ParsedCommit { leaf, commit, manifest, own, signed })
}

fn parse_signed(
    raw: &[u8],
    leaf: &leaf::Commit,
    commit: &Commit,
    keys: &mut Keys,
) -> Result<Result<Signed, Signature>, String> {
    let key = match (&leaf.actor, &leaf.key, &leaf.vouched_by) {
        (Some(_), Some(key), None) => key,
        (None, None, _) => return Ok(Err(evidence::signature(raw, commit))),
        _ => return Err("it names a signer without a key, or a signer and a voucher".to_owned()),
    };
    let armour = commit.signature.as_deref().ok_or("its commit is not signed")?;
    let signed = Signed::parse(armour, &signed_payload(raw), keys)?;
    let signer = signed.signature.key().id();
    if signer == key { Ok(Ok(signed)) } else { Err(format!("its commit is signed by {signer}, not by {key}")) }
}

/// A list of own paths stands for a merge only, where it hides what a parent explains. What differs from all parents
/// no parent explains.
fn check_own(manifest: &Manifest, own: Option<&[RepoPath]>) -> Result<(), String> {
    let parents = manifest.parents();
    if parents.len() < 2 {
        return own.map_or(Ok(()), |_| Err("it is no merge, and lists a merge's own paths".to_owned()));
    }
    let mut changed = parents.iter().map(|parent| parent.lines.iter().map(|line| &line.path).collect());
    let first: BTreeSet<&RepoPath> = changed.next().unwrap_or_default();
    let unexplained = changed.fold(first, |common, more: BTreeSet<&RepoPath>| &common & &more);
    let own: BTreeSet<&RepoPath> = own.ok_or("its list of a merge's own paths is missing")?.iter().collect();
    let hidden = unexplained.difference(&own).next();
    hidden
        .map_or(Ok(()), |path| Err(format!("its list of a merge's own paths lacks `{path}`, which no parent explains")))
}

impl ParsedCommit {
    /// `valid` tells of the next signature; it is asked only where there is one.
    fn finish(self, valid: impl FnOnce() -> bool) -> Result<CheckedCommit, String> {
        let signature = match self.signed {
            Ok(_) if !valid() => return Err(format!("the signature of its commit {} does not verify", self.leaf.oid)),
            Ok(signed) => Signature::Valid { key: signed.signature.key().id().clone() },
            Err(signature) => signature,
        };
        let evidence = evidence::assemble(&self.commit, &self.manifest, self.own.as_deref(), signature);
        Ok(CheckedCommit {
            actor: self.leaf.actor,
            evidence,
            oid: self.leaf.oid,
            parents: self.commit.parents,
            time: self.leaf.time,
            vouched_by: self.leaf.vouched_by,
        })
    }
}

impl ParsedPush {
    /// `valid` tells of the next signature; it is asked only where there is one.
    fn finish(self, valid: impl FnOnce() -> bool) -> CheckedPush {
        let certificate = self.certificate.map(|parsed| {
            let ParsedCertificate { commands, digest, signed } = parsed?;
            let key = signed.signature.key().id().clone();
            if valid() {
                Ok(CheckedCertificate { commands, digest, key })
            } else {
                Err(format!("the signature of its push certificate does not verify with {key}"))
            }
        });
        CheckedPush { push: self.push, certificate }
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
