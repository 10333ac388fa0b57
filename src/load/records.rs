//! What stands open or is remembered of members: records, and orders that are refunded.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Unloadable, of_journal};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::record::items::Purchase;
use crate::domain::record::order::{OrderRecord, StoredRefunds};
use crate::domain::record::transfer::Transfer;
use crate::domain::record::{OfRecord, Record};
use crate::domain::time::Timestamp;
use crate::postgres::statement::statement;

/// What was found, until the members that it belongs to are loaded.
#[derive(Debug, Default)]
pub struct Named {
    records: Vec<Record>,
    orders: Vec<(MemberId, OrderRecord)>,
}

impl Named {
    /// The record of this kind that stands under `id`.
    pub fn record<R: OfRecord>(&self, id: impl Into<Uuid>) -> Option<&R> {
        let id = id.into();
        self.records.iter().find(|record| record.recorded().id() == id).and_then(R::of)
    }

    /// Gives each to its member, unless the member has it already.
    pub(super) fn attach(self, state: &mut State) {
        for record in self.records {
            let (id, owner) = (record.recorded().id(), record.recorded().member_id());
            state.owners.insert(id, owner);
            if let Some(member) = state.members.get_mut(&owner) {
                member.records.entry(id).or_insert(record);
            }
        }
        for (member, order) in self.orders {
            if let Some(member) = state.members.get_mut(&member) {
                member.orders.insert(order.order_id.clone(), order);
            }
        }
    }
}

/// Finds the orders and records of a journal that are named, and adds whose they are to what is needed.
pub fn named(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &mut Needs,
    state: &mut State,
    named: &mut Named,
) -> Result<(), Unloadable> {
    named.orders.extend(orders(connection, journal, needs, state)?);
    let wanted = needs.records.iter().filter(|(of, _)| *of == journal).map(|(_, id)| *id).collect();
    let records = records(wanted, |ids| LoadRecords { journal, ids }.load(connection))?;
    needs.members.extend(records.iter().map(|record| record.recorded().member_id()));
    named.records.extend(records);
    Ok(())
}

/// Loads the records of `members` that have reached their end.
pub fn due(
    connection: &mut PgConnection,
    journal: JournalId,
    members: Vec<Uuid>,
    until: Timestamp,
) -> Result<Named, Unloadable> {
    let records = records(members, |members| LoadDueRecords { journal, members, until }.load(connection))?;
    Ok(Named { records, ..Named::default() })
}

/// Loads what limits count: a member's redemptions of a reward that has one, and its transfers since `day_begins`, which
/// is given where the programme has a limit of a day.
pub fn counted(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &Needs,
    day_begins: Option<Timestamp>,
    state: &State,
) -> Result<Named, Unloadable> {
    let limited = |reward: &Uuid| state.rewards.get(reward).is_some_and(|terms| terms.limit.is_some());
    let redeemers = needs.redeemers.keys().filter(|(member, reward)| member.journal() == journal && limited(reward));
    let (members, about): (Vec<Uuid>, Vec<Uuid>) = redeemers.map(|(member, reward)| (member.uuid(), *reward)).unzip();
    let mut counted = records(members, |members| LoadCountedAbout { journal, members, about }.load(connection))?;
    if let Some(since) = day_begins {
        let givers = of_journal(&needs.givers, journal);
        let kind = Transfer::NAME.to_owned();
        counted.extend(records(givers, |members| LoadCountedSince { journal, members, kind, since }.load(connection))?);
    }
    Ok(Named { records: counted, ..Named::default() })
}

// Runs a query for `wanted`, unless that is nothing, and reads the kinds and states that it gives.
fn records(
    wanted: Vec<Uuid>,
    load: impl FnOnce(Vec<Uuid>) -> QueryResult<Vec<(String, String)>>,
) -> Result<Vec<Record>, Unloadable> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let read = |(kind, state): (String, String)| Record::stored(&kind, &state).map_err(|_| Unloadable::Row("record"));
    load(wanted)?.into_iter().map(read).collect()
}

type OrderRow = ((String, Uuid), (i32, String), StoredRefunds, (Option<String>, Option<String>));

