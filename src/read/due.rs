//! Who has something due that is not written yet, for the sweeper.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::ReadError;
use crate::domain::ids::MemberId;
use crate::domain::time::{EARLIEST, Timestamp};
use crate::postgres::statement::statement;

/// Members with something due by `until`, with when the first of it fell due: in that order, from the first after `last`
/// on, at most `limit`.
pub fn page(
    connection: &mut PgConnection,
    until: Timestamp,
    last: Option<(Timestamp, MemberId)>,
    limit: i64,
) -> Result<Vec<(Timestamp, MemberId)>, ReadError> {
    let (due_at, member) = last.map_or((EARLIEST, Uuid::nil()), |(due_at, member)| (due_at, member.uuid()));
    let rows: Vec<(DateTime<Utc>, Uuid)> = LoadDueMembers { until, due_at, member, limit }.load(connection)?;
    let member = |(due_at, id)| {
        let id = MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a wallet without a member's id"))?;
        Ok((due_at, id))
    };
    rows.into_iter().map(member).collect()
}

/// Takes the sweepers' lock for this connection, unless another connection has it.
pub fn try_lock(connection: &mut PgConnection) -> QueryResult<bool> {
    TryLock {}.get_result(connection)
}

/// Gives the sweepers' lock back.
pub fn unlock(connection: &mut PgConnection) -> QueryResult<bool> {
    Unlock {}.get_result(connection)
}

statement! {
    LoadDueMembers {
        until: Timestamp => Timestamptz,
        due_at: Timestamp => Timestamptz,
        member: Uuid => SqlUuid,
        limit: i64 => BigInt,
    } -> (Timestamptz, SqlUuid),
    "SELECT next_due_at, member FROM wallet WHERE next_due_at <= $1 AND (next_due_at, member) > ($2, $3)
     ORDER BY next_due_at, member LIMIT $4"
}

statement! {
    TryLock {} -> Bool,
    "SELECT pg_try_advisory_lock(7283092)"
}

statement! {
    Unlock {} -> Bool,
    "SELECT pg_advisory_unlock(7283092)"
}
