//! Objects as nobody's Git writes them: trees, commits and pointers by hand, on real pushes.

use std::path::Path;

use crate::bank::Bank;
use crate::world::{Person, Run};

/// Mode, name and object.
type Entry<'a> = (&'a str, &'a str, &'a str);

/// The raw bytes of a tree.
fn tree(entries: &[Entry<'_>]) -> Vec<u8> {
    let bytes = |oid: &str| (0..20).map(|at| u8::from_str_radix(&oid[2 * at..2 * at + 2], 16).unwrap()).collect();
    let entry = |(mode, name, oid): &(&str, &str, &str)| {
        [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &bytes(oid) as &Vec<u8>].concat()
    };
    entries.iter().flat_map(entry).collect()
}

fn who(person: &Person) -> String {
    format!("{} <{}> 1795436102 +0000", person.name, person.id())
}

/// The headers of a commit by this person, up to the signature.
fn head(person: &Person, tree: &str, parents: &[&str]) -> String {
    let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    format!("tree {tree}\n{parents}author {0}\ncommitter {0}\n", who(person))
}

fn push(person: &Person, dir: &Path, oid: &str) -> Run {
    person.push(dir, &["-f", &format!("{oid}:refs/heads/dev/a")])
}

#[test]
fn a_tree_that_programs_read_differently_is_refused() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let blob = alice.write_object(&dir, "blob", b"x");
    let folder = alice.write_object(&dir, "tree", &tree(&[("100644", "w", &blob)]));
    let parent = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    let long = "n".repeat(4097);
    let file = |name| ("100644", name, blob.as_str());
    let cases: Vec<(Vec<Entry<'_>>, &str)> = vec![
        (vec![file("b"), file("a")], "`a` twice or out of order"),
        (vec![file("a"), file("a")], "`a` twice or out of order"),
        (vec![file("a"), ("40000", "a", &folder)], "`a` twice or out of order"),
        (vec![file("a"), file("a.b"), ("40000", "a", &folder)], "`a` twice or out of order"),
        (vec![file("a/b")], "the name `a/b`"),
        (vec![file("..")], "the name `..`"),
        (vec![("40000", "..", &folder)], "the name `..`"),
        (vec![file(".")], "the name `.`"),
        (vec![("40000", ".git", &folder)], "the name `.git`"),
        (vec![("40000", ".GIT", &folder)], "the name `.GIT`"),
        (vec![("40000", "git~1", &folder)], "the name `git~1`"),
        (vec![("40000", ".git ", &folder)], "the name `.git `"),
        (vec![("40000", ".g\u{200c}it", &folder)], "the name `.g"),
        (vec![file(&long)], "the name `nnn"),
        (vec![("040000", "a", &folder)], "`040000` is not a mode"),
        (vec![("0100644", "a", &blob)], "`0100644` is not a mode"),
        (vec![("100664", "a", &blob)], "`100664` is not a mode"),
        (vec![("100600", "a", &blob)], "`100600` is not a mode"),
        (vec![("40755", "a", &folder)], "`40755` is not a mode"),
    ];
    // Git's own check sees most of them, and an administrator can turn it off; the gate sees all.
    let offered: Vec<(String, &str)> = cases
        .iter()
        .map(|(entries, words)| {
            let bad = alice.write_object(&dir, "tree", &tree(entries));
            let root = alice.write_object(&dir, "tree", &tree(&[("40000", "models", &bad)]));
            (alice.write_signed_commit(&dir, &head(alice, &root, &[&parent]), "Trees\n", "git"), *words)
        })
        .collect();
    for (commit, _) in &offered {
        let before = bank.refs();
        push(alice, &dir, commit).fails();
        assert_eq!(bank.refs(), before);
    }
    bank.on_server(&["config", "receive.fsckObjects", "false"]);
    for (commit, words) in &offered {
        bank.refused("update-problem", words, || push(alice, &dir, commit));
    }
}

