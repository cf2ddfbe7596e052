//! The key that a clone is configured to sign with, read as Git reads it.
//!
//! ```text
//! user.signingKey = key::ssh-ed25519 AAAA…    a public key; an agent signs
//!                   ssh-ed25519 AAAA…         the same, for types that begin with `ssh-`
//!                   ~/.ssh/id_ed25519[.pub]   a file, either half; `~user/`, `%(prefix)/` and relative paths as in Git
//! gpg.ssh.defaultKeyCommand = ssh-add -L      asked where no key is set; its first line counts
//! gpg.ssh.program = …                         signs in ssh-keygen's stead, called in the same way
//! ```
//!
//! Source: `gpg-interface.c` of Git.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::file::KeyFile;
use super::{KeyError, custody};
use crate::git::command;
use crate::hook::clone_setup::git_config;
use crate::identity::key::PublicKey;
use crate::identity::sshsig;

/// The longest answer of a command that names a key, in bytes: an agent's list of some dozens.
const ANSWER_BYTES_MAX: usize = 1 << 16;

/// The key that Git signs with in a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// The folder that relative paths start from.
    base: PathBuf,
    /// What names it.
    pub origin: Origin,
    /// Where it is.
    pub place: Place,
    /// The program that signs, where it is not ssh-keygen.
    pub program: Option<String>,
    /// The value as it stands.
    pub value: String,
}

/// What names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `user.signingKey`.
    SigningKey,
    /// `gpg.ssh.defaultKeyCommand`.
    DefaultCommand,
}

/// Where a configured key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, or its public half is.
    File(PathBuf),
    /// The line of the public key itself.
    Literal(String),
}

impl Origin {
    /// The key of the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::SigningKey => "user.signingKey",
            Self::DefaultCommand => "gpg.ssh.defaultKeyCommand",
        }
    }
}

impl Configured {
    /// Reads what holds in the clone at `base`. Without a key of SSH that is [`KeyError::NotConfigured`], or
    /// [`KeyError::OtherFormat`] where Git signs with something else.
    pub fn read(base: &Path) -> Result<Self, KeyError> {
        let get = |key: &str| git_config(base, key);
        let ssh = get("gpg.format").as_deref() == Some("ssh");
        let program = path_config(base, "gpg.ssh.program").filter(|program| program != "ssh-keygen");
        let made = |origin, place, value| Self { base: base.to_owned(), origin, place, program, value };
        match get("user.signingKey") {
            Some(value) => match (literal(&value), ssh) {
                (Some(line), _) => {
                    let place = Place::Literal(line.to_owned());
                    Ok(made(Origin::SigningKey, place, value))
                }
                (None, true) => {
                    let path = path_config(base, "user.signingKey").unwrap_or_else(|| value.clone());
                    Ok(made(Origin::SigningKey, Place::File(base.join(path)), value))
                }
                (None, false) => Err(KeyError::OtherFormat(other_format(get("gpg.format").as_deref()))),
            },
            None if ssh => {
                let command = get("gpg.ssh.defaultKeyCommand").ok_or(KeyError::NotConfigured)?;
                let line = ask(base, &command)?;
                Ok(made(Origin::DefaultCommand, Place::Literal(line), command))
            }
            None => Err(get("gpg.format")
                .map_or(KeyError::NotConfigured, |name| KeyError::OtherFormat(other_format(Some(&name))))),
        }
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        match &self.place {
            Place::Literal(line) => parse(line),
            Place::File(path) => match KeyFile::read(path) {
                // Not a file, but the words of a key.
                Err(KeyError::File { .. }) if PublicKey::parse(&self.value).is_ok() => {
                    Err(KeyError::NotLiteral(self.value.split(' ').next().unwrap_or_default().to_owned()))
                }
                read => Ok(read?.public),
            },
        }
    }

    /// The value of `user.signingKey` that means this key for good.
    pub(super) fn to_set(&self) -> String {
        match (&self.place, self.origin) {
            (Place::Literal(line), Origin::DefaultCommand) => format!("key::{line}"),
            _ => self.value.clone(),
        }
    }

    /// The name of the program that signs.
    pub fn signer(&self) -> &str {
        self.program.as_deref().unwrap_or("ssh-keygen")
    }

