//! What a database error means for whoever has to go on.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};

/// The meaning of a database error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// The connection is gone; what was under way is rolled back, unless it was a COMMIT.
    ConnectionLost,
    /// A timeout, or a server that cannot write: trying parts of the work would fare no better.
    Unavailable,
    /// Another transaction was in the way; the same work may pass now.
    TryAgain,
    /// A unique constraint, by name.
    Taken(String),
    /// The data cannot be stored: SQLSTATE classes 22 and 23.
    BadData,
    /// A fault of the program, the schema or the server.
    Fault,
}

impl Meaning {
    /// The name of the kind of failure, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Meaning::ConnectionLost => "connection_lost",
            Meaning::Unavailable => "unavailable",
            Meaning::TryAgain => "try_again",
            Meaning::Taken(_) => "taken",
            Meaning::BadData => "bad_data",
            Meaning::Fault => "fault",
        }
    }
}

/// What `error` means, for a statement that took `elapsed` on a session whose shortest timeout is `timeout`.
///
/// diesel does not hand out the SQLSTATE. What it leaves unnamed is told apart by the server's message, which may be
/// in another language, and by the time the statement took, which is in none.
pub fn meaning(error: &Error, elapsed: Duration, timeout: Duration) -> Meaning {
    match error {
        Error::DatabaseError(kind, information) => match kind {
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Meaning::ConnectionLost,
            DatabaseErrorKind::UniqueViolation => {
                Meaning::Taken(information.constraint_name().unwrap_or_default().to_owned())
            }
            DatabaseErrorKind::SerializationFailure => Meaning::TryAgain,
            DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::ExclusionViolation => Meaning::BadData,
            DatabaseErrorKind::ReadOnlyTransaction => Meaning::Unavailable,
            _ => unnamed(information.message(), elapsed >= timeout),
        },
        Error::BrokenTransactionManager => Meaning::ConnectionLost,
        Error::RollbackErrorOnCommit { commit_error, .. } => meaning(commit_error, elapsed, timeout),
        Error::InvalidCString(_) | Error::SerializationError(_) => Meaning::BadData,
        _ => Meaning::Fault,
    }
}

/// What the server says when it has no more time, room or connections (SQLSTATE classes 53 and 57).
const EXHAUSTED: [&str; 7] = [
    "canceling statement due to",
    "No space left",
    "could not extend file",
    "could not write",
    "out of memory",
    "too many connections",
    "remaining connection slots",
];

fn unnamed(message: &str, slow: bool) -> Meaning {
    let says = |part: &str| message.contains(part);
    if says("server closed the connection") || says("terminating connection") || says("the database system is") {
        Meaning::ConnectionLost
    } else if slow || EXHAUSTED.iter().any(|sign| says(sign)) {
        Meaning::Unavailable
    } else if says("deadlock detected") {
        Meaning::TryAgain
    } else if says("permission denied") || says("does not exist") {
        Meaning::Fault
    } else {
        Meaning::BadData
    }
}
