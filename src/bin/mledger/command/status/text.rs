//! The status, on one screen.

use std::fmt::Write as _;

use mledger::clock::Timestamp;
use mledger::hook::forecast::Forecast;
use mledger::hook::standing::{Branch, Followed, Known, Ledger, Standing, Unpushed, Who};
use mledger::name::Oid;
use mledger::policy::facts::{ManifestTrailer, Signature};

use super::next::Step;
use crate::output::{BAD, FAINT, GOOD, ODD, TITLE, columns, counted, cut, first_line, fitted, styled, tame};
use crate::refusal;

/// How many items of a list are shown: one screen is enough.
const SHOWN_MAX: usize = 5;

/// How wide a line is where nobody sees how wide the terminal is, in characters.
const COLUMNS: usize = 100;

/// The whole status; `now` is the clock's.
pub fn of(standing: &Standing, steps: &[Step], now: Timestamp) -> String {
    let mut text = String::new();
    row(&mut text, "you", &you(&standing.who, matches!(standing.ledger, Ledger::Follows(_))));
    row(&mut text, "ledger", &ledger(&standing.ledger, now));
    row(&mut text, "branch", &branch(standing));
    if let Some(forecast) = &standing.forecast {
        row(&mut text, "gate", &gate(forecast));
    }
    pushes(&mut text, standing, now);
    fitted(&text) + &next(steps)
}

/// What to do next.
pub fn next(steps: &[Step]) -> String {
    if steps.is_empty() {
        return format!("{} nothing to do\n", styled(TITLE, "next:"));
    }
    let mut text = format!("{}\n", styled(TITLE, "next:"));
    for step in steps {
        let why = if step.why.is_empty() { String::new() } else { format!("     ({})", tame(&step.why)) };
        let _ = writeln!(text, "  {}{}", tame(&step.command), styled(FAINT, why));
    }
    text
}

/// How long ago something was. What lies ahead was just now, on another clock.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.millis().saturating_sub(time.millis()).max(0).cast_unsigned() / 1000;
    let (count, one, many) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute", "minutes"),
        3600..86_400 => (seconds / 3600, "hour", "hours"),
        _ => (seconds / 86_400, "day", "days"),
    };
    format!("{} ago", counted(count, one, many))
}

/// `1 commit`, `2 commits`.
pub fn commits(count: usize) -> String {
    counted(count, "commit", "commits")
}

/// One named block; its further lines are set in.
pub fn row(text: &mut String, name: &str, block: &str) {
    let mut lines = block.lines();
    let _ = writeln!(text, "{name:<9}{}", lines.next().unwrap_or_default());
    lines.for_each(|line| {
        let _ = writeln!(text, "         {line}");
    });
}

fn you(who: &Who, follows: bool) -> String {
    let Some(actor) = who.actor.as_deref().map(tame) else { return styled(ODD, "nobody: `user.email` is not set") };
    if !who.set_up {
        return format!("{actor}; {}", styled(ODD, "this clone is not set up yet"));
    }
    let Some(key) = &who.key else { return format!("{actor}; {}", styled(BAD, "no key to sign with was found")) };
    let known = match &who.known {
        Some(known) => standing_of(known, &actor),
        None if follows => styled(ODD, "the policy does not know this key"),
        None => "whether a policy knows this key is not known".to_owned(),
    };
    format!("{actor}, key {key}\n{known}")
}

fn standing_of(known: &Known, actor: &str) -> String {
    if let Some(problem) = &known.problem {
        return styled(BAD, first_line(problem));
    }
    let other = if known.actor.as_str() == actor { String::new() } else { format!(" as {}", known.actor) };
    let roles = if known.roles.is_empty() { "no role".to_owned() } else { tame(&known.roles.join(", ")) };
    let from = known.from.map(|from| format!(", since {}", day(from))).unwrap_or_default();
    let until = known.until.map(|until| format!(", until {}", day(until))).unwrap_or_default();
    styled(GOOD, format!("the policy knows this key{other}: {roles}{from}{until}"))
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take("2026-11-23".len()).collect()
}

fn ledger(ledger: &Ledger, now: Timestamp) -> String {
    match ledger {
        Ledger::NoRemote => "none: this clone has no remote".to_owned(),
        Ledger::NotSetUp { remote } => format!("not followed yet, from {}", tame(remote)),
        Ledger::None { remote, why: None } => format!("none yet in {}", tame(remote)),
        Ledger::None { remote, why: Some(why) } => {
            format!("{} in {}: {}", styled(ODD, "not reached"), tame(remote), first_line(why))
        }
        Ledger::Follows(followed) => follows(followed, now),
    }
}

fn follows(followed: &Followed, now: Timestamp) -> String {
    let size = counted(followed.size, "entry", "entries");
    let head = format!("{}, {size}, the newest {}", followed.origin, ago(followed.newest, now));
    let remote = tame(&followed.remote);
    let seen = followed.seen.map(|seen| format!("; seen last {}", ago(seen, now))).unwrap_or_default();
    let looked = match (&followed.problem, &followed.unreached) {
        (Some(problem), _) => styled(BAD, first_line(problem)),
        (None, Some(why)) => {
            format!("{} in {remote}: {}{seen}", styled(ODD, "not looked at just now"), first_line(why))
        }
        (None, None) => format!("as {remote} shows it now"),
    };
    format!("{head}\n{looked}")
}