#[test]
fn an_entry_of_another_kind_than_its_mode_says_is_refused() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    bank.on_server(&["config", "receive.fsckObjects", "false"]);
    let blob = alice.write_object(&dir, "blob", b"x");
    let folder = alice.write_object(&dir, "tree", &tree(&[("100644", "w", &blob)]));
    let parent = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    for (mode, oid) in [("100644", &folder), ("120000", &folder)] {
        let bad = alice.write_object(&dir, "tree", &tree(&[(mode, "models", oid)]));
        let commit = alice.write_signed_commit(&dir, &head(alice, &bad, &[&parent]), "Kinds\n", "git");
        bank.refused("update-problem", "is not a blob", || push(alice, &dir, &commit));
    }
}

/// The armour with its base64 changed by `bend`, in lines of `width`.
fn rearmoured(armour: &str, width: usize, bend: impl FnOnce(String) -> String) -> String {
    let lines: Vec<&str> = armour.trim_end().lines().collect();
    let body = bend(lines[1..lines.len() - 1].concat());
    let wrapped: Vec<&str> = body.as_bytes().chunks(width).map(|part| std::str::from_utf8(part).unwrap()).collect();
    [&lines[..1], &wrapped[..], &lines[lines.len() - 1..]].concat().join("\n")
}

#[test]
fn a_signature_has_one_form() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let head = head(alice, &alice.git(&dir, &["rev-parse", "HEAD^{tree}"]).ok(), &[&bank.tip("refs/heads/main")]);
    let armour = alice.sign("git", format!("{head}\nEmpty\n").as_bytes());
    let with = |armour: &str| {
        let object = format!("{head}gpgsig {}\n\nEmpty\n", armour.trim_end().replace('\n', "\n "));
        alice.write_object(&dir, "commit", object.as_bytes())
    };
    let begin = "-----BEGIN SSH SIGNATURE-----";
    for bad in [
        rearmoured(&armour, 64, |body| body),
        rearmoured(&armour, 4096, |body| body),
        rearmoured(&armour, 70, |body| body + "AAAA"),
        rearmoured(&armour, 70, |body| body.trim_end_matches('=').to_owned() + "===="),
        rearmoured(&armour, 70, |body| body.replacen("U1NI", "U1NI=", 1)),
        armour.replace(begin, &format!("{begin}\nComment: x")),
        armour.replace(begin, &format!(" {begin}")),
        armour.replace('\n', "\r\n"),
        format!("{armour}{armour}"),
        format!("x\n{armour}"),
    ] {
        assert_ne!(bad.trim_end(), armour.trim_end());
        let said = bank.refused("commit-signature-invalid", "a commit's signature does not count", || {
            push(alice, &dir, &with(&bad))
        });
        assert!(said.contains("why     ") && said.contains("try     mledger resign"), "{said}");
    }
    push(alice, &dir, &with(&armour)).ok();
    bank.holds();
}

