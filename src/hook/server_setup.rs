//! Putting a ledger under a bare repository: key, genesis, hooks, configuration. Doing it again changes nothing.

use std::path::{Path, PathBuf};

use super::install::{self, InstallError};
use super::pusher::LoginSource;
use crate::clock::Timestamp;
use crate::entry::field::{Blobs, Field};
use crate::entry::leaf::{Baseline, Genesis, GenesisKind, Leaf, VERSION};
use crate::git::{GitError, Repository, command};
use crate::identity::ed25519::SecretKey;
use crate::identity::file::{self, FileError};
use crate::ledger::append::{AppendError, Batch, Locked, Signer};
use crate::ledger::last::{self, LastCheckpoint};
use crate::ledger::place::{Place, PlaceError};
use crate::ledger::read::{Log, ReadError};
use crate::name::{NameError, Origin, RefName};
use crate::policy::Policy;
use crate::policy::document::PolicyError;
use crate::tlog::key::{KeyError, VerifierKey};

/// The ledger's private key, in OpenSSH's format.
pub const KEY_FILE: &str = "ledger.key";

/// The key that this copy of the ledger trusts.
pub const VKEY_FILE: &str = "vkey";

/// The largest pack that a push may bring, in bytes: weights belong in Git LFS, and a server's disk has an end.
const MAX_INPUT_BYTES: &str = "4294967296";

/// The setting without which no push is asked for a certificate.
pub(super) const NONCE_SEED: &str = "receive.certNonceSeed";

/// The setting that keeps refs from pushers; it has many values.
pub(super) const HIDE_REFS: &str = "receive.hideRefs";

/// How old the nonce of a push certificate may be over stateless HTTP, in seconds: there one process gives it and another
/// gets it back, after the pusher has touched a security key and the pack has been sent, which for [`MAX_INPUT_BYTES`] at
/// 10 Mbit/s takes 57 minutes. Git calls any older one `SLOP`, and without this setting every one that is a second old.
/// It opens no way to replay: a certificate counts once in a ledger, and only for refs that stand where it says. Over SSH
/// and local paths the nonce is of the same process, and this setting means nothing.
const NONCE_SLOP_SECONDS: &str = "3600";

/// Why the server side cannot be set up or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file beside the ledger.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The ledger, appending.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The ledger, reading.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Hooks.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The policy given.
    #[error("the policy has {} mistake(s)", .0.len())]
    Policy(Vec<PolicyError>),
    /// Not a bare repository.
    #[error("`{0}` is not a bare repository; a gate stands in the repository that people push to")]
    NotBare(PathBuf),
    /// A history that is not whole.
    #[error("the repository has {0}, so its baseline would not be its whole history")]
    Partial(&'static str),
    /// A ref that moves with another, where no entry put it.
    #[error(
        "`{name}` is a symbolic ref to `{target}`, so it would move without an entry; remove it with `git symbolic-ref -d {name}`"
    )]
    Symbolic {
        /// The ref.
        name: String,
        /// What it names.
        target: String,
    },
    /// A ref that the ledger cannot name.
    #[error("`{name}` cannot be recorded: {source}")]
    Ref {
        /// The ref.
        name: String,
        /// Why not.
        source: NameError,
    },
    /// Hooks without a ledger: the set-up is under way, or was interrupted.
    #[error("the gate is being set up, and no push is accepted before it stands")]
    Unfinished,
    /// The private key is not there.
    #[error("the ledger's key `{0}` is missing; without it nothing can be appended")]
    NoKey(PathBuf),
    /// The public key beside it is not there.
    #[error("the ledger's public key `{0}` is missing; without it nobody can tell whose the ledger is")]
    NoVkey(PathBuf),
    /// The private key cannot be read.
    #[error("the ledger's key `{path}` cannot be read")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// The public key beside it.
    #[error("the ledger's public key beside it cannot be read")]
    Vkey(#[from] KeyError),
    /// The two halves do not belong together.
    #[error("`{0}` does not hold the private half of the ledger's key {1}")]
    OtherKey(PathBuf, String),
    /// No randomness.
    #[error("the system gave no random bytes for a key")]
    Random,
}

/// What to set up.
pub struct Options {
    /// The policy's text.
    pub policy: String,
    /// The ledger's name; none: of host and folder.
    pub origin: Option<Origin>,
    /// Where another copy of the newest checkpoint is kept, from the root; none: as it is configured.
    pub last_checkpoint: Option<PathBuf>,
    /// Where logins come from.
    pub login: LoginSource,
    /// The program that the hooks run.
    pub program: PathBuf,
}

/// What was set up.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Whether the ledger was there before.
    pub existed: bool,
    /// Where logins come from, by the ledger's first entry.
    pub login: String,
    /// The ledger's name.
    pub origin: Origin,
    /// The ledger's public key.
    pub vkey: String,
    /// How many commits and refs the baseline holds; none where the ledger existed.
    pub baseline: Option<(u64, u64)>,
    /// Hooks that were there and are kept.
    pub chained: Vec<String>,
    /// Whether the given policy differs from the one in force, which it does not replace.
    pub policy_differs: bool,
}

