//! Gitea, GitLab and GitHub Enterprise Server, by the environment that they give to hooks.

use std::path::PathBuf;

use crate::bank::Bank;
use crate::frontend::{VARIABLES, forged, lands, login, people};
use crate::world::{Run, write_script};

/// What Gitea sets for a push over SSH.
const GITEA: [(&str, &str); 11] = [
    ("GITEA_REPO_USER_NAME", "bank"),
    ("GITEA_REPO_NAME", "models"),
    ("GITEA_REPO_ID", "1"),
    ("GITEA_REPO_IS_WIKI", "false"),
    ("GITEA_PUSHER_NAME", "erin"),
    ("GITEA_PUSHER_EMAIL", "erin@bank.example"),
    ("GITEA_PUSHER_ID", "7"),
    ("GITEA_PR_ID", "0"),
    ("GITEA_DEPLOY_KEY_ID", "0"),
    ("GITEA_KEY_ID", "3"),
    ("GITEA_ROOT_URL", "https://git.bank.example/"),
];

/// What Gitaly sets for custom hooks.
const GITLAB: [(&str, &str); 5] = [
    ("GL_ID", "user-7"),
    ("GL_USERNAME", "erin"),
    ("GL_PROTOCOL", "ssh"),
    ("GL_REPOSITORY", "project-1"),
    ("GL_PROJECT_PATH", "bank/models"),
];

/// What GitHub Enterprise Server sets for a push.
const GITHUB: [(&str, &str); 5] = [
    ("GITHUB_USER_LOGIN", "erin"),
    ("GITHUB_USER_IP", "192.0.2.7"),
    ("GITHUB_REPO_NAME", "bank/models"),
    ("GITHUB_REPO_PUBLIC", "false"),
    ("GITHUB_PUBLIC_KEY_FINGERPRINT", "AA:BB"),
];

type Variables<'a> = &'a [(&'a str, &'a str)];

/// A bank behind a forge, and a clone of Alice's with one commit.
struct Forge {
    bank: Bank,
    dir: PathBuf,
}

impl Forge {
    fn open(source: &str) -> Self {
        let bank = Bank::open_with(&people(source), &["--login", source]);
        let dir = bank.clone_of(&bank.alice);
        bank.alice.commit(&dir, "models/a", "one");
        Self { bank, dir }
    }

