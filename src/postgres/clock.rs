//! The programme's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

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

/// The present of a journal, in SQL: the programme's time, and never before the journal's last entry, which was written at
/// `$recorded_at`. An entry that lies further ahead than [`TOLERANCE`] does not count: see [`Clock::present`].
macro_rules! programme_present {
    ($recorded_at:literal) => {
        concat!(
            "GREATEST(",
            $crate::postgres::clock::programme_time!(),
            ", CASE WHEN ",
            $recorded_at,
            " <= ",
            $crate::postgres::clock::programme_time!(),
            " + interval '1 minute' THEN ",
            $recorded_at,
            " END)"
        )
    };
}

pub(crate) use programme_present;

/// How far a journal's last entry may lie ahead of the clock: servers that follow one another have clocks that differ.
/// Beyond it the clock is wrong, or the entry is, and what depends on time cannot be decided.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

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

    /// The present of a journal whose last entry was written at `recorded_at`, when the database's clock shows
    /// `database`: never before that entry, so that time does not run backwards in a journal (invariant 7). `None` if
    /// the entry lies further ahead than [`TOLERANCE`]: what was decided then would count from a time that has not come,
    /// and everything that falls due until then with it.
    pub fn present(&self, database: DateTime<Utc>, recorded_at: Timestamp) -> Option<Timestamp> {
        let now = self.read(database);
        (recorded_at <= now + TOLERANCE).then(|| now.max(recorded_at))
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

/// The programme's time as it was read last, and so much later as has passed since: for what is shown to somebody of whom
/// nothing has to be read. Whatever is decided reads the clock itself.
#[derive(Debug)]
pub struct LastSeen(RwLock<(Timestamp, Instant)>);

impl LastSeen {
    /// The clock showed `now` just now.
    pub fn new(now: Timestamp) -> Self {
        Self(RwLock::new((now, Instant::now())))
    }

    /// It shows `now` now.
    pub fn see(&self, now: Timestamp) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (now, Instant::now());
    }

    /// What it must show by now.
    pub fn now(&self) -> Timestamp {
        let (now, seen_at) = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        time::truncate(now + seen_at.elapsed())
    }
}

statement! {
    ReadClock {} -> (Timestamptz, BigInt),
    concat!("SELECT ", programme_time!(), ", clock_ahead FROM ledger")
}
