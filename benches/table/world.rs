//! A server with a gate, the same server without, and an engineer, on real Git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binary that is measured.
pub const MLEDGER: &str = env!("CARGO_BIN_EXE_mledger");

/// Two bare repositories that differ in nothing but their hooks, and a clone that pushes to both.
pub struct World {
    root: PathBuf,
}

impl World {
    /// Makes it anew in `root`.
    pub fn new(root: &Path) -> Self {
        let _ = fs::remove_dir_all(root);
        fs::create_dir_all(root.join("home/.ssh")).unwrap();
        let world = Self { root: root.to_owned() };
        fs::write(
            root.join("home/.gitconfig"),
            "[user]\n\tname = Alice\n\temail = alice@bank.example\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n",
        )
        .unwrap();
        world.ok(root, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", "home/.ssh/id_ed25519"]);
        for bare in ["gate.git", "free.git"] {
            world.ok(root, "git", &["init", "-q", "--bare", bare]);
        }
        world.ok(root, MLEDGER, &["-C", "gate.git", "init", "--origin", "git.bank.example/models"]);
        fs::copy(root.join("gate.git/config"), root.join("free.git/config")).unwrap();
        write_script(&root.join("free.git/hooks/pre-receive"), "#!/bin/sh\nexit 0\n");
        world.ok(root, "git", &["clone", "-q", "gate.git", "alice"]);
        world.ok(&world.clone_dir(), MLEDGER, &["init"]);
        world.ok(&world.clone_dir(), "git", &["remote", "add", "free", "../free.git"]);
        world
    }

    /// The engineer's clone.
    pub fn clone_dir(&self) -> PathBuf {
        self.root.join("alice")
    }

    /// A path in the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A command in the engineer's environment.
    pub fn command(&self, dir: &Path, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.root.join("home")).env("GIT_CONFIG_GLOBAL", self.root.join("home/.gitconfig"));
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb");
        command
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, dir: &Path, program: &str, words: &[&str]) -> String {
        let output = self.command(dir, program, words).output().unwrap();
        assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a signed commit of one small file, and returns its name.
    pub fn commit(&self, number: usize) -> String {
        let dir = self.clone_dir();
        fs::create_dir_all(dir.join("models")).unwrap();
        fs::write(dir.join("models/scaler.json"), format!("{{\"scale\":{number}}}\n")).unwrap();
        self.ok(&dir, "git", &["add", "."]);
        self.ok(&dir, "git", &["commit", "-q", "-m", &format!("Retrain number {number}")]);
        self.ok(&dir, "git", &["rev-parse", "HEAD"])
    }

    /// The command that pushes a commit to `main` of a remote. The clone's own hooks stay out of it: what is compared
    /// is the server.
    pub fn push(&self, remote: &str, commit: &str) -> Command {
        let refspec = format!("{commit}:refs/heads/main");
        self.command(&self.clone_dir(), "git", &["-c", "core.hooksPath=/dev/null", "push", "-q", remote, &refspec])
    }
}

fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
