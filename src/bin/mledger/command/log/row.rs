//! One entry, as `log` shows it.

use mledger::entry::leaf::Verdict;
use mledger::query::brief::Brief;

use crate::output::{BAD, FAINT, GOOD, ODD, cut, styled, tame};

/// One line for people: index, time, kind, mark, story.
pub fn line(brief: &Brief, digits: usize, width: Option<usize>) -> String {
    let time = brief.time.map(|time| time.to_string()).unwrap_or_default();
    // To the second: whoever needs the milliseconds asks for one entry.
    let time = time.get(..19).unwrap_or_default().replace('T', " ");
    let head = format!("{:>digits$}  {time:19}  {:9}  ", brief.index, tame(&brief.kind));
    let columns = width.map_or(usize::MAX, |width| width.saturating_sub(head.chars().count() + 2));
    let story = cut(&tame(&brief.story), columns);
    let (style, mark) = match (brief.decision, brief.kind.as_str()) {
        (Some(Verdict::Accepted), _) => (GOOD, '✓'),
        (Some(Verdict::Denied), _) => (BAD, '✗'),
        (Some(Verdict::Tolerated), _) => (ODD, '~'),
        (None, "observed" | "unreadable") => (ODD, '!'),
        (None, _) => (FAINT, '·'),
    };
    format!("{}{} {story}", styled(FAINT, head), styled(style, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_terminal() {
        let brief = Brief { index: 7, kind: "push".to_owned(), story: "x".repeat(200), ..Brief::default() };
        for width in [50, 80, 120] {
            let line = super::line(&brief, 3, Some(width));
            assert_eq!(anstream::adapter::strip_str(&line).to_string().chars().count(), width);
        }
        assert!(super::line(&brief, 3, None).contains(&brief.story));
    }
}
