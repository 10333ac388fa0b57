//! Jobs: what runs in every service without being asked for.
//!
//! None is needed for correctness (invariant 9). They only write down what settling already knows, so that statements
//! and the export have it without the member's next command; several instances may run them at once.

mod review;
mod sweeper;

pub use self::review::review_once;
pub use self::sweeper::{SweepError, Sweeper, Swept, sweep_alone, sweep_once};
