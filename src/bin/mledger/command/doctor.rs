//! `mledger doctor`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mledger::clock::Timestamp;
use mledger::hook::doctor::{self, Check, Code, Examination, Finding, Group, Kind, Level, Options};
use mledger::ledger::check::chain;
use serde::Serialize;

use super::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{BAD, FAINT, GOOD, ODD, TITLE, counted, styled, tame};

/// How wide the names of the groups are.
const NAME_COLUMNS: usize = 11;

const AFTER_HELP: &str = "\
Looks at everything that can be wrong in a clone, or on a server, and names the command that mends it. Words in \
capitals are yours to fill in. With --fix it does what is safe by itself: its own hooks and settings, permissions of \
private keys, caches, a damaged copy of the ledger. It never chooses a key, moves a ref, signs, or trusts anew.
Exit code 1: something is wrong. What only deserves a look is no failure.

Example:
  mledger doctor
  mledger doctor --fix
  mledger -C /srv/git/models.git doctor --json";

/// Find what is wrong here, and how to mend it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Mend what can be mended safely
    #[arg(long)]
    fix: bool,
    /// Leave the remote alone
    #[arg(long)]
    offline: bool,
}

/// What `doctor --json` prints.
#[derive(Serialize)]
struct Diagnosis<'a> {
    checks: Vec<CheckLine<'a>>,
    fixed: &'a [Mended],
    kind: Option<Kind>,
    ok: bool,
}

#[derive(Serialize)]
struct CheckLine<'a> {
    findings: Vec<FindingLine<'a>>,
    group: Group,
    level: Level,
    note: &'a str,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    code: Code,
    fixable: bool,
    level: Level,
    message: &'a str,
    subject: &'a str,
    #[serde(rename = "try")]
    try_this: Option<&'a str>,
}

/// Something that was mended, or could not be.
#[derive(Serialize)]
struct Mended {
    code: Code,
    done: bool,
    message: String,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let options = Options {
        home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
        now: Timestamp::now(),
        offline: args.offline,
        program: std::env::current_exe()?,
    };
    let mut examination = doctor::examine(&context.dir, &options);
    let mut fixed = Vec::new();
    if args.fix {
        fixed = mend(context, &options, &examination);
        if !fixed.is_empty() {
            examination = doctor::examine(&context.dir, &options);
        }
    }
    let diagnosis = Diagnosis {
        checks: examination.checks.iter().map(check_line).collect(),
        fixed: &fixed,
        kind: examination.kind,
        ok: !examination.is_wrong(),
    };
    context.output.result(&diagnosis, || text(&examination, &fixed))?;
    Ok(if examination.is_wrong() { End::Wrong } else { End::Fine })
}

/// Does each thing once, however many findings it mends.
fn mend(context: &Context, options: &Options, examination: &Examination) -> Vec<Mended> {
    let mut seen = BTreeSet::new();
    let fixes = examination.findings().filter_map(|finding| Some((finding.code, finding.fix.as_ref()?)));
    fixes
        .filter(|(_, fix)| seen.insert(*fix))
        .map(|(code, fix)| match doctor::mend(&context.dir, options, fix) {
            Ok(message) => Mended { code, done: true, message },
            Err(error) => Mended { code, done: false, message: chain(&error) },
        })
        .collect()
}

fn check_line(check: &Check) -> CheckLine<'_> {
    CheckLine {
        findings: check.findings.iter().map(finding_line).collect(),
        group: check.group,
        level: check.level(),
        note: &check.note,
    }
}

fn finding_line(finding: &Finding) -> FindingLine<'_> {
    FindingLine {
        code: finding.code,
        fixable: finding.fix.is_some(),
        level: finding.level,
        message: &finding.message,
        subject: &finding.subject,
        try_this: finding.try_this.as_deref(),
    }
}

fn text(examination: &Examination, fixed: &[Mended]) -> String {
    let mut text: String = fixed.iter().map(mended).collect();
    for check in &examination.checks {
        let name = check.group.word();
        let _ = if check.findings.is_empty() && !check.note.is_empty() {
            writeln!(text, "{} {name:NAME_COLUMNS$}{}", mark(check.level()), styled(FAINT, tame(&check.note)))
        } else {
            writeln!(text, "{} {name}", mark(check.level()))
        };
        text.extend(check.findings.iter().map(finding_text));
    }
    text + &last_line(examination)
}

fn mended(mended: &Mended) -> String {
    let (mark, word) = if mended.done { (Level::Fine, "mended") } else { (Level::Wrong, "could not mend") };
    format!("{} {word}: {}\n", self::mark(mark), indented(&mended.message))
}

fn finding_text(finding: &Finding) -> String {
    let mut text = format!("  {} {}\n", mark(finding.level), indented(&finding.message));
    if let Some(command) = &finding.try_this {
        let _ = writeln!(text, "    {} {}", styled(TITLE, "try:"), indented(command));
    }
    text
}

/// Messages of other programs have several lines.
fn indented(words: &str) -> String {
    words.lines().map(tame).collect::<Vec<_>>().join("\n      ")
}

fn mark(level: Level) -> String {
    match level {
        Level::Fine => styled(GOOD, "✓"),
        Level::Look => styled(ODD, "!"),
        Level::Wrong => styled(BAD, "✗"),
    }
}

fn last_line(examination: &Examination) -> String {
    let count = |level| examination.findings().filter(|finding| finding.level == level).count();
    let fixable = examination.findings().filter(|finding| finding.fix.is_some()).count();
    let (wrong, look) = (count(Level::Wrong), count(Level::Look));
    let mut line = match (wrong, look) {
        (0, 0) => return styled(GOOD, "All is well.") + "\n",
        (0, look) => format!("Nothing is wrong; {}", counted(look, "thing deserves a look", "things deserve a look")),
        (wrong, 0) => counted(wrong, "thing is wrong", "things are wrong"),
        (wrong, look) => format!(
            "{}, {}",
            counted(wrong, "thing is wrong", "things are wrong"),
            counted(look, "deserves a look", "deserve a look")
        ),
    };
    if fixable > 0 {
        let _ = write!(line, "; `mledger doctor --fix` mends {fixable} of them");
    }
    line + ".\n"
}
