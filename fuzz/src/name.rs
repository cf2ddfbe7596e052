//! Names, times, sizes: each value has one text. Ref names are also asked of libgit2.

use mledger::clock::Timestamp;
use mledger::digest::Digest;
use mledger::name::{ActorId, Oid, Origin, RefName, RepoPath};
use mledger::policy::actor::Login;
use mledger::policy::quantity::{DURATION_MAX_MS, SIZE_MAX, parse_duration_ms, parse_size};

pub fn check(data: &[u8]) {
    if let Ok(path) = RepoPath::from_bytes(data) {
        let text = path.to_string();
        assert!(text.is_ascii() && !text.contains('\n'));
        assert_eq!(RepoPath::parse(&text).as_ref(), Ok(&path));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(path) = RepoPath::parse(text) {
        assert_eq!(path.to_string(), text);
        assert_eq!(RepoPath::from_bytes(path.as_bytes()).as_ref(), Ok(&path));
    }
    if let Ok(refname) = RefName::parse(text) {
        assert_eq!(refname.as_str(), text);
        assert!(git2::Reference::is_valid_name(text), "Git does not take {text:?}");
    }
    if let Ok(time) = Timestamp::parse(text) {
        assert_eq!(time.to_string(), text);
        assert_eq!(Timestamp::from_millis(time.millis()), Some(time));
    }
    assert!(ActorId::parse(text).is_ok_and(|actor| actor.as_str() == text) || ActorId::parse(text).is_err());
    assert!(Origin::parse(text).is_ok_and(|origin| origin.as_str() == text) || Origin::parse(text).is_err());
    assert!(Login::parse(text).is_ok_and(|login| login.as_str() == text) || Login::parse(text).is_err());
    assert!(Digest::parse(text).is_ok_and(|digest| digest.to_string() == text) || Digest::parse(text).is_err());
    assert!(Oid::parse(text).is_ok_and(|oid| oid.to_string() == text) || Oid::parse(text).is_err());
    assert!(parse_size(text).map_or(true, |bytes| (1..=SIZE_MAX).contains(&bytes)));
    assert!(parse_duration_ms(text).map_or(true, |ms| (60_000..=DURATION_MAX_MS).contains(&ms)));
}
