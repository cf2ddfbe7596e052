//! Where the story is played: a folder, people with keys, commands that are shown and really run.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use mledger::identity::ed25519::SecretKey;
use mledger::identity::file::format_private;
use mledger::identity::key::PublicKey;
use serde_json::{Value, json};

use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{BAD, FAINT, GOOD, TITLE, styled, tame};

/// Somebody in the story, with a home folder and a key there.
pub struct Person {
    name: &'static str,
    home: PathBuf,
    key: PublicKey,
}

/// What a command of the story must end in; anything else fails the demo.
#[derive(Clone, Copy)]
pub enum Expect {
    /// Success.
    Fine,
    /// Success, of which nothing is shown.
    Quiet,
    /// A push that the gate refuses, for this reason.
    Refused(&'static str),
    /// A verification that finds this.
    Found(&'static str),
}

/// Whether somebody wants the story to stop.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The folder, and what happened so far.
pub struct Stage<'a> {
    context: &'a Context,
    folder: PathBuf,
    /// Removes the folder in the end, unless it is to be kept.
    temporary: Option<tempfile::TempDir>,
    program: PathBuf,
    /// `PATH` for the people's commands.
    search: OsString,
    chapters: usize,
    steps: Vec<Value>,
}

impl<'a> Stage<'a> {
    /// Makes the folder.
    pub fn new(context: &'a Context, keep: Option<PathBuf>) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let (folder, temporary) = if let Some(folder) = keep {
            (empty_folder(&folder)?, None)
        } else {
            let temporary = tempfile::Builder::new().prefix("mledger-demo-").tempdir()?;
            // Who stops the story does not want its folder. Without a handler, it would only stay.
            let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
            (temporary.path().to_owned(), Some(temporary))
        };
        let search = search_path(&folder, &program)?;
        Ok(Self { context, folder, temporary, program, search, chapters: 0, steps: Vec::new() })
    }

