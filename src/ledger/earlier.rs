//! What an earlier verification knew when it ended: `mledger/verified-state`, so that the next one replays only what is
//! new.
//!
//! ```text
//! commits       per parent: oid, number, parents, generation, entry, parent         60 bytes a row, sorted
//! certificates  the single-use digest of each push certificate                      32
//! stood         SHA-256 of ref, 00, tip: where refs ever stood                       32
//! vouched       oid, number of the voucher                                          24
//! footer        JSON: whose ledger, its tree, policy, refs, tallies; each block of the rows by its SHA-256
//! end           the footer's length in eight bytes, its SHA-256
//! ```
//!
//! It is believed as the remembered checkpoint is: it lies with whoever verifies, and who can write there can make their
//! `mledger` say anything. It is written only after everything held, whole or not at all, and counts only for the same
//! ledger by origin and key, at least as long as it was, and for the same version of the program. What the ledger holds
//! now must hash, together with the tree that was verified, to the root that is signed now: another past cannot have
//! been signed unnoticed. Bytes that rotted are found by their SHA-256. Whatever is odd about it, everything is verified
//! from the first entry on; so it can save time, and hide nothing that is new.
//!
//! It is bound to the ledger commit that it ended with: what came since must stand on that very commit, and the entries
//! that no bundle seals yet, which lie with the commits, must be those that it took in. So an older append that changed
//! and is not sealed leads to a full verification.
//!
//! What it does hide: that the ledger's copy of sealed entries verified earlier was damaged or exchanged since, unless
//! something new refers to them. Who wants to know that verifies in full.

mod rows;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};

use self::rows::{Rows, Table};
use super::place::{Place, PlaceError, write_with};
use super::read::{Log, TILE_WIDTH};
use crate::clock::Timestamp;
use crate::digest::{Digest, Sha256, sha256};
use crate::entry::denials::Source;
use crate::entry::leaf::Update;
use crate::history::Node;
use crate::identity::key::KeyId;
use crate::name::{ActorId, Oid, Origin, RefName};
use crate::policy::decide::DECIDER;
use crate::policy::facts::Voucher;
use crate::tlog::hashes::MemoryHashes;
use crate::tlog::tree;

/// The file beside a ledger that is verified.
pub const FILE: &str = "verified-state";

/// The form of the file.
const FORMAT: u32 = 1;

/// The height of the subtrees by which the tree is kept: what a bundle holds.
pub(super) const TILE_HEIGHT: u8 = 8;

/// The longest footer that is read, in bytes: that of a hundred million entries.
const FOOTER_BYTES_MAX: u64 = 128 << 20;

/// How many entries may be new before the file is written anew: to verify so many again takes less than that.
const NEW_ENTRIES_MAX: u64 = 1024;

/// A commit's row: oid, number of this parent, parents, generation, entry, parent.
pub(super) type CommitRow = [u8; 60];
/// A digest as a row.
pub(super) type DigestRow = [u8; 32];
/// A vouched commit's row: oid, number of the voucher.
pub(super) type VouchedRow = [u8; 24];

const COMMIT_KEY_BYTES: usize = 24;
const DIGEST_BYTES: usize = 32;
const OID_BYTES: usize = 20;

/// The entry of a commit that only the baseline holds.
const BASELINE: u64 = u64::MAX;

/// Everything but the rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stand {
    /// The ledger commit that it ended with.
    pub commit: Oid,
    pub decisions: [u64; 4],
    pub denied: Vec<(Source, i64)>,
    pub entries: BTreeMap<Cow<'static, str>, u64>,
    /// When everything up to here was verified in full the last time, if only piece by piece since.
    pub first: Option<Timestamp>,
    /// The leaves behind the last whole bundle.
    pub leaves: Vec<Digest>,
    pub login: Option<String>,
    pub keys: Vec<(KeyId, ActorId)>,
    pub logins: Vec<(String, ActorId)>,
    pub open: Vec<(u64, Vec<Update>)>,
    pub origin: Origin,
    pub policy: String,
    pub policy_entry: u64,
    pub root: Digest,
    pub signatures: u64,
    pub size: u64,
    pub tags: Vec<(Oid, Oid)>,
    /// The subtrees of whole bundles.
    pub tiles: Vec<Digest>,
    /// Ledger time.
    pub time: Option<Timestamp>,
    pub tips: Vec<(RefName, Oid)>,
    pub used: Vec<Digest>,
    pub vkey: String,
    pub vouchers: Vec<Voucher>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    certificates: Table,
    commits: Table,
    decider: u32,
    format: u32,
    program: String,
    stand: Stand,
    stood: Table,
    vouched: Table,
    /// When it was written.
    written: Timestamp,
}

/// What an earlier verification knew.
pub struct Earlier {
    footer: Footer,
    rows: Rows,
    /// Whether something about it turned out to be odd.
    doubtful: Cell<bool>,
}

