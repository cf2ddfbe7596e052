//! The environment of a receive hook: what Git and a front end say in variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The variables of a receive hook. Nothing in it counts but what Git sets and what the one configured source reads.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's value; none if it is unset, empty, or not UTF-8 text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to anything but these values. One that is set to nothing, or to rubbish, is.
    pub fn is_set_but(&self, name: &str, harmless: &[&str]) -> bool {
        self.0.get(OsStr::new(name)).is_some_and(|value| !harmless.iter().any(|each| value == each))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
