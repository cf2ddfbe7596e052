//! How a private key is kept, told to its owner, and the commands that spare them a passphrase nobody can type.

use mledger::hook::clone_setup::key::{Custody, custody::wants_touch, quoted};
use mledger::identity::key::PublicKey;

use crate::output::tame;

/// Starts an SSH agent for one terminal.
const START_AGENT: &str = "eval \"$(ssh-agent)\"";

/// Makes an agent last: each new shell finds the one that runs, or starts it.
const KEEP_AGENT: &str = "echo 'SSH_AUTH_SOCK=~/.ssh/agent; export SSH_AUTH_SOCK; ssh-add -l >/dev/null 2>&1; \
    [ $? -ne 2 ] || { rm -f \"$SSH_AUTH_SOCK\"; eval \"$(ssh-agent -a \"$SSH_AUTH_SOCK\")\" >/dev/null; }' >> ~/.profile";

/// One line about how it is kept.
pub fn story(custody: &Custody, public: &PublicKey) -> String {
    let touch = if wants_touch(public.kind()) { "; it wants a touch at every signature" } else { "" };
    let kept = match custody {
        Custody::Agent => "held by your SSH agent".to_owned(),
        Custody::Open => "in a file without passphrase".to_owned(),
        Custody::Missing { .. } => "neither in a file here nor held by an agent".to_owned(),
        Custody::Passphrase { .. } => "in a file with a passphrase, and no agent holds it".to_owned(),
        Custody::Program(program) => format!("kept by {}", tame(program)),
    };
    kept + touch
}

/// What its owner should know and type before it hurts; nothing where all is well.
pub fn advice(custody: &Custody, public: &PublicKey) -> Vec<String> {
    let touch = wants_touch(public.kind()).then(|| "it wants a touch at every commit and push".to_owned());
    let lines = match custody {
        Custody::Agent | Custody::Open | Custody::Program(_) => Vec::new(),
        Custody::Passphrase { agent, path } => {
            let mut lines = vec![
                "its passphrase is asked for at every commit and push, unless an agent holds it;".to_owned(),
                "a commit from an editor or a script, where nobody can type it, fails or hangs:".to_owned(),
            ];
            lines.extend(adding(*agent, &tame(&quoted(path))));
            lines
        }
        Custody::Missing { agent, public } => {
            let whose = if *agent { "your SSH agent does not hold it" } else { "no SSH agent answers" };
            let file = public.as_ref().map_or_else(|| "FILE".to_owned(), |file| quoted(&file.with_extension("")));
            let mut lines = vec![format!("nobody can sign with it now: its private half is not here, and {whose};")];
            lines.push("with the file of its private half, or the token that holds it:".to_owned());
            lines.extend(adding(*agent, &tame(&file)));
            lines.push("and if it is gone: mledger key lost".to_owned());
            lines
        }
    };
    touch.into_iter().chain(lines).collect()
}

/// The commands that give a key to an agent.
fn adding(agent: bool, file: &str) -> Vec<String> {
    let add = format!("ssh-add {file}");
    if agent {
        return vec![add];
    }
    let start = format!("{START_AGENT}     (starts an agent for this terminal)");
    vec![start, add, "and, to have one agent in every new terminal:".to_owned(), KEEP_AGENT.to_owned()]
}
