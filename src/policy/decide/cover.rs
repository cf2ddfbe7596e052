//! What one actor may do by one action on one ref.

use std::collections::HashMap;

use crate::name::{RefName, RepoPath};
use crate::policy::actor::Actor;
use crate::policy::document::Policy;
use crate::policy::role::{Action, Held};

/// The grants of an actor that have the action and the ref. Answers per path are kept: a push touches the same paths
/// over and over.
pub(super) struct Cover<'a> {
    answers: HashMap<(&'a RepoPath, bool), Option<&'a str>>,
    held: Vec<Held<'a>>,
}

impl<'a> Cover<'a> {
    pub fn new(policy: &'a Policy, actor: &'a Actor, action: Action, refname: &RefName) -> Self {
        let mut held = policy.grants_of(actor);
        held.retain(|Held { grant, .. }| grant.actions.contains(&action) && grant.refs.grants(refname));
        Self { answers: HashMap::new(), held }
    }

    /// The role of the first grant, whatever its paths.
    pub fn anywhere(&self) -> Option<&'a str> {
        self.held.first().map(|held| held.role.name.as_str())
    }

    /// The role of the first grant that covers the path.
    pub fn path(&mut self, path: &'a RepoPath) -> Option<&'a str> {
        self.answer(path, false)
    }

    /// The role of the first grant that covers the path and permits links.
    pub fn link(&mut self, path: &'a RepoPath) -> Option<&'a str> {
        self.answer(path, true)
    }

    fn answer(&mut self, path: &'a RepoPath, link: bool) -> Option<&'a str> {
        let held = &self.held;
        *self.answers.entry((path, link)).or_insert_with(|| {
            let covers = |held: &&Held<'_>| (held.grant.links || !link) && held.grant.paths.grants(path);
            held.iter().find(covers).map(|held| held.role.name.as_str())
        })
    }
}