fn branch(standing: &Standing) -> String {
    let doing = standing.doing.map(|doing| format!(", in the middle of a {doing}")).unwrap_or_default();
    let Some(branch) = &standing.branch else {
        return match &standing.head {
            Some(head) => format!("none: HEAD stands at {}{doing}", head.short()),
            None => "without a commit yet".to_owned(),
        };
    };
    let upstream =
        branch.upstream.as_deref().map(|upstream| upstream.strip_prefix("refs/remotes/").unwrap_or(upstream));
    let follows = upstream.map_or_else(String::new, |upstream| format!(" → {}", tame(upstream)));
    let behind = if branch.behind > 0 { format!(", {} behind", branch.behind) } else { String::new() };
    let unpushed = match branch.unpushed.len() {
        0 => "everything is pushed".to_owned(),
        count => format!("{} not pushed", commits(count)),
    };
    let mut text = format!("{}{follows}: {unpushed}{behind}{doing}\n", tame(branch.name.short()));
    text += &listed(branch);
    text
}

/// The commits that are not pushed, those first that need mending.
fn listed(branch: &Branch) -> String {
    let mut all: Vec<&Unpushed> = branch.unpushed.iter().collect();
    all.sort_by_key(|commit| !commit.is_amiss());
    let width = columns().unwrap_or(COLUMNS).saturating_sub(9);
    let line = |commit: &&Unpushed| {
        let subject = tame(&commit.subject);
        let (style, words) = finding(commit);
        let room = width.saturating_sub(words.chars().count() + commit.commit.short().len() + 4);
        format!("{} {}: {}\n", commit.commit.short(), cut(&subject, room), styled(style, words))
    };
    let mut text: String = all.iter().take(SHOWN_MAX).map(line).collect();
    if let Some(more) = all.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "… and {more} more");
    }
    text
}

fn finding(commit: &Unpushed) -> (anstyle::Style, String) {
    match (&commit.signature, commit.manifest) {
        (None, _) => (FAINT, "not looked into".to_owned()),
        (Some(Signature::Missing), _) => (BAD, "not signed".to_owned()),
        (Some(Signature::Invalid { why }), _) => (BAD, format!("its signature does not count: {}", first_line(why))),
        (Some(_), Some(ManifestTrailer::Missing)) => (ODD, "signed, but binds no content".to_owned()),
        (Some(_), Some(ManifestTrailer::Mismatch)) => (BAD, "signed for another content".to_owned()),
        (Some(_), _) if commit.mine => (GOOD, "signed by you".to_owned()),
        (Some(_), _) => (FAINT, "signed by another key".to_owned()),
    }
}

fn gate(forecast: &Forecast) -> String {
    match forecast {
        Forecast::Quiet => styled(GOOD, "would accept a push now"),
        Forecast::Against(checked) => {
            let reasons = refusal::forewarning(&checked.decision, &checked.policy);
            let head = if checked.tolerated {
                styled(ODD, "would let a push pass, because the policy only observes:")
            } else {
                styled(BAD, "would refuse a push now:")
            };
            format!("{head}\n{reasons}")
        }
        Forecast::Late => "cannot be foretold in time; ask: mledger check".to_owned(),
        Forecast::Unknown(why) => format!("cannot be foretold: {}", first_line(why)),
    }
}

fn pushes(text: &mut String, standing: &Standing, now: Timestamp) {
    let at = |tip: Option<Oid>| tip.map_or_else(|| "nothing".to_owned(), |oid| oid.short());
    let receipts = standing.sent.receipts.len();
    let mut block = String::new();
    for note in standing.hidden().chain(standing.waiting()).take(SHOWN_MAX) {
        for update in note.updates.iter().take(SHOWN_MAX) {
            let name = tame(update.refname.short());
            let what = if update.taken {
                styled(BAD, "the server took it, and its ledger does not show it")
            } else {
                "no entry answers it; none will, if it failed".to_owned()
            };
            let _ = writeln!(block, "{name} at {}, {}: {what}", at(update.new), ago(note.time, now));
        }
    }
    for refusal in standing.sent.refusals.iter().rev().take(SHOWN_MAX) {
        let (name, reason) = (tame(refusal.refname.short()), tame(&refusal.reason));
        let refused = styled(BAD, format_args!("refused, {reason}"));
        let when = ago(refusal.time, now);
        let _ = writeln!(block, "{name} at {}, {when}: {refused}; mledger show {}", at(refusal.new), refusal.index);
    }
    let held = match receipts {
        0 => "none accepted yet".to_owned(),
        count => format!("{count} accepted, on record in the ledger"),
    };
    if receipts > 0 || !block.is_empty() {
        row(text, "pushes", &format!("{held}\n{block}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_round_and_never_negative() {
        let now = Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap();
        for (time, words) in [
            ("2026-11-23T09:29:01.000Z", "just now"),
            ("2026-11-23T09:29:00.000Z", "1 minute ago"),
            ("2026-11-23T07:30:00.000Z", "2 hours ago"),
            ("2026-11-22T09:30:00.000Z", "1 day ago"),
            ("2025-11-23T09:30:00.000Z", "365 days ago"),
            ("2999-01-01T00:00:00.000Z", "just now"),
        ] {
            assert_eq!(ago(Timestamp::parse(time).unwrap(), now), words);
        }
    }
}
