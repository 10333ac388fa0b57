//! HTTP.
pub mod auth;
