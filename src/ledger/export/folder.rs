//! The folder of an export: files that appear whole, and one that appears last.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::ExportError;

/// Says whose export a folder is.
const MARK: &str = ".mledger-export";

/// What a file is called while it is written.
const UNFINISHED: &str = ".mledger-export.new";

/// A folder that holds an export and nothing else.
pub struct Folder {
    path: PathBuf,
    /// Folders with entries that may not be on the disk yet.
    unsynced: BTreeSet<PathBuf>,
    written: u64,
}

impl Folder {
    /// Opens an earlier export of the same `mark`, or begins one in a new or empty folder.
    pub fn open(path: &Path, mark: &str) -> Result<Self, ExportError> {
        let mut folder = Self { path: path.to_owned(), unsynced: BTreeSet::new(), written: 0 };
        fs::create_dir_all(path).map_err(|source| error("make", path, source))?;
        let mark = format!("{mark}\n");
        match folder.read(MARK)? {
            Some(found) if found == mark.as_bytes() => Ok(folder),
            None if folder.is_empty()? => {
                folder.write(MARK, mark.as_bytes())?;
                Ok(folder)
            }
            _ => Err(ExportError::Foreign(path.to_owned())),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is there but what a first export left that died at once.
    fn is_empty(&self) -> Result<bool, ExportError> {
        let failed = |source| error("read", &self.path, source);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            if entry.map_err(failed)?.file_name() != UNFINISHED {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A file's contents; none if it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ExportError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(error("read", &path, source)),
        }
    }

    /// Whether a file is there; if so, it is whole.
    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    /// Makes a file have these contents.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        if self.read(name)?.as_deref() == Some(bytes) { Ok(()) } else { self.write(name, bytes) }
    }

    /// Makes sure that everything is on the disk, and only then writes the last file. Returns how many were written.
    pub fn publish(mut self, name: &str, bytes: &[u8]) -> Result<u64, ExportError> {
        self.sync()?;
        self.put(name, bytes)?;
        self.sync()?;
        Ok(self.written)
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let (path, unfinished) = (self.path.join(name), self.path.join(UNFINISHED));
        let parent = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).map_err(|source| error("make", parent, source))?;
        let written = File::create(&unfinished)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&unfinished, &path));
        written.map_err(|source| error("write", &path, source))?;
        let touched = parent.ancestors().take_while(|folder| folder.starts_with(&self.path));
        self.unsynced.extend(touched.map(Path::to_owned));
        self.written += 1;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ExportError> {
        for folder in std::mem::take(&mut self.unsynced) {
            sync_folder(&folder).map_err(|source| error("sync", &folder, source))?;
        }
        Ok(())
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix opens folders; elsewhere the rename itself is all there is.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn error(what: &'static str, path: &Path, source: io::Error) -> ExportError {
    ExportError::File { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_export_of_the_same_ledger_is_gone_on_with() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/export");
        let mut folder = Folder::open(&path, "a").unwrap();
        folder.put("tile/0/000", b"one").unwrap();
        assert_eq!(folder.publish("checkpoint", b"x").unwrap(), 3);

        let mut again = Folder::open(&path, "a").unwrap();
        again.put("tile/0/000", b"one").unwrap();
        assert_eq!(again.publish("checkpoint", b"x").unwrap(), 0);
        assert!(!path.join(UNFINISHED).exists());

        assert!(matches!(Folder::open(&path, "b"), Err(ExportError::Foreign(_))));
        fs::remove_file(path.join(MARK)).unwrap();
        assert!(matches!(Folder::open(&path, "a"), Err(ExportError::Foreign(_))));
        fs::write(place.path().join("file"), "").unwrap();
        assert!(matches!(Folder::open(&place.path().join("file"), "a"), Err(ExportError::File { .. })));
    }

    #[test]
    fn an_export_that_died_at_once_is_begun_anew() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(UNFINISHED), "half").unwrap();
        Folder::open(place.path(), "a").unwrap();
        assert_eq!(fs::read_to_string(place.path().join(MARK)).unwrap(), "a\n");
    }
}
