//! What to do next, as a command to type.

use mledger::hook::forecast::Forecast;
use mledger::hook::standing::{Branch, Known, Ledger, Standing, Unpushed};
use mledger::name::Oid;
use mledger::policy::facts::{ManifestTrailer, Signature};
use mledger::policy::reason::Code;

use crate::output::quoted;
use crate::refusal;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to type, or whom to ask.
    pub command: String,
    /// What it is good for.
    pub why: String,
}

fn step(command: impl Into<String>, why: impl Into<String>) -> Vec<Step> {
    vec![Step { command: command.into(), why: why.into() }]
}

/// The next steps; none where there is nothing to do. What stands in the way of the rest comes first and alone.
pub fn next(standing: &Standing, is_forges: &dyn Fn(&Oid) -> bool) -> Vec<Step> {
    let admins = refusal::admins(standing.policy.as_ref());
    of_ledger(standing, &admins)
        .or_else(|| of_setup(standing, &admins))
        .or_else(|| of_git(standing))
        .or_else(|| of_branch(standing, standing.branch.as_ref()?, is_forges))
        .unwrap_or_default()
}

/// A ledger that takes something back.
fn of_ledger(standing: &Standing, admins: &str) -> Option<Vec<Step>> {
    let contradicts = matches!(&standing.ledger, Ledger::Follows(followed) if followed.problem.is_some());
    let hides = standing.hidden().next().is_some();
    (contradicts || hides).then(|| {
        step(
            "mledger verify",
            format!("shows what does not hold; tell {admins} before anything else, and push nothing"),
        )
    })
}

fn of_setup(standing: &Standing, admins: &str) -> Option<Vec<Step>> {
    match &standing.ledger {
        _ if !standing.who.set_up => {
            return Some(step("mledger init", "signs your commits and pushes from now on"));
        }
        Ledger::NoRemote => {
            return Some(step("git remote add origin URL", "so that there is a gate to push to"));
        }
        Ledger::Follows(_) => {}
        Ledger::NotSetUp { .. } | Ledger::None { .. } => return None,
    }
    match (&standing.who.key, &standing.who.known) {
        (None, _) => Some(step("mledger init", "finds the key that you sign with, or makes one")),
        (Some(_), Some(Known { problem: Some(_), .. })) => {
            Some(step(format!("ask {admins} for a valid key in the policy"), "yours does not count now"))
        }
        (Some(_), None) if standing.policy.is_some() => {
            Some(step("mledger key", format!("prints the lines that enrol you; send them to {admins}")))
        }
        _ => None,
    }
}

/// Whatever Git is in the middle of.
fn of_git(standing: &Standing) -> Option<Vec<Step>> {
    if let Some(doing) = standing.doing {
        let command = if doing == "merge" { "git commit".to_owned() } else { format!("git {doing} --continue") };
        return Some(step(command, format!("you are in the middle of a {doing}; `git status` says where")));
    }
    match (&standing.head, &standing.branch) {
        (None, _) => Some(step("git commit", "there is no commit yet")),
        (Some(_), None) => Some(step("git switch -c NAME", "no branch is checked out: commits here are on none")),
        _ => None,
    }
}

fn of_branch(standing: &Standing, branch: &Branch, is_forges: &dyn Fn(&Oid) -> bool) -> Option<Vec<Step>> {
    if let Some(steps) = mend(branch) {
        return Some(steps);
    }
    if standing.overtaken {
        let remote = standing.ledger.remote().unwrap_or("origin");
        let command = match &branch.upstream {
            Some(_) => "git pull --rebase".to_owned(),
            None => format!("git pull --rebase {} {}", quoted(remote), quoted(branch.target.short())),
        };
        return Some(step(command, format!("others have pushed to {}", branch.target.short())));
    }
    if branch.unpushed.is_empty() {
        return None;
    }
    if let Some(Forecast::Against(checked)) = &standing.forecast
        && !checked.tolerated
    {
        let reason = checked.decision.reasons.iter().find(|reason| reason.code.denies())?;
        if reason.code == Code::TrailerMissing {
            let is_newest = reason.commit.as_ref().is_none_or(|commit| *commit == branch.tip);
            let steps = if is_newest { refusal::add_trailers(reason) } else { refusal::reword(reason) };
            return Some(steps.into_iter().map(parted).collect());
        }
        let steps = refusal::next_step(reason, Some(&checked.policy), is_forges);
        return Some(steps.into_iter().map(parted).collect());
    }
    let remote = standing.ledger.remote()?;
    Some(match &branch.upstream {
        Some(_) => step("git push", pushes(branch)),
        None => step(format!("git push -u {} HEAD", quoted(remote)), pushes(branch)),
    })
}

/// A step of a refusal: what stands behind its blanks says what it is for.
fn parted(line: String) -> Step {
    match line.split_once("     (") {
        Some((command, why)) => Step { command: command.to_owned(), why: why.trim_end_matches(')').to_owned() },
        None => Step { command: line, why: String::new() },
    }
}

fn pushes(branch: &Branch) -> String {
    format!("sends {}", super::text::commits(branch.unpushed.len()))
}

/// Commits that no gate will take as they are.
fn mend(branch: &Branch) -> Option<Vec<Step>> {
    let amiss: Vec<&Unpushed> = branch.unpushed.iter().filter(|commit| commit.is_amiss()).collect();
    let why = |commit: &Unpushed| match (&commit.signature, commit.manifest) {
        (Some(Signature::Missing | Signature::Invalid { .. }), _) => "signs",
        (_, Some(ManifestTrailer::Missing | ManifestTrailer::Mismatch)) => "binds the content of",
        _ => "mends",
    };
    match amiss.as_slice() {
        [] => None,
        [one] => Some(step("mledger resign", format!("{} {}", why(one), one.commit.short()))),
        many => Some(step("mledger resign", format!("mends {}", super::text::commits(many.len())))),
    }
}
