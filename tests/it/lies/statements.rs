//! Lies about what admins stated, and about whom they vouch for.

use mledger::clock::Timestamp;
use mledger::digest::sha256;
use mledger::entry::leaf::ImportKind;
use mledger::entry::statement::{Envelope, ImportStatement, Statement, commits_text};
use mledger::git::Repository;
use mledger::git::manifest::{Cache, Limits, manifest};
use mledger::identity::sshsig;
use mledger::name::{ActorId, Oid, Origin};
use serde_json::{Value, json};

use super::{by_login, open, remove, unsigned_commit};
use crate::bank::{Bank, ORIGIN};
use crate::verify::{Liar, replace};
use crate::world::Person;

/// A ledger in which Carol took a branch as it stood, and vouched for another that Bob then pushed.
fn stated() -> (Bank, Vec<String>) {
    let (bank, dir) = open(|policy| policy);
    let start = bank.bob.git(&dir, &["rev-parse", "HEAD"]).ok();
    let behind = unsigned_commit(&bank, &dir, "models/behind");
    bank.on_server(&["fetch", "-q", dir.to_str().unwrap(), &behind]);
    bank.on_server(&["update-ref", "refs/heads/dev/behind", &behind]);
    let admin = bank.clone_of(&bank.carol);
    bank.carol.mledger(&admin, &["reconcile", "--reason", "by hand"]).ok();

    bank.bob.git(&dir, &["checkout", "-q", "-B", "vendor", &start]).ok();
    let made = ["models/u", "models/v"].map(|file| unsigned_commit(&bank, &dir, file));
    bank.carol.git(&admin, &["fetch", "-q", dir.to_str().unwrap(), "vendor:vendor"]).ok();
    bank.carol.mledger(&admin, &["import", "vendor", "--reason", "reviewed"]).ok();
    by_login(&bank, &dir, &["vendor:refs/heads/main"]);
    bank.bob.commit(&dir, "models/a", "one");
    by_login(&bank, &dir, &["HEAD:refs/heads/main"]);
    let [one, two] = made;
    (bank, vec![behind, one, two])
}

/// An envelope about these commits, signed by this person.
fn envelope(person: &Person, namespace: &str, commits: &[&str], change: impl FnOnce(&mut ImportStatement)) -> Value {
    let commits: Vec<Oid> = commits.iter().map(|oid| Oid::parse(oid).unwrap()).collect();
    let attachment = commits_text(&commits);
    let mut statement = ImportStatement {
        actor: ActorId::parse(&person.id()).unwrap(),
        commits: sha256(attachment.as_bytes()),
        expires: Timestamp::parse("2099-01-01T00:00:00.000Z").unwrap(),
        kind: ImportKind::Is,
        mledger: 1,
        origin: Origin::parse(ORIGIN).unwrap(),
        reason: "made up".to_owned(),
    };
    change(&mut statement);
    let statement = Statement::Import(statement).to_text().unwrap();
    let signature = sshsig::sign(&person.key(), namespace, statement.as_bytes());
    let envelope = Envelope { attachment, mledger: 1, signature, statement };
    json!(String::from_utf8(envelope.to_bytes().unwrap()).unwrap())
}

