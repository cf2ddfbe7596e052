//! The README's sessions, typed as they stand: every block marked `console` runs, and must print what is shown.
//!
//! With `MLEDGER_README=write` in the environment the shown output is replaced by the real one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::world::{MLEDGER, Person, World};

/// What stands for the world's folder in the README.
const HOME: &str = "/home/carol";

/// One command with what it printed.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

fn readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The pieces of the README: text as it is, and console blocks as steps.
enum Piece {
    Text(String),
    Console(Vec<Step>),
}

fn parse(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, next) = after.split_once("```\n").expect("a console block ends");
        pieces.push(Piece::Text(format!("{before}```console\n")));
        pieces.push(Piece::Console(steps(block)));
        rest = next;
        pieces.push(Piece::Text("```\n".to_owned()));
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), output: String::new() });
        } else if let Some(more) = line.strip_prefix("> ") {
            let step = steps.last_mut().expect("a command comes before its continuation");
            step.command.push('\n');
            step.command.push_str(more);
        } else {
            let step = steps.last_mut().expect("a command comes before its output");
            step.output.push_str(line);
            step.output.push('\n');
        }
    }
    steps
}

/// Runs all steps in one shell, as one person would, and returns what each printed.
fn play(person: &Person, root: &Path, steps: &[&Step]) -> Vec<String> {
    const MARK: &str = "=== end of step ";
    let script: String = steps.iter().map(|step| format!("{}\necho '{MARK}'\n", step.command)).collect();
    let bin = Path::new(MLEDGER).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let person = person.with("PATH", &path).with("COLUMNS", "100");
    let script = format!("exec 2>&1\nset +e\n{script}");
    let run = person.run(Command::new("bash").args(["-c", &script]).current_dir(root), None);
    let root = root.display().to_string();
    let output = run.out.replace(&root, HOME);
    let parts: Vec<String> = output.split(&format!("{MARK}\n")).map(shown).collect();
    assert_eq!(parts.len(), steps.len() + 1, "a command ended the shell: {output}");
    parts.into_iter().take(steps.len()).collect()
}

/// Git pads what a server says with blanks.
fn shown(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Without what differs from run to run and machine to machine: keys, digests, times, versions.
fn timeless(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, token) in [
        (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}", "<vkey>"),
        (r"SHA256:[A-Za-z0-9+/]{43}", "<fingerprint>"),
        (r"AAAAC3[A-Za-z0-9+/=]+", "<key>"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3}Z)?", "<time>"),
        (r"\b[0-9a-f]{7,64}\b", "<hex>"),
        (r"git \d+[.0-9a-z]*, OpenSSH_\S+", "<versions>"),
        (r"\d+ (second|minute)s? ago", "<time>"),
        (r"\b(a|one) (second|minute) ago|just now", "<time>"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, token).into_owned();
    }
    text
}

#[test]
fn the_readme_shows_what_happens() {
    let text = fs::read_to_string(readme()).unwrap();
    let mut pieces = parse(&text);
    let world = World::new();
    let carol = world.person("carol");
    let root = carol.home.clone();
    let all: Vec<&Step> = pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Console(steps) => steps.iter().collect::<Vec<_>>(),
            Piece::Text(_) => Vec::new(),
        })
        .collect();
    assert!(all.len() >= 10, "the README shows no session");
    let outputs = play(&carol, &root, &all);
    let real: BTreeMap<String, String> = all.iter().map(|step| step.command.clone()).zip(outputs.clone()).collect();
    if std::env::var("MLEDGER_README").is_ok_and(|word| word == "write") {
        let mut outputs = outputs.into_iter();
        for piece in &mut pieces {
            if let Piece::Console(steps) = piece {
                for step in steps {
                    step.output = outputs.next().unwrap();
                }
            }
        }
        fs::write(readme(), print(&pieces)).unwrap();
        return;
    }
    for (step, output) in all.iter().zip(&outputs) {
        assert_eq!(
            timeless(&step.output),
            timeless(output),
            "`{}` prints something else; all: {real:#?}",
            step.command
        );
    }
}

fn print(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Console(steps) => {
                steps.iter().map(|step| format!("$ {}\n{}", step.command.replace('\n', "\n> "), step.output)).collect()
            }
        })
        .collect()
}
