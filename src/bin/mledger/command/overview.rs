//! `mledger --help`: the verbs by who needs them, not in one long list.

use std::fmt::Write as _;

use crate::output::styled;

/// The verbs, in the order in which people meet them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Work with a clone", &["init", "status", "commit", "check", "resign", "key", "doctor"]),
    ("Read, verify and prove", &["verify", "log", "show", "prove", "verify-proof", "export"]),
    ("Administer", &["policy", "import", "reconcile"]),
    ("More", &["demo", "completions", "man"]),
];

/// The command with its overview.
pub fn with_overview(command: clap::Command) -> clap::Command {
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    let header = *command.get_styles().get_header();
    for (title, verbs) in GROUPS {
        let _ = write!(text, "\n{}\n", styled(header, format_args!("{title}:")));
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about);
            let _ = writeln!(text, "  {verb:<14}{}", about.map(ToString::to_string).unwrap_or_default());
        }
    }
    let _ = write!(text, "\n`mledger help COMMAND` tells more about each.\n\n{}\n", styled(header, "Options:"));
    text.push_str("{options}{after-help}");
    command.help_template(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_verb_has_one_place_and_one_line() {
        let command = Cli::command();
        let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
        let known: BTreeSet<&str> = verbs.iter().map(|verb| verb.get_name()).collect();
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        assert_eq!(listed.len(), known.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), known);
        for verb in verbs {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.chars().count() <= 64, "too long for 80 columns: {about}");
        }
    }
}
