//! Annotated tags.

use mledger::name::RefName;
use mledger::object::tag::{Tag, signed_payload};

pub fn check(data: &[u8]) {
    let Ok(tag) = Tag::parse(data) else { return };
    let text = std::str::from_utf8(data).expect("a tag is text");
    let tagger = &tag.tagger;
    let begin = format!(
        "object {}\ntype commit\ntag {}\ntagger {} <{}> {} ",
        tag.commit, tag.name, tagger.name, tagger.email, tagger.seconds
    );
    let rest = text.strip_prefix(&begin).expect("the headers are read as they stand");
    let (zone, body) = rest.split_at(5);
    assert!(zone.starts_with(['+', '-']));
    let armour = tag.signature.as_deref().unwrap_or_default();
    assert_eq!(body, format!("\n\n{}{armour}", tag.message));
    let payload = signed_payload(data);
    assert_eq!([payload, armour.as_bytes()].concat(), data);
    let bare = Tag::parse(payload).expect("without its signature it is still a tag");
    assert_eq!(bare, Tag { signature: None, ..tag.clone() });
    // It goes to one ref and to no other.
    if let Ok(own) = RefName::parse(&format!("refs/tags/{}", tag.name)) {
        assert!(tag.check_name(&own).is_ok());
    }
    let other = RefName::parse(&format!("refs/tags/{}x", tag.name));
    assert!(other.is_err() || other.is_ok_and(|other| tag.check_name(&other).is_err()));
}
