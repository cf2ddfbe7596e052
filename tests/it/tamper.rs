//! Whoever holds the server's disk changes the ledger: whatever it is, `verify` finds it and names the place.

use mledger::entry::leaf::Leaf;
use mledger::git::{Durable, Kind, Repository};
use mledger::identity::ed25519::SecretKey;
use mledger::ledger::append::{Batch, Locked, Signer};
use mledger::ledger::place::Place;
use mledger::ledger::read::{Head, Log};
use mledger::ledger::verify::{Options, Problem, RefsOf, verify};
use mledger::name::Oid;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::VerifierKey;

use crate::bank::Bank;
use crate::flips::{Objects, Outcome, sealed, some_of_everything};
use crate::verify::Forge;
use crate::world::write;

/// Everything was found and named.
#[track_caller]
fn all_found(outcome: &Outcome, least: u64) {
    for (what, flips) in [("found", &outcome.unfound), ("named", &outcome.unnamed)] {
        assert!(flips.is_empty(), "{} flips are not {what}, such as {:#?}", flips.len(), &flips[..flips.len().min(9)]);
    }
    assert!(outcome.flips >= least && outcome.harmless < outcome.flips / 20, "{outcome:?}");
}

#[test]
fn every_byte_of_every_object_of_a_short_ledger_counts() {
    let bank = Bank::short();
    let objects = Objects::of(&bank.server);
    all_found(&objects.flip_remade(1), 5000);
    all_found(&objects.flip_in_place(3), 1000);
}

/// `cargo bench -- tamper` flips every byte of the same.
#[test]
fn bytes_of_everything_that_a_ledger_holds_count() {
    for (bank, remade, in_place) in [(some_of_everything(), 97, 61), (sealed(), 199, 149)] {
        let objects = Objects::of(&bank.server);
        all_found(&objects.flip_remade(remade), 200);
        all_found(&objects.flip_in_place(in_place), 100);
    }
}

/// A ledger's commits as they are, oldest first, and the ways to write others.
struct Chain {
    repository: Repository,
    vkey: VerifierKey,
    commits: Vec<(Head, Vec<u8>)>,
}

enum Said {
    Unreadable(String),
    Problems(Vec<Problem>),
}

impl Chain {
    fn of(bank: &Bank) -> Self {
        let repository = Repository::open(&bank.server).unwrap();
        let heads = Forge::open(&bank.server).chain().into_iter();
        let commits = heads.map(|head| {
            let raw = repository.read(&head.commit, Kind::Commit).unwrap();
            (head, raw)
        });
        Self { commits: commits.collect(), vkey: bank.signer().vkey(), repository }
    }

    /// The entries of a commit, from the one before them to the last of the next commit.
    fn around(&self, at: usize) -> std::ops::RangeInclusive<u64> {
        let size = |at: usize| self.commits.get(at).map(|(head, _)| head.checkpoint.size());
        let first = at.checked_sub(1).and_then(size).unwrap_or(0);
        first.saturating_sub(1)..=size(at + 1).or(size(at)).unwrap()
    }

    /// Another ledger, in which `change` was made to the commits that it is called with; returns the newest.
    fn write(&self, change: impl Fn(usize, &mut Vec<u8>)) -> Oid {
        let mut parent: Option<(Oid, Oid)> = None;
        for (at, (head, raw)) in self.commits.iter().enumerate() {
            let mut raw = raw.clone();
            if let Some((old, new)) = parent {
                replace(&mut raw, &old.to_string(), &new.to_string());
            }
            change(at, &mut raw);
            parent = Some((head.commit, self.repository.write(Kind::Commit, &raw).unwrap()));
        }
        parent.unwrap().1
    }

    fn ask(&self, tip: Oid) -> Said {
        match Log::open_at(&self.repository, tip, Some(&self.vkey)) {
            Err(error) => Said::Unreadable(error.to_string()),
            Ok(log) => {
                let options = Options { seen: Vec::new(), objects: None, refs: RefsOf::Nobody };
                Said::Problems(verify(&log, &options, &mut |_| ()).unwrap().problems)
            }
        }
    }

    /// `verify` finds what was done to that commit, by one of the codes, and names it.
    #[track_caller]
    fn finds(&self, what: &str, at: usize, codes: &[&str], tip: Oid) {
        match self.ask(tip) {
            Said::Unreadable(why) => assert_eq!(at + 1, self.commits.len(), "{what}: {why}"),
            Said::Problems(problems) => {
                let named = |problem: &Problem| {
                    let index = problem.index.is_some_and(|index| self.around(at).contains(&index));
                    index && codes.contains(&problem.code)
                };
                assert!(problems.iter().any(named), "{what} in commit {at}, {:?}: {problems:#?}", self.around(at));
            }
        }
    }

