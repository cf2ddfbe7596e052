//! Pushes through the front ends that people run Git behind: sshd, gitolite, a web server, forges.
//!
//! sshd, gitolite and lighttpd are real. Gitea, GitLab and GitHub come with no package; of them the tests have the
//! environment that they give to hooks.

mod forges;
mod gitolite;
mod ssh;
mod web;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bank::Bank;
use crate::world::{Person, Run};

/// A server program by its full path. They lie where people's `PATH` does not lead.
fn server_program(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/bin", "/sbin"];
    let mut paths = folders.into_iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| panic!("there is no {name}; tests/run installs it"))
}

/// Every source of logins that a policy can name, with the variable that it reads.
const VARIABLES: [(&str, &str); 6] = [
    ("env", "MLEDGER_LOGIN"),
    ("gitea", "GITEA_PUSHER_NAME"),
    ("github", "GITHUB_USER_LOGIN"),
    ("gitlab", "GL_USERNAME"),
    ("gitolite", "GL_USER"),
    ("http", "REMOTE_USER"),
];

/// Erin is known by her login of one source, Zoe by those of all others, and the victim by those of all.
fn people(source: &str) -> String {
    let actor = |name: &str, counts: &dyn Fn(&str) -> bool| {
        let logins = VARIABLES.iter().filter(|(word, _)| counts(word)).map(|(word, _)| format!("\"{word}:{name}\""));
        let logins = logins.collect::<Vec<_>>().join(", ");
        format!("[actors.\"{name}@bank.example\"]\nroles = [\"engineer\"]\nlogins = [{logins}]\n")
    };
    actor("erin", &|word| word == source) + &actor("zoe", &|word| word != source) + &actor("victim", &|_| true)
}

/// The variables of all sources but one, each naming the victim.
fn forged(source: &str) -> Vec<(&'static str, &'static str)> {
    let others = VARIABLES.iter().filter(|(word, _)| *word != source).map(|(_, name)| (*name, "victim"));
    let ids = [("GL_ID", "user-1"), ("GITEA_PUSHER_ID", "1"), ("USER", "victim"), ("LOGNAME", "victim")];
    others.chain(ids.into_iter().filter(|(name, _)| source != "gitlab" || *name != "GL_ID")).collect()
}

/// A push without certificate to a branch that engineers may move.
fn push(person: &Person, dir: &Path) -> Run {
    person.push(dir, &["--no-signed", "-f", "HEAD:refs/heads/dev/a"])
}

/// The push lands, and the ledger knows the pusher like this.
#[track_caller]
fn lands(bank: &Bank, actor: &str, pusher: &Value, push: impl FnOnce() -> Run) {
    push().ok();
    let row = bank.newest_push();
    assert_eq!((&row["decision"], &row["actor"]), (&json!("accepted"), &json!(actor)), "{row:#}");
    assert_eq!(&bank.leaf(row["index"].as_u64().unwrap())["pusher"], pusher);
    assert_eq!(bank.log().last().unwrap()["kind"], "landed");
    bank.holds();
}

fn login(login: &str) -> Value {
    json!({ "how": "login", "login": login })
}

/// The fingerprint of a person's key.
fn fingerprint(person: &Person) -> String {
    let mut command = std::process::Command::new("ssh-keygen");
    command.arg("-lf").arg(person.key_file());
    person.run(&mut command, None).ok().split(' ').nth(1).unwrap().to_owned()
}
