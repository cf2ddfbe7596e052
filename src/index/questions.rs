//! What can be asked of the index.

use rusqlite::{OptionalExtension, params};

use super::take_in::known;
use super::{Index, IndexError, Known, OpenMove, Tip};
use crate::digest::Digest;
use crate::name::{ActorId, Oid, RefName};
use crate::policy::facts::Voucher;

impl Index {
    /// What the ledger knows of a commit.
    pub fn known(&self, oid: &Oid) -> Result<Option<Known>, IndexError> {
        known(&self.0, oid)
    }

    /// Where the ledger put a ref.
    pub fn tip(&self, name: &RefName) -> Result<Option<Oid>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT tip FROM refs WHERE name = ?")?;
        let tip: Option<[u8; 20]> = query.query_row([name.as_str()], |row| row.get(0)).optional()?;
        Ok(tip.map(Oid::from_bytes))
    }

    /// Where the ledger put every ref, by name.
    pub fn tips(&self) -> Result<Vec<Tip>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT name, tip, target, generation FROM refs ORDER BY name")?;
        let rows = query.query_map([], |row| {
            let generation: Option<u32> = row.get(3)?;
            let target = row.get(2).map(Oid::from_bytes)?;
            let refname = RefName::parse(row.get_ref(0)?.as_str()?);
            Ok((refname, row.get(1)?, generation.map(|generation| (generation, target))))
        })?;
        rows.map(|row| {
            let (refname, oid, commit) = row?;
            Ok(Tip { refname: refname?, oid: Oid::from_bytes(oid), commit })
        })
        .collect()
    }

    /// The authorised moves that are not settled, oldest first.
    pub fn open_moves(&self) -> Result<Vec<OpenMove>, IndexError> {
        let mut query =
            self.0.prepare_cached("SELECT push, ref, old, new, time, process FROM open ORDER BY push, ref")?;
        let rows = query.query_map([], |row| {
            let oid = |column| row.get::<_, Option<[u8; 20]>>(column).map(|oid| oid.map(Oid::from_bytes));
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, oid(2)?, oid(3)?, row.get(4)?, row.get(5)?))
        })?;
        rows.map(|row| {
            let (push, name, old, new, time_ms, process) = row?;
            Ok(OpenMove { push: push.cast_unsigned(), refname: RefName::parse(&name)?, old, new, time_ms, process })
        })
        .collect()
    }

    /// Whether a receive-pack has moves that are not settled.
    pub fn is_waiting(&self, process: &str) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM open WHERE process = ?")?;
        Ok(query.exists([process])?)
    }

    /// The entry that holds the policy in force.
    pub fn policy_entry(&self) -> Result<u64, IndexError> {
        Ok(self.policy_entries()?.last().copied().unwrap_or_default())
    }

    /// Every entry that holds a policy, oldest first.
    pub fn policy_entries(&self) -> Result<Vec<u64>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT entry FROM policies ORDER BY entry")?;
        let rows = query.query_map([], |row| row.get::<_, i64>(0))?;
        rows.map(|row| Ok(row?.cast_unsigned())).collect()
    }

    /// Whether a push certificate with this [`crate::object::certificate::single_use_digest`] was used before.
    pub fn certificate_used(&self, digest: &Digest) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM certificates WHERE digest = ?")?;
        Ok(query.exists([digest.as_bytes()])?)
    }

    /// Whether a statement took effect before.
    pub fn statement_used(&self, digest: &Digest) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM statements WHERE digest = ?")?;
        Ok(query.exists([digest.as_bytes()])?)
    }

    /// How many statements of an actor took effect after that moment of ledger time, in milliseconds since 1970.
    pub fn statements_since(&self, actor: &ActorId, time_ms: i64) -> Result<u64, IndexError> {
        let mut query = self.0.prepare_cached("SELECT count(*) FROM envelopes WHERE actor = ? AND time > ?")?;
        let count: i64 = query.query_row(params![actor.as_str(), time_ms], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The entry that an envelope of these bytes led to.
    pub fn envelope_entry(&self, digest: &Digest) -> Result<Option<u64>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT entry FROM envelopes WHERE digest = ?")?;
        let entry: Option<i64> = query.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        Ok(entry.map(i64::cast_unsigned))
    }

    /// The commit that a signed tag names.
    pub fn tag(&self, oid: &Oid) -> Result<Option<Oid>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT target FROM tags WHERE oid = ?")?;
        let target: Option<[u8; 20]> = query.query_row([oid.as_bytes()], |row| row.get(0)).optional()?;
        Ok(target.map(Oid::from_bytes))
    }

    /// The known commit that a tip is or, as a signed tag, names, with its generation.
    pub fn commit_at(&self, tip: &Oid) -> Result<Option<(u32, Oid)>, IndexError> {
        let target = self.tag(tip)?.unwrap_or(*tip);
        Ok(self.known(&target)?.map(|known| (known.generation, target)))
    }

    /// Whether anybody vouches for any commit: where nobody does, none of thousands is asked for.
    pub fn has_vouchers(&self) -> Result<bool, IndexError> {
        Ok(self.0.prepare_cached("SELECT 1 FROM vouchers LIMIT 1")?.exists([])?)
    }

    /// Who vouches for a commit.
    pub fn voucher(&self, oid: &Oid) -> Result<Option<Voucher>, IndexError> {
        let mut query = self.0.prepare_cached("SELECT actor, entry FROM vouchers WHERE oid = ?")?;
        let row = query.query_row([oid.as_bytes()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
        let Some((actor, entry)) = row.optional()? else { return Ok(None) };
        Ok(Some(Voucher { actor: ActorId::parse(&actor)?, entry: entry.cast_unsigned() }))
    }

    /// Whether an `observed` entry names this tip of the ref already.
    pub fn is_observed(&self, name: &RefName, tip: Option<&Oid>) -> Result<bool, IndexError> {
        let mut query = self.0.prepare_cached("SELECT tip FROM observed WHERE ref = ?")?;
        let seen: Option<Option<[u8; 20]>> = query.query_row([name.as_str()], |row| row.get(0)).optional()?;
        Ok(seen.is_some_and(|seen| seen.map(Oid::from_bytes).as_ref() == tip))
    }
}
