//! Which refs and which paths a grant or a rule is about.
//!
//! Grants and rules read patterns in opposite directions where it matters: a grant must cover for certain, a rule
//! applies as soon as it might.

use std::fmt;

use super::glob::Glob;
use crate::name::{RefName, RepoPath};

/// The refs of a grant or rule; without patterns every branch and tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefSet(Option<Vec<Glob>>);

/// The paths of a grant or rule; without patterns every path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSet(Option<Vec<Glob>>);

/// How a ref may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefClass {
    /// A branch or tag: any pattern.
    Ordinary,
    /// Any other: only a grant that names it without wildcards.
    Literal,
    /// `refs/replace/`, `refs/for/` and `refs/mledger/` in any case: never.
    Never,
}

impl RefClass {
    /// The class of a ref.
    pub fn of(refname: &RefName) -> Self {
        Self::of_text(refname.as_str())
    }

    /// The class of a ref name that may still be a pattern.
    pub(super) fn of_text(name: &str) -> Self {
        let folded = name.to_lowercase();
        if ["refs/replace/", "refs/for/", "refs/mledger/"].iter().any(|never| folded.starts_with(never)) {
            Self::Never
        } else if name.starts_with("refs/heads/") || name.starts_with("refs/tags/") {
            Self::Ordinary
        } else {
            Self::Literal
        }
    }
}

impl RefSet {
    /// The set of these patterns; `None` for every branch and tag.
    pub fn new(globs: Option<Vec<Glob>>) -> Self {
        Self(globs)
    }

    /// The patterns, if any.
    pub fn globs(&self) -> Option<&[Glob]> {
        self.0.as_deref()
    }

    /// Whether a rule with this set looks at the ref.
    pub fn touches(&self, refname: &RefName) -> bool {
        match &self.0 {
            Some(globs) => globs.iter().any(|glob| glob.matches(refname.as_str().as_bytes())),
            None => RefClass::of(refname) == RefClass::Ordinary,
        }
    }

    /// Whether a grant with this set permits the ref.
    pub fn grants(&self, refname: &RefName) -> bool {
        match RefClass::of(refname) {
            RefClass::Ordinary => self.touches(refname),
            RefClass::Literal => self.globs().unwrap_or_default().iter().any(|glob| glob.as_str() == refname.as_str()),
            RefClass::Never => false,
        }
    }

    /// Whether the two sets may have a ref in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let apart = |globs: &[Glob]| {
            let ordinary = |glob: &Glob| RefClass::of_text(glob.as_str()) == RefClass::Ordinary;
            globs.iter().any(|glob| ordinary(glob) || !glob.is_literal())
        };
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(globs), None) | (None, Some(globs)) => apart(globs),
            (Some(left), Some(right)) => left.iter().any(|glob| right.iter().any(|other| glob.overlaps(other))),
        }
    }
}

impl PathSet {
    /// The set of these patterns; `None` for every path.
    pub fn new(globs: Option<Vec<Glob>>) -> Self {
        Self(globs)
    }

    /// The patterns, if any.
    pub fn globs(&self) -> Option<&[Glob]> {
        self.0.as_deref()
    }

    /// Whether it holds every path, as one without patterns does.
    pub fn is_every(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a grant with this set covers the path; a control file only with everything beneath its folder.
    pub fn grants(&self, path: &RepoPath) -> bool {
        let Some(globs) = &self.0 else { return true };
        match control_folder(path.as_bytes()) {
            Some(folder) => globs.iter().any(|glob| glob.covers_beneath(folder)),
            None => globs.iter().any(|glob| glob.matches(path.as_bytes())),
        }
    }

    /// Whether a rule with this set applies to the path; to a control file if anything beneath its folder might match.
    pub fn touches(&self, path: &RepoPath) -> bool {
        let Some(globs) = &self.0 else { return true };
        let bytes = path.as_bytes();
        match control_folder(bytes) {
            Some([]) => true,
            Some(folder) => globs.iter().any(|glob| glob.matches(bytes) || glob.reaches_beneath(folder)),
            None => globs.iter().any(|glob| glob.matches(bytes)),
        }
    }

    /// Whether the two sets may have a path in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, _) | (_, None) => true,
            (Some(left), Some(right)) => left.iter().any(|glob| right.iter().any(|other| glob.overlaps(other))),
        }
    }
}

