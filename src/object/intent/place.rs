//! Where intents stand in a message that Git is about to show or take: in the paragraph of our own trailers.

use std::fmt::Write as _;

use super::{Intent, Name};
use crate::object::message::{is_blank, is_ours, without_comments};

/// Puts intents into the message, above our own trailer, which must stand there already. Those that they supersede go,
/// and so do the copies that `git commit --trailer` put wherever the message seemed to end.
pub fn place(message: &str, intents: &[Intent]) -> String {
    let lines: Vec<&str> = message.split_inclusive('\n').collect();
    let Some(ours) = first_of_ours(&lines) else { return message.to_owned() };
    let begin = paragraph_begin(&lines, ours);
    let title_end = title_end(&lines, ours, intents);
    let mut kept: Vec<&str> = Vec::new();
    let mut gone = false;
    for (at, &line) in lines.iter().enumerate().take(ours) {
        if gone && at >= begin && line.starts_with([' ', '\t']) {
            continue;
        }
        // Where copies were a paragraph, one of the empty lines around it goes as well.
        let doubled = gone && is_blank(line) && kept.last().is_some_and(|last| is_blank(last));
        gone = at >= title_end && (is_copy(line, intents) || at >= begin && is_superseded(line, intents));
        if !gone && !doubled {
            kept.push(line);
        }
    }
    let wordless = kept.iter().all(|line| is_blank(line));
    let mut text = if wordless { "\n\n".to_owned() } else { kept.concat() };
    for intent in intents {
        let _ = writeln!(text, "{intent}");
    }
    lines.iter().skip(ours).for_each(|line| text.push_str(line));
    text
}

/// Puts comment lines above our own trailer, or at the end of a message without one. Doing it again changes nothing.
pub fn place_template(message: &str, template: &[String]) -> String {
    let is_template = |line: &str| template.iter().any(|known| known == line.trim_end_matches('\n'));
    let lines: Vec<&str> = message.split_inclusive('\n').filter(|line| !is_template(line)).collect();
    let at = first_of_ours(&lines).unwrap_or(lines.len());
    let (above, below) = lines.split_at(at);
    let template: String = template.iter().map(|line| format!("{line}\n")).collect();
    let above = above.concat();
    let end = if above.is_empty() || above.ends_with('\n') { "" } else { "\n" };
    format!("{above}{end}{template}{}", below.concat())
}

/// Whether a message holds nothing but intents, our own trailers, comments and blanks: its author wrote no words.
pub fn is_only_intent(message: &str, comments: Option<&str>) -> bool {
    let visible = without_comments(message, comments);
    let mut lines = visible.lines().filter(|line| !is_blank(line));
    let is_intent = |line: &str| line.split_once(':').is_some_and(|(name, _)| Name::of(name.trim_end()).is_some());
    lines.all(|line| is_ours(line) || is_intent(line))
}

fn first_of_ours(lines: &[&str]) -> Option<usize> {
    lines.iter().position(|line| is_ours(line))
}

fn paragraph_begin(lines: &[&str], at: usize) -> usize {
    let above = lines.get(..at).unwrap_or_default();
    above.iter().rposition(|line| is_blank(line)).map_or(0, |blank| blank + 1)
}

/// Where the first paragraph ends, which no trailer stands in; at once where nothing but copies stands above ours.
fn title_end(lines: &[&str], ours: usize, intents: &[Intent]) -> usize {
    let above = lines.get(..ours).unwrap_or_default();
    if above.iter().all(|line| is_blank(line) || is_copy(line, intents)) {
        return 0;
    }
    let begin = above.iter().position(|line| !is_blank(line)).unwrap_or_default();
    let length = above.iter().skip(begin).position(|line| is_blank(line));
    length.map_or(ours, |length| begin + length)
}

fn is_copy(line: &str, intents: &[Intent]) -> bool {
    Intent::parse_line(line).is_some_and(|there| intents.contains(&there))
}

fn is_superseded(line: &str, intents: &[Intent]) -> bool {
    Intent::parse_line(line).is_some_and(|there| intents.iter().any(|intent| intent.supersedes(&there)))
}
