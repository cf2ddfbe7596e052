//! A file that holds Git's configuration of a clone or of a person, and how it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::SetupError;
use crate::digest::sha256;
use crate::git::file::{self, BYTES_MAX};
use crate::ledger::place::Place;

/// The copy of the file as it was.
const COPY: &str = "config.before";

/// The file that describes a clone's, as JSON.
const NOTES: &str = "config.json";

/// A file that we change, and what is needed to put it back.
#[derive(serde::Deserialize, serde::Serialize)]
pub struct ConfigFile {
    /// Whether it existed.
    existed: bool,
    /// The digest of what we left; none if nothing was there.
    left: Option<String>,
    path: PathBuf,
}

/// The file that Git writes a person's settings to.
pub fn of_person(home: &Path) -> Result<PathBuf, SetupError> {
    let in_home = home.join(".gitconfig");
    let in_config = config_home(home).join("git").join("config");
    let path = match std::env::var_os("GIT_CONFIG_GLOBAL") {
        Some(named) => PathBuf::from(named),
        None if !in_home.exists() && in_config.exists() => in_config,
        None => in_home,
    };
    // Git would put a file in the place of `/dev/null`.
    if path.as_os_str().is_empty() || (path.exists() && !path.is_file()) {
        return Err(SetupError::NoFile(path));
    }
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// The folder for configuration in a home.
pub fn config_home(home: &Path) -> PathBuf {
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.unwrap_or_else(|| home.join(".config"))
}

impl ConfigFile {
    /// A clone's, as it was noted the first time, or else as it is.
    pub fn of_clone(git_dir: &Path, place: &Place) -> Result<Self, SetupError> {
        // Where it is now: the clone may have been moved or copied.
        let path = git_dir.join("config");
        match place.read(NOTES)? {
            Some(text) => Ok(Self { path, ..serde_json::from_str(&text)? }),
            None => Self::keep(&path, place),
        }
    }

    /// Writes down what [`ConfigFile::of_clone`] reads.
    pub fn save(&self, place: &Place) -> Result<(), SetupError> {
        Ok(place.write(NOTES, &(serde_json::to_string(self)? + "\n"), 0o600)?)
    }

    /// Keeps a copy of the file.
    pub fn keep(path: &Path, place: &Place) -> Result<Self, SetupError> {
        let existed = path.exists();
        if existed {
            let bytes = file::read(path, BYTES_MAX).map_err(|source| failed("copy", path, source))?;
            file::write(&place.file(COPY), &bytes, 0o600).map_err(|source| failed("copy", path, source))?;
        }
        let mut kept = Self { existed, left: None, path: path.to_owned() };
        kept.note()?;
        Ok(kept)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes what the file holds now.
    pub fn note(&mut self) -> Result<(), SetupError> {
        self.left = self.digest()?;
        Ok(())
    }

    /// Whether it holds what was noted.
    pub fn is_as_left(&self) -> Result<bool, SetupError> {
        Ok(self.digest()? == self.left)
    }

    /// Makes it what it was, with the mode it has, at the end of whatever link leads there.
    pub fn put_back(&self, place: &Place) -> Result<(), SetupError> {
        let Ok(real) = fs::canonicalize(&self.path) else { return Ok(()) };
        if !self.existed {
            return fs::remove_file(&real).map_err(|source| failed("remove", &real, source));
        }
        let written = file::read(&place.file(COPY), BYTES_MAX).and_then(|bytes| file::replace(&real, &bytes));
        written.map_err(|source| failed("write", &real, source))
    }

    fn digest(&self) -> Result<Option<String>, SetupError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let bytes = file::read(&self.path, BYTES_MAX).map_err(|source| failed("read", &self.path, source))?;
        Ok(Some(sha256(&bytes).hex()))
    }
}

/// Forgets how it was.
pub fn forget(place: &Place) -> Result<(), SetupError> {
    place.remove(COPY)?;
    Ok(place.remove(NOTES)?)
}

/// What went wrong with a file.
pub fn failed(what: &'static str, path: &Path, source: std::io::Error) -> SetupError {
    SetupError::File { what, path: path.to_owned(), source }
}
