//! Messages of every shape: the trailers of ours once, those of others as Git sees them, every other byte as it was.

use std::process::Command;

use crate::client::desk::{Desk, desk};
use crate::world::write_script;

impl Desk {
    /// HEAD's message as its bytes stand.
    fn message(&self) -> Vec<u8> {
        let raw = Command::new("git").args(["cat-file", "commit", "HEAD"]).current_dir(&self.dir).output().unwrap();
        let start = raw.stdout.windows(2).position(|part| part == b"\n\n").unwrap() + 2;
        raw.stdout[start..].to_vec()
    }

    /// HEAD's message without the lines of ours and the blank one before them, if they are a paragraph.
    fn theirs(&self) -> Vec<u8> {
        let message = self.message();
        let mut lines: Vec<&[u8]> = message.split_inclusive(|byte| *byte == b'\n').collect();
        let count = lines.len();
        lines.retain(|line| !line.starts_with(b"Mledger-"));
        assert!(lines.len() < count, "{}", message.escape_ascii());
        lines.concat()
    }

    /// What `git interpret-trailers --parse` sees in HEAD's message, without ours.
    fn parsed(&self) -> String {
        let words = ["interpret-trailers", "--parse", "--no-divider"];
        let mut command = Command::new("git");
        let seen = self.alice.run(command.args(words).current_dir(&self.dir), Some(&self.message())).ok();
        seen.lines().filter(|line| !line.starts_with("Mledger-")).collect::<Vec<_>>().join("|")
    }

    /// Commits with a message given byte for byte, in a cleanup mode.
    #[track_caller]
    fn commit_bytes(&self, message: &[u8], cleanup: &str) {
        std::fs::write(self.world.path("message"), message).unwrap();
        self.git(&format!("commit -q --allow-empty --cleanup={cleanup} -F ../message"));
    }
}

#[test]
fn every_cleanup_mode_keeps_what_it_keeps_without_us() {
    let desk = desk();
    desk.commit("root", "1");
    let messages: [&[u8]; 14] = [
        b"Title",
        b"Title\n",
        b"Title\n\n\nBody  \nwith blanks\n\n\n\nTicket: 7\n\n\n",
        b"Title\r\n\r\nBody\r\n\r\nTicket: 7\r\nChange-Kind: retrain\r\n",
        b"Title\n\nNote: not a trailer\nbut prose\n",
        b"Title\n\nprose first\nTicket: 7\nSigned-off-by: A <a@b.c>\n",
        b"Title\n\n---\nTicket: 7\n",
        b"Title\n\nBody\n---\n\nTicket: 7\n",
        b"Title\n\nTicket: 7\n\n# Heading\n# More\n",
        b"Title\n\nTicket: 7\n# in the block\n",
        b"Title\n\nBody\n\n# ------------------------ >8 ------------------------\ncut off\n\nTicket: 8\n",
        b"# 12: a title like a comment\n\nBody\n",
        b"Title\n# no blank line before\n",
        b"Ticket: 7\n",
    ];
    for message in messages {
        for cleanup in ["verbatim", "whitespace", "strip", "scissors"] {
            desk.commit_bytes(message, cleanup);
            // Git strips the scissors line, but not what follows, so that it sees no trailer where it was: one is bound.
            let is_cut = cleanup == "strip" && message.windows(2).any(|part| part == b">8");
            if !is_cut {
                desk.check_commit(&desk.dir, "HEAD");
            }
            let (ours, seen) = (desk.theirs(), desk.parsed());
            desk.git("reset -q --soft HEAD~1");
            desk.git(&format!("-c core.hooksPath=/dev/null commit -q --allow-empty --cleanup={cleanup} -F ../message"));
            let (plain, plainly) = (desk.message(), desk.parsed());
            let content = |bytes: &[u8]| -> Vec<Vec<u8>> {
                let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
                lines.map(<[u8]>::to_vec).collect()
            };
            let told = format!("{cleanup}: {}\nwithout us: {}", message.escape_ascii(), plain.escape_ascii());
            assert_eq!(content(&ours), content(&plain), "{told}");
            if cleanup == "verbatim" {
                let (ours, plain) = (String::from_utf8(ours).unwrap(), String::from_utf8(plain.clone()).unwrap());
                assert!(ours.starts_with(plain.trim_end_matches('\n')) || message.contains(&b'#'), "{told}");
            }
            assert_eq!(seen, plainly, "{told}");
        }
    }
}

