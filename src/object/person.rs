//! Who Git says wrote something, and when: nothing that anybody proved.
//!
//! ```text
//! Alice Müller <alice@bank.example> 1795436102 +0100
//! ```
//!
//! Source: `fsck_ident` in Git's `fsck.c`.

/// The latest moment, in seconds since the epoch: the end of the year 9999, as for every time in the ledger.
pub const SECONDS_MAX: u64 = 253_402_300_799;

/// An author or committer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The e-mail address, as written; may be empty.
    pub email: String,
    /// The name, as written; may be empty.
    pub name: String,
    /// When, in seconds since 1970-01-01T00:00:00Z; at most [`SECONDS_MAX`].
    pub seconds: u64,
}

impl Person {
    /// Parses `name <email> seconds zone`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (ident, seconds) = split_time(text)?;
        let (name, email) = ident.strip_suffix('>')?.split_once('<')?;
        // Git writes the space also after an empty name.
        let name = name.strip_suffix(' ')?;
        let bare = |part: &str| !part.contains(['<', '>', '\n']);
        (bare(name) && bare(email)).then(|| Self { email: email.to_owned(), name: name.to_owned(), seconds })
    }
}

/// Splits `… seconds zone` from the right: what stands before, and the seconds. Push certificates use it as well.
pub fn split_time(text: &str) -> Option<(&str, u64)> {
    let (rest, zone) = text.rsplit_once(' ')?;
    let (ident, seconds) = rest.rsplit_once(' ')?;
    let seconds = canonical_number(seconds)?;
    (is_zone(zone) && seconds <= SECONDS_MAX).then_some((ident, seconds))
}

/// Parses a decimal number that has no sign and no needless zero.
pub(crate) fn canonical_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn is_zone(zone: &str) -> bool {
    let digits = zone.strip_prefix(['+', '-']);
    digits.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_what_git_writes() {
        for (text, name, email, seconds) in [
            ("A B <a@b.c> 1795436102 +0000", "A B", "a@b.c", 1_795_436_102),
            (" <> 0 -1130", "", "", 0),
            ("\u{c9}ve  <e> 253402300799 +0000", "\u{c9}ve ", "e", SECONDS_MAX),
        ] {
            let parsed = Person::parse(text).unwrap();
            assert_eq!((parsed.name.as_str(), parsed.email.as_str(), parsed.seconds), (name, email, seconds));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "A <a> 1",
            "A <a> 1 0000",
            "A <a> 1 +000",
            "A <a> 01 +0000",
            "A <a> -1 +0000",
            "A <a>  1 +0000",
            "A <a> 253402300800 +0000",
            "A <a> 99999999999999999999 +0000",
            "A<a> 1 +0000",
            "<a> 1 +0000",
            "A <a 1 +0000",
            "A a> 1 +0000",
            "A <<a> 1 +0000",
            "A <a>> 1 +0000",
            "A > <a> 1 +0000",
            "A <a>x 1 +0000",
        ] {
            assert_eq!(Person::parse(bad), None, "{bad}");
        }
    }
}
