//! Small pushes that are huge when they are looked at. Each ends in an answer, and the next push goes through.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use mledger::git::{Kind, Repository};
use mledger::identity::sshsig;
use mledger::name::Oid;

use crate::bank::{Bank, certified_anew};
use crate::world::Run;

/// A bank with Alice's clone, and what she needs to write objects that Git never would.
struct Range {
    bank: Bank,
    dir: PathBuf,
    objects: Repository,
}

impl Range {
    fn open() -> Self {
        let bank = Bank::open();
        let dir = bank.clone_of(&bank.alice);
        let objects = Repository::open(&dir).unwrap();
        Self { bank, dir, objects }
    }

    fn blob(&self, bytes: &[u8]) -> Oid {
        self.objects.write(Kind::Blob, bytes).unwrap()
    }

    /// A folder of these entries, which are in Git's order already.
    fn tree(&self, entries: impl IntoIterator<Item = (String, Option<Oid>)>, beneath: Oid) -> Oid {
        let mut raw = Vec::new();
        for (name, blob) in entries {
            raw.extend(if blob.is_some() { &b"100644 "[..] } else { b"40000 " });
            raw.extend(name.as_bytes());
            raw.push(0);
            raw.extend(blob.unwrap_or(beneath).as_bytes());
        }
        self.objects.write(Kind::Tree, &raw).unwrap()
    }

    fn root(&self, name: &str, beneath: Oid) -> Oid {
        self.tree([(name.to_owned(), None)], beneath)
    }

    /// A commit of Alice's on `main` with her signature.
    fn commit(&self, tree: Oid, more: &str, message: &str) -> String {
        let parent = self.objects.resolve("origin/main").unwrap();
        self.orphan(tree, &format!("parent {parent}\n{more}"), message)
    }

    /// The same without `main` behind it.
    fn orphan(&self, tree: Oid, more: &str, message: &str) -> String {
        let who = format!("alice <{}> 1795000000 +0000", self.bank.alice.id());
        let head = format!("tree {tree}\n{more}author {who}\ncommitter {who}\n");
        let signed = format!("{head}\n{message}");
        let armour = sshsig::sign(&self.bank.alice.key(), "git", signed.as_bytes());
        let object = format!("{head}gpgsig {}\n\n{message}", armour.trim_end().replace('\n', "\n "));
        self.objects.write(Kind::Commit, object.as_bytes()).unwrap().to_string()
    }

    /// Alice pushes to a branch of hers. The server's Git has a gigabyte and a half of memory for each of its programs,
    /// the gate among them.
    fn push(&self, commit: &str, name: &str) -> Run {
        let receive = "--receive-pack=ulimit -v 1500000; git-receive-pack";
        let target = format!("{commit}:refs/heads/{name}");
        certified_anew(|| {
            let mut command = Command::new("git");
            command.args(["-c", "core.maxTreeDepth=1000000", "push", "-q", receive, "origin", &target]);
            self.bank.alice.run(command.current_dir(&self.dir), None)
        })
    }

    /// The gate refuses it, says and records why.
    #[track_caller]
    fn refused(&self, code: &str, words: &str, commit: &str) {
        self.bank.refused(code, words, || self.push(commit, "dev/bomb"));
        self.goes_on();
    }

    /// The next push goes through.
    #[track_caller]
    fn goes_on(&self) {
        self.push("origin/main", "dev/next").ok();
        self.push("", "dev/next").ok();
        self.bank.holds();
    }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("{n:06}"))
}

#[test]
fn ten_trees_that_describe_a_billion_paths() {
    let range = Range::open();
    let blob = range.blob(b"x");
    let mut tree = range.tree((0..10).map(|n| (n.to_string(), Some(blob))), blob);
    for _ in 0..8 {
        tree = range.tree((0..10).map(|n| (n.to_string(), None)), tree);
    }
    let commit = range.commit(range.root("models", tree), "", "A billion\n");
    range.refused("too-many-changes", "50001 paths in one commit, at most 50000", &commit);
}

#[test]
fn folders_within_folders() {
    let range = Range::open();
    let mut tree = range.tree([("x".to_owned(), Some(range.blob(b"x")))], Oid::from_bytes([0; 20]));
    for _ in 0..1000 {
        tree = range.root("d", tree);
    }
    let deep = range.commit(range.root("models", tree), "", "Deep\n");
    range.refused("update-problem", "deeper than 128 folders", &deep);
    for _ in 1000..10_000 {
        tree = range.root("d", tree);
    }
    let deeper = range.commit(range.root("models", tree), "", "Deeper\n");
    // Git itself, at one end or the other, gives up before the gate sees it.
    range.push(&deeper, "dev/bomb").fails();
    assert_eq!(range.bank.tip("refs/heads/dev/bomb"), "");
    range.goes_on();
}