#[test]
fn a_commit_with_two_readings_is_refused() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let tree = alice.git(&dir, &["rev-parse", "HEAD^{tree}"]).ok();
    let (parent, me) = (bank.tip("refs/heads/main"), who(alice));
    let good = head(alice, &tree, &[&parent]);
    let author = format!("author {me}\n");
    let trailer = format!("Mledger-Manifest: sha256:{}", "0".repeat(64));
    let digests = |count: usize| vec![format!("sha256:{}", "0".repeat(64)); count].join(" ");
    let cases: Vec<(String, String, &str)> = vec![
        (good.clone() + "encoding latin1\n", "x\n".into(), "only UTF-8"),
        (good.clone() + "encoding UTF-8\nencoding UTF-8\n", "x\n".into(), "`encoding` twice"),
        (good.clone() + "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", "x\n".into(), "`tree` twice"),
        (good.clone() + &author, "x\n".into(), "`author` twice"),
        (good.replace(&author, &format!("{author}{author}")), "x\n".into(), "`committer` where it belongs"),
        (good.clone() + "gpgsig-sha256 x\n", "x\n".into(), "only one `gpgsig`"),
        (good.clone() + "nothing\n", "x\n".into(), "among its headers that is none"),
        (good.replace(&author, &format!("{author} folded\n")), "x\n".into(), "`committer` where it belongs"),
        (good.clone() + " folded\n", "x\n".into(), "among its headers that is none"),
        (good.replace("committer", "parent x\ncommitter"), "x\n".into(), "`committer` where it belongs"),
        (good.replace(&author, "author alice 1795436102 +0000\n"), "x\n".into(), "`author` is not of the form"),
        (good.replace(&me, &format!("a<b {me}")), "x\n".into(), "`author` is not of the form"),
        (good.replace("1795436102 +", "99999999999999999999 +"), "x\n".into(), "`author` is not of the form"),
        (good.replace("1795436102 +", "253402300800 +"), "x\n".into(), "`author` is not of the form"),
        (good.replace("1795436102 +", "01795436102 +"), "x\n".into(), "`author` is not of the form"),
        (good.replace("+0000\n", "+0000\r\n"), "x\n".into(), "`author` is not of the form"),
        (good.clone(), "x\0y\n".into(), "a NUL byte"),
        (good.clone(), format!("x\n\n{trailer}\n{trailer}\n"), "Mledger-Manifest"),
        (good.clone(), format!("x\n\n{trailer}\n\nmore\n\n{trailer}\n"), "Mledger-Manifest"),
        (good.clone(), format!("x\n\nMledger-Manifest: {}\n", digests(3)), "Mledger-Manifest"),
        (good.clone(), format!("x\n\nMledger-Manifest: {}\n", digests(2)), "Mledger-Manifest"),
        (good.clone(), format!("x\n\n{}\n", trailer.replace("sha256:0", "SHA256:0")), "Mledger-Manifest"),
        (good.clone(), "x\n\nMledger-Log: git.bank.example/models 01 sha256:0\n".into(), "Mledger-Log"),
    ];
    bank.on_server(&["config", "receive.fsckObjects", "false"]);
    for (head, message, words) in &cases {
        let bad = alice.write_signed_commit(&dir, head, message, "git");
        bank.refused("commit-signature-invalid", words, || push(alice, &dir, &bad));
    }
    let twice = alice.write_signed_commit(&dir, &head(alice, &tree, &[&parent, &parent]), "x\n", "git");
    bank.refused("commit-signature-invalid", "twice", || push(alice, &dir, &twice));
}

#[test]
fn headers_that_other_programs_write_pass_and_are_signed() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let tree = alice.git(&dir, &["rev-parse", "HEAD^{tree}"]).ok();
    let plain = head(alice, &tree, &[&bank.tip("refs/heads/main")]);
    let more = "encoding utf-8\nchange-id kxryzmorkxryzmorkxryzmorkxryzmor\nHG:extra a:b\n c\n";
    let commit = alice.write_signed_commit(&dir, &(plain.clone() + more), "x\r\n\r\nTicket: 1\r\n", "git");
    push(alice, &dir, &commit).ok();
    let nobody = plain.replace("author alice <alice@bank.example>", "author  <>");
    push(alice, &dir, &alice.write_signed_commit(&dir, &nobody, "", "git")).ok();
    bank.holds();
    // Taken out again, the signature is of something else.
    let raw = alice.git(&dir, &["cat-file", "commit", &commit]).ok();
    let without = raw.replace("change-id kxryzmorkxryzmorkxryzmorkxryzmor\n", "") + "\n";
    let without = alice.write_object(&dir, "commit", without.as_bytes());
    bank.refused("commit-signature-invalid", "it does not fit the signed bytes", || push(alice, &dir, &without));
}

