//! `init --global`: once on a machine, so that every later clone of a repository with a ledger sets itself up.
//!
//! ```text
//! ~/.gitconfig                           gpg.format=ssh, user.signingKey, commit.gpgSign, push.gpgSign=if-asked,
//!                                        init.templateDir, unless one is set already
//! ~/.config/mledger/template/            what Git gives a new repository without us, and our hook, see `new_clone`
//! ~/.config/mledger/machine.json         what was made, for `undo`
//! ~/.config/mledger/before.json          what the settings were before; set.json: what they were set to
//! ~/.config/mledger/config.before        the whole file as it was
//! ```
//!
//! Who signs with another program than SSH goes on so: a clone with a ledger gets settings of its own anyway.

mod template;

use std::path::{Path, PathBuf};

use super::config_file::{self, ConfigFile};
use super::key::SigningKey;
use super::settings::{self, Scope};
use super::{KeyError, Options, Restored, Setting, SetupError, enrolment, git_config, key};
use crate::git::command;
use crate::hook::install::{self, Done};
use crate::ledger::place::Place;
use crate::name::ActorId;
use template::Template;

/// The file that says what was made, as JSON.
const NOTES: &str = "machine.json";

/// What was found, made and changed.
#[derive(Debug)]
pub struct Report {
    /// Who commits on this machine.
    pub actor: ActorId,
    /// The configuration file.
    pub config: PathBuf,
    /// The lines of a policy that make them an engineer.
    pub enrolment: String,
    /// What happened to the template's hook.
    pub hook: Done,
    /// The key that signs from now on.
    pub key: SigningKey,
    /// What the person signs with, where it is not SSH, and stays.
    pub keeps: Option<String>,
    /// `core.hooksPath`, where it keeps Git from running the hooks of new clones.
    pub hooks_path: Option<String>,
    /// Settings that another file has the last word on, and that file.
    pub overruled: Vec<(String, String)>,
    /// The configuration that was changed.
    pub settings: Vec<Setting>,
    /// The folder that new repositories are made from.
    pub template: PathBuf,
}

/// What was taken back.
#[derive(Debug)]
pub struct Undone {
    /// The configuration file.
    pub config: PathBuf,
    /// Whether it is as it was, byte for byte. Else somebody changed it in between, and only our values were taken back.
    pub exact: bool,
    /// What became of the settings.
    pub settings: Restored,
}

/// What `undo` must know.
#[derive(serde::Deserialize, serde::Serialize)]
struct Notes {
    config: ConfigFile,
    template: Template,
}

/// Sets up the machine for the person whose home the options name.
pub fn set_up(options: &Options) -> Result<Report, SetupError> {
    let home = options.home.as_deref().ok_or(KeyError::NoHome)?;
    let file = config_file::of_person(home)?;
    let place = place(home);
    let old = notes(&place)?;
    let actor = super::actor(home, options)?;
    let template = template::choose(home, &place)?;
    let keeps = other_signing(home);
    let key = key::find_or_make(home, Some(home), options.key.as_deref(), &actor)?;

    let made = template::missing_above(place.path());
    place.create()?;
    let mut notes = match old {
        Some(notes) => notes,
        None => Notes { config: ConfigFile::keep(&file, &place)?, template: Template::new(&template, made) },
    };
    if notes.template.path() != template {
        install::undo(&notes.template.hooks(), &[install::NEW_CLONE])?;
        notes.template.leave_for(&template, &place)?;
    }
    write(&place, &notes)?;
    let undisturbed = notes.config.is_as_left()?;
    notes.template.make(&place)?;
    write(&place, &notes)?;
    let done = install::install(&template.join("hooks"), &[install::NEW_CLONE], &options.program)?;
    let wanted = wanted(&key, keeps.is_some(), notes.template.is_ours(&place).then_some(template.as_path()));
    let settings = settings::apply(Scope::File(&file), &place, &wanted)?;
    if undisturbed {
        notes.config.note()?;
        write(&place, &notes)?;
    }
    let name = git_config(home, "user.name").unwrap_or_else(|| actor.to_string());
    Ok(Report {
        enrolment: enrolment(&actor, &name, &key.public),
        actor,
        config: file,
        hook: done.first().map_or(Done::Unchanged, |(_, done)| *done),
        hooks_path: git_config(home, "core.hooksPath"),
        key,
        keeps,
        overruled: overruled(home, &wanted),
        settings,
        template,
    })
}

/// Puts back what was there before [`set_up`]; none if it was never called. Keys stay, and so do clones.
pub fn undo(home: &Path) -> Result<Option<Undone>, SetupError> {
    let place = place(home);
    let Some(notes) = notes(&place)? else { return Ok(None) };
    let exact = notes.config.is_as_left()?;
    let settings = settings::restore(Scope::File(notes.config.path()), &place)?;
    if exact {
        notes.config.put_back(&place)?;
    }
    install::undo(&notes.template.hooks(), &[install::NEW_CLONE])?;
    config_file::forget(&place)?;
    place.remove(NOTES)?;
    notes.template.unmake(&place)?;
    Ok(Some(Undone { config: notes.config.path().to_owned(), exact, settings }))
}

/// Whether the machine of the person with this home is set up.
pub fn is_set_up(home: &Path) -> bool {
    place(home).file(NOTES).exists()
}

/// Beside Git's own configuration of a person.
fn place(home: &Path) -> Place {
    Place::in_repository(&config_file::config_home(home))
}

fn notes(place: &Place) -> Result<Option<Notes>, SetupError> {
    Ok(place.read(NOTES)?.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn write(place: &Place, notes: &Notes) -> Result<(), SetupError> {
    Ok(place.write(NOTES, &(serde_json::to_string(notes)? + "\n"), 0o600)?)
}

/// The format that the person signs with, if it is not SSH.
fn other_signing(home: &Path) -> Option<String> {
    let format = git_config(home, "gpg.format").unwrap_or_else(|| "openpgp".to_owned());
    let always = command::git(home).args(["config", "--type=bool", "--get", "commit.gpgSign"]).output();
    let signs = git_config(home, "user.signingKey").is_some() || always.is_ok_and(|run| run.stdout == b"true\n");
    (format != "ssh" && signs).then_some(format)
}

fn wanted(key: &SigningKey, keeps: bool, template: Option<&Path>) -> Vec<(&'static str, String)> {
    let mut wanted = if keeps { Vec::new() } else { settings::signing(key) };
    wanted.extend(template.map(|path| (template::KEY, path.to_string_lossy().into_owned())));
    wanted
}

/// What an included file, the system's or the environment says instead.
fn overruled(home: &Path, wanted: &[(&'static str, String)]) -> Vec<(String, String)> {
    let last_word = |key: &str| {
        let listed = command::output(command::git(home).args(["config", "--show-origin", "--get", key])).ok()?;
        let (origin, value) = listed.split_once('\t')?;
        Some((origin.trim_start_matches("file:").to_owned(), value.to_owned()))
    };
    let lost = |(key, value): &(&'static str, String)| {
        let (origin, found) = last_word(key)?;
        (found != *value).then(|| ((*key).to_owned(), origin))
    };
    wanted.iter().filter_map(lost).collect()
}
