//! One system call that fails, or before which the process dies: strace in the place of the program that a hook starts.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::Path;

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// The call does nothing and returns this error.
    Error(&'static str),
    /// The call and all after it do: a disk that stays full.
    From(&'static str),
    /// The process dies right before the call.
    Kill,
}

/// The `nth` time, counted from one, that a process makes this call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The system call.
    pub call: String,
    /// Which one.
    pub nth: usize,
    /// What happens then.
    pub harm: Harm,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, nth, harm } = self;
        match harm {
            // It fails by saying where the break stands: a number is no error to it.
            Harm::Error(_) if call == "brk" => write!(f, "inject=brk:retval=0:when={nth}"),
            Harm::Error(error) => write!(f, "inject={call}:error={error}:when={nth}"),
            Harm::From(error) => write!(f, "inject={call}:error={error}:when={nth}+"),
            Harm::Kill => write!(f, "inject={call}:signal=KILL:when={nth}"),
        }
    }
}

/// Whose calls count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of each thread.
    Threads,
    /// Those of the first thread: the programs that a hook starts are Git's, and have locks of their own.
    First,
}

impl Fault {
    /// Whether nobody can say why: the process is dead, or its loader had no memory.
    pub fn is_mute(&self) -> bool {
        self.harm == Harm::Kill || self.call == "mmap"
    }
}

/// How strace is called so that it writes all calls into `file`, up to the program's name.
pub fn tracing(whose: Whose, file: &Path) -> Vec<String> {
    words(whose, file, &[])
}

/// The same so that the fault happens.
pub fn injecting(fault: &Fault, whose: Whose, file: &Path) -> Vec<String> {
    words(whose, file, &["-e".to_owned(), format!("trace={}", fault.call), "-e".to_owned(), fault.to_string()])
}

/// The traced process stays its parent's child: that is whom Git waits for, and kills.
fn words(whose: Whose, file: &Path, more: &[String]) -> Vec<String> {
    let follow: &[&str] = if whose == Whose::Threads { &["-f"] } else { &[] };
    let file = file.to_str().unwrap();
    let start = [&["strace", "-D"], follow, &["-q", "-y", "-e", "signal=KILL", "-o", file]].concat();
    start.into_iter().map(str::to_owned).chain(more.iter().cloned()).collect()
}

/// What strace wrote when it let the fault happen; none for a death.
fn injected(file: &Path) -> Option<String> {
    let trace = fs::read_to_string(file).unwrap_or_default();
    trace.lines().find(|line| line.contains("(INJECTED)")).map(str::to_owned)
}

/// Whether the fault that was to be did happen.
pub fn happened(fault: &Fault, file: &Path) -> bool {
    match fault.harm {
        Harm::Kill => fs::read_to_string(file).unwrap_or_default().contains("killed by SIGKILL"),
        _ => injected(file).is_some(),
    }
}

/// Whether it was one that no kernel brings about: a pipe lies on no disk.
pub fn is_absurd(file: &Path) -> bool {
    injected(file).is_some_and(|line| line.contains("<pipe:"))
}

/// How often a process makes each call, by a trace; of several processes, the most.
pub fn calls(file: &Path) -> BTreeMap<String, usize> {
    let trace = fs::read_to_string(file).unwrap();
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for line in trace.lines() {
        // Where there is but one process, it is not named.
        let call = line.trim_start_matches(|char: char| char.is_ascii_digit());
        let process = &line[..line.len() - call.len()];
        if let Some((name, _)) = call.trim_start().split_once('(')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        {
            *counts.entry((process, name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in counts {
        let found = most.entry(name.to_owned()).or_insert(0);
        *found = count.max(*found);
    }
    most
}

/// How a call may fail on a machine that is full, worn out or in short supply; none for calls that only ask the kernel
/// about the process itself.
fn errors(call: &str) -> &'static [&'static str] {
    match call {
        "openat" => &["EMFILE", "EIO", "ENOSPC", "EROFS"],
        "write" | "pwrite64" => &["ENOSPC", "EIO"],
        "rename" | "link" | "mkdir" | "symlink" => &["ENOSPC", "EROFS"],
        "unlink" | "rmdir" => &["EROFS"],
        "fsync" | "fdatasync" => &["EIO", "ENOSPC"],
        "flock" | "fcntl" => &["ENOLCK"],
        "mmap" | "brk" | "mremap" => &["ENOMEM"],
        "clone" | "clone3" | "vfork" => &["EAGAIN"],
        "pipe2" | "socketpair" | "socket" | "dup" | "dup2" | "dup3" => &["EMFILE"],
        "getrandom" => &["ENOSYS"],
        "sched_getaffinity" | "fchown" | "fchmod" | "utimensat" => &["EPERM"],
        "ftruncate" | "read" | "pread64" | "readv" | "writev" | "close" | "lseek" | "newfstatat" | "fstat" | "stat"
        | "lstat" | "statx" | "access" | "faccessat2" | "readlink" | "getdents64" | "getcwd" | "chdir"
        | "fallocate" => &["EIO"],
        _ => &[],
    }
}

/// Whether the call leaves something behind that the next process finds. To die before any other call is to die right
/// after the last one of these.
fn leaves_traces(call: &str) -> bool {
    let calls = ["write", "pwrite64", "rename", "link", "symlink", "mkdir", "unlink", "rmdir", "fsync", "fdatasync"];
    calls.contains(&call) || ["ftruncate", "fallocate", "flock", "exit_group"].contains(&call)
}

/// Every fault there is: each call fails in each way, and the process dies before each.
pub fn all(calls: &BTreeMap<String, usize>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (call, count) in calls.iter().filter(|(call, _)| *call != "execve") {
        let full = (call == "pwrite64").then_some(Harm::From("ENOSPC"));
        let harms = errors(call).iter().copied().map(Harm::Error).chain(full).chain([Harm::Kill]);
        let harms: Vec<Harm> = harms.collect();
        faults.extend(
            (1..=*count).flat_map(|nth| harms.iter().map(move |harm| Fault { call: call.clone(), nth, harm: *harm })),
        );
    }
    faults
}

/// Fewer that show as much: death before every call that leaves traces, an error at each of those, and of every other
/// kind the first, the middle and the last.
pub fn sample(calls: &BTreeMap<String, usize>) -> Vec<Fault> {
    let is_in = |fault: &Fault| {
        let count = calls[&fault.call];
        let marked = fault.nth == 1 || fault.nth == count || fault.nth == count.div_ceil(2);
        match fault.harm {
            Harm::Kill => leaves_traces(&fault.call),
            Harm::Error(error) => {
                let first = errors(&fault.call).first() == Some(&error);
                first && (marked || leaves_traces(&fault.call) && fault.call != "pwrite64")
            }
            Harm::From(_) => marked,
        }
    };
    all(calls).into_iter().filter(is_in).collect()
}
