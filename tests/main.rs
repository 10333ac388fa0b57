//! One binary for all tests that need a database, a server or the program itself.

#![expect(clippy::disallowed_methods, reason = "tests look at tables as they are, and break them")]

mod auth;
mod chain_vector;
mod cluster;
mod crash;
mod failures;
mod import;
mod invariants;
mod orders;
mod recompute;
mod support;
