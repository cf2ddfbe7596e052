//! For tests: the vectors, and real Git and ssh-keygen in a folder and an environment of their own.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::identity::ed25519::SecretKey;
use crate::identity::file;
use crate::identity::key::PublicKey;

/// The files below `tests/vectors/v1/` in `folder`, by name.
pub(crate) fn vectors(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/v1").join(folder);
    let mut vectors: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    vectors.sort();
    assert!(!vectors.is_empty(), "{} holds no vectors", folder.display());
    vectors
}

/// A folder to run programs in, without the user's configuration.
pub(crate) struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A repository that signs with `key`; its public half lies in `key.pub`.
    pub(crate) fn repository(key: &SecretKey) -> Self {
        let sandbox = Self::new();
        sandbox.write_private("key", &file::format_private(key, "").unwrap());
        sandbox.write("key.pub", PublicKey::from_ed25519(key.public()).to_string().as_bytes());
        sandbox.git(&["init", "-q", "-b", "main"]);
        for (name, value) in [("gpg.format", "ssh"), ("user.signingKey", "key.pub"), ("commit.gpgSign", "true")] {
            sandbox.git(&["config", name, value]);
        }
        sandbox
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn write_private(&self, name: &str, content: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(self.0.path().join(name));
        file.unwrap().write_all(content.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    pub(crate) fn remove(&self, names: &[&str]) {
        for name in names {
            let _ = fs::remove_file(self.0.path().join(name));
        }
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        self.run("git", arguments, b"")
    }

    pub(crate) fn git_text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.git(arguments)).unwrap().trim_end().to_owned()
    }

    /// Runs a program that must succeed, and returns its standard output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.0.path())
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C.UTF-8")])
            .envs([("GIT_AUTHOR_NAME", "Alice"), ("GIT_AUTHOR_EMAIL", "alice@bank.example")])
            .envs([("GIT_COMMITTER_NAME", "Alice"), ("GIT_COMMITTER_EMAIL", "alice@bank.example")])
            .envs([("GIT_AUTHOR_DATE", "1795436102 +0100"), ("GIT_COMMITTER_DATE", "1795436102 +0100")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {talk}");
        output.stdout
    }
}
