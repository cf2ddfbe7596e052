//! The manifest's text form, read from the left, since a path may hold spaces.

use std::fmt::{self, Write as _};

use super::{LfsPointer, Line, Manifest, ManifestError, New, Old, ParentChanges, TEXT_BYTES_MAX};
use crate::digest::Digest;
use crate::name::{Oid, RepoPath};
use crate::object::person::canonical_number;
use crate::object::tree::Mode;

const HEADER: &str = "mledger-manifest 1\n";
const PARENT: &str = "parent ";
const NO_MODE: &str = "000000";
const LFS: &str = "lfs-sha256:";

pub(super) fn print(manifest: &Manifest) -> String {
    let mut text = String::from(HEADER);
    // Writing to a string cannot fail.
    let _ = manifest.parents().iter().try_for_each(|changes| print_changes(&mut text, changes));
    text
}

fn print_changes(text: &mut String, changes: &ParentChanges) -> fmt::Result {
    match changes.parent {
        Some(oid) => writeln!(text, "{PARENT}{oid}")?,
        None => writeln!(text, "{PARENT}-")?,
    }
    changes.lines.iter().try_for_each(|line| print_line(text, line))
}

fn print_line(text: &mut String, line: &Line) -> fmt::Result {
    let new = line.new.map(New::as_old);
    let mode = |side: Option<Old>| side.map_or(NO_MODE, |side| side.mode().as_str());
    write!(text, "{} {} {} ", letter(line.old, new), mode(line.old), mode(new))?;
    print_content(text, line.old)?;
    print_content(text, new)?;
    match line.new {
        Some(New::Blob { bytes, .. }) => write!(text, "{bytes} ")?,
        _ => text.write_str("- ")?,
    }
    if let Some(New::Blob { lfs: Some(lfs), .. }) = line.new {
        write!(text, "{LFS}{} {} ", lfs.sha256.hex(), lfs.bytes)?;
    }
    writeln!(text, "{}", print_path(&line.path))
}

fn letter(old: Option<Old>, new: Option<Old>) -> &'static str {
    match (old, new) {
        (None, _) => "A",
        (_, None) => "D",
        (Some(old), Some(new)) if old.mode().differs_in_type(new.mode()) => "T",
        _ => "M",
    }
}

fn print_content(text: &mut String, side: Option<Old>) -> fmt::Result {
    match side {
        Some(Old::Blob { sha256, .. }) => write!(text, "{sha256} "),
        Some(Old::Gitlink(oid)) => write!(text, "commit:{oid} "),
        None => text.write_str("- "),
    }
}

fn print_path(path: &RepoPath) -> String {
    let text = path.to_string();
    if text.starts_with(LFS) { format!("\"{text}\"") } else { text }
}

pub(super) fn parse(raw: &[u8]) -> Result<Manifest, ManifestError> {
    if raw.len() > TEXT_BYTES_MAX {
        return Err(ManifestError::TooLong { bytes: raw.len() });
    }
    let text = std::str::from_utf8(raw).ok().filter(|text| text.is_ascii()).ok_or(ManifestError::NotText)?;
    let body = text.strip_prefix(HEADER).ok_or(ManifestError::Version)?;
    let body = body.strip_suffix('\n').ok_or(ManifestError::NotText)?;
    let mut parents: Vec<ParentChanges> = Vec::new();
    for (index, line) in body.split('\n').enumerate() {
        let malformed = ManifestError::Line { number: index + 2 };
        if let Some(parent) = line.strip_prefix(PARENT) {
            let parent = if parent == "-" { None } else { Some(Oid::parse(parent).map_err(|_| malformed)?) };
            parents.push(ParentChanges { lines: Vec::new(), parent });
        } else {
            let line = parse_line(line).ok_or_else(|| malformed.clone())?;
            parents.last_mut().ok_or(malformed)?.lines.push(line);
        }
    }
    Manifest::new(parents)
}

fn parse_line(text: &str) -> Option<Line> {
    let mut rest = text;
    let mut field = || {
        let (field, after) = rest.split_once(' ')?;
        rest = after;
        Some(field)
    };
    let (written, old_mode, new_mode, old, new, size) = (field()?, field()?, field()?, field()?, field()?, field()?);
    let optional = |mode, content| {
        let absent = (mode, content) == (NO_MODE, "-");
        if absent { Some(None) } else { parse_side(mode, content).map(Some) }
    };
    let (old, new) = (optional(old_mode, old)?, optional(new_mode, new)?);
    if written != letter(old, new) {
        return None;
    }
    let (lfs, path) = parse_lfs(rest)?;
    let new = match new {
        Some(Old::Blob { mode, sha256 }) => Some(New::Blob { bytes: canonical_number(size)?, lfs, mode, sha256 }),
        _ if size != "-" || lfs.is_some() => return None,
        Some(Old::Gitlink(oid)) => Some(New::Gitlink(oid)),
        None => None,
    };
    Some(Line { new, old, path: parse_path(path)? })
}

fn parse_side(mode: &str, content: &str) -> Option<Old> {
    match Mode::parse(mode)? {
        Mode::Gitlink => Oid::parse(content.strip_prefix("commit:")?).ok().map(Old::Gitlink),
        mode => Digest::parse(content).ok().map(|sha256| Old::Blob { mode, sha256 }),
    }
}

/// Takes the LFS part, if there is one, and leaves the path.
fn parse_lfs(text: &str) -> Option<(Option<LfsPointer>, &str)> {
    let Some(rest) = text.strip_prefix(LFS) else { return Some((None, text)) };
    let (hex, rest) = rest.split_once(' ')?;
    let (bytes, path) = rest.split_once(' ')?;
    let pointer = LfsPointer { bytes: canonical_number(bytes)?, sha256: Digest::parse_hex(hex).ok()? };
    Some((Some(pointer), path))
}

fn parse_path(text: &str) -> Option<RepoPath> {
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let plain = unquoted.filter(|text| text.starts_with(LFS)).and_then(|text| RepoPath::parse(text).ok());
    let path = plain.or_else(|| RepoPath::parse(text).ok())?;
    (print_path(&path) == text).then_some(path)
}
