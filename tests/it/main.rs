//! Everything from the outside: the built binary, real Git, real keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

mod assertions;
mod attack;
mod bad_input;
mod bank;
mod baseline;
mod big;
mod bomb;
mod check;
mod client;
mod collision;
mod crash;
mod demo;
mod doctor;
mod durable;
mod earlier;
mod flips;
mod flood;
mod forks;
mod formats;
mod frontend;
mod fuzz;
mod gate;
mod intent;
mod keychain;
mod keys;
mod lies;
mod moves;
mod newcomer;
mod objects;
mod observe;
mod push;
mod race;
mod reading;
mod readme;
mod restore;
mod server;
mod settle;
mod stampede;
mod statements;
mod status;
mod tags;
mod tamper;
mod terminal;
mod verify;
mod wire;
mod world;