#[test]
fn only_a_canonical_pointer_stands_for_a_large_file() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let oid = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let good = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 3\n");
    let nearly = [
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        good.clone() + "\n",
        good.replace("size 3", "size 03"),
        good.replace("size 3", "size +3"),
        good.replace("size 3", "size 0"),
        good.replace("oid sha256", "oid  sha256"),
        good.replace(oid, &oid.to_uppercase()),
        good.replace("git-lfs.github.com", "hawser.github.com"),
        good.replace("oid", "ext-0-x sha256:0\noid"),
        good.clone() + "x y\n",
        format!("\u{feff}{good}"),
        format!("size 3\n{good}"),
    ];
    let manifest = |text: &str, mode: &str| {
        let blob = alice.write_object(&dir, "blob", text.as_bytes());
        alice.git(&dir, &["update-index", "--add", "--cacheinfo", &format!("{mode},{blob},models/w")]).ok();
        alice.git(&dir, &["commit", "-q", "-m", "Pointer"]).ok();
        push(alice, &dir, "HEAD").ok();
        let leaf = bank.leaf(bank.newest_push()["index"].as_u64().unwrap() - 1);
        leaf["manifest"].as_str().unwrap().to_owned()
    };
    for text in &nearly {
        assert_ne!(*text, good);
        let listed = manifest(text, "100644");
        assert!(listed.ends_with(&format!(" {} models/w\n", text.len())), "{text}\n{listed}");
    }
    assert!(manifest(&good, "100644").ends_with(&format!(" {} lfs-sha256:{oid} 3 models/w\n", good.len())));
    assert!(manifest(&good, "100755").ends_with(&format!(" {} lfs-sha256:{oid} 3 models/w\n", good.len())));
    bank.holds();
}

#[test]
fn a_path_of_any_bytes_is_named_and_harmless() {
    let bank = Bank::open();
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let blob = alice.write_object(&dir, "blob", b"x");
    let parent = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    let commit = |entries: &[(&str, &str, &str)]| {
        let root = alice.write_object(&dir, "tree", &tree(entries));
        alice.write_signed_commit(&dir, &head(alice, &root, &[&parent]), "Names\n", "git")
    };
    let [readme, models] = ["HEAD:README", "HEAD:models"].map(|name| bank.on_server(&["rev-parse", name]));
    for (name, shown) in [
        ("\u{1b}[2J\u{7}", "\\033[2J\\a"),
        ("a\nmledger: accepted", "a\\nmledger: accepted"),
        ("\"quoted\" \\", "\\\"quoted\\\" \\\\"),
        ("\u{202e}txt", "\\342\\200\\256txt"),
    ] {
        let folder = alice.write_object(&dir, "tree", &tree(&[("100644", name, &blob)]));
        let odd = commit(&[("100644", "README", &readme), ("40000", "models", &models), ("40000", "odd", &folder)]);
        let said = bank.refused("commit-not-granted", shown, || push(alice, &dir, &odd));
        assert!(!said.contains(name), "{said:?}");
        push(alice, &dir, &commit(&[("100644", "README", &readme), ("40000", "models", &folder)])).ok();
    }
    bank.holds();
}

#[test]
fn a_tree_that_costs_more_than_it_weighs_is_refused() {
    let bank = Bank::open_with("[limits]\nchanges-per-commit = 1000\n", &[]);
    let (alice, dir) = (&bank.alice, bank.clone_of(&bank.alice));
    let parent = alice.git(&dir, &["rev-parse", "HEAD"]).ok();
    let blob = alice.write_object(&dir, "blob", b"x");
    let commit = |root: &str| alice.write_signed_commit(&dir, &head(alice, root, &[&parent]), "Bomb\n", "git");
    let names: Vec<String> = (b'a'..=b'j').map(|name| char::from(name).to_string()).collect();
    let mut bomb = alice.write_object(&dir, "tree", &tree(&[("100644", "x", &blob)]));
    for _ in 0..9 {
        let entries: Vec<(&str, &str, &str)> =
            names.iter().map(|name| ("40000", name.as_str(), bomb.as_str())).collect();
        bomb = alice.write_object(&dir, "tree", &tree(&entries));
    }
    bank.refused("too-many-changes", "a commit changes too many files", || push(alice, &dir, &commit(&bomb)));
    let mut deep = alice.write_object(&dir, "tree", &tree(&[("100644", "x", &blob)]));
    for _ in 0..130 {
        deep = alice.write_object(&dir, "tree", &tree(&[("40000", "d", &deep)]));
    }
    bank.refused("update-problem", "deeper than 128 folders", || push(alice, &dir, &commit(&deep)));
}
