//! `mledger verify`: whole ledgers hold wherever they are looked at, and whatever is changed in one is found and named.

use std::path::Path;

use mledger::clock::Timestamp;
use mledger::entry::field::Blobs;
use mledger::entry::leaf::Leaf;
use mledger::git::{Kind, Repository};
use mledger::identity::ed25519::SecretKey;
use mledger::identity::file::parse_private;
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::message::Message;
use mledger::ledger::place::Place;
use mledger::ledger::read::{Head, Log};
use mledger::name::{Oid, Origin};
use mledger::tlog::key::VerifierKey;
use serde_json::{Value, json};

use crate::bank::{Bank, ORIGIN, found, report};
use crate::earlier;
use crate::formats::{fits, schema};
use crate::world::write;

/// A bank with some of everything in its ledger: pushes accepted and denied, an import that is sealed, a policy change,
/// something unexplained, and a policy too long for its leaf.
fn busy() -> Bank {
    let padding = "# ".to_owned() + &"long ".repeat(4000) + "\n";
    let bank = Bank::open_with(&padding, &[]);
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    alice.push(&dir, &["HEAD:refs/heads/main"]).fails();
    let commits = alice.import(&dir, Some("origin/main"), 270);
    alice.push(&dir, &[&format!("{}:refs/heads/dev/import", commits[269])]).ok();
    let carols = bank.clone_of(&bank.carol);
    let policy = bank.carol.mledger(&carols, &["policy", "show"]).ok();
    write(&carols, "new.toml", &policy.replace("name = \"models\"", "name = \"newer\""));
    bank.carol.mledger(&carols, &["policy", "apply", "new.toml"]).ok();
    alice.commit(&dir, "models/a", "two");
    alice.push(&dir, &["HEAD:refs/heads/dev/a"]).ok();
    bank
}

/// The ledger of a repository, its key, and the ways to change both as whoever holds the disk can.
pub struct Forge {
    /// The bank's.
    pub repository: Repository,
    vkey: VerifierKey,
}

impl Forge {
    /// Of a bare repository.
    pub fn open(dir: &Path) -> Self {
        let vkey = std::fs::read_to_string(dir.join("mledger/vkey")).unwrap();
        Self { repository: Repository::open(dir).unwrap(), vkey: VerifierKey::parse(vkey.trim()).unwrap() }
    }

    /// The ledger's commits, oldest first.
    pub fn chain(&self) -> Vec<Head> {
        let mut at = self.repository.tip(&mledger::ledger::log_ref().unwrap()).unwrap();
        let mut chain = Vec::new();
        while let Some(commit) = at {
            let head = Head::read(&self.repository, commit).unwrap();
            at = head.message.parent;
            chain.push(head);
        }
        chain.reverse();
        chain
    }

    /// Writes the messages as a chain of commits and returns the newest.
    pub fn write(&self, parent: Option<Oid>, messages: impl IntoIterator<Item = Message>) -> Oid {
        let origin = Origin::parse(ORIGIN).unwrap();
        let write = |parent: Option<Oid>, message: Message| {
            let last = message.leaves.last().and_then(|leaf| Leaf::parse(leaf).ok());
            let time = last.map_or_else(|| Timestamp::from_millis(0).unwrap(), |leaf| leaf.time());
            let object = Message { parent, ..message }.to_object(&origin, time);
            Some(self.repository.write(Kind::Commit, &object).unwrap())
        };
        messages.into_iter().fold(parent, write).unwrap()
    }

    /// Sets the ledger's ref.
    pub fn move_ref(&self, to: Oid) {
        let name = mledger::ledger::log_ref().unwrap();
        let now = self.repository.tip(&name).unwrap();
        self.repository.move_ref(&name, &to, now.as_ref(), "forge").unwrap();
    }

    /// Every leaf as JSON.
    pub fn leaves(&self) -> Vec<Value> {
        let log = Log::open(&self.repository, Some(&self.vkey)).unwrap();
        (0..log.size()).map(|index| serde_json::from_slice(&log.leaf_bytes(index).unwrap()).unwrap()).collect()
    }
}

