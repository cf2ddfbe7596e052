//! A bank: a bare repository behind a gate, and the people who push to it.
//!
//! Carol administers and maintains, Bob maintains, Alice is an engineer; Mallory has a key that nobody enrolled. Every
//! attack ends in [`Bank::refused`], which looks at the refusal, the refs and the ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use mledger::git::{Kind, Repository};
use mledger::identity::ed25519::SecretKey;
use mledger::identity::file::parse_private;
use mledger::identity::sshsig;
use serde_json::Value;

use super::world::{MLEDGER, Person, Run, World, write};

/// The ledger's name.
pub const ORIGIN: &str = "git.bank.example/models";

/// The world with one bare repository, `models.git`.
pub struct Bank {
    /// The folder of everything.
    pub world: World,
    /// The bare repository.
    pub server: PathBuf,
    /// Admin and maintainer.
    pub carol: Person,
    /// Maintainer.
    pub bob: Person,
    /// Engineer.
    pub alice: Person,
    /// Nobody to the policy.
    pub mallory: Person,
}

/// The refs of a repository by name, the ledger's left out.
pub type Refs = BTreeMap<String, String>;

impl Bank {
    /// A gate with [`Bank::policy`] before a repository whose `main` holds one unsigned commit.
    pub fn open() -> Self {
        Self::open_with("", &[])
    }

    /// The same with `more` text at the policy's end, and more words for `mledger init`.
    pub fn open_with(more: &str, words: &[&str]) -> Self {
        let bank = Self::closed();
        bank.seed();
        bank.gate(more, words).ok();
        bank
    }

    /// A gate whose policy is [`Bank::policy`], changed.
    pub fn open_under(change: impl FnOnce(String) -> String, words: &[&str]) -> Self {
        let bank = Self::closed();
        bank.seed();
        write(bank.world.root(), "changed.toml", &change(bank.policy()));
        let file = bank.world.path("changed.toml");
        let init = ["init", "--origin", ORIGIN, "--policy", file.to_str().unwrap()];
        bank.carol.mledger(&bank.server, &[&init, words].concat()).ok();
        bank
    }

    /// An empty bare repository without a gate.
    pub fn closed() -> Self {
        let world = World::new();
        let people = ["carol", "bob", "alice", "mallory"].map(|name| world.person(name));
        let [carol, bob, alice, mallory] = people;
        carol.git(world.root(), &["init", "-q", "--bare", "models.git"]).ok();
        Self { server: world.path("models.git"), world, carol, bob, alice, mallory }
    }

    /// What was there before the gate: `README` and `models/old` on `main`.
    pub fn seed(&self) {
        let dir = self.bare_clone_of(&self.carol, "seed");
        write(&dir, "README", "models of the bank\n");
        self.carol.commit(&dir, "models/old", "old\n");
        self.carol.git(&dir, &["add", "README"]).ok();
        self.carol.git(&dir, &["commit", "-q", "--amend", "--no-edit"]).ok();
        self.carol.push(&dir, &["HEAD:refs/heads/main"]).ok();
    }

    /// Puts the gate into the repository.
    pub fn gate(&self, more: &str, words: &[&str]) -> Run {
        write(self.world.root(), "policy.toml", &(self.policy() + more));
        let policy = self.world.path("policy.toml");
        let init =
            ["-C", self.server.to_str().unwrap(), "init", "--origin", ORIGIN, "--policy", policy.to_str().unwrap()];
        self.carol.mledger(self.world.root(), &[&init, words].concat())
    }

    /// Engineers may commit models and configs and do as they like below `dev/`; maintainers may commit anything, and
    /// create and update `main` and tags `v…`.
    pub fn policy(&self) -> String {
        let actor = |person: &Person, rest: &str| {
            format!("[actors.\"{}\"]\nkeys = [\"{}\"]\n{rest}\n", person.id(), person.public_key())
        };
        let people = [
            actor(&self.carol, "roles = [\"maintainer\"]"),
            actor(&self.bob, "roles = [\"maintainer\"]"),
            actor(&self.alice, "roles = [\"engineer\"]\nlogins = [\"env:alice\", \"http:alice\"]"),
        ];
        format!(
            r#"mledger = 1
name = "models"
[admin]
actors = ["carol@bank.example"]
{}
[roles.engineer]
allow = [
  {{ actions = ["commit"], paths = ["models/**", "configs/**"] }},
  {{ actions = ["create", "update", "rewrite", "delete"], refs = ["refs/heads/dev/**"] }},
]
[roles.maintainer]
inherits = ["engineer"]
allow = [
  {{ actions = ["commit"] }},
  {{ actions = ["create", "update"], refs = ["refs/heads/main", "refs/tags/v*"] }},
]
[[rules]]
name = "main is bound by manifests"
refs = ["refs/heads/main"]
manifest = true
[[rules]]
name = "prod configs need a ticket"
refs = ["refs/heads/main"]
paths = ["configs/prod/**"]
trailers = ["Ticket"]
"#,
            people.concat()
        )
    }

