//! Why something could not be verified.

use super::ReadError;
use crate::domain::audit::Wrong;
use crate::domain::ids::JournalId;
use crate::domain::journal::export::Unreadable;
use crate::postgres::copy::Malformed;
use crate::postgres::guard::Gaps;

/// Why a ledger is not verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// An entry is wrong.
    #[error(transparent)]
    Entry(#[from] Wrong),
    /// A line of an export is not an entry.
    #[error("line {line}: {fault}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// Why.
        fault: Unreadable,
    },
    /// The entries of an export do not stand in the order (journal, seq).
    #[error("line {line}: journal {journal} comes after a later one")]
    Order {
        /// Which line, from 1.
        line: u64,
        /// The journal that comes too late.
        journal: JournalId,
    },
    /// A table disagrees with what the journals say.
    #[error("journal {journal}: {fault}")]
    Projection {
        /// The journal.
        journal: JournalId,
        /// How it disagrees.
        fault: String,
    },
    /// Journals and entries lie in the future.
    #[error("ahead of the database's clock: {0}")]
    Future(String),
    /// Nothing is wrong, and something could be changed without a trace.
    #[error("history is not guarded: {0}")]
    Unguarded(Gaps),
    /// Something else that the program cannot have written.
    #[error("the database holds {0}")]
    Corrupt(&'static str),
    /// There is nothing in it.
    #[error("it holds no entry")]
    Empty,
    /// It could not be checked.
    #[error("could not read what was to be verified")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for NotVerified {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(what) => NotVerified::Corrupt(what),
            ReadError::CorruptEntry { journal, seq, fault } => {
                NotVerified::Projection { journal, fault: format!("entry {seq}: {fault}") }
            }
            error => NotVerified::Unreadable(Box::new(error)),
        }
    }
}

impl From<diesel::result::Error> for NotVerified {
    fn from(error: diesel::result::Error) -> Self {
        NotVerified::Unreadable(Box::new(error))
    }
}

impl From<std::io::Error> for NotVerified {
    fn from(error: std::io::Error) -> Self {
        NotVerified::Unreadable(Box::new(error))
    }
}

impl From<Malformed> for NotVerified {
    fn from(malformed: Malformed) -> Self {
        NotVerified::Unreadable(Box::new(malformed))
    }
}
