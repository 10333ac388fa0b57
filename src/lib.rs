//! Accrue.
pub mod domain;
pub mod http;
pub mod ledger;
pub mod postgres;
