//! Rewards and their stock. What a lapsed hold has reserved comes back when the lapse is written (invariant 9).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::movement::reward::{Reward, RewardReply};
use crate::domain::record::counter::Counter;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// How many rewards are read at a time where some may be passed over.
const BATCH: i64 = 200;

type RewardRow = (Uuid, String, Option<i64>, i64);

/// A reward; none if there is none with this id.
pub fn by_id(view: &mut View<'_>, id: Uuid) -> Result<Option<RewardReply>, ReadError> {
    let rows: Vec<RewardRow> = LoadReward { id }.load(view.connection)?;
    rows.into_iter().next().map(|row| Ok(reward(row)?.reply())).transpose()
}

/// Rewards from the newest to the oldest: those before `before` if it is given, at most `limit`. `available`: only those
/// that can be redeemed now.
pub fn page(
    view: &mut View<'_>,
    available: bool,
    (before, limit): (Option<Uuid>, i64),
) -> Result<Vec<RewardReply>, ReadError> {
    let now: DateTime<Utc> = LoadPresent {}.get_result(view.connection)?;
    let (now, most) = (view.clock.read(now), usize::try_from(limit).unwrap_or_default());
    let (mut before, batch) = (before.unwrap_or(Uuid::max()), if available { limit.max(BATCH) } else { limit });
    let mut rewards = Vec::new();
    loop {
        let rows: Vec<RewardRow> = LoadPage { before, limit: batch }.load(view.connection)?;
        let last_batch = (rows.len() as i64) < batch;
        for row in rows {
            let reward = reward(row)?;
            before = reward.id;
            if !available || reward.is_available(now) {
                rewards.push(reward.reply());
            }
        }
        if last_batch || rewards.len() >= most {
            break;
        }
    }
    rewards.truncate(most);
    Ok(rewards)
}

fn reward((id, terms, most, taken): RewardRow) -> Result<Reward, ReadError> {
    let terms = serde_json::from_str(&terms).map_err(|_| ReadError::Corrupt("a reward that cannot be read"))?;
    Ok(Reward { id, terms, stock: Counter { most, taken } })
}

statement! {
    LoadReward { id: Uuid => SqlUuid } -> (SqlUuid, Text, Nullable<BigInt>, BigInt),
    "SELECT r.id, r.terms, c.most, c.taken FROM reward AS r JOIN counter AS c ON c.journal = 0 AND c.id = $1
     WHERE r.journal = 0 AND r.id = $1"
}

statement! {
    LoadPresent {} -> Timestamptz,
    concat!(
        "SELECT ", programme_present!("recorded_at"), " FROM journal WHERE id = 0"
    )
}

statement! {
    LoadPage { before: Uuid => SqlUuid, limit: i64 => BigInt } -> (SqlUuid, Text, Nullable<BigInt>, BigInt),
    "SELECT r.id, r.terms, c.most, c.taken
     FROM (SELECT id, terms FROM reward WHERE journal = 0 AND id < $1 ORDER BY journal DESC, id DESC LIMIT $2) AS r
     CROSS JOIN LATERAL (SELECT most, taken FROM counter WHERE journal = 0 AND id = r.id OFFSET 0) AS c
     ORDER BY r.id DESC"
}