#[test]
fn the_cleanup_mode_may_be_configured() {
    let desk = desk();
    for cleanup in ["verbatim", "whitespace", "strip", "scissors", "default"] {
        desk.git(&format!("config commit.cleanup {cleanup}"));
        for editor in ["true", r#"sed -i '1s/^/Edited/' "$1""#] {
            let alice = desk.editor(editor);
            alice.git(&desk.dir, &["commit", "-q", "--allow-empty", "-e", "-v", "-m", "Title\n\nTicket: 7"]).ok();
            desk.check();
            assert!(desk.git("log -1 --format=%(trailers:key=Ticket,valueonly)").starts_with('7'), "{cleanup}");
        }
    }
}

#[test]
fn big_and_foreign_messages_pass_through() {
    let desk = desk();
    let mut big = b"Title\n\n".to_vec();
    big.extend(b"Mledger-Manifest: sha256:0\nline of prose\n# comment\n\n".repeat(10_000));
    big.extend(b"Signed-off-by: A <a@b.c>\n");
    big.extend(vec![b'x'; 400_000]);
    desk.commit_bytes(&big, "verbatim");
    let kept = desk.theirs();
    assert!(kept.len() > 600_000 && kept.ends_with(b"x\n"), "{}", kept.len());
    desk.check();
    for (message, encoding) in
        [(&b"Gr\xfc\xdfe\n\nTicket: \xe4"[..], "ISO-8859-1"), (b"\x93\xfa\x96\x7b\n\nTicket: 7", "Shift_JIS")]
    {
        desk.git(&format!("config i18n.commitEncoding {encoding}"));
        desk.commit_bytes(message, "strip");
        assert_eq!(desk.theirs(), [message, b"\n"].concat(), "{encoding}");
        assert_eq!(desk.parsed().matches("Ticket").count(), 1);
    }
    desk.git("config --unset i18n.commitEncoding");
    // Git makes UTF-8 of it after it has signed it, which is told and mended.
    std::fs::write(desk.world.path("message"), b"\xff no text\n").unwrap();
    let run = desk.try_git("commit -q --allow-empty -F ../message");
    assert!(run.err.contains("does not count") && run.err.contains("mend it with `mledger resign`"), "{run:#?}");
    assert_eq!(desk.theirs(), "\u{ff} no text\n\n".as_bytes());
    desk.alice.mledger(&desk.dir, &["resign", "HEAD~1"]).ok();
    desk.check_commit(&desk.dir, "HEAD");
    assert_eq!(desk.theirs(), "\u{ff} no text\n\n".as_bytes());
}

#[test]
fn intent_and_other_trailers_stay_trailers() {
    let desk = desk();
    let words = ["commit", "-q", "--allow-empty", "-s", "--trailer", "Ticket: 7", "--trailer", "Change-Kind: retrain"];
    desk.alice.git(&desk.dir, &[&words[..], &["-m", "Title", "-m", "Body"]].concat()).ok();
    desk.check();
    let expected = "Signed-off-by: alice <alice@bank.example>|Ticket: 7|Change-Kind: retrain";
    assert_eq!(desk.parsed(), expected);
    for line in [
        "commit -q --amend --no-edit --allow-empty",
        "commit -q --amend --no-edit --allow-empty --trailer Reviewed-by:B",
    ] {
        desk.git(line);
        desk.check();
        assert!(desk.parsed().starts_with(expected), "{}", desk.parsed());
    }
    desk.git("commit -q --allow-empty -C HEAD");
    assert!(desk.parsed().starts_with(expected), "{}", desk.parsed());
    desk.git("cherry-pick --allow-empty -x HEAD");
    assert!(desk.parsed().starts_with(expected), "{}", desk.parsed());
    desk.check();
}

