//! Statements of actors and their envelopes, against another writer of canonical JSON.

use mledger::entry::statement::{Envelope, NAMESPACE, REASON_BYTES_MAX, Statement, commits_text, parse_commits};
use mledger::identity::ed25519::SecretKey;
use mledger::identity::sshsig;

pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(commits) = parse_commits(text) {
            assert_eq!(commits_text(&commits), text);
        }
        if let Ok(statement) = Statement::parse(text) {
            good(&statement, text);
            sealed(&statement, text);
        }
    }
    if let Ok((envelope, statement)) = Envelope::parse(data) {
        assert_eq!(envelope.to_bytes().ok().as_deref(), Some(data));
        canonical(data);
        good(&statement, &envelope.statement);
    }
}

fn good(statement: &Statement, text: &str) {
    assert_eq!(statement.to_text().ok().as_deref(), Some(text));
    canonical(text.as_bytes());
    let value: serde_json::Value = serde_json::from_str(text).expect("a statement is JSON");
    assert_eq!(value["actor"], statement.actor().as_str());
    assert_eq!(value["expires"], statement.expires().to_string());
    assert_eq!(value["origin"], statement.origin().as_str());
    assert_eq!(value["reason"].as_str(), statement.reason());
    assert!(statement.reason().is_none_or(|reason| !reason.is_empty() && reason.len() <= REASON_BYTES_MAX));
}

/// Signed and put into an envelope it comes out as it was, and only with what it names.
fn sealed(statement: &Statement, text: &str) {
    let signature = sshsig::sign(&SecretKey::from_seed(&[1; 32]), NAMESPACE, text.as_bytes());
    let envelope = |attachment: &str| Envelope {
        attachment: attachment.to_owned(),
        mledger: 1,
        signature: signature.clone(),
        statement: text.to_owned(),
    };
    let bytes = envelope("").to_bytes().expect("it can be written");
    let bare = matches!(statement, Statement::Reconcile(_));
    match Envelope::parse(&bytes) {
        Ok((opened, inside)) => {
            assert_eq!((&opened, &inside), (&envelope(""), statement));
            assert!(sshsig::verify(opened.signature.as_bytes(), NAMESPACE, opened.statement.as_bytes()).is_ok());
            assert!(sshsig::verify(opened.signature.as_bytes(), "git", opened.statement.as_bytes()).is_err());
        }
        Err(_) => assert!(!bare || bytes.len() > mledger::entry::statement::BARE_ENVELOPE_BYTES_MAX),
    }
    let other = envelope("something else").to_bytes().expect("it can be written");
    assert!(Envelope::parse(&other).is_err());
}

fn canonical(data: &[u8]) {
    let value: serde_json::Value = serde_json::from_slice(data).expect("it is JSON");
    assert_eq!(serde_json_canonicalizer::to_vec(&value).expect("it can be written"), data);
}