/// The folder whose contents a control file governs (empty: the top); `None` for other files. In any case, since some
/// file systems fold it.
fn control_folder(path: &[u8]) -> Option<&[u8]> {
    const NAMES: [&[u8]; 3] = [b".gitattributes", b".gitmodules", b".lfsconfig"];
    // Asked for every pair of rule and path, so most names leave here.
    if !path.last().is_some_and(|last| b"sSgG".contains(last)) {
        return None;
    }
    NAMES.iter().find_map(|name| {
        let (folder, file) = path.split_at_checked(path.len().checked_sub(name.len())?)?;
        if !file.eq_ignore_ascii_case(name) {
            return None;
        }
        if folder.is_empty() { Some(folder) } else { folder.strip_suffix(b"/") }
    })
}

fn list(globs: Option<&[Glob]>, every: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(globs) = globs else { return f.write_str(every) };
    for (index, glob) in globs.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{glob}")?;
    }
    Ok(())
}

impl fmt::Display for RefSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(self.globs(), "every branch and tag", f)
    }
}

impl fmt::Display for PathSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(self.globs(), "every path", f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(globs: &[&str]) -> PathSet {
        PathSet::new(Some(globs.iter().map(|glob| Glob::parse(glob).unwrap()).collect()))
    }

    fn path(text: &str) -> RepoPath {
        RepoPath::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_control_file_is_everything_beneath_its_folder() {
        // (patterns, path, a grant covers it, a rule applies)
        for (globs, file, grants, touches) in [
            (&["**"][..], ".gitattributes", true, true),
            (&["models/**"], ".gitattributes", false, true),
            (&[".gitattributes"], ".gitattributes", false, true),
            (&["models/**"], "models/.gitattributes", true, true),
            (&["models/**"], "models/credit/.gitmodules", true, true),
            (&["models/*"], "models/.lfsconfig", false, true),
            (&["models/credit/**"], "models/.gitattributes", false, true),
            (&["models/*/**"], "models/credit/.gitattributes", true, true),
            (&["**/*.bin"], "models/.gitattributes", false, true),
            (&["configs/**"], "models/.gitattributes", false, false),
            (&["models/**"], "models/.GitAttributes", true, true),
            (&["models/*"], "models/.GITATTRIBUTES", false, true),
            (&["models/*"], "models/x.gitattributes", true, true),
            (&["models/w"], "models/.gitattributes", false, true),
            (&["models"], "models/.gitattributes", false, false),
        ] {
            assert_eq!(paths(globs).grants(&path(file)), grants, "grant of {globs:?} for {file}");
            assert_eq!(paths(globs).touches(&path(file)), touches, "rule over {globs:?} for {file}");
        }
        assert!(PathSet::default().grants(&path(".gitattributes")));
        assert!(PathSet::default().touches(&path("a")));
    }

    #[test]
    fn refs_outside_branches_and_tags_need_a_literal_grant() {
        let set = |globs: &[&str]| RefSet::new(Some(globs.iter().map(|glob| Glob::parse(glob).unwrap()).collect()));
        for (set, name, grants, touches) in [
            (RefSet::default(), "refs/heads/main", true, true),
            (RefSet::default(), "refs/tags/v1", true, true),
            (RefSet::default(), "refs/notes/commits", false, false),
            (set(&["refs/**"]), "refs/heads/main", true, true),
            (set(&["refs/**"]), "refs/notes/commits", false, true),
            (set(&["refs/notes/commits"]), "refs/notes/commits", true, true),
            (set(&["refs/notes/*"]), "refs/notes/commits", false, true),
            (set(&["refs/replace/a"]), "refs/replace/a", false, true),
            (set(&["refs/MLEDGER/log"]), "refs/MLEDGER/log", false, true),
            (set(&["refs/For/main"]), "refs/For/main", false, true),
            (set(&["refs/Heads/main"]), "refs/Heads/main", true, true),
        ] {
            let refname = RefName::parse(name).unwrap();
            assert_eq!(set.grants(&refname), grants, "grant of {set} for {name}");
            assert_eq!(set.touches(&refname), touches, "rule over {set} for {name}");
        }
    }

    #[test]
    fn sets_overlap_where_a_name_fits_both() {
        let set = |glob: &str| RefSet::new(Some(vec![Glob::parse(glob).unwrap()]));
        assert!(set("refs/heads/dev/**").overlaps(&RefSet::default()));
        assert!(!set("refs/notes/commits").overlaps(&RefSet::default()));
        assert!(!set("refs/heads/dev/**").overlaps(&set("refs/heads/main")));
        assert!(paths(&["models/**"]).overlaps(&PathSet::default()));
        assert!(!paths(&["models/**"]).overlaps(&paths(&["configs/**"])));
    }
}
