//! Attacks on the gate and on what `verify` believes. Each one worked once.

use std::fs;
use std::path::Path;
use std::process::Command;

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::denials::{Class, Denials, Source};
use mledger::entry::field::Field;
use mledger::entry::leaf::{DenialsKind, Leaf, Observed, ObservedKind, PolicyKind, VERSION};
use mledger::entry::statement::{Envelope, PolicyStatement, Statement};
use mledger::git::Repository;
use mledger::hook::server_setup::read_signer;
use mledger::index::Index;
use mledger::ledger::Log;
use mledger::ledger::append::{Batch, Locked};
use mledger::ledger::place::Place;
use mledger::ledger::verify::{Options, RefsOf, verify};
use mledger::name::{ActorId, Oid, Origin};
use mledger::policy::facts::Pusher;
use serde_json::Value;

use crate::bank::{Bank, ORIGIN};
use crate::earlier;
use crate::world::{Person, write, write_script};

/// A rule that is met by every signed push, so that a decision names it exactly when it looked at a model.
const SIGNED_MODELS: &str = "[[rules]]\nname = \"models are pushed signed\"\n\
    refs = [\"refs/heads/main\", \"refs/tags/v*\"]\npaths = [\"models/**\"]\nsigned-push = true\n";

/// A bank whose repository has, from before the gate, a branch `old` of two commits that `who` signed.
fn with_signed_past(more: &str, who: impl Fn(&Bank) -> Person) -> (Bank, Vec<String>) {
    let bank = Bank::closed();
    bank.seed();
    let who = who(&bank);
    let dir = bank.bare_clone_of(&who, "past");
    let old = who.import(&dir, Some("HEAD"), 2);
    who.push(&dir, &["-q", &format!("{}:refs/heads/old", old[1])]).ok();
    bank.gate(more, &[]).ok();
    (bank, old)
}

/// The entries that hold a commit.
fn leaves_of(bank: &Bank, oid: &str) -> Vec<Value> {
    bank.log().into_iter().filter(|row| row["kind"] == "commit" && row["commit"] == oid).collect()
}

/// Nothing settles a push until the next one.
fn without_post_receive(bank: &Bank) {
    fs::remove_file(bank.server.join("hooks/post-receive")).unwrap();
}

fn push(person: &Person, dir: &Path, words: &[&str]) {
    person.push(dir, words).ok();
}

#[test]
fn a_create_is_judged_by_the_refs_as_the_entries_before_it_settle_them() {
    let bank = Bank::open_with(SIGNED_MODELS, &[]);
    let dir = bank.clone_of(&bank.bob);
    without_post_receive(&bank);
    bank.bob.commit(&dir, "models/a", "one");
    push(&bank.bob, &dir, &["HEAD:refs/heads/main"]);
    push(&bank.bob, &dir, &["HEAD:refs/tags/v1"]);
    bank.holds();
}

#[test]
fn a_denial_about_names_that_are_too_long_verifies() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, &format!("docs/{}", "\u{1}".repeat(240)), "one");
    for name in ["\"".repeat(200), "\"".repeat(244), "x".repeat(244), "\u{fffd}".repeat(81)] {
        bank.forget_denials();
        let said = bank.alice.push(&dir, &[&format!("HEAD:refs/heads/{name}")]).fails();
        assert!(said.contains("may not create this ref"), "{said}");
        let push = bank.newest_push();
        let leaf = bank.leaf(push["index"].as_u64().unwrap());
        assert_eq!(leaf["actor"], "alice@bank.example");
        assert_eq!(leaf["updates"][0]["ref"], format!("refs/heads/{name}"));
        assert!(serde_json::to_vec(&leaf).unwrap().len() <= 2048, "{leaf:#}");
        bank.holds();
    }
}

