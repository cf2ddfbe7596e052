use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::digest::sha256;
use crate::object::fixture::{Sandbox, vectors};

fn manifest() -> ManifestDigests {
    ManifestDigests::new(sha256(b"first"), Some(sha256(b"spare")))
}

fn log() -> LogHead {
    LogHead { origin: Origin::parse("git.bank.example/models").unwrap(), size: 1042, root: sha256(b"root") }
}

fn pairs(message: &str) -> Vec<String> {
    trailers(message).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn vectors_are_judged() {
    for (name, raw) in vectors("valid/message") {
        let message = String::from_utf8(raw).unwrap();
        let found = ours(&message).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = insert(&message, &found.manifest.unwrap(), found.log.as_ref(), None);
        assert_eq!(again, message, "{name}");
    }
    for (name, raw) in vectors("invalid/message") {
        assert!(ours(std::str::from_utf8(&raw).unwrap()).is_err(), "{name}");
    }
}

#[test]
fn ours_are_read_as_they_are_printed() {
    let message = format!("Title\n\n{}\n{}\n", manifest(), log());
    assert_eq!(ours(&message).unwrap(), Ours { log: Some(log()), manifest: Some(manifest()) });
    assert!(manifest().contains(&sha256(b"first")) && manifest().contains(&sha256(b"spare")));
    assert!(!manifest().contains(&sha256(b"other")));
    assert_eq!(ManifestDigests::new(sha256(b"a"), Some(sha256(b"a"))), ManifestDigests::new(sha256(b"a"), None));
    assert_eq!(ours("Title\n\n    Mledger-Manifest: quoted\n").unwrap(), Ours::default());
    let doubled = format!("{message}\nBody\n{}\n", log());
    assert_eq!(ours(&doubled), Err(MessageError::Twice("Mledger-Log")));
    assert_eq!(ours("Mledger-Log: x\n"), Err(MessageError::Malformed("Mledger-Log")));
}

#[test]
fn trailers_are_those_of_a_last_paragraph_that_is_no_prose() {
    for (message, expected) in [
        (
            "Title\n\nTicket: MRM-17\nCo-authored-by :  Bob \n  <bob@bank.example>\n",
            &["Ticket=MRM-17", "Co-authored-by=Bob <bob@bank.example>"][..],
        ),
        ("Title\n\nBody\n\nTicket:\n\n\n", &["Ticket="]),
        ("Title\r\n\r\nTicket: 1\r\n", &["Ticket=1"]),
        ("Title\n\nTicket: 1\nprose\nmore\n more\nSigned-off-by: A\n", &["Ticket=1", "Signed-off-by=A"]),
        ("Title\n\n(cherry picked from commit 12)\nTicket: 1\n", &["Ticket=1"]),
        ("Ticket: 1\n", &[]),
        ("\n\nTicket: 1\n", &[]),
        ("Title\n\nTicket: 1\n\nBody\n", &[]),
        ("Title\n\nTicket: 1\nprose\n", &[]),
        ("Title\n\nprose\nSigned-off-by: A\n", &[]),
        ("Title\n\n Ticket: 1\n", &[]),
        ("Title\n\nTwo words: 1\n", &[]),
        ("Title\n\nhttps://bank.example: 1\n: 2\n", &[]),
        ("", &[]),
    ] {
        assert_eq!(pairs(message), expected, "{message:?}");
    }
}

#[test]
fn ours_go_where_git_looks_for_trailers() {
    let ours = format!("{}\n{}\n", manifest(), log());
    let old = format!("{}\n folded\n", ManifestDigests::new(sha256(b"old"), None));
    let scissors = "# ------------------------ >8 ------------------------\nMledger-Log: in a diff\n";
    for (message, comments, expected) in [
        ("Title".to_owned(), None, format!("Title\n\n{ours}")),
        ("Title\n\n\n".to_owned(), None, format!("Title\n\n{ours}\n\n")),
        ("fix: title\n".to_owned(), None, format!("fix: title\n\n{ours}")),
        ("Title\n\nNote: a\nb\n".to_owned(), None, format!("Title\n\nNote: a\nb\n\n{ours}")),
        ("Title\n\nTicket: 1\n".to_owned(), None, format!("Title\n\nTicket: 1\n{ours}")),
        (format!("Title\n\n{old}Ticket: 1\n"), None, format!("Title\n\nTicket: 1\n{ours}")),
        (format!("One\n\n{old}\nTwo\n\n{old}"), None, format!("One\n\nTwo\n\n{ours}")),
        ("T\n\n    Mledger-Log: kept\n".to_owned(), None, format!("T\n\n    Mledger-Log: kept\n\n{ours}")),
        ("T\n\n# x\n".to_owned(), None, format!("T\n\n{ours}\n# x\n")),
        ("# 1\n# 2\n".to_owned(), None, format!("# 1\n# 2\n\n{ours}")),
        ("T\n# x\n".to_owned(), None, format!("T\n# x\n\n{ours}")),
        ("T\n\nA: 1\n# x\n".to_owned(), None, format!("T\n\nA: 1\n# x\n{ours}")),
        ("T\n\nA: 1\n\n# Conflicts:\n#\tf\n".to_owned(), None, format!("T\n\nA: 1\n{ours}\n# Conflicts:\n#\tf\n")),
        (
            "T\n\nprose\nA: 1\nSigned-off-by: A\n".to_owned(),
            None,
            format!("T\n\nprose\nA: 1\nSigned-off-by: A\n{ours}"),
        ),
        (
            format!("T\n\nA: 1\n{scissors}"),
            None,
            format!("T\n\nA: 1\n{ours}{}", scissors.split_inclusive('\n').next().unwrap()),
        ),
        ("T\n\n# x\n".to_owned(), Some("#"), format!("T\n\n{ours}\n# x\n")),
        ("T\n# x\n".to_owned(), Some("#"), format!("T\n\n{ours}# x\n")),
        ("T\n; x\n# y\n".to_owned(), Some(";"), format!("T\n; x\n# y\n\n{ours}")),
        ("T\n\nA: 1\n# x\nB: 2\n\n# y\n".to_owned(), Some("#"), format!("T\n\nA: 1\n# x\nB: 2\n{ours}\n# y\n")),
        (format!("T\n\n{old}\n# x\n{scissors}"), Some("#"), format!("T\n\n{ours}\n# x\n{scissors}")),
        (format!("T\n{scissors}"), Some("#"), format!("T\n\n{ours}{scissors}")),
        ("\n# Please enter\n".to_owned(), Some("#"), format!("\n\n{ours}\n# Please enter\n")),
        (String::new(), None, format!("\n\n{ours}")),
        (
            "# ------------------------ >8 ------------------------\nT\n".to_owned(),
            None,
            format!("# ------------------------ >8 ------------------------\nT\n\n{ours}"),
        ),
    ] {
        let inserted = insert(&message, &manifest(), Some(&log()), comments);
        assert_eq!(inserted, expected, "{message:?}");
        assert_eq!(insert(&inserted, &manifest(), Some(&log()), comments), expected, "{message:?} again");
    }
}

#[test]
fn a_message_of_ours_alone_is_empty() {
    let ours = insert("\n# Please enter\n", &manifest(), Some(&log()), Some("#"));
    for (message, comments, expected) in [
        (ours.as_str(), Some("#"), true),
        (&ours, None, false),
        ("", None, true),
        (" \n\n", None, true),
        ("T\n", None, false),
        (&format!("T\n{ours}"), Some("#"), false),
        ("# ------------------------ >8 ------------------------\ndiff\n", Some("#"), true),
        ("# ------------------------ >8 ------------------------\ntext\n", None, false),
        ("Ticket: 1\n", Some(""), false),
    ] {
        assert_eq!(is_only_ours(message.as_bytes(), comments), expected, "{message:?}");
    }
}

/// A folded line goes with ours, and a title of ours leaves its place to the next paragraph.
fn ours_rule_nothing(message: &str) -> bool {
    let title = message.split('\n').find(|line| !is_blank(line)).unwrap_or_default();
    our_name(title).is_none() && !message.contains("\n folded") && !message.contains("\n\tfile")
}

/// Messages made of the lines that matter.
fn any_message() -> impl Strategy<Value = String> {
    let old = ManifestDigests::new(sha256(b"old"), None).to_string();
    let lines = [
        "",
        "",
        "",
        "Title",
        "prose with words",
        "Ticket: MRM-17",
        "Change-Kind: retrain",
        "Signed-off-by: A <a@b.c>",
        " folded",
        "(cherry picked from commit 12)",
        "# comment",
        "# Ticket: 2",
        "---",
        "Two words: 3",
        "mledger-log : x",
        " \t",
        "Conflicts:",
        "\tfile",
        "\r",
        "# ------------------------ >8 ------------------------",
        old.as_str(),
    ]
    .map(str::to_owned);
    (proptest::collection::vec(proptest::sample::select(lines.to_vec()), 0..12), any::<bool>())
        .prop_map(|(lines, end)| lines.join("\n") + if end { "\n" } else { "" })
}

proptest! {
    #[test]
    fn inserting_twice_is_inserting_once(message in any_message(), editor: bool, with_log: bool) {
        let (log, comments) = (with_log.then(log), editor.then_some("#"));
        let once = insert(&message, &manifest(), log.as_ref(), comments);
        prop_assert_eq!(&insert(&once, &manifest(), log.as_ref(), comments), &once);
        let body = if editor { once.split("# ------------------------ >8").next().unwrap() } else { &once };
        prop_assert_eq!(ours(body).unwrap(), Ours { log, manifest: Some(manifest()) });
    }

    #[test]
    fn what_the_user_wrote_survives(message in any_message().prop_filter("ours rule it", |text| ours_rule_nothing(text)), editor: bool) {
        let ours_gone = |text: &str| text.split('\n').filter(|line| our_name(line).is_none() && !line.trim().is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let inserted = insert(&message, &manifest(), None, editor.then_some("#"));
        prop_assert_eq!(ours_gone(&inserted), ours_gone(&message));
        if !editor && !message.split('\n').any(|line| our_name(line).is_some()) {
            let (theirs, mut kept) = (pairs(&message), pairs(&inserted));
            kept.retain(|pair| !pair.starts_with("Mledger-"));
            prop_assert!(kept.starts_with(&theirs), "{:?} {:?}", theirs, kept);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(message: String, comments in proptest::option::of("[#;a]{0,2}")) {
        let _ = (ours(&message), trailers(&message), is_only_ours(message.as_bytes(), comments.as_deref()));
        prop_assert!(insert(&message, &manifest(), None, comments.as_deref()).contains("Mledger-Manifest: "));
    }
}

#[test]
fn real_git_sees_ours_once_and_all_it_saw_before() {
    let sandbox = Sandbox::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..60 {
        let message = any_message().new_tree(&mut runner).unwrap().current();
        for comments in [Some("#"), None] {
            // Of a message that begins with scissors Git sees nothing.
            let is_cut = message.trim_start().starts_with("# ----");
            if is_only_ours(message.as_bytes(), comments) || comments.is_none() && is_cut {
                continue;
            }
            let git_sees = |message: &str| {
                let parsed = sandbox.run("git", &["interpret-trailers", "--parse", "--no-divider"], message.as_bytes());
                let parsed = String::from_utf8(parsed).unwrap();
                let (ours, others): (Vec<_>, Vec<_>) =
                    parsed.lines().map(str::to_owned).partition(|line| our_name(line).is_some());
                (ours, others)
            };
            let stripped = strip(&sandbox, &insert(&message, &manifest(), Some(&log()), comments), comments);
            let (found, others) = git_sees(&stripped);
            assert_eq!(found, [manifest().to_string(), log().to_string()], "{message:?}\n{stripped}");
            // Without the editor's help Git mistakes a folded or stale trailer of ours for more than it is.
            if ours_rule_nothing(&message) && !message.contains(MANIFEST) {
                let (_, before) = git_sees(&strip(&sandbox, &message, comments));
                assert_eq!(others, before, "{message:?}\n{stripped}");
            }
            for (name, value) in trailers(&stripped) {
                let line = format!("{name}: {value}");
                assert!(found.contains(&line) || others.contains(&line), "{line} is none to Git in\n{stripped}");
            }
        }
    }
}

#[test]
fn bytes_of_any_encoding_pass_through() {
    let ours = format!("{}\n{}\n", manifest(), log());
    for (message, comments, before, after) in [
        (&b"Gr\xfc\xdfe\n\nTicket: \xe4\n"[..], None, &b"Gr\xfc\xdfe\n\nTicket: \xe4\n"[..], &b""[..]),
        (b"\x93\xfa\x96\x7b", None, b"\x93\xfa\x96\x7b\n\n", b""),
        (
            "T\u{fc}\n\n\u{a7} x\n\u{a7} \u{fc}".as_bytes(),
            Some("\u{a7}"),
            "T\u{fc}\n\n".as_bytes(),
            "\n\u{a7} x\n\u{a7} \u{fc}".as_bytes(),
        ),
        (b"T\xff\n\n\xc2\xa7 x\n", Some("\u{a7}"), b"T\xff\n\n", b"\n\xc2\xa7 x\n"),
    ] {
        let expected = [before, ours.as_bytes(), after].concat();
        let inserted = insert_into_bytes(message, &manifest(), Some(&log()), comments);
        assert_eq!(inserted, expected, "{}", message.escape_ascii());
        assert_eq!(insert_into_bytes(&inserted, &manifest(), Some(&log()), comments), expected);
    }
    assert!(is_only_ours("\u{a7} x\n".as_bytes(), Some("\u{a7}")) && !is_only_ours(b"\xff\n", Some("#")));
}

/// What Git stores of a message that an editor saved, or that no editor saw.
fn strip(sandbox: &Sandbox, message: &str, comments: Option<&str>) -> String {
    let body = message.split("# ------------------------ >8").next().filter(|_| comments.is_some()).unwrap_or(message);
    let options = comments.map_or(&["stripspace"][..], |_| &["stripspace", "--strip-comments"]);
    String::from_utf8(sandbox.run("git", options, body.as_bytes())).unwrap()
}
