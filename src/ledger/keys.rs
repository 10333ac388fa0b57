//! Keys: what was asked before, and what it was answered (invariant 4).

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Bytea, Nullable, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::Failure;
use super::answer::{Key, NaturalKey, Outcome, Remembered};
use super::batch::{Known, body};
use super::request::Request;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::order::OrderReply;
use crate::postgres::statement::statement;

/// Where a key that another journal may hold is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the batch's journal: all that is ever needed unless two journals meet.
    Journal,
    /// In all journals, after a unique index has shown that some journal holds one.
    AllJournals,
}

/// Loads what there is under the keys of `requests`, in the lane's `journal` or as far as `reach` says.
pub fn known(
    connection: &mut PgConnection,
    (journal, reach): (JournalId, Reach),
    requests: &[&Request],
) -> Result<Known, Failure> {
    let Wanted { orders, refunds, customers, keys, keys_anywhere } = Wanted::of(requests);
    let mut known = Known::default();
    if !orders.is_empty() {
        let orders: Vec<String> = orders.into_iter().collect();
        if reach == Reach::AllJournals {
            let orders = orders.clone();
            known.orders_elsewhere = LoadOrdersElsewhere { journal, orders }.load(connection)?.into_iter().collect();
        }
        let rows: Vec<OrderRow> = LoadOrders { journal, orders }.load(connection)?;
        let order = |row| order(row).ok_or(Failure::UnreadableRow("orders"));
        known.orders = rows.into_iter().map(order).collect::<Result<_, _>>()?;
    }
    if !refunds.is_empty() {
        let (orders, refunds) = refunds.into_iter().unzip();
        let rows: Vec<(String, String, Vec<u8>, String)> = LoadRefunds { journal, orders, refunds }.load(connection)?;
        let row = |(order, refund, hash, response)| ((order, refund), done(hash, response));
        known.refunds = rows.into_iter().map(row).collect();
    }
    if !customers.is_empty() {
        let external_ids = customers.into_iter().collect();
        let rows: Vec<(String, Vec<u8>, String, Uuid)> = match reach {
            Reach::Journal => LoadEnrolments { journal, external_ids }.load(connection)?,
            Reach::AllJournals => LoadEnrolmentsAnywhere { external_ids }.load(connection)?,
        };
        for (external_id, hash, response, member) in rows {
            let member = MemberId::try_from(member).map_err(|_| Failure::UnreadableRow("member_profile"))?;
            known.enrolments.insert(external_id, Remembered { member: Some(member), ..done(hash, response) });
        }
    }
    if !keys.is_empty() {
        let anywhere = keys_anywhere || reach == Reach::AllJournals;
        known.keys = used(connection, journal, keys, anywhere)?;
    }
    Ok(known)
}

/// The keys of a batch, each once.
#[derive(Default)]
struct Wanted {
    orders: BTreeSet<String>,
    /// By order and id.
    refunds: BTreeSet<(String, String)>,
    customers: BTreeSet<String>,
    keys: BTreeSet<Key>,
    /// Is one of them beside a natural key? A refusal that can heal takes no such key, and so meets no index that would
    /// tell of the same key in another journal.
    keys_anywhere: bool,
}

impl Wanted {
    fn of(requests: &[&Request]) -> Self {
        let mut wanted = Self::default();
        for request in requests {
            let natural = request.asked().natural_key();
            for key in natural.into_iter().chain(request.asked().other_key()) {
                match key {
                    NaturalKey::Order(id) => wanted.orders.insert(id.to_owned()),
                    NaturalKey::Refund { order, refund } => {
                        wanted.refunds.insert((order.to_owned(), refund.to_owned()))
                    }
                    NaturalKey::Customer(id) => wanted.customers.insert(id.to_owned()),
                };
            }
            wanted.keys.extend(request.full_key());
            wanted.keys_anywhere |= request.key.is_some() && natural.is_some();
        }
        wanted
    }
}

type OrderRow = ((String, Uuid), Vec<u8>, Option<String>, Option<String>);

// What was answered is stored, or follows from the entry.
fn order(((order_id, member), hash, response, payload): OrderRow) -> Option<(String, Remembered)> {
    let response = match response {
        Some(response) => response,
        None => body(&OrderReply::of_entry(order_id.clone(), MemberId::try_from(member).ok()?, &payload?)?),
    };
    Some((order_id, done(hash, response)))
}

fn done(hash: Vec<u8>, response: String) -> Remembered {
    Remembered { hash, outcome: Outcome::Done(response), member: None }
}

type KeyRow = ((String, String, String), Vec<u8>, bool, String, Option<Uuid>);

