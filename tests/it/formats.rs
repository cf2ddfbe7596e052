//! What is written for ever and what programs read: real output against the schemas, and vectors byte for byte.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use mledger::entry::field::{Field, FieldError};
use mledger::entry::leaf::{LEAF_BYTES_MAX, Leaf};
use mledger::entry::statement::{Envelope, NAMESPACE, Statement};
use mledger::git::Repository;
use mledger::identity::sshsig;
use mledger::ledger::read::Log;
use serde_json::{Value, json};

use crate::bank::{Bank, report};
use crate::flood::later;
use crate::world::{write, write_script};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A format's published schema.
pub fn schema(name: &str) -> Validator {
    let text = fs::read_to_string(Path::new(ROOT).join(format!("schemas/{name}.v1.schema.json"))).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    assert_eq!(schema["$id"], format!("urn:mledger:schema:{name}.v1"));
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The value is of that form.
#[track_caller]
pub fn fits(schema: &Validator, value: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {value:#}");
}

/// A ledger with every kind of entry in many shapes, by real pushes.
fn everything() -> Bank {
    let padding = "# ".to_owned() + &"long ".repeat(4000) + "\n";
    let bank = Bank::open_with(&padding, &["--login", "env"]);
    let (alice, bob, carol) = (&bank.alice, &bank.bob, &bank.carol);
    let (hers, his, carols) = (bank.clone_of(alice), bank.clone_of(bob), bank.clone_of(carol));
    // Accepted: creates, updates, rewrites and deletes, one and several at once; names of every sort.
    alice.commit(&hers, "models/a", "one");
    fs::write(hers.join("models").join(OsStr::from_bytes(b"caf\xc3\xa9 \"x\"\ty")), "accents").unwrap();
    fs::write(hers.join("models").join(OsStr::from_bytes(b"latin-\xe9")), "not UTF-8").unwrap();
    alice.git(&hers, &["add", "."]).ok();
    alice.git(&hers, &["commit", "-q", "-m", "Näme\u{1f600} <>&\u{2028}\n\nTicket: M-1\nMetric: auc=0.9"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/é", "HEAD~1:refs/heads/dev/b", "HEAD:refs/heads/dev/c"]).ok();
    alice.push(&hers, &["+HEAD~1:refs/heads/dev/c", ":refs/heads/dev/b"]).ok();
    let receive = "--receive-pack=env MLEDGER_LOGIN=alice git-receive-pack";
    alice.push(&hers, &["--no-signed", receive, "HEAD:refs/heads/dev/login"]).ok();
    // A merge, a long list of files, many commits.
    bob.commit(&his, "README", "his");
    bob.push(&his, &["HEAD:refs/heads/main"]).ok();
    alice.git(&hers, &["fetch", "-q"]).ok();
    alice.git(&hers, &["merge", "-q", "-m", "Merge", "origin/main"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/é"]).ok();
    (0..400).for_each(|n| write(&hers, &format!("models/many/{n}"), &n.to_string()));
    alice.git(&hers, &["add", "."]).ok();
    alice.git(&hers, &["commit", "-q", "-m", &format!("Many\n\n{}", "words ".repeat(3000))]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/é"]).ok();
    let import = alice.import(&hers, Some("origin/main"), 270);
    alice.push(&hers, &[&format!("{}:refs/heads/dev/import", import[269])]).ok();
    // Denied, for many reasons.
    let theirs = bank.clone_of(&bank.mallory);
    bank.mallory.commit(&theirs, "models/m", "x");
    bank.mallory.push(&theirs, &["HEAD:refs/heads/dev/m"]).fails();
    alice.push(&hers, &["--no-signed", "HEAD:refs/heads/dev/x"]).fails();
    alice
        .push(
            &hers,
            &[
                "HEAD:refs/heads/release",
                "HEAD:refs/heads/dev/x",
                "HEAD:refs/for/main",
                "HEAD:refs/notes/x",
                "HEAD:refs/x/y",
            ],
        )
        .fails();
    alice.git(&hers, &["commit", "-q", "--amend", "--no-gpg-sign", "-m", "unsigned"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/unsigned"]).fails();
    alice.push(&hers, &["HEAD:models/a:refs/heads/dev/unsigned"]).fails();
    alice.git(&hers, &["reset", "-q", "--hard", "origin/main"]).ok();
    std::os::unix::fs::symlink("a", hers.join("models/link")).unwrap();
    alice.git(&hers, &["add", "."]).ok();
    alice.git(&hers, &["commit", "-q", "-m", "Link"]).ok();
    alice.push(&hers, &["HEAD:refs/heads/dev/link"]).fails();
    bob.git(&his, &["-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "empty"]).ok();
    bob.commit(&his, "configs/prod/x", "1");
    bob.push(&his, &["HEAD:refs/heads/main"]).fails();
    let long = format!("HEAD:refs/heads/{}", "a/".repeat(125) + "aaa");
    bank.forget_denials();
    bob.push(&his, &["--no-signed", &long]).fails();
    let counted = bob.push(&his, &["--no-signed", &long]).fails();
    assert!(counted.contains("counted with others"), "{counted}");
    later(&bank, 60);
    // The policy changes; a push is authorised and void; a ref is moved by hand.
    let policy = carol.mledger(&carols, &["policy", "show"]).ok();
    write(&carols, "new.toml", &policy.replace("name = \"models\"", "name = \"newer\""));
    carol.mledger(&carols, &["policy", "apply", "new.toml"]).ok();
    let short: String =
        policy.lines().filter(|line| !line.starts_with("# long")).fold(String::new(), |text, line| text + line + "\n");
    write(&carols, "new.toml", &short);
    carol.mledger(&carols, &["policy", "apply", "new.toml"]).ok();
    write_script(&bank.server.join("hooks"), "update", "#!/bin/sh\nexit 1\n");
    alice.git(&hers, &["reset", "-q", "--hard", "origin/main"]).ok();
    alice.commit(&hers, "models/a", "void");
    alice.push(&hers, &["HEAD:refs/heads/dev/void"]).fails();
    fs::remove_file(bank.server.join("hooks/update")).unwrap();
    bank.on_server(&["update-ref", "refs/heads/dev/hand", "refs/heads/main"]);
    alice.push(&hers, &["HEAD:refs/heads/dev/hand"]).fails();
    bank.on_server(&["update-ref", "-d", "refs/heads/dev/hand"]);
    bank
}

/// The bytes of every leaf.
fn leaves(bank: &Bank) -> Vec<Vec<u8>> {
    let repository = Repository::open(&bank.server).unwrap();
    let log = Log::open(&repository, None).unwrap();
    (0..log.size()).map(|index| log.leaf_bytes(index).unwrap()).collect()
}

#[test]
fn real_output_fits_the_published_schemas() {
    let bank = everything();
    let (of_leaf, of_statement, of_envelope) = (schema("leaf"), schema("statement"), schema("envelope"));
    let leaves = leaves(&bank);
    let mut blobs = 0;
    for bytes in &leaves {
        let leaf: Value = serde_json::from_slice(bytes).unwrap();
        fits(&of_leaf, &leaf);
        assert_eq!(serde_json_canonicalizer::to_vec(&leaf).unwrap(), *bytes);
        assert_eq!(Leaf::parse(bytes).unwrap().to_bytes().unwrap(), *bytes);
        blobs += Leaf::parse(bytes).unwrap().blob_names().len();
    }
    assert!(leaves.len() > 300 && blobs >= 4, "{} leaves, {blobs} blobs", leaves.len());
    let report = bank.holds();
    fits(&schema("verify-report"), &report);
    for kind in ["genesis", "policy", "commit", "push", "landed", "observed", "denials"] {
        assert!(report["entries"][kind].as_u64() > Some(0), "no {kind}");
    }
    assert!(report["decisions"]["denied"].as_u64() >= Some(9), "{report:#}");
    let (of_line, of_show) = (schema("log-line"), schema("show"));
    for line in bank.log() {
        fits(&of_line, &line);
        let index = line["index"].as_u64().unwrap();
        if !(20..290).contains(&index) {
            let shown = bank.carol.mledger(&bank.server, &["show", "--json", &index.to_string()]).ok();
            let shown: Value = serde_json::from_str(&shown).unwrap();
            fits(&of_show, &shown);
            assert_eq!((&shown["leaf"]["kind"], &shown["included"]), (&line["kind"], &json!(true)));
        }
    }
    let repository = Repository::open(&bank.server).unwrap();
    let log = Log::open(&repository, None).unwrap();
    let changes = leaves.iter().filter_map(|bytes| match Leaf::parse(bytes) {
        Ok(Leaf::Policy(change)) => Some(change),
        _ => None,
    });
    let mut stated = 0;
    for change in changes {
        let text = log.field_text(&change.statements[0]).unwrap();
        let envelope: Value = serde_json::from_str(&text).unwrap();
        fits(&of_envelope, &envelope);
        fits(&of_statement, &serde_json::from_str(envelope["statement"].as_str().unwrap()).unwrap());
        stated += 1;
    }
    assert_eq!(stated, 2);
    // A report of problems has the same form.
    bank.on_server(&["update-ref", "refs/heads/dev/hand", "refs/heads/main"]);
    bank.on_server(&["update-ref", "-d", "refs/heads/main"]);
    let (code, bad) = report_of(&bank);
    assert_eq!((code, bad["problems"].as_array().unwrap().len()), (4, 2));
    fits(&schema("verify-report"), &bad);
}

fn report_of(bank: &Bank) -> (i32, Value) {
    report(&bank.carol, &bank.server, &[])
}

#[test]
fn schemas_refuse_what_does_not_belong() {
    for (name, folder) in [("leaf", "leaf"), ("statement", "statement"), ("envelope", "envelope")] {
        let schema = schema(name);
        for (path, bytes) in vectors("valid", folder) {
            let good: Value = serde_json::from_slice(&bytes).unwrap();
            fits(&schema, &good);
            let object = good.as_object().unwrap();
            for key in object.keys() {
                let mut less = object.clone();
                less.remove(key);
                let optional = ["login", "own", "actor", "certificate", "vouched-by"].contains(&key.as_str());
                assert!(optional || !schema.is_valid(&json!(less)), "{} without {key}", path.display());
                let mut other = object.clone();
                other[key] = json!({ "surely": "not" });
                assert!(!schema.is_valid(&json!(other)), "{} with another {key}", path.display());
            }
            let mut more = object.clone();
            more.insert("more".to_owned(), json!(1));
            assert!(!schema.is_valid(&json!(more)), "{}", path.display());
        }
    }
}

/// The vectors of one folder, by path.
fn vectors(verdict: &str, format: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(ROOT).join("tests/vectors/v1").join(verdict).join(format);
    let mut found: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{}", folder.display());
    found
}

/// Whether everything about a leaf is as it is written, its bytes in base64 included.
fn leaf_stands(bytes: &[u8]) -> bool {
    let Ok(leaf) = Leaf::parse(bytes) else { return false };
    let fields: Vec<&Field> = match &leaf {
        Leaf::Commit(commit) => vec![&commit.object],
        Leaf::Push(push) => {
            push.certificate.iter().chain(push.updates.iter().filter_map(|it| it.tag.as_ref())).collect()
        }
        _ => Vec::new(),
    };
    let decodes = |field: &Field| match field {
        Field::Inline(_) => field.read_bytes::<FieldError>(|_| unreachable!()).is_ok(),
        Field::Blob(_) => true,
    };
    fields.into_iter().all(decodes)
}

#[test]
fn leaves_are_read_and_written_byte_for_byte() {
    let mut kinds = std::collections::BTreeSet::new();
    for (path, bytes) in vectors("valid", "leaf") {
        let leaf = Leaf::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(leaf_stands(&bytes), "{}", path.display());
        assert_eq!(leaf.to_bytes().unwrap(), bytes, "{}", path.display());
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes, "{}", path.display());
        kinds.insert(leaf.kind());
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["commit", "denials", "genesis", "import", "landed", "observed", "policy", "push", "reconcile"]
    );
    for (path, bytes) in vectors("invalid", "leaf") {
        assert!(!leaf_stands(&bytes), "{} is taken for a leaf", path.display());
    }
    let (_, landed) = vectors("valid", "leaf").into_iter().find(|(path, _)| path.ends_with("landed.json")).unwrap();
    let text = String::from_utf8(landed).unwrap();
    let named = "\"updates\":[";
    let one = "{\"ref\":\"refs/heads/main\",\"state\":\"landed\"},";
    let long = text.replace(named, &format!("{named}{}", one.repeat(LEAF_BYTES_MAX / one.len())));
    assert!(long.len() > LEAF_BYTES_MAX && !leaf_stands(long.as_bytes()));
    let shorter = text.replace(named, &format!("{named}{}", one.repeat((LEAF_BYTES_MAX - text.len()) / one.len())));
    assert!(leaf_stands(shorter.as_bytes()));
}

#[test]
fn statements_are_read_and_written_byte_for_byte() {
    for (path, bytes) in vectors("valid", "statement") {
        let text = String::from_utf8(bytes).unwrap();
        let statement = Statement::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(statement.to_text().unwrap(), text, "{}", path.display());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&value).unwrap(), text, "{}", path.display());
    }
    for (path, bytes) in vectors("invalid", "statement") {
        let refused = String::from_utf8(bytes).map_or(true, |text| Statement::parse(&text).is_err());
        assert!(refused, "{} is taken for a statement", path.display());
    }
    for (path, bytes) in vectors("valid", "envelope") {
        let (envelope, _) = Envelope::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(envelope.to_bytes().unwrap(), bytes, "{}", path.display());
        sshsig::verify(envelope.signature.as_bytes(), NAMESPACE, envelope.statement.as_bytes()).unwrap();
    }
    for (path, bytes) in vectors("invalid", "envelope") {
        let stands = Envelope::parse(&bytes).is_ok_and(|(envelope, _)| {
            sshsig::verify(envelope.signature.as_bytes(), NAMESPACE, envelope.statement.as_bytes()).is_ok()
        });
        assert!(!stands, "{} is taken for an envelope", path.display());
    }
}