/// Whether a gate can stand in the repository, before anything is made for it: a key, a folder, an entry.
pub fn check(repository: &Repository) -> Result<(), SetupError> {
    if repository.work_dir().is_some() {
        return Err(SetupError::NotBare(repository.git_dir().to_owned()));
    }
    if let Err(ReadError::NoLedger) = Log::open(repository, None) {
        check_gone(repository)?;
        if let Some(oddity) = repository.oddities().into_iter().find(|oddity| *oddity != "alternates") {
            return Err(SetupError::Partial(oddity));
        }
        if let Some((name, target)) = repository.symbolic_refs()?.into_iter().next() {
            return Err(SetupError::Symbolic { name, target });
        }
        baseline_refs(repository)?;
    }
    Ok(())
}

/// A ledger that was here is never begun anew: whoever saw it would see a fork.
fn check_gone(repository: &Repository) -> Result<(), SetupError> {
    let place = Place::in_repository(repository.git_dir());
    let last = LastCheckpoint::of(repository, &place)?;
    if !last.exists() {
        return Ok(());
    }
    match last.newest(&read_signer(&place)?.vkey())? {
        Some(checkpoint) => Err(AppendError::Gone { signed: checkpoint.size() }.into()),
        None => Ok(()),
    }
}

/// Whether there is a ledger to open; else why not.
pub(super) fn check_stands(repository: &Repository) -> Result<(), SetupError> {
    if repository.tip(&crate::ledger::log_ref()?)?.is_some() {
        return Ok(());
    }
    check_gone(repository)?;
    Err(SetupError::Unfinished)
}

/// Sets up the bare repository at `path`.
///
/// The hooks come first: what is pushed from then on waits for the ledger, and the baseline is read after that. A push
/// that Git had asked no hook about before is in the baseline, or is found as moved behind the gate.
pub fn set_up(path: &Path, options: &Options, now: Timestamp) -> Result<Report, SetupError> {
    let repository = Repository::open(path)?;
    check(&repository)?;
    Policy::parse(&options.policy).map_err(SetupError::Policy)?;
    let place = Place::in_repository(repository.git_dir());
    let existing = match Log::open(&repository, None) {
        Ok(log) => Some(log.policy_view()?),
        Err(ReadError::NoLedger) => None,
        Err(error) => return Err(error.into()),
    };
    let chained = install::install_server(&repository, &options.program)?;
    let login = match existing {
        Some(_) => login_of(&repository)?,
        None => options.login.word().to_owned(),
    };
    let begin = || match existing {
        Some(_) => Ok(None),
        None => begin(&repository, &place, options, now).map(Some),
    };
    let begun = configure(&repository, options, &login).and_then(|()| begin());
    if begun.is_err() && matches!(Log::open(&repository, None), Err(ReadError::NoLedger)) {
        // Without a ledger they would deny for ever.
        install::undo(&install::folder(&repository)?, &install::SERVER)?;
    }
    let baseline = begun?;
    let signer = read_signer(&place)?;
    LastCheckpoint::of(&repository, &place)?.spread()?;
    Ok(Report {
        existed: existing.is_some(),
        login,
        origin: signer.origin.clone(),
        vkey: signer.vkey().to_string(),
        baseline,
        chained,
        policy_differs: existing.is_some_and(|text| text != options.policy),
    })
}

/// Makes the key and the first entry.
pub(super) fn begin(
    repository: &Repository,
    place: &Place,
    options: &Options,
    now: Timestamp,
) -> Result<(u64, u64), SetupError> {
    let origin = match &options.origin {
        Some(origin) => origin.clone(),
        None => default_origin(repository.git_dir())?,
    };
    place.create()?;
    let signer = make_signer(place, origin)?;
    let durable = place.durable(Repository::open(repository.git_dir())?)?;
    let mut locked = Locked::create(&durable, place, &signer)?;
    let refs = baseline_refs(repository)?;
    let history = repository.history()?;
    let mut batch = Batch { policy: Some(options.policy.clone()), ..Batch::default() };
    let commits: String = history
        .iter()
        .map(|(oid, tree, parents)| {
            let parents: String = parents.iter().map(|parent| format!(" {parent}")).collect();
            format!("{oid} {tree}{parents}\n")
        })
        .collect();
    let lines: String = refs.iter().map(|(name, tip)| format!("{tip} {name}\n")).collect();
    let blobs: &mut Blobs = &mut batch.blobs;
    let genesis = Genesis {
        baseline: Baseline { commits: Field::text(&commits, blobs), refs: Field::text(&lines, blobs) },
        kind: GenesisKind::Is,
        login: (options.login != LoginSource::None).then(|| options.login.word().to_owned()),
        mledger: VERSION,
        origin: signer.origin.clone(),
        policy: Field::text(&options.policy, blobs),
        time: now,
        vkey: signer.vkey().to_string(),
    };
    batch.leaves.push(Leaf::Genesis(Box::new(genesis)));
    locked.append(&batch)?;
    Ok((history.len() as u64, refs.len() as u64))
}

