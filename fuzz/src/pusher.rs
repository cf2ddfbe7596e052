//! The environment of a receive hook: nothing in it counts but what the one configured source reads.

use std::cell::LazyCell;
use std::ffi::OsString;

use mledger::hook::pusher::{Environment, LoginSource, login};
use mledger::identity::key::PublicKey;
use mledger::policy::actor::Login;
use mledger::policy::facts::Pusher;

/// The variables that any source looks at, but for the one that names a file.
const NAMES: [&str; 12] = [
    "MLEDGER_LOGIN",
    "GITEA_PUSHER_NAME",
    "GITEA_DEPLOY_KEY_ID",
    "GITEA_IS_DEPLOY_KEY",
    "GITEA_INTERNAL_PUSH",
    "GITHUB_USER_LOGIN",
    "GITHUB_VIA",
    "GL_USERNAME",
    "GL_ID",
    "GL_USER",
    "GL_BYPASS_ACCESS_CHECKS",
    "REMOTE_USER",
];

pub fn check(data: &[u8]) {
    signed_in(data);
    let variables: Vec<(&str, OsString)> = data.split(|byte| *byte == b'\n').filter_map(variable).collect();
    let environment: Environment = variables.iter().cloned().collect();
    let get = |name: &str| environment.get(name).map(str::to_owned);
    for source in LoginSource::ALL {
        let (own, doubts): (&str, &[&str]) = match source {
            LoginSource::None | LoginSource::SshUserAuth => {
                assert_eq!(login(&environment, source), Pusher::Unknown);
                continue;
            }
            LoginSource::Env => (NAMES[0], &[]),
            LoginSource::Gitea => (NAMES[1], &NAMES[2..5]),
            LoginSource::Github => (NAMES[5], &NAMES[6..7]),
            LoginSource::Gitlab => (NAMES[7], &["GL_ID", "GL_BYPASS_ACCESS_CHECKS"]),
            LoginSource::Gitolite => (NAMES[9], &NAMES[10..11]),
            LoginSource::Http => (NAMES[11], &[]),
        };
        let found = login(&environment, source);
        // The others' variables change nothing.
        let only: Environment =
            variables.iter().filter(|(name, _)| *name == own || doubts.contains(name)).cloned().collect();
        assert_eq!(login(&only, source), found);
        match found {
            Pusher::Login { login } => {
                assert_eq!(Some(login.clone()), get(own).map(|name| format!("{}:{name}", source.word())));
                assert!(Login::parse(&login).is_ok(), "no policy can name {login:?}");
            }
            // Whoever is named is known or refused, never overlooked.
            Pusher::Unknown => assert_eq!(get(own), None),
            Pusher::Refused { why } => assert!(!why.is_empty()),
            Pusher::Certificate { .. } => panic!("a login is no certificate"),
        }
    }
}

/// The file that sshd writes of a session names whoever has the one key in it, or nobody.
fn signed_in(data: &[u8]) {
    thread_local! {
        // Made for this process's user alone, as sshd makes it.
        static FILE: LazyCell<tempfile::NamedTempFile> = LazyCell::new(|| tempfile::NamedTempFile::new().expect("a file"));
    }
    FILE.with(|file| {
        std::fs::write(file.path(), data).expect("a file can be written");
        let environment: Environment = [("SSH_USER_AUTH", file.path())].into_iter().collect();
        let keys: Vec<&[u8]> =
            data.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"publickey ")).collect();
        match login(&environment, LoginSource::SshUserAuth) {
            Pusher::Login { login } => {
                let [key] = keys.as_slice() else { panic!("{} keys name one pusher", keys.len()) };
                let key = PublicKey::parse(std::str::from_utf8(key).expect("it was read")).expect("it was read");
                assert_eq!(login, format!("ssh-user-auth:{}", key.id()));
            }
            Pusher::Refused { why } => assert!(!why.is_empty()),
            other => panic!("who signed in is {other:?}"),
        }
    });
}

/// A letter names the variable, the rest of the line is its value.
#[cfg(unix)]
fn variable(line: &[u8]) -> Option<(&'static str, OsString)> {
    use std::os::unix::ffi::OsStringExt;
    let (letter, value) = line.split_first()?;
    let name = NAMES.get(usize::from(letter.checked_sub(b'a')?))?;
    Some((name, OsString::from_vec(value.to_vec())))
}
