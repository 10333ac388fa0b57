//! What stands open or is remembered of members, against what the entries say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::audit::{Donated, Journal};
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical;
use crate::domain::record::counter::Counter;
use crate::domain::record::order::StoredRefunds;
use crate::domain::record::refund::Reversal;
use crate::postgres::statement::statement;

/// What the records of all journals take of counters, and how much there is of each.
#[derive(Debug, Default)]
pub struct Sums {
    taken: BTreeMap<Uuid, i64>,
    most: BTreeMap<Uuid, Option<i64>>,
}

impl Sums {
    /// Adds a journal.
    pub fn add(&mut self, rebuilt: &Journal) {
        let records = rebuilt.members.values().flat_map(|member| member.records.values());
        for (counter, units) in records.filter_map(|record| record.recorded().takes()) {
            *self.taken.entry(counter).or_default() += units;
        }
        self.most.extend(rebuilt.rewards.iter().map(|(id, (_, supplied))| (*id, *supplied)));
    }
}

/// Compares the counters with what all journals add up to.
pub fn sums(connection: &mut PgConnection, sums: &Sums) -> QueryResult<Result<(), String>> {
    let stored: Vec<(Uuid, i16, Option<i64>, i64)> = LoadCounters {}.load(connection)?;
    let stored = stored.into_iter().map(|(id, journal, most, taken)| (id, (journal, Counter { most, taken })));
    let ids: BTreeSet<&Uuid> = sums.most.keys().chain(sums.taken.keys()).collect();
    let rebuilt = ids.into_iter().map(|id| {
        let (most, taken) = (sums.most.get(id).copied().flatten(), sums.taken.get(id).copied().unwrap_or_default());
        (*id, (PROGRAM_JOURNAL, Counter { most, taken }))
    });
    Ok(same("counter", stored, rebuilt))
}

/// Compares the orders, refunds, records, donations, rewards and causes of a journal.
pub fn compare(
    connection: &mut PgConnection,
    journal: JournalId,
    rebuilt: &Journal,
) -> QueryResult<Result<(), String>> {
    let compared = [
        orders(LoadOrders { journal }.load(connection)?, rebuilt),
        refunds(LoadRefunds { journal }.load(connection)?, rebuilt),
        records(LoadRecords { journal }.load(connection)?, rebuilt),
        donations(LoadDonations { journal }.load(connection)?, rebuilt),
        rewards(LoadRewards { journal }.load(connection)?, rebuilt),
        causes(LoadCauses { journal }.load(connection)?, rebuilt),
        totals(LoadTotals { journal }.load(connection)?, rebuilt),
    ];
    Ok(compared.into_iter().collect())
}

type OrderRow = ((String, i64, Uuid), StoredRefunds, Option<i64>, Option<String>);

fn orders(stored: Vec<OrderRow>, rebuilt: &Journal) -> Result<(), String> {
    let stored = stored.into_iter().map(|((id, seq, member), refunds, claimed, response)| {
        let (refunded, reversed, returned, reversal) = refunds;
        let (reversed, claimed) = (reversed.unwrap_or_default(), claimed.unwrap_or_default());
        // What cannot be read is nobody's.
        let reversal = reversal.map_or(Some(Reversal::settled(reversed)), |text| serde_json::from_str(&text).ok());
        let sums = (refunded, reversed, returned.unwrap_or_default(), claimed, reversal);
        let earned = match response {
            Some(response) => points_answered(&response),
            // An answer that is not stored follows from the entry, which then earned something.
            None => points_of(rebuilt, member, &id).filter(|points| *points > 0),
        };
        (id, ((seq, member), sums, earned))
    });
    let records = rebuilt.members.values().flat_map(|member| member.orders.values().map(move |order| (member, order)));
    let rebuilt = records.map(|(member, order)| {
        let seq = rebuilt.orders.get(&order.order_id).map_or(0, |(seq, _)| *seq);
        let reversal = Some(order.reversal.clone());
        let sums = (
            order.was_refunded.then_some(order.refunded),
            order.reversed,
            order.returned,
            order.reversal.looks_to(),
            reversal,
        );
        (order.order_id.clone(), ((seq, member.id.uuid()), sums, Some(order.points)))
    });
    same("order", stored, rebuilt)
}

fn points_answered(response: &str) -> Option<i64> {
    serde_json::from_str::<Value>(response).ok()?["earned"]["points"].as_i64()
}

fn points_of(rebuilt: &Journal, member: Uuid, order_id: &str) -> Option<i64> {
    let member = rebuilt.members.get(&MemberId::try_from(member).ok()?)?;
    member.orders.get(order_id).map(|order| order.points)
}

type RefundRow = (String, String, i64, Uuid, Decimal);

fn refunds(stored: Vec<RefundRow>, rebuilt: &Journal) -> Result<(), String> {
    let key = |order: &str, refund: &str| format!("{refund} of order {order}");
    let stored =
        stored.into_iter().map(|(order, refund, seq, member, amount)| (key(&order, &refund), (seq, member, amount)));
    let rebuilt = rebuilt
        .refunds
        .iter()
        .map(|((order, refund), seen)| (key(order, refund), (seen.seq, seen.member.uuid(), seen.refund.amount)));
    same("refund", stored, rebuilt)
}

type RecordRow = ((Uuid, Uuid, Option<Uuid>), (DateTime<Utc>, Option<DateTime<Utc>>), bool, (String, String, String));

