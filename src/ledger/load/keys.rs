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
        state.orders = remembered(LoadOrders { journal, orders }.load(connection)?);
    }
    if !needs.refunds.is_empty() {
        let (orders, refunds) = needs.refunds.iter().cloned().unzip();
        let rows: Vec<(String, String, Vec<u8>, String)> = LoadRefunds { journal, orders, refunds }.load(connection)?;
        let row = |(order, refund, hash, response)| ((order, refund), done(hash, response));
        state.refunds = rows.into_iter().map(row).collect();
    }
    if !needs.external_ids.is_empty() {
        let external_ids = needs.external_ids.iter().cloned().collect();
        state.enrolments = remembered(match reach {
            Reach::Journal => LoadEnrolments { journal, external_ids }.load(connection)?,
            Reach::AllJournals => LoadEnrolmentsAnywhere { external_ids }.load(connection)?,
        });
    }
    if !needs.keys.is_empty() {
        state.keys = keys(connection, journal, needs, reach == Reach::AllJournals)?;
    }
    Ok(())
}

fn remembered(rows: Vec<(String, Vec<u8>, String)>) -> HashMap<String, Remembered> {
    rows.into_iter().map(|(key, hash, response)| (key, done(hash, response))).collect()
}

fn done(hash: Vec<u8>, response: String) -> Remembered {
    Remembered { hash, outcome: Outcome::Done(response), member: None }
}

type KeyRow = ((String, String, String), Vec<u8>, bool, String, Option<Uuid>);

fn keys(
    connection: &mut PgConnection,
    journal: JournalId,
    needs: &Needs,
    all: bool,
) -> Result<HashMap<Key, Remembered>, Failure> {
    let mut load = LoadKeys { journal, all, ..LoadKeys::default() };
    for Key { caller, operation, key } in &needs.keys {
        load.callers.push(caller.clone());
        load.operations.push(operation.clone());
        load.keys.push(key.clone());
    }
    let rows: Vec<KeyRow> = load.load(connection)?;
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
    LoadEnrolments { journal: JournalId => SmallInt, external_ids: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT p.external_id, p.request_hash, p.response
     FROM UNNEST($2) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p
     WHERE p.journal = $1"
}

statement! {
    LoadEnrolmentsAnywhere { external_ids: Vec<String> => Array<Text> } -> (Text, Bytea, Text),
    "SELECT p.external_id, p.request_hash, p.response FROM UNNEST($1) AS wanted (external_id)
     CROSS JOIN LATERAL (SELECT * FROM member_profile WHERE external_id = wanted.external_id OFFSET 0) AS p"
}

statement! {
    LoadKeys {
        journal: JournalId => SmallInt,
        callers: Vec<String> => Array<Text>,
        operations: Vec<String> => Array<Text>,
        keys: Vec<String> => Array<Text>,
        all: bool => Bool,
    } -> ((Text, Text, Text), Bytea, Bool, Text, Nullable<SqlUuid>),
    "SELECT i.caller, i.operation, i.key, i.request_hash, i.refused, i.outcome, i.member
     FROM UNNEST($2, $3, $4) AS wanted (caller, operation, key)
     CROSS JOIN LATERAL (
         SELECT * FROM idempotency
         WHERE caller = wanted.caller AND operation = wanted.operation AND key = wanted.key AND ($5 OR journal = $1)
         OFFSET 0
     ) AS i"
}
