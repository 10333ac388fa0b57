//! Refunds of an order, as they were posted.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamptz};
use serde::Serialize;
use serde_json::Value;

use super::{ReadError, View};
use crate::domain::ids::JournalId;
use crate::domain::movement::refund::{PointsReversed, Returned};
use crate::domain::record::items::{self, RefundItem};
use crate::domain::time::{self, Timestamp};
use crate::postgres::statement::statement;

/// A refund and what it did.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Refund)]
pub struct RefundView {
    /// The number of its entry.
    #[serde(skip)]
    pub seq: i64,
    /// The shop's id.
    pub refund_id: String,
    /// How much was paid back, a decimal string.
    #[schema(value_type = String)]
    pub amount: Value,
    /// What came back, if the shop told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<RefundItem>>, nullable = false)]
    pub items: Option<Value>,
    /// The points that the order had brought and this refund reversed.
    #[schema(value_type = PointsReversed)]
    pub points_reversed: Value,
    /// How much of it was to be paid out in money, a decimal string; absent for refunds posted before this was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub paid_out: Option<Value>,
    /// The points that had paid the order and came back; absent for refunds posted before this was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Returned>, nullable = false)]
    pub returned: Option<Value>,
    /// When the money went back.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// When it was posted.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub refunded_at: Timestamp,
}

type RefundRow = (i64, String, Option<String>, String, (DateTime<Utc>, DateTime<Utc>));

/// The refunds of an order from the newest to the oldest: those before the entry `before`, at most `limit`; none if it was
/// never posted with success.
pub fn page(
    view: &mut View<'_>,
    order_id: String,
    before: Option<i64>,
    limit: i64,
) -> Result<Option<Vec<RefundView>>, ReadError> {
    let journals: Vec<JournalId> = LoadJournal { order_id: order_id.clone() }.load(view.connection)?;
    let Some(journal) = journals.into_iter().next() else { return Ok(None) };
    let load = LoadPage { journal, order_id, before: before.unwrap_or(i64::MAX), limit };
    let rows: Vec<RefundRow> = load.load(view.connection)?;
    let read = |row| refund(row).ok_or(ReadError::Corrupt("a refund that cannot be read"));
    rows.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn refund((seq, refund_id, items, response, (occurred_at, refunded_at)): RefundRow) -> Option<RefundView> {
    let mut response: Value = serde_json::from_str(&response).ok()?;
    let mut answered = |key: &str| Some(response.get_mut(key)?.take());
    Some(RefundView {
        seq,
        refund_id,
        amount: answered("amount")?,
        items: items.map(|items| items::shown(&items)).transpose().ok()?,
        points_reversed: answered("points_reversed")?,
        paid_out: answered("paid_out"),
        returned: answered("returned"),
        occurred_at,
        refunded_at,
    })
}

statement! {
    LoadJournal { order_id: String => Text } -> SmallInt,
    "SELECT journal FROM orders WHERE order_id = $1"
}

statement! {
    LoadPage {
        journal: JournalId => SmallInt,
        order_id: String => Text,
        before: i64 => BigInt,
        limit: i64 => BigInt,
    } -> (BigInt, Text, Nullable<Text>, Text, (Timestamptz, Timestamptz)),
    "SELECT r.seq, r.refund_id, r.items, r.response, e.effective_at, e.recorded_at
     FROM (
         SELECT * FROM refund WHERE journal = $1 AND order_id = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4
     ) AS r
     CROSS JOIN LATERAL (SELECT effective_at, recorded_at FROM entry WHERE journal = $1 AND seq = r.seq OFFSET 0) AS e
     ORDER BY r.seq DESC"
}
