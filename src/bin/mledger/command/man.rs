//! `mledger man`: manual pages.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::{Cli, End};
use crate::context::Context;
use crate::error::Failure;

const AFTER_HELP: &str = "\
Example:
  mledger man /usr/local/share/man/man1";

/// Write the manual pages, one per command
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The folder they go to
    dir: PathBuf,
}

pub fn run(context: &Context, args: &Args) -> Result<End, Failure> {
    let failed = |source| Failure::file("write manual pages to", &args.dir, source);
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write_pages(&command, &args.dir).map_err(failed)?;
    context.output.say(format_args!("wrote the manual pages to `{}`", args.dir.display()));
    Ok(End::Fine)
}

fn write_pages(command: &clap::Command, dir: &Path) -> io::Result<()> {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(command, dir)?;
    }
    let man = Man::new(command.clone()).source(concat!("mledger ", env!("CARGO_PKG_VERSION"))).manual("mledger");
    std::fs::write(dir.join(man.get_filename()), page(&man, command)?)
}

/// A whole page. What follows the options in the help has lines that must stay as they are, so it is set here.
fn page(man: &Man, command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(help) = command.get_after_help() {
        page.write_all(notes(&help.to_string()).render().as_bytes())?;
    }
    Ok(page)
}

/// Lines that are set in stand as written; the others are prose, which a reader's terminal may break elsewhere.
fn notes(help: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    let lines: Vec<&str> = help.lines().collect();
    for block in lines.chunk_by(|one, next| kind(one) == kind(next)) {
        let text = [roman(block.join("\n"))];
        match kind(block.first().unwrap_or(&"")) {
            Line::Blank => roff.control("PP", []),
            Line::Prose => roff.text(text),
            Line::SetIn => roff.control("nf", []).text(text).control("fi", []),
        };
    }
    roff
}

#[derive(PartialEq, Eq)]
enum Line {
    Blank,
    Prose,
    SetIn,
}

fn kind(line: &str) -> Line {
    match line {
        "" => Line::Blank,
        line if line.starts_with("  ") => Line::SetIn,
        _ => Line::Prose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_in_stands_as_written() {
        let said = "Prose of\ntwo lines.\n\nExample:\n  mledger x   of this\n  mledger 'y'";
        let page = notes(said).render();
        let lines: Vec<&str> = page.lines().filter(|line| !line.is_empty()).collect();
        let begin = lines.iter().position(|line| *line == ".SH NOTES").unwrap();
        let expected =
            ".SH NOTES|Prose of|two lines.|.PP|Example:|.nf|  mledger x   of this|  mledger \\*(Aqy\\*(Aq|.fi";
        assert_eq!(lines[begin..].join("|"), expected, "{page}");
    }
}
