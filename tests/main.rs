//! One binary for all tests that need a database, a server or the program itself.
#![expect(clippy::disallowed_methods, reason = "tests ask the database once, as text")]

mod access;
mod adjustments;
mod architecture;
mod auth;
mod bad_input;
mod chain_vector;
mod cluster;
mod connections;
mod crash;
mod demo;
mod donations;
mod failures;
mod headers;
mod import;
mod invariants;
mod ledger_reads;
mod limits;
mod machine;
mod members;
mod memberships;
mod migrations;
mod openapi;
mod orders;
mod recompute;
mod redemptions;
mod refunds;
mod rewards;
mod sandbox;
mod support;
mod sweeper;
mod transfers;
mod wallet;
