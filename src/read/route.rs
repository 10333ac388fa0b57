//! Where a command goes: what must be known of what is stored before it can be asked. It is read in the database that the
//! lanes write to, which the type says, so that a copy that is behind can serve every other read.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::ReadError;
use crate::domain::ids::MemberId;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use crate::load;
use crate::postgres::statement::statement;

/// A connection to the database that the lanes write to.
pub struct Primary<'a>(pub &'a mut PgConnection);

/// The present of a member's journal, by the database's clock; none if there is no such member.
pub fn present(Primary(connection): &mut Primary<'_>, id: MemberId) -> Result<Option<DateTime<Utc>>, ReadError> {
    Ok(load::present(connection, id)?)
}

/// The member enrolled under `external_id`.
pub fn member(primary: &mut Primary<'_>, external_id: &str) -> Result<Option<MemberId>, ReadError> {
    Ok(members(primary, &[external_id.to_owned()])?.remove(external_id))
}

/// Those of `external_ids` that are enrolled, with their members.
pub fn members(
    Primary(connection): &mut Primary<'_>,
    external_ids: &[String],
) -> Result<HashMap<String, MemberId>, ReadError> {
    const AT_ONCE: usize = 1_000;
    let mut found = HashMap::with_capacity(external_ids.len());
    for external_ids in external_ids.chunks(AT_ONCE) {
        let rows: Vec<(String, Uuid)> = LoadMembers { external_ids: external_ids.to_vec() }.load(*connection)?;
        for (external_id, id) in rows {
            let id = MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))?;
            found.insert(external_id, id);
        }
    }
    Ok(found)
}

/// Whose an order is, and what a refund of it or a line about it must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Who ordered.
    pub member_id: MemberId,
    /// The shop's id of the customer; none once the member is erased.
    pub external_id: Option<String>,
    /// When.
    pub occurred_at: Timestamp,
    /// The currency.
    pub currency: Currency,
}

/// The order `order_id`; none if it was never posted with success.
pub fn order(primary: &mut Primary<'_>, order_id: &str) -> Result<Option<Posted>, ReadError> {
    Ok(orders(primary, vec![order_id.to_owned()])?.remove(order_id))
}

/// Those of `order_ids` that were posted with success. Not for long lists: they are looked up at once.
pub fn orders(
    Primary(connection): &mut Primary<'_>,
    order_ids: Vec<String>,
) -> Result<HashMap<String, Posted>, ReadError> {
    let rows: Vec<PostedRow> = LoadOrders { order_ids }.load(*connection)?;
    let row = |(order_id, member, external_id, occurred_at, currency): PostedRow| {
        let (member_id, currency) = (MemberId::try_from(member).ok()?, currency.parse().ok()?);
        Some((order_id, Posted { member_id, external_id, occurred_at, currency }))
    };
    rows.into_iter().map(|found| row(found).ok_or(ReadError::Corrupt("an order that cannot be read"))).collect()
}

/// Those of `keys` that `caller` has used for `operation`. Not for long lists: they are looked up at once.
pub fn keys(
    Primary(connection): &mut Primary<'_>,
    (caller, operation): (&str, &str),
    keys: Vec<String>,
) -> Result<HashSet<String>, ReadError> {
    let load = LoadKeys { caller: caller.to_owned(), operation: operation.to_owned(), keys };
    let rows: Vec<String> = load.load(*connection)?;
    Ok(rows.into_iter().collect())
}

type PostedRow = (String, Uuid, Option<String>, DateTime<Utc>, String);

statement! {
    LoadMembers { external_ids: Vec<String> => Array<Text> } -> (Text, SqlUuid),
    "SELECT p.external_id, p.member FROM UNNEST($1) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p"
}

statement! {
    LoadOrders { order_ids: Vec<String> => Array<Text> } -> (Text, SqlUuid, Nullable<Text>, Timestamptz, Text),
    "SELECT o.order_id, o.member, p.external_id, e.effective_at, e.payload::json -> 'order' ->> 'currency'
     FROM UNNEST($1) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE order_id = wanted.order_id OFFSET 0) AS o
     CROSS JOIN LATERAL (SELECT * FROM entry WHERE journal = o.journal AND seq = o.seq OFFSET 0) AS e
     LEFT JOIN LATERAL (
         SELECT external_id FROM member_profile WHERE journal = o.journal AND member = o.member OFFSET 0
     ) AS p ON true"
}

statement! {
    LoadKeys { caller: String => Text, operation: String => Text, keys: Vec<String> => Array<Text> } -> Text,
    "SELECT i.key FROM UNNEST($3) AS wanted (key)
     CROSS JOIN LATERAL (
         SELECT key FROM idempotency WHERE caller = $1 AND operation = $2 AND key = wanted.key OFFSET 0
     ) AS i"
}
