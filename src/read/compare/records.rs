//! What stands open or is remembered of members, against what the entries say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::left::Left;
use super::stored::{DonationRow, OrderRow, RecordRow, RefundRow, Stored};
use super::total::Total;
use crate::domain::audit::{Donated, Journal};
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical;
use crate::domain::record::counter::Counter;
use crate::domain::record::refund::Reversal;
use crate::postgres::statement::statement;

/// What the records of all journals take of counters, and how much there is of each.
#[derive(Debug, Default)]
pub struct Sums {
    taken: BTreeMap<Uuid, i64>,
    most: BTreeMap<Uuid, Option<i64>>,
}

impl Sums {
    /// Adds some members of a journal, and what belongs to none.
    pub fn add(&mut self, rebuilt: &Journal) {
        let records = rebuilt.members.values().flat_map(|member| member.records.values());
        for (counter, units) in records.filter_map(|record| record.recorded().takes()) {
            *self.taken.entry(counter).or_default() += units;
        }
        self.most.extend(rebuilt.rewards.iter().map(|(id, (_, supplied))| (*id, *supplied)));
    }

    /// Adds those of other members.
    pub fn join(&mut self, other: Sums) {
        for (counter, units) in other.taken {
            *self.taken.entry(counter).or_default() += units;
        }
        self.most.extend(other.most);
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

/// Sets aside what orders, refunds, records and donations are not stored as some members' entries say.
pub fn differ(stored: Stored, rebuilt: &Journal, left: &mut [Left; 4]) {
    let [order, refund, record, donation] = left;
    orders(order, stored.orders, rebuilt);
    refunds(refund, stored.refunds, rebuilt);
    records(record, stored.records, rebuilt);
    donations(donation, stored.donations, rebuilt);
}

/// Compares the rewards, causes, totals and tiers of a journal, in this order.
pub fn compare(
    connection: &mut PgConnection,
    journal: JournalId,
    rebuilt: &Total,
) -> QueryResult<[Result<(), String>; 4]> {
    Ok([
        rewards(LoadRewards { journal }.load(connection)?, rebuilt),
        causes(LoadCauses { journal }.load(connection)?, rebuilt),
        totals(LoadTotals { journal }.load(connection)?, rebuilt),
        tiers(LoadTiers { journal }.load(connection)?, rebuilt),
    ])
}

fn orders(left: &mut Left, stored: Vec<OrderRow>, rebuilt: &Journal) {
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
    left.unlike(stored, rebuilt);
}

fn points_answered(response: &str) -> Option<i64> {
    serde_json::from_str::<Value>(response).ok()?["earned"]["points"].as_i64()
}

fn points_of(rebuilt: &Journal, member: Uuid, order_id: &str) -> Option<i64> {
    let member = rebuilt.members.get(&MemberId::try_from(member).ok()?)?;
    member.orders.get(order_id).map(|order| order.points)
}

fn refunds(left: &mut Left, stored: Vec<RefundRow>, rebuilt: &Journal) {
    let key = |order: &str, refund: &str| format!("{refund} of order {order}");
    let stored =
        stored.into_iter().map(|(order, refund, seq, member, amount)| (key(&order, &refund), (seq, member, amount)));
    let rebuilt = rebuilt
        .refunds
        .iter()
        .map(|((order, refund), seen)| (key(order, refund), (seen.seq, seen.member.uuid(), seen.refund.amount)));
    left.unlike(stored, rebuilt);
}

fn records(left: &mut Left, stored: Vec<RecordRow>, rebuilt: &Journal) {
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
    left.unlike(stored, rebuilt);
}

fn donations(left: &mut Left, stored: Vec<DonationRow>, rebuilt: &Journal) {
    let stored = stored.into_iter().map(|(seq, member, cause, points, fits)| (seq, (member, cause, points, fits)));
    let row = |given: &Donated| (given.seq, (given.member.uuid(), given.cause, given.points, true));
    let rebuilt = rebuilt.donations.iter().map(row);
    left.unlike(stored, rebuilt);
}

fn rewards(stored: Vec<(Uuid, String)>, rebuilt: &Total) -> Result<(), String> {
    same("reward", stored, rebuilt.rewards.iter().map(|(id, (terms, _))| (*id, text(terms))))
}

fn causes(stored: Vec<(Uuid, String)>, rebuilt: &Total) -> Result<(), String> {
    same("cause", stored, rebuilt.causes.iter().map(|(id, terms)| (*id, text(terms))))
}

// A cause is an account: what was given to it is what its account holds.
fn totals(stored: Vec<(Uuid, i64, i64)>, rebuilt: &Total) -> Result<(), String> {
    let account = |cause: Uuid| Account::Donation(cause.to_string()).to_string();
    let stored = stored.into_iter().map(|(cause, points, donations)| (account(cause), (i128::from(points), donations)));
    let given: BTreeMap<String, i64> =
        rebuilt.given.iter().map(|(cause, donations)| (account(*cause), *donations)).collect();
    let accounts = rebuilt.accounts.iter().filter(|(name, _)| name.starts_with("donation:"));
    let rebuilt =
        accounts.map(|(name, points)| (name.clone(), (*points, given.get(name).copied().unwrap_or_default())));
    same("total of the account", stored, rebuilt)
}

// Of a tier that everybody has left a row may be left.
fn tiers(stored: Vec<(String, i64)>, rebuilt: &Total) -> Result<(), String> {
    let stored = stored.into_iter().filter(|(_, members)| *members != 0);
    same("total of tier", stored, rebuilt.tiers.iter().map(|(tier, members)| (tier.clone(), *members)))
}

// Compares rows with what they must be, by key.
fn same<K: Ord + Display, V: PartialEq>(
    what: &str,
    stored: impl IntoIterator<Item = (K, V)>,
    rebuilt: impl IntoIterator<Item = (K, V)>,
) -> Result<(), String> {
    let mut left = Left::default();
    left.unlike(stored, rebuilt);
    left.verdict(what)
}

fn text(state: &impl Serialize) -> String {
    canonical::to_string(state).unwrap_or_default()
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
    LoadCauses { journal: JournalId => SmallInt } -> (SqlUuid, Text),
    "SELECT id, terms FROM cause WHERE journal = $1"
}

statement! {
    LoadTotals { journal: JournalId => SmallInt } -> (SqlUuid, BigInt, BigInt),
    "SELECT cause, points, donations FROM cause_total WHERE journal = $1"
}

statement! {
    LoadTiers { journal: JournalId => SmallInt } -> (Text, BigInt),
    "SELECT tier, members FROM tier_total WHERE journal = $1"
}
