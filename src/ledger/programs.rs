//! The programme's versions as this instance knows them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use diesel::PgConnection;

use super::{Failure, load};
use crate::domain::program::ProgramBook;

/// How old the knowledge may be before a lane reads again, half of the least lead of a publication.
const FRESH: Duration = Duration::from_secs(30);

/// The programme's versions, shared by lanes and readers.
#[derive(Debug)]
pub struct Programs {
    known: RwLock<(Arc<ProgramBook>, Instant)>,
}

impl Programs {
    /// Versions that were just read.
    pub fn new(book: ProgramBook) -> Self {
        Self { known: RwLock::new((Arc::new(book), Instant::now())) }
    }

    /// The versions as last read.
    pub fn book(&self) -> Arc<ProgramBook> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// The versions, read again if they could miss one that is in force.
    pub(super) fn fresh(&self, connection: &mut PgConnection) -> Result<Arc<ProgramBook>, Failure> {
        let read_at = self.known.read().unwrap_or_else(PoisonError::into_inner).1;
        if read_at.elapsed() > FRESH {
            self.refresh(connection)?;
        }
        Ok(self.book())
    }

    /// Reads versions that were published since.
    pub(super) fn refresh(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        let read_at = Instant::now();
        let published = load::program_versions(connection, self.book().latest_version().version)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read more in the meantime: versions are only ever added.
        if !published.is_empty() {
            let mut book = ProgramBook::clone(&known.0);
            published.into_iter().for_each(|version| book.add(version));
            known.0 = Arc::new(book);
        }
        known.1 = known.1.max(read_at);
        Ok(())
    }
}
