//! The key that signs: given, configured, lying about, held by an agent, or made.
//!
//! ```text
//! Configured   what `user.signingKey` and its kin say, read as Git reads it
//! KeyFile      a file of a key, either half, read as ssh-keygen reads it
//! Agent        what the SSH agent holds
//! Custody      how the private half is kept, or why nobody can sign with it
//! ```

mod agent;
mod configured;
pub mod custody;
mod file;
mod keygen;

use std::path::{Path, PathBuf};

use crate::git::GitError;
use crate::identity::key::{self, Kind, PublicKey};
use crate::identity::sshsig::SshSigError;
use crate::name::ActorId;

pub use agent::Agent;
pub use configured::{Configured, Origin, Place};
pub use custody::{Custody, custody, of_file as custody_of_file};
pub use file::{KeyFile, quoted};
pub use keygen::{NewKey, make};

/// The name of a key that was made because there was none.
pub const MADE: &str = "mledger_ed25519";

/// The keys that are looked for in `~/.ssh`, the first that counts is taken. One that was made stays before those that
/// lay there all the time. Security keys come late: they want a touch at every commit.
const AT_HOME: [&str; 7] = ["id_ed25519", MADE, "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk", "id_dsa"];

/// A key that Git can sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The value of `user.signingKey`: a file, or `key::` and the public key for an agent's.
    pub configured: String,
    /// How its private half is kept.
    pub custody: Custody,
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
    /// `user.signingKey` or `gpg.ssh.defaultKeyCommand` named it.
    Configured,
    /// It lay in `~/.ssh`.
    Home,
    /// An agent holds it.
    Agent,
    /// It was made now.
    Made,
}

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A key that does not count.
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
    #[error("the private key has a passphrase and no public half beside it; try: ssh-keygen -y -f {path} > {path}.pub", path = quoted(.0))]
    Locked(PathBuf),
    /// ssh-keygen ignores a private key that others may read.
    #[error("others can read the private key `{}`, so ssh-keygen does not sign with it", .0.display())]
    Exposed(PathBuf),
    /// Two halves of different keys.
    #[error("`{}` is not the public half of `{}`, so ssh-keygen does not sign with it", public.display(), private.display())]
    Halves {
        /// The file that claims to be the public half.
        public: PathBuf,
        /// The private half.
        private: PathBuf,
    },
    /// A public half alone.
    #[error("its private half lies nowhere beside it, and {}", if *.0 { "the SSH agent does not hold it" } else { "no SSH agent answers" })]
    NoPrivate(
        /// Whether an agent answers.
        bool,
    ),
    /// A public key that Git takes for a file's name.
    #[error("Git takes `{0}` for a file: a public key of this type needs `key::` before it")]
    NotLiteral(String),
    /// `gpg.ssh.defaultKeyCommand`.
    #[error("`gpg.ssh.defaultKeyCommand` gives no key: {0}")]
    DefaultCommand(String),
    /// Git is set to sign otherwise.
    #[error("Git signs with {0} here, and only SSH signatures count")]
    OtherFormat(String),
    /// No key is configured.
    #[error("no key of yours is configured here")]
    NotConfigured,
    /// A file that is there already.
    #[error("`{}` is there already, and keys are never overwritten", .0.display())]
    Exists(PathBuf),
    /// Nowhere to make one.
    #[error("there is no SSH key, and no home folder to make one in")]
    NoHome,
    /// The program that signs.
    #[error("{program} does not sign: {message}")]
    Signing {
        /// The program.
        program: String,
        /// What it said.
        message: String,
    },
    /// A signature that does not count.
    #[error("{program} makes signatures that do not count")]
    Signature {
        /// The program.
        program: String,
        /// Why not.
        source: SshSigError,
    },
    /// ssh-keygen.
    #[error("`ssh-keygen` failed: {0}")]
    Keygen(String),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl KeyError {
    /// Whether a word of the person mends the very key, so that another must not silently take its place.
    fn is_mendable(&self) -> bool {
        matches!(self, Self::Exposed(_) | Self::Halves { .. })
    }
}

