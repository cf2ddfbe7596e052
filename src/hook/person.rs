//! Who works in a clone, by Git's own account: good enough to tell whose commits are whose, and proves nothing.

use std::path::Path;

use crate::git::{Kind, Repository, command};
use crate::name::Oid;

/// Whoever works in a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their e-mail addresses; none where Git does not know them.
    emails: Vec<Vec<u8>>,
}

impl Person {
    /// Whom Git would name in a commit, in the environment of a hook or command that runs in `dir`.
    pub fn here(dir: &Path) -> Self {
        let ident = |name| command::output(command::git_in_hook(dir).args(["var", name])).ok();
        let idents = ["GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"].into_iter().filter_map(ident);
        Self { emails: idents.filter_map(|ident| Some(email(ident.as_bytes())?.to_owned())).collect() }
    }

    /// Whether they made a commit. Where Git does not know them, every commit passes for theirs.
    pub fn committed(&self, repository: &Repository, commit: &Oid) -> bool {
        let ours = |raw: Vec<u8>| header(&raw, b"committer ").is_some_and(|ident| self.is(ident));
        self.emails.is_empty() || repository.read(commit, Kind::Commit).is_ok_and(ours)
    }

    /// Whether they made or wrote a commit, given its raw bytes.
    pub fn had_a_hand_in(&self, raw: &[u8]) -> bool {
        [&b"committer "[..], b"author "].iter().any(|name| header(raw, name).is_some_and(|ident| self.is(ident)))
    }

    fn is(&self, ident: &[u8]) -> bool {
        email(ident).is_some_and(|email| self.emails.iter().any(|own| own.eq_ignore_ascii_case(email)))
    }
}

/// The value of a commit's first header of that name, which ends in a space, whatever else the commit holds.
pub(super) fn header<'a>(raw: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = raw.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    lines.find_map(|line| line.strip_prefix(name))
}

/// What stands between the angle brackets.
fn email(ident: &[u8]) -> Option<&[u8]> {
    let from = ident.iter().position(|byte| *byte == b'<')? + 1;
    let rest = ident.get(from..)?;
    rest.get(..rest.iter().position(|byte| *byte == b'>')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_known_by_their_addresses_in_any_encoding() {
        let alice = Person { emails: vec![b"alice@bank.example".to_vec()] };
        let raw = |author: &[u8], committer: &[u8]| {
            [
                b"tree x\nauthor ",
                author,
                b" 1 +0000\ncommitter ",
                committer,
                b" 1 +0000\n\nauthor A <alice@bank.example>",
            ]
            .concat()
        };
        let (own, other) = (&b"\xc4lice <Alice@bank.example>"[..], &b"Bob <bob@bank.example>"[..]);
        for (author, committer, expected) in
            [(own, own, true), (own, other, true), (other, own, true), (other, other, false), (b"<", b">", false)]
        {
            assert_eq!(alice.had_a_hand_in(&raw(author, committer)), expected, "{}", author.escape_ascii());
        }
    }
}
