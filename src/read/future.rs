//! What is dated in the future: journals that were last written at a time that has not come, by the database's clock.
//!
//! A clock that jumped ahead and came back leaves such entries, and so does someone's update. The ledger takes no
//! command for such a journal, since whatever is decided after an entry counts from its time at the earliest.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Timestamptz};

use crate::domain::ids::JournalId;
use crate::domain::time::Timestamp;
use crate::postgres::clock::{Clock, TOLERANCE};
use crate::postgres::statement::statement;

/// The journals whose last entry lies further ahead of the clock than [`TOLERANCE`], each with that entry's time.
pub fn heads(connection: &mut PgConnection, clock: &Clock) -> QueryResult<Vec<(JournalId, Timestamp)>> {
    let latest = clock.look(connection)?.now + TOLERANCE;
    LoadHeadsAfter { latest }.load(connection)
}

/// The first entry of each journal that lies further ahead of the clock than [`TOLERANCE`], with its time: journal,
/// number, time. No entry is dated after its journal, so that of the other journals none is looked at; whether that is so,
/// verification finds out.
pub fn entries(connection: &mut PgConnection, clock: &Clock) -> QueryResult<Vec<(JournalId, i64, Timestamp)>> {
    let latest = clock.look(connection)?.now + TOLERANCE;
    let heads: Vec<(JournalId, Timestamp)> = LoadHeadsAfter { latest }.load(connection)?;
    let mut entries = Vec::new();
    for (journal, _) in heads {
        let first: Option<(i64, Timestamp)> = LoadFirstAfter { journal, latest }.get_result(connection).optional()?;
        entries.extend(first.map(|(seq, at)| (journal, seq, at)));
    }
    Ok(entries)
}

statement! {
    LoadHeadsAfter { latest: DateTime<Utc> => Timestamptz } -> (SmallInt, Timestamptz),
    "SELECT id, recorded_at FROM journal WHERE recorded_at > $1 ORDER BY id"
}

statement! {
    LoadFirstAfter { journal: JournalId => SmallInt, latest: DateTime<Utc> => Timestamptz } -> (BigInt, Timestamptz),
    "SELECT seq, recorded_at FROM entry WHERE journal = $1 AND recorded_at > $2 ORDER BY seq LIMIT 1"
}
