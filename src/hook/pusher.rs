//! Who is pushing: the signer of the push certificate, else the login of the one configured source.

mod environment;
mod login;
mod source;
mod ssh_user_auth;

pub use self::environment::Environment;
pub use self::login::read as login;
pub use self::source::LoginSource;

use crate::clock::Timestamp;
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

/// How old the nonce of a push certificate may be, in milliseconds: a day, longer than any push takes. Git's own word on
/// the nonce comes through the environment, as the certificate does: whoever chooses that could give a certificate that
/// was made long ago, or for another repository, and say that its nonce is good.
const NONCE_AGE_MAX_MS: u64 = 24 * 60 * 60 * 1000;

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
        let pusher = match check(&bytes, environment, commands, Timestamp::now()) {
            Ok(_) if index.certificate_used(&certificate::single_use_digest(&bytes))? => {
                Pusher::Refused { why: USED.to_owned() }
            }
            Ok(key) => Pusher::Certificate { key },
            Err(why) => Pusher::Refused { why },
        };
        return Ok((pusher, Some(bytes)));
    }
    Ok((login(environment, source), None))
}

/// Checks a certificate on our own; Git's `GIT_PUSH_CERT_STATUS` also says "good" for keys that nobody enrolled.
fn check(bytes: &[u8], environment: &Environment, commands: &[Command], now: Timestamp) -> Result<KeyId, String> {
    let parsed = Certificate::parse(bytes).map_err(|error| format!("the push certificate is malformed: {error}"))?;
    let key = sshsig::verify(parsed.signature.as_bytes(), NAMESPACE_GIT, certificate::signed_payload(bytes))
        .map_err(|error| format!("the push certificate's signature does not count: {error}"))?;
    if environment.get("GIT_PUSH_CERT_NONCE_STATUS") != Some("OK") {
        return Err("the push certificate's nonce is not the one that this server just gave".to_owned());
    }
    if !parsed.nonce.as_deref().is_some_and(|nonce| is_of_today(nonce, now)) {
        return Err("the push certificate's nonce is not one of the last 24 hours; push again".to_owned());
    }
    if parsed.commands != commands {
        return Err("the push certificate names other refs or commits than this push".to_owned());
    }
    Ok(key.id().clone())
}

/// Whether a nonce begins with a time, in seconds, that is near: Git writes the time of the server there, which this is.
fn is_of_today(nonce: &str, now: Timestamp) -> bool {
    let stamp = nonce.split_once('-').and_then(|(stamp, _)| stamp.parse::<i64>().ok());
    let at = stamp.and_then(|seconds| seconds.checked_mul(1000));
    at.is_some_and(|at| now.millis().abs_diff(at) <= NONCE_AGE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_for_a_day() {
        let now = Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap();
        let seconds = now.millis() / 1000;
        for (nonce, counts) in [
            (format!("{seconds}-f43248761a710d65"), true),
            (format!("{}-f4", seconds - 86_400), true),
            (format!("{}-f4", seconds - 86_401), false),
            (format!("{}-f4", seconds + 86_401), false),
            (seconds.to_string(), false),
            (format!("{}-f4", i64::MAX), false),
            (format!("-{seconds}-f4"), false),
            ("y".to_owned(), false),
        ] {
            assert_eq!(is_of_today(&nonce, now), counts, "{nonce}");
        }
    }
}
