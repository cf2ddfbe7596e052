//! The programs that work here, and the environment that they get.

use std::process::Command;

use super::{Check, Code, Finding, Group, Patient, probe, quoted_text};

/// The oldest Git that signs with SSH keys.
const GIT_MIN: (u32, u32) = (2, 34);

/// The Git since which `core.fsync` makes objects and refs durable.
const GIT_FSYNC: (u32, u32) = (2, 36);

/// The OpenSSH since which `ssh-keygen -Y sign` takes any key.
const SSH_MIN: (u32, u32) = (8, 2);

/// Variables that point every Git in a shell at one repository, index or store.
const POINTING: [&str; 5] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"];

/// Git and the environment: what everything needs.
pub(super) fn check() -> Check {
    let mut check = Check::new(Group::Tools);
    let mut note = String::new();
    match probe::words(Command::new("git").arg("--version")) {
        Ok(words) => {
            note = words.trim().replace(" version", "");
            check.add_all(git_version(&words));
        }
        Err(error) => {
            let finding = Finding::wrong(Code::GitMissing, "git", error.to_string());
            check.add(finding.try_this("install git, and see that it is in PATH"));
        }
    }
    for name in POINTING.into_iter().filter(|name| std::env::var_os(name).is_some()) {
        let message = format!("{name} is set, so Git looks there, whatever folder it is started in");
        check.add(Finding::look(Code::Environment, name, message).try_this(format!("unset {name}")));
    }
    check.note(note)
}

fn git_version(words: &str) -> Option<Finding> {
    let found = version(words)?;
    let plain = format!("Git {}.{} is installed", found.0, found.1);
    if found < GIT_MIN {
        let message = format!("{plain}, and {}.{} is the oldest that signs with SSH keys", GIT_MIN.0, GIT_MIN.1);
        return Some(Finding::wrong(Code::GitOld, "git", message).try_this("install a newer git"));
    }
    if found < GIT_FSYNC {
        let message = format!("{plain}; since {}.{} it writes durably as told", GIT_FSYNC.0, GIT_FSYNC.1);
        return Some(Finding::look(Code::GitOld, "git", message).try_this("install a newer git"));
    }
    None
}

/// The first two numbers with a dot between.
fn version(words: &str) -> Option<(u32, u32)> {
    let word = words.split(|char: char| !char.is_ascii_digit() && char != '.').find(|word| word.contains('.'))?;
    let mut numbers = word.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What signs: `ssh-keygen`, or what is configured in its place.
pub(super) fn check_signing(patient: &Patient<'_>, check: &mut Check) {
    if let Some(set) = patient.settings.get("gpg.ssh.program") {
        if probe::find(&set.value).is_none() {
            let message = format!("{} names `{}`, which cannot be run, to sign with", set.place(), set.value);
            check.add(Finding::wrong(Code::SshProgram, "gpg.ssh.program", message).try_this(set.unset()));
        }
        return;
    }
    if probe::find("ssh-keygen").is_none() {
        let finding = Finding::wrong(Code::SshKeygenMissing, "ssh-keygen", "`ssh-keygen`, which signs, is not in PATH");
        check.add(finding.try_this("install openssh-client, or: export PATH=\"$PATH:/usr/bin\""));
        return;
    }
    let Ok(words) = probe::words(Command::new("ssh").arg("-V")) else { return };
    let said = words.trim();
    let about = said.split([',', ' ']).next().unwrap_or_default();
    check.note = format!("{}, {about}", check.note);
    if version(said.split_once('_').map_or(said, |(_, rest)| rest)).is_some_and(|found| found < SSH_MIN) {
        let message = format!("{} is older than OpenSSH {}.{}", quoted_text(about), SSH_MIN.0, SSH_MIN.1);
        check.add(Finding::wrong(Code::SshOld, "ssh", message).try_this("install a newer openssh-client"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_however_they_are_decorated() {
        for (words, expected) in [
            ("git version 2.47.3", Some((2, 47))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.40.0.windows.1", Some((2, 40))),
            ("9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17", Some((9, 2))),
            ("git", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(version(words), expected, "{words}");
        }
        assert_eq!(git_version("git version 2.33.8").unwrap().level, super::super::Level::Wrong);
        assert_eq!(git_version("git version 2.34.0").unwrap().level, super::super::Level::Look);
        assert!(git_version("git version 3.0.0").is_none());
    }
}
