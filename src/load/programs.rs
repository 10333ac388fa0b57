//! The programme's versions as this instance knows them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel::PgConnection;

use super::{Unloadable, program};
use crate::domain::movement::publication::LEAD;
use crate::domain::program::ProgramBook;
use crate::domain::time::{EARLIEST, Timestamp};

/// How old the knowledge may be before a lane reads again, half of the least lead of a publication.
const FRESH: Duration = Duration::from_secs(30);

/// The same on the programme's clock, which is moved forward in a sandbox and passes the lead in no time.
const AHEAD: TimeDelta = TimeDelta::seconds(LEAD.num_seconds() / 2);

/// The programme's versions, shared by lanes and readers.
#[derive(Debug)]
pub struct Programs {
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    book: Arc<ProgramBook>,
    read_at: Instant,
    /// The latest of the programme's times for which a lane read them.
    good_at: Timestamp,
}

impl Programs {
    /// Versions that were just read.
    pub fn new(book: ProgramBook) -> Self {
        let known = Known { book: Arc::new(book), read_at: Instant::now(), good_at: EARLIEST };
        Self { known: RwLock::new(known) }
    }

    /// The versions as last read.
    pub fn book(&self) -> Arc<ProgramBook> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).book)
    }

    /// The versions, read again if they could miss one that is in force at `now`.
    pub fn fresh(&self, connection: &mut PgConnection, now: Timestamp) -> Result<Arc<ProgramBook>, Unloadable> {
        let old = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.read_at.elapsed() > FRESH || now - known.good_at > AHEAD
        };
        if old {
            self.refresh(connection)?;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.good_at = known.good_at.max(now);
        }
        Ok(self.book())
    }

    /// Reads versions that were published since.
    ///
    /// Errors: [`Unloadable`].
    pub fn refresh(&self, connection: &mut PgConnection) -> Result<(), Unloadable> {
        let read_at = Instant::now();
        let published = program::program_versions(connection, self.book().latest_version().version)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read more in the meantime: versions are only ever added.
        if !published.is_empty() {
            let mut book = ProgramBook::clone(&known.book);
            published.into_iter().for_each(|version| book.add(version));
            known.book = Arc::new(book);
        }
        known.read_at = known.read_at.max(read_at);
        Ok(())
    }
}
