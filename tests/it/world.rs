//! Hermetic worlds: a temporary folder, people with homes and keys of their own, an environment that holds nothing else.
//!
//! ```
//! let world = World::new();
//! let alice = world.person("alice");
//! alice.git(world.root(), &["init", "-q", "model"]).ok();
//! alice.mledger(&world.path("model"), &["init"]).ok();
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The binary under test.
pub const MLEDGER: &str = env!("CARGO_BIN_EXE_mledger");

/// A temporary folder that goes away with the test.
pub struct World(tempfile::TempDir);

/// Somebody with a home, a Git identity and, unless taken away, an SSH key.
#[derive(Clone)]
pub struct Person {
    /// The part of the e-mail address before `@bank.example`.
    pub name: String,
    /// `$HOME`.
    pub home: PathBuf,
    /// Further environment variables, for every command.
    pub env: Vec<(String, String)>,
}

/// A command that ended.
#[derive(Debug)]
pub struct Run {
    /// What was run.
    #[allow(dead_code, reason = "a failing assertion prints it")]
    pub line: String,
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl World {
    /// A new, empty world.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("mledger world ").tempdir().unwrap())
    }

    /// Its folder; the name holds a blank, as folders do.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Somebody called `name`, with an Ed25519 key at `~/.ssh/id_ed25519`.
    pub fn person(&self, name: &str) -> Person {
        let person = self.person_without_key(name);
        fs::create_dir_all(person.home.join(".ssh")).unwrap();
        let key = person.key_file();
        let words = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key.to_str().unwrap()];
        person.run(Command::new("ssh-keygen").args(words), None).ok();
        person
    }

    /// Somebody who has no key yet.
    pub fn person_without_key(&self, name: &str) -> Person {
        let home = self.path(&format!("home of {name}"));
        fs::create_dir_all(&home).unwrap();
        let config = format!(
            "[user]\n\tname = {name}\n\temail = {name}@bank.example\n\
             [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n[gc]\n\tauto = 0\n"
        );
        fs::write(home.join(".gitconfig"), config).unwrap();
        Person { name: name.to_owned(), home, env: Vec::new() }
    }
}

impl Person {
    /// `name@bank.example`.
    pub fn id(&self) -> String {
        format!("{}@bank.example", self.name)
    }

    /// The private key's file.
    pub fn key_file(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519")
    }

    /// The public key's line, `ssh-ed25519 AAAA…`, without comment.
    pub fn public_key(&self) -> String {
        let text = fs::read_to_string(self.home.join(".ssh/id_ed25519.pub")).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// The same person, with one more environment variable.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.env.push((name.to_owned(), value.to_owned()));
        other
    }

    /// Runs git in `dir`.
    pub fn git(&self, dir: &Path, words: &[&str]) -> Run {
        self.run(Command::new("git").args(words).current_dir(dir), None)
    }

    /// Runs the binary under test in `dir`.
    pub fn mledger(&self, dir: &Path, words: &[&str]) -> Run {
        self.run(Command::new(MLEDGER).args(words).current_dir(dir), None)
    }

    /// Runs a command with this person's environment only, and `input` on its standard input.
    pub fn run(&self, command: &mut Command, input: Option<&[u8]>) -> Run {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("GIT_CONFIG_GLOBAL", self.home.join(".gitconfig"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C.UTF-8");
        // No editor unless a test brings one; a rebase's to-do list is taken as it is.
        command.env("GIT_SEQUENCE_EDITOR", "true").env("TZ", "UTC").env("TERM", "dumb");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let line = format!("{command:?}");
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(input) = input {
            // A command that does not read its input is free not to.
            let _ = child.stdin.take().unwrap().write_all(input);
        }
        Run::of(line, &child.wait_with_output().unwrap())
    }
}

impl Run {
    fn of(line: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { line, code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Its standard output without the last line's end; it must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out.trim_end_matches('\n').to_owned()
    }

    /// Its standard error; it must have failed.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:#?}");
        self.err
    }
}

/// Writes a file, with the folders above it.
pub fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes a script that can be run.
#[cfg(unix)]
pub fn write_script(dir: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    write(dir, name, text);
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}
