//! What is written: entries and their postings, their canonical bytes, and the accounts.

pub mod account;
pub mod canonical;
pub mod entry;
pub mod export;
mod kind;
pub mod misfit;
pub mod payload;
