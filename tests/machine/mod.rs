//! A property machine: random worlds, played to the ledger and to a naive model that says beforehand what must come out.
//!
//! The model alone resolves what a step means, so a world becomes a plan, a list of requests with what each must be
//! answered, before anything is decided. The plan is then played in memory and through Postgres alike.

mod model;
mod plan;
pub mod quotes;
mod rules;
mod steps;

pub use self::model::{Expected, Wallet};
pub use self::plan::{Planned, plan};
pub use self::rules::{BEGINNING, CHANGE};
pub use self::steps::{Pace, World, worlds};

/// How many worlds to try: as many as `PROPTEST_CASES` says, or `usual`.
pub fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}
