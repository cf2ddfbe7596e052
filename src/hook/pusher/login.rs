//! Who logged in, as the one configured front end tells it.
//!
//! A front end also pushes for others than its users: with deploy keys, for itself, past its own checks. The variable
//! that names the user then names somebody who did not push, so such a push has no login.

use super::environment::Environment;
use super::source::LoginSource;
use super::ssh_user_auth;
use crate::policy::actor::Login;
use crate::policy::facts::Pusher;

/// Reads what `source` says about the pusher, and nothing that others say.
pub fn read(environment: &Environment, source: LoginSource) -> Pusher {
    match name(environment, source) {
        Ok(None) => Pusher::Unknown,
        // No policy can name it, and no entry could hold it.
        Ok(Some(name)) if name.len() > Login::NAME_BYTES_MAX => {
            Pusher::Refused { why: format!("a login of {} bytes is longer than any", name.len()) }
        }
        Ok(Some(name)) if name.chars().any(|each| each.is_whitespace() || each.is_control()) => {
            Pusher::Refused { why: "a login with blanks or control characters names nobody".to_owned() }
        }
        Ok(Some(name)) => Pusher::Login { login: format!("{}:{name}", source.word()) },
        Err(why) => Pusher::Refused { why },
    }
}

fn name(environment: &Environment, source: LoginSource) -> Result<Option<String>, String> {
    let get = |name| Ok(environment.get(name).map(ToOwned::to_owned));
    match source {
        LoginSource::None => Ok(None),
        LoginSource::Env => get("MLEDGER_LOGIN"),
        LoginSource::Gitea => gitea(environment).and_then(|()| get("GITEA_PUSHER_NAME")),
        LoginSource::Github => github(environment).and_then(|()| get("GITHUB_USER_LOGIN")),
        LoginSource::Gitlab => gitlab(environment).and_then(|()| get("GL_USERNAME")),
        LoginSource::Gitolite => gitolite(environment).and_then(|()| get("GL_USER")),
        LoginSource::Http => get("REMOTE_USER"),
        LoginSource::SshUserAuth => match environment.get("SSH_USER_AUTH") {
            None => Ok(None),
            Some(path) => ssh_user_auth::read(path.as_ref())
                .map(|key| Some(key.to_string()))
                .map_err(|error| format!("the key that signed in cannot be told: {error}")),
        },
    }
}

/// For a deploy key Gitea names the repository's owner; for itself, whoever set it off.
fn gitea(environment: &Environment) -> Result<(), String> {
    // The second name is that of Gitea before 1.16.
    if environment.is_set_but("GITEA_DEPLOY_KEY_ID", &["0"])
        || environment.is_set_but("GITEA_IS_DEPLOY_KEY", &["false"])
    {
        return Err("it was pushed with a deploy key of Gitea, which is nobody's".to_owned());
    }
    if environment.is_set_but("GITEA_INTERNAL_PUSH", &["false"]) {
        return Err("Gitea pushed it by itself (GITEA_INTERNAL_PUSH), which is nobody's push".to_owned());
    }
    Ok(())
}

/// Apps have logins that end in `[bot]`; a site admin who restores a branch does not push.
fn github(environment: &Environment) -> Result<(), String> {
    if let Some(app) = environment.get("GITHUB_USER_LOGIN").filter(|login| login.ends_with("[bot]")) {
        return Err(format!("it was pushed by the GitHub app `{app}`, which is no user"));
    }
    match environment.get("GITHUB_VIA").filter(|via| via.starts_with("stafftools")) {
        Some(via) => Err(format!("it was made in GitHub's site administration (`{via}`), which is nobody's push")),
        None => Ok(()),
    }
}

/// `GL_ID` is `user-7`, or `key-7` for a deploy key.
fn gitlab(environment: &Environment) -> Result<(), String> {
    gitolite(environment)?;
    let id = environment.get("GL_ID").unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_user = id.strip_prefix("user-").is_some_and(is_number);
    // Without a name there is nobody to doubt.
    if is_user || environment.get("GL_USERNAME").is_none() && id.is_empty() {
        return Ok(());
    }
    if id.starts_with("key-") {
        return Err(format!("it was pushed with the deploy key `{id}` of GitLab, which is nobody's"));
    }
    Err(format!("GL_ID is `{id}`, and GitLab names its users like `user-7`"))
}

/// Whoever passes by the front end's checks may have set its variables as well.
fn gitolite(environment: &Environment) -> Result<(), String> {
    if environment.is_set_but("GL_BYPASS_ACCESS_CHECKS", &[]) {
        return Err("it passed by the front end's own checks (GL_BYPASS_ACCESS_CHECKS)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
