//! The key that signs: given, configured, lying about, held by an agent, or made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::git_config;
use crate::identity::key::{self, PublicKey};
use crate::name::ActorId;

/// The name of a key that was made because there was none.
const MADE: &str = "mledger_ed25519";

/// A key that Git can sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The value of `user.signingKey`: a file, or `key::` and the public key for an agent's.
    pub configured: String,
    /// Where it came from.
    pub found: Found,
    /// Its public half.
    pub public: PublicKey,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The caller named it.
    Given,
    /// `user.signingKey` named it.
    Configured,
    /// It lay in `~/.ssh`.
    Home,
    /// An agent holds it.
    Agent,
    /// It was made now.
    Made,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key that the caller named.
    #[error("the key in `{path}` cannot be used")]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: key::KeyError,
    },
    /// A file.
    #[error("could not read the key `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Nowhere to make one.
    #[error("there is no SSH key, and no home folder to make one in")]
    NoHome,
    /// ssh-keygen.
    #[error("`ssh-keygen` failed: {0}")]
    Keygen(String),
}

/// Finds the key to sign with, or makes one.
pub fn find_or_make(
    base: &Path,
    home: Option<&Path>,
    given: Option<&Path>,
    actor: &ActorId,
) -> Result<SigningKey, KeyError> {
    if let Some(path) = given {
        let path = std::path::absolute(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        let public = read_key(&path)?;
        return Ok(SigningKey { configured: path.to_string_lossy().into_owned(), found: Found::Given, public });
    }
    let found = configured(base, home).or_else(|| at_home(home)).or_else(in_agent);
    found.map_or_else(|| make(home.ok_or(KeyError::NoHome)?, actor), Ok)
}

/// The key that the person signs with already, if it is an SSH key that we support.
fn configured(base: &Path, home: Option<&Path>) -> Option<SigningKey> {
    let configured = git_config(base, "user.signingKey")?;
    let literal = configured.strip_prefix("key::").or_else(|| configured.starts_with("ssh-").then_some(&configured));
    let public = if let Some(line) = literal {
        PublicKey::parse(line).ok()?
    } else if git_config(base, "gpg.format").as_deref() == Some("ssh") {
        let in_home = home.and_then(|home| Some(home.join(configured.strip_prefix("~/")?)));
        read_key(&in_home.unwrap_or_else(|| base.join(&configured))).ok()?
    } else {
        return None;
    };
    Some(SigningKey { configured, found: Found::Configured, public })
}

fn at_home(home: Option<&Path>) -> Option<SigningKey> {
    let path = |name| Some(home?.join(".ssh").join(name));
    ["id_ed25519", MADE].into_iter().filter_map(path).find_map(|path| {
        let public = read_key(&path).ok()?;
        Some(SigningKey { configured: path.to_string_lossy().into_owned(), found: Found::Home, public })
    })
}

fn in_agent() -> Option<SigningKey> {
    let public = agent_keys().into_iter().next()?;
    Some(SigningKey { configured: format!("key::{public}"), found: Found::Agent, public })
}

/// Whether an agent holds the key, so that nobody is asked for its passphrase.
pub fn is_in_agent(key: &PublicKey) -> bool {
    agent_keys().iter().any(|held| held.id() == key.id())
}

fn agent_keys() -> Vec<PublicKey> {
    let listed = Command::new("ssh-add").arg("-L").stdin(Stdio::null()).output();
    let text = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(|line| PublicKey::parse(line).ok()).collect()
}

fn make(home: &Path, actor: &ActorId) -> Result<SigningKey, KeyError> {
    let folder = home.join(".ssh");
    make_private_folder(&folder).map_err(|source| KeyError::File { path: folder.clone(), source })?;
    let path = folder.join(MADE);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", actor.as_str(), "-f"]).arg(&path);
    run(&mut keygen)?;
    let public = read_key(&path)?;
    Ok(SigningKey { configured: path.to_string_lossy().into_owned(), found: Found::Made, public })
}

/// Reads the public half of the key in a file, which may be either half.
fn read_key(path: &Path) -> Result<PublicKey, KeyError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let public = PathBuf::from(beside);
    let source = if public.exists() { public.as_path() } else { path };
    let text =
        std::fs::read_to_string(source).map_err(|error| KeyError::File { path: source.to_owned(), source: error })?;
    let line = if text.starts_with("-----BEGIN") {
        run(Command::new("ssh-keygen").args(["-y", "-f"]).arg(path))?
    } else {
        text
    };
    PublicKey::parse(&line).map_err(|source| KeyError::Unusable { path: path.to_owned(), source })
}

fn run(keygen: &mut Command) -> Result<String, KeyError> {
    let ran = keygen.stdin(Stdio::null()).output().map_err(|error| KeyError::Keygen(error.to_string()))?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&ran.stderr);
        Err(KeyError::Keygen(complaint.trim().chars().take(500).collect()))
    }
}

fn make_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}
