//! Redemptions, with what has lapsed by now shown as lapsed whether or not that is written (invariant 9).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View, members};
use crate::domain::ids::{JournalId, MemberId, RedemptionId};
use crate::domain::record::redemption::{Redemption, RedemptionStatus};
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// A redemption; none if there is none with this id.
pub fn by_id(view: &mut View<'_>, id: RedemptionId) -> Result<Option<Redemption>, ReadError> {
    let rows: Vec<(String, DateTime<Utc>)> =
        LoadRedemption { journal: id.journal(), id: id.uuid() }.load(view.connection)?;
    rows.first().map(|(state, now)| read(state, view.clock.read(*now))).transpose()
}

/// A member's redemptions from the newest to the oldest: those before `before` that are in `status`, if these are given,
/// at most `limit`; none if there is no such member.
pub fn page(
    view: &mut View<'_>,
    member: MemberId,
    status: Option<RedemptionStatus>,
    (before, limit): (Option<Uuid>, i64),
) -> Result<Option<Vec<Redemption>>, ReadError> {
    let Some(now) = members::present(view, member)? else { return Ok(None) };
    let (before, status) = (before.unwrap_or(Uuid::max()), status.map(|status| status.name().to_owned()));
    let load = LoadPage { journal: member.journal(), member: member.uuid(), before, status, now, limit };
    let states: Vec<String> = load.load(view.connection)?;
    states.iter().map(|state| read(state, now)).collect::<Result<_, _>>().map(Some)
}

fn read(state: &str, now: Timestamp) -> Result<Redemption, ReadError> {
    let redemption: Redemption =
        serde_json::from_str(state).map_err(|_| ReadError::Corrupt("a redemption that cannot be read"))?;
    Ok(redemption.at(now))
}

statement! {
    LoadRedemption { journal: JournalId => SmallInt, id: Uuid => SqlUuid } -> (Text, Timestamptz),
    concat!(
        "SELECT r.state, ", programme_present!("j.recorded_at"), "
         FROM record r JOIN journal j ON j.id = $1 WHERE r.journal = $1 AND r.id = $2 AND r.kind = 'redemption'"
    )
}

statement! {
    // No index fits the status as it is shown, so that the one of members and ids is read, whatever is asked for.
    LoadPage {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        status: Option<String> => Nullable<Text>,
        now: Timestamp => Timestamptz,
        limit: i64 => BigInt,
    } -> Text,
    "SELECT state FROM record
     WHERE journal = $1 AND member = $2 AND kind = 'redemption' AND id < $3
         AND ($4 IS NULL OR $4 = CASE WHEN due_at <= $5 THEN 'lapsed' ELSE status END)
     ORDER BY id DESC LIMIT $6"
}
