//! Transfers, as both their parties see them: offers past their end are shown as lapsed, whether or not anything has
//! written it (invariant 9).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use uuid::Uuid;

use super::{ReadError, View, members};
use crate::domain::ids::{JournalId, MemberId, TransferId};
use crate::domain::movement::transfer::TransferView;
use crate::domain::record::transfer::{Transfer, TransferStatus};
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// A transfer with what the giver wrote, as one of the two members or somebody else may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Transfer)]
pub struct TransferDetails {
    /// The transfer as it is at this instant.
    #[serde(flatten)]
    pub transfer: TransferView,
    /// What the giver wrote to the receiver. Shown to the two members' own tokens alone, and to the receiver no more once
    /// the offer was cancelled. Null to anyone else, if it was nothing, or if either has been erased.
    pub message: Option<String>,
}

/// On which side of a transfer a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = TransferDirection, rename_all = "snake_case")]
pub enum Direction {
    /// The member receives.
    Incoming,
    /// The member gives.
    Outgoing,
}

impl Direction {
    /// Each with its name.
    pub const ALL: [(&str, Self); 2] = [("incoming", Self::Incoming), ("outgoing", Self::Outgoing)];
}

/// Which transfers of a member are listed.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// On this side of them; none for both.
    pub direction: Option<Direction>,
    /// That have come so far; none for any.
    pub status: Option<TransferStatus>,
    /// Older than this one; none for the newest.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// The transfer `id`, as `viewer` may see it; none if there is no such transfer.
pub fn by_id(
    view: &mut View<'_>,
    id: TransferId,
    viewer: Option<MemberId>,
) -> Result<Option<TransferDetails>, ReadError> {
    let rows: Vec<(String, Option<String>, DateTime<Utc>)> =
        LoadTransfer { journal: id.journal(), id: id.uuid() }.load(view.connection)?;
    let row = rows.into_iter().next();
    row.map(|(state, message, now)| details(&state, message, viewer, view.clock.read(now))).transpose()
}

/// A page of a member's transfers, from the newest to the oldest, as `viewer` may see them; none if there is no such
/// member.
pub fn page(
    view: &mut View<'_>,
    member: MemberId,
    viewer: Option<MemberId>,
    wanted: Wanted,
) -> Result<Option<Vec<TransferDetails>>, ReadError> {
    let Some(now) = members::present(view, member)? else { return Ok(None) };
    let Wanted { direction, status, before, limit } = wanted;
    let load = LoadPage {
        journal: member.journal(),
        member: member.uuid(),
        outgoing: direction != Some(Direction::Incoming),
        incoming: direction != Some(Direction::Outgoing),
        before: before.unwrap_or(Uuid::max()),
        status: status.map(|status| status.name().to_owned()),
        now,
        limit,
    };
    let rows: Vec<(String, Option<String>)> = load.load(view.connection)?;
    let page: Result<_, _> = rows.into_iter().map(|(state, message)| details(&state, message, viewer, now)).collect();
    page.map(Some)
}

fn details(
    state: &str,
    message: Option<String>,
    viewer: Option<MemberId>,
    now: Timestamp,
) -> Result<TransferDetails, ReadError> {
    let transfer: Transfer =
        serde_json::from_str(state).map_err(|_| ReadError::Corrupt("a transfer that cannot be read"))?;
    let transfer = transfer.at(now);
    let message = message.filter(|_| viewer.is_some_and(|viewer| may_read(&transfer, viewer)));
    Ok(TransferDetails { transfer: transfer.into(), message })
}

// A message is personal to the two members. One that was taken back would else be a free word to a stranger: it costs
// no points.
fn may_read(transfer: &Transfer, viewer: MemberId) -> bool {
    let receives = viewer == transfer.to_member_id && transfer.status != TransferStatus::Cancelled;
    viewer == transfer.from_member_id || receives
}

statement! {
    LoadTransfer { journal: JournalId => SmallInt, id: Uuid => SqlUuid } -> (Text, Nullable<Text>, Timestamptz),
    concat!(
        "SELECT t.state, (SELECT body FROM note WHERE journal = $1 AND about = $2),
             ", programme_present!("(SELECT recorded_at FROM journal WHERE id = $1)"), "
         FROM record AS t WHERE t.journal = $1 AND t.id = $2 AND t.kind = 'transfer'"
    )
}

statement! {
    // Two walks down two indexes, each as long as a page at most and only if it is asked for, put together. What others
    // offer the member stands in their journals.
    LoadPage {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        outgoing: bool => Bool,
        incoming: bool => Bool,
        before: Uuid => SqlUuid,
        status: Option<String> => Nullable<Text>,
        now: Timestamp => Timestamptz,
        limit: i64 => BigInt,
    } -> (Text, Nullable<Text>),
    "SELECT t.state, (SELECT body FROM note WHERE journal = t.journal AND about = t.id)
     FROM (
         (SELECT journal, id, state FROM record
          WHERE $3 AND journal = $1 AND member = $2 AND kind = 'transfer' AND id < $5 AND ($6::text IS NULL
              OR $6 = CASE WHEN due_at <= $7 THEN 'lapsed' ELSE status END)
          ORDER BY journal DESC, member DESC, kind DESC, id DESC LIMIT $8)
         UNION ALL
         (SELECT journal, id, state FROM record
          WHERE $4 AND about = $2 AND kind = 'transfer' AND id < $5 AND ($6::text IS NULL
              OR $6 = CASE WHEN due_at <= $7 THEN 'lapsed' ELSE status END)
          ORDER BY about DESC, id DESC LIMIT $8)
     ) AS t
     ORDER BY t.id DESC LIMIT $8"
}
