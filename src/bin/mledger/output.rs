//! What people and programs see: results on standard output, talk on standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::Path;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use mledger::git::file;
use mledger::name::is_wild;
use serde::Serialize;

use crate::command::Global;
use crate::error::Failure;

/// What was refused or is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is fine.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What deserves a look.
pub const ODD: Style = AnsiColor::Yellow.on_default();
/// What is there to be found again, not to be read.
pub const FAINT: Style = Style::new().dimmed();
/// What a block is about.
pub const TITLE: Style = Style::new().bold();

/// How results and talk are shown.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    color: anstream::ColorChoice,
    json: bool,
    talk: Talk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Talk {
    Quiet,
    Plain,
    Verbose,
}

/// Standard output for one command, in which colours vanish where nobody would see them.
pub type Results = BufWriter<AutoStream<StdoutLock<'static>>>;

impl Output {
    /// What the options ask for.
    pub fn new(global: &Global) -> Self {
        let color = match global.color {
            clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
            clap::ColorChoice::Always => anstream::ColorChoice::Always,
            clap::ColorChoice::Never => anstream::ColorChoice::Never,
        };
        let talk = match (global.quiet, global.verbose) {
            (true, _) => Talk::Quiet,
            (false, false) => Talk::Plain,
            (false, true) => Talk::Verbose,
        };
        Self { color, json: global.json, talk }
    }

    /// Whether results are to be JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether nothing but results and errors is to be said.
    pub fn is_quiet(self) -> bool {
        self.talk == Talk::Quiet
    }

    /// Where results go. A command flushes it before it returns.
    pub fn results(self) -> Results {
        BufWriter::new(AutoStream::new(io::stdout().lock(), self.color))
    }

    /// Prints the one result of a command: as JSON, or as `text`, which ends its own lines.
    pub fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) -> io::Result<()> {
        let mut results = self.results();
        if self.json {
            write_json(&mut results, value)?;
        } else {
            results.write_all(text().as_bytes())?;
        }
        results.flush()
    }

    /// Says something to the person at the terminal.
    pub fn say(self, words: impl Display) {
        if self.talk >= Talk::Plain {
            self.tell(words);
        }
    }

    /// Says something that only the curious want to hear.
    pub fn detail(self, words: impl Display) {
        if self.talk >= Talk::Verbose {
            self.tell(words);
        }
    }

    /// Says why a command failed, unless its reader went away.
    pub fn fail(self, failure: &Failure) {
        if !failure.is_silent() {
            self.tell(failure);
        }
    }

    fn tell(self, words: impl Display) {
        // Nobody is left to be told that standard error is gone.
        let _ = writeln!(AutoStream::new(io::stderr().lock(), self.color), "{words}");
    }

    /// A bar for long work of `total` steps; hidden where standard error is no terminal, or nobody wants talk.
    pub fn progress(self, total: u64, what: &'static str) -> ProgressBar {
        if self.talk == Talk::Quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
        let bar = ProgressBar::new(total).with_message(what);
        style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
    }
}

/// Columns that a line of results may have; none where they are not for a terminal of known width.
pub fn columns() -> Option<usize> {
    // Asks standard output itself; what a shell last wrote into `COLUMNS` may be of another window.
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0)).filter(|columns| *columns > 0)
}

/// Writes a value as one line of JSON.
pub fn write_json<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// `text` in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text of others, such as a reason or a ref's name, without what would move a terminal's cursor or turn its text
/// around.
pub fn tame(text: &str) -> String {
    text.chars().map(|char| if is_wild(char) { '\u{fffd}' } else { char }).collect()
}

/// A word of a command to type, in quotes where a shell would take it for something else.
pub fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "/._-@:+,=".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", tame(word).replace('\'', r"'\''"))
    }
}

