//! Putting our trailers into a message, as a hook does: ours once and right, everything else byte for byte.

use super::{LogHead, ManifestDigests, is_blank, is_continuation, is_trailer_block, last_paragraph, our_name};

/// What follows the comment character on the line below which Git cuts the message off.
const SCISSORS: &str = " ------------------------ >8 ------------------------";

/// Deletes our trailers wherever they stand and adds these to the block of trailers, which begins a new paragraph if
/// there is none. Inserting again changes nothing.
///
/// `comments` is Git's comment character (or string) where an editor will be used, so that Git strips comments later:
/// ours then go before those at the end. `None` where such lines are text.
///
/// A message without content gets two empty lines first, for the title that is still to come.
pub fn insert(message: &str, manifest: &ManifestDigests, log: Option<&LogHead>, comments: Option<&str>) -> String {
    let comments = Comments::of(comments);
    let (body, below) = comments.split_scissors(message);
    let kept = comments.without_ours(body);
    let content = kept.iter().rposition(|line| comments.is_content(line)).map_or(0, |last| last + 1);
    let (head, tail) = kept.split_at(content);

    let log = log.map(|log| format!("{log}\n")).unwrap_or_default();
    let ours = format!("{manifest}\n{log}");
    if head.is_empty() {
        let tail = tail.iter().skip_while(|line| is_blank(line)).copied().collect::<String>();
        let between = if tail.is_empty() { "" } else { "\n" };
        return format!("\n\n{ours}{between}{tail}{below}");
    }
    let head_text = head.concat();
    let line_end = if head_text.ends_with('\n') { "" } else { "\n" };
    let between = if comments.end_in_trailers(head) { "" } else { "\n" };
    format!("{head_text}{line_end}{between}{ours}{}{below}", tail.concat())
}

/// Whether a message holds nothing but our trailers, comments and blanks, so that its author wrote nothing and the
/// commit should be aborted as empty.
pub fn is_only_ours(message: &str, comments: Option<&str>) -> bool {
    let comments = Comments::of(comments);
    let (body, _) = comments.split_scissors(message);
    !comments.without_ours(body).iter().any(|line| comments.is_content(line))
}

/// The message as Git takes it: without comments, and without the diff below the scissors.
pub fn without_comments(message: &str, comments: Option<&str>) -> String {
    let comments = Comments::of(comments);
    let (body, _) = comments.split_scissors(message);
    body.split_inclusive('\n').filter(|line| !comments.is_comment(line)).collect()
}

/// Which lines are comments: those with this start, or none.
#[derive(Clone, Copy)]
struct Comments<'a>(Option<&'a str>);

impl<'a> Comments<'a> {
    fn of(start: Option<&'a str>) -> Self {
        Self(start.filter(|start| !start.is_empty()))
    }

    fn is_comment(self, line: &str) -> bool {
        self.0.is_some_and(|start| line.starts_with(start))
    }

    fn is_content(self, line: &str) -> bool {
        !is_blank(line) && !self.is_comment(line)
    }

    /// Splits off the scissors line and what follows: a diff, not a message.
    fn split_scissors(self, message: &str) -> (&str, &str) {
        let cut = self.0.and_then(|start| {
            let scissors = format!("{start}{SCISSORS}");
            let mut lines = message.split_inclusive('\n').scan(0, |at, line| {
                let start = *at;
                *at += line.len();
                Some((start, line))
            });
            lines.find(|(_, line)| line.trim_end_matches('\n') == scissors).map(|(at, _)| at)
        });
        message.split_at(cut.unwrap_or(message.len()))
    }

    /// The lines without our trailers. Where those were a paragraph, the empty line before them goes as well.
    fn without_ours(self, body: &str) -> Vec<&str> {
        let mut kept: Vec<&str> = Vec::new();
        let mut lines = body.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            if self.is_comment(line) || our_name(line).is_none() {
                kept.push(line);
                continue;
            }
            while lines.next_if(|next| is_continuation(next) || our_name(next).is_some()).is_some() {}
            let next = lines.clone().find(|next| !self.is_comment(next));
            if next.is_none_or(is_blank) && kept.last().is_some_and(|last| is_blank(last)) {
                kept.pop();
            }
        }
        kept
    }

    fn end_in_trailers(self, head: &[&str]) -> bool {
        let lines: Vec<&str> = head.iter().copied().filter(|line| !self.is_comment(line)).collect();
        last_paragraph(&lines).is_some_and(is_trailer_block)
    }
}