    /// Makes a person with a home and a new key.
    pub fn person(&self, name: &'static str) -> Result<Person, Failure> {
        let home = self.path(&format!("home/{name}"));
        let ssh = home.join(".ssh");
        std::fs::create_dir_all(&ssh).map_err(|source| Failure::file("make", &ssh, source))?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Failure::new(error.to_string()))?;
        let secret = SecretKey::from_seed(&seed);
        let key = PublicKey::from_ed25519(secret.public());
        let private = ssh.join("id_ed25519");
        write_as(&private, &format_private(&secret, name)?, 0o600)?;
        write(&ssh.join("id_ed25519.pub"), &format!("{key} {name}@bank.example\n"))?;
        let config = format!(
            "[user]\n\tname = {}{}\n\temail = {name}@bank.example\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
            name.get(..1).unwrap_or_default().to_uppercase(),
            name.get(1..).unwrap_or_default()
        );
        write(&home.join(".gitconfig"), &config)?;
        Ok(Person { name, home, key })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Failure::file("make", parent, source))?;
        }
        write(&path, text)
    }

    /// Reads a file in the folder.
    pub fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.path(name);
        std::fs::read_to_string(&path).map_err(|source| Failure::file("read", &path, source))
    }

    /// Says what comes next.
    pub fn chapter(&mut self, words: &str) {
        self.chapters += 1;
        self.show(&format!("\n{}\n", styled(TITLE, format_args!("{}. {words}", self.chapters))));
    }

    /// Says what happens without a command.
    pub fn say(&self, words: &str) {
        self.show(&format!("{}\n", styled(FAINT, words)));
    }

    /// Shows a command, runs it as `person` in the folder `dir`, shows what it prints, and checks how it ends.
    pub fn run(&mut self, person: &Person, dir: &str, words: &[&str], expect: Expect) -> Result<(), Failure> {
        let typed = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let place = if dir.is_empty() { String::new() } else { format!(":{dir}") };
        if !matches!(expect, Expect::Quiet) {
            self.show(&format!("{} {typed}\n", styled(FAINT, format_args!("{}{place}$", person.name))));
        }
        let ran = self.command(person, dir, words).output()?;
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        if !matches!(expect, Expect::Quiet) {
            self.show(&indented(&said));
        }
        let code = ran.status.code().unwrap_or(-1);
        let good = match expect {
            Expect::Fine | Expect::Quiet => code == 0,
            Expect::Refused(_) => code == 1 && said.contains("pre-receive hook declined") && self.refused_for(expect),
            Expect::Found(what) => code == 4 && said.contains(&format!("[{what}]")),
        };
        self.steps.push(json!({"as": person.name, "command": typed, "exit": code, "output": said}));
        if good {
            return Ok(());
        }
        Err(Failure::new(format!("`{typed}` did not end as it should (exit code {code})")).of("the demo went wrong"))
    }

    /// Whether the newest entry of the ledger is a denial for that reason: what the pusher read must also be on record.
    fn refused_for(&self, expect: Expect) -> bool {
        let Expect::Refused(code) = expect else { return false };
        let log = Command::new(&self.program)
            .args(["-C", "models.git", "--json", "log", "-n", "1"])
            .current_dir(&self.folder)
            .output();
        log.is_ok_and(|log| {
            let line = String::from_utf8_lossy(&log.stdout).into_owned();
            line.contains("\"denied\"") && line.contains(code)
        })
    }

    /// What a command prints, which is not shown.
    pub fn output(&self, person: &Person, dir: &str, words: &[&str]) -> Result<String, Failure> {
        let ran = self.command(person, dir, words).output()?;
        Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
    }

    fn command(&self, person: &Person, dir: &str, words: &[&str]) -> Command {
        let (first, rest) = words.split_first().map_or(("", words), |(first, rest)| (*first, rest));
        let mut command = if first == "mledger" { Command::new(&self.program) } else { Command::new(first) };
        command.args(rest).current_dir(self.folder.join(dir)).stdin(Stdio::null());
        // A person's machine, not this one: no configuration, agent or hook environment of the caller leaks in.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") || name.as_encoded_bytes().starts_with(b"SSH_") {
                command.env_remove(name);
            }
        }
        command.env("HOME", &person.home).env("GIT_CONFIG_GLOBAL", person.home.join(".gitconfig"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8").env("PATH", &self.search);
        command
    }

    /// Ends the story.
    pub fn finish(mut self) -> Result<End, Failure> {
        let kept = self.temporary.is_none();
        let folder = self.folder.display().to_string();
        if self.context.output.is_json() {
            let steps = std::mem::take(&mut self.steps);
            self.context
                .output
                .result(&json!({"folder": kept.then_some(folder), "ok": true, "steps": steps}), String::new)?;
            return Ok(End::Fine);
        }
        self.show(&format!(
            "\n{}\n",
            styled(GOOD, "Every push was decided, recorded and verified; every tampering was found.")
        ));
        if kept {
            self.show(&format!("Everything is in {folder}.\n"));
        } else {
            self.show("Look around in it yourself: mledger demo --keep DIR\n");
        }
        Ok(End::Fine)
    }

    fn show(&self, text: &str) {
        if !self.context.output.is_json() {
            let mut results = self.context.output.results();
            // A reader that went away does not stop the story: its end says whether all went well.
            let _ = results.write_all(text.as_bytes()).and_then(|()| results.flush());
        }
    }
}

impl Person {
    /// The lines that enrol this person.
    pub fn policy_lines(&self, role: &str) -> String {
        format!("[actors.\"{}@bank.example\"]\nroles = [\"{role}\"]\nkeys = [\"{}\"]\n\n", self.name, self.key)
    }
}

/// Makes the folder that is to be kept; nothing may be in it.
fn empty_folder(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).map_err(|source| Failure::file("make", folder, source))?;
    let mut inside = std::fs::read_dir(folder).map_err(|source| Failure::file("read", folder, source))?;
    if inside.next().is_some() {
        return Err(Failure::usage(format!("`{}` is not empty", folder.display())));
    }
    Ok(std::path::absolute(folder)?)
}

/// Git signs with `ssh-keygen`; on a machine that has none, this program does the two things that Git asks of it.
fn search_path(folder: &Path, program: &Path) -> Result<OsString, Failure> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let quiet = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    if quiet(Command::new("ssh-keygen").arg("-?")) {
        return Ok(search);
    }
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).map_err(|source| Failure::file("make", &bin, source))?;
    let program = program.display();
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in -lf) exec '{program}' -Y fingerprint \"$2\";; *) exec '{program}' \"$@\";; esac\n"
    );
    write_as(&bin.join("ssh-keygen"), &script, 0o755)?;
    Ok(std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&search))).unwrap_or_default())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::file("write", path, source))
}

fn write_as(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Failure::file("write", path, source))
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@~%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

fn indented(text: &str) -> String {
    let shown = |line: &str| {
        let line = line.strip_prefix("remote: ").map_or(line, str::trim_end);
        let style = if line.contains("refused") || line.starts_with("problem") { BAD } else { FAINT };
        if style == BAD { format!("    {}\n", styled(style, tame(line))) } else { format!("    {}\n", tame(line)) }
    };
    text.lines().map(shown).collect()
}
