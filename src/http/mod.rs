//! The HTTP interface: parse at the edge, a table of calls, a file per resource.
//!
//! Imports go one way, and a test holds it:
//!
//! ```text
//! server ─▶ observe, routes ─▶ access, document ─▶ table ─▶ resources ─▶ service, input, answer ─▶ call, problem ─▶ code
//! ```
//!
//! A resource has its calls in a constant `CALLS`, beside their handlers. The [`table`] is all of them together: routes,
//! access, `Allow`, the document and the tests follow from it. A new call is a row and its handler; a new resource is its
//! file, and a line in [`table::RESOURCES`].

pub mod access;
mod adjustments;
mod answer;
pub mod auth;
pub mod call;
pub mod caller;
mod causes;
pub mod code;
mod connections;
mod document;
mod donations;
mod exports;
mod headers;
pub mod input;
mod ledger;
mod limits;
mod lots;
mod members;
mod memberships;
mod observe;
mod operations;
mod orders;
mod page;
pub mod problem;
mod programs;
mod quotes;
mod redemptions;
mod refunds;
mod rewards;
mod routes;
mod sandbox;
mod server;
mod service;
pub mod spans;
mod statements;
pub mod strict_json;
pub mod table;
mod tiers;
mod transfers;
mod unparsed;

pub use self::connections::Bounds;
pub use self::document::{document, document_yaml, program_schema};
pub use self::limits::LimitsConfig;
pub use self::server::{Running, ServerConfig, start};
pub use self::service::{Service, ServiceConfig};
