//! Putting our trailers into a message, as a hook does: ours once and right, everything else byte for byte.

use super::{LogHead, ManifestDigests, is_blank, is_block_to_git, is_continuation, last_paragraph, our_name};

/// What follows the comment character on the line below which Git cuts the message off.
const SCISSORS: &str = " ------------------------ >8 ------------------------";

/// What starts a comment for whoever reads a message that no editor has shown.
const USUAL_COMMENT: &str = "#";

/// Deletes our trailers wherever they stand and adds these where Git looks for trailers: at the end of its block of
/// them, or as a paragraph of their own. Inserting again changes nothing.
///
/// `comments` is Git's comment character (or string) where an editor will be used, so that Git strips comments later.
/// `None` where such lines are text; ours go before those at the end all the same, since Git looks no further.
///
/// A message without content gets two empty lines first, for the title that is still to come.
pub fn insert(message: &str, manifest: &ManifestDigests, log: Option<&LogHead>, comments: Option<&str>) -> String {
    insert_lines(message, &lines_of(manifest, log), comments)
}

/// The same for a message in any encoding that leaves ASCII as it is: Git stores what it is given.
pub fn insert_into_bytes(
    message: &[u8],
    manifest: &ManifestDigests,
    log: Option<&LogHead>,
    comments: Option<&str>,
) -> Vec<u8> {
    if let Ok(text) = std::str::from_utf8(message) {
        return insert(text, manifest, log, comments).into_bytes();
    }
    let ours = as_chars(lines_of(manifest, log).as_bytes());
    let comments = comments.map(|start| as_chars(start.as_bytes()));
    as_bytes(&insert_lines(&as_chars(message), &ours, comments.as_deref()))
}

/// Whether a message holds nothing but our trailers, comments and blanks, so that its author wrote nothing and the
/// commit should be aborted as empty.
pub fn is_only_ours(message: &[u8], comments: Option<&str>) -> bool {
    written(message, comments).is_empty()
}

/// What somebody wrote of a message: its lines without ours, comments and blanks. Two messages that agree in it differ
/// in nothing that Git would keep but blanks.
pub fn written(message: &[u8], comments: Option<&str>) -> Vec<u8> {
    let (message, comments) = (as_chars(message), comments.map(|start| as_chars(start.as_bytes())));
    let comments = Comments::of(comments.as_deref());
    let (body, below) = comments.split_scissors(&message);
    // Without an editor Git keeps what stands below.
    let body = if comments.0.is_some() { body.to_owned() } else { format!("{body}{below}") };
    let lines = comments.without_ours(&body).into_iter().filter(|line| comments.is_content(line));
    as_bytes(&lines.map(|line| format!("{}\n", line.trim_end())).collect::<String>())
}

fn lines_of(manifest: &ManifestDigests, log: Option<&LogHead>) -> String {
    let log = log.map(|log| format!("{log}\n")).unwrap_or_default();
    format!("{manifest}\n{log}")
}

fn insert_lines(message: &str, ours: &str, comments: Option<&str>) -> String {
    let comments = Comments::of(comments);
    let (body, below) = comments.split_scissors(message);
    let kept = comments.without_ours(body);
    let (head, tail) = kept.split_at(comments.content_end(&kept));
    let below = comments.below_without_ours(below);

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

/// A character for each byte: what is cut and joined here is ASCII, so that the rest passes through untouched.
fn as_chars(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn as_bytes(chars: &str) -> Vec<u8> {
    chars.chars().filter_map(|char| u8::try_from(u32::from(char)).ok()).collect()
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

    /// What begins the lines that Git passes over when it looks for trailers.
    fn passed_over(self) -> &'a str {
        self.0.unwrap_or(USUAL_COMMENT)
    }

    /// How many lines belong to the message, as against comments and blanks that end it. Without an editor only whole
    /// paragraphs of comments do, and never the first.
    fn content_end(self, lines: &[&str]) -> usize {
        let end =
            |is_content: &dyn Fn(&str) -> bool| lines.iter().rposition(|line| is_content(line)).map_or(0, |at| at + 1);
        if self.0.is_some() {
            return end(&|line| self.is_content(line));
        }
        let written = end(&|line| !is_blank(line) && !line.starts_with(USUAL_COMMENT));
        let (before, after) = lines.split_at(written);
        let rest_of_paragraph = after.iter().take_while(|line| !is_blank(line)).count();
        if before.is_empty() { end(&|line| !is_blank(line)) } else { written + rest_of_paragraph }
    }

    /// Splits off the scissors line and what follows, where Git never looks for trailers. Without an editor the line may
    /// be the message's first, and then is its title.
    fn split_scissors(self, message: &str) -> (&str, &str) {
        let scissors = format!("{}{SCISSORS}", self.passed_over());
        let mut lines = message.split_inclusive('\n').scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        });
        let cut = lines.find(|(_, line)| line.trim_end_matches('\n') == scissors).map(|(at, _)| at);
        let cut = cut.filter(|at| self.0.is_some() || message.get(..*at).is_some_and(|above| !is_blank(above)));
        message.split_at(cut.unwrap_or(message.len()))
    }

    /// Below the scissors stands a diff, which an editor's user saw; without an editor it stays in the message.
    fn below_without_ours(self, below: &str) -> String {
        if self.0.is_some() { below.to_owned() } else { self.without_ours(below).concat() }
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
        let comment = self.passed_over();
        // Without an editor a comment that comes first stays, and is the title.
        let blanks = head.iter().take_while(|line| is_blank(line)).count();
        let title = blanks + head.iter().skip(blanks).take_while(|line| !is_blank(line)).count();
        let title = if self.0.is_none() { title } else { 0 };
        let is_seen = |(at, line): &(usize, &&str)| *at < title || !line.starts_with(comment);
        let lines: Vec<&str> = head.iter().enumerate().filter(is_seen).map(|(_, line)| *line).collect();
        last_paragraph(&lines).is_some_and(is_block_to_git)
    }
}
