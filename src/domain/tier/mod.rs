//! Tiers: where a member stands by what it spent, how that comes about, and how long it lasts.
//!
//! The rules stand in the programme ([`crate::domain::program::tiers`]).

mod course;
mod progress;
mod review;
pub mod shown;
mod standing;
mod sums;
#[cfg(test)]
mod tests;
mod window;

pub use course::{change_rules, decide, foresee, orders_from, stand};
pub use progress::{Keep, Missing, Next, Seen, look};
pub use review::Reviewed;
pub use standing::{Assigned, Rank, Spending, Standing};
pub use sums::Counted;
pub use window::{Scene, Window};
