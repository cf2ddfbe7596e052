//! What `mledger resign` prints.

use std::collections::HashMap;

use mledger::git::{Kind, Repository};
use mledger::hook::resign::{Plan, Ref, Why};
use mledger::name::Oid;
use serde::Serialize;

use super::Done;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{FAINT, GOOD, ODD, counted, cut, styled, tame};

/// How many commits are listed; the others are counted.
const LISTED_MAX: usize = 20;

/// How much of a title is shown, in characters.
const TITLE_CHARS_MAX: usize = 60;

/// What `resign --json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    branch: Option<&'a str>,
    commits: Vec<Row>,
    head: Option<Oid>,
    left: Vec<LeftRow<'a>>,
    lost_headers: &'a [String],
    moved: bool,
    pushed: usize,
    refs: Vec<RefRow<'a>>,
}

#[derive(Serialize)]
struct Row {
    new: Option<Oid>,
    old: Oid,
    why: String,
}

#[derive(Serialize)]
struct LeftRow<'a> {
    commit: Oid,
    committer: &'a str,
    why: String,
}

#[derive(Serialize)]
struct RefRow<'a> {
    moved: bool,
    name: &'a str,
    new: Oid,
    old: Oid,
}

/// Prints a plan, and what was done about it; `hint` is a command for what the plan leaves out.
pub fn print(
    context: &Context,
    repository: &Repository,
    plan: &Plan,
    done: Done<'_>,
    hint: Option<&str>,
) -> Result<(), Failure> {
    let new: HashMap<Oid, Oid> = done.map(|(made, _)| made.commits.iter().copied().collect()).unwrap_or_default();
    let refs = done.map(|(_, refs)| refs).unwrap_or_default();
    let row = |old: Oid, why: &Why| Row { new: new.get(&old).copied(), old, why: reason(why) };
    let outcome = Outcome {
        branch: plan.branch.as_deref(),
        commits: plan.steps.iter().map(|step| row(step.commit, &step.why)).collect(),
        head: plan.head.map(|head| new.get(&head).copied().unwrap_or(head)),
        left: plan.left.iter().map(left_row).collect(),
        lost_headers: done.map(|(made, _)| made.lost_headers.as_slice()).unwrap_or_default(),
        moved: done.is_some(),
        pushed: plan.pushed,
        refs: refs.iter().map(|one| RefRow { moved: one.moved, name: &one.name, new: one.new, old: one.old }).collect(),
    };
    Ok(context.output.result(&outcome, || text(&outcome, repository, refs, hint))?)
}

fn left_row(left: &mledger::hook::resign::Left) -> LeftRow<'_> {
    LeftRow { commit: left.commit, committer: &left.who, why: reason(&left.why) }
}

fn reason(why: &Why) -> String {
    match why {
        Why::Asked => "nothing is amiss".to_owned(),
        Why::NoLog => "names no checkpoint of the ledger".to_owned(),
        Why::NoManifest => "binds no content".to_owned(),
        Why::OtherManifest => "binds another content".to_owned(),
        Why::Parent => "stands upon one that changes".to_owned(),
        Why::Signature(why) => why.clone(),
        Why::Unsigned => "is not signed".to_owned(),
    }
}

fn text(outcome: &Outcome<'_>, repository: &Repository, refs: &[Ref], hint: Option<&str>) -> String {
    let mut text = String::new();
    text.push_str(&headline(outcome));
    for row in outcome.commits.iter().take(LISTED_MAX) {
        let new = row.new.map(|new| format!(" → {}", new.short())).unwrap_or_default();
        let title = styled(FAINT, title(repository, &row.old));
        text.push_str(&format!("  {}{new} {}  {title}\n", row.old.short(), tame(&row.why)));
    }
    if outcome.commits.len() > LISTED_MAX {
        text.push_str(&format!("  … and {} more\n", outcome.commits.len() - LISTED_MAX));
    }
    text.push_str(&of_others(outcome));
    text.push_str(&of_refs(refs));
    for header in outcome.lost_headers {
        text.push_str(&format!("the header `{}` could not be kept\n", tame(header)));
    }
    if outcome.pushed > 0 {
        let them = counted(outcome.pushed, "of these commits is", "of these commits are");
        text.push_str(&format!(
            "{them} pushed already; the next push rewrites the branch: git push --force-with-lease\n"
        ));
    }
    if outcome.moved {
        text.push_str("undo: git reset --soft ORIG_HEAD\n");
    }
    if let Some(hint) = hint {
        text.push_str(&format!("something is amiss with HEAD, which is pushed; to rewrite it all the same: {hint}\n"));
    }
    text
}

fn headline(outcome: &Outcome<'_>) -> String {
    let count = outcome.commits.len();
    let place = outcome.branch.map_or("HEAD", |branch| branch.strip_prefix("refs/heads/").unwrap_or(branch));
    if count == 0 {
        return format!("{}: nothing is amiss with your own commits\n", styled(GOOD, "nothing to do"));
    }
    let commits = counted(count, "commit", "commits");
    if outcome.moved {
        format!("{} {commits} on {}\n", styled(GOOD, "signed anew:"), tame(place))
    } else {
        format!("{} {commits} on {}\n", styled(ODD, "to be signed anew:"), tame(place))
    }
}

fn of_others(outcome: &Outcome<'_>) -> String {
    if outcome.left.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", styled(ODD, "left alone, since others made them:"));
    for left in outcome.left.iter().take(LISTED_MAX) {
        let who = cut(&tame(left.committer), TITLE_CHARS_MAX);
        text.push_str(&format!("  {} {}  {who}\n", left.commit.short(), tame(&left.why)));
    }
    if outcome.left.len() > LISTED_MAX {
        text.push_str(&format!("  … and {} more\n", outcome.left.len() - LISTED_MAX));
    }
    text.push_str(
        "  they sign them: mledger resign, in their clone; or an admin vouches: mledger import RANGE --reason TEXT\n",
    );
    text
}

/// What still points to the old commits, each with the command that moves it.
fn of_refs(refs: &[Ref]) -> String {
    let mut text = String::new();
    for one in refs {
        let name = tame(&one.name);
        let new = one.new.short();
        let (short, is_tag) = match name.strip_prefix("refs/tags/") {
            Some(tag) => (quoted(tag), true),
            None => (quoted(name.strip_prefix("refs/heads/").unwrap_or(&name)), false),
        };
        let line = match (&one.work_tree, one.moved) {
            (_, true) => format!("{short} moved along\n"),
            (Some(path), _) => {
                format!("{short} still has the old commits: git -C {} reset --soft {new}\n", quoted(&tame(path)))
            }
            (None, _) if one.is_annotated => {
                format!("the tag {short} still has the old commits: git tag -s -f {short} {new}\n")
            }
            (None, _) if is_tag => format!("the tag {short} still has the old commits: git tag -f {short} {new}\n"),
            (None, _) => format!("{short} still has the old commits: git branch -f {short} {new}\n"),
        };
        text.push_str(&line);
    }
    text
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%=:".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn title(repository: &Repository, commit: &Oid) -> String {
    let raw = repository.read(commit, Kind::Commit).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw);
    let message = text.split_once("\n\n").map(|(_, message)| message).unwrap_or_default();
    cut(&tame(message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()), TITLE_CHARS_MAX)
}
