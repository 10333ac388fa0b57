//! The orders that count towards the tiers of members, where a decision looks at each of them. Most follow from sums.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Around, Unloadable};
use crate::domain::decide;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::Kind;
use crate::domain::record::order::OrderRecord;
use crate::domain::record::refund::Refunded;
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

/// The orders of members of a journal that occurred since a time for each, with their refunds.
pub fn orders(
    connection: &mut PgConnection,
    journal: JournalId,
    wanted: &[(MemberId, Timestamp)],
) -> Result<Vec<(MemberId, OrderRecord)>, Unloadable> {
    const UNREADABLE: Unloadable = Unloadable::Row("entry");
    let (members, since) = wanted.iter().map(|(member, since)| (member.uuid(), *since)).unzip();
    let mut rows: Vec<((Uuid, i64), String, i32, String)> = LoadCounted { journal, members, since }.load(connection)?;
    // A refund comes behind its order, and sums go by the order of refunds.
    rows.sort_by_key(|(place, ..)| *place);
    let mut orders: Vec<(MemberId, OrderRecord)> = Vec::with_capacity(rows.len());
    for ((member, _), kind, version, payload) in rows {
        let member = MemberId::try_from(member).map_err(|_| UNREADABLE)?;
        if kind != Kind::OrderRefunded.name() {
            let order = OrderRecord::stored(&payload, version, (None, None, None, None));
            orders.push((member, order.ok_or(UNREADABLE)?));
            continue;
        }
        let refund: Refunded =
            Json::read(&payload).and_then(|payload| payload.get("refund")?.to()).ok_or(UNREADABLE)?;
        let mut of_member = orders.iter_mut().rev().take_while(|(owner, _)| *owner == member);
        // Another order may be older than what is asked for.
        if let Some((_, order)) = of_member.find(|(_, order)| order.order_id == refund.order_id) {
            order.refund(&refund);
        }
    }
    Ok(orders)
}

statement! {
    // Refunds are no older than their orders.
    LoadCounted {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        since: Vec<Timestamp> => Array<Timestamptz>,
    } -> ((SqlUuid, BigInt), Text, Integer, Text),
    "SELECT wanted.member, e.seq, e.kind, e.program_version, e.payload FROM UNNEST($2, $3) AS wanted (member, since)
     CROSS JOIN LATERAL (
         SELECT * FROM entry
         WHERE journal = $1 AND member = wanted.member
             AND kind IN ('points.earned', 'order.recorded', 'order.refunded') AND effective_at >= wanted.since OFFSET 0
     ) AS e"
}
