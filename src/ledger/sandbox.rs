//! Sandboxes: databases for trying things out, whose clock can be moved forward.
//!
//! A database is a sandbox or not from its first migration. How far its clock was moved stands in the one row of
//! `ledger`, where every statement that reads the programme's time finds it.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Timestamptz};

use super::OpenError;
use crate::domain::program::ProgramBook;
use crate::domain::sandbox::{ClockMove, ClockRefusal};
use crate::postgres::clock::{Clock, Reading, programme_time};
use crate::postgres::statement::statement;

/// How often a move is tried again because others moved the clock meanwhile.
const MOST_TRIES: u32 = 32;

/// What a database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Members' points. The clock is the database's.
    Production,
    /// Trying things out. The clock can be moved forward.
    Sandbox,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Production => "a production ledger",
            Mode::Sandbox => "a sandbox",
        })
    }
}

/// The mode of the database; none before its first migration.
pub fn mode(connection: &mut PgConnection) -> Result<Option<Mode>, OpenError> {
    let kept: Vec<bool> = ModeIsKept {}.load(connection)?;
    if !kept.contains(&true) {
        return Ok(None);
    }
    let sandbox: Vec<bool> = LoadMode {}.load(connection)?;
    Ok(sandbox.into_iter().next().map(|sandbox| if sandbox { Mode::Sandbox } else { Mode::Production }))
}

/// Checks that the database, if it has a mode, has this one.
///
/// Errors: [`OpenError::OtherMode`]; the database's.
pub fn check_mode(connection: &mut PgConnection, wanted: Mode) -> Result<(), OpenError> {
    match mode(connection)? {
        Some(found) if found != wanted => Err(OpenError::OtherMode { found }),
        _ => Ok(()),
    }
}

/// Moves the clock of a sandbox forward, for all instances at once, and says what it then shows. The database refuses
/// it outside a sandbox.
///
/// Of moves at the same time each counts from where the ones before it left the clock.
pub(super) fn move_clock(
    connection: &mut PgConnection,
    (clock, programs): (&Clock, &ProgramBook),
    wanted: ClockMove,
) -> Result<Reading, ClockError> {
    for _ in 0..MOST_TRIES {
        let Reading { now, ahead } = clock.look(connection)?;
        let target = wanted.target(now, programs.at(now).program.time_zone)?;
        let micros = |span: chrono::TimeDelta| span.num_microseconds().ok_or(ClockRefusal::TooFar);
        let (seen, moved) = (micros(ahead)?, micros(ahead + (target - now))?);
        let moving = MoveClock { seen, ahead: moved };
        if let Some((now, ahead)) = moving.get_result(connection).optional()? {
            return Ok(clock.reading(now, ahead));
        }
    }
    Err(ClockError::Contended)
}

/// Why the clock was not moved, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] ClockRefusal),
    /// The ledger was opened to be read.
    #[error("this service only reads, and moves no clock")]
    ReadOnly,
    /// Others moved it again and again.
    #[error("others are moving the clock; nothing was done")]
    Contended,
    /// No connection.
    #[error("the database cannot be reached; nothing was done")]
    Unreachable(#[source] ConnectionError),
    /// The connection was lost, or the database refused.
    #[error("the database did not say whether the clock was moved; look at it before you move it again")]
    Unanswered(#[from] diesel::result::Error),
}

statement! {
    ModeIsKept {} -> Bool,
    "SELECT EXISTS (
         SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.ledger') AND attname = 'sandbox')"
}

statement! {
    LoadMode {} -> Bool,
    "SELECT sandbox FROM ledger"
}

statement! {
    // Whoever reads the clock and then moves it must not undo what another did in between.
    MoveClock { seen: i64 => BigInt, ahead: i64 => BigInt } -> (Timestamptz, BigInt),
    concat!(
        "UPDATE ledger SET clock_ahead = $2 WHERE clock_ahead = $1 AND clock_ahead <= $2
         RETURNING ", programme_time!("clock_ahead"), ", clock_ahead"
    )
}
