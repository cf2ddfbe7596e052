//! Loose objects: one file each, read here and not by libgit2, whose reader turns for ever on one that is cut short.
//!
//! ```text
//! objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904      a zlib stream of
//! <kind> SP <size> NUL <content>
//! ```
//!
//! Source: Git's `object-file.c`.

use std::array;
use std::cell::OnceCell;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use flate2::{Decompress, FlushDecompress, Status};

use super::Kind;
use crate::name::Oid;

/// How long a chain of stores that borrow from one another may be, as in Git.
const ALTERNATES_DEPTH_MAX: usize = 5;

/// The longest list of borrowed stores that is read, in bytes.
const ALTERNATES_BYTES_MAX: u64 = 1 << 16;

/// The longest header, in bytes, with its NUL: libgit2 and Git take no longer ones either.
const HEADER_BYTES_MAX: usize = 32;

/// How much more memory is set aside at a time, in bytes: what an object says of its size may be a lie.
const STEP_BYTES: usize = 1 << 20;

/// The folders in which a repository's objects may be files.
pub struct Stores(Vec<Store>);

/// One of them.
struct Store {
    path: PathBuf,
    /// Which of its 256 folders were there when they were first looked for: after `git gc` there is hardly any.
    folders: Box<[OnceCell<bool>; 256]>,
}

impl Stores {
    /// The store at `objects`, and those that it borrows from.
    pub fn open(objects: &Path) -> Self {
        let mut stores = Self(Vec::new());
        stores.add(objects, 0);
        stores
    }

    /// What the environment of a hook says: a quarantine, and the store that it borrows from; else that at `objects`.
    pub fn open_from_env(objects: &Path) -> Self {
        let own = std::env::var_os("GIT_OBJECT_DIRECTORY").map_or_else(|| objects.to_owned(), PathBuf::from);
        let mut stores = Self::open(&own);
        let borrowed = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
        for path in std::env::split_paths(&borrowed).filter(|path| !path.as_os_str().is_empty()) {
            stores.add(&path, 1);
        }
        stores
    }

    fn add(&mut self, path: &Path, depth: usize) {
        if depth > ALTERNATES_DEPTH_MAX || self.0.iter().any(|store| store.path == path) {
            return;
        }
        let folders = Box::new(array::from_fn(|_| OnceCell::new()));
        self.0.push(Store { path: path.to_owned(), folders });
        let list = super::file::read_text(&path.join("info/alternates"), ALTERNATES_BYTES_MAX).unwrap_or_default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let borrowed = path.join(line);
            self.add(&borrowed.canonicalize().unwrap_or(borrowed), depth + 1);
        }
    }

    /// The object, where it is a file of its own.
    pub fn find(&self, oid: &Oid) -> io::Result<Option<Loose>> {
        for store in &self.0 {
            if let Some(file) = store.open(oid)? {
                return Loose::open(file).map(Some);
            }
        }
        Ok(None)
    }
}

