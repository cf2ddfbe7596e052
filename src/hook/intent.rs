//! Intents around `git commit`: placed where `mledger commit` gave them, asked for in the editor, checked while there is
//! still somebody to mend them.
//!
//! | moment | what happens |
//! |---|---|
//! | `prepare-commit-msg` | intents of `mledger commit` take their place; an editor shows what rules demand, as comments |
//! | `commit-msg`; without an editor `prepare-commit-msg` | a malformed intent stops the commit; what a rule demands and is not there is told |
//!
//! Merges, rebases, cherry-picks, reverts and commits that an autosquash will swallow are left alone. The policy is read
//! from the view in the followed ledger, without a walk: good enough for advice, and the gate decides.

mod commit_command;
mod demands;

use std::path::Path;

use super::prepare_commit_msg::{PrepareError, comments, is_edited, is_interrupted, read_message, repository};
use crate::git::file as small;
use crate::name::is_wild;
use crate::object::intent::{Flaw, Intent, KINDS, Name, flaws, is_only_intent, place, place_template};
use crate::object::message::without_comments;

use commit_command::CommitCommand;
pub use demands::Demand;

/// The environment variable by which `mledger commit` hands its intents to the hook, a trailer per line.
pub const VARIABLE: &str = "MLEDGER_INTENT";

/// What `commit-msg` finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to say.
    Fine,
    /// Intents that are none: the commit stops.
    Flawed(Vec<Flaw>),
    /// Rules that this commit does not meet, by what is missing: it goes on.
    Lacking(Vec<Demand>),
}

/// In `prepare-commit-msg`, once our own trailers stand: places intents, and shows what rules demand. `source` is what
/// Git calls the message's origin.
pub fn prepare(dir: &Path, file: &Path, source: Option<&str>) -> Result<(), PrepareError> {
    let given = given();
    let asks = is_edited() && !matches!(source, Some("merge" | "squash"));
    if given.is_empty() && !asks {
        return Ok(());
    }
    let path = dir.join(file);
    let message = match (read_text(&path)?, given.is_empty()) {
        (Some(message), _) => message,
        (None, true) => return Ok(()),
        (None, false) => {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8 text");
            return Err(PrepareError::File { what: "place trailers in", path, source });
        }
    };
    let mut text = if given.is_empty() { message.clone() } else { place(&message, &given) };
    if asks {
        text = with_template(dir, text)?;
    }
    if text == message {
        return Ok(());
    }
    small::replace(&path, text.as_ref()).map_err(|source| PrepareError::File { what: "write", path, source })
}

/// In `commit-msg`, where an editor was used: looks at the message in `file`. One without any words is emptied, so that
/// Git aborts.
pub fn check(dir: &Path, file: &Path) -> Result<Verdict, PrepareError> {
    if is_edited() { look_at(dir, file, Moment::Edited) } else { Ok(Verdict::Fine) }
}

/// The same in `prepare-commit-msg`, where no editor will be used, so that the message stands as it will be: the shim of
/// `commit-msg` then calls nobody. Unlike that one, this runs with `--no-verify` and for picks, too.
pub fn check_unedited(dir: &Path, file: &Path) -> Result<Verdict, PrepareError> {
    if is_edited() {
        return Ok(Verdict::Fine);
    }
    let verdict = look_at(dir, file, Moment::Given)?;
    let asked = || CommitCommand::find().is_some_and(|command| !command.skips_checks());
    Ok(if verdict == Verdict::Fine || asked() { verdict } else { Verdict::Fine })
}

/// Where a message comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Somebody left an editor.
    Edited,
    /// It was given on the command line or in a file: it is a message, whatever it looks like.
    Given,
}

fn look_at(dir: &Path, file: &Path, moment: Moment) -> Result<Verdict, PrepareError> {
    let path = dir.join(file);
    let Some(message) = read_text(&path)? else { return Ok(Verdict::Fine) };
    let comments = comments(dir, message.as_bytes());
    let visible = without_comments(&message, comments.as_deref());
    let repository = repository(dir)?;
    if is_squashed_later(&visible) || is_interrupted(&repository) {
        return Ok(Verdict::Fine);
    }
    let placed_by_us = moment == Moment::Edited || !given().is_empty();
    if placed_by_us && is_only_intent(&visible, None) {
        small::replace(&path, b"").map_err(|source| PrepareError::File { what: "write", path, source })?;
        return Ok(Verdict::Fine);
    }
    let flaws = flaws(&visible);
    if !flaws.is_empty() {
        return Ok(Verdict::Flawed(flaws));
    }
    let lacking = demands::lacking(dir, &repository, &visible)?;
    Ok(if lacking.is_empty() { Verdict::Fine } else { Verdict::Lacking(lacking) })
}

/// The message; none in an encoding that only its author can read.
fn read_text(path: &Path) -> Result<Option<String>, PrepareError> {
    Ok(String::from_utf8(read_message(path)?).ok())
}

/// The intents of `mledger commit`, which checked them.
fn given() -> Vec<Intent> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    text.lines().filter_map(Intent::parse_line).collect()
}

/// The message with comments about what rules demand and it does not carry; as it is where comments would stay in it.
fn with_template(dir: &Path, message: String) -> Result<String, PrepareError> {
    let repository = repository(dir)?;
    if is_interrupted(&repository) {
        return Ok(message);
    }
    let Some(comment) = comments(dir, message.as_bytes()) else { return Ok(message) };
    let lacking = demands::lacking(dir, &repository, &without_comments(&message, Some(&comment)))?;
    if lacking.is_empty() || !CommitCommand::find().is_some_and(|command| command.strips_comments(dir)) {
        return Ok(message);
    }
    Ok(place_template(&message, &template(&lacking, &comment)))
}

fn template(lacking: &[Demand], comment: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut asked: Vec<String> = Vec::new();
    for Demand { branch, rule, trailers } in lacking {
        lines.push(format!("{comment} mledger: {branch}, rule \"{}\": fill in, and remove the {comment}", plain(rule)));
        for trailer in trailers.iter().filter(|trailer| !asked.contains(&trailer.to_lowercase())) {
            let name = Name::of(trailer);
            if name == Some(Name::ChangeKind) {
                lines.push(format!("{comment} (one of {})", KINDS.join(", ")));
            }
            lines.push(format!("{comment} {trailer}: {}", name.map(Name::form).unwrap_or_default()));
        }
        asked.extend(trailers.iter().map(|trailer| trailer.to_lowercase()));
    }
    lines
}

/// A rule's name on one line, as it reads.
fn plain(name: &str) -> String {
    name.chars().map(|char| if is_wild(char) { ' ' } else { char }).collect()
}

/// Whether `git rebase --autosquash` is to melt the commit into another.
fn is_squashed_later(visible: &str) -> bool {
    let title = visible.trim_start();
    ["fixup! ", "squash! ", "amend! "].iter().any(|start| title.starts_with(start))
}