    /// Some commit before the seal, the one that seals, one after it, and the newest.
    fn some(&self) -> [usize; 4] {
        let seals = self.commits.iter().position(|(head, _)| head.sealed() > 0).unwrap();
        let newest = self.commits.len() - 1;
        assert!(seals > 3 && seals < newest - 1);
        [1, seals, newest - 1, newest]
    }
}

/// From a tree to another.
type Change<'a> = Box<dyn Fn(Oid) -> Oid + 'a>;

/// Replaces the first of these words, which must be there.
#[track_caller]
fn replace(raw: &mut Vec<u8>, old: &str, new: &str) {
    let at = raw.windows(old.len()).position(|window| window == old.as_bytes());
    let at = at.unwrap_or_else(|| panic!("no `{old}` in {}", String::from_utf8_lossy(raw)));
    raw.splice(at..at + old.len(), new.bytes());
}

#[test]
fn a_ledger_commit_says_what_mledger_says_and_nothing_else() {
    let bank = sealed();
    let chain = Chain::of(&bank);
    assert!(matches!(chain.ask(chain.write(|_, _| ())), Said::Problems(problems) if problems.is_empty()));
    let other = SecretKey::from_seed(&[9; 32]);
    for at in chain.some() {
        let (head, _) = &chain.commits[at];
        let note = &head.message.note;
        let foreign = head.checkpoint.sign(&other);
        let line = foreign.lines().last().unwrap().to_owned() + "\n";
        let older = &chain.commits[at - 1].0.message.note;
        let forge = |change: &dyn Fn(&mut Vec<u8>)| {
            chain.write(|place, raw| {
                if place == at {
                    change(raw);
                }
            })
        };
        let swap = |old: &str, new: &str| forge(&|raw| replace(raw, old, new));
        let subject = &head.message.subject;
        let parent = head.message.parent.unwrap();
        for (what, codes, tip) in [
            ("another author", &["append"][..], swap("author mledger <", "author Mallory <")),
            ("another committer", &["append"], swap("committer mledger <", "committer Mallory <")),
            ("another time zone", &["append"], swap(" +0000\ncommitter", " +0100\ncommitter")),
            ("a signature", &["append"], swap("\n\n", "\ngpgsig -----BEGIN SSH SIGNATURE-----\n AA==\n\n")),
            ("an encoding", &["append"], swap("\n\n", "\nencoding latin1\n\n")),
            ("another subject", &["story"], swap(subject, "carol may do as she likes")),
            ("more words", &["append", "checkpoint", "tail"], swap(subject, &format!("{subject}\n\nand more"))),
            ("a signature line of another key", &["checkpoint"], forge(&|raw| raw.extend_from_slice(line.as_bytes()))),
            ("another key's checkpoint", &["checkpoint"], swap(note, &foreign)),
            ("an older checkpoint", &["append", "tail", "checkpoint"], swap(note, older)),
            ("more after the end", &["append", "tail", "checkpoint"], forge(&|raw| raw.push(b'\n'))),
            ("a second parent", &["append", "tail"], {
                // The first parent was made anew for this very ledger; the second is the true one.
                swap("\nauthor", &format!("\nparent {parent}\nauthor"))
            }),
        ] {
            chain.finds(what, at, codes, tip);
        }
        // Without a parent it claims to be the first append, of all entries from the first on.
        let orphan = forge(&|raw| {
            let at = raw.windows(8).position(|window| window == b"\nparent ").unwrap();
            raw.drain(at..at + 48);
        });
        assert!(
            matches!(chain.ask(orphan), Said::Problems(problems) if problems.iter().any(|problem| problem.index.is_some()))
        );
    }
}

