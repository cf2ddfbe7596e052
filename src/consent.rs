//! Whether an admin's statement counts: the same check in the gate and in `verify`.
//!
//! A policy change needs the threshold of admins. To vouch for commits, or to take refs as they stand, one admin is
//! enough: a vouched commit is judged as if the admin had signed it, so nobody gets more than that admin may commit.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::digest::{Digest, sha256};
use crate::entry::statement::{
    Envelope, ImportStatement, NAMESPACE, PolicyStatement, ReconcileStatement, Statement, StatementError, parse_commits,
};
use crate::identity::sshsig::{self, SshSigError};
use crate::name::{ActorId, Oid, Origin};
use crate::policy::Policy;
use crate::policy::actor::KeyProblem;
use crate::policy::change::{self, ChangeError, Owners};
use crate::policy::document::PolicyError;

/// Why a statement does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// Its form.
    #[error(transparent)]
    Form(#[from] StatementError),
    /// Its signature.
    #[error("the statement's signature does not count: {0}")]
    Signature(#[from] SshSigError),
    /// Its key.
    #[error("the key that signed the statement does not count: {0}")]
    Key(#[from] KeyProblem),
    /// Signed by another than it names.
    #[error("the statement names {named}, but {signer} signed it")]
    Actor {
        /// By the statement.
        named: ActorId,
        /// By the key.
        signer: ActorId,
    },
    /// For another ledger.
    #[error("the statement is meant for the ledger {0}")]
    Origin(Origin),
    /// It had its effect already: it is public, and must not be sent once more by anybody.
    #[error("the statement was used before")]
    Used,
    /// Too late.
    #[error("the statement expired at {0}")]
    Expired(Timestamp),
    /// Made against another policy.
    #[error("the statement replaces policy {named}, but {in_force} is in force; state it again")]
    Previous {
        /// By the statement.
        named: Digest,
        /// By the ledger.
        in_force: Digest,
    },
    /// By somebody who may not.
    #[error("{0} is no admin of the policy in force")]
    NotAdmin(ActorId),
    /// Too few admins.
    #[error(transparent)]
    Threshold(#[from] ChangeError),
    /// A policy with mistakes.
    #[error("the new policy has mistakes: {}", list(.0))]
    Policy(Vec<PolicyError>),
    /// A key or login that changes hands.
    #[error("the new policy gives away what belongs to others: {}", list(.0))]
    Owners(Vec<ChangeError>),
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a statement is judged by.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// The ledger's name.
    pub origin: &'a Origin,
    /// Who ever held which key and login.
    pub owners: &'a Owners,
    /// Ledger time.
    pub time: Timestamp,
    /// SHA-256 of the statements that took effect so far.
    pub used: &'a BTreeSet<Digest>,
}

/// A statement that counts.
pub struct Stated {
    /// SHA-256 of the statement's bytes.
    pub digest: Digest,
    /// What it wants.
    pub wish: Wish,
}

/// What a statement wants.
pub enum Wish {
    /// Another policy.
    Policy(Box<Change>),
    /// That commits be vouched for.
    Import(ImportStatement, Vec<Oid>),
    /// That refs stay where they stand.
    Reconcile(ReconcileStatement),
}

impl Wish {
    /// Whose it is.
    pub fn actor(&self) -> &ActorId {
        match self {
            Self::Policy(change) => &change.statement.actor,
            Self::Import(statement, _) => &statement.actor,
            Self::Reconcile(statement) => &statement.actor,
        }
    }
}

/// A policy change that counts.
pub struct Change {
    /// What was stated.
    pub statement: PolicyStatement,
    /// The new policy.
    pub policy: Policy,
    /// Its text.
    pub text: String,
    /// Who held which key and login, the new policy included.
    pub owners: Owners,
}

/// Checks the envelope of a statement.
pub fn check(known: &Known<'_>, envelope: &[u8]) -> Result<Stated, ConsentError> {
    let (envelope, statement) = Envelope::parse(envelope)?;
    let key = sshsig::verify(envelope.signature.as_bytes(), NAMESPACE, envelope.statement.as_bytes())?;
    let signer = &known.policy.actor_of_key(key.id(), known.time)?.id;
    if signer != statement.actor() {
        return Err(ConsentError::Actor { named: statement.actor().clone(), signer: signer.clone() });
    }
    let digest = sha256(envelope.statement.as_bytes());
    if known.used.contains(&digest) {
        return Err(ConsentError::Used);
    }
    if statement.origin() != known.origin {
        return Err(ConsentError::Origin(statement.origin().clone()));
    }
    if statement.expires() <= known.time {
        return Err(ConsentError::Expired(statement.expires()));
    }
    if !known.policy.admin().actors.contains(signer) {
        return Err(ConsentError::NotAdmin(signer.clone()));
    }
    let wish = match statement {
        Statement::Policy(statement) => {
            Wish::Policy(Box::new(check_policy(known, signer, statement, envelope.attachment)?))
        }
        Statement::Import(statement) => Wish::Import(statement, parse_commits(&envelope.attachment)?),
        Statement::Reconcile(statement) => Wish::Reconcile(statement),
    };
    Ok(Stated { digest, wish })
}

fn check_policy(
    known: &Known<'_>,
    signer: &ActorId,
    statement: PolicyStatement,
    text: String,
) -> Result<Change, ConsentError> {
    if statement.previous != known.digest {
        return Err(ConsentError::Previous { named: statement.previous, in_force: known.digest });
    }
    change::admin_may(known.policy, std::slice::from_ref(signer))?;
    let policy = Policy::parse(&text).map_err(ConsentError::Policy)?;
    let mut owners = known.owners.clone();
    owners.merge(&policy).map_err(ConsentError::Owners)?;
    Ok(Change { statement, policy, text, owners })
}
