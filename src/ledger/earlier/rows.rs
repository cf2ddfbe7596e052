//! Sorted rows of one width in a file, in blocks, each with its SHA-256: found by binary search, read where they lie.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, sha256, to_hex};

/// How many rows a block has: enough that the list of blocks stays short, few enough that one is read at once.
const BLOCK_ROWS: usize = 256;

/// How many blocks are kept in memory at most, some ten megabytes.
const BLOCKS_KEPT_MAX: usize = 1024;

/// Where rows lie.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Offset in the file, in bytes.
    begin: u64,
    /// The first key of each block, in hexadecimal digits, which sort as the bytes do, and the SHA-256 of the block.
    blocks: Vec<(String, Digest)>,
    rows: u64,
    width: u64,
}

impl Table {
    /// The offset behind the last row.
    pub fn end(&self) -> u64 {
        self.begin.saturating_add(self.rows.saturating_mul(self.width))
    }
}

/// A file that holds tables.
pub struct Rows {
    file: RefCell<File>,
    kept: RefCell<HashMap<u64, Rc<[u8]>>>,
}

impl Rows {
    pub fn new(file: File) -> Self {
        Self { file: RefCell::new(file), kept: RefCell::default() }
    }

    /// The row that begins with `key`.
    pub fn find<const WIDTH: usize>(&self, table: &Table, key: &[u8]) -> Result<Option<[u8; WIDTH]>> {
        let hex = to_hex(key);
        let behind = table.blocks.partition_point(|(first, _)| *first <= hex);
        let Some(number) = behind.checked_sub(1) else { return Ok(None) };
        let block = self.block::<WIDTH>(table, number)?;
        let rows = block.as_chunks::<WIDTH>().0;
        let at = rows.partition_point(|row| row.as_slice() < key);
        Ok(rows.get(at).filter(|row| row.starts_with(key)).copied())
    }

    fn block<const WIDTH: usize>(&self, table: &Table, number: usize) -> Result<Rc<[u8]>> {
        let before = number.saturating_mul(BLOCK_ROWS);
        let offset = table.begin.saturating_add((before as u64).saturating_mul(WIDTH as u64));
        if let Some(block) = self.kept.borrow().get(&offset) {
            return Ok(Rc::clone(block));
        }
        let rows = usize::try_from(table.rows).unwrap_or(usize::MAX).saturating_sub(before).min(BLOCK_ROWS);
        let mut bytes = vec![0; rows * WIDTH];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        let digest = table.blocks.get(number).map(|(_, digest)| *digest);
        if table.width != WIDTH as u64 || digest != Some(sha256(&bytes)) {
            return Err(Error::new(ErrorKind::InvalidData, "a block is damaged"));
        }
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= BLOCKS_KEPT_MAX {
            kept.clear();
        }
        let block: Rc<[u8]> = bytes.into();
        kept.insert(offset, Rc::clone(&block));
        Ok(block)
    }
}

/// Writes the sorted rows `new` and those of an old table, in order. Where both have a key, of `key_bytes`, the new row
/// stays; of equal new ones, the last.
pub fn write<const WIDTH: usize>(
    out: &mut impl Write,
    begin: u64,
    old: Option<(&Rows, &Table)>,
    new: &[[u8; WIDTH]],
    key_bytes: usize,
) -> Result<Table> {
    let table = Table { begin, blocks: Vec::new(), rows: 0, width: WIDTH as u64 };
    let mut writer = Writer { out, table, key_bytes, block: Vec::with_capacity(BLOCK_ROWS * WIDTH) };
    let mut new = new.chunk_by(|a, b| a.get(..key_bytes) == b.get(..key_bytes)).filter_map(<[_]>::last).peekable();
    if let Some((rows, table)) = old {
        for number in 0..table.blocks.len() {
            let block = rows.block::<WIDTH>(table, number)?;
            for row in block.as_chunks::<WIDTH>().0 {
                while let Some(before) = new.next_if(|new| new.get(..key_bytes) < row.get(..key_bytes)) {
                    writer.push(before)?;
                }
                let instead = new.next_if(|new| new.get(..key_bytes) == row.get(..key_bytes));
                writer.push(instead.unwrap_or(row))?;
            }
        }
    }
    new.try_for_each(|row| writer.push(row))?;
    writer.finish()
}

struct Writer<'a, W, const WIDTH: usize> {
    out: &'a mut W,
    table: Table,
    key_bytes: usize,
    block: Vec<u8>,
}

impl<W: Write, const WIDTH: usize> Writer<'_, W, WIDTH> {
    fn push(&mut self, row: &[u8; WIDTH]) -> Result<()> {
        self.block.extend(row);
        self.table.rows += 1;
        if self.block.len() >= BLOCK_ROWS * WIDTH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let Some(first) = self.block.get(..self.key_bytes) else { return Ok(()) };
        self.table.blocks.push((to_hex(first), sha256(&self.block)));
        self.out.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Table> {
        self.flush()?;
        Ok(self.table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::digest::sha256;

    /// A row with a key of four bytes.
    fn row(key: u32, value: u8) -> [u8; 5] {
        let [a, b, c, d] = key.to_be_bytes();
        [a, b, c, d, value]
    }

    fn file_of(bytes: &[u8]) -> Rows {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Rows::new(file)
    }

    #[test]
    fn rows_are_found_merged_and_never_believed_when_damaged() {
        let mut expected: BTreeMap<u32, u8> = BTreeMap::new();
        let (mut bytes, mut table) = (vec![9; 3], None);
        for round in 0..4_u8 {
            let mut new: Vec<[u8; 5]> = (0..700_u32)
                .map(|n| u32::from(sha256(format!("{round} {n}").as_bytes()).as_bytes()[0]) * 5000 + n * 3)
                .map(|key| row(key, round))
                .collect();
            new.sort_unstable();
            expected.extend(new.iter().map(|row| (u32::from_be_bytes(*row.first_chunk().unwrap()), round)));
            let rows = file_of(&bytes);
            let mut out = vec![9; 3];
            let written = write(&mut out, 3, table.as_ref().map(|table| (&rows, table)), &new, 4).unwrap();
            assert_eq!(written.end(), out.len() as u64);
            (bytes, table) = (out, Some(written));
        }
        let table = table.unwrap();
        let all: Vec<u8> = expected.iter().flat_map(|(key, value)| row(*key, *value)).collect();
        assert_eq!(bytes[3..], all);
        let rows = file_of(&bytes);
        for key in expected.keys().flat_map(|key| [key.saturating_sub(1), *key, key + 1]).chain([0, u32::MAX]) {
            let found: Option<[u8; 5]> = rows.find(&table, &key.to_be_bytes()).unwrap();
            assert_eq!(found, expected.get(&key).map(|value| row(key, *value)));
        }
        for at in (3..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            let key = bytes[3..][(at - 3) / 5 * 5..].first_chunk::<4>().copied().unwrap();
            assert!(file_of(&damaged).find::<5>(&table, &key).is_err(), "byte {at}");
        }
        assert!(file_of(&bytes[..bytes.len() - 1]).find::<5>(&table, &u32::MAX.to_be_bytes()).is_err());
        assert!(rows.find::<6>(&table, &[1]).is_err());
        let empty = write::<5>(&mut Vec::new(), 0, None, &[], 4).unwrap();
        assert_eq!(file_of(&[]).find::<5>(&empty, &[1]).unwrap(), None);
    }
}
