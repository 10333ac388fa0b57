//! One binary for all tests that need a database, a server or the program itself.

mod architecture;
mod auth;
mod cluster;
mod orders;
mod support;
