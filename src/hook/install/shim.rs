//! The scripts that Git runs, and how they are known as ours.

use std::path::{Path, PathBuf};

use super::{CLIENT, InstallError, NEW_CLONE, SERVER};

/// The second line of every shim begins so.
const MARK: &[u8] = b"# Installed by `mledger init`";

/// What precedes the program's quoted path in a shim that looks for it.
const SEARCH: &str = "for m in ";

/// Which script it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shim {
    /// In the place where Git looks by itself.
    Beside,
    /// In a folder of ours, before the hook of the folder that `core.hooksPath` names.
    Elsewhere,
    /// In a folder of ours, for a hook that is none of ours.
    Others,
}

impl Shim {
    /// The script for the hook `name`, which calls `program`.
    pub fn text(self, name: &str, program: &Path) -> Result<String, InstallError> {
        let template = match self {
            Self::Beside if CLIENT.contains(&name) => include_str!("../../../hooks/clone"),
            Self::Beside if SERVER.contains(&name) => include_str!("../../../hooks/server"),
            Self::Beside if name == NEW_CLONE => include_str!("../../../hooks/new-clone"),
            Self::Beside => return Err(InstallError::Unknown(name.to_owned())),
            Self::Elsewhere => include_str!("../../../hooks/elsewhere"),
            Self::Others => include_str!("../../../hooks/others"),
        };
        let path = program.to_str().ok_or_else(|| InstallError::Program(program.to_owned()))?;
        let quoted = format!("'{}'", path.replace('\'', r"'\''"));
        let named = template.replace("NAME", name);
        // Where the program moved to meanwhile, the shell may still find it by its name.
        let found = named.replace("for m in mledger;", &format!("{SEARCH}{quoted} mledger;"));
        Ok(found.replace("exec mledger ", &format!("exec {quoted} ")))
    }
}

/// Whether a script is one of ours, of whatever version.
pub fn is_ours(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').nth(1).is_some_and(|line| line.starts_with(MARK))
}

/// The program that a shim of ours calls.
pub fn program(text: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(SEARCH))?;
    let (quoted, _) = line.split_once(" mledger;")?;
    Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.replace(r"'\''", "'").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_shim_that_calls_the_program_by_its_quoted_path() {
        let path = Path::new("/opt/it's here/mledger");
        let beside = CLIENT.iter().chain(&SERVER).chain([&NEW_CLONE]).map(|name| (Shim::Beside, name));
        for (shim, name) in beside.chain(CLIENT.iter().map(|name| (Shim::Elsewhere, name))) {
            let text = shim.text(name, path).unwrap();
            assert!(is_ours(text.as_bytes()), "{text}");
            assert!(text.contains(r"'/opt/it'\''s here/mledger'"), "{text}");
            assert!(text.contains(&format!(r#"{name} "$@""#)), "{text}");
            let server = SERVER.contains(name);
            assert_eq!(program(text.as_bytes()), (!server).then(|| path.to_owned()), "{text}");
        }
        let others = Shim::Others.text("pre-commit", path).unwrap();
        assert!(is_ours(others.as_bytes()) && others.contains("/pre-commit"), "{others}");
        assert!(matches!(Shim::Beside.text("update", path), Err(InstallError::Unknown(_))));
    }

    #[test]
    fn other_scripts_are_not_ours() {
        for text in ["", "#!/bin/sh", "#!/bin/sh\nmledger hook pre-push\n", "\n\n# Installed by `mledger init`."] {
            assert!(!is_ours(text.as_bytes()), "{text}");
            assert_eq!(program(text.as_bytes()), None);
        }
    }
}