    /// A clone with `mledger init`, below the world's folder.
    pub fn clone_of(&self, person: &Person) -> PathBuf {
        let dir = self.bare_clone_of(person, &person.name);
        person.mledger(&dir, &["init"]).ok();
        dir
    }

    /// A clone without anything of mledger's.
    pub fn bare_clone_of(&self, person: &Person, name: &str) -> PathBuf {
        let words = ["clone", "-q", self.server.to_str().unwrap(), name];
        person.git(self.world.root(), &words).ok();
        self.world.path(name)
    }

    /// Every ref on the server but the ledger.
    pub fn refs(&self) -> Refs {
        let lines = self.on_server(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let pairs = lines.lines().filter_map(|line| line.split_once(' '));
        pairs
            .filter(|(name, _)| *name != "refs/mledger/log")
            .map(|(name, tip)| (name.to_owned(), tip.to_owned()))
            .collect()
    }

    /// Where a ref stands on the server; empty if it does not exist.
    pub fn tip(&self, name: &str) -> String {
        self.refs().remove(name).unwrap_or_default()
    }

    /// Runs git in the server's repository, as its administrator.
    #[track_caller]
    pub fn on_server(&self, words: &[&str]) -> String {
        self.carol.git(&self.server, words).ok()
    }

    /// How many entries the ledger has.
    pub fn size(&self) -> u64 {
        self.log().len() as u64
    }

    /// The ledger as `mledger log --json` tells it, oldest first.
    #[track_caller]
    pub fn log(&self) -> Vec<Value> {
        let lines = self.carol.mledger(&self.server, &["log", "--json", "--reverse"]).ok();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The newest push as `mledger log --json` tells it.
    #[track_caller]
    pub fn newest_push(&self) -> Value {
        self.log().into_iter().rev().find(|row| row["kind"] == "push").unwrap()
    }

    /// A leaf as it is.
    #[track_caller]
    pub fn leaf(&self, index: u64) -> Value {
        let shown = self.carol.mledger(&self.server, &["show", "--json", &index.to_string()]).ok();
        serde_json::from_str::<Value>(&shown).unwrap()["leaf"].clone()
    }

    /// `mledger verify` in the server's repository: its exit code and report.
    #[track_caller]
    pub fn report(&self) -> (i32, Value) {
        report(&self.carol, &self.server, &[])
    }

    /// Everything holds, also what entries assert about objects.
    #[track_caller]
    pub fn holds(&self) -> Value {
        let (code, report) = report(&self.carol, &self.server, &["--objects"]);
        assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{report:#}");
        report
    }

    /// Something does not hold: a problem of that code whose message has the words. Returns the index it names.
    #[track_caller]
    pub fn found(&self, code: &str, words: &str) -> Value {
        found(&self.report(), code, words)
    }

    /// Runs `attack`, which must be refused with these words; nothing may move, the denial is in the ledger with that
    /// code, and `verify` makes the same decision again.
    #[track_caller]
    pub fn refused(&self, code: &str, words: &str, attack: impl FnOnce() -> Run) -> String {
        self.forget_denials();
        let (refs, size) = (self.refs(), self.size());
        let said = attack().fails();
        assert!(said.contains(words), "not `{words}` but\n{said}");
        assert_eq!(self.refs(), refs, "a refused push moved a ref\n{said}");
        let push = self.newest_push();
        assert!(push["index"].as_u64().unwrap() >= size, "the denial is not in the ledger\n{said}");
        assert_eq!(push["decision"], "denied");
        assert_eq!(push["reason"]["code"], code, "{push:#}");
        self.holds();
        said
    }

    /// The next denial gets an entry, however many were denied in this minute: a server without the file starts over.
    pub fn forget_denials(&self) {
        let _ = std::fs::remove_file(self.server.join("mledger/denials"));
    }

    /// Runs `attack`, which Git or the gate stops before anything is recorded.
    #[track_caller]
    pub fn stopped(&self, words: &str, attack: impl FnOnce() -> Run) -> String {
        let (refs, size) = (self.refs(), self.size());
        let said = attack().fails();
        assert!(said.contains(words), "not `{words}` but\n{said}");
        assert_eq!((self.refs(), self.size()), (refs, size), "something moved\n{said}");
        said
    }
}

/// Pushes again while the certificate was used before: the same move twice within a second carries the same one, since
/// Git's nonce and dates count in seconds.
pub fn certified_anew(push: impl FnMut() -> Run) -> Run {
    let is_new = |run: &Run| !run.err.contains("this push certificate was used before");
    // Each takes its time: a second is long over.
    std::iter::repeat_with(push).take(1000).find(is_new).expect("a certificate that is new in another second")
}

/// `mledger verify --json` in any folder.
#[track_caller]
pub fn report(person: &Person, dir: &Path, words: &[&str]) -> (i32, Value) {
    let run = person.mledger(dir, &[&["--json", "verify"], words].concat());
    let report = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("no report: {run:#?}"));
    (run.code.unwrap(), report)
}

/// The report holds a problem of that code whose message has the words. Returns the index it names.
#[track_caller]
pub fn found((exit, report): &(i32, Value), code: &str, words: &str) -> Value {
    assert_eq!((*exit, &report["ok"]), (4, &Value::Bool(false)), "{report:#}");
    let problems = report["problems"].as_array().unwrap();
    let fits = |problem: &&Value| problem["code"] == code && problem["message"].as_str().unwrap().contains(words);
    let problem = problems.iter().find(fits).unwrap_or_else(|| panic!("no `{code}: {words}` in {report:#}"));
    problem["index"].clone()
}

impl Person {
    /// Writes a file and commits it, with whatever hooks and signing the clone has. Returns the commit.
    #[track_caller]
    pub fn commit(&self, dir: &Path, file: &str, text: &str) -> String {
        self.commit_as(dir, file, text, &["-m", &format!("Change {file}")])
    }

    /// The same with words of its own for `git commit`.
    #[track_caller]
    pub fn commit_as(&self, dir: &Path, file: &str, text: &str, words: &[&str]) -> String {
        write(dir, file, text);
        self.git(dir, &["add", "--", file]).ok();
        self.git(dir, &[&["commit", "-q"], words].concat()).ok();
        self.git(dir, &["rev-parse", "HEAD"]).ok()
    }

    /// `git push origin …`, with a certificate that was not used before.
    pub fn push(&self, dir: &Path, words: &[&str]) -> Run {
        certified_anew(|| self.git(dir, &[&["push", "origin"], words].concat()))
    }

    /// Writes an object and returns its name.
    #[track_caller]
    pub fn write_object(&self, dir: &Path, kind: &str, bytes: &[u8]) -> String {
        let mut command = Command::new("git");
        command.args(["hash-object", "-w", "--literally", "-t", kind, "--stdin"]).current_dir(dir);
        self.run(&mut command, Some(bytes)).ok()
    }

    /// An armoured SSH signature by this person's key.
    #[track_caller]
    pub fn sign(&self, namespace: &str, bytes: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.key_file());
        self.run(&mut command, Some(bytes)).ok() + "\n"
    }

    /// Writes a commit object with this person's signature over it, without Git's help.
    #[track_caller]
    pub fn write_signed_commit(&self, dir: &Path, head: &str, message: &str, namespace: &str) -> String {
        let armour = self.sign(namespace, format!("{head}\n{message}").as_bytes());
        let folded = armour.trim_end().replace('\n', "\n ");
        self.write_object(dir, "commit", format!("{head}gpgsig {folded}\n\n{message}").as_bytes())
    }
}

/// The binary's path, for receive-pack wrappers and hooks.
pub fn binary() -> &'static str {
    MLEDGER
}

