//! The hooks: whether Git runs ours, and ours run this program.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Check, Code, Finding, Fix, Group, Patient, base, file, probe, quoted};
use crate::hook::install::{self, CLIENT, InstallError, SERVER, State};
use crate::ledger::check::chain;

/// The setting that leads Git to another folder.
const HOOKS_PATH: &str = "core.hooksPath";

/// Looks at each hook of a clone.
pub(super) fn check_clone(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Hooks);
    let standard = patient.repository.git_dir().join("hooks");
    let mut folders = vec![standard.clone(), patient.place.file("shims")];
    folders.extend(patient.settings.value(HOOKS_PATH).map(|path| base(patient.repository).join(path)));
    check.add_all(folders.iter().filter_map(|folder| closed(folder)));
    if check.findings.is_empty() {
        // What is no small file would be read whole below, or for ever.
        let all = folders.iter().flat_map(|folder| CLIENT.map(|name| folder.join(name)));
        check.add_all(all.filter_map(|hook| odd(&hook)));
    }
    if !check.findings.is_empty() {
        return check;
    }
    match install::look(patient.repository, &patient.options.program) {
        Ok(look) => {
            check.add_all(look.elsewhere.iter().map(|path| past_ours(path)));
            if look.elsewhere.is_none() {
                check.add_all(look.hooks.iter().filter_map(|(name, state)| of_state(patient, name, state)));
            }
            check.add_all(look.unheard.iter().map(|name| unheard(name)));
            check.add_all(CLIENT.iter().filter_map(|name| doubled(&standard.join(name))));
            check.note(format!("{} of ours", look.hooks.len()))
        }
        Err(error) => {
            check.add(Finding::unknown("hooks", &error));
            check
        }
    }
}

/// Looks at the hooks of a server.
pub(super) fn check_server(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Hooks);
    let folder = match install::folder(patient.repository) {
        Ok(folder) => folder,
        Err(error @ InstallError::Elsewhere { .. }) => {
            let own = patient.repository.git_dir().join("hooks");
            let message = format!("{error}, so the gate does not stand here");
            let command = format!("git config --local {HOOKS_PATH} {} && mledger init", quoted(&own));
            check.add(Finding::wrong(Code::HooksElsewhere, HOOKS_PATH, message).try_this(command));
            return check;
        }
        Err(error) => {
            check.add(Finding::unknown(HOOKS_PATH, &error));
            return check;
        }
    };
    if let Some(finding) = closed(&folder) {
        check.add(finding);
        return check;
    }
    for name in SERVER {
        check.add_all(of_server(patient, &folder, name));
    }
    check.note(SERVER.join(", "))
}

/// A folder that cannot be looked into.
fn closed(folder: &Path) -> Option<Finding> {
    let error = std::fs::read_dir(folder).err().filter(|error| error.kind() != ErrorKind::NotFound)?;
    let message = format!("`{}`, where hooks belong, cannot be read: {error}", folder.display());
    let command = format!("mv {} {} && mledger init", quoted(folder), quoted(&aside(folder)));
    Some(Finding::wrong(Code::HooksUnreadable, folder.display().to_string(), message).try_this(command))
}

/// A name beside a file that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let mut names = (1_u32..).map(|count| path.with_added_extension(format!("aside-{count}")));
    names.find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| path.with_added_extension("aside"))
}

/// Something in a hook's place that is no script. Nothing of others is removed.
fn odd(hook: &Path) -> Option<Finding> {
    let why = match file::read(hook) {
        Ok(None) if hook.is_symlink() => "it is a link that leads nowhere".to_owned(),
        Ok(_) => return None,
        Err(error) => chain(&error),
    };
    let message = format!("`{}` is no hook that can be looked at: {why}", hook.display());
    let command = format!("mv {} {} && mledger init", quoted(hook), quoted(&aside(hook)));
    Some(Finding::wrong(Code::HookUnreadable, hook.display().to_string(), message).try_this(command))
}

fn again(finding: Finding) -> Finding {
    finding.try_this("mledger init").fix(Fix::Hooks)
}

fn past_ours(path: &str) -> Finding {
    let message = format!("`{HOOKS_PATH}` leads Git to `{path}`, past our hooks");
    again(Finding::wrong(Code::HooksElsewhere, HOOKS_PATH, message))
}