#[test]
fn an_import_counts_by_an_admins_signature_once() {
    let (bank, made) = stated();
    let (carol, bob) = (&bank.carol, &bank.bob);
    let mut liar = Liar::of(&bank);
    let at = liar.nth("import", 0);
    let entry = at as u64;
    let commits = [made[1].as_str(), &made[2]];
    let other = "1".repeat(40);
    let same = |_: &mut ImportStatement| ();
    let as_carol = |statement: &mut ImportStatement| statement.actor = ActorId::parse("carol@bank.example").unwrap();
    for (statement, words) in [
        (envelope(bob, "mledger", &commits, same), "bob@bank.example is no admin of the policy in force"),
        (envelope(&bank.mallory, "mledger", &commits, same), "the key that signed the statement does not count"),
        (
            envelope(bob, "mledger", &commits, as_carol),
            "the statement names carol@bank.example, but bob@bank.example signed it",
        ),
        (envelope(carol, "git", &commits, same), "the statement's signature does not count"),
        (
            envelope(carol, "mledger", &commits, |statement| {
                statement.expires = Timestamp::parse("2020-01-01T00:00:00.000Z").unwrap();
            }),
            "the statement expired at 2020",
        ),
        (
            envelope(carol, "mledger", &commits, |statement| {
                statement.origin = Origin::parse("elsewhere.example/x").unwrap();
            }),
            "meant for the ledger elsewhere.example/x",
        ),
        (envelope(carol, "mledger", &[&commits[..], &commits[..1]].concat(), same), "none twice"),
        (envelope(carol, "mledger", &[], same), "the attached list of commits"),
    ] {
        liar.caught(entry, "import", words, |all| all[at]["statement"] = statement);
    }
    // Carol's own word, for one commit more, and with one bit of it changed.
    liar.caught(entry, "import", "what is attached is not what the statement names", |all| {
        replace(&mut all[at]["statement"], &made[2], &other);
    });
    liar.caught(entry, "import", "the statement's signature does not count", |all| {
        replace(&mut all[at]["statement"], "reviewed", "Reviewed");
    });
    liar.caught(liar.leaves.len() as u64, "import", "the statement was used before", |all| {
        let mut again = all[at].clone();
        again["time"] = all.last().unwrap()["time"].clone();
        all.push(again);
    });
    liar.caught(entry, "import", "its statement is about something else", |all| {
        let reconcile = all.iter().position(|leaf| leaf["kind"] == "reconcile").unwrap();
        all[at]["statement"] = all[reconcile]["statement"].clone();
        // It was used up there.
        all[reconcile] = all[reconcile - 1].clone();
    });
    // Without it, and after the push, nobody has signed what Bob pushed.
    let push = liar.nth("push", 0);
    liar.caught(push as u64 - 1, "decision", "denies what it accepts: commit-unsigned", |all| {
        all.remove(at);
        all[push - 1]["commits"]["first"] = json!(at);
    });
}

#[test]
fn a_voucher_is_the_one_that_was_given() {
    let (bank, _) = stated();
    let mut liar = Liar::of(&bank);
    let first = first_commit(&liar, liar.nth("push", 0));
    let push = liar.nth("push", 0) as u64;
    let reconcile = liar.nth("reconcile", 0) as u64;
    let words = "is not by whom its entry names";
    liar.caught(push, "decision", words, |all| all[first]["vouched-by"]["entry"] = json!(reconcile));
    liar.caught(push, "decision", words, |all| all[first]["vouched-by"]["entry"] = json!(push));
    liar.caught(push, "decision", words, |all| all[first]["vouched-by"]["actor"] = json!("alice@bank.example"));
    liar.caught(push, "decision", words, |all| drop(remove(&mut all[first], "vouched-by")));
    // Bob's own commit, as one that Carol vouches for; and both at once.
    let voucher = liar.leaves[first]["vouched-by"].clone();
    let next = liar.nth("push", 1);
    liar.caught(next as u64, "decision", words, |all| {
        remove(&mut all[next - 1], "actor");
        remove(&mut all[next - 1], "key");
        all[next - 1]["vouched-by"] = voucher.clone();
    });
    liar.caught(next as u64 - 1, "entry", "a signer and a voucher", |all| all[next - 1]["vouched-by"] = voucher);
    liar.caught(first as u64, "entry", "its commit is not signed", |all| {
        remove(&mut all[first], "vouched-by");
        all[first]["actor"] = json!("bob@bank.example");
        all[first]["key"] = all[next - 1]["key"].clone();
    });
}