#[test]
fn a_ledger_holds_wherever_it_is() {
    let bank = busy();
    let whole = bank.holds();
    assert!(whole["size"].as_u64().unwrap() > 256);
    assert_eq!(whole["decisions"], json!({ "accepted": 3, "denied": 1, "replayed": 4 }));
    assert_eq!(whole["refs"], json!({ "covered": 3, "pending": 0 }));
    // In a clone that follows it.
    let clone = bank.world.path("alice");
    bank.alice.git(&clone, &["fetch", "-q"]).ok();
    let (code, there) = report(&bank.alice, &clone, &[]);
    assert_eq!((code, &there["root"], &there["ok"]), (0, &whole["root"], &json!(true)), "{there:#}");
    assert!(there["refs"]["covered"].as_u64().unwrap() >= 2, "{there:#}");
    // In a repository with nothing but the ref, by somebody who knows one key, and by somebody who does not.
    let auditor = bank.world.person_without_key("audit");
    auditor.git(bank.world.root(), &["init", "-q", "--bare", "audit.git"]).ok();
    let audit = bank.world.path("audit.git");
    let spec = "refs/mledger/log:refs/mledger/log";
    auditor.git(&audit, &["fetch", "-q", "--depth=256", bank.server.to_str().unwrap(), spec]).ok();
    let vkey = whole["vkey"].as_str().unwrap();
    for words in [&[][..], &["--key", vkey]] {
        let (code, alone) = report(&auditor, &audit, words);
        assert_eq!((code, &alone["root"]), (0, &whole["root"]), "{alone:#}");
        for same in ["size", "entries", "signatures", "decisions", "origin", "vkey", "checkpoint"] {
            assert_eq!(alone[same], whole[same], "{same}");
        }
    }
    let objects = auditor.git(&audit, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]).ok();
    assert!(
        !auditor.git(&audit, &["rev-parse", "-q", "--verify", &bank.tip("refs/heads/main")]).out.is_empty()
            || !objects.is_empty()
    );
    auditor.git(&audit, &["cat-file", "-e", &bank.tip("refs/heads/main")]).fails();
    // Another key than the one it is signed with.
    let other =
        VerifierKey::new(vkey_name(), mledger::tlog::key::KeyKind::Ed25519, SecretKey::from_seed(&[7; 32]).public());
    let run = auditor.mledger(&audit, &["verify", "--key", &other.to_string()]);
    assert!(run.code == Some(4) && run.err.contains("checkpoint does not hold"), "{run:#?}");
    // What was verified is remembered: a shorter ledger is found by the same auditor.
    let earlier = auditor.git(&audit, &["rev-parse", "refs/mledger/log~2"]).ok();
    auditor.git(&audit, &["update-ref", "refs/mledger/log", &earlier]).ok();
    found(&report(&auditor, &audit, &[]), "rollback", "the checkpoint verified last proves that it had");
}

fn vkey_name() -> mledger::tlog::key::KeyName {
    (&Origin::parse(ORIGIN).unwrap()).into()
}

