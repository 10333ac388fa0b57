//! What the process does about itself: a log that says no more than helps.
//!
//! Knows nothing of points, and every other module but the rules may use it.

pub mod seldom;