#[test]
fn a_reconciliation_takes_what_it_names_and_no_more() {
    let (bank, made) = stated();
    let mut liar = Liar::of(&bank);
    let at = liar.nth("reconcile", 0);
    let entry = at as u64;
    let first = first_commit(&liar, at);
    assert_eq!((first, &liar.leaves[first]["oid"]), (at - 1, &json!(made[0])));
    liar.caught(entry - 1, "reconcile", "refs/heads/dev/behind stands at a commit that no entry records", |all| {
        all.remove(first);
        all[first]["commits"] = json!({ "count": 0, "first": first });
    });
    liar.caught(entry, "reconcile", "do not stand right before it", |all| all[at]["commits"]["count"] = json!(0));
    for (field, value) in [("entry", json!(0)), ("actor", json!("bob@bank.example"))] {
        liar.caught(entry, "reconcile", "was recorded with it, but not vouched for by it", |all| {
            all[first]["vouched-by"][field] = value;
        });
    }
    liar.caught(entry, "reconcile", "was recorded with it, but not vouched for by it", |all| {
        remove(&mut all[first], "vouched-by");
    });
    // One more commit than its refs reach: what Carol vouched for elsewhere.
    let push = liar.nth("push", 0);
    let vendored = first_commit(&liar, push);
    liar.caught(entry + 1, "reconcile", &format!("commit {} was recorded with it, but", made[1]), |all| {
        let mut more = all[vendored].clone();
        more["vouched-by"] = json!({ "actor": "carol@bank.example", "entry": entry + 1 });
        more["time"] = all[first]["time"].clone();
        all[first]["vouched-by"]["entry"] = json!(entry + 1);
        all.insert(at, more);
        all[at + 1]["commits"]["count"] = json!(2);
    });
    // And one from before the ledger, which its refs do reach, but which was known.
    let baseline = baseline_leaf(&bank, &liar.leaves[first]["time"], entry + 1);
    liar.caught(entry + 1, "reconcile", "was recorded with it, but not vouched for by it", |all| {
        all[first]["vouched-by"]["entry"] = json!(entry + 1);
        all.insert(first, baseline);
        all[at + 1]["commits"]["count"] = json!(2);
    });
    // Where the ledger did not put its refs, used twice, and by somebody else.
    liar.caught(liar.leaves.len() as u64, "reconcile", "the statement was used before", |all| {
        let mut again = all[at].clone();
        again["commits"] = json!({ "count": 0, "first": all.len() });
        again["time"] = all.last().unwrap()["time"].clone();
        all.push(again);
    });
    liar.caught(entry, "reconcile", "the statement's signature does not count", |all| {
        replace(&mut all[at]["statement"], "refs/heads/dev/behind", "refs/heads/dev/other_");
    });
    let genesis =
        format!("{} refs/heads/main\n", liar.leaves[0]["baseline"]["refs"].as_str().unwrap().get(..40).unwrap());
    liar.caught(entry, "reconcile", "refs/heads/dev/behind was not where it says the ledger put it", |all| {
        let put = format!("{} refs/heads/dev/behind\n{genesis}", &genesis[..40]);
        all[0]["baseline"]["refs"] = json!(put);
    });
}

/// The index of the first commit that was recorded with that entry.
fn first_commit(liar: &Liar<'_>, entry: usize) -> usize {
    usize::try_from(liar.leaves[entry]["commits"]["first"].as_u64().unwrap()).unwrap()
}

/// The leaf that the tip of the baseline would have, vouched for by that entry.
fn baseline_leaf(bank: &Bank, time: &Value, entry: u64) -> Value {
    let repository = Repository::open(&bank.server).unwrap();
    let leaf = bank.leaf(0);
    let oid = Oid::parse(leaf["baseline"]["refs"].as_str().unwrap().get(..40).unwrap()).unwrap();
    let (tree, _) = repository.links(&oid).unwrap();
    let manifest = manifest(&repository, &tree, &[], &mut Cache::default(), &Limits::default()).unwrap();
    let raw = bank.on_server(&["cat-file", "commit", &oid.to_string()]) + "\n";
    json!({
        "kind": "commit", "manifest": manifest.to_text(), "mledger": 1, "object": super::bytes(&raw), "oid": oid.to_string(),
        "time": time, "vouched-by": { "actor": "carol@bank.example", "entry": entry },
    })
}
