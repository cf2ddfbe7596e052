//! What must hold of every parser of foreign bytes, whatever the bytes are: one file per target.
//!
//! `fuzz_targets/` gives each to libFuzzer; `tests/it/fuzz.rs` replays all inputs that are kept, in every test run.

mod armour;

/// Makes the modules, and the list of targets by name.
macro_rules! targets {
    ($($name:ident)*) => {
        $(pub mod $name;)*

        /// Every target: its name, and what takes its input.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::check)),*];
    };
}

targets! {
    certificate
    checkpoint
    commands
    commit
    decide
    glob
    intent
    leaf
    ledger_commit
    manifest
    message
    name
    note
    policy
    private_key
    proof
    public_key
    pusher
    sent
    signature
    sshsig
    statement
    tag
    tally
    tiles
    tree
    tree_proof
}
