//! The clock of a sandbox: where it may be moved.

use chrono_tz::Tz;

use crate::domain::time::{self, Period, Timestamp};

/// The first instant that the clock cannot be moved past: 9000-01-01T00:00:00Z. What is earned then still has its
/// periods, of a hundred years at most, before the last instant that the service knows.
pub const LATEST: Timestamp = match Timestamp::from_timestamp_secs(221_845_392_000) {
    Some(latest) => latest,
    None => panic!("evaluated at compile time, with a constant that chrono can hold"),
};

/// Where the clock is to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMove {
    /// So far ahead, counted in the programme's zone.
    Advance(Period),
    /// To this instant.
    To(Timestamp),
}

impl ClockMove {
    /// The instant at which the clock is to stand, if it stands at `now`.
    ///
    /// Errors: it would go backwards, or past [`LATEST`].
    pub fn target(self, now: Timestamp, zone: Tz) -> Result<Timestamp, ClockRefusal> {
        let target = match self {
            ClockMove::Advance(period) => period.after(now, zone),
            ClockMove::To(instant) => instant,
        };
        if target < now {
            return Err(ClockRefusal::Backwards { now });
        }
        if target > LATEST { Err(ClockRefusal::TooFar) } else { Ok(target) }
    }
}

/// Why the clock is not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockRefusal {
    /// What was decided at a time cannot have been decided after it.
    #[error("the clock shows {} already, and goes forward only", time::canonical(*.now))]
    Backwards {
        /// What it shows.
        now: Timestamp,
    },
    /// Past [`LATEST`].
    #[error("the clock goes to {} at most", time::canonical(LATEST))]
    TooFar,
}
