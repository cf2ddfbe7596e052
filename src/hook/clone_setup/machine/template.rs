//! The folder that Git makes new repositories from.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::SetupError;
use super::super::config_file::failed;
use crate::git::command;
use crate::ledger::place::Place;

/// The configuration key that names it.
pub const KEY: &str = "init.templateDir";

/// What a bare repository has that is not its template's.
const NOT_OF_TEMPLATES: [&str; 4] = ["HEAD", "config", "objects", "refs"];

/// A template that has our hook, and the folders that were made for it.
#[derive(serde::Deserialize, serde::Serialize)]
pub struct Template {
    made: Vec<PathBuf>,
    path: PathBuf,
}

/// The person's own template, if they have one, else the one to make. A template of the whole system is copied.
pub fn choose(home: &Path, place: &Place) -> Result<PathBuf, SetupError> {
    let words = ["config", "--show-scope", "--type=path", "--get", KEY];
    let listed = command::output(command::git(home).args(words)).unwrap_or_default();
    match listed.split_once('\t') {
        Some(("global", path)) if Path::new(path).is_absolute() => Ok(path.into()),
        Some(("global", path)) if !path.is_empty() => Err(SetupError::Template(path.to_owned())),
        _ => Ok(ours(place)),
    }
}

/// The folder and those above it that do not exist, the outermost first.
pub fn missing_above(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = path.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn ours(place: &Place) -> PathBuf {
    place.file("template")
}

impl Template {
    /// A template in `path`; `made` is what is going to be made before it.
    pub fn new(path: &Path, made: Vec<PathBuf>) -> Self {
        Self { made, path: path.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another folder is the person's template now.
    pub fn leave_for(&mut self, path: &Path, place: &Place) -> Result<(), SetupError> {
        if self.is_ours(place) {
            remove_all(&self.path)?;
        }
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Whether it is a folder of ours.
    pub fn is_ours(&self, place: &Place) -> bool {
        self.path == ours(place)
    }

    /// Where its hooks are.
    pub fn hooks(&self) -> PathBuf {
        self.path.join("hooks")
    }

    /// Makes it, if it is ours, as Git makes repositories without us; else only notes what is missing.
    pub fn make(&mut self, place: &Place) -> Result<(), SetupError> {
        if !self.is_ours(place) {
            self.made.extend(missing_above(&self.hooks()));
            return Ok(());
        }
        if self.path.exists() {
            return Ok(());
        }
        let fresh = place.file("template.new");
        remove_all(&fresh)?;
        let mut init = command::git(place.path());
        init.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_TEMPLATE_DIR");
        command::output(init.args(["init", "--quiet", "--bare", "template.new"]))?;
        for name in NOT_OF_TEMPLATES {
            remove_all(&fresh.join(name))?;
        }
        fs::rename(&fresh, &self.path).map_err(|source| failed("rename", &fresh, source))
    }

    /// Removes it, if it is ours, and every folder that was made and holds nothing else now.
    pub fn unmake(&self, place: &Place) -> Result<(), SetupError> {
        if self.is_ours(place) {
            remove_all(&self.path)?;
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}

fn remove_all(path: &Path) -> Result<(), SetupError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}