impl Store {
    fn open(&self, oid: &Oid) -> io::Result<Option<File>> {
        let hex = oid.to_string();
        let (folder, name) = hex.split_at(2);
        let number = oid.as_bytes().first().map_or(0, |byte| usize::from(*byte));
        let is_there = || self.path.join(folder).is_dir();
        if !self.folders.get(number).is_some_and(|known| *known.get_or_init(is_there)) {
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe in its place is not waited for.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(
            &mut options,
            rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
        );
        match options.open(self.path.join(folder).join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A loose object, of which the header was read.
pub struct Loose {
    /// Its kind.
    pub kind: Kind,
    /// Its size in bytes, by its own account.
    pub size: u64,
    /// The first bytes of its content, which came with the header.
    begin: Vec<u8>,
    rest: Stream,
}

impl Loose {
    fn open(file: File) -> io::Result<Self> {
        let mut rest = Stream { file: BufReader::new(file), inflater: Decompress::new(true), has_ended: false };
        let mut head = [0; HEADER_BYTES_MAX];
        let filled = rest.fill(&mut head)?;
        let mut parts = head.get(..filled).unwrap_or_default().splitn(2, |byte| *byte == 0);
        let header = parts.next().and_then(|header| std::str::from_utf8(header).ok());
        let (kind, size) = header.and_then(parse_header).ok_or_else(|| damaged("it has no header of Git's"))?;
        let begin = parts.next().ok_or_else(|| damaged("its header does not end"))?;
        Ok(Self { kind, size, begin: begin.to_vec(), rest })
    }

    /// Its content, as long as it says and not a byte longer.
    pub fn read(mut self) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let mut bytes = self.begin;
        while bytes.len() < size {
            let at = bytes.len();
            bytes.resize(size.min(at.saturating_add(STEP_BYTES)), 0);
            let step = bytes.get_mut(at..).unwrap_or_default();
            if self.rest.fill(step)? < step.len() {
                return Err(damaged("it is shorter than it says"));
            }
        }
        if bytes.len() > size || self.rest.fill(&mut [0])? > 0 {
            return Err(damaged("it is longer than it says"));
        }
        // Git takes nothing behind the stream.
        if self.rest.file.fill_buf()?.is_empty() { Ok(bytes) } else { Err(damaged("something follows it in its file")) }
    }
}

/// A zlib stream in a file.
struct Stream {
    file: BufReader<File>,
    inflater: Decompress,
    has_ended: bool,
}

impl Stream {
    /// Fills `out` as far as the stream goes, and says how far; at its end, its sum is right.
    fn fill(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() && !self.has_ended {
            let (read, written) = (self.inflater.total_in(), self.inflater.total_out());
            let room = out.get_mut(filled..).unwrap_or_default();
            let input = self.file.fill_buf()?;
            let status = self.inflater.decompress(input, room, FlushDecompress::None);
            let status = status.map_err(|_| damaged("it is no zlib stream"))?;
            let read = usize::try_from(self.inflater.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inflater.total_out() - written).unwrap_or(usize::MAX);
            self.file.consume(read);
            filled += written;
            self.has_ended = status == Status::StreamEnd;
            if read == 0 && written == 0 && !self.has_ended {
                return Err(damaged("its file is cut short"));
            }
        }
        Ok(filled)
    }
}

fn parse_header(text: &str) -> Option<(Kind, u64)> {
    let (word, size) = text.split_once(' ')?;
    let kind = [Kind::Blob, Kind::Tree, Kind::Commit, Kind::Tag].into_iter().find(|kind| kind.word() == word)?;
    let is_plain = size.bytes().all(|byte| byte.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
    Some((kind, size.parse().ok().filter(|_| is_plain)?))
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;
    use crate::git::{GitError, Repository};

    const OID: Oid = Oid::from_bytes([0xab; 20]);

    /// What is read of a file with these bytes.
    fn read(bytes: &[u8]) -> Result<(Kind, Vec<u8>), String> {
        let folder = tempfile::tempdir().unwrap();
        let name = OID.to_string();
        fs::create_dir(folder.path().join("ab")).unwrap();
        fs::write(folder.path().join("ab").join(&name[2..]), bytes).unwrap();
        let words = |error: io::Error| error.to_string();
        let found = Stores::open(folder.path()).find(&OID).map_err(words)?.unwrap();
        let kind = found.kind;
        Ok((kind, found.read().map_err(words)?))
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_git_writes_is_read() {
        assert_eq!(read(&deflate(b"blob 5\0hello")), Ok((Kind::Blob, b"hello".to_vec())));
        assert_eq!(read(&deflate(b"tree 0\0")), Ok((Kind::Tree, Vec::new())));
        let long = [b"commit 1000000\0".to_vec(), vec![7; 1_000_000]].concat();
        assert_eq!(read(&deflate(&long)), Ok((Kind::Commit, vec![7; 1_000_000])));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_damaged() {
        let text: Vec<u8> = (0..4000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = deflate(&[b"blob 16000\0".to_vec(), text].concat());
        assert!(read(&whole).is_ok());
        for length in (0..whole.len()).step_by(61).chain(whole.len() - 8..whole.len()) {
            let said = read(&whole[..length]).unwrap_err();
            assert!(said.contains("cut short"), "{length}: {said}");
        }
    }

    #[test]
    fn what_is_not_as_git_writes_it_is_damaged() {
        for (bytes, why) in [
            (deflate(b"blob 4\0hello"), "longer than"),
            (deflate(&[b"blob 40\0".to_vec(), vec![0; 41]].concat()), "longer than"),
            (deflate(b"blob 6\0hello"), "shorter than"),
            (deflate(b"blob 05\0hello"), "no header"),
            (deflate(b"blob +5\0hello"), "no header"),
            (deflate(b"blob -1\0"), "no header"),
            (deflate(b"blob 99999999999999999999\0"), "no header"),
            (deflate(b"blob 18446744073709551615\0hello"), "shorter than"),
            (deflate(b"glob 5\0hello"), "no header"),
            (deflate(&[b'a'; 100]), "no header"),
            (deflate(b"blob 5"), "does not end"),
            ([deflate(b"blob 5\0hello"), b"x".to_vec()].concat(), "follows"),
            (b"blob 5\0hello".to_vec(), ""),
            (Vec::new(), "cut short"),
        ] {
            let said = read(&bytes).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn borrowed_stores_are_looked_through_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| folder.path().join(name);
        for (name, borrows) in [("one", "../two\n"), ("two", "# none\n\n../one\n../three\n"), ("three", "../gone\n")] {
            fs::create_dir_all(store(name).join("info")).unwrap();
            fs::write(store(name).join("info/alternates"), borrows).unwrap();
        }
        assert!(Stores::open(&store("one")).find(&OID).unwrap().is_none());
        fs::create_dir(store("three").join("ab")).unwrap();
        fs::write(store("three").join("ab").join(&OID.to_string()[2..]), deflate(b"blob 2\0hi")).unwrap();
        let found = Stores::open(&store("one")).find(&OID).unwrap().unwrap();
        assert_eq!((found.kind, found.size, found.read().unwrap()), (Kind::Blob, 2, b"hi".to_vec()));
    }

    #[test]
    fn no_tree_is_made_of_one_that_is_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let put = |path: &str, text: &[u8]| vec![(path.to_owned(), repository.write(Kind::Blob, text).unwrap())];
        let base = repository.write_tree(None, &put("a/b/c", b"one"), &[]).unwrap();
        let above = repository.entry(&base, "a").unwrap().unwrap();
        for cut in [base, above] {
            let hex = cut.to_string();
            let path = folder.path().join("objects").join(&hex[..2]).join(&hex[2..]);
            let whole = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            fs::write(&path, &whole[..whole.len() - 9]).unwrap();
            // A handle that has not seen the whole.
            let fresh = Repository::open(folder.path()).unwrap();
            for path in ["policy.toml", "a/b/d"].into_iter().skip(usize::from(cut == above)) {
                let error = fresh.write_tree(Some(&base), &put(path, b"two"), &[]).unwrap_err();
                assert!(matches!(error, GitError::Corrupt(oid, _) if oid == cut), "{path}: {error}");
            }
            fs::write(&path, &whole).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_an_object_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ab").join(&OID.to_string()[2..]);
        fs::create_dir(folder.path().join("ab")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(Stores::open(folder.path()).find(&OID).is_err());
    }
}