#[test]
fn leaves_dropped_swapped_inserted_and_cut_are_found() {
    let bank = Bank::short();
    let forge = Forge::open(&bank.server);
    let chain = forge.chain();
    let honest = chain.last().unwrap().commit;
    let messages: Vec<Message> = chain.iter().map(|head| head.message.clone()).collect();
    let two = messages.iter().position(|message| message.leaves.len() > 1).unwrap();
    let forged = |change: &dyn Fn(&mut Vec<Message>)| {
        let mut messages = messages.clone();
        change(&mut messages);
        forge.move_ref(forge.write(None, messages));
        let outcome = bank.carol.mledger(&bank.server, &["verify", "--full"]);
        forge.move_ref(honest);
        assert_eq!(outcome.code, Some(4), "{outcome:#?}");
        outcome.out + &outcome.err
    };
    for (name, said) in [
        ("dropped", forged(&|all| drop(all[two].leaves.remove(0)))),
        ("swapped", forged(&|all| all[two].leaves.swap(0, 1))),
        (
            "inserted",
            forged(&|all| {
                let leaf = all[two].leaves[0].clone();
                all[two].leaves.insert(0, leaf);
            }),
        ),
        (
            "appended",
            forged(&|all| {
                let leaf = all[two + 1].leaves[0].clone();
                all.last_mut().unwrap().leaves.push(leaf);
            }),
        ),
        (
            "moved",
            forged(&|all| {
                let leaf = all[two].leaves.remove(0);
                all[two + 1].leaves.push(leaf);
            }),
        ),
        ("append dropped", forged(&|all| drop(all.remove(two)))),
        ("appends swapped", forged(&|all| all.swap(two, two + 1))),
        ("subject", forged(&|all| all[two].subject = "carol may do as she likes".to_owned())),
    ] {
        assert!(said.contains("problem") || said.contains("error"), "{name}: {said}");
    }
    // Cut at its end, it is whole, but shorter than it was.
    forge.move_ref(chain[two].commit);
    bank.found("rollback", "the second copy of the newest checkpoint proves that it had");
    forge.move_ref(honest);
    bank.holds();
    // A checkpoint of another key, and one whose root was changed.
    let mut messages = messages.clone();
    let last = messages.last_mut().unwrap();
    let other = chain.last().unwrap().checkpoint.sign(&SecretKey::from_seed(&[9; 32]));
    last.note = other;
    forge.move_ref(forge.write(None, messages));
    let run = bank.carol.mledger(&bank.server, &["verify", "--full"]);
    assert!(run.code == Some(4) && run.err.contains("checkpoint does not hold"), "{run:#?}");
    let run = bank.carol.git(&bank.server, &["show-ref"]);
    assert!(run.out.contains("refs/heads/a"), "{run:#?}");
}

#[test]
fn what_is_sealed_is_covered() {
    let bank = busy();
    let forge = Forge::open(&bank.server);
    let chain = forge.chain();
    let head = chain.last().unwrap();
    let tree = head.message.tree;
    let read = |path: &str| {
        let blob = forge.repository.entry(&tree, path).unwrap().unwrap_or_else(|| panic!("no {path}"));
        forge.repository.read(&blob, Kind::Blob).unwrap()
    };
    let with_tree = |tree: Oid| {
        forge.move_ref(forge.write(head.message.parent, [Message { tree, ..head.message.clone() }]));
        let outcome = bank.report();
        forge.move_ref(head.commit);
        outcome
    };
    let changed = |path: &str, bytes: &[u8]| {
        let blob = forge.repository.write(Kind::Blob, bytes).unwrap();
        with_tree(forge.repository.write_tree(Some(&tree), &[(path.to_owned(), blob)], &[]).unwrap())
    };
    let removed = |path: &str| with_tree(forge.repository.write_tree(Some(&tree), &[], &[path.to_owned()]).unwrap());
    let flipped = |path: &str, at: usize| {
        let mut bytes = read(path);
        bytes[at] ^= 1;
        changed(path, &bytes)
    };
    // A leaf of the bundle, so that it still parses: the digit of a time.
    let entries = read("tile/entries/000");
    let at = entries.windows(2).enumerate().filter(|(_, pair)| pair == b"Z\"").nth(9).unwrap().0 - 1;
    let index = found(&flipped("tile/entries/000", at), "hash", "it is not the entry that the tree was built from");
    assert!((1..20).contains(&index.as_u64().unwrap()), "{index}");
    found(&flipped("tile/entries/000", 0), "bundle", "entries 0 to 255 cannot be read");
    found(&removed("tile/entries/000"), "bundle", "`tile/entries/000` is missing");
    let index = found(&flipped("tile/0/000", 32 * 7 + 3), "hash", "it is not the entry");
    assert_eq!(index, 7);
    found(&removed("tile/0/000"), "tile", "`tile/0/000` cannot be read");
    found(&changed("policy.toml", b"mledger = 1\n"), "policy-view", "is not the policy in force");
    let names = bank.on_server(&["ls-tree", "-r", "--name-only", "refs/mledger/log", "blob/"]);
    let mut blobs = 0;
    for path in names.lines() {
        assert_eq!(removed(path).0, 4, "{path} may be missing");
        assert_eq!(flipped(path, 3).0, 4, "{path} may change");
        blobs += 1;
    }
    assert!(blobs >= 2, "{names}");
    bank.holds();
}

