//! Who is pushing: the signer of the push certificate, else the login of the one configured source.

mod environment;
mod login;
mod source;
mod ssh_user_auth;

pub use self::environment::Environment;
pub use self::source::LoginSource;

use crate::git::{Kind, Repository};
use crate::identity::key::KeyId;
use crate::identity::sshsig::{self, NAMESPACE_GIT};
use crate::index::{Index, IndexError};
use crate::name::Oid;
use crate::object::certificate::{self, Certificate, Command};
use crate::policy::facts::Pusher;

/// Why a certificate counts no more. Its nonce and dates count in seconds and its signature holds no chance, so the same
/// push within one second carries the same certificate, also after it was accepted and did not land.
pub(super) const USED: &str =
    "this push certificate was used before; if your push was accepted and did not land, push again a second later";

/// Who pushes, with the certificate's bytes where one was sent.
pub fn identify(
    environment: &Environment,
    source: LoginSource,
    pushed: &Repository,
    index: &Index,
    commands: &[Command],
) -> Result<(Pusher, Option<Vec<u8>>), IndexError> {
    if let Some(blob) = environment.get("GIT_PUSH_CERT") {
        let bytes = Oid::parse(blob)
            .ok()
            .and_then(|oid| pushed.read_limited(&oid, Kind::Blob, certificate::RAW_BYTES_MAX as u64).ok());
        let Some(bytes) = bytes else {
            return Ok((Pusher::Refused { why: "the push certificate cannot be read".to_owned() }, None));
        };
        let pusher = match check(&bytes, environment, commands) {
            Ok(_) if index.certificate_used(&certificate::single_use_digest(&bytes))? => {
                Pusher::Refused { why: USED.to_owned() }
            }
            Ok(key) => Pusher::Certificate { key },
            Err(why) => Pusher::Refused { why },
        };
        return Ok((pusher, Some(bytes)));
    }
    Ok((login::read(environment, source), None))
}

/// Checks a certificate on our own; Git's `GIT_PUSH_CERT_STATUS` also says "good" for keys that nobody enrolled.
fn check(bytes: &[u8], environment: &Environment, commands: &[Command]) -> Result<KeyId, String> {
    let parsed = Certificate::parse(bytes).map_err(|error| format!("the push certificate is malformed: {error}"))?;
    let key = sshsig::verify(parsed.signature.as_bytes(), NAMESPACE_GIT, certificate::signed_payload(bytes))
        .map_err(|error| format!("the push certificate's signature does not count: {error}"))?;
    if environment.get("GIT_PUSH_CERT_NONCE_STATUS") != Some("OK") {
        return Err("the push certificate's nonce is not the one that this server just gave".to_owned());
    }
    if parsed.commands != commands {
        return Err("the push certificate names other refs or commits than this push".to_owned());
    }
    Ok(key.id().clone())
}
