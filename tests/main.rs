//! One binary for all tests that need a database, a server or the program itself.
#![expect(clippy::disallowed_methods, reason = "tests ask the database once, as text")]

mod access;
mod architecture;
mod auth;
mod bad_input;
mod chain_vector;
mod cluster;
mod crash;
mod demo;
mod failures;
mod import;
mod invariants;
mod ledger_reads;
mod members;
mod migrations;
mod openapi;
mod orders;
mod recompute;
mod sandbox;
mod support;
mod sweeper;