    /// Signs as Git does, and looks at the signature: armoured, of this key, in `namespace`. The person may be asked for
    /// a passphrase or a touch.
    pub fn sign(&self, namespace: &str, text: &str) -> Result<String, KeyError> {
        let public = self.public()?;
        let failed = |source| KeyError::File { path: PathBuf::from("temporary file"), source };
        let folder = tempfile::tempdir().map_err(failed)?;
        let file = folder.path().join("signed");
        std::fs::write(&file, text).map_err(failed)?;
        let mut signer = std::process::Command::new(self.signer());
        signer.current_dir(&self.base).args(["-Y", "sign", "-n", namespace, "-f"]);
        match &self.place {
            Place::File(path) => _ = signer.arg(path),
            Place::Literal(line) => {
                let key = folder.path().join("key");
                std::fs::write(&key, line).map_err(failed)?;
                signer.arg(key).arg("-U");
            }
        }
        signer.arg(&file).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::piped());
        if custody::wants_touch(public.kind()) {
            // It asks for the touch on a terminal only.
            signer.stderr(Stdio::inherit());
        }
        let said = |message: String| KeyError::Signing { program: self.signer().to_owned(), message };
        let ran = signer.output().map_err(|error| said(error.to_string()))?;
        if !ran.status.success() {
            let words = String::from_utf8_lossy(&ran.stderr);
            return Err(said(words.trim().chars().take(1000).collect()));
        }
        let armour = std::fs::read_to_string(folder.path().join("signed.sig")).map_err(failed)?;
        let wrong = |source| KeyError::Signature { program: self.signer().to_owned(), source };
        let key = sshsig::verify(armour.as_bytes(), namespace, text.as_bytes()).map_err(wrong)?;
        if key == public { Ok(armour) } else { Err(said(format!("it signed with the key {}", key.id()))) }
    }
}

fn parse(line: &str) -> Result<PublicKey, KeyError> {
    PublicKey::parse(line).map_err(|source| KeyError::Unusable { path: PathBuf::from(line), source })
}

/// The public key in a value that is one to Git.
fn literal(value: &str) -> Option<&str> {
    value.strip_prefix("key::").or_else(|| value.starts_with("ssh-").then_some(value))
}

fn other_format(format: Option<&str>) -> String {
    match format {
        None | Some("openpgp") => "OpenPGP".to_owned(),
        Some("x509") => "X.509".to_owned(),
        Some(other) => format!("`{other}`"),
    }
}

/// A path of the configuration, with `~/`, `~user/` and `%(prefix)/` filled in.
fn path_config(base: &Path, key: &str) -> Option<String> {
    let value = command::output(command::git(base).args(["config", "--type=path", "--get", key])).ok();
    value.filter(|value| !value.is_empty())
}

/// The first line that the command prints.
fn ask(base: &Path, line: &str) -> Result<String, KeyError> {
    let words = split(line).ok_or_else(|| KeyError::DefaultCommand(format!("`{line}` has an open quote")))?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(KeyError::DefaultCommand("it is empty".to_owned()));
    };
    let mut command = std::process::Command::new(program);
    let ran = command.args(arguments).current_dir(base).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| KeyError::DefaultCommand(format!("`{line}`: {error}")))?;
    let answer = ran.stdout.get(..ran.stdout.len().min(ANSWER_BYTES_MAX)).unwrap_or_default();
    let answer = String::from_utf8_lossy(answer);
    match answer.lines().next().and_then(literal) {
        Some(line) if ran.status.success() => Ok(line.to_owned()),
        _ => {
            let said = String::from_utf8_lossy(&ran.stderr);
            let words = [said.trim(), answer.trim()].into_iter().find(|words| !words.is_empty());
            let words: String = words.unwrap_or("it prints nothing").chars().take(200).collect();
            Err(KeyError::DefaultCommand(format!("`{line}`: {words}")))
        }
    }
}

/// A command line in words, as Git splits it without a shell. None where a quote stays open.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, char) if char.is_ascii_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (Some(open), char) if open == char => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (_, char) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_split_as_git_splits_them() {
        for (line, words) in [
            ("ssh-add -L", Some(&["ssh-add", "-L"][..])),
            ("  a  'b c' \"d 'e'\" f\\ g ''", Some(&["a", "b c", "d 'e'", "f g", ""])),
            ("'a\\b' \"a\\\"b\"", Some(&["a\\b", "a\"b"])),
            ("", Some(&[])),
            ("'a", None),
            ("a\\", None),
        ] {
            let expected = words.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn only_what_git_takes_for_a_key_is_one() {
        for (value, expected) in [
            ("key::sk-ssh-ed25519@openssh.com AAAA", Some("sk-ssh-ed25519@openssh.com AAAA")),
            ("ssh-ed25519 AAAA", Some("ssh-ed25519 AAAA")),
            ("sk-ssh-ed25519@openssh.com AAAA", None),
            ("ecdsa-sha2-nistp256 AAAA", None),
            ("~/.ssh/id_ed25519", None),
        ] {
            assert_eq!(literal(value), expected, "{value}");
        }
    }
}
