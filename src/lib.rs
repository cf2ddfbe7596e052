//! A signed, verifiable ledger under Git repositories of models and configuration: who changed this model, were they
//! allowed to, and can you prove it?
//!
//! # Bird's-eye view
//!
//! ```text
//! engineer's clone                           server: bare repository                       anyone
//! git commit                                 git receive-pack (objects in quarantine)
//!   hook::prepare_commit_msg: trailers         hook::pre_receive = the gate
//!   hook::commit_msg: are its words sound?
//!   git signs the commit (SSHSIG)    ──push─▶    gather   git → evidence → facts    (no lock)
//!   hook::post_commit: one line                  decide   policy::decide, pure      (lock)
//! git push (signed when asked)                   append   ledger::append, fsynced   (lock)
//!   hook::pre_push: is the ledger still          answer   refusal or receipt        (no lock)
//!   the one this clone has seen? note the      git moves the refs
//!   push, foretell the answer                  hook::post_receive: settle what landed    ledger::verify
//! ```
//!
//! The actor's signature is Git's own commit signature. `Mledger-Manifest`, a trailer of the commit message, binds the
//! SHA-256 of every changed file into it; `Mledger-Log` binds the newest checkpoint that the author saw, so that every
//! engineer is a witness of the ledger. The ledger is a C2SP tlog-tiles log in `refs/mledger/log`. Its leaves hold raw
//! commit objects, manifests, certificates, policies and decisions, so that the ref alone verifies.
//!
//! # Code map
//!
//! Modules in reading order; a module imports only from those above it.
//!
//! | floor | room | holds |
//! |---|---|---|
//! | words | [`clock`], [`digest`], [`name`] | time, digests, names: parsed once, trusted below |
//! | law | [`history`] | which commits reach which, exactly, never by commit dates |
//! | | [`identity`] | keys, SSHSIG, what a signature must be to count |
//! | | [`object`] | Git's commits, trees, tags, messages, push certificates, read strictly from raw bytes |
//! | | [`tlog`] | trees, proofs, tiles, notes, checkpoints, by C2SP |
//! | | [`model`] | the manifest: what a commit changes, by SHA-256 |
//! | | [`policy`] | TOML to policy; `decide(policy, facts)` to decision |
//! | | [`entry`] | leaves and statements in their canonical bytes |
//! | | [`evidence`] | from a commit's bytes and manifest to the facts about it |
//! | | [`consent`] | whether an admin's statement counts |
//! | ground | [`git`] | a repository as plain data; the only user of `git2` |
//! | | [`ledger`] | store, append, read, follow, replay, verify |
//! | | [`index`] | what the gate must know at once, in SQLite, rebuilt from the ledger |
//! | | [`query`] | which entries a person asks for, in an SQLite file of its own |
//! | offices | [`hook`] | what happens at each of Git's moments, how hooks get there, what people ask in between |
//!
//! The binary in `src/bin/mledger` is the porch: arguments, terminal, exit codes. The library never prints.
//!
//! # Invariants
//!
//! - **The law is pure.** Words and law do no I/O and read no clock and no environment ([`clock`] alone reads the
//!   time). So a decision is a function of policy and facts, and `verify` makes it again.
//! - **One path from bytes to facts.** The gate takes the manifest from the repository and `verify` takes it from the
//!   leaf; from there both go through [`evidence`] and [`mod@policy::decide`].
//! - **Write-ahead.** The gate answers only after [`ledger::append`] has fsynced the entry and read it back; the steps
//!   and what holds after a crash at each of them stand in [`ledger`].
//! - **Errors deny.** In the gate every error becomes a denial; it is recorded whenever the ledger can be written.
//! - **Known means recorded.** A commit is known if a leaf or the genesis baseline holds it, never because its object
//!   happens to lie in the store.
//! - **Caches prove themselves.** `mledger/hashes` counts only if it yields the signed root; the index only if it is of
//!   that root. Both are made anew from the ledger otherwise. The index for questions ([`query`]) can hide entries from
//!   a question, never invent any, and nothing that decides or verifies asks it.
//! - **Every foreign byte has a limit**, a named constant that says why it is what it is.
//!
//! # What is signed, derived, asserted
//!
//! *Signed* by an actor: the commit with its trailers, the push certificate, a statement. *Derived* from leaves by
//! anyone: which commits enter a ref, the paths they change, the move, the decision. *Asserted* by the server, and
//! recomputable only with the repository at hand: logins, the nonce of a push certificate, the paths a merge changes by
//! itself (`own`), touched paths that no leaf shows (`extra`), names that collide (`collision`), manifests that no
//! trailer binds, whether an authorised push landed, and how many denials were only counted. `mledger verify --objects`
//! computes manifests, `own` and `extra` again ([`ledger::objects`]).
//!
//! A commit that nobody enrolled has signed gets an entry in two ways only, and says so: an admin's statement vouches
//! for it (`vouched-by`), and it is judged as that admin's; or the policy merely observes, and the push says
//! `tolerated`.

pub mod clock;
pub mod digest;
pub mod name;

pub mod history;
pub mod identity;
pub mod object;
pub mod tlog;

pub mod model;
pub mod policy;

pub mod entry;
pub mod evidence;

pub mod consent;

pub mod git;
pub mod ledger;

pub mod index;
pub mod query;

pub mod hook;