/// What a server that lies would put into a ledger of its own, signed with the true key.
pub struct Liar<'a> {
    bank: &'a Bank,
    key: SecretKey,
    /// The honest ledger's.
    pub leaves: Vec<Value>,
    count: usize,
}

impl<'a> Liar<'a> {
    /// The server of a bank, whose true ledger holds.
    #[track_caller]
    pub fn of(bank: &'a Bank) -> Self {
        let key = std::fs::read_to_string(bank.server.join("mledger/ledger.key")).unwrap();
        let leaves = Forge::open(&bank.server).leaves();
        let [of_leaf, of_line, of_show] = ["leaf", "log-line", "show"].map(schema);
        for (leaf, line) in leaves.iter().zip(bank.log()) {
            fits(&of_leaf, leaf);
            fits(&of_line, &line);
            let shown = bank.carol.mledger(&bank.server, &["show", "--json", &line["index"].to_string()]).ok();
            fits(&of_show, &serde_json::from_str(&shown).unwrap());
        }
        let mut liar = Self { bank, key: parse_private(&key, None).unwrap(), leaves, count: 0 };
        let (code, report) = liar.sign(&liar.leaves.clone());
        assert_eq!(code, 0, "{report:#}");
        liar
    }

    /// The index of the entry of that kind, counted from the first.
    #[track_caller]
    pub fn nth(&self, kind: &str, nth: usize) -> usize {
        let mut found = self.leaves.iter().enumerate().filter(|(_, leaf)| leaf["kind"] == kind);
        found.nth(nth).unwrap_or_else(|| panic!("no {kind} {nth}")).0
    }

    /// Signs a ledger of these leaves in a repository of its own; `verify` must name the entry and the reason.
    #[track_caller]
    pub fn caught(&mut self, entry: u64, code: &str, words: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let mut leaves = self.leaves.clone();
        change(&mut leaves);
        let (exit, report) = self.sign(&leaves);
        fits(&schema("verify-report"), &report);
        let named = |problem: &Value| {
            let message = problem["message"].as_str().unwrap();
            problem["code"] == code && problem["index"] == entry && message.contains(words)
        };
        assert_eq!(exit, 4, "{report:#}");
        assert!(
            report["problems"].as_array().unwrap().iter().any(named),
            "no `{code}: {words}` in {:#}",
            report["problems"]
        );
    }

    /// The same, with what `verify` says.
    pub fn sign(&mut self, leaves: &[Value]) -> (i32, Value) {
        self.sign_and_verify(leaves, &[])
    }

    /// Signs a ledger of these leaves in a repository of its own that has the bank's objects, and verifies it.
    pub fn sign_and_verify(&mut self, leaves: &[Value], words: &[&str]) -> (i32, Value) {
        let mut dir = self.bank.world.path("liar 0.git");
        while dir.exists() {
            self.count += 1;
            dir = self.bank.world.path(&format!("liar {}.git", self.count));
        }
        let repository = Repository::init_bare(&dir).unwrap();
        let place = Place::in_repository(repository.git_dir());
        place.create().unwrap();
        let signer = Signer { origin: Origin::parse(ORIGIN).unwrap(), key: SecretKey::from_seed(&self.key.seed()) };
        let policy = leaves[0]["policy"].as_str().unwrap().to_owned();
        let leaves: Vec<Leaf> = leaves.iter().map(|leaf| Leaf::parse(leaf.to_string().as_bytes()).unwrap()).collect();
        earlier::agrees(&dir.with_extension("by-and-by"), &signer, &leaves, &policy);
        let batch = Batch { leaves, blobs: Blobs::new(), policy: Some(policy) };
        let repository = place.durable(repository).unwrap();
        Locked::create(&repository, &place, &signer).unwrap().append(&batch).unwrap();
        repository.add_alternate(&self.bank.server.join("objects")).unwrap();
        let key = signer.vkey().to_string();
        report(&self.bank.carol, &dir, &[&["--no-refs", "--key", &key], words].concat())
    }
}

