//! The key that signs: given, configured, lying about, held by an agent, or made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::git_config;
use crate::identity::key::{self, Kind, PublicKey};
use crate::name::ActorId;

/// The name of a key that was made because there was none.
const MADE: &str = "mledger_ed25519";

/// The keys that are looked for in `~/.ssh`, the first that counts is taken. One that was made stays before those that
/// lay there all the time. Security keys come late: they want a touch at every commit.
const AT_HOME: [&str; 7] = ["id_ed25519", MADE, "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", "id_dsa"];

/// A key that Git can sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The value of `user.signingKey`: a file, or `key::` and the public key for an agent's.
    pub configured: String,
    /// Where it came from.
    pub found: Found,
    /// The keys that were found before it and do not count.
    pub passed_over: Vec<PassedOver>,
    /// Its public half.
    pub public: PublicKey,
}

/// A key that was found and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Where it is.
    pub place: String,
    /// Why it does not count.
    pub why: String,
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
    /// A private key whose public half nobody can see.
    #[error("the private key has a passphrase and no public half beside it; try: ssh-keygen -y -f '{path}' > '{path}.pub'", path = .0.display())]
    Locked(PathBuf),
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
        return Ok(SigningKey::in_file(&path, Found::Given, read_key(&path, Passphrase::Ask)?));
    }
    let mut search = Search::default();
    let found = search.configured(base, home).or_else(|| search.at_home(home)).or_else(|| search.in_agent());
    let key = found.map_or_else(|| make(home.ok_or(KeyError::NoHome)?, actor), Ok)?;
    Ok(SigningKey { passed_over: search.passed_over, ..key })
}

/// Whether an agent holds the key, so that nobody is asked for its passphrase.
pub fn is_in_agent(key: &PublicKey) -> bool {
    agent_lines().iter().filter_map(|line| PublicKey::parse(line).ok()).any(|held| held.id() == key.id())
}

impl SigningKey {
    fn in_file(path: &Path, found: Found, public: PublicKey) -> Self {
        Self { configured: path.to_string_lossy().into_owned(), found, passed_over: Vec::new(), public }
    }
}

/// A search for a key, and what it could not use.
#[derive(Default)]
struct Search {
    passed_over: Vec<PassedOver>,
}

impl Search {
    /// The key that the person signs with already, if it is an SSH key that counts.
    fn configured(&mut self, base: &Path, home: Option<&Path>) -> Option<SigningKey> {
        let configured = git_config(base, "user.signingKey")?;
        let literal =
            configured.strip_prefix("key::").or_else(|| configured.starts_with("ssh-").then_some(&configured));
        let public = if let Some(line) = literal {
            let public = PublicKey::parse(line);
            public.map_err(|source| KeyError::Unusable { path: PathBuf::from(line), source })
        } else if git_config(base, "gpg.format").as_deref() == Some("ssh") {
            let in_home = home.and_then(|home| Some(home.join(configured.strip_prefix("~/")?)));
            read_key(&in_home.unwrap_or_else(|| base.join(&configured)), Passphrase::Ask)
        } else {
            return None;
        };
        let public = self.usable("user.signingKey", public)?;
        Some(SigningKey { configured, found: Found::Configured, passed_over: Vec::new(), public })
    }

    fn at_home(&mut self, home: Option<&Path>) -> Option<SigningKey> {
        let folder = home?.join(".ssh");
        let there = |path: &PathBuf| path.exists() || path.with_added_extension("pub").exists();
        AT_HOME.into_iter().map(|name| folder.join(name)).filter(there).find_map(|path| {
            let public = self.usable(&path.to_string_lossy(), read_key(&path, Passphrase::Empty))?;
            Some(SigningKey::in_file(&path, Found::Home, public))
        })
    }

    /// The agent's first Ed25519 key, else its first key that counts.
    fn in_agent(&mut self) -> Option<SigningKey> {
        let parse = |line: &String| {
            let public = PublicKey::parse(line);
            self.usable(
                "a key of the SSH agent",
                public.map_err(|source| KeyError::Unusable { path: line.into(), source }),
            )
        };
        let keys: Vec<PublicKey> = agent_lines().iter().filter_map(parse).collect();
        let public = keys.into_iter().min_by_key(|key| key.kind() != Kind::Ed25519)?;
        Some(SigningKey { configured: format!("key::{public}"), found: Found::Agent, passed_over: Vec::new(), public })
    }

    fn usable(&mut self, place: &str, key: Result<PublicKey, KeyError>) -> Option<PublicKey> {
        let why = match key {
            Ok(key) => return Some(key),
            Err(KeyError::Unusable { source, .. }) => source.to_string(),
            Err(error) => error.to_string(),
        };
        self.passed_over.push(PassedOver { place: place.to_owned(), why });
        None
    }
}

/// The public keys that an agent holds, a line each.
fn agent_lines() -> Vec<String> {
    let listed = Command::new("ssh-add").arg("-L").stdin(Stdio::null()).output();
    // Without keys it says so in words, and fails.
    let listed = listed.ok().filter(|listed| listed.status.success());
    let text = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn make(home: &Path, actor: &ActorId) -> Result<SigningKey, KeyError> {
    let folder = home.join(".ssh");
    make_private_folder(&folder).map_err(|source| KeyError::File { path: folder.clone(), source })?;
    let path = folder.join(MADE);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", actor.as_str(), "-f"]).arg(&path);
    run(&mut keygen)?;
    let public = read_key(&path, Passphrase::Empty)?;
    Ok(SigningKey::in_file(&path, Found::Made, public))
}

/// What to do where a private key has a passphrase and no public half lies beside it.
#[derive(Clone, Copy)]
enum Passphrase {
    /// `ssh-keygen` asks for it: the person named this key.
    Ask,
    /// The key is left alone: nobody named it.
    Empty,
}

/// Reads the public half of the key in a file, which may be either half.
fn read_key(path: &Path, passphrase: Passphrase) -> Result<PublicKey, KeyError> {
    let public = path.with_added_extension("pub");
    let source = if public.exists() { public.as_path() } else { path };
    let text =
        std::fs::read_to_string(source).map_err(|error| KeyError::File { path: source.to_owned(), source: error })?;
    let line = if text.starts_with("-----BEGIN") { derive_public(path, passphrase)? } else { text };
    PublicKey::parse(&line).map_err(|source| KeyError::Unusable { path: path.to_owned(), source })
}

fn derive_public(path: &Path, passphrase: Passphrase) -> Result<String, KeyError> {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-y", "-f"]).arg(path);
    if let Passphrase::Empty = passphrase {
        keygen.args(["-P", ""]);
    }
    run(&mut keygen).map_err(|error| match error {
        KeyError::Keygen(complaint) if complaint.contains("passphrase") => KeyError::Locked(path.to_owned()),
        other => other,
    })
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
