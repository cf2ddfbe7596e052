//! Files of keys, read as `ssh-keygen -Y sign -f FILE` reads them.
//!
//! ```text
//! FILE is a public line         the private half is FILE without `.pub`
//! FILE.pub is a public line     the private half is FILE
//! FILE is a private key         it shows its public half itself
//! ```

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::KeyError;
use super::keygen;
use crate::git::file;
use crate::identity::file::{TEXT_BYTES_MAX, cover};
use crate::identity::key::PublicKey;

/// A key that lies in a file, or whose public half does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The file that was named.
    pub path: PathBuf,
    /// The private half, if it is there.
    pub private: Option<Private>,
    /// The public half.
    pub public: PublicKey,
    /// The file that holds the public half; none where only the private key shows it.
    pub public_file: Option<PathBuf>,
}

/// A private half in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    /// Whether it has a passphrase.
    pub encrypted: bool,
    /// Its file.
    pub path: PathBuf,
    /// The public half that it shows, where its format does.
    pub shows: Option<PublicKey>,
}

impl KeyFile {
    /// Reads the key in `path`, which may be either half.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let private = private_of(path)?;
        let beside = path.with_added_extension("pub");
        let candidates = [path, beside.as_path()];
        let public_file = candidates.into_iter().find(|file| public_line(file).is_some()).map(Path::to_owned);
        let public = match (&public_file, &private) {
            (Some(file), _) => parse(file, &public_line(file).unwrap_or_default())?,
            (None, Some(private)) => match &private.shows {
                Some(public) => public.clone(),
                None if is_exposed(&private.path) => return Err(KeyError::Exposed(private.path.clone())),
                None => parse(path, &keygen::derive_public(&private.path)?)?,
            },
            (None, None) => parse(path, &read_text(path)?)?,
        };
        Ok(Self { path: path.to_owned(), private, public, public_file })
    }
}

/// A path as a shell takes it: in single quotes where it has to be.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@%:,=".contains(char);
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    if let Some(rest) = home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        let rest = rest.to_string_lossy().into_owned();
        if !rest.is_empty() && rest.chars().all(plain) {
            return format!("~/{rest}");
        }
    }
    if !text.is_empty() && text.chars().all(plain) { text.into_owned() } else { in_quotes(&text) }
}

fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn private_of(path: &Path) -> Result<Option<Private>, KeyError> {
    let stem = path.extension().filter(|end| *end == "pub").map(|_| path.with_extension(""));
    let path = stem.as_deref().unwrap_or(path);
    let text = match read_text(path) {
        Ok(text) => text,
        Err(KeyError::File { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !text.trim_start().starts_with("-----BEGIN") {
        return Ok(None);
    }
    let cover = cover(&text);
    // The older formats say in words that they are encrypted.
    let encrypted = cover.as_ref().map_or_else(|| text.contains("ENCRYPTED"), |cover| cover.encrypted);
    Ok(Some(Private { encrypted, path: path.to_owned(), shows: cover.map(|cover| cover.public) }))
}

/// The text of a file that holds a public key, or what was meant to be one.
fn public_line(path: &Path) -> Option<String> {
    read_text(path).ok().filter(|text| !text.trim_start().starts_with("-----BEGIN"))
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    let text = file::read_text(path, TEXT_BYTES_MAX as u64);
    text.map_err(|source| KeyError::File { path: path.to_owned(), source })
}

fn parse(path: &Path, line: &str) -> Result<PublicKey, KeyError> {
    PublicKey::parse(line).map_err(|source| KeyError::Unusable { path: path.to_owned(), source })
}

/// Whether others than its owner, who is the caller, may do anything with the file.
#[cfg(unix)]
pub(super) fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::getuid().as_raw();
    std::fs::metadata(path).is_ok_and(|meta| meta.uid() == own && meta.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_exposed(_: &Path) -> bool {
    false
}
