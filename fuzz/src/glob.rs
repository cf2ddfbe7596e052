//! Patterns, against their meaning written down as plainly as it can be.

#[path = "../../src/policy/glob/plainly.rs"]
mod plainly;

use mledger::name::{RefName, RepoPath};
use mledger::policy::glob::Glob;
use mledger::policy::pattern::{PathSet, RefSet};

/// The plain meaning takes exponential time.
const BYTES_MAX: usize = 48;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(pattern), Some(name)) = (lines.next(), lines.next()) else { return };
    let Ok(glob) = Glob::parse(pattern) else { return };
    assert_eq!(glob.as_str(), pattern);
    assert_eq!(glob.is_literal(), !pattern.contains(['*', '?']));
    let matches = glob.matches(name.as_bytes());
    assert!(!glob.is_literal() || matches == (pattern == name));
    if pattern.len() <= BYTES_MAX && name.len() <= BYTES_MAX {
        let (segments, parts): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), name.split('/').collect());
        assert_eq!(matches, plainly::matches(&segments, &parts), "{pattern:?} and {name:?}");
    }
    assert!(glob.overlaps(&glob));
    if let Ok(other) = Glob::parse(lines.next().unwrap_or("**")) {
        assert_eq!(glob.overlaps(&other), other.overlaps(&glob));
        assert!(!(matches && other.matches(name.as_bytes())) || glob.overlaps(&other));
    }
    folders(&glob, name, matches);
    sets(&glob, name, matches);
}

/// What covers a folder matches all beneath it; what matches beneath it, reaches it.
fn folders(glob: &Glob, name: &str, matches: bool) {
    let cuts = name.match_indices('/').map(|(at, _)| &name[..at]).chain([""]);
    for folder in cuts.filter(|folder| !folder.ends_with('/') && !folder.starts_with('/')) {
        assert!(matches || !glob.covers_beneath(folder.as_bytes()) || name.contains("//"), "{glob} covers {folder:?}");
        assert!(!matches || glob.reaches_beneath(folder.as_bytes()), "{glob} reaches {folder:?}");
    }
}

/// A grant never covers more than a rule would look at.
fn sets(glob: &Glob, name: &str, matches: bool) {
    if let Ok(path) = RepoPath::from_bytes(name.as_bytes()) {
        let set = PathSet::new(Some(vec![glob.clone()]));
        assert!(!set.grants(&path) || set.touches(&path));
        assert!(!matches || set.touches(&path));
    }
    if let Ok(refname) = RefName::parse(name) {
        let set = RefSet::new(Some(vec![glob.clone()]));
        assert!(!set.grants(&refname) || set.touches(&refname));
        assert_eq!(set.touches(&refname), matches);
        let lower = name.to_lowercase();
        let never = ["refs/mledger/", "refs/replace/", "refs/for/"].iter().any(|never| lower.starts_with(never));
        assert!(!never || !set.grants(&refname));
    }
}