#[test]
fn a_clock_that_went_back_is_flagged_and_denies_nothing() {
    let bank = Bank::open();
    let (dir, place) = (bank.clone_of(&bank.alice), Place::in_repository(&bank.server));
    let repository = Repository::open(&bank.server).unwrap();
    // The clock was a day ahead for one entry, and somebody set it right.
    let ahead = Timestamp::from_millis(Timestamp::now().millis() + 86_400_000).unwrap();
    let signer = read_signer(&place).unwrap();
    let refs = vec![];
    let seen = Leaf::Observed(Observed { kind: ObservedKind::Is, mledger: VERSION, refs, time: ahead });
    let repository = place.durable(repository).unwrap();
    let mut locked = Locked::open(&repository, &place, &signer).unwrap();
    locked.append(&Batch { leaves: vec![seen], ..Batch::default() }).unwrap();
    drop(locked);
    bank.alice.commit(&dir, "models/a", "one");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    bank.refused("not-granted", "may not", || bank.alice.push(&dir, &["HEAD:main"]));
    let pushes: Vec<Value> = bank.log().into_iter().filter(|row| row["kind"] == "push").collect();
    assert_eq!(pushes.len(), 2);
    for row in pushes {
        let leaf = bank.leaf(row["index"].as_u64().unwrap());
        assert_eq!(leaf["time"], ahead.to_string());
        assert!(leaf["clock"].as_str().unwrap() < leaf["time"].as_str().unwrap(), "{leaf:#}");
        let shown = bank.carol.mledger(&bank.server, &["show", &row["index"].to_string()]).ok();
        assert!(shown.contains("it was wrong, then or before"), "{shown}");
    }
    bank.holds();
}

#[test]
fn a_commit_from_before_the_gate_gets_one_entry_however_often_it_enters() {
    let (bank, old) = with_signed_past(SIGNED_MODELS, |bank| bank.bob.clone());
    let dir = bank.clone_of(&bank.bob);
    for name in ["a", "b"] {
        push(&bank.bob, &dir, &[&format!("origin/main:refs/heads/dev/{name}")]);
        push(&bank.bob, &dir, &[&format!("origin/old:refs/heads/dev/{name}")]);
        bank.holds();
    }
    assert_eq!(leaves_of(&bank, &old[0]).len(), 1);
    assert_eq!(leaves_of(&bank, &old[1]).len(), 1);
    push(&bank.bob, &dir, &["origin/old:refs/tags/v1"]);
    bank.holds();
}

#[test]
fn one_push_of_two_refs_is_judged_by_what_was_there_before_it() {
    let (bank, old) = with_signed_past(SIGNED_MODELS, |bank| bank.bob.clone());
    let dir = bank.clone_of(&bank.alice);
    push(&bank.alice, &dir, &["origin/main:refs/heads/dev/a"]);
    bank.alice.git(&dir, &["checkout", "-q", &old[1]]).ok();
    bank.alice.commit(&dir, "models/new", "new");
    push(&bank.alice, &dir, &["origin/old:refs/heads/dev/a", "HEAD:refs/heads/dev/b"]);
    bank.holds();

    let (bank, _) = with_signed_past(SIGNED_MODELS, |bank| bank.bob.clone());
    let dir = bank.clone_of(&bank.bob);
    push(&bank.bob, &dir, &["origin/main:refs/heads/dev/a"]);
    push(&bank.bob, &dir, &["origin/old:refs/heads/dev/a", "origin/old:refs/tags/v1"]);
    bank.holds();
}

#[test]
fn a_denial_is_decided_again_however_many_rules_there_are() {
    let rule =
        |n: usize| format!("[[rules]]\nname = \"rule {n}\"\nrefs = [\"refs/heads/main\"]\ntrailers = [\"T{n}\"]\n");
    let bank = Bank::open_with(&(0..70).map(rule).collect::<String>(), &[]);
    let dir = bank.clone_of(&bank.bob);
    let trailers: String = (0..69).map(|n| format!("T{n}: yes\n")).collect();
    bank.bob.commit_as(&dir, "models/a", "one", &["-m", "Change", "-m", &trailers]);
    bank.refused("trailer-missing", "T69", || bank.bob.push(&dir, &["HEAD:refs/heads/main"]));
}

#[test]
fn a_slow_reader_does_not_take_the_index_back() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let repository = Repository::open(&bank.server).unwrap();
    let file = bank.server.join("mledger/index.sqlite");
    let before = Log::open(&repository, None).unwrap();
    let one = bank.alice.commit(&dir, "models/a", "one");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);

    let one = Oid::parse(&one).unwrap();
    let known = |index: Index| index.known(&one).unwrap().is_some();
    assert!(known(Index::open(&file, &before).unwrap()));
    // Only a ledger that was set back takes the index back with it.
    bank.on_server(&["update-ref", "refs/mledger/log", &before.head().commit.to_string()]);
    assert!(!known(Index::open(&file, &before).unwrap()));
}

