//! Locks and leftovers of processes that died.
//!
//! `mledger/lock` is none of them: the kernel frees it with its process, and the file stays for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Check, Code, Finding, Group, Patient, base, quoted};

/// How long Git holds a lock at most, unless something hangs: an index of a million files is written in seconds.
const HELD_MAX: Duration = Duration::from_mins(5);

/// How long a push may leave its objects aside.
const QUARANTINE_MAX: Duration = Duration::from_hours(24);

/// How many folders of refs are looked through: ten times as many as any repository that we know has.
const FOLDERS_MAX: usize = 100_000;

/// Looks for both.
pub(super) fn check(patient: &Patient<'_>) -> Check {
    let mut check = Check::new(Group::Locks);
    let (git_dir, own_dir) = (patient.repository.git_dir(), patient.repository.own_dir());
    let mut folders = vec![git_dir.to_owned(), git_dir.join("objects/info")];
    if own_dir != git_dir {
        folders.push(own_dir.to_owned());
    }
    folders.extend(folders_below(&git_dir.join("refs")));
    let locks: Vec<(PathBuf, Duration)> = folders.iter().flat_map(|folder| locks_in(folder)).collect();
    if !locks.is_empty() {
        let living = living(&[git_dir, own_dir, base(patient.repository)]);
        check.add_all(locks.iter().map(|(path, age)| finding(path, *age, living)));
    }
    check.add_all(quarantines(git_dir));
    check.note("no lock was left behind")
}

fn finding(path: &Path, age: Duration, living: Living) -> Finding {
    let what = format!("`{}` is {} minutes old", path.display(), age.as_secs() / 60);
    let subject = path.display().to_string();
    let remove = format!("rm {}", quoted(path));
    match living {
        Living::Process(pid) => {
            let message = format!("{what}, and process {pid}, a git, works in this repository");
            Finding::look(Code::LockHeld, subject, message).try_this(format!("ps -fp {pid}"))
        }
        Living::Nobody => {
            let message = format!("{what}, and no git works here: it was left by one that died, and stops all others");
            Finding::wrong(Code::LockStale, subject, message).try_this(remove)
        }
        Living::Unknown => {
            let message = format!("{what}; where no git works here any more, it was left by one that died");
            Finding::wrong(Code::LockStale, subject, message).try_this(remove)
        }
    }
}

/// The old locks in a folder.
fn locks_in(folder: &Path) -> Vec<(PathBuf, Duration)> {
    let is_lock = |path: &PathBuf| path.extension().is_some_and(|end| end == "lock");
    entries(folder).filter(is_lock).filter_map(|path| older_than(path, HELD_MAX)).collect()
}

/// Objects of pushes that never ended.
fn quarantines(git_dir: &Path) -> Vec<Finding> {
    let is_one = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tmp_objdir-incoming-"))
    };
    let old = entries(&git_dir.join("objects")).filter(is_one).filter_map(|path| older_than(path, QUARANTINE_MAX));
    old.map(|(path, age)| {
        let message = format!(
            "`{}` holds what a push brought {} hours ago and did not end",
            path.display(),
            age.as_secs() / 3600
        );
        Finding::look(Code::QuarantineLeft, path.display().to_string(), message)
            .try_this(format!("rm -r {}", quoted(&path)))
    })
    .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn older_than(path: PathBuf, limit: Duration) -> Option<(PathBuf, Duration)> {
    let modified = fs::symlink_metadata(&path).ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(modified).ok().filter(|age| *age > limit)?;
    Some((path, age))
}

/// The folder and those in it; links are not followed.
fn folders_below(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut at = 0;
    while let Some(folder) = found.get(at).filter(|_| found.len() < FOLDERS_MAX) {
        let is_folder = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        let below: Vec<PathBuf> = entries(folder).filter(is_folder).collect();
        found.extend(below);
        at += 1;
    }
    found
}

/// Whether any git is at work here.
#[derive(Clone, Copy)]
enum Living {
    Process(u32),
    Nobody,
    Unknown,
}

/// Looks for a process called git in one of these folders.
fn living(folders: &[&Path]) -> Living {
    let folders: Vec<PathBuf> = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let Ok(processes) = fs::read_dir("/proc") else { return Living::Unknown };
    let mut hidden = false;
    for entry in processes.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let is_git = fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.starts_with("git"));
        if !is_git {
            continue;
        }
        match fs::read_link(entry.path().join("cwd")) {
            Ok(at) if folders.iter().any(|folder| at.starts_with(folder)) => return Living::Process(pid),
            Ok(_) => {}
            // Of another user, or gone by now.
            Err(_) => hidden |= entry.path().exists(),
        }
    }
    if hidden { Living::Unknown } else { Living::Nobody }
}
