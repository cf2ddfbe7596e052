//! Where a command works: the folder, the ledger that belongs to it, and the key that is trusted.
//!
//! | started in | the ledger is |
//! |---|---|
//! | a bare repository | its own `refs/mledger/log` |
//! | a clone | `<git dir>/mledger/log.git`, which follows the server's; else the clone's own ref |
//!
//! The trusted key is the one named by `--key`, else the one kept in `<git dir>/mledger/vkey`, else the one that the
//! ledger's first entry names.

use std::path::{Path, PathBuf};

use clap::Args;
use mledger::git::Repository;
use mledger::hook::clone_setup;
use mledger::hook::forecast::INDEX_FILE;
use mledger::hook::sent;
use mledger::index::Index;
use mledger::ledger::place::Place;
use mledger::ledger::read::Log;
use mledger::ledger::{follow, log_ref};
use mledger::tlog::key::VerifierKey;

use crate::command::Global;
use crate::error::Failure;
use crate::output::{Output, counted, first_line};

/// What every command starts from.
pub struct Context {
    /// The folder that the command works in, from the root.
    pub dir: PathBuf,
    /// The terminal.
    pub output: Output,
}

/// `--key`, for the commands that trust a ledger.
#[derive(Args, Debug)]
pub struct KeyArgs {
    /// The ledger's public key [default: the one kept here, else the one its first entry names]
    #[arg(long = "key", value_name = "VKEY", value_parser = VerifierKey::parse)]
    pub vkey: Option<VerifierKey>,
}

/// A ledger that was found, and what it is checked with.
pub struct Source {
    repository: Repository,
    ledger: Option<Repository>,
    vkey: Option<VerifierKey>,
}

impl Context {
    /// Goes into the folder of `-C`, as `git -C` does: every path in the arguments is relative to it.
    pub fn enter(global: &Global, output: Output) -> Result<Self, Failure> {
        if let Some(dir) = &global.start_dir {
            std::env::set_current_dir(dir).map_err(|source| Failure::file("enter", dir, source))?;
        }
        let dir = std::env::current_dir().map_err(|source| Failure::file("find", Path::new("."), source))?;
        Ok(Self { dir, output })
    }

    /// The same, for a repository that the arguments name. Their other paths stay relative to where the command began.
    pub fn at(&self, dir: &Path) -> Self {
        Self { dir: self.dir.join(dir), output: self.output }
    }

    /// The repository that holds this folder.
    pub fn repository(&self) -> Result<Repository, Failure> {
        Ok(Repository::discover(&self.dir)?)
    }

    /// The ledger that belongs to the current folder.
    pub fn source(&self, key: &KeyArgs) -> Result<Source, Failure> {
        let repository = self.repository()?;
        let place = Place::in_repository(repository.git_dir());
        let ledger = followed(&repository, &place)?;
        let vkey = match &key.vkey {
            Some(vkey) => Some(vkey.clone()),
            None => kept_vkey(&place)?,
        };
        Ok(Source { repository, ledger, vkey })
    }

    /// In a clone: fetches what its ledger has got since. That nobody answers is said, and is no failure.
    pub fn catch_up(&self, source: &Source) -> Result<(), Failure> {
        let clone = source.repository();
        let Some(remote) = clone_setup::remote(clone)?.filter(|_| source.is_followed()) else { return Ok(()) };
        let evidence = sent::look(clone).unwrap_or_default();
        match follow::fetch(clone.git_dir(), &follow::remote_url(clone, &remote)?, source.vkey.as_ref()) {
            Ok(_) => {
                if let Err(error) = sent::settle_followed(clone, &evidence, u64::MAX) {
                    self.output.detail(format_args!("note: answers to pushes could not be remembered: {error}"));
                }
                Ok(())
            }
            Err(error) if error.is_contradiction() => Err(error.into()),
            Err(error) => {
                let why = first_line(&error.to_string());
                self.output.say(format_args!("note: looking at what was fetched before: {why}"));
                Ok(())
            }
        }
    }

    /// The key that is trusted here, whatever the ledger holds.
    pub fn trusted(&self, source: &Source) -> Result<VerifierKey, Failure> {
        match &source.vkey {
            Some(vkey) => Ok(vkey.clone()),
            None => Ok(self.open(source)?.vkey().clone()),
        }
    }

    /// Opens the ledger that was found, and says so where its key is taken on trust.
    pub fn open<'a>(&self, source: &'a Source) -> Result<Log<'a>, Failure> {
        let log = Log::open(source.ledger(), source.vkey.as_ref())?;
        if source.vkey.is_none() {
            self.output.say(format_args!(
                "note: trusting the key that this ledger names itself; compare it with its administrator's:\n  {}",
                log.vkey()
            ));
        }
        self.output.detail(format_args!(
            "ledger of {} at {}",
            counted(log.size(), "entry", "entries"),
            log.head().commit
        ));
        Ok(log)
    }
}

impl Source {
    /// The repository that the command was started in.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Whether the ledger is one that a clone follows.
    pub fn is_followed(&self) -> bool {
        self.ledger.is_some()
    }

    /// The ledger as it stands, where it can be read; nothing is said.
    pub fn peek(&self) -> Option<Log<'_>> {
        Log::open(self.ledger(), self.vkey.as_ref()).ok()
    }

    /// The index of the ledger, brought up to `log`: kept, so that each command takes in only what is new. Beside a
    /// followed ledger it goes when that goes.
    pub fn index(&self, log: &Log<'_>) -> Result<Index, Failure> {
        let index = Index::open(&self.file(INDEX_FILE), log)?;
        index.compact()?;
        Ok(index)
    }

    /// A file beside the ledger.
    pub fn file(&self, name: &str) -> PathBuf {
        match &self.ledger {
            Some(ledger) => ledger.git_dir().join(name),
            None => Place::in_repository(self.repository.git_dir()).file(name),
        }
    }

    /// The repository that holds the ledger.
    pub fn ledger(&self) -> &Repository {
        self.ledger.as_ref().unwrap_or(&self.repository)
    }
}

/// What a clone holds of its server's ledger, if it follows one.
fn followed(repository: &Repository, place: &Place) -> Result<Option<Repository>, Failure> {
    let (dir, name) = (place.file(follow::LOG_DIR), log_ref()?);
    let is_server = repository.work_dir().is_none() && repository.tip(&name)?.is_some();
    if is_server || !dir.exists() {
        return Ok(None);
    }
    let ledger = Repository::open(&dir)?;
    Ok(ledger.tip(&name)?.is_some().then_some(ledger))
}

/// The key that was trusted before.
fn kept_vkey(place: &Place) -> Result<Option<VerifierKey>, Failure> {
    let Some(text) = place.read(follow::VKEY)? else { return Ok(None) };
    match VerifierKey::parse(text.trim_end()) {
        Ok(vkey) => Ok(Some(vkey)),
        Err(error) => Err(Failure::from(error).of(format!("`{}` holds no key", place.file(follow::VKEY).display()))),
    }
}
