//! Why a batch was not committed, and what that means for its commands.

use std::collections::BTreeSet;
use std::time::Duration;

use super::answer::NoAnswer;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical::NotCanonical;
use crate::domain::time::Timestamp;
use crate::load::Unloadable;
use crate::postgres::connect;
use crate::postgres::errors::{self, Meaning};

/// Why a transaction did not commit.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A statement failed; everything was rolled back.
    #[error("a statement failed")]
    Statement(#[from] diesel::result::Error),
    /// COMMIT failed. If the connection was lost, the outcome is unknown.
    #[error("the commit failed")]
    Commit(#[source] diesel::result::Error),
    /// No connection could be made.
    #[error("cannot connect")]
    Connect(#[source] diesel::ConnectionError),
    /// There is no such journal, or its head is damaged.
    #[error("journal {0} has no usable head")]
    NoJournal(JournalId),
    /// The last entry of a journal lies in the future: the entry is wrong, or the clock is.
    #[error("journal {journal} was last written at {recorded_at}, which lies ahead of the clock: it shows {now}")]
    Ahead {
        /// The journal.
        journal: JournalId,
        /// When its last entry was written.
        recorded_at: Timestamp,
        /// What the programme's clock showed.
        now: Timestamp,
    },
    /// The decision needs these members too, whose journals are not locked or who were not loaded.
    #[error("the decision needs the members {0:?} too")]
    OtherMembers(BTreeSet<MemberId>),
    /// A row holds what this program does not know.
    #[error("a row of {0} cannot be read by this program")]
    UnreadableRow(&'static str),
    /// A stored programme does not compile: this program is older than the one that stored it.
    #[error("version {0} of the programme cannot be read by this program")]
    UnreadableProgram(i32),
    /// A statement wrote another number of rows than was meant.
    #[error("{written} rows of {table} were written where {meant} were meant")]
    Rows {
        /// The table.
        table: &'static str,
        /// How many rows were meant.
        meant: usize,
        /// How many were written.
        written: usize,
    },
    /// A payload has no canonical form.
    #[error("an entry has no canonical form")]
    NotCanonical,
    /// The program panicked while deciding.
    #[error("a decision panicked")]
    Panicked,
}

impl From<NotCanonical> for Failure {
    fn from(_: NotCanonical) -> Self {
        Failure::NotCanonical
    }
}

impl From<Unloadable> for Failure {
    fn from(unloadable: Unloadable) -> Self {
        match unloadable {
            Unloadable::Statement(error) => Failure::Statement(error),
            Unloadable::Row(table) => Failure::UnreadableRow(table),
            Unloadable::Program(version) => Failure::UnreadableProgram(version),
        }
    }
}

impl Failure {
    /// What it means for the batch that met it after `elapsed`.
    pub fn meaning(&self, elapsed: Duration) -> Meaning {
        match self {
            Failure::Statement(error) | Failure::Commit(error) => {
                errors::meaning(error, elapsed, connect::LOCK_TIMEOUT)
            }
            Failure::Connect(_) => Meaning::ConnectionLost,
            // Nothing that is tried again helps before the clock or the entry is put right.
            Failure::Ahead { .. } => Meaning::Unavailable,
            Failure::NotCanonical | Failure::Panicked | Failure::Rows { .. } | Failure::UnreadableRow(_) => {
                Meaning::BadData
            }
            Failure::OtherMembers(_) => Meaning::TryAgain,
            Failure::NoJournal(_) | Failure::UnreadableProgram(_) => Meaning::Fault,
        }
    }

    /// What callers are told once trying again has ended.
    pub fn no_answer(&self) -> NoAnswer {
        match self {
            Failure::Ahead { .. } => NoAnswer::ClockBehind,
            _ => NoAnswer::Unavailable,
        }
    }

    /// Is another journal than `journal` at fault?
    pub fn is_of_another(&self, journal: JournalId) -> bool {
        matches!(self, Failure::Ahead { journal: found, .. } if *found != journal)
    }
}
