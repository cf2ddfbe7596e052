use proptest::prelude::*;

use super::*;
use crate::digest::sha256;
use crate::object::message::{ManifestDigests, insert};

fn digest() -> Digest {
    sha256(b"data")
}

#[test]
fn values_have_the_form_of_their_name() {
    let content = format!("org/credit-q3:v2@{}", digest());
    for (name, value) in [
        (Name::ChangeKind, "retrain"),
        (Name::Ticket, "RISK-12 and 'more', \"quoted\""),
        (Name::TrainingRun, "https://runs.bank.example/81?a=b#c"),
        (Name::Dataset, &content),
        (Name::BaseModel, &content),
        (Name::Metric, "auc=0.91"),
        (Name::Metric, "loss/val=-1.5e-4"),
        (Name::Metric, "größe=12"),
    ] {
        let intent = Intent::parse(name, value).unwrap();
        assert_eq!(intent.to_string(), format!("{}: {value}", name.as_str()));
        assert_eq!(Intent::parse_line(&intent.to_string()), Some(intent));
    }
}

#[test]
fn other_values_are_refused_with_what_was_meant() {
    let hex = digest().hex();
    let (spaced, quoted) = (format!("credit q3@sha256:{hex}"), format!("\"q3\"@sha256:{hex}"));
    let (short, upper) = (format!("q3@sha256:{}", &hex[..63]), format!("q3@sha256:{}", hex.to_uppercase()));
    let (nameless, long) = (format!("@sha256:{hex}"), "x".repeat(501));
    for (name, value, words) in [
        (Name::ChangeKind, "retrian", "did you mean `retrain`?"),
        (Name::ChangeKind, "Retrain", "did you mean `retrain`?"),
        (Name::ChangeKind, "whatever", "is no kind of change; the kinds are train, retrain"),
        (Name::ChangeKind, "train retrain", "is no kind of change"),
        (Name::Ticket, " ", "there is no value"),
        (Name::Ticket, "a\nChange-Kind: train", "a line's end"),
        (Name::Ticket, "a\rb", "a line's end"),
        (Name::Ticket, "a\u{1b}[31m", "control character"),
        (Name::Ticket, &long, "more than the 500"),
        (Name::Dataset, "q3", "is not NAME@sha256:<64 hex>"),
        (Name::Dataset, "q3@md5:abc", "is not NAME@sha256:<64 hex>"),
        (Name::Dataset, &short, "has 63 hexadecimal digits"),
        (Name::Dataset, &upper, "in lower case"),
        (Name::Dataset, &spaced, "no blanks or quotes"),
        (Name::Dataset, &quoted, "no blanks or quotes"),
        (Name::BaseModel, &nameless, "`` is not a name"),
        (Name::Metric, "auc", "is not NAME=NUMBER"),
        (Name::Metric, "auc=", "not a finite number"),
        (Name::Metric, "auc=nan", "not a finite number"),
        (Name::Metric, "auc=inf", "not a finite number"),
        (Name::Metric, "auc=1e999", "not a finite number"),
        (Name::Metric, "auc=0,91", "not a finite number"),
        (Name::Metric, "=1", "`` is not a name"),
    ] {
        let error = Intent::parse(name, value).unwrap_err().to_string();
        assert!(error.contains(words), "{value}: {error}");
    }
}

#[test]
fn a_message_is_judged_by_its_trailers_only() {
    for (message, expected) in [
        ("Title\n\nChange-Kind: train\nTicket: 1\nTicket: 2\nMetric: a=1\nMetric: b=2\n", &[][..]),
        ("Change-Kind: nonsense\n", &[]),
        ("Title\n\nChange-Kind: nonsense\n\nMore words.\n", &[]),
        ("Title\n\nSigned-off-by: A <a@b>\nchange-kind: retrian\n", &["change-kind: retrian"]),
        ("Title\n\nChange-Kind: train\nChange-Kind: train\n", &["Change-Kind: train"]),
        ("Title\n\nChange-Kind: train\nChange-Kind: retrain\n", &["Change-Kind: retrain"]),
        ("Title\n\nMetric: a=1\nMetric: a=2\n", &["Metric: a=2"]),
        ("Title\n\nTicket:\nMetric: a\n b=1\n", &["Metric: a b=1"]),
    ] {
        let lines: Vec<String> = flaws(message).into_iter().map(|flaw| flaw.line).collect();
        assert_eq!(lines, expected, "{message}");
    }
}

#[test]
fn what_is_missing_is_what_the_gate_would_miss() {
    let wanted = ["Ticket", "Change-Kind", "ticket"];
    for (message, expected) in [
        ("Title\n", &["Ticket", "Change-Kind"][..]),
        ("Title\n\nticket: 1\n", &["Change-Kind"]),
        ("Title\n\nTicket:\nChange-Kind: x\n", &["Ticket"]),
        ("Ticket: 1\n", &["Ticket", "Change-Kind"]),
        ("Title\n\nTicket: 1\n\nWords.\n", &["Ticket", "Change-Kind"]),
    ] {
        assert_eq!(missing(message, wanted), expected, "{message}");
    }
}