/// A commit that it knew.
pub struct Known {
    /// Its generation and parents.
    pub node: Node,
    /// The entry that holds it; none where only the baseline does.
    pub leaf: Option<u64>,
}

impl Earlier {
    /// Opens what was kept beside a ledger; none where nothing was, or nothing that counts for the ledger as it is.
    pub fn open(place: &Place, log: &Log<'_>) -> Option<Self> {
        let path = place.file(FILE);
        // Opening a pipe waits for whoever writes to it.
        let mut file =
            std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file).and_then(|_| File::open(path).ok())?;
        let footer = read_footer(&mut file).ok()?;
        let earlier = Self { footer, rows: Rows::new(file), doubtful: Cell::new(false) };
        earlier.is_of(log).then_some(earlier)
    }

    fn is_of(&self, log: &Log<'_>) -> bool {
        let (footer, stand, head) = (&self.footer, &self.footer.stand, &log.head().checkpoint);
        (footer.format, footer.decider, footer.program.as_str()) == (FORMAT, DECIDER, env!("CARGO_PKG_VERSION"))
            && (&stand.origin, stand.vkey.as_str()) == (head.origin(), log.vkey().to_string().as_str())
            && (1..=head.size()).contains(&stand.size)
            && self.tree().is_some_and(|tree| tree::root(&tree, stand.size) == Ok(stand.root))
    }

    /// The tree; leaves are known only behind the last whole bundle.
    pub(super) fn tree(&self) -> Option<MemoryHashes> {
        let stand = &self.footer.stand;
        let mut tree = MemoryHashes::of_subtrees(TILE_HEIGHT, stand.tiles.clone());
        tree.extend(stand.leaves.iter().copied());
        (tree.size() == stand.size && (stand.leaves.len() as u64) < TILE_WIDTH).then_some(tree)
    }

    pub(super) fn stand(&self) -> &Stand {
        &self.footer.stand
    }

    /// The ledger commit that it ended with.
    pub(super) fn commit_of_ledger(&self) -> Oid {
        self.footer.stand.commit
    }

    /// How many entries it knew.
    pub fn size(&self) -> u64 {
        self.footer.stand.size
    }

    /// When they had been verified.
    pub fn written(&self) -> Timestamp {
        self.footer.written
    }

    /// When all that it knew was verified in one go the last time.
    pub fn first(&self) -> Timestamp {
        self.footer.stand.first.unwrap_or(self.footer.written)
    }

    /// Whether a ledger of so many entries has outgrown it.
    pub fn is_outgrown(&self, size: u64) -> bool {
        size.saturating_sub(self.size()) >= NEW_ENTRIES_MAX.max(size / NEW_ENTRIES_MAX)
    }

    /// Notes that something about it is odd, so that what follows from it does not count.
    pub(super) fn doubt(&self) {
        self.doubtful.set(true);
    }

    /// Whether nothing about it turned out to be odd.
    pub fn is_sound(&self) -> bool {
        !self.doubtful.get()
    }

    /// A commit that it knew.
    pub fn commit(&self, oid: &Oid) -> Option<Known> {
        let (parents, generation, leaf, first) = self.parent(oid, 0)?;
        let mut node = Node { generation, parents: Vec::new() };
        node.parents.extend((parents > 0).then_some(first));
        for number in 1..parents {
            let Some((.., parent)) = self.parent(oid, number) else {
                self.doubt();
                return None;
            };
            node.parents.push(parent);
        }
        Some(Known { node, leaf: (leaf != BASELINE).then_some(leaf) })
    }

    fn parent(&self, oid: &Oid, number: u32) -> Option<(u32, u32, u64, Oid)> {
        let key = [oid.as_bytes().as_slice(), &number.to_be_bytes()].concat();
        let row: CommitRow = self.find(&self.footer.commits, &key)?;
        let rest = row.get(COMMIT_KEY_BYTES..)?;
        let (parents, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (leaf, rest) = rest.split_first_chunk()?;
        let parent = Oid::from_bytes(*rest.first_chunk()?);
        Some((u32::from_be_bytes(*parents), u32::from_be_bytes(*generation), u64::from_be_bytes(*leaf), parent))
    }

    /// Whether it knew a push certificate as used.
    pub(super) fn has_certificate(&self, digest: &Digest) -> bool {
        self.find::<DIGEST_BYTES>(&self.footer.certificates, digest.as_bytes()).is_some()
    }

    /// Whether it knew that the ref once stood there.
    pub(super) fn has_stood(&self, name: &RefName, tip: &Oid) -> bool {
        self.find::<DIGEST_BYTES>(&self.footer.stood, &stood_row(name, tip)).is_some()
    }

    /// Who vouches for a commit.
    pub(super) fn voucher(&self, oid: &Oid) -> Option<Voucher> {
        let row: VouchedRow = self.find(&self.footer.vouched, oid.as_bytes())?;
        let number = u32::from_be_bytes(*row.last_chunk()?);
        let voucher = self.stand().vouchers.get(number as usize).cloned();
        if voucher.is_none() {
            self.doubt();
        }
        voucher
    }

    fn find<const WIDTH: usize>(&self, table: &Table, key: &[u8]) -> Option<[u8; WIDTH]> {
        self.rows.find(table, key).unwrap_or_else(|_| {
            self.doubt();
            None
        })
    }
}