    /// Receives a push in this environment. The later of two variables of one name counts.
    fn receives(&self, environment: &[Variables<'_>]) -> Run {
        let variables = environment.concat().into_iter();
        let pusher = variables.fold(self.bank.mallory.clone(), |person, (name, value)| person.with(name, value));
        pusher.push(&self.dir, &["--no-signed", "-f", "HEAD:refs/heads/dev/a"])
    }

    #[track_caller]
    fn refuses(&self, code: &str, words: &str, environment: &[Variables<'_>]) -> String {
        self.bank.refused(code, words, || self.receives(environment))
    }

    #[track_caller]
    fn takes(&self, source: &str, environment: &[Variables<'_>]) {
        let pusher = login(&format!("{source}:erin"));
        lands(&self.bank, "erin@bank.example", &pusher, || self.receives(environment));
        self.bank.alice.commit(&self.dir, "models/a", &self.bank.tip("refs/heads/dev/a"));
    }
}

/// Erin by the one source; nobody by all others; an unknown login told what to do.
#[track_caller]
fn one_source_counts(source: &str, environment: Variables<'_>) -> Forge {
    let forge = Forge::open(source);
    let (_, variable) = VARIABLES.iter().find(|(word, _)| *word == source).unwrap();
    let others = forged(source);
    forge.refuses("pusher-unknown", "nobody can tell who is pushing", &[environment, &[(variable, "")], &others]);
    let unknown = "no actor of the policy has this login";
    let said = forge.refuses("login-unknown", unknown, &[environment, &[(variable, "mallory")], &others]);
    assert!(said.contains(&format!("{source}:mallory")), "{said}");
    assert!(said.contains("ask carol@bank.example to add this login to your `logins` in the policy"), "{said}");
    // Zoe has a login of every source but this one.
    forge.refuses("login-unknown", unknown, &[environment, &[(variable, "zoe")], &others]);
    forge.takes(source, &[environment, &others]);
    forge
}

#[test]
fn gitea_names_the_pusher() {
    let forge = one_source_counts("gitea", &GITEA);
    let deploy = "it was pushed with a deploy key of Gitea";
    let said = forge.refuses("pusher-refused", deploy, &[&GITEA, &[("GITEA_DEPLOY_KEY_ID", "9")]]);
    assert!(said.contains("git push --signed=if-asked"), "{said}");
    forge.refuses("pusher-refused", deploy, &[&GITEA[..8], &[("GITEA_IS_DEPLOY_KEY", "true")]]);
    forge.refuses("pusher-refused", "GITEA_INTERNAL_PUSH", &[&GITEA, &[("GITEA_INTERNAL_PUSH", "true")]]);
    // Over HTTP there is no key; a merge in the browser is the user's.
    forge.takes("gitea", &[&GITEA[..8]]);
    let merge = [("GITEA_PR_ID", "4"), ("GITEA_PUSH_TRIGGER", "pr-merge-to-base")];
    forge.takes("gitea", &[&GITEA[..8], &merge]);
}

#[test]
fn gitlab_names_the_pusher_and_shows_why_not() {
    let forge = one_source_counts("gitlab", &GITLAB);
    let said = forge.refuses(
        "pusher-refused",
        "it was pushed with the deploy key `key-3` of GitLab",
        &[&GITLAB, &[("GL_ID", "key-3")]],
    );
    // GitLab shows its users no other lines.
    let ours: Vec<_> = said.lines().filter(|line| line.starts_with("remote: ")).collect();
    assert!(ours.len() > 3 && ours.iter().all(|line| line.starts_with("remote: GL-HOOK-ERR: ")), "{said}");
    forge.refuses("pusher-refused", "GL_ID is ``", &[&GITLAB, &[("GL_ID", "")]]);
    forge.refuses("pusher-refused", "GL_BYPASS_ACCESS_CHECKS", &[&GITLAB, &[("GL_BYPASS_ACCESS_CHECKS", "1")]]);
    // Nor when the gate cannot decide at all.
    std::fs::rename(forge.bank.server.join("mledger/ledger.key"), forge.bank.world.path("away")).unwrap();
    let said = forge.receives(&[&GITLAB]).fails();
    assert!(said.contains("remote: GL-HOOK-ERR: error: mledger: push refused"), "{said}");
}

#[test]
fn github_names_the_pusher() {
    let forge = one_source_counts("github", &GITHUB);
    forge.refuses(
        "pusher-refused",
        "by the GitHub app `dependabot[bot]`",
        &[&GITHUB, &[("GITHUB_USER_LOGIN", "dependabot[bot]")]],
    );
    forge.refuses(
        "pusher-refused",
        "in GitHub's site administration",
        &[&GITHUB, &[("GITHUB_VIA", "stafftools branch restore")]],
    );
    forge.takes("github", &[&GITHUB, &[("GITHUB_VIA", "pull request merge button")]]);
}

/// The ledger's first entry and the server's configuration name one source, or there is none.
#[test]
fn no_other_source_replaces_the_first() {
    let forge = one_source_counts("github", &GITHUB);
    let run = forge.bank.gate("", &["--login", "gitea"]);
    assert!(run.err.contains("the ledger keeps its source of logins, github; it is not gitea now"), "{run:#?}");
    forge.takes("github", &[&GITHUB, &GITEA]);
    for word in ["gitea", "GITHUB", "github ", ""] {
        forge.bank.on_server(&["config", "mledger.login", word]);
        forge.refuses("pusher-unknown", "nobody can tell who is pushing", &[&GITHUB, &GITEA]);
    }
}

#[test]
fn the_help_names_every_source() {
    let bank = Bank::closed();
    let help = bank.carol.mledger(bank.world.root(), &["init", "--help"]).ok();
    for (source, variable) in VARIABLES.into_iter().chain([("ssh-user-auth", "SSH_USER_AUTH"), ("none", "signed")]) {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{source} ")));
        assert!(line.is_some_and(|line| line.contains(variable)), "{source}\n{help}");
    }
}

/// Gitea's own hook runs whatever lies in a folder that is called like itself.
#[test]
fn the_gate_stands_beside_gitea() {
    let bank = Bank::closed();
    bank.seed();
    let hooks = bank.server.join("hooks");
    let delegate = "#!/bin/sh\ndata=$(cat)\nname=$(basename \"$0\")\nfor hook in hooks/${name}.d/*; do\n  \
                    printf '%s\\n' \"$data\" | \"$hook\" || exit 1\ndone\n";
    for name in ["pre-receive", "post-receive"] {
        write_script(&hooks, name, delegate);
        write_script(&hooks, &format!("{name}.d/gitea"), "#!/bin/sh\necho gitea looked >&2\ncat >/dev/null\n");
    }
    let before = std::fs::read(hooks.join("pre-receive")).unwrap();
    bank.gate(&people("gitea"), &["--login", "gitea"]).ok();
    bank.gate("", &[]).ok();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let forge = Forge { bank, dir };
    let said = forge.refuses("pusher-unknown", "nobody can tell who is pushing", &[]);
    assert!(said.contains("gitea looked"), "{said}");
    forge.takes("gitea", &[&GITEA]);
    // Gitea writes its own hooks anew whenever it is asked to; the gate is not among them.
    assert_eq!(std::fs::read(hooks.join("pre-receive")).unwrap(), before);
    forge.bank.carol.mledger(&forge.bank.server, &["init", "--undo"]).ok();
    for name in ["pre-receive", "post-receive"] {
        let left: Vec<_> = std::fs::read_dir(hooks.join(format!("{name}.d"))).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

/// GitLab runs hooks of its own for every repository, and from these what lies in `custom_hooks`.
#[test]
fn the_gate_stands_under_gitlab() {
    let forge = Forge::open("gitlab");
    let (bank, gitaly) = (&forge.bank, forge.bank.world.path("gitaly"));
    for name in ["pre-receive", "post-receive"] {
        write_script(&gitaly, name, &format!("#!/bin/sh\nexec custom_hooks/{name}\n"));
        std::fs::create_dir_all(bank.server.join("custom_hooks")).unwrap();
        let link = bank.server.join("custom_hooks").join(name);
        std::os::unix::fs::symlink(format!("../hooks/{name}"), link).unwrap();
    }
    let receive = format!("--receive-pack=git -c 'core.hooksPath={}' receive-pack", gitaly.display());
    let push = |id: &str| {
        let pusher = GITLAB.iter().fold(bank.mallory.clone(), |person, (name, value)| person.with(name, value));
        pusher.with("GL_ID", id).push(&forge.dir, &["--no-signed", &receive, "HEAD:refs/heads/dev/a"])
    };
    bank.refused("pusher-refused", "the deploy key `key-3` of GitLab", || push("key-3"));
    lands(bank, "erin@bank.example", &login("gitlab:erin"), || push("user-7"));
}
