//! Intents in the hooks of `git commit`, told to the person who commits.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use mledger::hook::clone_setup::key::quoted;
use mledger::hook::intent::{self, Demand, Verdict};
use mledger::hook::prepare_commit_msg::PrepareError;
use mledger::object::intent::Flaw;

use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{BAD, ODD, tame};
use crate::refusal::trailer_form;

/// Before the editor opens, or instead. Only a malformed intent that no editor will mend stops the commit.
pub fn prepare(context: &Context, dir: &Path, file: &Path, source: Option<&OsString>) -> End {
    if let Err(error) = intent::prepare(dir, file, source.and_then(|source| source.to_str())) {
        context.output.fail(&Failure::from(error).of("what rules demand of the commit is not shown"));
    }
    tell(context, intent::check_unedited(dir, file), dir, file)
}

/// After the editor closed. A malformed intent stops the commit; no other trouble does.
pub fn check(context: &Context, dir: &Path, file: &Path) -> End {
    tell(context, intent::check(dir, file), dir, file)
}

fn tell(context: &Context, verdict: Result<Verdict, PrepareError>, dir: &Path, file: &Path) -> End {
    match verdict {
        Ok(Verdict::Fine) => End::Fine,
        Ok(Verdict::Flawed(flaws)) => {
            context.output.say(flawed(&flaws, &dir.join(file), file));
            End::Wrong
        }
        Ok(Verdict::Lacking(demands)) => {
            context.output.say(lacking(&demands));
            End::Fine
        }
        Err(error) => {
            context.output.fail(&Failure::from(error).of("the message's trailers were not looked at"));
            End::Fine
        }
    }
}

fn flawed(flaws: &[Flaw], whole: &Path, file: &Path) -> String {
    let line = |flaw: &Flaw| format!("\n  {}\n    {}", tame(&flaw.line), tame(&flaw.error.to_string()));
    let lines: String = flaws.iter().map(line).collect();
    // A person in a subfolder needs the whole path; Git tells its hooks where they stand.
    let at_top = std::env::var_os("GIT_PREFIX").is_none_or(|prefix| prefix.is_empty());
    let path = tame(&quoted(if at_top { file } else { whole }));
    format!("mledger: {BAD}nothing was committed{BAD:#}: the message says{lines}\n  mend it: git commit -e -F {path}")
}

fn lacking(demands: &[Demand]) -> String {
    let mut text = String::new();
    let mut options = String::new();
    for Demand { branch, rule, trailers } in demands {
        let names = trailers.join(", ");
        let (branch, rule) = (tame(branch), tame(rule));
        let _ = writeln!(text, "mledger: {ODD}without {names}{ODD:#}, {branch} takes no such commit: rule `{rule}`");
        for trailer in trailers {
            let option = format!(" --trailer '{trailer}: {}'", trailer_form(trailer));
            if !options.contains(&option) {
                options.push_str(&option);
            }
        }
    }
    format!("{text}  add it: git commit --amend --no-edit{options}")
}