fn records(stored: Vec<RecordRow>, rebuilt: &Journal) -> Result<(), String> {
    let stored = stored.into_iter().map(|((id, member, about), times, counts, (kind, status, state))| {
        (id, (member, about, times, counts, (kind, status, state)))
    });
    let all = rebuilt.members.values().flat_map(|member| member.records.values());
    let rebuilt = all.map(|whole| {
        let record = whole.recorded();
        let times = (record.created_at(), record.due().map(|(at, _)| at));
        let state = (whole.name().to_owned(), record.status().to_owned(), text(whole));
        (record.id(), (record.member_id().uuid(), record.about(), times, record.counts(), state))
    });
    same("record", stored, rebuilt)
}

fn donations(stored: Vec<(i64, Uuid, Uuid, i64, bool)>, rebuilt: &Journal) -> Result<(), String> {
    let stored = stored.into_iter().map(|(seq, member, cause, points, fits)| (seq, (member, cause, points, fits)));
    let row = |given: &Donated| (given.seq, (given.member.uuid(), given.cause, given.points, true));
    let rebuilt = rebuilt.donations.iter().map(row);
    same("donation of entry", stored, rebuilt)
}

fn rewards(stored: Vec<(Uuid, String)>, rebuilt: &Journal) -> Result<(), String> {
    same("reward", stored, rebuilt.rewards.iter().map(|(id, (terms, _))| (*id, text(terms))))
}

fn causes(stored: Vec<(Uuid, String)>, rebuilt: &Journal) -> Result<(), String> {
    same("cause", stored, rebuilt.causes.iter().map(|(id, terms)| (*id, text(terms))))
}

// A cause is an account: what was given to it is what its account holds.
fn totals(stored: Vec<(Uuid, i64, i64)>, rebuilt: &Journal) -> Result<(), String> {
    let account = |cause: Uuid| Account::Donation(cause.to_string()).to_string();
    let stored = stored.into_iter().map(|(cause, points, donations)| (account(cause), (i128::from(points), donations)));
    let mut given: BTreeMap<Uuid, i64> = BTreeMap::new();
    for donation in &rebuilt.donations {
        *given.entry(donation.cause).or_default() += 1;
    }
    let given: BTreeMap<String, i64> =
        given.into_iter().map(|(cause, donations)| (account(cause), donations)).collect();
    let accounts = rebuilt.accounts.iter().filter(|(name, _)| name.starts_with("donation:"));
    let rebuilt =
        accounts.map(|(name, points)| (name.clone(), (*points, given.get(name).copied().unwrap_or_default())));
    same("total of the account", stored, rebuilt)
}

// Compares rows with what they must be, by key.
fn same<K: Ord + Display, V: PartialEq + Debug>(
    what: &str,
    stored: impl IntoIterator<Item = (K, V)>,
    rebuilt: impl IntoIterator<Item = (K, V)>,
) -> Result<(), String> {
    let mut rebuilt: BTreeMap<K, V> = rebuilt.into_iter().collect();
    for (key, row) in stored {
        match rebuilt.remove(&key) {
            Some(meant) if meant == row => {}
            Some(_) => return Err(format!("{what} {key} is stored otherwise than its entries say")),
            None => return Err(format!("{what} {key} is stored, and no entry says so")),
        }
    }
    match rebuilt.keys().next() {
        Some(key) => Err(format!("{what} {key} is missing, which an entry recorded")),
        None => Ok(()),
    }
}

fn text(state: &impl Serialize) -> String {
    canonical::text_of(state).unwrap_or_default()
}

statement! {
    LoadCounters {} -> (SqlUuid, SmallInt, Nullable<BigInt>, BigInt),
    "SELECT id, journal, most, taken FROM counter"
}

statement! {
    LoadRewards { journal: JournalId => SmallInt } -> (SqlUuid, Text),
    "SELECT id, terms FROM reward WHERE journal = $1"
}

statement! {
    LoadOrders { journal: JournalId => SmallInt }
    -> (
        (Text, BigInt, SqlUuid),
        (Nullable<Numeric>, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>),
        Nullable<BigInt>,
        Nullable<Text>
    ),
    "SELECT order_id, seq, member, refunded, reversed, returned, reversal, claimed, response
     FROM orders WHERE journal = $1"
}

statement! {
    LoadRefunds { journal: JournalId => SmallInt } -> (Text, Text, BigInt, SqlUuid, Numeric),
    "SELECT order_id, refund_id, seq, member, amount FROM refund WHERE journal = $1"
}

statement! {
    LoadRecords { journal: JournalId => SmallInt }
    -> ((SqlUuid, SqlUuid, Nullable<SqlUuid>), (Timestamptz, Nullable<Timestamptz>), Bool, (Text, Text, Text)),
    "SELECT id, member, about, created_at, due_at, counts, kind, status, state FROM record WHERE journal = $1"
}

statement! {
    // The entry itself has been checked by then, so that what follows from its row may be compared where it stands.
    LoadDonations { journal: JournalId => SmallInt } -> (BigInt, SqlUuid, SqlUuid, BigInt, Bool),
    "SELECT d.seq, d.member, d.cause, d.points,
         (d.id, d.donated_at) IS NOT DISTINCT FROM (e.command, e.effective_at)
     FROM donation AS d LEFT JOIN entry AS e ON e.journal = $1 AND e.seq = d.seq
     WHERE d.journal = $1"
}

statement! {
    LoadCauses { journal: JournalId => SmallInt } -> (SqlUuid, Text),
    "SELECT id, terms FROM cause WHERE journal = $1"
}

statement! {
    LoadTotals { journal: JournalId => SmallInt } -> (SqlUuid, BigInt, BigInt),
    "SELECT cause, points, donations FROM cause_total WHERE journal = $1"
}
