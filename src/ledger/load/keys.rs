//! Keys: what was asked before, and what it was answered (invariant 4).

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Bytea, Nullable, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::Failure;
use super::super::command::{Key, Outcome};
use super::super::state::{Remembered, State};
use super::needs::Needs;
use super::{Around, Reach};
use crate::domain::ids::{JournalId, MemberId};
use crate::postgres::statement::statement;

/// Loads the orders, refunds, enrolments and idempotency keys that exist of those that are needed.
pub fn load(
    connection: &mut PgConnection,
    around: &Around<'_>,
    needs: &Needs,
    state: &mut State,
) -> Result<(), Failure> {
    let Around { journal, reach, .. } = *around;
    if !needs.orders.is_empty() {
        let orders = needs.orders.iter().cloned().collect();
        if reach == Reach::AllJournals {
            let orders = needs.orders.iter().cloned().collect();
            state.orders_elsewhere = LoadOrdersElsewhere { journal, orders }.load(connection)?.into_iter().collect();
        }
        let rows: Vec<(String, Vec<u8>, String)> = LoadOrders { journal, orders }.load(connection)?;
        state.orders = rows.into_iter().map(|(order, hash, response)| (order, done(hash, response))).collect();
    }
    if !needs.refunds.is_empty() {
        let (orders, refunds) = needs.refunds.iter().cloned().unzip();
        let rows: Vec<(String, String, Vec<u8>, String)> = LoadRefunds { journal, orders, refunds }.load(connection)?;
        let row = |(order, refund, hash, response)| ((order, refund), done(hash, response));
        state.refunds = rows.into_iter().map(row).collect();
    }
    if !needs.external_ids.is_empty() {
        let external_ids = needs.external_ids.iter().cloned().collect();
        let rows: Vec<(String, Vec<u8>, String, Uuid)> = match reach {
            Reach::Journal => LoadEnrolments { journal, external_ids }.load(connection)?,
            Reach::AllJournals => LoadEnrolmentsAnywhere { external_ids }.load(connection)?,
        };
        for (external_id, hash, response, member) in rows {
            let member = MemberId::try_from(member).map_err(|_| Failure::UnreadableRow("member_profile"))?;
            state.enrolments.insert(external_id, Remembered { member: Some(member), ..done(hash, response) });
        }
    }
    if !needs.keys.is_empty() {
        state.keys = keys(connection, around, needs)?;
    }
    Ok(())
}

fn done(hash: Vec<u8>, response: String) -> Remembered {
    Remembered { hash, outcome: Outcome::Done(response), member: None }
}

type KeyRow = ((String, String, String), Vec<u8>, bool, String, Option<Uuid>);

fn keys(
    connection: &mut PgConnection,
    around: &Around<'_>,
    needs: &Needs,
) -> Result<HashMap<Key, Remembered>, Failure> {
    let (mut callers, mut operations, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for Key { caller, operation, key } in &needs.keys {
        callers.push(caller.clone());
        operations.push(operation.clone());
        keys.push(key.clone());
    }
    let journal = around.journal;
    let rows: Vec<KeyRow> = match around.reach {
        Reach::Journal if !needs.keys_anywhere => LoadKeys { journal, callers, operations, keys }.load(connection)?,
        _ => LoadKeysAnywhere { callers, operations, keys }.load(connection)?,
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
    LoadOrders { journal: JournalId => SmallInt, orders: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT o.order_id, o.request_hash, o.response FROM UNNEST($2) AS wanted (order_id)
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
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p
     WHERE p.journal = $1"
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
