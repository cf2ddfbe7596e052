//! `init` in a clone: from then on `git commit` signs and binds its content, and `git push` looks at the ledger.
//!
//! ```text
//! .git/config                gpg.format=ssh, user.signingKey, commit.gpgSign, push.gpgSign=if-asked
//! .git/hooks/                shims, see `install`; with `core.hooksPath` set, in .git/mledger/shims/
//! .git/mledger/before.json   what these settings were before, for `undo`; set.json: what they were set to
//! .git/mledger/config.before the whole file as it was; config.json: the digest of what we left
//! .git/mledger/              the ledger that is followed, see `ledger::follow`
//! ```
//!
//! Doing it again changes nothing, and mends what is missing.

mod config_file;
pub mod enrolment;
pub mod key;
pub mod machine;
mod settings;

use std::path::{Path, PathBuf};

use super::install::{self, Done, InstallError};
use super::pre_push::{REMOTE_KEY, USUAL_REMOTE};
use super::sent;
use crate::git::{GitError, Repository, command};
use crate::identity::key::KeyId;
use crate::ledger::follow::{self, FollowError, Followed};
use crate::ledger::place::{Place, PlaceError};
use crate::name::{ActorId, NameError};
use crate::tlog::key::VerifierKey;
use config_file::ConfigFile;

pub use enrolment::enrolment;
pub use key::{Found, KeyError, PassedOver, SigningKey};
use settings::Scope;
pub use settings::{Restored, SIGNING, Setting};

/// The configuration key that names the actor.
pub const ACTOR_KEY: &str = "mledger.actor";

/// What a clone's owner may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who they are to the policy; else `mledger.actor`, else `user.email` in lower case.
    pub actor: Option<ActorId>,
    /// Their home, where keys are looked for and made.
    pub home: Option<PathBuf>,
    /// The file of their key, private or public half.
    pub key: Option<PathBuf>,
    /// The program that the hooks call.
    pub program: PathBuf,
    /// The remote whose ledger is followed; else `origin`, else the only one.
    pub remote: Option<String>,
    /// The ledger's key, where they know it; else the ledger's own is trusted at first sight.
    pub vkey: Option<VerifierKey>,
}

