//! Which entries `log` shows.

use mledger::clock::Timestamp;
use mledger::entry::leaf::Verdict;
use mledger::name::ActorId;
use mledger::policy::glob::Glob;
use mledger::policy::quantity::parse_duration_ms;
use mledger::query::filter::Filter;

/// Only entries for which each option given holds.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Of this actor
    #[arg(long, value_name = "ID", value_parser = ActorId::parse)]
    actor: Option<ActorId>,
    /// About this ref: its full name, its short name, or a pattern
    #[arg(long = "ref", value_name = "REF", value_parser = Glob::parse)]
    refs: Option<Glob>,
    /// About this path, what lies beneath it, or what matches this pattern
    #[arg(long = "path", value_name = "PATH", value_parser = Glob::parse)]
    paths: Option<Glob>,
    /// Of these kinds, separated by commas
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = KINDS)]
    kinds: Vec<String>,
    /// Pushes decided so
    #[arg(long, value_parser = VERDICTS.map(Verdict::as_str))]
    decision: Option<String>,
    /// From this day or moment on, or no older than this: 2026-11-01, 2026-11-01T09:30:00Z, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Up to the end of this day, this moment, or older than this
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    until: Option<Timestamp>,
}

const KINDS: [&str; 9] =
    ["genesis", "policy", "commit", "push", "landed", "observed", "import", "reconcile", "denials"];

const VERDICTS: [Verdict; 3] = [Verdict::Accepted, Verdict::Denied, Verdict::Tolerated];

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl FilterArgs {
    /// What they ask for.
    pub fn filter(&self) -> Filter {
        let decided = |verdict: &Verdict| self.decision.as_deref() == Some(Verdict::as_str(*verdict));
        Filter {
            actor: self.actor.clone(),
            refs: self.refs.clone(),
            paths: self.paths.clone(),
            kinds: self.kinds.clone(),
            decision: VERDICTS.into_iter().find(decided),
            since: self.since,
            until: self.until,
        }
    }
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    parse_time(text, 0, Timestamp::now())
}

fn parse_until(text: &str) -> Result<Timestamp, String> {
    parse_time(text, DAY_MS - 1, Timestamp::now())
}

/// A moment, a day (`into_day_ms` after its begin), or so long before now.
fn parse_time(text: &str, into_day_ms: i64, now: Timestamp) -> Result<Timestamp, String> {
    let moment = || Timestamp::parse(text).or_else(|_| Timestamp::parse(&text.replace('Z', ".000Z"))).ok();
    let day =
        || Timestamp::from_millis(Timestamp::parse(&format!("{text}T00:00:00.000Z")).ok()?.millis() + into_day_ms);
    let ago = || Timestamp::from_millis(now.millis() - i64::try_from(parse_duration_ms(text).ok()?).ok()?);
    moment()
        .or_else(day)
        .or_else(ago)
        .ok_or_else(|| "not a time like 2026-11-01, 2026-11-01T09:30:00Z or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use mledger::name::{RefName, RepoPath};
    use mledger::query::brief::Brief;

    use super::*;

    #[test]
    fn times_are_moments_days_or_ages() {
        let now = Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap();
        for (text, into_day_ms, moment) in [
            ("2026-11-01", 0, "2026-11-01T00:00:00.000Z"),
            ("2026-11-01", DAY_MS - 1, "2026-11-01T23:59:59.999Z"),
            ("2026-11-01T10:00:00Z", DAY_MS - 1, "2026-11-01T10:00:00.000Z"),
            ("2026-11-01T10:00:00.120Z", 0, "2026-11-01T10:00:00.120Z"),
            ("2d", 0, "2026-11-21T09:30:00.000Z"),
        ] {
            assert_eq!(parse_time(text, into_day_ms, now).unwrap().to_string(), moment, "{text}");
        }
        for bad in ["", "yesterday", "2026-13-01", "2026-11-01T10:00", "d", "-3d"] {
            assert!(parse_time(bad, 0, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_option_must_hold() {
        let brief = Brief {
            kind: "push".to_owned(),
            actor: Some(ActorId::parse("alice").unwrap()),
            decision: Some(Verdict::Denied),
            refs: vec![RefName::parse("refs/heads/dev/x").unwrap()],
            paths: vec![RepoPath::parse("models/credit/w.bin").unwrap()],
            time: Some(Timestamp::parse("2026-11-23T09:30:00.000Z").unwrap()),
            ..Brief::default()
        };
        for (line, kept) in [
            ("", true),
            ("--actor alice --kind commit,push --decision denied", true),
            ("--actor bob", false),
            ("--kind commit", false),
            ("--decision accepted", false),
            ("--ref refs/heads/dev/x", true),
            ("--ref dev/x", true),
            ("--ref dev/**", true),
            ("--ref dev", false),
            ("--path models", true),
            ("--path models/cred", false),
            ("--path models/**/*.bin", true),
            ("--since 2026-11-23 --until 2026-11-23", true),
            ("--since 2026-11-24", false),
            ("--until 2026-11-22", false),
            ("--actor alice --path configs", false),
        ] {
            let command = <FilterArgs as clap::Args>::augment_args(clap::Command::new("log").no_binary_name(true));
            let words = line.split(' ').filter(|word| !word.is_empty());
            let matches = command.try_get_matches_from(words).unwrap();
            let filter = <FilterArgs as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
            assert_eq!(filter.filter().keeps(&brief), kept, "{line}");
            assert_eq!(filter.filter().is_empty(), line.is_empty(), "{line}");
        }
    }
}
