//! What a process writes and syncs, seen by strace.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the processes of one program did to the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk {
    /// Calls of fsync and fdatasync.
    pub syncs: u64,
    /// Bytes written to files.
    pub bytes: u64,
}

/// Runs `command` under strace and tells by program line (what `execve` was given) what it did; none without strace.
pub fn trace(command: &Command, file: &Path) -> Option<HashMap<String, Disk>> {
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-y",
        "-s",
        "200",
        "-e",
        "trace=execve,fsync,fdatasync,write,pwrite64,writev",
        "-e",
        "signal=none",
        "-o",
    ]);
    strace.arg(file).arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        strace.current_dir(dir);
    }
    strace.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = strace.output().ok()?;
    assert!(output.status.success(), "{strace:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(tally(&fs::read_to_string(file).unwrap()))
}

fn tally(trace: &str) -> HashMap<String, Disk> {
    let mut programs: HashMap<&str, String> = HashMap::new();
    let mut disks: HashMap<String, Disk> = HashMap::new();
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        // The last one counts: those before it failed, or were a shell's that became this program.
        if call.starts_with("execve(") {
            programs.insert(process, call.to_owned());
            continue;
        }
        let program = programs.get(process).cloned().unwrap_or_default();
        let disk = disks.entry(program).or_default();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            disk.syncs += 1;
        } else if is_file(call) {
            disk.bytes += call.rsplit_once(" = ").and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(0);
        }
    }
    disks
}

/// Whether the first argument, shown as `3</path>`, is a file.
fn is_file(call: &str) -> bool {
    call.split_once('<').is_some_and(|(_, rest)| rest.starts_with('/') && !rest.starts_with("/dev/"))
}