#[test]
fn authors_dates_and_copied_messages() {
    let desk = desk();
    desk.commit("a", "1");
    let words =
        ["commit", "-q", "--allow-empty", "--author=B B <b@b.example>", "--date=@1000000000 +0530", "-m", "by B"];
    desk.alice.git(&desk.dir, &words).ok();
    let alice = desk.editor(r#"sed -i '1s/^/Copied: /' "$1""#);
    alice.git(&desk.dir, &["commit", "-q", "--allow-empty", "-c", "HEAD"]).ok();
    assert_eq!(desk.git("log -1 --format=%s/%an/%ad --date=raw"), "Copied: by B/B B/1000000000 +0530");
    desk.check();
}

#[test]
fn a_template_is_kept() {
    let desk = desk();
    desk.write("../template", "\n\nBody\n\nChange-Kind: retrain\nTicket: 7\n# explained\n");
    desk.git("config commit.template ../template");
    let head = desk.try_git("rev-parse HEAD").code;
    for words in [&["commit", "--allow-empty"][..], &["commit", "--allow-empty", "-v"]] {
        let err = desk.editor("true").git(&desk.dir, words).fails();
        assert!(err.contains("abort") || err.contains("Abort"), "{err}");
    }
    assert_eq!(desk.try_git("rev-parse HEAD").code, head, "an untouched template is no message");
    desk.editor(r#"sed -i '1s/^/Title/' "$1""#).git(&desk.dir, &["commit", "-q", "--allow-empty"]).ok();
    desk.check();
    assert_eq!(desk.parsed(), "Change-Kind: retrain|Ticket: 7");
}

#[test]
fn smuggled_trailers_do_not_get_through() {
    let desk = desk();
    let zero = format!("sha256:{}", "0".repeat(64));
    for text in [
        format!("T\n\nMledger-Manifest: {zero}\nMLEDGER-MANIFEST : {zero}\n"),
        format!("Mledger-Manifest: {zero}\n\nBody\n\nMledger-Manifest: {zero}\n folded\n"),
        format!("T\n\n# ------------------------ >8 ------------------------\nMledger-Manifest: {zero}\n"),
        format!("T\n\nMledger-Manifest: {zero}\r\n\r\nmledger-manifest:{zero}\n"),
    ] {
        for cleanup in ["verbatim", "strip"] {
            desk.commit_bytes(text.as_bytes(), cleanup);
            desk.check_commit(&desk.dir, "HEAD");
        }
    }
    // As comments that an editor's user turns into text, or that a comment character does.
    for (character, smuggled) in [("#", "#Mledger-Manifest: "), (";", ";Mledger-Manifest: ")] {
        desk.git(&format!("config core.commentChar {character}"));
        let editor = format!("printf 'T\\n\\n{smuggled}{zero}\\n' | cat - \"$1\" > \"$1.x\"; mv \"$1.x\" \"$1\"");
        desk.editor(&editor).git(&desk.dir, &["commit", "-q", "--allow-empty"]).ok();
        desk.check_commit(&desk.dir, "HEAD");
    }
    // The later of two names for one thing holds.
    desk.git("config core.commentChar %");
    desk.git("config core.commentString //");
    let alice = desk.editor(r#"sed -i '1s/^/% Title/' "$1""#);
    alice.git(&desk.dir, &["commit", "-q", "--allow-empty"]).ok();
    desk.check_commit(&desk.dir, "HEAD");
    // An editor that adds a second one is found out.
    let editor = format!("printf 'T\\n\\nMledger-Manifest: {zero}\\n' | cat - \"$1\" > \"$1.x\"; mv \"$1.x\" \"$1\"");
    let run = desk.editor(&editor).git(&desk.dir, &["commit", "--allow-empty"]);
    assert!(run.err.contains("twice; mend it with `mledger resign`"), "{run:#?}");
    desk.alice.mledger(&desk.dir, &["resign"]).ok();
    desk.check_commit(&desk.dir, "HEAD");
}

#[test]
fn hooks_of_others_may_change_the_message() {
    let desk = desk();
    write_script(&desk.dir, ".git/hooks/commit-msg.before-mledger", "#!/bin/sh\necho 'Reviewed-by: R' >> \"$1\"\n");
    desk.git("commit -q --allow-empty -m T");
    desk.check();
    assert_eq!(desk.parsed(), "Reviewed-by: R");
}
