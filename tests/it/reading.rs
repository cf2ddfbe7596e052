//! Reading a ledger from the outside: `log`, `show`, `prove`, `policy`, `export`, and how commands end.

mod ledger;
mod readers;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use mledger::digest::sha256;
use mledger::tlog::bundle;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::VerifierKey;
use mledger::tlog::tile::{TileKind, tiles_of};
use serde_json::Value;

use self::ledger::{Fixture, PUSHES, SIZE};
use crate::world::{MLEDGER, Run};

/// What was printed with `--json`, a value per line.
fn values(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn value(run: Run) -> Value {
    serde_json::from_str(&run.ok()).unwrap()
}

#[test]
fn log_shows_every_entry_in_either_order() {
    let fixture = Fixture::new();
    let newest_first = values(&fixture.run(&["log", "--json"]).ok());
    let indices: Vec<u64> = newest_first.iter().map(|row| row["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..SIZE).rev().collect::<Vec<_>>());
    let oldest_first = values(&fixture.run(&["log", "--json", "--reverse"]).ok());
    assert!(oldest_first.iter().eq(newest_first.iter().rev()));

    for name in ["index", "kind", "time", "actor", "decision", "refs", "paths", "commit"] {
        assert!(newest_first.iter().all(|row| row.get(name).is_some()), "{name}");
    }
    let genesis = &oldest_first[0];
    assert_eq!(genesis["kind"], "genesis");
    assert_eq!(genesis["origin"], "git.bank.example/models");
    assert_eq!(genesis["vkey"], fixture.vkey.as_str());
    let commit = oldest_first.iter().find(|row| row["kind"] == "commit").unwrap();
    assert_eq!(commit["actor"], "alice@bank.example");
    assert_eq!(commit["paths"], serde_json::json!(["models/credit/w.bin"]));
    assert_eq!(commit["commit"].as_str().unwrap().len(), 40);

    let text = fixture.run(&["log"]).ok();
    assert_eq!(text.lines().count() as u64, SIZE);
    assert!(!text.contains('\u{1b}'), "colours without a terminal");
    assert!(fixture.run(&["log", "--color", "always"]).ok().contains('\u{1b}'));
}

#[test]
fn log_filters_and_stops() {
    let fixture = Fixture::new();
    let count = |words: &[&str]| {
        let words = [&["log", "--json"], words].concat();
        values(&fixture.run(&words).ok()).len() as u64
    };
    assert_eq!(count(&["-n", "3"]), 3);
    assert_eq!(count(&["-n", "0"]), 0);
    assert_eq!(count(&["--kind", "commit"]), PUSHES);
    assert_eq!(count(&["--kind", "commit,genesis"]), PUSHES + 1);
    assert_eq!(count(&["--decision", "denied"]), 1);
    assert_eq!(count(&["--actor", "alice@bank.example", "--decision", "accepted"]), PUSHES);
    assert_eq!(count(&["--actor", "bob@bank.example"]), 1);
    assert_eq!(count(&["--path", "models/credit", "--kind", "commit"]), PUSHES);
    assert_eq!(count(&["--path", "configs/**"]), 0);
    assert_eq!(count(&["--ref", "main", "--kind", "push"]), PUSHES + 1);
    assert_eq!(count(&["--since", "2026-11-24"]), 0);
    assert_eq!(count(&["--until", "2026-11-23"]), SIZE);

    let denied = fixture.run(&["log", "--decision", "denied"]).ok();
    assert!(denied.contains('✗') && denied.contains("may not update main: not-granted"), "{denied}");
}

#[test]
fn show_says_what_an_entry_is_and_that_it_is_included() {
    let fixture = Fixture::new();
    let shown = value(fixture.run(&["show", "1", "--json"]));
    assert_eq!(shown["leaf"]["kind"], "commit");
    assert_eq!(shown["included"], true);
    assert_eq!(shown["size"], SIZE);

    let oid = shown["leaf"]["oid"].as_str().unwrap();
    for words in [["show", "1"], ["show", oid], ["show", &oid[..10]]] {
        let text = fixture.run(&words).ok();
        assert!(text.starts_with("entry 1 of git.bank.example/models\n"), "{text}");
        assert!(text.contains("valid, by SHA256:") && text.contains("signed with the commit"), "{text}");
        assert!(text.contains("A models/credit/w.bin (2 bytes)"), "{text}");
    }
    let denied = fixture.run(&["show", &(SIZE - 1).to_string()]).ok();
    assert!(denied.contains("not-granted: the pusher may not do this"), "{denied}");

    for (words, says) in [
        (["show", "9999"], "there is no entry 9999"),
        (["prove", "9999"], "there is no entry 9999"),
        (["show", "nonsense"], "no entry records"),
    ] {
        let run = fixture.run(&words);
        assert_eq!(run.code, Some(1));
        assert!(run.err.starts_with("error: ") && run.err.contains(says), "{}", run.err);
        assert!(run.err.contains("\n  try: mledger log"), "{}", run.err);
    }
}

#[test]
fn proofs_hold_offline_and_only_unchanged() {
    let fixture = Fixture::new();
    let away = fixture.world.path("away");
    fs::create_dir(&away).unwrap();
    for index in [0, 1, 255, 256, SIZE - 1] {
        let (index, proof) = (index.to_string(), away.join("x.tlog-proof"));
        let path = proof.to_str().unwrap();
        assert_eq!(fixture.run(&["prove", &index, "-o", path]).ok(), "");
        let verified = value(fixture.run_in(&away, &["verify-proof", path, "--key", &fixture.vkey, "--json"]));
        assert_eq!(verified["ok"], true);
        assert_eq!(verified["index"].to_string(), index);
        assert_eq!(verified["size"], SIZE);
        // The repository trusts a key, so none needs to be named there.
        fixture.run(&["verify-proof", path]).ok();
        // And the proof that is printed is the one that is written.
        assert_eq!(fixture.run(&["prove", &index]).out, fs::read_to_string(&proof).unwrap());
    }

    let without_key = fixture.run_in(&away, &["verify-proof", "x.tlog-proof"]);
    assert_eq!(without_key.code, Some(2), "{without_key:?}");
    let verify = || fixture.run_in(&away, &["verify-proof", "x.tlog-proof", "--key", &fixture.vkey]).code;
    assert_eq!(verify(), Some(0));
    for name in ["x.leaf.json", "x.tlog-proof"] {
        let whole = fs::read(away.join(name)).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut changed = whole.clone();
            // Every other time what results is no UTF-8.
            changed[at] ^= if at % 2 == 0 { 1 } else { 0x80 };
            fs::write(away.join(name), changed).unwrap();
            assert_eq!(verify(), Some(4), "{name} {at}");
        }
        fs::write(away.join(name), whole).unwrap();
    }
    let other = VerifierKey::parse(&fixture.vkey).unwrap().to_string().replace("models+", "other+");
    assert_eq!(fixture.run_in(&away, &["verify-proof", "x.tlog-proof", "--key", &other]).code, Some(2));
}

#[test]
fn policies_are_checked_and_explained() {
    let fixture = Fixture::new();
    let checked = value(fixture.run(&["policy", "check", "--json"]));
    assert_eq!((&checked["ok"], &checked["name"]), (&true.into(), &"credit models".into()));
    assert_eq!(checked["actors"], 2);

    let bad = fixture.world.path("bad.toml");
    fs::write(&bad, "mledger = 1\nname = \"x\"\n[admin]\nactors = [\"nobody\"]\nthreshold = 1\n[roles.x]\n").unwrap();
    let run = fixture.run(&["policy", "check", bad.to_str().unwrap()]);
    assert_eq!(run.code, Some(1));
    assert!(run.out.lines().count() >= 2 && run.out.contains("bad.toml:4:"), "{}", run.out);
    let listed: Value =
        serde_json::from_str(&fixture.run(&["policy", "check", bad.to_str().unwrap(), "--json"]).out).unwrap();
    assert_eq!(listed["ok"], false);
    assert_eq!(listed["errors"].as_array().unwrap().len(), run.out.lines().count());

    let explain = |words: &[&str]| fixture.run(&[&["policy", "explain"], words].concat());
    assert_eq!(values(&explain(&["--json"]).ok()).len(), 2);
    assert!(explain(&["--actor", "alice@bank.example"]).ok().contains("role engineer"));
    let ask = |actor: &str| explain(&["--actor", actor, "--ref", "main", "--path", "models/credit/w.bin"]).code;
    assert_eq!(ask("alice@bank.example"), Some(0));
    assert_eq!(ask("bob@bank.example"), Some(3));
    let who = values(&explain(&["--ref", "main", "--json"]).ok());
    assert_eq!(who.iter().filter(|row| row["granted"] == true).count(), 1);
    assert_eq!(explain(&["--path", "x"]).code, Some(2));
    assert_eq!(explain(&["--action", "create"]).code, Some(2));
    assert_eq!(explain(&["--actor", "eve"]).code, Some(1));
}

/// Reads an export with nothing but the format, and checks every byte of it against an independent tree.
fn check_export(dir: &Path, vkey: &str) -> u64 {
    let note = fs::read_to_string(dir.join("checkpoint")).unwrap();
    let checkpoint = Checkpoint::open(&note, &VerifierKey::parse(vkey).unwrap()).unwrap();
    let mut oracle = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    let mut level_roots: Vec<Vec<u8>> = Vec::new();
    for tile in tiles_of(checkpoint.size()) {
        let bytes = fs::read(dir.join(tile.to_string())).unwrap();
        match tile.kind() {
            TileKind::Entries => bundle::parse(&bytes).unwrap().into_iter().for_each(|leaf| oracle.push(leaf.to_vec())),
            TileKind::Hashes { level: 0 } => {
                let hashes = tile.parse_hashes(&bytes).unwrap();
                if tile.is_full() {
                    let mut subtree = mledger::tlog::tree::Frontier::default();
                    for hash in &hashes {
                        subtree.append(*hash);
                    }
                    level_roots.push(subtree.root().as_bytes().to_vec());
                }
            }
            TileKind::Hashes { level } => {
                assert_eq!((level, bytes), (1, level_roots.concat()));
            }
        }
    }
    assert_eq!(oracle.root().as_bytes()[..], checkpoint.root().as_bytes()[..]);
    checkpoint.size()
}

#[test]
fn an_export_is_a_whole_log_and_grows() {
    let fixture = Fixture::new();
    let dir = fixture.world.path("www");
    let export = || fixture.run(&["export", "tiles", dir.to_str().unwrap(), "--json"]);
    let first = value(export());
    assert_eq!(check_export(&dir, &fixture.vkey), SIZE);
    assert_eq!(first["size"], SIZE);
    let blobs: Vec<_> = walk(&dir.join("blob"));
    assert!(!blobs.is_empty(), "the fixture's policy is long");
    for path in blobs {
        let name: String = path
            .components()
            .rev()
            .take(2)
            .collect::<Vec<_>>()
            .iter()
            .rev()
            .map(|part| part.as_os_str().to_str().unwrap())
            .collect();
        assert_eq!(sha256(&fs::read(&path).unwrap()).hex(), name);
    }
    assert_eq!(value(export())["files"], 0, "nothing is new");

    // Past the next full tile: what was partial is completed, what was full stays.
    fixture.grow(250);
    let old = fs::read(dir.join("tile/entries/000")).unwrap();
    value(export());
    assert_eq!(check_export(&dir, &fixture.vkey), SIZE + 250);
    assert_eq!(fs::read(dir.join("tile/entries/000")).unwrap(), old);
    assert!(dir.join(format!("tile/0/001.p/{}", SIZE - 256)).exists(), "readers may still hold the first checkpoint");

    let foreign = fixture.world.path("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("index.html"), "hello").unwrap();
    let refused = fixture.run(&["export", "tiles", foreign.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("neither empty nor an export of this ledger"), "{}", refused.err);
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_changed_entry_is_neither_proven_nor_exported() {
    let fixture = Fixture::new();
    fixture.change_sealed_entry(5);
    let shown = fixture.run(&["show", "5", "--json"]);
    assert_eq!(shown.code, Some(4), "{shown:?}");
    assert_eq!(serde_json::from_str::<Value>(&shown.out).unwrap()["included"], false);
    assert_eq!(fixture.run(&["show", "6"]).code, Some(0), "its own hash and the tiles still fit");
    let proven = fixture.run(&["prove", "5"]);
    assert_eq!((proven.code, proven.out.as_str()), (Some(1), ""));
    assert!(proven.err.contains("entry 5 is not what the ledger's checkpoint signs"), "{}", proven.err);
    let dir = fixture.world.path("www");
    let exported = fixture.run(&["export", "tiles", dir.to_str().unwrap()]);
    assert_eq!(exported.code, Some(1));
    assert!(exported.err.contains("the ledger's entries hash to"), "{}", exported.err);
    assert!(!dir.join("checkpoint").exists());
}

#[test]
fn the_key_is_the_one_named_or_kept_or_trusted_at_first_use() {
    let fixture = Fixture::new();
    assert_eq!(fixture.run(&["log", "-n", "1"]).err, "");
    fs::remove_file(fixture.repository.join("mledger/vkey")).unwrap();
    let trusting = fixture.run(&["log", "-n", "1"]);
    assert!(trusting.err.contains("trusting the key") && trusting.err.contains(&fixture.vkey), "{}", trusting.err);
    assert_eq!(fixture.run(&["-q", "log", "-n", "1"]).err, "");
    assert_eq!(fixture.run(&["log", "-n", "1", "--key", &fixture.vkey]).err, "");
    fs::write(fixture.repository.join("mledger/vkey"), Fixture::other_vkey()).unwrap();
    let refused = fixture.run(&["log", "-n", "1"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("checkpoint does not hold"), "{}", refused.err);
}

#[test]
fn a_clone_reads_the_ledger_that_follows_the_servers() {
    let fixture = Fixture::new();
    let root = fixture.world.root();
    fixture.person.git(root, &["init", "-q", "clone"]).ok();
    let clone = fixture.world.path("clone");
    let none = fixture.run_in(&clone, &["log"]);
    assert!(none.err.contains("there is no ledger here") && none.err.contains("try: mledger init"), "{}", none.err);
    let followed = clone.join(".git/mledger/log.git");
    fixture.person.git(root, &["init", "-q", "--bare", followed.to_str().unwrap()]).ok();
    let words =
        ["fetch", "-q", "--depth=256", fixture.repository.to_str().unwrap(), "+refs/mledger/log:refs/mledger/log"];
    fixture.person.git(&followed, &words).ok();
    fs::create_dir_all(clone.join("deep/er")).unwrap();
    for dir in [clone.clone(), clone.join("deep/er")] {
        assert_eq!(values(&fixture.run_in(&dir, &["log", "--json"]).ok()).len() as u64, SIZE);
        assert_eq!(values(&fixture.run_in(&dir, &["log", "--json", "--kind", "commit"]).ok()).len() as u64, PUSHES);
    }
    // It goes when that ledger goes, and is not the server's.
    assert!(followed.join("query.sqlite").exists() && !fixture.repository.join("mledger/query.sqlite").exists());
    fixture.run(&["-C", clone.to_str().unwrap(), "show", "0"]).ok();
}

#[test]
fn a_repository_named_to_verify_leaves_other_paths_alone() {
    let fixture = Fixture::new();
    let root = fixture.world.root();
    let head = fixture.person.git(&fixture.repository, &["show", "-s", "--format=%B", "refs/mledger/log"]).ok();
    let (_, note) = head.split_once("git.bank.example/models\n").unwrap();
    fs::write(root.join("seen.txt"), format!("git.bank.example/models\n{note}\n")).unwrap();
    let run = fixture.run_in(root, &["verify", "models.git", "--since", "seen.txt", "--no-refs", "--json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!(report["size"], SIZE);
}

#[test]
fn commands_end_as_promised() {
    let fixture = Fixture::new();
    let outside = fixture.world.path("outside");
    fs::create_dir(&outside).unwrap();
    for (words, code) in [
        (&["--help"][..], 0),
        (&["log", "--help"], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["frobnicate"], 2),
        (&["log", "--kind", "weather"], 2),
        (&["log", "--since", "yesterday"], 2),
        (&["log", "-q", "-v"], 2),
        (&["log"], 1),
        (&["-C", "nowhere", "log"], 1),
        (&["-Yverify"], 1),
        (&["-Y", "find-principals"], 1),
    ] {
        let run = fixture.run_in(&outside, words);
        assert_eq!(run.code, Some(code), "{words:?} {run:?}");
    }
    let not_here = fixture.run_in(&outside, &["log"]).err;
    assert!(not_here.contains("is not a Git repository\n") && not_here.contains("mledger -C FOLDER"), "{not_here}");
    let nowhere = fixture.run_in(&outside, &["-C", "nowhere", "log"]).err;
    assert!(nowhere.starts_with("error: could not enter `nowhere`\n  because: "), "{nowhere}");
}

#[test]
fn git_gets_its_text_read_and_a_no() {
    let fixture = Fixture::new();
    // More than a pipe holds: whoever writes it sees whether somebody reads.
    let text = vec![b'x'; 1 << 20];
    for mode in ["verify", "check-novalidate", "match-principals"] {
        let run = fixture.person.run(Command::new(MLEDGER).args(["-Y", mode, "-n", "git"]), Some(&text));
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(1), "", ""));
    }
    let mut child = Command::new(MLEDGER).args(["-Y", "verify"]).stdin(Stdio::piped()).spawn().unwrap();
    let written = std::io::Write::write_all(&mut child.stdin.take().unwrap(), &text);
    assert!(written.is_ok(), "{written:?}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let fixture = Fixture::new();
    for words in [&["log", "--json"][..], &["log"], &["show", "1"], &["completions", "zsh"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            Command::new(MLEDGER).args(words).current_dir(&fixture.repository).stdout(writer).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_eq!(output.status.code(), Some(141), "{words:?}");
    }
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    let fixture = Fixture::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = fixture.run(&["completions", shell]).ok();
        assert!(script.contains("verify-proof") && script.contains("explain"), "{shell}");
    }
    let dir = fixture.world.path("man");
    fixture.run(&["man", dir.to_str().unwrap()]).ok();
    let pages: BTreeSet<String> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for page in
        ["mledger.1", "mledger-log.1", "mledger-policy-check.1", "mledger-export-tiles.1", "mledger-verify-proof.1"]
    {
        assert!(pages.contains(page), "{page} {pages:?}");
    }
    let log = fs::read_to_string(dir.join("mledger-log.1")).unwrap();
    assert!(log.contains("NOTES") && log.contains("Example"), "{log}");
}

#[test]
fn questions_leave_an_index_beside_the_ledger_which_may_go_at_any_time() {
    let fixture = Fixture::new();
    fixture.grow(300);
    let file = fixture.repository.join("mledger/query.sqlite");
    let ask = || {
        let run = fixture.run(&["log", "--actor", "bob@bank.example", "--json"]);
        let said = run.err.clone();
        (values(&run.ok()).len(), said)
    };
    // Without a question there is none.
    fixture.run(&["log", "-n", "5"]).ok();
    fixture.run(&["show", "7"]).ok();
    assert!(!file.exists());

    assert_eq!(ask(), (301, String::new()));
    let made = fs::read(&file).unwrap();
    assert_eq!(ask(), (301, String::new()));
    assert_eq!(fs::read(&file).unwrap(), made, "nothing new, nothing written");
    fixture.grow(300);
    assert_eq!(ask(), (601, String::new()));
    assert_ne!(fs::read(&file).unwrap(), made);
    fs::write(&file, "no database at all").unwrap();
    assert_eq!(ask(), (601, String::new()));
    fs::remove_file(&file).unwrap();
    assert_eq!(ask(), (601, String::new()));
    // Where nothing can be kept, every entry is read, and one line says so.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (count, said) = ask();
    assert!(count == 601 && said.starts_with("note: ") && said.lines().count() == 1, "{said}");
    fs::remove_dir(&file).unwrap();
    let doctor = fixture.run(&["doctor"]);
    assert!(!format!("{doctor:?}").contains("query.sqlite"), "{doctor:?}");
}
