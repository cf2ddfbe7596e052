//! The key that Git signs with in a clone.

use std::path::PathBuf;

use crate::git::Repository;
use crate::identity::key::PublicKey;

/// The longest file with a public key that is read, in bytes: an RSA key of 16,384 bits has some 3,000.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The public half of the configured key; none where none is configured, or nobody can see it.
pub fn own_key(repository: &Repository) -> Option<PublicKey> {
    let configured = repository.config("user.signingKey").ok().flatten()?;
    if let Some(line) =
        configured.strip_prefix("key::").or_else(|| configured.starts_with("ssh-").then_some(&configured))
    {
        return PublicKey::parse(line).ok();
    }
    let path = match (configured.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => repository.work_dir().unwrap_or(repository.git_dir()).join(&configured),
    };
    let public = path.with_added_extension("pub");
    read(if public.exists() { public } else { path })
}

fn read(path: PathBuf) -> Option<PublicKey> {
    let found = std::fs::metadata(&path).ok()?;
    let text = (found.is_file() && found.len() <= FILE_BYTES_MAX).then(|| std::fs::read_to_string(path).ok())??;
    PublicKey::parse(&text).ok()
}
