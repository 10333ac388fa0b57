//! What the process does about itself: a log that holds nobody up, and threads that come back.
//!
//! Knows nothing of points, and every other module but the rules may use it.

pub mod log;
pub mod seldom;
pub mod threads;
