//! What the policy means for one actor, in words and as data.

mod question;

use std::fmt;

use serde::Serialize;

use super::actor::{Actor, Kind};
use super::document::Policy;
use super::role::{Action, Grant};
use super::rule::Rule;
use crate::clock::Timestamp;
use crate::identity::key::KeyId;
use crate::name::ActorId;

pub use self::question::{Answer, explain_question};

/// Everything that the policy says of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The actor.
    pub actor: ActorId,
    /// Whether the actor may sign policy changes.
    pub admin: bool,
    /// The keys and when they count.
    pub keys: Vec<KeyValidity>,
    /// What the actor is.
    pub kind: Kind,
    /// The logins.
    pub logins: Vec<String>,
    /// The name for people.
    pub name: Option<String>,
    /// The roles, inherited ones included.
    pub roles: Vec<RoleHeld>,
    /// The rules that apply to something that the actor may push.
    pub rules: Vec<RuleApplied>,
    /// When the actor ceases to be one.
    pub until: Option<Timestamp>,
}

/// A key and when it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyValidity {
    /// The first moment at which it counts.
    pub from: Option<Timestamp>,
    /// The fingerprint.
    pub key: KeyId,
    /// The first moment at which it is revoked.
    pub revoked: Option<Timestamp>,
    /// The first moment at which it counts no more.
    pub until: Option<Timestamp>,
}

/// A role and what it grants by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoleHeld {
    /// Its grants.
    pub grants: Vec<GrantHeld>,
    /// Its name.
    pub role: String,
    /// The roles that lead to it by inheritance, the actor's own first; empty where it is the actor's own.
    pub via: Vec<String>,
}

/// One grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GrantHeld {
    /// What is permitted.
    pub actions: Vec<Action>,
    /// Whether links are, too.
    pub links: bool,
    /// At which paths; none for all.
    pub paths: Option<Vec<String>>,
    /// On which refs; none for every branch and tag.
    pub refs: Option<Vec<String>>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleApplied {
    /// What it demands, for people.
    pub demands: Vec<String>,
    /// At which paths; none for all.
    pub paths: Option<Vec<String>>,
    /// On which refs; none for every branch and tag.
    pub refs: Option<Vec<String>>,
    /// Its name.
    pub rule: String,
}

/// Explains an actor; `None` where the policy has no such one.
pub fn explain(policy: &Policy, actor: &ActorId) -> Option<Explanation> {
    let actor = policy.actor(actor)?;
    let validity = |key: &super::actor::Key| KeyValidity {
        from: key.from,
        key: key.public.id().clone(),
        revoked: key.revoked,
        until: key.until,
    };
    Some(Explanation {
        actor: actor.id.clone(),
        admin: policy.admin().actors.contains(&actor.id),
        keys: actor.keys.iter().map(validity).collect(),
        kind: actor.kind,
        logins: actor.logins.iter().map(ToString::to_string).collect(),
        name: actor.name.clone(),
        roles: roles(policy, actor),
        rules: rules(policy, actor),
        until: actor.until,
    })
}

fn roles(policy: &Policy, actor: &Actor) -> Vec<RoleHeld> {
    let held = policy.roles_of(actor);
    let via = |mut place: Option<usize>| {
        let mut chain = vec![];
        while let Some(above) = place.and_then(|place| held.get(place)) {
            chain.push(above.role.name.clone());
            place = above.via;
        }
        chain.reverse();
        chain
    };
    let role = |held: &super::role::HeldRole<'_>| RoleHeld {
        grants: held.role.allow.iter().map(grant).collect(),
        role: held.role.name.clone(),
        via: via(held.via),
    };
    held.iter().map(role).collect()
}

fn grant(grant: &Grant) -> GrantHeld {
    GrantHeld {
        actions: grant.actions.iter().copied().collect(),
        links: grant.links,
        paths: texts(grant.paths.globs()),
        refs: texts(grant.refs.globs()),
    }
}

fn texts(globs: Option<&[super::glob::Glob]>) -> Option<Vec<String>> {
    globs.map(|globs| globs.iter().map(ToString::to_string).collect())
}

/// A rule applies where it shares a ref and a path with a grant to move refs.
fn rules(policy: &Policy, actor: &Actor) -> Vec<RuleApplied> {
    const MOVES: [Action; 4] = [Action::Create, Action::Update, Action::Rewrite, Action::Delete];
    let mut grants = policy.grants_of(actor);
    grants.retain(|held| MOVES.iter().any(|action| held.grant.actions.contains(action)));
    let looks = |rule: &&Rule| {
        let meets = |grant: &Grant| grant.refs.overlaps(&rule.refs) && grant.paths.overlaps(&rule.paths);
        grants.iter().any(|held| meets(held.grant))
    };
    let applied = |rule: &Rule| RuleApplied {
        demands: demands(rule),
        paths: texts(rule.paths.globs()),
        refs: texts(rule.refs.globs()),
        rule: rule.name.clone(),
    };
    policy.rules().iter().filter(looks).map(applied).collect()
}

fn demands(rule: &Rule) -> Vec<String> {
    let approvals = rule.approvals.as_ref().map(|approvals| {
        let independent = if approvals.independent { "independent " } else { "" };
        format!("{} {independent}approvals of {}", approvals.count, approvals.roles.join(", "))
    });
    let trailers = (!rule.trailers.is_empty()).then(|| format!("trailers {}", rule.trailers.join(", ")));
    let signed = rule.signed_push.then(|| "a signed push".to_owned());
    let manifest = rule.manifest.then(|| "a manifest in each commit".to_owned());
    let log = rule.log.then(|| "a checkpoint of this ledger in each commit".to_owned());
    [approvals, trailers, signed, manifest, log].into_iter().flatten().collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let until = self.until.map(|until| format!(", until {until}")).unwrap_or_default();
        let admin = if self.admin { ", admin" } else { "" };
        writeln!(f, "{}{name}: {}{admin}{until}", self.actor, self.kind)?;
        for login in &self.logins {
            writeln!(f, "  login {login}")?;
        }
        for key in &self.keys {
            writeln!(f, "  key {key}")?;
        }
        for role in &self.roles {
            write!(f, "{role}")?;
        }
        if self.roles.is_empty() {
            writeln!(f, "  no role: may do nothing")?;
        }
        for rule in &self.rules {
            writeln!(f, "  rule `{}`: {}", rule.rule, rule.demands.join("; "))?;
            writeln!(
                f,
                "    on {} at {}",
                every(rule.refs.as_ref(), "branch and tag"),
                every(rule.paths.as_ref(), "path")
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for KeyValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        for (word, moment) in [("from", self.from), ("until", self.until), ("revoked", self.revoked)] {
            if let Some(moment) = moment {
                write!(f, ", {word} {moment}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RoleHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let via = if self.via.is_empty() { String::new() } else { format!(", inherited by {}", self.via.join(" > ")) };
        writeln!(f, "  role {}{via}", self.role)?;
        for grant in &self.grants {
            let actions: Vec<_> = grant.actions.iter().map(|action| action.as_str()).collect();
            let (refs, paths) = (every(grant.refs.as_ref(), "branch and tag"), every(grant.paths.as_ref(), "path"));
            let links = if grant.links { ", links too" } else { "" };
            writeln!(f, "    {} on {refs} at {paths}{links}", actions.join(", "))?;
        }
        Ok(())
    }
}

fn every(patterns: Option<&Vec<String>>, what: &str) -> String {
    patterns.map_or_else(|| format!("every {what}"), |patterns| patterns.join(", "))
}

#[cfg(test)]
mod tests;
