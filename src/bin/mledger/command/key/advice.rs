//! What to do when keys come and go, step by step.

use std::fmt::Write as _;

use mledger::clock::Timestamp;
use mledger::hook::clone_setup::{self, enrolment};
use mledger::identity::key::{KeyId, PublicKey};
use mledger::policy::actor::{Actor, Key};
use serde::Serialize;

use super::standing::Standing;
use crate::command::End;
use crate::context::Context;
use crate::error::Failure;
use crate::output::{TITLE, columns, styled, tame, wrapped};

#[derive(Debug, clap::Args)]
pub struct LostArgs {
    /// The fingerprint of the key [default: your only one, or the one of this clone]
    #[arg(value_name = "FINGERPRINT", value_parser = KeyId::parse)]
    key: Option<KeyId>,
}

/// What a machine is to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Laptop {
    /// It takes the place of another.
    New,
    /// It comes beside another.
    Second,
}

/// One thing to do.
#[derive(Serialize)]
struct Step {
    commands: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<String>,
    text: String,
}

/// What `key lost`, `key new-laptop` and `key second-laptop` print with `--json`.
#[derive(Serialize)]
struct Advice {
    situation: &'static str,
    steps: Vec<Step>,
}

impl Step {
    fn new(text: impl Into<String>, commands: &[&str]) -> Self {
        Self { commands: commands.iter().map(|&command| command.to_owned()).collect(), lines: None, text: text.into() }
    }

    /// Lines for the administrator to put in place of an actor's `keys`.
    fn with_lines(self, actor: &Actor, keys: &str) -> Self {
        Self { lines: Some(format!("[actors.\"{}\"]\n{keys}", actor.id)), ..self }
    }
}

/// A key is lost, or somebody else may have it.
pub fn lost(context: &Context, args: &LostArgs) -> Result<End, Failure> {
    let standing = Standing::read(context)?;
    let here = key_here(&standing);
    let mut steps = match lost_keys(&standing, args, here.as_ref())? {
        Some((actor, keys)) => revoking(&standing, actor, &keys),
        None => vec![Step::new(
            format!(
                "Tell {} at once, by telephone or in person. The policy in force is not known here, so they look for \
                 your key in it and revoke it: {{ key = \"…\", revoked = {} }}.",
                standing.admins(),
                today()
            ),
            &["mledger policy show > policy.toml", "mledger policy apply policy.toml"],
        )],
    };
    steps.push(Step::new(
        "What was accepted before stays valid and provable. What you signed and did not push has to be signed anew, \
         with a new key. Make one here, and send the lines that it prints:",
        &["mledger key new"],
    ));
    steps.push(Step::new(
        "Remove the lost key wherever else it opens a door: your forge, servers, authorized_keys. Look at what the \
         ledger has under your name since you last saw the key, and tell them what is not yours:",
        &[&format!("mledger log --actor {}", standing.person(None).map_or(&standing.actor, |actor| &actor.id))],
    ));
    print(context, "lost", "Your key is lost, or somebody else may have it", steps)
}

/// The person and their keys that may be the lost one; none where no policy tells.
fn lost_keys<'a>(
    standing: &'a Standing,
    args: &LostArgs,
    here: Option<&PublicKey>,
) -> Result<Option<(&'a Actor, Vec<&'a Key>)>, Failure> {
    if let Some(key) = &args.key {
        let entry = standing.entry(key).map(|(actor, key)| (actor, vec![key]));
        return match (entry, &standing.policy) {
            (None, Some(_)) => {
                Err(Failure::new(format!("the policy in force has no key {key}")).try_this("mledger key"))
            }
            (entry, _) => Ok(entry),
        };
    }
    let Some(actor) = standing.person(here.map(PublicKey::id)) else { return Ok(None) };
    let valid = standing.valid_keys(actor, None);
    let keys = if valid.is_empty() { actor.keys.iter().collect() } else { valid };
    Ok(Some((actor, keys)))
}

fn revoking(standing: &Standing, actor: &Actor, keys: &[&Key]) -> Vec<Step> {
    let now = enrolment::day_of(Timestamp::now());
    let whom = standing.admins();
    let tell = format!("Tell {whom} at once, by telephone or in person");
    match keys {
        [] => vec![Step::new(format!("{tell}: the policy has no key of yours that could be revoked."), &[])],
        [only] => {
            let text = format!(
                "{tell}: the key {} is to be revoked as of {}. They put these lines in place of your `keys`, and apply \
                 the policy; from that moment nothing that it signs is accepted.",
                only.public.id(),
                today()
            );
            let commands = ["mledger policy show > policy.toml", "mledger policy apply policy.toml"];
            let keys = enrolment::with_revoked(actor, only.public.id(), now);
            vec![Step::new(text, &commands).with_lines(actor, &keys)]
        }
        several => {
            let text = format!("You have {} keys. Find out which is lost, and ask again for that one:", several.len());
            let commands: Vec<String> =
                several.iter().map(|key| format!("mledger key lost {}", key.public.id())).collect();
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            vec![Step::new(text, &commands), Step::new(format!("{tell}, with what that prints."), &[])]
        }
    }
}