/// A bank with two accepted pushes and a denied one, and all it takes to lie about them.
fn honest() -> Bank {
    let bank = Bank::open_with("", &["--login", "env"]);
    let (alice, bob) = (&bank.alice, &bank.bob);
    let (hers, his) = (bank.clone_of(alice), bank.clone_of(bob));
    alice.commit(&hers, "models/a", "one");
    alice.push(&hers, &["HEAD:refs/heads/dev/a"]).ok();
    bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/prod"]).fails();
    let leaves = Forge::open(&bank.server).leaves();
    let kinds: Vec<&str> = leaves.iter().map(|leaf| leaf["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["genesis", "commit", "push", "landed", "commit", "push", "landed", "push"]);
    bank
}

/// Replaces a part of a text, which must be there.
pub fn replace(field: &mut Value, old: &str, new: &str) {
    let text = field.as_str().unwrap();
    assert!(text.contains(old), "{text}");
    *field = json!(text.replace(old, new));
}

#[test]
fn a_server_that_accepts_what_the_policy_denies_is_caught() {
    let bank = honest();
    let mut liar = Liar::of(&bank);
    // Engineers sign the head that they saw: whatever is rewritten before it, their commits contradict.
    liar.caught(2, "decision", "the policy in force denies what it accepts: log-fork", |all| {
        replace(&mut all[0]["policy"], "name = \"models\"", "name = \"others\"");
    });
    // Accepts what the policy denies: Bob's push under a policy that makes him an engineer, with and without roles.
    liar.caught(5, "decision", "commit-not-granted", |all| {
        replace(&mut all[0]["policy"], "{ actions = [\"commit\"] },\n", "");
    });
    liar.caught(5, "decision", "not-granted", |all| {
        replace(&mut all[0]["policy"], "refs = [\"refs/heads/main\", \"refs/tags/v*\"]", "refs = [\"refs/tags/v*\"]");
    });
    liar.caught(5, "decision", "trailer-missing", |all| {
        replace(&mut all[0]["policy"], "manifest = true", "manifest = true\ntrailers = [\"Ticket\"]");
    });
    liar.caught(2, "decision", "key-revoked", |all| {
        let key = bank.alice.public_key();
        replace(&mut all[0]["policy"], &format!("\"{key}\""), &format!("{{ key = \"{key}\", revoked = 2026-01-01 }}"));
    });
}

#[test]
fn decisions_that_do_not_follow_are_caught() {
    let bank = honest();
    let mut liar = Liar::of(&bank);
    // Turns the denial into an acceptance, and an acceptance into a denial.
    liar.caught(7, "decision", "denies what it accepts", |all| {
        all[0]["login"] = json!("env");
        all[7]["decision"] = json!("accepted");
        all[7].as_object_mut().unwrap().remove("facts");
        // Alice's certificate is not kept with a denial; a login would do.
        all[7]["pusher"] = json!({ "how": "login", "login": "env:alice" });
    });
    liar.caught(5, "decision", "commit entries stand before it", |all| all[5]["decision"] = json!("denied"));
    liar.caught(7, "decision", "it is a denial without facts", |all| {
        drop(all[7].as_object_mut().unwrap().remove("facts"));
    });
    liar.caught(7, "decision", "its facts do not lead to the denial", |all| {
        all[7]["facts"]["updates"][0]["ref"] = json!("refs/heads/dev/x");
        all[7]["reasons"][0]["ref"] = json!("refs/heads/dev/x");
    });
    liar.caught(7, "decision", "its facts are of another moment or pusher", |all| {
        all[7]["pusher"] = json!({ "how": "unknown" });
    });
    // Other reasons, pushers, actors, ranges, versions.
    liar.caught(5, "decision", "for other reasons than it states", |all| {
        drop(all[5]["reasons"].as_array_mut().unwrap().pop());
    });
    liar.caught(5, "decision", "it names another pusher", |all| all[5]["actor"] = json!("carol@bank.example"));
    liar.caught(5, "decision", "is not by whom its entry names", |all| all[4]["actor"] = json!("carol@bank.example"));
    liar.caught(5, "certificate", "is signed by another key", |all| {
        let key = all[1]["key"].clone();
        all[5]["pusher"]["key"] = key;
    });
    liar.caught(5, "certificate", "its push certificate is missing", |all| {
        drop(all[5].as_object_mut().unwrap().remove("certificate"));
    });
    liar.caught(5, "certificate", "names other refs or commits", |all| {
        all[5]["updates"][0]["ref"] = json!("refs/heads/prod");
    });
    liar.caught(5, "certificate", "it has a push certificate that names nobody", |all| {
        all[5]["pusher"] = json!({ "how": "login", "login": "env:alice" });
    });
    liar.caught(2, "decision", "a source that the genesis entry does not name", |all| {
        all[2]["pusher"] = json!({ "how": "login", "login": "http:alice" });
        drop(all[2].as_object_mut().unwrap().remove("certificate"));
    });
    liar.caught(5, "decision", "do not stand right before it", |all| all[5]["commits"]["count"] = json!(0));
    liar.caught(5, "decision", "it was decided by entry 1", |all| all[5]["policy"] = json!(1));
    liar.caught(5, "decision", "it was decided by version 2", |all| all[5]["decider"] = json!(2));
}

#[test]
fn entries_that_contradict_one_another_are_caught() {
    let bank = honest();
    let mut liar = Liar::of(&bank);
    // Commits without their leaf, another's, changed, of another key.
    liar.caught(4, "graph", "", |all| {
        all.remove(4);
        all[4]["commits"] = json!({ "count": 0, "first": 4 });
    });
    liar.caught(4, "entry", "its commit object is not", |all| all[4]["oid"] = all[1]["oid"].clone());
    liar.caught(4, "entry", "not by", |all| all[4]["key"] = all[1]["key"].clone());
    liar.caught(5, "decision", "manifest-mismatch", |all| replace(&mut all[4]["manifest"], "README", "configs/prod/x"));
    // Landings that were not.
    liar.caught(6, "landed", "it settles a push that is not open", |all| all[6]["push"] = json!(7));
    liar.caught(6, "landed", "a ref that its push does not name", |all| {
        all[6]["updates"][0]["ref"] = json!("refs/heads/prod");
    });
    liar.caught(7, "landed", "it settles a push that is not open", |all| {
        let twice = all[6].clone();
        all.insert(7, twice);
    });
    // Time that runs back, a second beginning, a policy out of nowhere.
    liar.caught(6, "time", "is before the entry before it", |all| all[6]["time"] = json!("2020-01-01T00:00:00.000Z"));
    liar.caught(3, "genesis", "a ledger has one genesis entry", |all| all[3] = all[0].clone());
    liar.caught(0, "key", "it names the key", |all| {
        let other = VerifierKey::new(
            vkey_name(),
            mledger::tlog::key::KeyKind::Ed25519,
            SecretKey::from_seed(&[7; 32]).public(),
        );
        all[0]["vkey"] = json!(other.to_string());
    });
    liar.caught(8, "policy", "it does not hold exactly the statements", |all| {
        let text = all[0]["policy"].as_str().unwrap().to_owned();
        let digest = mledger::digest::sha256(text.as_bytes()).to_string();
        let time = all[7]["time"].clone();
        all.push(
            json!({ "digest": digest, "kind": "policy", "mledger": 1, "policy": text, "statements": [], "time": time }),
        );
    });
    liar.caught(8, "policy", "not a statement", |all| {
        let text = all[0]["policy"].as_str().unwrap().to_owned();
        let digest = mledger::digest::sha256(text.as_bytes()).to_string();
        let time = all[7]["time"].clone();
        all.push(json!({ "digest": digest, "kind": "policy", "mledger": 1, "policy": text, "statements": ["{}"], "time": time }));
    });
}
