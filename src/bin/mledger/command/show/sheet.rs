//! An entry as a list of named values for people.

use std::fmt;

use mledger::entry::denials::Denials;
use mledger::entry::field::Field;
use mledger::entry::leaf::{
    Commit, Genesis, Landed, Leaf, LeafError, PolicyChange, Push, Range, State, Unexplained, Update, Verdict,
};
use mledger::entry::statement::{Envelope, Statement};
use mledger::evidence;
use mledger::ledger::read::{Log, ReadError};
use mledger::model::manifest::{Line, Manifest, New};
use mledger::name::Oid;
use mledger::object;
use mledger::policy::Policy;
use mledger::policy::facts::{ManifestTrailer, Move, Pusher, Signature, Voucher};

use crate::output::{BAD, FAINT, GOOD, ODD, styled, tame};

/// The most changes or updates that are listed; a vendored toolkit would scroll everything else away.
const LINES_SHOWN: usize = 50;

/// Names and values, in order. A value without name belongs to the one above it.
#[derive(Default)]
pub struct Sheet(Vec<(&'static str, String)>);

impl Sheet {
    /// What an entry says.
    pub fn of(log: &Log<'_>, leaf: &Leaf) -> Result<Self, ReadError> {
        let mut sheet = Self::default();
        sheet.add("kind", leaf.kind());
        sheet.add("time", leaf.time());
        match leaf {
            Leaf::Genesis(genesis) => sheet.genesis(log, genesis)?,
            Leaf::Policy(change) => sheet.policy(log, change)?,
            Leaf::Commit(commit) => sheet.commit(log, commit)?,
            Leaf::Push(push) => sheet.push(&push.as_ref().clone().whole(|name| log.blob(name))?),
            Leaf::Landed(landed) => sheet.landed(landed),
            Leaf::Import(import) => sheet.stated(log, &import.statement)?,
            Leaf::Reconcile(reconcile) => {
                sheet.stated(log, &reconcile.statement)?;
                sheet.add("commits", entries(reconcile.commits));
            }
            Leaf::Observed(observed) => sheet.unexplained(&observed.refs),
            Leaf::Denials(denials) => sheet.denials(denials),
        }
        Ok(sheet)
    }

    /// What can be said of an entry that this version cannot read.
    pub fn unreadable(error: &LeafError, leaf: &serde_json::Value) -> Self {
        let mut sheet = Self::default();
        sheet.add("unreadable", styled(ODD, error));
        sheet.add("leaf", tame(&leaf.to_string()));
        sheet
    }

    /// Adds a value.
    pub fn add(&mut self, name: &'static str, value: impl fmt::Display) {
        self.0.push((name, value.to_string()));
    }

    /// Says how many of so many lines were not listed.
    fn add_rest(&mut self, count: usize) {
        if let Some(more) = count.checked_sub(LINES_SHOWN).filter(|more| *more > 0) {
            self.add("", format_args!("… and {more} more"));
        }
    }

    fn add_all<T: fmt::Display>(&mut self, name: &'static str, values: impl IntoIterator<Item = T>) {
        for (place, value) in values.into_iter().enumerate() {
            self.add(if place == 0 { name } else { "" }, value);
        }
    }

    fn genesis(&mut self, log: &Log<'_>, genesis: &Genesis) -> Result<(), ReadError> {
        let lines = |text: String| text.lines().count();
        let refs = lines(genesis.baseline.refs.read_text(|name| log.blob(name))?);
        let commits = lines(genesis.baseline.commits.read_text(|name| log.blob(name))?);
        self.add("origin", &genesis.origin);
        self.add("vkey", tame(&genesis.vkey));
        self.add("logins", genesis.login.as_deref().map_or_else(|| "none".to_owned(), tame));
        self.add("baseline", format_args!("{commits} commits, {refs} refs"));
        self.add("policy", policy_name(&genesis.policy.read_text(|name| log.blob(name))?));
        Ok(())
    }

    fn policy(&mut self, log: &Log<'_>, change: &PolicyChange) -> Result<(), ReadError> {
        self.add("policy", policy_name(&change.policy.read_text(|name| log.blob(name))?));
        self.add("digest", change.digest);
        let mut signers = Vec::new();
        for statement in &change.statements {
            let envelope = statement.read_text(|name| log.blob(name))?;
            signers.push(match Envelope::parse(envelope.as_bytes()) {
                Ok((_, statement)) => format!("{}, valid until {}", statement.actor(), statement.expires()),
                Err(error) => styled(BAD, error),
            });
        }
        self.add_all("stated by", signers);
        Ok(())
    }

    /// A statement about commits or refs.
    fn stated(&mut self, log: &Log<'_>, envelope: &Field) -> Result<(), ReadError> {
        let envelope = envelope.read_text(|name| log.blob(name))?;
        let (envelope, statement) = match Envelope::parse(envelope.as_bytes()) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.add("stated", styled(BAD, error));
                return Ok(());
            }
        };
        self.add("stated by", format_args!("{}, valid until {}", statement.actor(), statement.expires()));
        self.add("reason", tame(statement.reason().unwrap_or_default()));
        match statement {
            Statement::Reconcile(statement) => self.unexplained(&statement.refs),
            Statement::Import(_) | Statement::Policy(_) => {
                let commits = envelope.attachment.lines().count();
                self.add("vouches for", format_args!("{commits} commits"));
                self.add_all("", envelope.attachment.lines().take(LINES_SHOWN).map(tame));
                if commits > LINES_SHOWN {
                    self.add("", format_args!("… and {} more", commits - LINES_SHOWN));
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, log: &Log<'_>, commit: &Commit) -> Result<(), ReadError> {
        self.add("commit", commit.oid);
        match (&commit.actor, &commit.vouched_by) {
            (Some(actor), _) => self.add("actor", actor),
            (None, Some(Voucher { actor, entry })) => {
                self.add("vouched for", format_args!("by {actor}, in entry {entry}"));
            }
            (None, None) => self.add("actor", styled(ODD, "nobody enrolled")),
        }
        let raw = commit.object.read_bytes(|name| log.blob(name))?;
        let manifest = Manifest::parse(commit.manifest.read_text(|name| log.blob(name))?.as_bytes());
        let object = object::commit::Commit::parse(&raw);
        let (manifest, object) = match (manifest, object) {
            (Ok(manifest), Ok(object)) => (manifest, object),
            (Err(error), _) => {
                self.add("manifest", styled(BAD, error));
                return Ok(());
            }
            (_, Err(error)) => {
                self.add("object", styled(BAD, error));
                return Ok(());
            }
        };
        let facts = evidence::gather(&raw, &object, &manifest, None).facts;
        self.add("signature", signature(&facts.signature, commit));
        self.add(
            "manifest",
            match facts.manifest {
                ManifestTrailer::Matches => styled(GOOD, "signed with the commit"),
                ManifestTrailer::Mismatch => styled(BAD, "the commit names another one"),
                ManifestTrailer::Missing => "not named by the commit".to_owned(),
            },
        );
        self.add("author", tame(&format!("{} <{}>", object.author.name, object.author.email)));
        self.add_all("message", object.message.lines().map(tame));
        for parent in manifest.parents() {
            let against = parent.parent.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
            self.add("changes", styled(FAINT, format_args!("{} against {against}", parent.lines.len())));
            self.add_all("", parent.lines.iter().take(LINES_SHOWN).map(change));
            self.add_rest(parent.lines.len());
        }
        Ok(())
    }

    fn push(&mut self, push: &Push) {
        self.add("actor", push.actor.as_ref().map_or("unknown", |actor| actor.as_str()));
        self.add(
            "pusher",
            match &push.pusher {
                Pusher::Certificate { key } => format!("known by a push certificate of {key}"),
                Pusher::Login { login } => format!("known by the login {}", tame(login)),
                Pusher::Refused { why } => format!("refused: {}", tame(why)),
                Pusher::Unknown => "neither certificate nor login".to_owned(),
            },
        );
        if let Some(clock) = push.clock {
            self.add("clock", styled(ODD, format_args!("said {clock}: it was wrong, then or before")));
        }
        self.add("certificate", if push.certificate.is_some() { "kept" } else { "none" });
        self.add_all("updates", push.updates.iter().take(LINES_SHOWN).map(update));
        self.add_rest(push.updates.len());
        self.add(
            "decision",
            match push.decision {
                Verdict::Accepted => styled(GOOD, "accepted"),
                Verdict::Denied => styled(BAD, "denied"),
                Verdict::Tolerated => styled(ODD, "tolerated: the policy only observes"),
            },
        );
        self.add_all(
            "reasons",
            push.reasons.iter().map(|reason| {
                let (code, words) = (reason.code.as_str(), tame(&reason.to_string()));
                // Where the sentence begins with the code's own words, they need not be said twice.
                if words.starts_with(&code.replace('-', " ")) { words } else { format!("{code}: {words}") }
            }),
        );
        self.add("policy", format_args!("of entry {}, by decider {}", push.policy, push.decider));
        self.add("commits", entries(push.commits));
    }

    fn landed(&mut self, landed: &Landed) {
        self.add("push", format_args!("entry {}", landed.push));
        self.add_all(
            "refs",
            landed.updates.iter().map(|update| {
                let state = if update.state == State::Landed { styled(GOOD, "landed") } else { styled(ODD, "void") };
                format!("{} {state}", tame(update.refname.as_str()))
            }),
        );
    }

    fn unexplained(&mut self, refs: &[Unexplained]) {
        self.add_all(
            "refs",
            refs.iter().map(|seen| {
                let (tip, expected) = (place(seen.tip.as_ref()), place(seen.expected.as_ref()));
                format!("{} stands at {tip}, the ledger put it at {expected}", tame(seen.refname.as_str()))
            }),
        );
    }
}

impl Sheet {
    fn denials(&mut self, denials: &Denials) {
        self.add("source", &denials.source);
        self.add("count", format_args!("{}, none of them with an entry of its own", denials.count));
        self.add("first", denials.first);
        self.add("last", denials.last);
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "  {}{value}", styled(FAINT, format_args!("{name:13}"))))
    }
}

fn policy_name(text: &str) -> String {
    let name = Policy::parse(text).map(|policy| policy.name().to_owned());
    name.map_or_else(|_| styled(BAD, "does not hold together"), |name| format!("\"{}\"", tame(&name)))
}

fn signature(found: &Signature, commit: &Commit) -> String {
    match found {
        Signature::Valid { key } if Some(key) == commit.key.as_ref() => styled(GOOD, format_args!("valid, by {key}")),
        Signature::Valid { key } => match &commit.key {
            Some(other) => styled(BAD, format_args!("valid, but by {key} and not by {other}")),
            None => styled(ODD, format_args!("valid, by {key}, which was nobody's")),
        },
        Signature::Invalid { why } => styled(BAD, tame(why)),
        Signature::Missing if commit.vouched_by.is_some() => "none".to_owned(),
        Signature::Missing => styled(BAD, "none"),
    }
}

fn entries(range: Range) -> String {
    match range.count {
        0 => "none new".to_owned(),
        1 => format!("entry {}", range.first),
        count => format!("entries {} to {}", range.first, range.first.saturating_add(count - 1)),
    }
}

fn change(line: &Line) -> String {
    let letter = match (&line.old, &line.new) {
        (None, _) => 'A',
        (_, None) => 'D',
        (Some(old), Some(new)) if old.mode().differs_in_type(new.mode()) => 'T',
        _ => 'M',
    };
    let size = match line.new {
        Some(New::Blob { lfs: Some(lfs), .. }) => format!(" ({} bytes in Git LFS)", lfs.bytes),
        Some(New::Blob { bytes, .. }) => format!(" ({bytes} bytes)"),
        Some(New::Gitlink(oid)) => format!(" (commit {})", oid.short()),
        None => String::new(),
    };
    format!("{letter} {}{}", line.path, styled(FAINT, size))
}

fn update(update: &Update) -> String {
    let action = match update.action {
        Move::Create => "create",
        Move::Update => "update",
        Move::Rewrite => "rewrite",
        Move::Delete => "delete",
    };
    let (old, new) = (place(update.old.as_ref()), place(update.new.as_ref()));
    format!("{action} {} from {old} to {new}", tame(update.refname.as_str()))
}

fn place(tip: Option<&Oid>) -> String {
    tip.map_or_else(|| "nothing".to_owned(), Oid::short)
}
