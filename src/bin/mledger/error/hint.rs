//! The next command to type, by what went wrong. The library names the problem; only the binary knows its commands.

use std::error::Error;
use std::path::Path;

use mledger::git::GitError;
use mledger::hook::clone_setup::key::{KeyError, quoted};
use mledger::hook::install::InstallError;
use mledger::hook::resign::ResignError;
use mledger::hook::{clone_setup, gate::GateError, server_setup};
use mledger::identity;
use mledger::ledger::append::AppendError;
use mledger::ledger::export::ExportError;
use mledger::ledger::follow::FollowError;
use mledger::ledger::hashes::CacheError;
use mledger::ledger::place::PlaceError;
use mledger::ledger::prove::ProveError;
use mledger::ledger::read::ReadError;

/// The command that helps, if one does.
pub fn of(error: &(dyn Error + 'static)) -> Option<String> {
    super::chain(error).find_map(|link| own(link).or_else(|| of(hidden(link)?)))
}

/// What helps where the machine is short of something, told by what the system says of it: libgit2 and SQLite hand on its
/// words and no numbers. It goes before all else: what cannot be opened for want of handles is not damaged.
pub fn of_shortage(words: &[String]) -> Option<String> {
    let says = |parts: &[&str]| words.iter().any(|words| parts.iter().any(|part| words.contains(part)));
    // SQLite says the last of a file that may not grow.
    let disk = ["No space left on device", "Disk quota exceeded", "File too large", "disk is full", "disk I/O error"];
    let handles = ["Too many open files", "unable to open database file"];
    let hint = if says(&disk) {
        "df -h .     (nothing is lost: make room on the disk, and it works again)"
    } else if says(&handles) {
        "ulimit -n     (nothing is lost: allow more open files, and it works again)"
    } else if says(&["Read-only file system"]) {
        "mount     (nothing is lost: let the disk take changes, and it works again)"
    } else if says(&["Cannot allocate memory", "out of memory"]) {
        "free -m     (nothing is lost: it works again where there is memory)"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// The hint that belongs to the error itself.
fn own(error: &(dyn Error + 'static)) -> Option<String> {
    let git = error.downcast_ref().and_then(of_git);
    let read = || error.downcast_ref().and_then(of_read);
    let append = || error.downcast_ref().and_then(of_append);
    let follow = || error.downcast_ref().and_then(of_follow);
    let setup = || error.downcast_ref().and_then(of_setup);
    let server = || error.downcast_ref().and_then(of_server_setup);
    let key = || error.downcast_ref().and_then(of_key);
    let install = || error.downcast_ref().and_then(of_install);
    let export = || error.downcast_ref().and_then(of_export);
    let resign = || error.downcast_ref().and_then(of_resign);
    let ours = git.or_else(read).or_else(append).or_else(follow).or_else(setup).or_else(server);
    ours.or_else(key).or_else(install).or_else(export).or_else(resign)
}

/// Finds the inner error of the listed variants.
macro_rules! inner {
    ($error:ident, $($type:path { $($variant:ident)+ })+) => {{
        $(if let Some(error) = $error.downcast_ref::<$type>() {
            use $type as Outer;
            return match error {
                $(Outer::$variant(inner) => Some(inner),)+
                _ => None,
            };
        })+
        None
    }};
}

/// The error whose place a transparent one takes: the chain of sources leaves it out.
fn hidden<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    inner!(error,
        ReadError { Git }
        AppendError { Read Git Cache }
        CacheError { Read }
        ProveError { Read }
        ExportError { Read Git }
        FollowError { Read Git }
        GateError { Read Append Git Setup }
        clone_setup::SetupError { Follow Git Key Install }
        server_setup::SetupError { Read Append Git }
        ResignError { Follow Git Key Prepare }
    )
}

fn of_git(error: &GitError) -> Option<String> {
    match error {
        GitError::NotFound(_) => Some("move into the repository, or name it: mledger -C FOLDER …".to_owned()),
        GitError::NotOwned(path) => Some(format!("git config --global --add safe.directory '{path}'")),
        GitError::Missing(_) | GitError::Corrupt(..) => Some("git fsck".to_owned()),
        GitError::Unsupported { .. } => {
            Some("git init --bare --ref-format=files --object-format=sha1, and push everything there".to_owned())
        }
        _ => None,
    }
}

fn of_setup(error: &clone_setup::SetupError) -> Option<String> {
    match error {
        clone_setup::SetupError::NoActor => {
            Some("git config --global user.email you@bank.example\nmledger init".to_owned())
        }
        clone_setup::SetupError::Actor { .. } => Some("mledger init --actor you@bank.example".to_owned()),
        clone_setup::SetupError::NoFile(_) => Some("unset GIT_CONFIG_GLOBAL\nmledger init --global".to_owned()),
        clone_setup::SetupError::Template(_) => {
            Some("git config --global --type=path init.templateDir ~/FOLDER\nmledger init --global".to_owned())
        }
        clone_setup::SetupError::NoSuchRemote(_) => Some("git remote -v".to_owned()),
        _ => None,
    }
}

fn of_key(error: &KeyError) -> Option<String> {
    let again = |command: String| Some(format!("{command}\nmledger init"));
    match error {
        KeyError::Unusable { path, source: identity::key::KeyError::Certificate(_) } => {
            let key = path.to_string_lossy().replace("-cert.pub", "");
            Some(format!("mledger init --key {}", quoted(Path::new(&key))))
        }
        KeyError::Unusable { .. } | KeyError::Keygen(_) => Some("mledger key new".to_owned()),
        KeyError::File { .. } => {
            Some("mledger init --key FILE     (the file of your key)\nmledger key new     (makes one)".to_owned())
        }
        KeyError::Locked(path) => again(format!("ssh-keygen -y -f {0} > {0}.pub", quoted(path))),
        KeyError::Exposed(path) => again(format!("chmod 600 {}", quoted(path))),
        KeyError::Halves { public, private } => {
            again(format!("mv {0} {0}.old && ssh-keygen -y -f {1} > {0}", quoted(public), quoted(private)))
        }
        KeyError::NotLiteral(_) => Some("git config user.signingKey \"key::$(git config user.signingKey)\"".to_owned()),
        KeyError::DefaultCommand(_) | KeyError::NotConfigured | KeyError::OtherFormat(_) => {
            Some("mledger init".to_owned())
        }
        KeyError::Exists(path) => Some(format!(
            "mledger init --key {}     (signs with it)\nmledger key new --file OTHER-FILE     (makes another)",
            quoted(path)
        )),
        KeyError::Signing { .. } => Some("mledger key".to_owned()),
        _ => None,
    }
}

fn of_install(error: &InstallError) -> Option<String> {
    match error {
        InstallError::Elsewhere { .. } => Some("git config --show-origin --get-all core.hooksPath".to_owned()),
        InstallError::Many { .. } => Some("mledger init --undo, and look at what lies there".to_owned()),
        _ => None,
    }
}

fn of_export(error: &ExportError) -> Option<String> {
    match error {
        ExportError::Foreign(path) => Some(format!("mledger export tiles '{}'", path.join("ledger").display())),
        _ => None,
    }
}

fn of_resign(error: &ResignError) -> Option<String> {
    let text = match error {
        ResignError::Busy { finish, .. } => format!("{finish}\nmledger resign"),
        ResignError::Base(_) => "git log --oneline     (then name the commit before the first one to sign)".to_owned(),
        ResignError::NotSetUp => "mledger init\nmledger resign".to_owned(),
        ResignError::Passphrase(key) => format!("ssh-add {}\nmledger resign", quoted(key)),
        ResignError::UponThem { .. } => {
            "mledger resign --others     (signs theirs with your key as well; they stay their authors)".to_owned()
        }
        ResignError::Shallow(_) => "git fetch --unshallow\nmledger resign".to_owned(),
        ResignError::Encoding(commit) => {
            format!("git rebase -i {}~1     (reword it in UTF-8)\nmledger resign", commit.short())
        }
        // ssh-keygen has no terminal to ask on, or asks one that nobody answers.
        ResignError::Make { source: GitError::Command { message, .. }, .. } if message.contains("passphrase") => {
            "ssh-add     (with your key's file)\nmledger resign".to_owned()
        }
        ResignError::Make { .. } => "mledger init     (looks for a key that signs)\nmledger resign".to_owned(),
        ResignError::Land(_) => "mledger resign".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// The ledger is in every clone that follows it: cut to its newest 256 appends, so that its chain may not meet the old
/// one; whether it is the right one its newest checkpoint tells. What Git holds besides may well be older: an admin says
/// so.
const FETCH_NEWER: &str = "\
git -C SERVER fetch --update-shallow CLONE/.git/mledger/log.git +refs/mledger/log:refs/mledger/log
with the clone that has seen most of the ledger, by an administrator of the server; then, for refs that went back, too:
mledger reconcile, in a clone of an administrator of the policy; its --help tells what else a restore needs";

/// Two ledgers under one key: which is the right one no command can tell.
const FIND_OUT: &str = "\
mledger verify, in the clones: they know which ledger they saw
git -C SERVER bundle create replaced.bundle refs/mledger/log, to keep what is there now, and then
git -C SERVER fetch --update-shallow CLONE/.git/mledger/log.git +refs/mledger/log:refs/mledger/log";

fn of_read(error: &ReadError) -> Option<String> {
    match error {
        ReadError::NoLedger => Some("mledger init".to_owned()),
        ReadError::NoEntry { .. } => Some("mledger log -n 1, for the newest entry".to_owned()),
        ReadError::Checkpoint(_) => {
            Some("mledger verify --key VKEY, with the key that the ledger's administrator names; on the server, put mledger/ledger.key and mledger/vkey back from your backup".to_owned())
        }
        _ => None,
    }
}

fn of_append(error: &AppendError) -> Option<String> {
    match error {
        AppendError::Place(PlaceError::Locked { .. }) => {
            Some("push again; if it happens once more, an administrator should look for a hanging `mledger`".to_owned())
        }
        AppendError::SetBack { .. } | AppendError::Gone { .. } => Some(FETCH_NEWER.to_owned()),
        AppendError::Forked { .. } => Some(FIND_OUT.to_owned()),
        AppendError::NoLastCheckpoint(file) | AppendError::LastCheckpoint { file, .. } => Some(format!(
            "put the file back, or mount what it lies on; where it is lost, take what the clone knows that has seen most:\ncp CLONE/.git/mledger/checkpoint '{}'",
            file.display()
        )),
        _ => None,
    }
}

/// A ledger goes on with its own key only.
fn of_server_setup(error: &server_setup::SetupError) -> Option<String> {
    use server_setup::SetupError;
    match error {
        SetupError::Unfinished => {
            Some("push again in a moment; if nobody sets it up now: mledger init, once more, on the server".to_owned())
        }
        SetupError::NoVkey(file) => Some(format!("cp CLONE/.git/mledger/vkey '{}'", file.display())),
        SetupError::NoKey(_) | SetupError::Key { .. } | SetupError::Vkey(_) | SetupError::OtherKey(..) => Some(
            "put mledger/ledger.key and mledger/vkey back from your backup; no other key can go on with this ledger"
                .to_owned(),
        ),
        _ => None,
    }
}

fn of_follow(error: &FollowError) -> Option<String> {
    match error {
        FollowError::NoLedger => Some("mledger init --policy policy.toml, in the server's repository".to_owned()),
        FollowError::OtherKey { given, .. } => Some(format!(
            "ask the ledger's administrator which key is right; if it is yours, follow the ledger anew:\nmledger init --undo && mledger init --vkey '{given}'"
        )),
        error if error.is_contradiction() => {
            Some("mledger verify, and show your administrator what it finds".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_found_behind_any_wrapper() {
        let errors: [Box<dyn Error>; 5] = [
            Box::new(ReadError::NoLedger),
            Box::new(ProveError::Read(ReadError::NoLedger)),
            Box::new(AppendError::Cache(CacheError::Read(ReadError::NoLedger))),
            Box::new(GateError::Append(AppendError::Read(ReadError::NoLedger))),
            Box::new(server_setup::SetupError::Read(ReadError::NoLedger)),
        ];
        for error in errors {
            assert_eq!(of(error.as_ref()).as_deref(), Some("mledger init"), "{error:?}");
        }
        assert_eq!(of(&ReadError::NoGenesis), None);
    }
}
