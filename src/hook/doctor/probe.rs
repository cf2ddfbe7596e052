//! Other programs, asked with limits: an agent may hang, and a hook may call anything.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to answer: on a busy machine a start takes a second.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How much of an answer is read, in bytes: the configuration of a repository with a thousand branches has 200 KB.
const BYTES_MAX: u64 = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("`{0}` could not be run")]
    Start(String, #[source] std::io::Error),
    #[error("`{command}` did not answer within {} seconds", WAIT_MAX.as_secs())]
    Hangs { command: String },
    #[error("`{command}` failed: {message}")]
    Failed { code: Option<i32>, command: String, message: String },
}

/// What a program printed; it must succeed.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>, ProbeError> {
    let (status, out, err) = run(command)?;
    if status.success() {
        return Ok(out);
    }
    let message = String::from_utf8_lossy(&err).trim().chars().take(500).collect();
    Err(ProbeError::Failed { code: status.code(), command: name(command), message })
}

/// What a program printed, wherever it printed it; that it fails is no failure.
pub(super) fn words(command: &mut Command) -> Result<String, ProbeError> {
    let (_, out, err) = run(command)?;
    Ok(String::from_utf8_lossy(&[out, err].concat()).into_owned())
}

/// Where a program lies that is called by this name.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    if name.contains(std::path::MAIN_SEPARATOR) {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let folders = std::env::var_os("PATH")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&folders).map(|folder| folder.join(&file)).find(|path| is_program(path))
}

/// Whether there is a file that can be run.
pub(super) fn is_program(path: &Path) -> bool {
    path.is_file() && super::file::mode(path).is_none_or(|mode| mode & 0o111 != 0)
}

fn run(command: &mut Command) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), ProbeError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| ProbeError::Start(name(command), error))?;
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    let status = wait(&mut child).ok_or_else(|| ProbeError::Hangs { command: name(command) })?;
    Ok((status, bytes(out), bytes(err)))
}

type Reading = std::sync::mpsc::Receiver<Vec<u8>>;

/// Reads beside the wait: a program that fills its pipe ends only when somebody reads on.
fn collect(mut pipe: impl Read + Send + 'static) -> Reading {
    let (send, receive) = std::sync::mpsc::channel();
    // Without a thread nothing is read, and the program finds its pipe closed.
    let _ = std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(BYTES_MAX).read_to_end(&mut bytes);
        let _ = send.send(bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    });
    receive
}

/// What was read. A grandchild that keeps the pipe open keeps nobody waiting.
fn bytes(reading: Option<Reading>) -> Vec<u8> {
    reading.and_then(|reading| reading.recv_timeout(WAIT_MAX).ok()).unwrap_or_default()
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begin.elapsed() < WAIT_MAX => std::thread::sleep(pause),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
