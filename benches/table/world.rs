//! A server with a gate, the same server without, and an engineer, on real Git.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mledger::git::{Kind, Repository};
use mledger::identity::ed25519::SecretKey;
use mledger::identity::file::{format_private, parse_private};
use mledger::identity::key::PublicKey;
use mledger::identity::sshsig;

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

impl World {
    /// Adds a server with a gate before what `fill` puts into it; the clone knows it by its name. A rule looks at every
    /// branch.
    pub fn add_server(&self, name: &str, fill: impl FnOnce(&Self, &Path)) {
        let dir = self.path(&format!("{name}.git"));
        self.ok(&self.root, "git", &["init", "-q", "--bare", dir.to_str().unwrap()]);
        fill(self, &dir);
        let starter = self.ok(&self.path("gate.git"), "git", &["show", "refs/mledger/log:policy.toml"]);
        let rule = "[[rules]]\nname = \"every push is signed\"\nrefs = [\"refs/heads/**\"]\nsigned-push = true\n";
        fs::write(self.path("policy.toml"), format!("{starter}\n{rule}")).unwrap();
        self.ok(&dir, MLEDGER, &["init", "--origin", "git.bank.example/models", "--policy", "../policy.toml"]);
        self.ok(&self.clone_dir(), "git", &["remote", "add", name, dir.to_str().unwrap()]);
    }

    /// Runs git with something to read.
    pub fn pipe(&self, dir: &Path, words: &[&str], input: &[u8]) {
        let mut child = self.command(dir, "git", words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The engineer signs with this key from now on.
    pub fn sign_with(&self, key: &SecretKey) {
        let path = self.key_file();
        fs::write(&path, format_private(key, "alice").unwrap().as_str()).unwrap();
        fs::write(path.with_extension("pub"), PublicKey::from_ed25519(key.public()).to_string()).unwrap();
        self.ok(&self.clone_dir(), "git", &["config", "user.signingKey", path.to_str().unwrap()]);
    }

    fn key_file(&self) -> PathBuf {
        self.path("home/.ssh/id_ed25519")
    }

    /// Many signed commits on one another, each of one small file, made without Git. They differ by `name` from all
    /// others. Returns the last.
    pub fn import(&self, name: &str, parent: Option<&str>, count: usize) -> String {
        let repository = Repository::open(&self.clone_dir()).unwrap();
        let mut parent = parent.map(str::to_owned);
        for number in 0..count {
            let text = format!("{name} {number}\n");
            let blob = repository.write(Kind::Blob, text.as_bytes()).unwrap();
            let tree = repository.write_tree(None, &[(format!("models/{}", number % 20), blob)], &[]).unwrap();
            parent = Some(self.write_commit(&repository, &tree.to_string(), parent.as_deref(), &text));
        }
        parent.unwrap()
    }

    /// Commits on one another; returns all of them.
    pub fn import_steps(&self, name: &str, count: usize) -> Vec<String> {
        let mut made: Vec<String> = Vec::new();
        for _ in 0..count {
            made.push(self.import(name, made.last().map(String::as_str), 1));
        }
        made
    }

    /// One signed commit of many files.
    pub fn import_files(&self, name: &str, count: usize) -> String {
        let repository = Repository::open(&self.clone_dir()).unwrap();
        let put: Vec<_> = (0..count)
            .map(|number| {
                let blob = repository.write(Kind::Blob, format!("{name} {number}\n").as_bytes()).unwrap();
                (format!("models/{}/{number}", number % 100), blob)
            })
            .collect();
        let tree = repository.write_tree(None, &put, &[]).unwrap();
        self.write_commit(&repository, &tree.to_string(), None, name)
    }

    fn write_commit(&self, repository: &Repository, tree: &str, parent: Option<&str>, message: &str) -> String {
        let key = parse_private(&fs::read_to_string(self.key_file()).unwrap(), None).unwrap();
        let above = parent.map(|oid| format!("parent {oid}\n")).unwrap_or_default();
        let who = "Alice <alice@bank.example> 1795000000 +0000";
        let head = format!("tree {tree}\n{above}author {who}\ncommitter {who}\n");
        let armour = sshsig::sign(&key, "git", format!("{head}\n{message}").as_bytes());
        let object = format!("{head}gpgsig {}\n\n{message}", armour.trim_end().replace('\n', "\n "));
        repository.write(Kind::Commit, object.as_bytes()).unwrap().to_string()
    }

    /// The command that pushes refspecs to a remote, past the clone's own hooks.
    pub fn push_all(&self, remote: &str, refspecs: &[String]) -> Command {
        let mut push =
            self.command(&self.clone_dir(), "git", &["-c", "core.hooksPath=/dev/null", "push", "-q", remote]);
        push.args(refspecs);
        push
    }
}

fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
