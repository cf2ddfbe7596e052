//! The remote-tracking refs: what Git itself knows of a push.

use super::{Tracking, Update};
use crate::git::{Repository, command, reflog};
use crate::name::{Oid, RefName};

/// The fetch refspecs of a remote; none where it has none.
pub(super) fn refspecs(repository: &Repository, remote: &str) -> Vec<String> {
    let base = repository.work_dir().unwrap_or(repository.git_dir());
    let key = format!("remote.{remote}.fetch");
    let listed = command::output(command::git(base).args(["config", "--get-all", &key]));
    listed.unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The ref here that follows `refname`, as it stands before `new` is pushed there.
pub(super) fn before(repository: &Repository, specs: &[String], refname: &RefName, new: &Oid) -> Option<Tracking> {
    let name = specs.iter().find_map(|spec| mapped(spec, refname.as_str()))?;
    let name = RefName::parse(&name).ok()?;
    let stood = repository.tip(&name).ok()? == Some(*new);
    let pushes = reflog::pushes_to(repository.git_dir(), &name, new);
    Some(Tracking { name, pushes, stood })
}

/// Whether the server has the ref at its new tip since, as far as Git knows: it was pushed or fetched there. That a ref
/// was deleted nobody can see here: every prune removes remote-tracking refs.
pub(super) fn is_taken(repository: &Repository, update: &Update) -> bool {
    let (Some(tracking), Some(new)) = (&update.tracking, &update.new) else { return false };
    let stands = !tracking.stood && repository.tip(&tracking.name).is_ok_and(|tip| tip == Some(*new));
    stands || reflog::pushes_to(repository.git_dir(), &tracking.name, new) > tracking.pushes
}

/// Where a fetch refspec puts a ref.
fn mapped(spec: &str, refname: &str) -> Option<String> {
    let (from, to) = spec.strip_prefix('+').unwrap_or(spec).split_once(':')?;
    match (from.split_once('*'), to.split_once('*')) {
        (Some((before, after)), Some((head, tail))) => {
            let name = refname.strip_prefix(before)?.strip_suffix(after)?;
            Some(format!("{head}{name}{tail}"))
        }
        (None, None) => (from == refname).then(|| to.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs_say_what_follows_what() {
        let usual = "+refs/heads/*:refs/remotes/origin/*";
        for (spec, refname, expected) in [
            (usual, "refs/heads/dev/a", Some("refs/remotes/origin/dev/a")),
            (usual, "refs/tags/v1", None),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/main", Some("refs/remotes/o/main")),
            ("refs/heads/main:refs/remotes/o/main", "refs/heads/main2", None),
            ("refs/heads/*-x:refs/x/*/y", "refs/heads/a-x", Some("refs/x/a/y")),
            ("^refs/heads/main", "refs/heads/main", None),
            ("refs/heads/*:refs/heads/one", "refs/heads/main", None),
            (":", "", Some("")),
        ] {
            assert_eq!(mapped(spec, refname).as_deref(), expected, "{spec} {refname}");
        }
    }
}
