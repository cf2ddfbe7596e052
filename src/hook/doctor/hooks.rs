//! The hooks: whether Git runs ours, and ours run this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::file::FileError;
use super::{Check, Code, Finding, Fix, Group, Patient, file, probe, quoted};
use crate::hook::install::{self, InstallError};

/// Looks at each.
pub(super) fn check(patient: &Patient<'_>, names: &[&'static str]) -> Check {
    let mut check = Check::new(Group::Hooks);
    let folder = match install::folder(patient.repository) {
        Ok(folder) => folder,
        Err(error) => {
            check.add(elsewhere(patient, &error));
            return check;
        }
    };
    if let Err(error) = std::fs::read_dir(&folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        check.add(unreadable(&folder, &error));
        return check;
    }
    for name in names {
        check.add_all(Hook::of(&folder, name).check(&patient.options.program));
    }
    check.note(format!("{} in `{}`", names.len(), folder.display()))
}

fn elsewhere(patient: &Patient<'_>, error: &InstallError) -> Finding {
    let InstallError::Elsewhere { .. } = error else { return Finding::unknown("core.hooksPath", error) };
    let message = format!("{error}, so Git does not run the hooks of this one");
    let own = patient.repository.git_dir().join("hooks");
    Finding::wrong(Code::HooksElsewhere, "core.hooksPath", message)
        .try_this(format!("git config --local core.hooksPath {} && mledger init", quoted(&own)))
}

fn unreadable(folder: &Path, error: &std::io::Error) -> Finding {
    let message = format!("`{}`, where the hooks belong, cannot be read: {error}", folder.display());
    let command = format!("mv {} {} && mledger init", quoted(folder), quoted(&aside(folder)));
    Finding::wrong(Code::HooksUnreadable, folder.display().to_string(), message).try_this(command)
}

struct Hook {
    before: PathBuf,
    name: &'static str,
    path: PathBuf,
}

impl Hook {
    fn of(folder: &Path, name: &'static str) -> Self {
        let path = install::slot(folder, name);
        Self { before: install::before(&path), name, path }
    }

    fn wrong(&self, code: Code, message: impl Into<String>) -> Finding {
        Finding::wrong(code, self.path.display().to_string(), message)
    }

    fn again(&self, finding: Finding) -> Finding {
        finding.try_this("mledger init").fix(Fix::Hook(self.name))
    }

    fn check(&self, program: &Path) -> Vec<Finding> {
        let text = match file::read(&self.path) {
            Ok(Some(text)) => text,
            Ok(None) if self.path.is_symlink() => return vec![self.unreadable("it is a link that leads nowhere")],
            Ok(None) => return vec![self.again(self.wrong(Code::HookMissing, format!("{} is not there", self.name)))],
            // Somebody's program, which Git runs.
            Err(FileError::Large { .. }) => {
                return vec![Finding { fix: None, ..self.foreign() }.try_this(self.set_aside())];
            }
            Err(error) => return vec![self.unreadable(&crate::ledger::check::chain(&error))],
        };
        if !install::is_ours(&text) {
            return vec![self.foreign()];
        }
        [self.not_executable(), self.doubled(), self.other_program(&text, program)].into_iter().flatten().collect()
    }

    fn unreadable(&self, why: &str) -> Finding {
        self.wrong(Code::HookUnreadable, format!("{} cannot be run: {why}", self.name))
            .try_this(format!("rm -r {} && mledger init", quoted(&self.path)))
    }

    fn foreign(&self) -> Finding {
        let found =
            self.wrong(Code::HookReplaced, format!("another program's hook stands in the place of our {}", self.name));
        if self.before.is_symlink() || self.before.exists() {
            return found.try_this(self.set_aside());
        }
        self.again(found)
    }

    /// Both hooks of others stay; which of them is to run a person must say.
    fn set_aside(&self) -> String {
        format!("mv {} {}; mledger doctor --fix", quoted(&self.path), quoted(&aside(&self.path)))
    }

    fn not_executable(&self) -> Option<Finding> {
        let mode = file::mode(&self.path).filter(|mode| mode & 0o111 == 0)?;
        let message = format!("{} may not be run ({mode:o}), so Git passes it by", self.name);
        Some(self.again(self.wrong(Code::HookNotExecutable, message)))
    }

    /// Ours runs what was there before; were that ours again, it would run itself.
    fn doubled(&self) -> Option<Finding> {
        let before = file::read(&self.before).ok().flatten().filter(|text| install::is_ours(text));
        before?;
        let message = format!("`{}` is ours as well, so {} runs for ever", self.before.display(), self.name);
        Some(self.wrong(Code::HookDoubled, message).try_this(format!("rm {}", quoted(&self.before))))
    }

    fn other_program(&self, text: &[u8], program: &Path) -> Option<Finding> {
        let wanted = install::shim(self.name, program).ok()?;
        if text == wanted.as_bytes() {
            return None;
        }
        let Some(called) = called(&String::from_utf8_lossy(text)) else {
            let message = format!("{} is of another version of mledger", self.name);
            return Some(self.again(Finding::look(Code::HookOld, self.path.display().to_string(), message)));
        };
        if !probe::is_program(&called) {
            let message = format!("{} calls `{}`, which cannot be run", self.name, called.display());
            return Some(self.again(self.wrong(Code::HookProgramGone, message)));
        }
        let same = matches!((called.canonicalize(), program.canonicalize()), (Ok(one), Ok(two)) if one == two);
        if same && install::shim(self.name, &called).is_ok_and(|shim| shim.as_bytes() == text) {
            return None;
        }
        let theirs = version(&called).filter(|_| !same).map(|version| format!(" ({version})")).unwrap_or_default();
        let (path, ours) = (called.display(), env!("CARGO_PKG_VERSION"));
        let message = format!("{} calls `{path}`{theirs}, and not as this mledger {ours} does", self.name);
        Some(self.again(Finding::look(Code::HookOld, self.path.display().to_string(), message)))
    }
}

/// A name beside a file that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let names = (1_u32..).map(|count| path.with_added_extension(format!("aside-{count}")));
    let free = |name: &PathBuf| name.symlink_metadata().is_err();
    names.into_iter().find(free).unwrap_or_else(|| path.with_added_extension("aside"))
}

/// The program that a shim of ours calls, from between its quotes.
fn called(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once("exec '")?;
    let (path, _) = rest.split_once("' hook ")?;
    Some(PathBuf::from(path.replace(r"'\''", "'")))
}

/// What a program says of itself; Git runs it anyway, at the next commit or push.
fn version(program: &Path) -> Option<String> {
    let said = probe::output(Command::new(program).arg("--version")).ok()?;
    Some(String::from_utf8_lossy(&said).trim().chars().take(60).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_tells_whom_it_calls() {
        for program in ["/opt/it's here/mledger", "/usr/bin/mledger"] {
            for name in install::CLIENT.iter().chain(&install::SERVER) {
                let shim = install::shim(name, Path::new(program)).unwrap();
                assert_eq!(called(&shim), Some(PathBuf::from(program)), "{shim}");
            }
        }
        assert_eq!(called("#!/bin/sh\nexec other\n"), None);
    }
}