fn baseline_refs(repository: &Repository) -> Result<Vec<(RefName, crate::name::Oid)>, SetupError> {
    let named = |(name, tip): (String, _)| match RefName::parse(&name) {
        Ok(name) => Ok((name, tip)),
        Err(source) => Err(SetupError::Ref { name, source }),
    };
    repository.refs()?.into_iter().map(named).collect()
}

/// `host/folder`, the folder without `.git`.
fn default_origin(git_dir: &Path) -> Result<Origin, NameError> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
    let folder = git_dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text: String = format!("{host}/{}", folder.trim_end_matches(".git"));
    Origin::parse(
        &text.chars().map(|c| if c.is_ascii_graphic() && c != '+' && c != '{' { c } else { '-' }).collect::<String>(),
    )
}

/// Makes the ledger's key, or takes the one that an interrupted set-up left.
fn make_signer(place: &Place, origin: Origin) -> Result<Signer, SetupError> {
    let key = if let Some(text) = place.read(KEY_FILE)? {
        parse_key(place, &text)?
    } else {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| SetupError::Random)?;
        let key = SecretKey::from_seed(&seed);
        let text = file::format_private(&key, &format!("ledger key of {origin}"));
        let text = text.map_err(|source| SetupError::Key { path: place.file(KEY_FILE), source })?;
        place.write(KEY_FILE, &text, 0o600)?;
        key
    };
    let signer = Signer { origin, key };
    place.write(VKEY_FILE, &format!("{}\n", signer.vkey()), 0o644)?;
    Ok(signer)
}

/// Reads the ledger's key and name.
pub fn read_signer(place: &Place) -> Result<Signer, SetupError> {
    let path = place.file(KEY_FILE);
    let vkey = read_vkey(place)?.ok_or_else(|| SetupError::NoVkey(place.file(VKEY_FILE)))?;
    let text = place.read(KEY_FILE)?.ok_or_else(|| SetupError::NoKey(path.clone()))?;
    let signer = Signer { origin: Origin::parse(vkey.name().as_str())?, key: parse_key(place, &text)? };
    if signer.vkey() == vkey { Ok(signer) } else { Err(SetupError::OtherKey(path, vkey.to_string())) }
}

/// The public key that this copy trusts; none if it has not been told.
pub fn read_vkey(place: &Place) -> Result<Option<VerifierKey>, SetupError> {
    match place.read(VKEY_FILE)? {
        Some(text) => Ok(Some(VerifierKey::parse(text.trim())?)),
        None => Ok(None),
    }
}

fn parse_key(place: &Place, text: &str) -> Result<SecretKey, SetupError> {
    file::parse_private(text, None).map_err(|source| SetupError::Key { path: place.file(KEY_FILE), source })
}

/// The source of logins that the first entry names: setting up again without naming one must not turn it off.
fn login_of(repository: &Repository) -> Result<String, SetupError> {
    match Log::open(repository, None)?.leaf(0)? {
        Leaf::Genesis(genesis) => Ok(genesis.login.unwrap_or_else(|| LoginSource::None.word().to_owned())),
        _ => Err(ReadError::NoGenesis.into()),
    }
}

/// Git's settings on the server: what it checks of objects, what it keeps from pushers, what it makes durable, and that
/// it asks pushers for certificates, of which we judge the signatures ourselves.
fn configure(repository: &Repository, options: &Options, login: &str) -> Result<(), SetupError> {
    let dir = repository.git_dir();
    if let Some(path) = &options.last_checkpoint {
        command::set_config(dir, last::CONFIG, &path.display().to_string())?;
    }
    for (key, value) in gate_settings(&options.program, login) {
        match key {
            // An administrator may hide other refs as well.
            HIDE_REFS => command::add_config(dir, key, &value)?,
            _ => command::set_config(dir, key, &value)?,
        }
    }
    if repository.config(NONCE_SEED)?.is_none() { set_nonce_seed(dir) } else { Ok(()) }
}

/// These settings, but for the seed of nonces, which is another on each server.
pub(super) fn gate_settings(program: &Path, login: &str) -> [(&'static str, String); 9] {
    let program = program.display().to_string();
    [
        ("receive.fsckObjects", "true"),
        ("receive.shallowUpdate", "false"),
        (HIDE_REFS, crate::ledger::LOG_REF),
        ("receive.maxInputSize", MAX_INPUT_BYTES),
        ("receive.certNonceSlop", NONCE_SLOP_SECONDS),
        ("core.fsync", "committed,reference"),
        ("gpg.ssh.allowedSignersFile", "/dev/null"),
        ("gpg.ssh.program", &program),
        ("mledger.login", login),
    ]
    .map(|(key, value)| (key, value.to_owned()))
}

/// Makes a new seed. Certificates that are under way with the old one are refused, and made anew.
pub(super) fn set_nonce_seed(dir: &Path) -> Result<(), SetupError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| SetupError::Random)?;
    Ok(command::set_config(dir, NONCE_SEED, &crate::digest::to_hex(&seed))?)
}
