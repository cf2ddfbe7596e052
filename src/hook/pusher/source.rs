//! Where a login may come from. One source counts in a ledger, named by its first entry.

/// A front end that tells who logged in, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// No login counts: pushes must be signed.
    None,
    /// `MLEDGER_LOGIN`, set by the administrator's forced command.
    Env,
    /// `GITEA_PUSHER_NAME`, set by Gitea and Forgejo.
    Gitea,
    /// `GITHUB_USER_LOGIN`, set by GitHub Enterprise Server.
    Github,
    /// `GL_USERNAME`, set by GitLab.
    Gitlab,
    /// `GL_USER`, set by `gitolite-shell`.
    Gitolite,
    /// `REMOTE_USER`, set by a web server around `git http-backend`.
    Http,
    /// The public key in the file that `SSH_USER_AUTH` names, written by sshd under `ExposeAuthInfo yes`.
    SshUserAuth,
}

impl LoginSource {
    /// Every source, `none` first.
    pub const ALL: [Self; 8] =
        [Self::None, Self::SshUserAuth, Self::Gitolite, Self::Gitea, Self::Gitlab, Self::Github, Self::Http, Self::Env];

    /// Parses the configured word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.word() == word)
    }

    /// The word in configuration and genesis, and before the colon of a login.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Env => "env",
            Self::Gitea => "gitea",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitolite => "gitolite",
            Self::Http => "http",
            Self::SshUserAuth => "ssh-user-auth",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::actor::{Login, LoginError};

    #[test]
    fn a_policy_names_logins_of_every_source() {
        for source in LoginSource::ALL {
            assert_eq!(LoginSource::parse(source.word()), Some(source));
            let login = Login::parse(&format!("{}:alice", source.word()));
            match source {
                LoginSource::None => assert!(matches!(login, Err(LoginError::Source(_)))),
                LoginSource::SshUserAuth => assert!(matches!(login, Err(LoginError::SshUserAuth))),
                _ => assert!(login.is_ok(), "{source:?}"),
            }
        }
        assert_eq!(LoginSource::parse("GITEA"), None);
    }

    #[test]
    fn a_first_entry_names_any_source_but_none() {
        let schema = include_str!("../../../schemas/leaf.v1.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let mut words: Vec<&str> = LoginSource::ALL.iter().map(|source| source.word()).skip(1).collect();
        words.sort_unstable();
        assert_eq!(schema["$defs"]["genesis"]["properties"]["login"]["enum"], serde_json::json!(words));
    }
}