#[test]
fn one_commit_of_a_great_many_things() {
    let range = Range::open();
    let main = range.objects.resolve("origin/main").unwrap();
    let (tree, _) = range.objects.links(&main).unwrap();

    let message = range.commit(tree, "", &"words ".repeat(200_000));
    range.refused("update-problem", "more than the 1048576 allowed", &message);
    let parents = range.commit(tree, &format!("parent {main}\n").repeat(10_000), "Many parents\n");
    range.refused("update-problem", "more than 128 parents", &parents);
    let parents = range.commit(tree, &format!("parent {main}\n").repeat(100_000), "More parents\n");
    range.refused("update-problem", "more than the 1048576 allowed", &parents);

    let blob = range.blob(b"x");
    let files = range.tree(numbered(70_000).map(|name| (name, Some(blob))), blob);
    let files = range.commit(range.root("models", files), "", "Many files\n");
    range.refused("too-many-changes", "at most 50000", &files);

    // Whatever fits the limits is nobody's attack.
    let mut trailers = "Trailers\n\n".to_owned();
    (0..30_000).for_each(|n| writeln!(trailers, "Trailer-{n}: {n}").unwrap());
    let trailers = range.commit(tree, "", &trailers);
    range.push(&trailers, "dev/trailers").ok();
    let said = range.push(&trailers, "main").fails();
    assert!(said.contains("may not update this ref"), "{said}");
    range.bank.holds();
}

#[test]
fn a_hundred_megabytes_of_nothing() {
    let range = Range::open();
    let zeros = range.blob(&vec![0; 104_857_600]);
    let tree = range.tree([("zeros".to_owned(), Some(zeros))], zeros);
    let commit = range.commit(range.root("models", tree), "", "Zeros\n");
    range.refused("file-too-large", "104857600 bytes, at most 100000000", &commit);
}

#[test]
fn names_of_every_sort() {
    let range = Range::open();
    let blob = range.blob(b"x");
    let wild = range.tree([("\u{1b}[2J\n\"\\".to_owned(), Some(blob)), ("\u{7f}".to_owned(), Some(blob))], blob);
    let wild = range.orphan(range.root("models", wild), "", "Wild\n");
    range.push(&wild, "dev/wild").ok();
    let said = range.push(&wild, "main").fails();
    assert!(!said.contains('\u{1b}'), "{said}");
    // A path of 4,000 bytes that nobody but a maintainer may write.
    let mut tree = range.tree([("x".repeat(250), Some(blob))], blob);
    for _ in 0..15 {
        tree = range.root(&"\"".repeat(250), tree);
    }
    let long = range.orphan(range.root("secret", tree), "", "Long\n");
    range.bank.refused("update-problem", "may not commit here", || range.push(&long, "dev/bomb"));
    let newest = range.bank.newest_push();
    assert!(newest["reason"]["detail"].as_str().unwrap().starts_with("commit-not-granted"), "{newest:#}");

    let nul = range.commit(tree, "", "a NUL \0 in it\n");
    range.push(&nul, "dev/bomb").fails();
    let component = "r".repeat(300);
    range.bank.refused("pusher-refused", "longer than 255 bytes", || range.push("origin/main", &component));
    range.bank.refused("pusher-refused", "longer than 255 bytes", || {
        range.push("origin/main", "a/".repeat(2000).trim_end_matches('/'))
    });
    range.goes_on();
}

#[test]
fn five_thousand_refs() {
    let range = Range::open();
    let (alice, dir) = (&range.bank.alice, &range.dir);
    let main = range.objects.resolve("origin/main").unwrap();
    let lines: String = (0..5000).map(|n| format!("create refs/heads/dev/{n:0100} {main}\n")).collect();
    let mut command = Command::new("git");
    command.args(["update-ref", "--stdin"]).current_dir(dir);
    alice.run(&mut command, Some(lines.as_bytes())).ok();
    range.bank.refused("too-many-refs", "5000 refs, at most 1000", || alice.push(dir, &["-q", "refs/heads/dev/*"]));
    range.goes_on();
}
