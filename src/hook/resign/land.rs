//! Moving refs to what was made, all at once or not at all.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use super::ResignError;
use super::plan::Plan;
use super::remake::{Made, output_of};
use crate::git::command;
use crate::name::Oid;

/// A branch or tag beside HEAD's that points to a commit that was made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// The full name.
    pub name: String,
    /// Where it pointed, and points still unless it was moved.
    pub old: Oid,
    /// The commit that takes the place of that one.
    pub new: Oid,
    /// Whether a tag object stands between them, which its author signed.
    pub is_annotated: bool,
    /// Whether it was moved.
    pub moved: bool,
    /// The other work tree that has it checked out.
    pub work_tree: Option<String>,
}

impl Ref {
    /// A branch that another work tree has checked out is that one's affair, and a signed tag its signer's.
    fn is_free(&self) -> bool {
        !self.is_annotated && self.work_tree.is_none()
    }
}

/// Moves HEAD's branch in the clone in `dir`, and with `update_refs` the other branches and plain tags that point into
/// what was made anew. `ORIG_HEAD` keeps where HEAD stood.
pub fn land(dir: &Path, plan: &Plan, made: &Made, update_refs: bool) -> Result<Vec<Ref>, ResignError> {
    let anew: HashMap<Oid, Oid> = made.commits.iter().copied().collect();
    let (Some(old), Some(new)) = (plan.head, plan.head.and_then(|head| anew.get(&head))) else { return Ok(Vec::new()) };
    let mut refs = others(dir, plan, &anew)?;
    // By its name: another branch may be checked out meanwhile, and stand at the same commit.
    let head = plan.branch.as_deref().unwrap_or("HEAD");
    let mut input = format!("start\nupdate {head} {new} {old}\nupdate ORIG_HEAD {old}\n");
    for entry in refs.iter_mut().filter(|entry| update_refs && entry.is_free()) {
        let _ = writeln!(input, "update {} {} {}", entry.name, entry.new, entry.old);
        entry.moved = true;
    }
    input.push_str("prepare\ncommit\n");
    let why = format!("mledger resign: {}", made.commits.len());
    let mut update = command::git_in_hook(dir);
    update.args(["update-ref", "-m", &why, "--stdin"]);
    output_of(&mut update, input.as_bytes()).map_err(ResignError::Land)?;
    copy_notes(dir, made);
    Ok(refs)
}

/// The other refs that point into what was made anew.
fn others(dir: &Path, plan: &Plan, anew: &HashMap<Oid, Oid>) -> Result<Vec<Ref>, ResignError> {
    const FORMAT: &str = "--format=%(refname) %(objectname) %(*objectname) %(worktreepath)";
    let listed = command::output(command::git_in_hook(dir).args(["for-each-ref", FORMAT, "refs/heads", "refs/tags"]))?;
    let mut refs = Vec::new();
    for line in listed.lines() {
        let mut fields = line.splitn(4, ' ');
        let (Some(name), Some(object), Some(peeled)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let is_annotated = !peeled.is_empty();
        // A tag may name anything.
        let Ok(old) = Oid::parse(if is_annotated { peeled } else { object }) else { continue };
        let work_tree = fields.next().filter(|path| !path.is_empty()).map(str::to_owned);
        if let Some(new) = anew.get(&old).filter(|_| plan.branch.as_deref() != Some(name)) {
            refs.push(Ref { name: name.to_owned(), old, new: *new, is_annotated, moved: false, work_tree });
        }
    }
    Ok(refs)
}

/// Takes `git notes` along where the person has Git do so in a rebase.
fn copy_notes(dir: &Path, made: &Made) {
    let pairs: String = made.commits.iter().map(|(old, new)| format!("{old} {new}\n")).collect();
    let mut copy = command::git_in_hook(dir);
    copy.args(["notes", "copy", "--for-rewrite=rebase"]);
    // The commits have landed; a note that was not copied is still at the old one.
    let _ = output_of(&mut copy, pairs.as_bytes());
}