#[test]
fn a_ledgers_tree_holds_what_entries_bring_and_nothing_else() {
    let bank = sealed();
    let chain = Chain::of(&bank);
    let repository = &chain.repository;
    let blob = repository.write(Kind::Blob, b"hidden").unwrap();
    let nothing = repository.write(Kind::Tree, b"").unwrap();
    let put = |path: &'static str| {
        move |tree: Oid| repository.write_tree(Some(&tree), &[(path.to_owned(), blob)], &[]).unwrap()
    };
    let raw = |change: &dyn Fn(&mut Vec<u8>), tree: Oid| {
        let mut raw = repository.read(&tree, Kind::Tree).unwrap();
        change(&mut raw);
        repository.write(Kind::Tree, &raw).unwrap()
    };
    let mode = |mode: &'static str| {
        move |tree: Oid| raw(&|raw| replace(raw, "100644 policy.toml", &format!("{mode} policy.toml")), tree)
    };
    let hidden = format!("blob/ab/{}", "c".repeat(62));
    let hidden: &'static str = Box::leak(hidden.into_boxed_str());
    let empty = |tree: Oid| {
        let entry = [b"40000 zzz\0".as_slice(), nothing.as_bytes()].concat();
        raw(&|raw| raw.extend_from_slice(&entry), tree)
    };
    let no_policy = |tree: Oid| repository.write_tree(Some(&tree), &[], &["policy.toml".to_owned()]).unwrap();
    let changes: Vec<(&str, Change<'_>)> = vec![
        ("a file", Box::new(put("README"))),
        ("contents that no entry names", Box::new(put(hidden))),
        ("another tile", Box::new(put("tile/0/001"))),
        ("a tile above", Box::new(put("tile/1/000"))),
        ("another bundle", Box::new(put("tile/entries/001"))),
        ("entries that are none", Box::new(put("tail/300"))),
        ("an executable policy", Box::new(mode("100755"))),
        ("a link for a policy", Box::new(mode("120000"))),
        ("another policy", Box::new(put("policy.toml"))),
        ("no policy", Box::new(no_policy)),
        ("an empty folder", Box::new(empty)),
    ];
    for at in chain.some() {
        for (what, change) in &changes {
            // In one commit alone, and in all from there on.
            for last in [at, chain.commits.len() - 1] {
                let tip = chain.write(|place, raw| {
                    if (at..=last).contains(&place) {
                        let tree = chain.commits[place].0.message.tree;
                        replace(raw, &tree.to_string(), &change(tree).to_string());
                    }
                });
                chain.finds(what, at, &["tree"], tip);
            }
        }
    }
}

#[test]
fn what_the_newest_part_of_a_ledger_hides_is_found_by_those_who_have_no_more() {
    // A clone that fetched the newest commits only sees the whole tree for the first time in the oldest of them.
    let bank = sealed();
    let chain = Chain::of(&bank);
    let newest = chain.commits.len() - 1;
    let blob = chain.repository.write(Kind::Blob, b"hidden").unwrap();
    let hide = |path: &str| {
        let tip = chain.write(|_, raw| {
            let tree = Oid::parse(std::str::from_utf8(&raw[5..45]).unwrap()).unwrap();
            let more = chain.repository.write_tree(Some(&tree), &[(path.to_owned(), blob)], &[]).unwrap();
            replace(raw, &tree.to_string(), &more.to_string());
        });
        let dir = bank.world.path("shallow.git");
        let _ = std::fs::remove_dir_all(&dir);
        bank.carol.git(bank.world.root(), &["init", "-q", "--bare", "shallow.git"]).ok();
        bank.on_server(&["update-ref", "refs/heads/forged", &tip.to_string()]);
        let depth = format!("--depth={}", newest - chain.some()[1] + 1);
        let fetch = ["fetch", "-q", &depth, bank.server.to_str().unwrap(), "refs/heads/forged:refs/mledger/log"];
        bank.carol.git(&dir, &fetch).ok();
        let shallow =
            Chain { repository: Repository::open(&dir).unwrap(), vkey: chain.vkey.clone(), commits: Vec::new() };
        match shallow.ask(tip) {
            Said::Problems(problems) => problems,
            Said::Unreadable(why) => panic!("{why}"),
        }
    };
    for path in ["README", "tile/0/001", "tile/entries/001", "tail/260", "tail/3", "blob/ab/cd"] {
        let problems = hide(path);
        assert!(
            problems.iter().any(|problem| problem.code == "tree" && problem.index.is_some()),
            "{path}: {problems:#?}"
        );
    }
}

/// The same ledger with other entries, signed by this key.
fn signed_anew(bank: &Bank, leaves: &[Vec<u8>], signer: &Signer) -> (tempfile::TempDir, Durable) {
    let folder = tempfile::tempdir_in(bank.world.root()).unwrap();
    let repository = Repository::init_bare(folder.path()).unwrap();
    let place = Place::in_repository(repository.git_dir());
    place.create().unwrap();
    let leaves: Vec<Leaf> = leaves.iter().map(|leaf| Leaf::parse(leaf).unwrap()).collect();
    let Leaf::Genesis(genesis) = &leaves[0] else { panic!("{:?}", leaves[0]) };
    let policy = genesis.policy.read_text(|_| Err::<Vec<u8>, _>(mledger::ledger::ReadError::NoGenesis)).unwrap();
    let batch = Batch { leaves, policy: Some(policy), ..Batch::default() };
    let durable = place.durable(repository).unwrap();
    Locked::create(&durable, &place, signer).unwrap().append(&batch).unwrap();
    (folder, durable)
}

