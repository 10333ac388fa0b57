//! The programme's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};

use super::statement::statement;
use crate::domain::time::{self, Timestamp};

/// The programme's time, in SQL: the database's, and in a sandbox so much more as its clock was moved forward.
///
/// It is never kept: whoever needs it reads it in the statement that reads what it belongs to, so that all instances
/// agree from the moment at which the clock is moved.
macro_rules! programme_time {
    () => {
        $crate::postgres::clock::programme_time!("(SELECT clock_ahead FROM ledger)")
    };
    ($ahead:literal) => {
        concat!("(clock_timestamp() + ", $ahead, " * interval '1 microsecond')")
    };
}

pub(crate) use programme_time;

/// What time it is for the programme, given the time that `programme_time` reads.
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

    /// What the clock shows now.
    pub fn look(&self, connection: &mut PgConnection) -> QueryResult<Reading> {
        let (now, ahead) = ReadClock {}.get_result(connection)?;
        Ok(self.reading(now, ahead))
    }

    /// What the clock shows when the database says `database`, `ahead` microseconds of it moved.
    pub fn reading(&self, database: DateTime<Utc>, ahead: i64) -> Reading {
        Reading { now: self.read(database), ahead: TimeDelta::microseconds(ahead) }
    }
}

/// What the clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The programme's time, in UTC.
    pub now: Timestamp,
    /// How far it had been moved ahead of real time; zero but in a sandbox.
    pub ahead: TimeDelta,
}

statement! {
    ReadClock {} -> (Timestamptz, BigInt),
    concat!("SELECT ", programme_time!(), ", clock_ahead FROM ledger")
}
