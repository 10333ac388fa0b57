//! One binary for all tests that need a database, a server or the program itself.

mod auth;
mod cluster;
mod orders;
mod support;
