//! What `mledger resign` prints.

use std::collections::HashMap;

use mledger::git::{Kind, Repository};
use mledger::hook::resign::{Left, Plan, Ref, Step, Why};
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
    from_elsewhere: bool,
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
    let row = |step: &Step| Row {
        from_elsewhere: step.from_elsewhere,
        new: new.get(&step.commit).copied(),
        old: step.commit,
        why: reason(&step.why),
    };
    let outcome = Outcome {
        branch: plan.branch.as_deref(),
        commits: plan.steps.iter().map(row).collect(),
        head: plan.head.map(|head| new.get(&head).copied().unwrap_or(head)),
        left: plan.left.iter().map(left_row).collect(),
        lost_headers: done.map(|(made, _)| made.lost_headers.as_slice()).unwrap_or_default(),
        moved: done.is_some(),
        pushed: plan.pushed,
        refs: refs.iter().map(|one| RefRow { moved: one.moved, name: &one.name, new: one.new, old: one.old }).collect(),
    };
    Ok(context.output.result(&outcome, || text(&outcome, repository, refs, hint))?)
}

fn left_row(left: &Left) -> LeftRow<'_> {
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
    let row = |row: &Row| {
        let new = row.new.map(|new| format!(" → {}", new.short())).unwrap_or_default();
        let title = styled(FAINT, title(repository, &row.old));
        let mark = if row.from_elsewhere { styled(ODD, " (made elsewhere)") } else { String::new() };
        format!("  {}{new} {}{mark}  {title}", row.old.short(), tame(&row.why))
    };
    let mut lines = vec![headline(outcome)];
    lines.extend(listed(&outcome.commits, row));
    if outcome.commits.iter().any(|row| row.from_elsewhere) {
        lines.push(
            "your signature makes those made elsewhere yours: look at them before you push, git show ID".to_owned(),
        );
    }
    lines.extend(of_others(outcome));
    lines.extend(refs.iter().map(of_ref));
    lines.extend(outcome.lost_headers.iter().map(|name| format!("the header `{}` could not be kept", tame(name))));
    if outcome.pushed > 0 {
        let them = counted(outcome.pushed, "of these commits is", "of these commits are");
        lines.push(format!("{them} pushed already; the next push rewrites the branch: git push --force-with-lease"));
    }
    if outcome.moved {
        lines.push("undo: git reset --soft ORIG_HEAD".to_owned());
    }
    lines.extend(
        hint.map(|hint| format!("something is amiss with HEAD, which is pushed; to rewrite it all the same: {hint}")),
    );
    lines.join("\n") + "\n"
}

/// The first of some rows, and how many there are more.
fn listed<T>(rows: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = rows.iter().take(LISTED_MAX).map(line).collect();
    if rows.len() > LISTED_MAX {
        lines.push(format!("  … and {} more", rows.len() - LISTED_MAX));
    }
    lines
}

fn headline(outcome: &Outcome<'_>) -> String {
    let count = outcome.commits.len();
    let place = outcome.branch.map_or("HEAD", |branch| branch.strip_prefix("refs/heads/").unwrap_or(branch));
    if count == 0 {
        return format!("{}: nothing is amiss with your own commits", styled(GOOD, "nothing to do"));
    }
    let commits = counted(count, "commit", "commits");
    if outcome.moved {
        format!("{} {commits} on {}", styled(GOOD, "signed anew:"), tame(place))
    } else {
        format!("{} {commits} on {}", styled(ODD, "to be signed anew:"), tame(place))
    }
}

fn of_others(outcome: &Outcome<'_>) -> Vec<String> {
    if outcome.left.is_empty() {
        return Vec::new();
    }
    let row = |left: &LeftRow<'_>| {
        let who = cut(&tame(left.committer), TITLE_CHARS_MAX);
        format!("  {} {}  {who}", left.commit.short(), tame(&left.why))
    };
    let mut lines = vec![styled(ODD, "left alone, since others made them:")];
    lines.extend(listed(&outcome.left, row));
    lines.push("  they sign them, in their clone: mledger resign".to_owned());
    lines.push("  or an admin vouches: mledger import RANGE --reason TEXT".to_owned());
    lines
}

/// A ref that still points to an old commit, with the command that moves it; or one that was moved.
fn of_ref(one: &Ref) -> String {
    let name = tame(&one.name);
    let new = one.new.short();
    let (short, kind) = match name.strip_prefix("refs/tags/") {
        Some(tag) => (quoted(tag), "the tag "),
        None => (quoted(name.strip_prefix("refs/heads/").unwrap_or(&name)), ""),
    };
    if one.moved {
        return format!("{kind}{short} moved along");
    }
    let command = match &one.work_tree {
        Some(path) => format!("git -C {} reset --soft {new}", quoted(&tame(path))),
        None if one.is_annotated => format!("git tag -s -f {short} {new}"),
        None if kind.is_empty() => format!("git branch -f {short} {new}"),
        None => format!("git tag -f {short} {new}"),
    };
    format!("{kind}{short} still has the old commits: {command}")
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
