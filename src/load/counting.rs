//! The orders that count towards the tiers of members, where a decision looks at each of them. Most follow from sums.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Around, Unloadable};
use crate::domain::decide;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::record::order::OrderRecord;
use crate::domain::time::Timestamp;
use crate::postgres::statement::statement;

/// Loads the orders of those members of a journal whose tiers they decide.
pub fn load(
    connection: &mut PgConnection,
    journal: JournalId,
    around: &Around<'_>,
    needs: &Needs,
    state: &mut State,
) -> Result<(), Unloadable> {
    let members = state.members.values().filter(|member| member.id.journal() == journal);
    let wanted = members.filter_map(|member| {
        let coming = needs.coming.get(&member.id);
        Some((member.id, decide::orders_wanted(member, coming, around.programs, around.now)?))
    });
    let wanted: Vec<(MemberId, Timestamp)> = wanted.collect();
    if wanted.is_empty() {
        return Ok(());
    }
    for (member, counted) in orders(connection, journal, &wanted)? {
        let Some(member) = state.members.get_mut(&member) else { continue };
        // What was loaded to be refunded has more of it.
        let order = member.orders.entry(counted.order_id.clone()).or_insert_with(|| counted.clone());
        order.refunds = counted.refunds;
    }
    for (member, since) in wanted {
        if let Some(member) = state.members.get_mut(&member) {
            member.orders_since = Some(since);
        }
    }
    Ok(())
}

/// The orders of members of a journal that occurred since a time for each, with their refunds. Of what refunds did to points
/// they say nothing.
pub fn orders(
    connection: &mut PgConnection,
    journal: JournalId,
    wanted: &[(MemberId, Timestamp)],
) -> Result<Vec<(MemberId, OrderRecord)>, Unloadable> {
    let (members, since) = wanted.iter().map(|(member, since)| (member.uuid(), *since)).unzip();
    let rows: Vec<(Uuid, i32, String)> = LoadCounted { journal, members, since }.load(connection)?;
    let mut orders: Vec<(MemberId, OrderRecord)> = Vec::with_capacity(rows.len());
    for (member, version, payload) in rows {
        let member = MemberId::try_from(member).map_err(|_| Unloadable::Row("entry"))?;
        let order = OrderRecord::stored(&payload, version, (None, None, None, None));
        orders.push((member, order.ok_or(Unloadable::Row("entry"))?));
    }
    let ids = orders.iter().map(|(_, order)| order.order_id.clone()).collect();
    let mut refunds = refunds(connection, journal, ids)?;
    let with_refunds = |(member, order): (MemberId, OrderRecord)| {
        let refunds = refunds.remove(&order.order_id).unwrap_or_default();
        (member, order.with_refunds(refunds))
    };
    Ok(orders.into_iter().map(with_refunds).collect())
}

// The refunds of orders: when each was, and how much of the order was refunded by then.
fn refunds(
    connection: &mut PgConnection,
    journal: JournalId,
    orders: Vec<String>,
) -> Result<HashMap<String, Vec<(Timestamp, Decimal)>>, Unloadable> {
    let rows: Vec<(String, DateTime<Utc>, Decimal)> = LoadRefundTimes { journal, orders }.load(connection)?;
    let mut refunds: HashMap<String, Vec<(Timestamp, Decimal)>> = HashMap::new();
    for (order, at, amount) in rows {
        let refunds = refunds.entry(order).or_default();
        let before = refunds.last().map_or(Decimal::ZERO, |(_, refunded)| *refunded);
        refunds.push((at, before + amount));
    }
    Ok(refunds)
}

statement! {
    LoadCounted {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        since: Vec<Timestamp> => Array<Timestamptz>,
    } -> (SqlUuid, Integer, Text),
    "SELECT wanted.member, e.program_version, e.payload FROM UNNEST($2, $3) AS wanted (member, since)
     CROSS JOIN LATERAL (
         SELECT * FROM entry
         WHERE journal = $1 AND member = wanted.member AND kind IN ('points.earned', 'order.recorded')
             AND effective_at >= wanted.since OFFSET 0
     ) AS e"
}

statement! {
    // In the order in which they were posted: sums go by that.
    LoadRefundTimes { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> } -> (Text, Timestamptz, Numeric),
    "SELECT r.order_id, e.effective_at, r.amount FROM UNNEST($2) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM refund WHERE journal = $1 AND order_id = wanted.order_id OFFSET 0) AS r
     CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = $1 AND seq = r.seq OFFSET 0) AS e
     ORDER BY r.seq"
}