/// What `verify` finds in a ledger that the holder of its key wrote anew from these entries, changed.
fn forged(bank: &Bank, name: &str, forge: impl FnOnce(&mut Vec<Leaf>)) -> Vec<String> {
    let server = Repository::open(&bank.server).unwrap();
    let signer = read_signer(&Place::in_repository(server.git_dir())).unwrap();
    let log = Log::open(&server, None).unwrap();
    let mut leaves: Vec<Leaf> = (0..log.size()).map(|index| log.leaf(index).unwrap()).collect();
    forge(&mut leaves);
    let other = Repository::init_bare(&bank.world.path(name)).unwrap();
    let place = Place::in_repository(other.git_dir());
    place.create().unwrap();
    let policy = log.policy_view().unwrap();
    earlier::agrees(&bank.world.path(&format!("{name} by and by")), &signer, &leaves, &policy);
    let batch = Batch { leaves, policy: Some(policy), ..Batch::default() };
    let other = place.durable(other).unwrap();
    Locked::create(&other, &place, &signer).unwrap().append(&batch).unwrap();
    let options = Options { seen: Vec::new(), objects: None, refs: RefsOf::Nobody };
    let report = verify(&Log::open(&other, Some(&signer.vkey())).unwrap(), &options, &mut |_| ()).unwrap();
    report.problems.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn the_holder_of_the_ledgers_key_cannot_make_it_say_what_actors_did_not() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    bank.alice.git(&dir, &["checkout", "-q", "-b", "side"]).ok();
    bank.alice.commit(&dir, "models/a", "two");
    bank.alice.git(&dir, &["checkout", "-q", "-"]).ok();
    bank.alice.commit(&dir, "models/b", "three");
    bank.alice.git(&dir, &["merge", "-q", "--no-commit", "side"]).ok();
    bank.alice.commit(&dir, "models/a", "neither");
    push(&bank.alice, &dir, &["HEAD:refs/heads/dev/a"]);
    let found = |name: &str, forge: fn(&mut Vec<Leaf>), words: &str| {
        let problems = forged(&bank, name, forge);
        assert!(problems.iter().any(|problem| problem.contains(words)), "not `{words}` but {problems:?}");
    };
    assert_eq!(forged(&bank, "honest", |_| ()), [""; 0]);

    found("hidden paths", |leaves| commit(leaves, false).own = Some(Field::Inline(String::new())), "is no merge");
    found("hidden merge", |leaves| commit(leaves, true).own = Some(Field::Inline(String::new())), "lacks `models/a`");
    found("no list", |leaves| commit(leaves, true).own = None, "own paths is missing");
    found(
        "login",
        |leaves| {
            let Leaf::Push(push) = &mut leaves[2] else { panic!() };
            push.pusher = Pusher::Login { login: "env:alice".to_owned() };
            push.certificate = None;
        },
        "the genesis entry does not name",
    );
    found("stowaway", |leaves| leaves.truncate(2), "no push follows");
    found("denials of nobody", |leaves| leaves.push(denials(leaves, 1, 120_000)), "no entry holds the first denial");
    found("no denials", |leaves| leaves.push(denials(leaves, 0, 120_000)), "it counts no denial");
    found("denials too soon", |leaves| leaves.push(denials(leaves, 1, 0)), "was not over");
    found("again", |leaves| leaves.push(leaves[1].clone()), "has an entry already");
    found(
        "other origin",
        |leaves| {
            let Leaf::Genesis(genesis) = &mut leaves[0] else { panic!() };
            genesis.origin = Origin::parse("elsewhere").unwrap();
        },
        "begins the ledger elsewhere",
    );
}

/// So many denials at the newest entry's time, told so many milliseconds later.
fn denials(leaves: &[Leaf], count: u64, later: i64) -> Leaf {
    let newest = leaves.last().unwrap().time();
    Leaf::Denials(Denials {
        count,
        first: newest,
        kind: DenialsKind::Is,
        last: newest,
        mledger: VERSION,
        source: Source::Class(Class::Unknown),
        time: Timestamp::from_millis(newest.millis() + later).unwrap(),
    })
}

/// The first commit leaf, or the first of a merge.
fn commit(leaves: &mut [Leaf], merge: bool) -> &mut mledger::entry::leaf::Commit {
    let fits = |leaf: &&mut Leaf| matches!(leaf, Leaf::Commit(commit) if !merge || commit.own.is_some());
    let Some(Leaf::Commit(found)) = leaves.iter_mut().find(fits) else { panic!() };
    found
}

#[test]
fn nothing_hides_beside_the_refs_that_the_ledger_covers() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    let evil = bank.alice.commit(&dir, "models/evil", "evil");
    bank.alice.git(&bank.server, &["fetch", "-q", dir.to_str().unwrap(), "HEAD:refs/mledger/hidden"]).ok();
    bank.found("ref", "it was made behind the gate");
    bank.on_server(&["update-ref", "-d", "refs/mledger/hidden"]);
    bank.holds();
    bank.on_server(&["update-ref", "--no-deref", "HEAD", &evil]);
    bank.found("ref", "whoever clones gets that");
}

