//! `mledger key` without a verb: the key that signs here.

use std::fmt::Write as _;
use std::path::Path;

use mledger::clock::Timestamp;
use mledger::hook::clone_setup::enrolment::date;
use mledger::hook::clone_setup::key::custody::wants_touch;
use mledger::hook::clone_setup::key::{Agent, Configured, Custody, custody};
use mledger::hook::clone_setup::{self, KeyError};
use mledger::identity::key::PublicKey;
use mledger::policy::actor::Key;
use serde::Serialize;

use super::standing::Standing;
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::keeping;
use crate::output::{BAD, GOOD, ODD, TITLE, styled, tame};

/// What is signed to see whether a key can: no statement and no commit, in a namespace of its own.
const TRIAL: (&str, &str) = ("mledger-trial", "mledger key --try\n");

/// What `key --json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    by: &'a str,
    custody: Option<&'static str>,
    enrolment: Option<String>,
    fingerprint: &'a str,
    made: Option<String>,
    others: Vec<Entry>,
    policy: Option<Known<'a>>,
    public: String,
    signs: Option<bool>,
    touch: bool,
    trouble: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    value: &'a str,
}

/// A key as the policy has it.
#[derive(Serialize)]
struct Entry {
    fingerprint: String,
    from: Option<String>,
    revoked: Option<String>,
    #[serde(rename = "type")]
    kind: &'static str,
    until: Option<String>,
}

/// Whom the policy knows a key as.
#[derive(Serialize)]
struct Known<'a> {
    actor: &'a str,
    entry: Entry,
    name: Option<&'a str>,
    problem: Option<String>,
    roles: &'a [String],
}

/// Shows the key that is configured here.
pub fn run(context: &Context, attempt: bool) -> Result<End, Failure> {
    show(context, &Standing::read(context)?, attempt, None)
}

/// Shows it; `made` is the file of a key that was made a moment ago.
pub fn show(context: &Context, standing: &Standing, attempt: bool, made: Option<&Path>) -> Result<End, Failure> {
    let configured = clone_setup::configured_key(&standing.repository)?;
    let public = configured.public()?;
    let kept = custody(&configured, &Agent::ask());
    let signed = attempt.then(|| configured.sign(TRIAL.0, TRIAL.1));
    let shown = shown(standing, &configured, &public, (&kept, &signed), made);
    context.output.result(&shown, || text(&shown, standing, &public, &kept))?;
    let usable = matches!(&kept, Ok(kept) if !matches!(kept, Custody::Missing { .. }));
    match (kept, signed) {
        (_, Some(Err(error))) | (Err(error), _) => Err(error.into()),
        _ => Ok(if usable { End::Fine } else { End::Wrong }),
    }
}

type Kept = Result<Custody, KeyError>;

fn shown<'a>(
    standing: &'a Standing,
    configured: &'a Configured,
    public: &'a PublicKey,
    (kept, signed): (&Kept, &Option<Result<String, KeyError>>),
    made: Option<&Path>,
) -> Shown<'a> {
    let known = standing.entry(public.id()).map(|(actor, key)| Known {
        actor: actor.id.as_str(),
        entry: entry(key),
        name: actor.name.as_deref(),
        problem: standing
            .policy
            .as_ref()
            .and_then(|policy| policy.actor_of_key(public.id(), Timestamp::now()).err())
            .map(|problem| problem.to_string()),
        roles: &actor.roles,
    });
    let person = standing.person(Some(public.id()));
    let others = person.into_iter().flat_map(|actor| &actor.keys).filter(|key| key.public != *public);
    Shown {
        by: configured.origin.key(),
        custody: kept.as_ref().ok().map(Custody::word),
        enrolment: standing.enrolment(public),
        fingerprint: public.id().as_str(),
        made: made.map(|path| path.display().to_string()),
        others: others.map(entry).collect(),
        policy: known,
        public: public.to_string(),
        signs: signed.as_ref().map(Result::is_ok),
        touch: wants_touch(public.kind()),
        trouble: kept.as_ref().err().map(ToString::to_string),
        kind: public.kind().name(),
        value: &configured.value,
    }
}

fn entry(key: &Key) -> Entry {
    Entry {
        fingerprint: key.public.id().to_string(),
        from: key.from.map(date),
        revoked: key.revoked.map(date),
        kind: key.public.kind().name(),
        until: key.until.map(date),
    }
}

impl Entry {
    /// `, from 2026-01-01, revoked 2026-05-01`.
    fn dates(&self) -> String {
        let dates = [("from", &self.from), ("until", &self.until), ("revoked", &self.revoked)];
        dates.iter().filter_map(|(name, date)| Some(format!(", {name} {}", date.as_ref()?))).collect()
    }
}

fn text(shown: &Shown<'_>, standing: &Standing, public: &PublicKey, kept: &Kept) -> String {
    let mut text = String::new();
    if let Some(made) = &shown.made {
        let _ = writeln!(
            text,
            "{}\n",
            styled(GOOD, format_args!("Made the key {}; this clone signs with it.", tame(made)))
        );
    }
    let _ = writeln!(text, "  key     {} ({})", shown.fingerprint, public.kind().label());
    let _ = writeln!(text, "  from    {} = {}", shown.by, tame(shown.value));
    match kept {
        Ok(custody) => {
            let _ = writeln!(text, "  kept    {}", keeping::story(custody, public));
            for line in keeping::advice(custody, public) {
                let _ = writeln!(text, "          {line}");
            }
        }
        Err(error) => _ = writeln!(text, "  kept    {BAD}not usable{BAD:#}: {}", tame(&error.to_string())),
    }
    if let Some(signs) = shown.signs {
        let word = if signs { styled(GOOD, "it signs") } else { styled(BAD, "it does not sign") };
        let _ = writeln!(text, "  tried   {word}");
    }
    text + &policy_text(shown, standing)
}

fn policy_text(shown: &Shown<'_>, standing: &Standing) -> String {
    let mut text = String::new();
    if let Some(known) = &shown.policy {
        text += &known_text(known);
    } else {
        let why = standing.why_none.as_deref().unwrap_or("does not know this key");
        let _ = writeln!(text, "  policy  {ODD}{why}{ODD:#}");
    }
    for other in &shown.others {
        let _ = writeln!(text, "  beside  {} ({}){}", other.fingerprint, other.kind, other.dates());
    }
    if let Some(enrolment) = &shown.enrolment {
        let whom = standing.admins();
        let verb = if standing.person(None).is_some() { "put them in place of your `keys`" } else { "add them" };
        let _ = write!(text, "\nSend these lines to {whom}, to {verb}:\n\n");
        enrolment.lines().for_each(|line| _ = writeln!(text, "{}", tame(line)));
    }
    text
}

fn known_text(known: &Known<'_>) -> String {
    let name = known.name.map(|name| format!(" ({})", tame(name))).unwrap_or_default();
    let roles = known.roles.iter().map(|role| tame(role)).collect::<Vec<_>>().join(", ");
    let actor = styled(TITLE, known.actor);
    let mut text = format!("  policy  knows it as {actor}{name}, {roles}{}\n", known.entry.dates());
    if let Some(problem) = &known.problem {
        let _ = writeln!(text, "          {BAD}does not count{BAD:#}: {}", tame(problem));
        let _ = writeln!(text, "          mledger key new");
    }
    text
}