fn intents(lines: &[&str]) -> Vec<Intent> {
    lines.iter().map(|line| Intent::parse_line(line).unwrap()).collect()
}

#[test]
fn intents_stand_with_our_own_trailers_each_once() {
    let new = intents(&["Change-Kind: retrain", "Metric: auc=0.91"]);
    let block = "Change-Kind: retrain\nMetric: auc=0.91\nMledger-Manifest: x\n";
    for (message, expected) in [
        // As Git leaves it with --trailer: at the end of a message, and of none.
        (format!("Title\n\n{block}"), format!("Title\n\n{block}")),
        (
            "\nChange-Kind: retrain\nMetric: auc=0.91\n\nMledger-Manifest: x\n# Please enter\n".to_owned(),
            format!("\n\n{block}# Please enter\n"),
        ),
        ("\n\nMledger-Manifest: x\n".to_owned(), format!("\n\n{block}")),
        // An amend: what is given anew takes the place of the old; the rest stays.
        (
            "Title\n\nChange-Kind: train\nMetric: auc=0.8\nMetric: f1=0.7\nTicket: 1\nChange-Kind: retrain\nMetric: auc=0.91\nMledger-Manifest: x\n"
                .to_owned(),
            format!("Title\n\nMetric: f1=0.7\nTicket: 1\n{block}"),
        ),
        // Prose that looks like one stays.
        (format!("Title\n\nChange-Kind: train\nis what we did.\n\n{block}"), format!("Title\n\nChange-Kind: train\nis what we did.\n\n{block}")),
        // A title is a title, whatever it says.
        (
            "Change-Kind: retrain\n\nWords.\n\nMledger-Manifest: x\n".to_owned(),
            format!("Change-Kind: retrain\n\nWords.\n\n{block}"),
        ),
        // Without ours nothing is known of the message.
        ("Title\n".to_owned(), "Title\n".to_owned()),
    ] {
        assert_eq!(place(&message, &new), expected);
        assert_eq!(place(&expected, &new), expected, "again");
    }
}

#[test]
fn a_template_stands_above_our_trailers_once() {
    let template = ["# Ticket: ".to_owned()];
    for (message, expected) in [
        ("\n\nMledger-Manifest: x\n# Please\n", "\n\n# Ticket: \nMledger-Manifest: x\n# Please\n"),
        ("T\n\nA: b\nMledger-Manifest: x\n", "T\n\nA: b\n# Ticket: \nMledger-Manifest: x\n"),
        ("T", "T\n# Ticket: \n"),
    ] {
        assert_eq!(place_template(message, &template), expected);
        assert_eq!(place_template(expected, &template), expected, "again");
    }
}

#[test]
fn a_message_without_words_is_seen() {
    for (message, expected) in [
        ("\n\nChange-Kind: train\nMledger-Manifest: x\n# Please\n", true),
        ("# Ticket: \n", true),
        ("Title\n\nChange-Kind: train\n", false),
        ("Reviewed-by: A\n", false),
    ] {
        assert_eq!(is_only_intent(message, Some("#")), expected, "{message}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_value_leaves_its_line(text: String, name in 0_usize..6) {
        let _ = (flaws(&text), missing(&text, ["Ticket"]), is_only_intent(&text, Some("#")));
        let _ = (place(&text, &intents(&["Ticket: 1"])), place_template(&text, &[String::new()]));
        if let Ok(intent) = Intent::parse(Name::ALL[name], &text) {
            prop_assert_eq!(intent.to_string().lines().count(), 1);
        }
    }

    #[test]
    fn what_is_not_intent_survives(lines in proptest::collection::vec("[A-Z][a-z]{0,5}( [a-z]{1,5}){0,3}", 1..6)) {
        let message = format!("{}\n\nMledger-Manifest: x\n", lines.join("\n"));
        let placed = place(&message, &intents(&["Ticket: 1"]));
        prop_assert_eq!(placed.replace("Ticket: 1\n", ""), message);
    }
}

#[test]
fn what_git_takes_for_text_is_text_to_placing_as_well() {
    let manifest = ManifestDigests::new(sha256(b"x"), None);
    let ticket = [Intent::parse(Name::Ticket, "RISK-12").unwrap()];
    // To Git a vertical tab is a title, and what follows are trailers.
    let message = insert("\u{b}\n\nReviewed-by: Bob\n", &manifest, None, None);
    let once = place(&message, &ticket);
    assert_eq!(place(&once, &ticket), once);
    assert_eq!(once.matches("Ticket: RISK-12").count(), 1, "{once}");
}
