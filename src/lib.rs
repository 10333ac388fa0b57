//! Accrue.
pub mod cli;
pub mod domain;
pub mod http;
pub mod ledger;
pub mod postgres;
pub mod read;
