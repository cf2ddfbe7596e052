//! Who is pushing: the signer of the push certificate, else the login of the one configured source.

use crate::digest::sha256;
use crate::git::{Kind, Repository};
use crate::identity::sshsig::{self, NAMESPACE_GIT};
use crate::index::{Index, IndexError};
use crate::name::Oid;
use crate::object::certificate::{self, Certificate, Command};
use crate::policy::actor::Login;
use crate::policy::facts::Pusher;

/// Where a login may come from; `none` leaves only certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// No login counts.
    None,
    /// `MLEDGER_LOGIN`, set by the administrator's forced command. Counts only where pushers have no shell.
    Env,
    /// `REMOTE_USER`, set by a web server around `git http-backend`.
    Http,
}

impl LoginSource {
    /// Parses the configured word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "env" => Some(Self::Env),
            "http" => Some(Self::Http),
            _ => None,
        }
    }

    /// The word in configuration and genesis.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Env => "env",
            Self::Http => "http",
        }
    }
}

/// The environment of a receive hook, as far as it names a pusher.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `GIT_PUSH_CERT`: the blob with the certificate.
    pub certificate: Option<String>,
    /// `GIT_PUSH_CERT_NONCE_STATUS`.
    pub nonce_status: Option<String>,
    /// `MLEDGER_LOGIN`.
    pub login: Option<String>,
    /// `REMOTE_USER`.
    pub remote_user: Option<String>,
    /// `GIT_NAMESPACE`.
    pub namespace: Option<String>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let get = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            certificate: get("GIT_PUSH_CERT"),
            nonce_status: get("GIT_PUSH_CERT_NONCE_STATUS"),
            login: get("MLEDGER_LOGIN"),
            remote_user: get("REMOTE_USER"),
            namespace: get("GIT_NAMESPACE"),
        }
    }
}

/// Who pushes, with the certificate's bytes where one was sent.
pub fn identify(
    environment: &Environment,
    source: LoginSource,
    pushed: &Repository,
    index: &Index,
    commands: &[Command],
) -> Result<(Pusher, Option<Vec<u8>>), IndexError> {
    if let Some(blob) = &environment.certificate {
        let bytes = Oid::parse(blob)
            .ok()
            .and_then(|oid| pushed.read_limited(&oid, Kind::Blob, certificate::RAW_BYTES_MAX as u64).ok());
        let Some(bytes) = bytes else {
            return Ok((Pusher::Refused { why: "the push certificate cannot be read".to_owned() }, None));
        };
        let pusher = match check(&bytes, environment, commands) {
            Ok(_) if index.certificate_used(&sha256(&bytes))? => {
                Pusher::Refused { why: "this push certificate was used before".to_owned() }
            }
            Ok(key) => Pusher::Certificate { key },
            Err(why) => Pusher::Refused { why },
        };
        return Ok((pusher, Some(bytes)));
    }
    let login = match source {
        LoginSource::None => None,
        LoginSource::Env => environment.login.as_ref(),
        LoginSource::Http => environment.remote_user.as_ref(),
    };
    let pusher = match login {
        None => Pusher::Unknown,
        // No policy can name it, and no entry could hold it.
        Some(login) if login.len() > Login::NAME_BYTES_MAX => {
            Pusher::Refused { why: format!("a login of {} bytes is longer than any", login.len()) }
        }
        Some(login) if login.chars().any(|each| each.is_whitespace() || each.is_control()) => {
            Pusher::Refused { why: "a login with blanks or control characters names nobody".to_owned() }
        }
        Some(login) => Pusher::Login { login: format!("{}:{login}", source.word()) },
    };
    Ok((pusher, None))
}

/// Checks a certificate on our own; Git's `GIT_PUSH_CERT_STATUS` also says "good" for keys that nobody enrolled.
fn check(bytes: &[u8], environment: &Environment, commands: &[Command]) -> Result<crate::identity::key::KeyId, String> {
    let parsed = Certificate::parse(bytes).map_err(|error| format!("the push certificate is malformed: {error}"))?;
    let key = sshsig::verify(parsed.signature.as_bytes(), NAMESPACE_GIT, certificate::signed_payload(bytes))
        .map_err(|error| format!("the push certificate's signature does not count: {error}"))?;
    if environment.nonce_status.as_deref() != Some("OK") {
        return Err("the push certificate's nonce is not the one that this server just gave".to_owned());
    }
    if parsed.commands != commands {
        return Err("the push certificate names other refs or commits than this push".to_owned());
    }
    Ok(key.id().clone())
}
