//! `post-index-change`, from the template that `init --global` made: asks the remote of a new clone once whether it keeps
//! a ledger, and if so sets up the clone.
//!
//! Not post-checkout, which Git runs after a clone, too: git-lfs and pre-commit have hooks of that name, and git-lfs
//! stops where it finds another. The shim goes away before it asks, so that a repository without a ledger keeps nothing
//! of ours.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::clone_setup::{self, LedgerState, Options, SetupError, machine};
use crate::git::{Repository, command};
use crate::ledger::follow::{self, Followed};
use crate::name::ActorId;

/// How long a remote is waited for; it has just sent its branches.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);

/// What became of a new clone.
#[derive(Debug)]
pub enum NewClone {
    /// It has no ledger to follow, or has been set up before.
    Untouched,
    /// Its remote did not answer, or only to somebody at the keyboard.
    NoAnswer {
        /// The remote.
        remote: String,
    },
    /// It is set up, and follows its remote's ledger.
    SetUp {
        /// Whom the policy knows the key as; none if it does not.
        enrolled: Option<ActorId>,
        /// What the fetch showed.
        followed: Box<Followed>,
    },
}

/// Looks at the clone of the hook that runs in `dir`.
pub fn run(dir: &Path, options: &Options) -> Result<NewClone, SetupError> {
    let wanted = options.home.as_deref().is_some_and(machine::is_set_up);
    // What Git says of a submodule that it is just making is not true yet; the folder is.
    let repository = Repository::discover(dir)?;
    let Some(base) = repository.work_dir().filter(|_| wanted) else { return Ok(NewClone::Untouched) };
    if clone_setup::is_set_up(&repository) {
        return Ok(NewClone::Untouched);
    }
    let Some(remote) = clone_setup::remote(&repository)? else { return Ok(NewClone::Untouched) };
    match keeps_ledger(base, &follow::remote_url(&repository, &remote)?) {
        Some(true) => {}
        Some(false) => return Ok(NewClone::Untouched),
        None => return Ok(NewClone::NoAnswer { remote }),
    }
    Ok(match clone_setup::set_up(base, options)?.ledger {
        LedgerState::Follows { enrolled, followed, .. } => NewClone::SetUp { enrolled, followed },
        _ => NewClone::NoAnswer { remote },
    })
}

/// Whether there is a ledger at `url`; none without an answer. Nobody is asked for a password: most clones are of
/// repositories without a ledger, and have asked for it once.
fn keeps_ledger(base: &Path, url: &str) -> Option<bool> {
    let mut ask = command::git_in_hook(base);
    ask.args(["ls-remote", "--quiet", "--exit-code", "--", url, crate::ledger::LOG_REF]);
    ask.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
    let chosen = ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|name| std::env::var_os(name).is_some());
    if !chosen && command::output(command::git_in_hook(base).args(["config", "--get", "core.sshCommand"])).is_err() {
        ask.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=5");
    }
    match exit_code(&mut ask)? {
        0 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

fn exit_code(command: &mut Command) -> Option<i32> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let begin = Instant::now();
    while begin.elapsed() < ANSWER_WAIT_MAX {
        if let Some(status) = child.try_wait().ok()? {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
