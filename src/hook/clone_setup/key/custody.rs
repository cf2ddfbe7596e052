//! How a private half is kept, and so what happens at `git commit`.

use std::path::PathBuf;

use super::configured::{Configured, Place};
use super::file::{KeyFile, is_exposed};
use super::{Agent, KeyError};
use crate::identity::key::Kind;

/// How the private half of a key is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Custody {
    /// An agent holds it: nobody is asked for a passphrase.
    Agent,
    /// Neither a file here nor an agent that answers now: nobody can sign.
    Missing {
        /// Whether an agent answers, that could hold it.
        agent: bool,
        /// The file of the public half, beside which the private one is looked for.
        public: Option<PathBuf>,
    },
    /// A file without passphrase.
    Open,
    /// A file with a passphrase, which is asked for at every signature.
    Passphrase {
        /// Whether an agent answers, that could hold it.
        agent: bool,
        /// The file.
        path: PathBuf,
    },
    /// `gpg.ssh.program` signs, and keeps it where it likes.
    Program(String),
}

impl Custody {
    /// The name in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Missing { .. } => "missing",
            Self::Open => "file",
            Self::Passphrase { .. } => "passphrase",
            Self::Program(_) => "program",
        }
    }
}

/// Whether a key of this kind wants a touch at every signature.
pub fn wants_touch(kind: Kind) -> bool {
    matches!(kind, Kind::SkEd25519 | Kind::SkEcdsa)
}

/// How the configured key is kept.
pub fn custody(configured: &Configured, agent: &Agent) -> Result<Custody, KeyError> {
    if let Some(program) = &configured.program {
        return Ok(Custody::Program(program.clone()));
    }
    match &configured.place {
        Place::File(path) => of_file(&KeyFile::read(path)?, agent),
        Place::Literal(_) => {
            let held = agent.holds(configured.public()?.id());
            Ok(if held { Custody::Agent } else { Custody::Missing { agent: agent.answers(), public: None } })
        }
    }
}

/// How the key of a file is kept. An agent that holds it goes first, as in ssh-keygen, whatever is wrong with the file.
pub fn of_file(file: &KeyFile, agent: &Agent) -> Result<Custody, KeyError> {
    if agent.holds(file.public.id()) {
        return Ok(Custody::Agent);
    }
    let Some(private) = &file.private else {
        return Ok(Custody::Missing { agent: agent.answers(), public: file.public_file.clone() });
    };
    if is_exposed(&private.path) {
        return Err(KeyError::Exposed(private.path.clone()));
    }
    if let (Some(shown), Some(public)) = (&private.shows, &file.public_file)
        && *shown != file.public
    {
        return Err(KeyError::Halves { public: public.clone(), private: private.path.clone() });
    }
    let locked = Custody::Passphrase { agent: agent.answers(), path: private.path.clone() };
    Ok(if private.encrypted { locked } else { Custody::Open })
}