#[test]
fn a_source_of_logins_is_chosen_at_the_beginning() {
    let bank = Bank::open();
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    bank.on_server(&["config", "mledger.login", "env"]);
    let words = ["--no-signed", "--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack", "HEAD:refs/heads/dev/a"];
    bank.refused("pusher-unknown", "nobody can tell", || bank.alice.push(&dir, &words));
}

#[test]
fn a_ref_is_what_its_bytes_say() {
    use std::os::unix::ffi::OsStrExt;
    let bank = Bank::open_with("", &["--login", "env"]);
    let dir = bank.clone_of(&bank.alice);
    bank.alice.commit(&dir, "models/a", "one");
    let spec = std::ffi::OsStr::from_bytes(b"HEAD:refs/heads/dev/\xff");
    bank.refused("update-problem", "not UTF-8", || {
        let mut push = Command::new("git");
        push.args(["push", "--no-signed", "--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack", "origin"]);
        bank.alice.run(push.arg(spec).current_dir(&dir), None)
    });
}

#[test]
fn the_policy_in_force_opens_the_inbox_to_nobody() {
    let bank = Bank::open();
    let dir = bank.bare_clone_of(&bank.mallory, "anywhere");
    let policy = bank.carol.mledger(&bank.server, &["policy", "show"]).ok() + "\n";
    let digest = sha256(policy.as_bytes());
    let statement = PolicyStatement {
        actor: ActorId::parse("carol@bank.example").unwrap(),
        expires: Timestamp::parse("2099-01-01T00:00:00.000Z").unwrap(),
        kind: PolicyKind::Is,
        mledger: 1,
        new: digest,
        origin: Origin::parse(ORIGIN).unwrap(),
        previous: digest,
    };
    let statement = Statement::Policy(statement).to_text().unwrap();
    let signature = "what Mallory wants to keep there".to_owned();
    let bytes = Envelope { attachment: policy, mledger: 1, signature, statement }.to_bytes().unwrap();
    let blob = bank.mallory.write_object(&dir, "blob", &bytes);
    let spec = format!("{blob}:refs/mledger/inbox/{}", sha256(&bytes).hex());
    bank.refused("update-problem", "signature does not count", || bank.mallory.push(&dir, &[&spec]));
}

#[test]
fn what_was_there_before_the_gate_does_not_slip_by_a_rule() {
    let more = "[[rules]]\nname = \"models are approved\"\nrefs = [\"refs/heads/main\", \"refs/tags/v*\"]\n\
        paths = [\"models/**\"]\napprovals = { count = 1, roles = [\"maintainer\"] }\n";
    let (bank, _) = with_signed_past(more, |bank| bank.mallory.clone());
    let dir = bank.clone_of(&bank.bob);
    bank.refused("approvals-missing", "approvals", || bank.bob.push(&dir, &["origin/old:refs/tags/v1"]));
    push(&bank.bob, &dir, &["origin/main:refs/tags/v1"]);
    bank.holds();
}

/// Makes these refs at a commit, in any repository.
fn make_refs(person: &Person, dir: &Path, names: &[String], tip: &str) {
    let lines: String = names.iter().map(|name| format!("create {name} {tip}\n")).collect();
    person.run(Command::new("git").args(["update-ref", "--stdin"]).current_dir(dir), Some(lines.as_bytes())).ok();
}

/// Names below `dev/` so long that few of them fill an entry.
fn long_names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("refs/heads/dev/{}/{n}", "long".repeat(30))).collect()
}

#[test]
fn what_a_push_leaves_behind_never_outgrows_an_entry() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    (0..200).for_each(|n| write(&dir, &format!("models/{n}/{}", "long".repeat(12)), "x"));
    alice.git(&dir, &["add", "."]).ok();
    alice.commit(&dir, "models/a", "one");
    let specs = |left: &str| (0..6).map(|n| format!("{left}:refs/heads/dev/{n}")).collect::<Vec<_>>();
    push(alice, &dir, &specs("HEAD").iter().map(String::as_str).collect::<Vec<_>>());
    push(alice, &dir, &specs("").iter().map(String::as_str).collect::<Vec<_>>());
    bank.holds();

    make_refs(alice, &dir, &long_names(300), "HEAD");
    push(alice, &dir, &["refs/heads/dev/*"]);
    bank.holds();
}

