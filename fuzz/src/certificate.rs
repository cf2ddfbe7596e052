//! Push certificates.

use mledger::name::Oid;
use mledger::object::certificate::{Certificate, Command, signed_payload, single_use_digest};

pub fn check(data: &[u8]) {
    let digest = single_use_digest(data);
    let Ok(certificate) = Certificate::parse(data) else { return };
    let text = std::str::from_utf8(data).expect("a certificate is text");
    let payload = signed_payload(data);
    assert_eq!([payload, certificate.signature.as_bytes()].concat(), data);
    assert!(certificate.signature.starts_with("-----BEGIN SSH SIGNATURE-----"));
    assert_eq!(again(&certificate, text).as_bytes(), payload);
    assert!(!certificate.commands.is_empty());
    let mut refs: Vec<_> = certificate.commands.iter().map(|command| &command.refname).collect();
    refs.sort();
    refs.dedup();
    assert_eq!(refs.len(), certificate.commands.len());
    // Whatever is added behind it is no signature, and does not hide that the certificate was used.
    let longer = [data, b"\n"].concat();
    assert_eq!(signed_payload(&longer), payload);
    assert_eq!(single_use_digest(data), digest);
}

/// What is signed, written anew; the blanks before the date and its zone are taken from the text.
fn again(certificate: &Certificate, text: &str) -> String {
    let who = text.lines().nth(1).unwrap_or_default();
    let rest = who.strip_prefix("pusher ").and_then(|who| who.strip_prefix(certificate.pusher.as_str()));
    let rest = rest.expect("the pusher is who stands there");
    assert_eq!(rest.split_whitespace().next(), Some(certificate.seconds.to_string().as_str()));
    let mut out = format!("certificate version 0.1\npusher {}{rest}\n", certificate.pusher);
    let optional = [("pushee", &certificate.pushee), ("nonce", &certificate.nonce)];
    for (name, value) in optional {
        out.extend(value.iter().map(|value| format!("{name} {value}\n")));
    }
    out.extend(certificate.options.iter().map(|option| format!("push-option {option}\n")));
    out.push('\n');
    out.extend(certificate.commands.iter().map(line));
    out
}

fn line(command: &Command) -> String {
    let id = |oid: Option<Oid>| oid.map_or_else(|| "0".repeat(40), |oid| oid.to_string());
    format!("{} {} {}\n", id(command.old), id(command.new), command.refname)
}