/// At most `columns` characters of a line; an ellipsis stands for the rest.
pub fn cut(line: &str, columns: usize) -> String {
    match line.char_indices().nth(columns) {
        None => line.to_owned(),
        Some(_) => line.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A line broken at blanks, so that its pieces have at most `columns` characters where their words allow it: a hash is
/// never torn apart.
pub fn wrapped(line: &str, columns: Option<usize>) -> Vec<String> {
    let columns = columns.unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= columns => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A sheet of lines `  name    value`, fitted to the terminal: a long value goes on beneath itself. Nothing is broken
/// within a word, and nothing at all where there is no terminal.
pub fn fitted(sheet: &str) -> String {
    columns().map_or_else(|| sheet.to_owned(), |columns| folded(sheet, columns))
}

fn folded(sheet: &str, columns: usize) -> String {
    sheet.lines().map(|line| folded_line(line, columns) + "\n").collect()
}

fn folded_line(line: &str, columns: usize) -> String {
    let shown = |text: &str| anstream::adapter::strip_str(text).to_string();
    let plain = shown(line);
    if plain.chars().count() <= columns {
        return line.to_owned();
    }
    let indent = value_column(&plain);
    let (mut text, mut width) = (String::new(), 0);
    for (at, word) in line.split(' ').enumerate() {
        let word_width = shown(word).chars().count();
        if width > indent && word_width > 0 && width + 1 + word_width > columns {
            text = text.trim_end().to_owned() + "\n" + &" ".repeat(indent);
            width = indent;
        } else if at > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += word_width;
    }
    text
}

/// Where the value of a line begins: after a name with two blanks behind it, else at the line's first word.
fn value_column(line: &str) -> usize {
    let begin = line.chars().take_while(|char| *char == ' ').count();
    let chars: Vec<char> = line.chars().skip(begin).collect();
    let gap = chars.windows(2).position(|two| two == [' ', ' ']);
    let value = gap.and_then(|gap| Some(gap + chars.get(gap..)?.iter().position(|char| *char != ' ')?));
    begin + value.filter(|value| *value <= LABEL_CHARS_MAX).unwrap_or(0)
}

/// The longest name of a line on a sheet, with the blanks after it.
const LABEL_CHARS_MAX: usize = 20;

/// `1 entry`, `2 entries`.
pub fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first line of what another program said: the rest is advice for its own users.
pub fn first_line(words: &str) -> String {
    tame(words.lines().next().unwrap_or_default())
}

/// Writes a file that a command was asked for.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|source| Failure::file("write", path, source))
}

/// Reads a file that a command was given, of at most `bytes_max` bytes.
pub fn read_bytes(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let read = std::fs::File::open(path).and_then(|input| file::bounded(input, bytes_max as u64));
    read.map_err(|source| Failure::file("read", path, source))
}

/// Reads a text file that a command was given, of at most `bytes_max` bytes.
pub fn read_file(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let text = String::from_utf8(read_bytes(path, bytes_max)?);
    text.map_err(|error| Failure::from(error).of(format!("`{}` is not UTF-8 text", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        for (wild, tamed) in [
            ("plain é", "plain é"),
            ("\u{1b}[31mred", "\u{fffd}[31mred"),
            ("a\r\nb", "a\u{fffd}\u{fffd}b"),
            ("x\u{202e}cod.exe", "x\u{fffd}cod.exe"),
            ("one\u{2028}two\u{61c}", "one\u{fffd}two\u{fffd}"),
            ("\u{9b}2J", "\u{fffd}2J"),
        ] {
            assert_eq!(tame(wild), tamed);
        }
    }

    #[test]
    fn lines_break_at_blanks_only() {
        for (line, columns, lines) in [
            ("one two three", Some(7), &["one two", "three"][..]),
            ("one two three", None, &["one two three"]),
            ("sha256:0123456789 is long", Some(8), &["sha256:0123456789", "is long"]),
            ("äöü äöü", Some(7), &["äöü äöü"]),
            ("", Some(7), &[""]),
        ] {
            assert_eq!(wrapped(line, columns), lines);
        }
    }

    #[test]
    fn words_for_a_shell_are_quoted_where_they_must_be() {
        for (word, shown) in [
            ("dev/é-1", "dev/é-1"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
            ("\u{1b}[2J", "'\u{fffd}[2J'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn a_long_value_goes_on_beneath_itself() {
        for (sheet, folds) in [
            ("  hooks   one, two, three\n", "  hooks   one,\n          two,\n          three\n"),
            ("  short   x\n", "  short   x\n"),
            ("  key     0123456789abcdef\n", "  key     0123456789abcdef\n"),
            ("plain words and no name\n", "plain words and\nno name\n"),
            ("    set in, but long it is\n", "    set in, but\n    long it is\n"),
            ("\n", "\n"),
        ] {
            assert_eq!(folded(sheet, 15), folds);
        }
        let coloured = format!("  a  {GOOD}one{GOOD:#} {BAD}two{BAD:#}\n");
        assert_eq!(anstream::adapter::strip_str(&folded(&coloured, 9)).to_string(), "  a  one\n     two\n");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1u64, "entry", "entries"), "1 entry");
        assert_eq!(counted(0usize, "entry", "entries"), "0 entries");
    }

    #[test]
    fn long_lines_are_cut_at_characters() {
        for (line, columns, shown) in
            [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("äöü!", 3, "äö…"), ("ab", 1, "…"), ("", 0, "")]
        {
            assert_eq!(cut(line, columns), shown);
        }
    }
}
