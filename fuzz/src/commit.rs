//! Git commits: what is read is all there is, and what is signed is all but the signature.

use mledger::object::commit::{Commit, signed_payload};
use mledger::object::person::Person;

pub fn check(data: &[u8]) {
    let Ok(commit) = Commit::parse(data) else { return };
    let text = std::str::from_utf8(data).expect("a commit is text");
    assert_eq!(written(&commit, text, true), text);
    let payload = signed_payload(data);
    assert_eq!(written(&commit, text, false).as_bytes(), payload);
    let bare = Commit::parse(&payload).expect("without its signature it is still a commit");
    assert_eq!(bare, Commit { signature: None, ..commit });
}

/// The commit again, as Git would write it; the zones of persons, which nobody needs, are taken from the text.
fn written(commit: &Commit, text: &str, signed: bool) -> String {
    let mut out = format!("tree {}\n", commit.tree);
    out.extend(commit.parents.iter().map(|parent| format!("parent {parent}\n")));
    let zone = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    };
    out.push_str(&person("author", &commit.author, &zone("author ")));
    out.push_str(&person("committer", &commit.committer, &zone("committer ")));
    // Where the signature stands among the other headers only the text says.
    let head = text.split("\n\n").next().unwrap_or_default();
    let names = head.split('\n').filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    let mut others = commit.headers.iter();
    for name in names.skip(commit.parents.len() + 3) {
        if name == "gpgsig" {
            let armour = commit.signature.as_deref().expect("a signature that stands there is read");
            if signed {
                header(&mut out, name, armour.strip_suffix('\n').expect("an armour ends its line"));
            }
        } else {
            let other = others.next().expect("every header is kept");
            assert_eq!(other.name, name);
            header(&mut out, name, &other.value);
        }
    }
    assert_eq!(others.next(), None);
    out + "\n" + &commit.message
}

fn person(name: &str, person: &Person, zone: &str) -> String {
    format!("{name} {} <{}> {} {zone}\n", person.name, person.email, person.seconds)
}

fn header(out: &mut String, name: &str, value: &str) {
    out.extend([name, " ", &value.replace('\n', "\n "), "\n"]);
}
