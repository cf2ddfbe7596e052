//! What the SSH agent holds, as `ssh-add` tells it.

use std::process::{Command, Stdio};

use crate::identity::key::{KeyError, KeyId, PublicKey};

/// The most keys of an agent that are looked at; `sshd` gives up on a client after six.
const KEYS_MAX: usize = 1000;

/// The agent of `SSH_AUTH_SOCK`. A person may have several; Git asks this one alone.
#[derive(Clone, Debug)]
pub enum Agent {
    /// None answers.
    Absent,
    /// It answers, and holds the keys of these lines.
    Holds(Vec<String>),
}

impl Agent {
    /// Asks it.
    pub fn ask() -> Self {
        let listed = Command::new("ssh-add").arg("-L").stdin(Stdio::null()).output();
        match listed {
            Ok(listed) if listed.status.success() => {
                let text = String::from_utf8_lossy(&listed.stdout);
                Self::Holds(text.lines().take(KEYS_MAX).map(str::to_owned).collect())
            }
            // Without keys it says so in words; 2 means that nobody could be asked.
            Ok(listed) if listed.status.code() == Some(1) => Self::Holds(Vec::new()),
            _ => Self::Absent,
        }
    }

    /// Whether one answers.
    pub fn answers(&self) -> bool {
        matches!(self, Self::Holds(_))
    }

    /// Whether it can sign with this key.
    pub fn holds(&self, key: &KeyId) -> bool {
        self.keys().iter().any(|held| held.id() == key)
    }

    /// Its keys that count.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.lines().iter().filter_map(|line| PublicKey::parse(line).ok()).collect()
    }

    /// Why its other keys do not.
    pub(super) fn refused(&self) -> Vec<KeyError> {
        self.lines().iter().filter_map(|line| PublicKey::parse(line).err()).collect()
    }

    fn lines(&self) -> &[String] {
        match self {
            Self::Absent => &[],
            Self::Holds(lines) => lines,
        }
    }
}
