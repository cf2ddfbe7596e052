//! What Git meets when it calls us as `gpg.ssh.program`.
//!
//! On a server Git would judge push certificates by its own list of signers; ours is the policy, so we refuse every
//! such call and the gate checks the certificate itself. Git writes the signed text into our standard input: leaving
//! it unread kills receive-pack with SIGPIPE in 1 to 6 of 100 pushes. Only `find-principals` gets none.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use mledger::identity::file::parse_private;
use mledger::identity::key::PublicKey;
use mledger::identity::sshsig;

/// Whether these are the arguments of `ssh-keygen -Y`, not ours.
pub fn is_called(arguments: &[OsString]) -> bool {
    arguments.get(1).is_some_and(|first| first.as_encoded_bytes().starts_with(b"-Y"))
}

/// Signs, or reads what Git has to say and says no.
pub fn answer(arguments: &[OsString]) -> ExitCode {
    let done = match mode(arguments) {
        b"sign" => Some(sign(arguments)),
        b"fingerprint" => Some(fingerprint(arguments)),
        _ => None,
    };
    if let Some(done) = done {
        return done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if mode(arguments) != b"find-principals" {
        // Git looks at nothing but the exit code, which is the same whether or not the rest could be read.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    }
    ExitCode::FAILURE
}

/// `-Y sign -n NAMESPACE -f KEY FILE`: writes `FILE.sig`. For machines without `ssh-keygen`, and keys without
/// passphrase only; Git reports the failure.
fn sign(arguments: &[OsString]) -> Option<()> {
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1)
    };
    let file = arguments.last()?;
    let key = parse_private(&std::fs::read_to_string(after("-f")?).ok()?, None).ok()?;
    let armour = sshsig::sign(&key, after("-n")?.to_str()?, &std::fs::read(file).ok()?);
    let mut target = file.clone();
    target.push(".sig");
    std::fs::write(target, armour).ok()
}

/// `-Y fingerprint KEY`: what `ssh-keygen -lf KEY` prints.
fn fingerprint(arguments: &[OsString]) -> Option<()> {
    let file = Path::new(arguments.last()?);
    let public = std::fs::read_to_string(file.with_added_extension("pub")).or_else(|_| std::fs::read_to_string(file));
    let key = PublicKey::parse(&public.ok()?).ok()?;
    writeln!(io::stdout(), "{} {} ({})", key.bits(), key.id(), key.kind().label()).ok()
}

/// The word after `-Y`, which may stand right behind it.
fn mode(arguments: &[OsString]) -> &[u8] {
    let attached = arguments.get(1).and_then(|first| first.as_encoded_bytes().strip_prefix(b"-Y")).unwrap_or_default();
    match attached {
        b"" => arguments.get(2).map(|word| word.as_encoded_bytes()).unwrap_or_default(),
        _ => attached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_found_attached_or_apart() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, called, found) in [
            ("mledger -Y verify -n git", true, "verify"),
            ("mledger -Yverify", true, "verify"),
            ("mledger -Y find-principals -f x", true, "find-principals"),
            ("mledger -Y", true, ""),
            ("mledger log -Y", false, "-Y"),
            ("mledger", false, ""),
        ] {
            assert_eq!(is_called(&words(line)), called, "{line}");
            assert_eq!(mode(&words(line)), found.as_bytes(), "{line}");
        }
    }
}