/// Finds the key to sign with, or makes one.
pub fn find_or_make(
    base: &Path,
    home: Option<&Path>,
    given: Option<&Path>,
    actor: &ActorId,
) -> Result<SigningKey, KeyError> {
    let agent = Agent::ask();
    if let Some(path) = given {
        let path = std::path::absolute(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        let file = KeyFile::read(&path)?;
        let custody = custody::of_file(&file, &agent)?;
        return Ok(SigningKey::in_file(file, Found::Given, custody));
    }
    let mut search = Search { agent, passed_over: Vec::new() };
    let found = match search.configured(base)? {
        Some(found) => Some(found),
        None => search.at_home(home)?.or_else(|| search.in_agent()),
    };
    let key = match found {
        Some(key) => key,
        None => make_usual(home.ok_or(KeyError::NoHome)?, actor)?,
    };
    Ok(SigningKey { passed_over: search.passed_over, ..key })
}

fn make_usual(home: &Path, actor: &ActorId) -> Result<SigningKey, KeyError> {
    let path = home.join(".ssh").join(MADE);
    let file = make(&NewKey { comment: actor.to_string(), path, passphrase: false, type_name: "ed25519".to_owned() })?;
    Ok(SigningKey::in_file(file, Found::Made, Custody::Open))
}

impl SigningKey {
    fn in_file(file: KeyFile, found: Found, custody: Custody) -> Self {
        let configured = file.path.to_string_lossy().into_owned();
        Self { configured, custody, found, passed_over: Vec::new(), public: file.public }
    }
}

/// A search for a key, and what it could not use.
struct Search {
    agent: Agent,
    passed_over: Vec<PassedOver>,
}

impl Search {
    /// The key that the person signs with already, if it is an SSH key that counts.
    fn configured(&mut self, base: &Path) -> Result<Option<SigningKey>, KeyError> {
        let configured = match Configured::read(base) {
            Ok(configured) => configured,
            Err(KeyError::NotConfigured) => return Ok(None),
            Err(error) => return self.pass_over("user.signingKey", error),
        };
        let place = configured.origin.key();
        let kept = configured.public().and_then(|public| Ok((custody(&configured, &self.agent)?, public)));
        match kept {
            Ok((custody, public)) => Ok(Some(SigningKey {
                configured: configured.to_set(),
                custody,
                found: Found::Configured,
                passed_over: Vec::new(),
                public,
            })),
            Err(error) => self.pass_over(place, error),
        }
    }

    fn at_home(&mut self, home: Option<&Path>) -> Result<Option<SigningKey>, KeyError> {
        let Some(home) = home else { return Ok(None) };
        let folder = home.join(".ssh");
        let there = |path: &PathBuf| path.exists() || path.with_added_extension("pub").exists();
        for path in AT_HOME.into_iter().map(|name| folder.join(name)).filter(there) {
            let kept = KeyFile::read(&path).and_then(|file| Ok((custody::of_file(&file, &self.agent)?, file)));
            let found = match kept {
                Ok((Custody::Missing { agent, .. }, _)) => {
                    self.pass_over(&path.to_string_lossy(), KeyError::NoPrivate(agent))?
                }
                Ok((custody, file)) => Some(SigningKey::in_file(file, Found::Home, custody)),
                Err(error) => self.pass_over(&path.to_string_lossy(), error)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The agent's first Ed25519 key, else its first key that counts.
    fn in_agent(&mut self) -> Option<SigningKey> {
        for error in self.agent.refused() {
            self.passed_over.push(PassedOver { place: "a key of the SSH agent".to_owned(), why: error.to_string() });
        }
        let public = self.agent.keys().into_iter().min_by_key(|key| key.kind() != Kind::Ed25519)?;
        Some(SigningKey {
            configured: format!("key::{public}"),
            custody: Custody::Agent,
            found: Found::Agent,
            passed_over: Vec::new(),
            public,
        })
    }

    /// Notes why a key does not count, and goes on, unless it needs but a word to be good.
    fn pass_over<T>(&mut self, place: &str, error: KeyError) -> Result<Option<T>, KeyError> {
        if error.is_mendable() {
            return Err(error);
        }
        let why = match error {
            KeyError::Unusable { source, .. } => source.to_string(),
            error => error.to_string(),
        };
        self.passed_over.push(PassedOver { place: place.to_owned(), why });
        Ok(None)
    }
}
