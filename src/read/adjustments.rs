//! Adjustments of a member's wallet, with what the operator wrote, which stands in no journal.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ReadError, View, members};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Kind;
use crate::domain::movement::adjustment::{Reason, Side};
use crate::domain::time::{self, Timestamp};
use crate::postgres::statement::statement;

/// An adjustment that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Adjustment)]
pub struct AdjustmentView {
    /// Its id: the `command` of its entry.
    pub id: Uuid,
    /// The number of its entry in the member's journal.
    pub seq: i64,
    /// Whose wallet.
    pub member_id: MemberId,
    /// How many points were added (above zero) or taken (below).
    pub points: i64,
    /// In which part of the wallet.
    pub account: Side,
    /// Why.
    pub reason: Reason,
    /// What else the operator said; null if that was nothing, or the member has been erased.
    pub note: Option<String>,
    /// Who did it, such as `client:operator`.
    pub actor: String,
    /// When.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub adjusted_at: Timestamp,
}

/// The adjustments of a member's wallet from the newest to the oldest: those before the entry `before`, at most `limit`;
/// none if there is no such member.
pub fn page(
    view: &mut View<'_>,
    member_id: MemberId,
    (before, limit): (Option<i64>, i64),
) -> Result<Option<Vec<AdjustmentView>>, ReadError> {
    if members::present(view, member_id)?.is_none() {
        return Ok(None);
    }
    let (journal, kind) = (member_id.journal(), Kind::PointsAdjusted.name().to_owned());
    let load = LoadPage { journal, member: member_id.uuid(), kind, before: before.unwrap_or(i64::MAX), limit };
    let rows: Vec<AdjustmentRow> = load.load(view.connection)?;
    rows.into_iter().map(|row| adjustment(member_id, row)).collect::<Result<_, _>>().map(Some)
}

type AdjustmentRow = (i64, Option<Uuid>, String, DateTime<Utc>, String, Option<String>);

// What the entry states.
#[derive(Deserialize)]
struct Stated {
    points: i64,
    /// Entries of before there was a choice do not say it.
    #[serde(default)]
    account: Side,
    reason: Reason,
}

fn adjustment(member_id: MemberId, row: AdjustmentRow) -> Result<AdjustmentView, ReadError> {
    let (seq, command, actor, adjusted_at, payload, note) = row;
    let (journal, fault) = (member_id.journal(), "an adjustment that cannot be read");
    let unreadable = || ReadError::CorruptEntry { journal, seq, fault };
    let Stated { points, account, reason } = serde_json::from_str(&payload).map_err(|_| unreadable())?;
    let id = command.ok_or_else(unreadable)?;
    Ok(AdjustmentView { id, seq, member_id, points, account, reason, note, actor, adjusted_at })
}

statement! {
    // The index of members and numbers has the order; entries of other kinds are passed over.
    LoadPage {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        kind: String => Text,
        before: i64 => BigInt,
        limit: i64 => BigInt,
    } -> (BigInt, Nullable<SqlUuid>, Text, Timestamptz, Text, Nullable<Text>),
    "SELECT e.seq, e.command, e.actor, e.recorded_at, e.payload,
         (SELECT body FROM note WHERE journal = $1 AND about = e.command)
     FROM entry AS e
     WHERE e.journal = $1 AND e.member = $2 AND e.seq < $4 AND e.kind = $3
     ORDER BY e.journal DESC, e.member DESC, e.seq DESC LIMIT $5"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_before_there_was_a_choice_are_of_active_points() {
        let before: Stated = serde_json::from_str(r#"{"balance":{},"points":5,"reason":"other"}"#).unwrap();
        assert_eq!((before.points, before.account, before.reason), (5, Side::Active, Reason::Other));
    }
}