fn orders(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &mut Needs,
    state: &mut State,
) -> Result<Vec<(MemberId, OrderRecord)>, Unloadable> {
    let wanted = needs.refunded.iter().filter(|(_, member)| member.journal() == journal);
    let orders: Vec<String> = wanted.map(|(order, _)| order.clone()).collect();
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<OrderRow> = LoadOrderRecords { journal, orders }.load(connection)?;
    let mut loaded = Vec::new();
    for ((order_id, member), (version, payload), refunds, (items, refunded_items)) in rows {
        let unreadable = || Unloadable::Row("orders");
        // A refund of somebody else's order finds none.
        let member = MemberId::try_from(member).map_err(|_| unreadable())?;
        if !needs.members.contains(&member) {
            continue;
        }
        let order = OrderRecord::stored(&payload, version, refunds).ok_or_else(unreadable)?;
        let items = items.map(|items| serde_json::from_str(&items)).transpose().map_err(|_| unreadable())?;
        let back = refunded_items.map(|items| serde_json::from_str(&items)).transpose().map_err(|_| unreadable())?;
        state.purchases.insert(order_id, Purchase { items, back: back.unwrap_or_default() });
        needs.refund_of(member, &order);
        loaded.push((member, order));
    }
    Ok(loaded)
}

/// Loads the orders whose refunds look to what is held, of the members who may have such orders. They are rare.
pub fn claiming(connection: &mut PgConnection, journal: JournalId, state: &State) -> Result<Named, Unloadable> {
    let members = state.members.values().filter(|member| member.id.journal() == journal);
    let members = members.filter(|member| member.may_have_claims());
    let members: Vec<Uuid> = members.map(|member| member.id.uuid()).collect();
    if members.is_empty() {
        return Ok(Named::default());
    }
    let rows: Vec<(Uuid, (i32, String), StoredRefunds)> = LoadClaiming { journal, members }.load(connection)?;
    let order = |(member, (version, payload), refunds): (Uuid, (i32, String), StoredRefunds)| {
        Some((MemberId::try_from(member).ok()?, OrderRecord::stored(&payload, version, refunds)?))
    };
    let orders = rows.into_iter().map(|row| order(row).ok_or(Unloadable::Row("orders")));
    Ok(Named { orders: orders.collect::<Result<_, _>>()?, ..Named::default() })
}

statement! {
    LoadClaiming { journal: JournalId => SmallInt, members: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, (Integer, Text), (Nullable<Numeric>, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>)),
    "SELECT o.member, e.program_version, e.payload, o.refunded, o.reversed, o.returned, o.reversal
     FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM orders WHERE journal = $1 AND member = wanted.member AND claimed > 0 OFFSET 0
     ) AS o
     CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = $1 AND seq = o.seq OFFSET 0) AS e"
}

statement! {
    LoadOrderRecords { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> }
    -> (
        (Text, SqlUuid),
        (Integer, Text),
        (Nullable<Numeric>, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>),
        (Nullable<Text>, Nullable<Text>)
    ),
    "SELECT o.order_id, o.member, e.program_version, e.payload, o.refunded, o.reversed, o.returned, o.reversal,
         o.items, o.refunded_items
     FROM UNNEST($2) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE journal = $1 AND order_id = wanted.order_id OFFSET 0) AS o
     CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = $1 AND seq = o.seq OFFSET 0) AS e"
}

statement! {
    LoadRecords { journal: JournalId => SmallInt, ids: Vec<Uuid> => Array<SqlUuid> } -> (Text, Text),
    "SELECT r.kind, r.state FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM record WHERE journal = $1 AND id = wanted.id OFFSET 0) AS r"
}

statement! {
    LoadDueRecords {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        until: Timestamp => Timestamptz,
    } -> (Text, Text),
    "SELECT r.kind, r.state FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM record WHERE journal = $1 AND member = wanted.member AND due_at <= $3 OFFSET 0
     ) AS r"
}

statement! {
    LoadCountedAbout {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        about: Vec<Uuid> => Array<SqlUuid>,
    } -> (Text, Text),
    "SELECT r.kind, r.state FROM UNNEST($2, $3) AS wanted (member, about)
     CROSS JOIN LATERAL (
         SELECT * FROM record
         WHERE journal = $1 AND member = wanted.member AND about = wanted.about AND counts OFFSET 0
     ) AS r"
}

statement! {
    // Every one of these counts towards the limit, so that there are never more of them than it has points.
    LoadCountedSince {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        kind: String => Text,
        since: Timestamp => Timestamptz,
    } -> (Text, Text),
    "SELECT r.kind, r.state FROM UNNEST($2) AS wanted (member)
     CROSS JOIN LATERAL (
         SELECT * FROM record
         WHERE journal = $1 AND member = wanted.member AND kind = $3 AND created_at >= $4 AND counts OFFSET 0
     ) AS r"
}