#[test]
fn every_ref_that_was_moved_behind_the_gate_is_recorded() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    make_refs(alice, &bank.server, &long_names(500), "refs/heads/main");
    alice.commit(&dir, "models/a", "one");
    make_refs(alice, &dir, &long_names(500), "HEAD");
    let said = alice.push(&dir, &["refs/heads/dev/*"]).fails();
    assert!(said.contains("moved behind the gate"), "{said}");
    let observed = bank.log().into_iter().filter(|row| row["kind"] == "observed");
    let refs: usize =
        observed.map(|row| bank.leaf(row["index"].as_u64().unwrap())["refs"].as_array().unwrap().len()).sum();
    assert_eq!(refs, 500);
}

#[test]
fn refs_differ_by_more_than_case() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    push(alice, &dir, &["HEAD:refs/heads/dev/a"]);
    bank.refused("update-problem", "by case or the spelling of accents only", || {
        alice.push(&dir, &["HEAD:refs/heads/dev/A"])
    });
    let both = ["HEAD:refs/heads/dev/B", "HEAD:refs/heads/dev/b"];
    bank.refused("update-problem", "by case or the spelling of accents only", || alice.push(&dir, &both));
    push(alice, &dir, &[":refs/heads/dev/a"]);
    push(alice, &dir, &["HEAD:refs/heads/dev/A"]);
    bank.holds();
}

#[test]
fn a_push_into_a_namespace_is_refused() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let words = ["--receive-pack=env GIT_NAMESPACE=other git-receive-pack", "HEAD:refs/heads/dev/a"];
    bank.refused("update-problem", "namespace `other`", || alice.push(&dir, &words));
}

#[test]
fn a_push_waits_for_git_though_a_script_calls_the_hook() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let (hooks, hold) = (bank.server.join("hooks"), bank.world.path("hold"));
    fs::rename(hooks.join("pre-receive"), hooks.join("ours")).unwrap();
    write_script(
        &hooks,
        "pre-receive",
        "#!/bin/sh\n\"$0/../ours\"\nexit $?\n".replace("$0/..", hooks.to_str().unwrap()).as_str(),
    );
    let update =
        format!("#!/bin/sh\nwhile [ $1 = refs/heads/dev/a ] && [ -e '{}' ]; do sleep 0.01; done\n", hold.display());
    write_script(&hooks, "update", &update);
    fs::write(&hold, "").unwrap();
    alice.commit(&dir, "models/a", "one");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| alice.push(&dir, &["HEAD:refs/heads/dev/a"]));
        while bank.log().iter().all(|row| row["kind"] != "push") {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        push(alice, &dir, &["HEAD:refs/heads/dev/b"]);
        fs::remove_file(&hold).unwrap();
        slow.join().unwrap().ok();
    });
    bank.holds();
}

#[test]
fn a_ref_that_git_cannot_make_stops_nobody() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    push(alice, &dir, &["HEAD:refs/heads/dev/a", "HEAD:refs/heads/dev/b/c"]);
    // A file where a folder would be, the other way round, at once, and names that only some programs refuse.
    for name in ["dev/a/x", "dev/b", "dev/a./x", "dev/x.lock.y", "dev/@", "dev/con", "dev/.lock", "dev/-x"] {
        alice.push(&dir, &[&format!("HEAD:refs/heads/{name}")]);
        push(alice, &dir, &[&format!("HEAD:refs/heads/dev/then/{}", name.len())]);
        push(alice, &dir, &[&format!(":refs/heads/dev/then/{}", name.len())]);
    }
    alice.push(&dir, &["HEAD:refs/heads/dev/d", "HEAD:refs/heads/dev/d/e"]).fails();
    push(alice, &dir, &["HEAD:refs/heads/dev/last"]);
    bank.holds();
    bank.on_server(&["gc", "-q", "--prune=now"]);
    push(alice, &dir, &["HEAD:refs/heads/dev/after"]);
    bank.holds();
}

#[test]
fn a_login_of_any_length_is_denied_on_record() {
    let bank = Bank::open_with("", &["--login", "env"]);
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    alice.commit(&dir, "models/a", "one");
    let receive = format!("--receive-pack=env MLEDGER_LOGIN={} git-receive-pack", "x".repeat(60_000));
    let words = ["--no-signed", &receive, "HEAD:refs/heads/dev/a"];
    bank.refused("pusher-refused", "longer than any", || alice.push(&dir, &words));
}