impl Person {
    /// This person's private key.
    pub fn key(&self) -> SecretKey {
        parse_private(&std::fs::read_to_string(self.key_file()).unwrap(), None).unwrap()
    }

    /// Many signed commits at once on top of `parent` (none: a root commit), each changing `models/<n>`; returns them,
    /// oldest first. They carry no trailers.
    pub fn import(&self, dir: &Path, parent: Option<&str>, count: usize) -> Vec<String> {
        let repository = Repository::open(dir).unwrap();
        let key = self.key();
        let mut parent = parent.map(|name| repository.resolve(name).unwrap());
        let mut tree = parent.map(|oid| repository.links(&oid).unwrap().0);
        let mut made = Vec::new();
        for n in 0..count {
            let blob = repository.write(Kind::Blob, format!("content {n}\n").as_bytes()).unwrap();
            tree = Some(repository.write_tree(tree.as_ref(), &[(format!("models/{}", n % 20), blob)], &[]).unwrap());
            let above = parent.map(|oid| format!("parent {oid}\n")).unwrap_or_default();
            let who = format!("{} <{}> {} +0000", self.name, self.id(), 1_795_000_000 + n);
            let head = format!("tree {}\n{above}author {who}\ncommitter {who}\n", tree.unwrap());
            let message = format!("Change {n}\n");
            let armour = sshsig::sign(&key, "git", format!("{head}\n{message}").as_bytes());
            let object = format!("{head}gpgsig {}\n\n{message}", armour.trim_end().replace('\n', "\n "));
            parent = Some(repository.write(Kind::Commit, object.as_bytes()).unwrap());
            made.push(parent.unwrap().to_string());
        }
        made
    }
}