/// This machine takes the place of another, or comes beside one.
pub fn laptop(context: &Context, laptop: Laptop) -> Result<End, Failure> {
    let standing = Standing::read(context)?;
    let here = key_here(&standing);
    let known = here.as_ref().is_some_and(|key| standing.entry(key.id()).is_some());
    let mut steps = vec![match &here {
        Some(key) if known => Step::new(
            format!("This clone signs with {}, which the policy knows: you can work here already.", key.id()),
            &["mledger key --try"],
        ),
        Some(key) => enrol(&standing, key),
        None => Step::new(
            "Make a key for this machine, and send the lines that it prints. Do not copy the other machine's: a key \
             that lies in one place only can be revoked alone.",
            &["mledger init", "mledger key new"],
        ),
    }];
    if !known {
        steps.push(Step::new("Once the policy has it, look whether all is well here:", &["mledger key --try"]));
    }
    steps.extend(match laptop {
        Laptop::New => ending(&standing, here.as_ref()),
        Laptop::Second => vec![Step::new("Both keys count from then on, each on its own machine.", &[])],
    });
    match laptop {
        Laptop::New => print(context, "new-laptop", "This machine takes the place of another", steps),
        Laptop::Second => print(context, "second-laptop", "This machine comes beside another", steps),
    }
}

fn enrol(standing: &Standing, key: &PublicKey) -> Step {
    let whom = standing.admins();
    let text = format!(
        "This clone signs with {}, which the policy does not know yet. Send these lines to {whom}; a key of another \
         machine stays good beside it:",
        key.id()
    );
    Step { lines: standing.enrolment(key), ..Step::new(text, &[]) }
}

/// How the keys of the old machine end.
fn ending(standing: &Standing, here: Option<&PublicKey>) -> Vec<Step> {
    let person = standing.person(here.map(PublicKey::id));
    let old = person.map(|actor| standing.valid_keys(actor, here.map(PublicKey::id))).unwrap_or_default();
    let now = enrolment::day_of(Timestamp::now());
    let mut steps: Vec<Step> = vec![Step::new(
        "Push what is left on the old machine: what its key signed must arrive while that key counts.",
        &[],
    )];
    match (old.as_slice(), person) {
        ([only], Some(actor)) => {
            let mut grown = actor.clone();
            let missing = here.filter(|key| !grown.keys.iter().any(|held| held.public == **key));
            grown.keys.extend(missing.map(|key| Key { from: None, public: key.clone(), revoked: None, until: None }));
            let keys = enrolment::with_end(&grown, only.public.id(), now);
            let text = format!(
                "Then let {} end the old key, {}. With today's date it ends at once; what it signed and was accepted \
                 stays valid:",
                standing.admins(),
                only.public.id()
            );
            steps.push(Step::new(text, &[]).with_lines(actor, &keys));
        }
        _ => steps.push(Step::new(
            format!("Then let {} end the old key: {{ key = \"…\", until = {} }}.", standing.admins(), today()),
            &[],
        )),
    }
    steps.push(Step::new("Wipe the old machine's ~/.ssh before you give it away.", &[]));
    steps
}

fn key_here(standing: &Standing) -> Option<PublicKey> {
    clone_setup::configured_key(&standing.repository).ok()?.public().ok()
}

fn today() -> String {
    enrolment::date(enrolment::day_of(Timestamp::now()))
}

fn print(context: &Context, situation: &'static str, title: &str, steps: Vec<Step>) -> Result<End, Failure> {
    let advice = Advice { situation, steps };
    context.output.result(&advice, || text(title, &advice.steps))?;
    Ok(End::Fine)
}

fn text(title: &str, steps: &[Step]) -> String {
    let mut text = format!("{}\n", styled(TITLE, title));
    for (number, step) in steps.iter().enumerate() {
        let prose = format!("{}. {}", number + 1, tame(&step.text));
        let _ = writeln!(text, "\n{}", wrapped(&prose, columns()).join("\n"));
        step.commands.iter().for_each(|command| _ = writeln!(text, "     {}", tame(command)));
        if let Some(lines) = &step.lines {
            text.push('\n');
            lines.lines().for_each(|line| _ = writeln!(text, "{}", tame(line)));
        }
    }
    text
}
