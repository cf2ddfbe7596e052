//! What a change is for: values, and where they are put into a message.

use mledger::digest::sha256;
use mledger::object::intent::{
    Intent, Name, check_alone, flaws, is_only_intent, missing, place, place_template,
};
use mledger::object::message::{ManifestDigests, insert, ours, trailers};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The first line is a value, the rest a message.
    let (value, message) = text.split_once('\n').unwrap_or((text, ""));
    let intents: Vec<Intent> = Name::ALL.into_iter().filter_map(|name| Intent::parse(name, value).ok()).collect();
    for intent in &intents {
        let line = intent.to_string();
        assert_eq!(Intent::parse_line(&line).as_ref(), Some(intent), "{line:?}");
        assert!(!line.contains('\n'));
        assert!(intent.supersedes(intent));
    }
    look(message);
    put(message, &intents);
}

fn look(message: &str) {
    for flaw in flaws(message) {
        assert!(Name::of(flaw.line.split(':').next().unwrap_or_default()).is_some());
    }
    let wanted: Vec<&str> = Name::ALL.iter().map(|name| name.as_str()).collect();
    let carried = trailers(message);
    for name in missing(message, wanted) {
        assert!(!carried.iter().any(|(found, value)| found.eq_ignore_ascii_case(name) && !value.is_empty()));
    }
    let _ = is_only_intent(message, Some("#"));
    let template = ["# Ticket: ".to_owned(), "# Metric: ".to_owned()];
    let once = place_template(message, &template);
    assert_eq!(place_template(&once, &template), once);
}

/// Intents that do not contradict each other are carried by the message that they are put into.
fn put(message: &str, intents: &[Intent]) {
    let mut alone: Vec<Intent> = Vec::new();
    for intent in intents {
        alone.extend(check_alone(&alone, intent.clone()).ok());
    }
    let manifest = ManifestDigests::new(sha256(b"x"), None);
    let with_ours = insert(message, &manifest, None, None);
    let placed = place(&with_ours, &alone);
    let again = place(&placed, &alone);
    // A title that says what is placed is taken for what `git commit --trailer` wrote, once nothing else stands there.
    let title = with_ours.lines().find(|line| !line.trim().is_empty()).and_then(Intent::parse_line);
    let is_titled = title.is_some_and(|title| alone.contains(&title));
    assert!(again == placed || is_titled, "placing again makes {again:?} of {placed:?}");
    assert_eq!(ours(&placed).ok().and_then(|ours| ours.manifest), Some(manifest));
    for intent in &alone {
        let line = intent.to_string();
        assert!(placed.lines().any(|each| each == line), "{line:?} is not in {placed:?}");
    }
}
