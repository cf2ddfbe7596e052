//! Commits that a forge made by itself: its merge and squash buttons, its web editor, its bots. No hook ran for them,
//! and nobody can sign them again in the forge's name.

use super::person::header;

/// The addresses that forges commit under.
const ADDRESSES: [&str; 6] = [
    "<noreply@github.com>",
    "<noreply@gitlab.com>",
    "<gitea@fake.local>",
    "<noreply@gitea.io>",
    "<noreply@codeberg.org>",
    "<noreply@bitbucket.org>",
];

/// What marks an account as a program's.
const BOT: &str = "[bot]";

/// How the message of a merge button begins: GitHub, Gitea and Forgejo.
const TITLE: &str = "Merge pull request ";

/// What a forge adds to the message of a merge or squash: GitLab, then Gitea and Forgejo.
const ADDED: [&str; 2] = ["See merge request ", "Reviewed-on: http"];

/// Whether a commit, by its raw bytes, looks like one that a forge made. Whoever wants to can make one look so: it
/// decides about advice only.
pub fn is_forges(raw: &[u8]) -> bool {
    let committer = header(raw, b"committer ").map(String::from_utf8_lossy).unwrap_or_default();
    let author = header(raw, b"author ").map(String::from_utf8_lossy).unwrap_or_default();
    let text = String::from_utf8_lossy(raw);
    let message = text.split_once("\n\n").map(|(_, message)| message).unwrap_or_default();
    ADDRESSES.iter().any(|address| committer.to_ascii_lowercase().contains(address))
        || [committer, author].iter().any(|ident| ident.contains(BOT))
        || message.starts_with(TITLE)
        || message.lines().any(|line| ADDED.iter().any(|added| line.starts_with(added)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_and_bots_are_told_from_people() {
        let raw = |author: &str, committer: &str, message: &str| {
            format!("tree x\nauthor {author} 1 +0000\ncommitter {committer} 1 +0000\n\n{message}\n").into_bytes()
        };
        let alice = "Alice <alice@bank.example>";
        for (author, committer, message, expected) in [
            (alice, "GitHub <noreply@github.com>", "Update model.json", true),
            (alice, alice, "Merge pull request #1 from alice/x", true),
            (alice, alice, "Merge branch 'x' into 'main'\n\nSee merge request models/credit!1", true),
            (alice, alice, "Title (#1)\n\nReviewed-on: https://forge.bank.example/models/credit/pulls/1", true),
            ("dependabot[bot] <1+dependabot[bot]@users.noreply.github.com>", alice, "Bump", true),
            (alice, alice, "Merge branch 'x'", false),
            ("A <1+alice@users.noreply.github.com>", "A <1+alice@users.noreply.github.com>", "Bump", false),
            (alice, alice, "Reviewed-on: paper", false),
        ] {
            assert_eq!(is_forges(&raw(author, committer, message)), expected, "{committer} {message}");
        }
    }
}
