//! What a clone remembers of its pushes.

use mledger::hook::sent::Sent;

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let sent = Sent::parse(&text);
    let written = sent.to_text().expect("it can be written");
    let again = Sent::parse(&written);
    assert_eq!(again.to_text().expect("it can be written"), written, "reading and writing again changes something");
    if sent.unreadable.is_empty() {
        assert_eq!(again, sent);
    }
    // Nothing is overlooked: a line is remembered, or reported, up to the limits.
    let lines = text.split('\n').filter(|line| !line.is_empty()).count();
    let kept = sent.notes.len() + sent.receipts.len() + sent.refusals.len() + sent.unreadable.len();
    assert!(kept <= lines);
    assert!(kept > 0 || sent == Sent::default());
}
