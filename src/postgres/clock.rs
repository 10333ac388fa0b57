//! The programme's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

use crate::domain::time::{self, Timestamp};

/// What time it is for the programme, given the database's `clock_timestamp()`.
///
/// The database's clock is the one clock that all instances share; no decision looks at the clock of the machine
/// it runs on.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    stopped_at: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The database's time as it is.
    pub fn database() -> Self {
        Self::default()
    }

    /// A clock that stands at `at` until it is set to another time. Clones show the same time.
    pub fn stopped_at(at: Timestamp) -> Self {
        Self { stopped_at: Some(Arc::new(AtomicI64::new(at.timestamp_micros()))) }
    }

    /// Moves a stopped clock; a running one has no hands to move and stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Some(hands) = &self.stopped_at {
            hands.store(at.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// The programme's time when the database's clock shows `database`.
    pub fn read(&self, database: DateTime<Utc>) -> Timestamp {
        let stopped = self.stopped_at.as_ref().map(|hands| hands.load(Ordering::SeqCst));
        time::truncate(stopped.and_then(DateTime::from_timestamp_micros).unwrap_or(database))
    }
}