fn unheard(name: &str) -> Finding {
    let message = format!("another program has put a {name} where Git does not look since `mledger init`");
    again(Finding::look(Code::HookUnheard, name, message))
}

fn of_state(patient: &Patient<'_>, name: &str, state: &State) -> Option<Finding> {
    let wrong = |code, message: String| Some(again(Finding::wrong(code, name, message)));
    match state {
        State::Current => None,
        State::Missing => wrong(Code::HookMissing, format!("{name} is not there")),
        State::NotExecutable => wrong(Code::HookNotExecutable, format!("{name} may not be run, so Git passes it by")),
        State::Replaced { by } => {
            let whose = by.as_ref().map_or_else(|| "another program".to_owned(), ToString::to_string);
            wrong(Code::HookReplaced, format!("a hook of {whose} stands in the place of our {name}"))
        }
        State::Other { gone: true, program } => wrong(Code::HookProgramGone, gone(name, program)),
        State::Other { gone: false, program } => Some(of_another(patient, name, program)),
    }
}

fn gone(name: &str, program: &Path) -> String {
    format!("{name} calls `{}`, which is not there", program.display())
}

/// Ours, and not as this version writes it.
fn of_another(patient: &Patient<'_>, name: &str, program: &Path) -> Finding {
    let ours = &patient.options.program;
    let same = matches!((program.canonicalize(), ours.canonicalize()), (Ok(one), Ok(two)) if one == two);
    let theirs = version(program).filter(|_| !same).map(|version| format!(" ({version})")).unwrap_or_default();
    let (path, version) = (program.display(), env!("CARGO_PKG_VERSION"));
    let message = format!("{name} calls `{path}`{theirs}, and not as this mledger {version} does");
    again(Finding::look(Code::HookOld, name, message))
}

/// Ours runs what was there before; were that ours again, it would run itself.
fn doubled(hook: &Path) -> Option<Finding> {
    let before = hook.with_added_extension("before-mledger");
    file::read(&before).ok().flatten().filter(|text| install::is_ours(text))?;
    let message = format!("`{}` is ours as well, so ours would run itself", before.display());
    let finding = Finding::wrong(Code::HookDoubled, before.display().to_string(), message);
    Some(finding.try_this(format!("rm {}", quoted(&before))))
}

fn of_server(patient: &Patient<'_>, folder: &Path, name: &str) -> Vec<Finding> {
    let hook = install::slot(folder, name);
    if let Some(finding) = odd(&hook) {
        return vec![finding];
    }
    let wrong = |code, message: String| again(Finding::wrong(code, hook.display().to_string(), message));
    let Ok(Some(text)) = file::read(&hook) else {
        return vec![wrong(Code::HookMissing, format!("{name} is not there, so the gate does not stand"))];
    };
    if !install::is_ours(&text) {
        return vec![wrong(Code::HookReplaced, format!("another program's hook stands in the place of our {name}"))];
    }
    let closed = file::mode(&hook).filter(|mode| mode & 0o111 == 0);
    let closed = closed.map(|mode| {
        wrong(Code::HookNotExecutable, format!("{name} may not be run ({mode:o}), so Git passes the gate by"))
    });
    [closed, doubled(&hook), other_program(patient, name, &text)].into_iter().flatten().collect()
}

/// A server's hook that does not call this program in this version's way.
fn other_program(patient: &Patient<'_>, name: &str, text: &[u8]) -> Option<Finding> {
    let wanted = install::server_shim(name, &patient.options.program).ok()?;
    if text == wanted.as_bytes() {
        return None;
    }
    let called = called(&String::from_utf8_lossy(text)).unwrap_or_default();
    if !probe::is_program(&called) {
        return Some(again(Finding::wrong(Code::HookProgramGone, name, gone(name, &called))));
    }
    Some(of_another(patient, name, &called))
}

/// The program that a server's hook of ours calls, from between its quotes.
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
    fn a_servers_hook_tells_whom_it_calls() {
        for program in ["/opt/it's here/mledger", "/usr/bin/mledger"] {
            for name in SERVER {
                let shim = install::server_shim(name, Path::new(program)).unwrap();
                assert_eq!(called(&shim), Some(PathBuf::from(program)), "{shim}");
            }
        }
        assert_eq!(called("#!/bin/sh\nexec other\n"), None);
    }
}
