//! What Git says on standard input of receive hooks.

use mledger::hook::pre_receive::parse_commands;
use mledger::name::Oid;

pub fn check(data: &[u8]) {
    let Ok((commands, problems)) = parse_commands(data) else { return };
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    // No line is overlooked: each is judged or denied.
    assert_eq!(commands.len() + problems.len(), lines.len());
    let id = |oid: Option<Oid>| oid.map_or_else(|| "0".repeat(40), |oid| oid.to_string());
    let mut rest = lines.iter();
    for command in &commands {
        let line = format!("{} {} {}", id(command.old), id(command.new), command.refname);
        assert!(rest.any(|each| *each == line.as_bytes()), "{line:?} does not stand there");
    }
}