#[test]
fn entries_dropped_swapped_doubled_and_inserted_contradict_a_checkpoint_that_somebody_holds() {
    let bank = Bank::short();
    let log = Repository::open(&bank.server).unwrap();
    let log = Log::open(&log, Some(&bank.signer().vkey())).unwrap();
    let leaves: Vec<Vec<u8>> = (0..log.size()).map(|index| log.leaf_bytes(index).unwrap()).collect();
    let held = log.head().checkpoint.clone();
    let (own, other) = (bank.signer(), Signer { origin: bank.signer().origin, key: SecretKey::from_seed(&[9; 32]) });
    let find = |what: &str, leaves: &[Vec<u8>]| {
        let (_folder, repository) = signed_anew(&bank, leaves, &own);
        let log = Log::open(&repository, Some(&own.vkey())).unwrap();
        let seen: Vec<(String, Checkpoint)> = vec![("the checkpoint that Alice holds".to_owned(), held.clone())];
        let report = verify(&log, &Options { seen, objects: None, refs: RefsOf::Nobody }, &mut |_| ()).unwrap();
        let shorter = (leaves.len() as u64) < held.size();
        let (code, words) =
            if shorter { ("rollback", "it was rolled back") } else { ("fork", "was forked or rewritten") };
        let named = |problem: &Problem| problem.code == code && problem.message.contains(words);
        assert!(report.problems.iter().any(named), "{what}: {:#?}", report.problems);
        // Another key signs nothing here.
        let (_folder, repository) = signed_anew(&bank, leaves, &other);
        let error = Log::open(&repository, Some(&own.vkey())).err().unwrap().to_string();
        assert!(error.contains("checkpoint does not hold"), "{what}: {error}");
    };
    for index in 1..leaves.len() {
        let forged = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut leaves = leaves.clone();
            change(&mut leaves);
            leaves
        };
        find("dropped", &forged(&|all| drop(all.remove(index))));
        find("inserted", &forged(&|all| all.insert(index, leaves[leaves.len() - index].clone())));
        find("cut", &forged(&|all| all.truncate(index)));
        // The last one twice is the honest ledger with one entry more.
        if index + 1 < leaves.len() {
            find("doubled", &forged(&|all| all.insert(index, leaves[index].clone())));
            find("swapped", &forged(&|all| all.swap(index, index + 1)));
        }
    }
}

#[test]
fn an_object_that_is_cut_short_is_named_and_nobody_waits_for_the_rest() {
    let bank = Bank::short();
    let dir = bank.world.path("alice");
    bank.alice.commit(&dir, "b", "two");
    let on_server = |spec: &str| bank.on_server(&["rev-parse", spec]).trim().to_owned();
    let head = on_server("refs/mledger/log");
    let oldest = bank.on_server(&["rev-list", "--max-parents=0", "refs/mledger/log"]).trim().to_owned();
    let cut = |oid: &str| {
        let path = bank.server.join("objects").join(&oid[..2]).join(&oid[2..]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
        move || std::fs::write(path, whole).unwrap()
    };
    for (oid, stops_pushes) in [(&head, true), (&on_server("refs/mledger/log^{tree}"), false), (&oldest, false)] {
        let mend = cut(oid);
        let said = bank.carol.mledger(&bank.server, &["verify", "--full"]);
        let said = [said.out.clone(), said.fails()].concat();
        assert!(said.contains("cut short"), "{said}");
        let pushed = bank.alice.push(&dir, &["-f", &format!("HEAD:refs/heads/cut-{stops_pushes}")]);
        if stops_pushes {
            let said = pushed.fails();
            assert!(said.contains("push refused") && said.contains(oid), "{said}");
        }
        mend();
    }
    // What a person names, and what a new ledger begins with.
    let mend = cut(&on_server("refs/heads/a"));
    bank.carol.mledger(&bank.server, &["show", "a~0"]).fails();
    bank.carol.mledger(&bank.server, &["show", &on_server("refs/heads/a")]).ok();
    let other = bank.world.path("other.git");
    std::fs::create_dir(&other).unwrap();
    bank.carol.git(&other, &["init", "-q", "--bare"]).ok();
    let objects = Repository::open(&other).unwrap();
    objects.add_alternate(&bank.server.join("objects")).unwrap();
    let tip = on_server("refs/heads/a");
    write(&other, "refs/heads/a", &format!("{tip}\n"));
    let policy = bank.world.path("short.toml");
    let said = bank.carol.mledger(&other, &["init", "--policy", policy.to_str().unwrap()]).fails();
    assert!(said.contains("cut short") && said.contains(&tip), "{said}");
    mend();
    bank.alice.push(&dir, &["HEAD:refs/heads/c"]).ok();
    bank.holds();
}
