//! Rewards and their stock. What a lapsed hold has reserved comes back when the lapse is written (invariant 9).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::ReadError;
use crate::domain::reward::{Reward, RewardReply};
use crate::domain::time::Timestamp;
use crate::postgres::clock::{Clock, programme_time};
use crate::postgres::statement::statement;

type RewardRow = (Uuid, String, Option<i64>, i64);

/// A reward; none if there is none with this id.
pub fn by_id(connection: &mut PgConnection, id: Uuid) -> Result<Option<RewardReply>, ReadError> {
    let rows: Vec<RewardRow> = LoadReward { id }.load(connection)?;
    rows.into_iter().next().map(reply).transpose()
}

/// Rewards from the newest to the oldest: those before `before` if it is given, at most `limit`. `available`: only those
/// that can be redeemed now.
pub fn page(
    connection: &mut PgConnection,
    available: bool,
    (before, limit): (Option<Uuid>, i64),
    clock: &Clock,
) -> Result<Vec<RewardReply>, ReadError> {
    let now: DateTime<Utc> = LoadPresent {}.get_result(connection)?;
    let load = LoadPage { before: before.unwrap_or(Uuid::max()), available, now: clock.read(now), limit };
    let rows: Vec<RewardRow> = load.load(connection)?;
    rows.into_iter().map(reply).collect()
}

fn reply((id, terms, supplied, taken): RewardRow) -> Result<RewardReply, ReadError> {
    let terms = serde_json::from_str(&terms).map_err(|_| ReadError::Corrupt("a reward that cannot be read"))?;
    Ok(Reward { id, terms, supplied, taken }.reply())
}

statement! {
    LoadReward { id: Uuid => SqlUuid } -> (SqlUuid, Text, Nullable<BigInt>, BigInt),
    "SELECT id, terms, supplied, taken FROM reward WHERE journal = 0 AND id = $1"
}

statement! {
    LoadPresent {} -> Timestamptz,
    concat!(
        "SELECT GREATEST(", programme_time!(), ", recorded_at) FROM journal WHERE id = 0"
    )
}

statement! {
    LoadPage {
        before: Uuid => SqlUuid,
        available: bool => Bool,
        now: Timestamp => Timestamptz,
        limit: i64 => BigInt,
    } -> (SqlUuid, Text, Nullable<BigInt>, BigInt),
    "SELECT id, terms, supplied, taken FROM reward
     WHERE journal = 0 AND id < $1 AND (NOT $2 OR (
         (supplied IS NULL OR taken < supplied)
         AND COALESCE((terms::json ->> 'available_from')::timestamptz <= $3, true)
         AND COALESCE((terms::json ->> 'available_until')::timestamptz > $3, true)))
     ORDER BY id DESC LIMIT $4"
}