/// Why a clone cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Neither chosen nor configured.
    #[error("nobody says who commits here: `user.email` is not set")]
    NoActor,
    /// An e-mail address that cannot name an actor.
    #[error("the policy cannot name you `{id}`")]
    Actor {
        /// What was configured.
        id: String,
        /// What is wrong.
        source: NameError,
    },
    /// The remote that was chosen is none.
    #[error("there is no remote called `{0}`")]
    NoSuchRemote(String),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The hooks.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The ledger contradicts what was seen of it, or is not the one whose key was given.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A file.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The person's configuration is no file to write to.
    #[error("your Git configuration `{0}` is not a file")]
    NoFile(PathBuf),
    /// A template that is another folder wherever Git is run.
    #[error("`init.templateDir` is `{0}`, which is not an absolute path")]
    Template(String),
    /// Another file.
    #[error("could not {what} `{path}`")]
    File {
        /// What was attempted.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What was noted for `undo` is damaged.
    #[error("`mledger/{}` is damaged, so the settings from before are not known", settings::BEFORE)]
    Before(#[from] serde_json::Error),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What was found, made and changed.
#[derive(Debug)]
pub struct Report {
    /// Who commits here.
    pub actor: ActorId,
    /// The lines of a policy that make them an engineer.
    pub enrolment: String,
    /// What happened to each hook.
    pub hooks: Vec<(&'static str, Done)>,
    /// The folder whose hooks run first, where it is another than Git's usual one.
    pub hooks_path: Option<String>,
    /// The key that signs from now on.
    pub key: SigningKey,
    /// The ledger that is followed.
    pub ledger: LedgerState,
    /// Whether Git signs otherwise than with SSH where this clone's configuration does not reach.
    pub replaces_format: bool,
    /// The configuration that was changed.
    pub settings: Vec<Setting>,
}

/// What there is of a ledger.
#[derive(Debug)]
pub enum LedgerState {
    /// The clone has no remote, or several and none is `origin`.
    NoRemote,
    /// The remote has none yet.
    NotYet {
        /// The remote.
        remote: String,
    },
    /// The remote does not answer.
    Unreachable {
        /// The remote.
        remote: String,
        /// Why not.
        error: Box<FollowError>,
    },
    /// It is followed.
    Follows {
        /// Whom its policy knows the key as; none if it does not.
        enrolled: Option<ActorId>,
        /// What the fetch showed.
        followed: Box<Followed>,
        /// The remote.
        remote: String,
    },
}

/// What was taken back.
#[derive(Debug)]
pub struct Undone {
    /// What happened to each hook.
    pub hooks: Vec<(&'static str, Done)>,
    /// Hooks of others that were kept from before, and that Git does not run.
    pub left: Vec<PathBuf>,
    /// What became of the configuration.
    pub settings: Restored,
}

/// Sets up the clone that holds `dir`.
pub fn set_up(dir: &Path, options: &Options) -> Result<Report, SetupError> {
    let repository = Repository::discover(dir)?;
    let base = base(&repository).to_owned();
    let actor = actor(&base, options)?;
    let remote = choose_remote(&base, options.remote.as_deref())?;
    // What can be refused comes first: a clone is set up as a whole or not at all.
    let key = key::find_or_make(&base, options.home.as_deref(), options.key.as_deref(), &actor)?;
    let ledger = follow(&repository, remote.as_deref(), options.vkey.as_ref(), key.public.id())?;

    let place = Place::in_repository(repository.git_dir());
    place.create()?;
    let replaces_format = matches!(key::Configured::read(&base), Err(KeyError::OtherFormat(_)));
    let wanted = settings::wanted(&key, &actor, remote.as_deref());
    let mut config = ConfigFile::of_clone(repository.git_dir(), &place)?;
    let undisturbed = config.is_as_left()?;
    config.save(&place)?;
    let hooks = install::install_client(&repository, &options.program)?;
    let settings = settings::apply(Scope::Clone(&base), &place, &wanted)?;
    if undisturbed {
        config.note()?;
        config.save(&place)?;
    }
    let name = git_config(&base, "user.name").unwrap_or_else(|| actor.to_string());
    let enrolment = enrolment(&actor, &name, &key.public);
    let hooks_path = install::elsewhere(&repository)?;
    Ok(Report { actor, enrolment, hooks, hooks_path, key, ledger, replaces_format, settings })
}

/// Puts back what was there before [`set_up`]. Keys stay, and so does what was pushed.
pub fn undo(dir: &Path) -> Result<Undone, SetupError> {
    let repository = Repository::discover(dir)?;
    let base = base(&repository);
    let place = Place::in_repository(repository.git_dir());
    // Values put back one by one may stand in another order.
    let config = is_set_up(&repository).then(|| ConfigFile::of_clone(repository.git_dir(), &place)).transpose()?;
    let exact = config.as_ref().map_or(Ok(false), ConfigFile::is_as_left)?;
    let hooks = install::undo_client(&repository)?;
    let left = install::left(&repository)?;
    let settings = settings::restore(Scope::Clone(base), &place)?;
    if let Some(config) = config.filter(|_| exact) {
        config.put_back(&place)?;
    }
    config_file::forget(&place)?;
    follow::forget(repository.git_dir())?;
    sent::forget(&place)?;
    Ok(Undone { hooks, left, settings })
}

/// Whether [`set_up`] was here.
pub fn is_set_up(repository: &Repository) -> bool {
    Place::in_repository(repository.git_dir()).file(settings::BEFORE).exists()
}

/// The remote whose ledger a clone follows: the configured one, else `origin`, else the only one.
pub fn remote(repository: &Repository) -> Result<Option<String>, SetupError> {
    choose_remote(base(repository), None)
}

/// Who is at the keyboard: the actor, the key to sign with (found or made), and the name of Git's configuration.
pub fn caller(repository: &Repository, options: &Options) -> Result<(ActorId, key::SigningKey, String), SetupError> {
    let base = base(repository);
    let actor = actor(base, options)?;
    let key = key::find_or_make(base, options.home.as_deref(), options.key.as_deref(), &actor)?;
    let name = git_config(base, "user.name").unwrap_or_else(|| actor.to_string());
    Ok((actor, key, name))
}

/// The key that a clone is configured to sign with.
pub fn configured_key(repository: &Repository) -> Result<key::Configured, KeyError> {
    key::Configured::read(base(repository))
}

/// Makes a clone sign with the key in a file, until [`undo`].
pub fn use_key(repository: &Repository, path: &Path) -> Result<Vec<Setting>, SetupError> {
    let place = Place::in_repository(repository.git_dir());
    place.create()?;
    let wanted = [("gpg.format", "ssh".to_owned()), ("user.signingKey", path.to_string_lossy().into_owned())];
    settings::apply(Scope::Clone(base(repository)), &place, &wanted)
}

/// Who commits in a clone: the actor, and the name of Git's configuration.
pub fn committer(repository: &Repository) -> Result<(ActorId, String), SetupError> {
    let base = base(repository);
    let actor = actor(base, &Options::default())?;
    let name = git_config(base, "user.name").unwrap_or_else(|| actor.to_string());
    Ok((actor, name))
}

fn base(repository: &Repository) -> &Path {
    repository.work_dir().unwrap_or(repository.git_dir())
}

fn actor(base: &Path, options: &Options) -> Result<ActorId, SetupError> {
    if let Some(actor) = &options.actor {
        return Ok(actor.clone());
    }
    let configured = git_config(base, ACTOR_KEY).or_else(|| git_config(base, "user.email"));
    let id = configured.ok_or(SetupError::NoActor)?.to_lowercase();
    ActorId::parse(&id).map_err(|source| SetupError::Actor { id, source })
}

fn choose_remote(base: &Path, chosen: Option<&str>) -> Result<Option<String>, SetupError> {
    let listed = command::output(command::git(base).arg("remote"))?;
    let remotes: Vec<&str> = listed.lines().collect();
    if let Some(chosen) = chosen {
        let known = remotes.contains(&chosen);
        return if known { Ok(Some(chosen.to_owned())) } else { Err(SetupError::NoSuchRemote(chosen.to_owned())) };
    }
    let configured = git_config(base, REMOTE_KEY);
    let named = |wanted: &str| remotes.iter().copied().find(|name| *name == wanted);
    let only = if let [only] = remotes.as_slice() { Some(*only) } else { None };
    Ok(configured.as_deref().and_then(named).or_else(|| named(USUAL_REMOTE)).or(only).map(str::to_owned))
}

/// Fetches the ledger. That there is none yet, or that nobody answers, is no reason not to set up the clone.
fn follow(
    repository: &Repository,
    remote: Option<&str>,
    vkey: Option<&VerifierKey>,
    key: &KeyId,
) -> Result<LedgerState, SetupError> {
    let Some(remote) = remote else { return Ok(LedgerState::NoRemote) };
    let url = follow::remote_url(repository, remote)?;
    let remote = remote.to_owned();
    match follow::fetch(repository.git_dir(), &url, vkey) {
        Ok(followed) => {
            let enrolled = follow::enrolled(repository.git_dir(), key)?;
            Ok(LedgerState::Follows { enrolled, followed: Box::new(followed), remote })
        }
        Err(FollowError::NoLedger) => Ok(LedgerState::NotYet { remote }),
        Err(error @ FollowError::Unreachable { .. }) => Ok(LedgerState::Unreachable { remote, error: Box::new(error) }),
        Err(error) => Err(error.into()),
    }
}

/// A value of the configuration that holds in the clone, the person's own included.
fn git_config(base: &Path, key: &str) -> Option<String> {
    command::output(command::git(base).args(["config", "--get", key])).ok().filter(|value| !value.is_empty())
}