fn used(
    connection: &mut PgConnection,
    journal: JournalId,
    wanted: BTreeSet<Key>,
    anywhere: bool,
) -> Result<HashMap<Key, Remembered>, Failure> {
    let (mut callers, mut operations, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for Key { caller, operation, key } in wanted {
        callers.push(caller);
        operations.push(operation);
        keys.push(key);
    }
    let rows: Vec<KeyRow> = match anywhere {
        false => LoadKeys { journal, callers, operations, keys }.load(connection)?,
        true => LoadKeysAnywhere { callers, operations, keys }.load(connection)?,
    };
    let row = |((caller, operation, key), hash, refused, outcome, member): KeyRow| {
        let outcome = match refused {
            true => serde_json::from_str(&outcome).map(Outcome::Refused),
            false => Ok(Outcome::Done(outcome)),
        };
        let outcome = outcome.map_err(|_| Failure::UnreadableRow("idempotency"))?;
        let member = member.map(MemberId::try_from).transpose();
        let member = member.map_err(|_| Failure::UnreadableRow("idempotency"))?;
        Ok((Key { caller, operation, key }, Remembered { hash, outcome, member }))
    };
    rows.into_iter().map(row).collect()
}

statement! {
    LoadOrders { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> }
    -> ((Text, SqlUuid), Bytea, Nullable<Text>, Nullable<Text>),
    "SELECT o.order_id, o.member, o.request_hash, o.response,
         CASE WHEN o.response IS NULL THEN (SELECT payload FROM entry WHERE journal = $1 AND seq = o.seq) END
     FROM UNNEST($2) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE journal = $1 AND order_id = wanted.order_id OFFSET 0) AS o"
}

statement! {
    LoadOrdersElsewhere { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> } -> Text,
    "SELECT o.order_id FROM UNNEST($2) AS wanted (order_id)
     CROSS JOIN LATERAL (SELECT * FROM orders WHERE order_id = wanted.order_id OFFSET 0) AS o
     WHERE o.journal <> $1"
}

statement! {
    LoadRefunds {
        journal: JournalId => SmallInt,
        orders: Vec<String> => Array<Text>,
        refunds: Vec<String> => Array<Text>,
    } -> (Text, Text, Bytea, Text),
    "SELECT r.order_id, r.refund_id, r.request_hash, r.response FROM UNNEST($2, $3) AS wanted (order_id, refund_id)
     CROSS JOIN LATERAL (
         SELECT * FROM refund
         WHERE journal = $1 AND order_id = wanted.order_id AND refund_id = wanted.refund_id OFFSET 0
     ) AS r"
}

statement! {
    LoadEnrolments { journal: JournalId => SmallInt, external_ids: Vec<String> => Array<Text> }
    -> (Text, Bytea, Text, SqlUuid),
    "SELECT p.external_id, p.request_hash, p.response, p.member
     FROM UNNEST($2) AS wanted (external_id)
     CROSS JOIN LATERAL (
         SELECT * FROM member_profile WHERE journal = $1 AND external_id = wanted.external_id OFFSET 0
     ) AS p"
}

statement! {
    LoadEnrolmentsAnywhere { external_ids: Vec<String> => Array<Text> } -> (Text, Bytea, Text, SqlUuid),
    "SELECT p.external_id, p.request_hash, p.response, p.member FROM UNNEST($1) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p"
}

statement! {
    LoadKeys {
        journal: JournalId => SmallInt,
        callers: Vec<String> => Array<Text>,
        operations: Vec<String> => Array<Text>,
        keys: Vec<String> => Array<Text>,
    } -> ((Text, Text, Text), Bytea, Bool, Text, Nullable<SqlUuid>),
    "SELECT i.caller, i.operation, i.key, i.request_hash, i.refused, i.outcome, i.member
     FROM UNNEST($2, $3, $4) AS wanted (caller, operation, key)
     CROSS JOIN LATERAL (
         SELECT * FROM idempotency
         WHERE journal = $1 AND caller = wanted.caller AND operation = wanted.operation AND key = wanted.key OFFSET 0
     ) AS i"
}

statement! {
    LoadKeysAnywhere {
        callers: Vec<String> => Array<Text>,
        operations: Vec<String> => Array<Text>,
        keys: Vec<String> => Array<Text>,
    } -> ((Text, Text, Text), Bytea, Bool, Text, Nullable<SqlUuid>),
    "SELECT i.caller, i.operation, i.key, i.request_hash, i.refused, i.outcome, i.member
     FROM UNNEST($1, $2, $3) AS wanted (caller, operation, key)
     CROSS JOIN LATERAL (
         SELECT * FROM idempotency
         WHERE caller = wanted.caller AND operation = wanted.operation AND key = wanted.key OFFSET 0
     ) AS i"
}