/// A commit's rows.
pub(super) fn commit_rows(oid: &Oid, node: &Node, leaf: Option<u64>) -> Option<Vec<CommitRow>> {
    let parents = u32::try_from(node.parents.len()).ok()?;
    let none = Oid::from_bytes([0; OID_BYTES]);
    let shown = if node.parents.is_empty() { std::slice::from_ref(&none) } else { &node.parents };
    let rows = (0_u32..).zip(shown).map(|(number, parent)| {
        let row = [
            oid.as_bytes().as_slice(),
            &number.to_be_bytes(),
            &parents.to_be_bytes(),
            &node.generation.to_be_bytes(),
            &leaf.unwrap_or(BASELINE).to_be_bytes(),
            parent.as_bytes(),
        ];
        row.concat().try_into().ok()
    });
    rows.collect()
}

/// A ref's tip as a row.
pub(super) fn stood_row(name: &RefName, tip: &Oid) -> DigestRow {
    *sha256(&[name.as_str().as_bytes(), &[0], tip.as_bytes()].concat()).as_bytes()
}

/// A vouched commit's row.
pub(super) fn vouched_row(oid: &Oid, number: u32) -> VouchedRow {
    let mut row = [0; 24];
    let parts = oid.as_bytes().iter().chain(&number.to_be_bytes()).copied().collect::<Vec<_>>();
    row.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    row
}

/// What a verification knows that ended well, to be kept.
pub struct Findings {
    pub(super) certificates: Vec<DigestRow>,
    pub(super) commits: Vec<CommitRow>,
    pub(super) stand: Stand,
    pub(super) stood: Vec<DigestRow>,
    pub(super) vouched: Vec<VouchedRow>,
}

impl Findings {
    /// Writes them in the place of what an earlier verification kept, which they go on from; durably, and whole or not
    /// at all.
    pub fn keep(
        mut self,
        place: &Place,
        earlier: Option<&Earlier>,
        now: Timestamp,
    ) -> std::result::Result<(), PlaceError> {
        self.stand.first = earlier.map(Earlier::first);
        self.commits.sort_unstable();
        self.certificates.sort_unstable();
        self.stood.sort_unstable();
        self.vouched.sort_unstable();
        write_with(&place.file(FILE), 0o600, |file| self.write(file, earlier, now))
    }

    fn write(self, file: &mut File, earlier: Option<&Earlier>, now: Timestamp) -> Result<()> {
        let mut out = BufWriter::new(file);
        let old = |table: for<'a> fn(&'a Footer) -> &'a Table| earlier.map(|old| (&old.rows, table(&old.footer)));
        let commits = rows::write(&mut out, 0, old(|footer| &footer.commits), &self.commits, COMMIT_KEY_BYTES)?;
        let certificates =
            rows::write(&mut out, commits.end(), old(|footer| &footer.certificates), &self.certificates, DIGEST_BYTES)?;
        let stood = rows::write(&mut out, certificates.end(), old(|footer| &footer.stood), &self.stood, DIGEST_BYTES)?;
        let vouched = rows::write(&mut out, stood.end(), old(|footer| &footer.vouched), &self.vouched, OID_BYTES)?;
        let footer = Footer {
            certificates,
            commits,
            decider: DECIDER,
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            stand: self.stand,
            stood,
            vouched,
            written: now,
        };
        let footer = serde_json::to_vec(&footer)?;
        out.write_all(&footer)?;
        let length = (footer.len() as u64).to_be_bytes();
        out.write_all(&length)?;
        out.write_all(footer_digest(&footer, length).as_bytes())?;
        out.flush()
    }
}

const END_BYTES: i64 = 40;

fn read_footer(file: &mut File) -> Result<Footer> {
    let (mut length, mut digest) = ([0; 8], [0; DIGEST_BYTES]);
    let end = file.seek(SeekFrom::End(-END_BYTES))?;
    file.read_exact(&mut length)?;
    file.read_exact(&mut digest)?;
    let bytes = u64::from_be_bytes(length);
    let begin = end.checked_sub(bytes).filter(|_| bytes <= FOOTER_BYTES_MAX).ok_or(ErrorKind::InvalidData)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut footer = Vec::new();
    file.take(bytes).read_to_end(&mut footer)?;
    if footer_digest(&footer, length) != Digest::from_bytes(digest) {
        return Err(Error::new(ErrorKind::InvalidData, "the footer is damaged"));
    }
    Ok(serde_json::from_slice(&footer)?)
}

fn footer_digest(footer: &[u8], length: [u8; 8]) -> Digest {
    let mut digest = Sha256::default();
    digest.update(footer);
    digest.update(&length);
    digest.finish()
}
