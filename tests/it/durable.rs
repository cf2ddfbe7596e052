//! Write-ahead, seen from the kernel: all that an answer rests on is synced before it is given.

use std::fs;
use std::process::Command;

use crate::bank::Bank;

#[test]
#[cfg(target_os = "linux")]
fn an_accepted_push_is_on_the_disk_before_git_hears_of_it() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.carol);
    bank.carol.commit(&dir, "models/new", "new\n");
    let file = bank.world.path("trace");
    let strace = ["-f", "-y", "-s", "300", "-e", "trace=execve,fsync,link,rename", "-e", "signal=none", "-o"];
    let push = ["git", "push", "-q", "origin", "HEAD:refs/heads/main"];
    let mut command = Command::new("strace");
    command.args(strace).arg(&file).args(push).current_dir(&dir);
    bank.carol.run(&mut command, None).ok();

    let trace = fs::read_to_string(&file).unwrap();
    let is_gate = |line: &&str| line.contains("execve(") && line.contains("\"hook\", \"pre-receive\"");
    let gate = trace.lines().find(is_gate).and_then(|line| line.split(' ').next()).unwrap();
    let calls: Vec<&str> = trace.lines().filter_map(|line| line.strip_prefix(gate)?.strip_prefix(' ')).collect();
    let at = |call: &str, path: &str| {
        let found = calls.iter().position(|line| line.trim_start().starts_with(call) && line.contains(path));
        found.unwrap_or_else(|| panic!("no {call} of {path} in {calls:#?}"))
    };
    // Each step's file before its name, its name before the next step.
    let steps = [
        at("fsync", "/objects/tmp_object"),
        at("link", "/objects/tmp_object"),
        at("fsync", "/refs/mledger/log.lock>"),
        at("rename", "/refs/mledger/log.lock"),
        at("fsync", "/refs/mledger>"),
        at("fsync", "/mledger/last-checkpoint.new>"),
        at("rename", "/mledger/last-checkpoint.new"),
    ];
    assert!(steps.is_sorted(), "{steps:?} in {calls:#?}");
    let (object, moved) = (steps[1], steps[2]);
    assert!(calls[object..moved].iter().any(|line| line.contains("fsync(")), "the object's folder is not synced");
    assert!(calls[steps[6]..].iter().any(|line| line.contains("fsync(") && line.contains("/mledger>")));
}
