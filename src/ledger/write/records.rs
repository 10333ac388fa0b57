//! What a batch adds once: orders and their refunds, donations, notes, keys; and what belongs to no member.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::Failure;
use super::super::answer::Outcome;
use super::super::batch::Changes;
use super::{Before, run};
use crate::domain::ids::{JournalId, MemberId, PROGRAM_JOURNAL};
use crate::domain::journal::canonical;
use crate::domain::member::Member;
use crate::domain::record::order::OrderRecord;
use crate::domain::tier::Reviewed;
use crate::domain::time::Timestamp;
use crate::load::State;
use crate::postgres::statement::statement;

/// Writes what became of orders of a journal: of those that were refunded, and of those whose claims changed with what is
/// held. Both are rare: one statement for each order.
pub fn refunded(
    connection: &mut PgConnection,
    journal: JournalId,
    before: &HashMap<MemberId, Member>,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let touched: BTreeSet<&str> = changes.refunds.iter().map(|new| new.refund.order_id.as_str()).collect();
    let members = state.members.values().filter(|member| member.id.journal() == journal);
    let mut refunded: Vec<&OrderRecord> = members
        .flat_map(|member| {
            let old = before.get(&member.id);
            let was = move |order: &OrderRecord| old.and_then(|old| old.orders.get(&order.order_id)) == Some(order);
            let of_refund = |order: &OrderRecord| touched.contains(order.order_id.as_str());
            member.orders.values().filter(move |order| of_refund(order) || order.was_refunded && !was(order))
        })
        .collect();
    refunded.sort_unstable_by_key(|order| &order.order_id);
    for order in refunded {
        let back = state.purchases.get(&order.order_id).map(|purchase| &purchase.back);
        let items = back.filter(|back| !back.is_empty()).map(serde_json::to_string).transpose();
        let update = UpdateOrder {
            journal,
            order_id: order.order_id.clone(),
            refunded: order.refunded,
            reversed: order.reversed,
            returned: order.returned,
            claimed: order.reversal.looks_to(),
            reversal: canonical::to_string(&order.reversal)?,
            refunded_items: items.map_err(|_| Failure::NotCanonical)?,
        };
        run(connection, "orders", 1, update)?;
    }
    Ok(())
}

/// Writes new refunds.
pub fn refunds(connection: &mut PgConnection, journal: JournalId, changes: &Changes) -> Result<(), Failure> {
    let mut rows = InsertRefunds { journal, ..InsertRefunds::default() };
    for new in &changes.refunds {
        rows.seqs.push(new.seq);
        rows.members.push(new.refund.member_id.uuid());
        rows.order_ids.push(new.refund.order_id.clone());
        rows.refund_ids.push(new.refund.refund_id.clone());
        rows.amounts.push(new.refund.amount);
        let items = new.refund.items.as_ref().map(serde_json::to_string).transpose();
        rows.items.push(items.map_err(|_| Failure::NotCanonical)?);
        rows.hashes.push(new.hash.to_vec());
        rows.responses.push(new.response.clone());
    }
    run(connection, "refund", rows.seqs.len(), rows)
}

/// Writes donations, and adds them to the totals of their causes in this journal.
pub fn donations(connection: &mut PgConnection, journal: JournalId, changes: &Changes) -> Result<(), Failure> {
    let mut rows = InsertDonations { journal, ..InsertDonations::default() };
    let mut totals: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    for (donation, seq) in &changes.donations {
        rows.donated.push(donation.donated_at);
        rows.seqs.push(*seq);
        rows.points.push(donation.points);
        rows.ids.push(donation.id);
        rows.members.push(donation.member_id.uuid());
        rows.causes.push(donation.cause_id);
        let total = totals.entry(donation.cause_id).or_default();
        *total = (total.0 + donation.points, total.1 + 1);
    }
    run(connection, "donation", rows.ids.len(), rows)?;
    let mut added = AddToTotals { journal, ..AddToTotals::default() };
    for (cause, (points, donations)) in totals {
        added.causes.push(cause);
        added.points.push(points);
        added.donations.push(donations);
    }
    run(connection, "cause_total", added.causes.len(), added)
}

/// Writes what people wrote.
pub fn notes(connection: &mut PgConnection, journal: JournalId, changes: &Changes) -> Result<(), Failure> {
    let mut rows = InsertNotes { journal, ..InsertNotes::default() };
    for note in &changes.notes {
        rows.about.push(note.about);
        rows.members.push(note.member.uuid());
        rows.other_members.push(note.other_member.map(MemberId::uuid));
        rows.bodies.push(note.body.clone());
    }
    run(connection, "note", rows.about.len(), rows)
}

/// Writes keys and what they stand for.
pub fn keys(
    connection: &mut PgConnection,
    journal: JournalId,
    recorded_at: Timestamp,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut rows = InsertKeys { journal, recorded_at, ..InsertKeys::default() };
    let mut keys: Vec<_> = changes.keys.iter().collect();
    keys.sort_unstable_by_key(|new| &new.key);
    for new in keys {
        rows.callers.push(new.key.caller.clone());
        rows.operations.push(new.key.operation.clone());
        rows.keys.push(new.key.key.clone());
        rows.hashes.push(new.remembered.hash.clone());
        let (refused, outcome) = match &new.remembered.outcome {
            Outcome::Done(body) => (false, body.clone()),
            Outcome::Refused(refusal) => (true, serde_json::to_string(refusal).map_err(|_| Failure::NotCanonical)?),
        };
        rows.refused.push(refused);
        rows.outcomes.push(outcome);
        rows.members.push(new.remembered.member.map(MemberId::uuid));
    }
    run(connection, "idempotency", rows.keys.len(), rows)
}

/// Writes how far reviews of tiers are.
pub fn reviewed(connection: &mut PgConnection, changes: &Changes) -> Result<(), Failure> {
    for Reviewed { journal, version, after, members, is_done } in changes.reviewed.iter().copied() {
        run(connection, "tier_review", 1, PutReview { journal, version, after, members, done: is_done })?;
    }
    Ok(())
}

/// Writes programme versions, causes, and the rewards and counters that differ from what they were before.
pub fn program(
    connection: &mut PgConnection,
    published_at: Timestamp,
    before: &Before,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let journal = PROGRAM_JOURNAL;
    for version in &changes.versions {
        let row = InsertVersion {
            journal,
            version: version.version,
            effective_at: version.effective_at,
            published_at,
            document: version.program.document().to_string(),
        };
        run(connection, "program_version", 1, row)?;
    }
    for cause in &changes.causes {
        run(connection, "cause", 1, InsertCause { journal, id: cause.id, terms: canonical::to_string(&cause.terms)? })?;
    }
    let mut rewards = PutRewards { journal, ..PutRewards::default() };
    for (id, terms) in state.rewards.iter().filter(|(id, terms)| before.rewards.get(id) != Some(terms)) {
        rewards.ids.push(*id);
        rewards.terms.push(canonical::to_string(terms)?);
    }
    run(connection, "reward", rewards.ids.len(), rewards)?;
    let mut counters = PutCounters { journal, ..PutCounters::default() };
    for (id, counter) in state.counters.iter().filter(|(id, counter)| before.counters.get(id) != Some(counter)) {
        counters.ids.push(*id);
        counters.most.push(counter.most);
        counters.taken.push(counter.taken);
    }
    run(connection, "counter", counters.ids.len(), counters)
}

statement! {
    PutReview {
        journal: JournalId => SmallInt,
        version: i32 => Integer,
        after: Uuid => SqlUuid,
        members: i64 => BigInt,
        done: bool => Bool,
    } -> Integer,
    "INSERT INTO tier_review (journal, version, after, members, done) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (journal, version) DO UPDATE SET after = EXCLUDED.after, members = EXCLUDED.members,
         done = EXCLUDED.done
     RETURNING 1"
}

statement! {
    UpdateOrder {
        journal: JournalId => SmallInt,
        order_id: String => Text,
        refunded: Decimal => Numeric,
        reversed: i64 => BigInt,
        returned: i64 => BigInt,
        claimed: i64 => BigInt,
        reversal: String => Text,
        refunded_items: Option<String> => Nullable<Text>,
    } -> Integer,
    // Items that came back stay: of an order whose claims alone changed they were not loaded.
    "UPDATE orders SET refunded = $3, reversed = $4, returned = $5, claimed = $6, reversal = $7,
         refunded_items = COALESCE($8, refunded_items)
     WHERE journal = $1 AND order_id = $2
     RETURNING 1"
}

statement! {
    InsertRefunds {
        journal: JournalId => SmallInt,
        seqs: Vec<i64> => Array<BigInt>,
        members: Vec<Uuid> => Array<SqlUuid>,
        order_ids: Vec<String> => Array<Text>,
        refund_ids: Vec<String> => Array<Text>,
        amounts: Vec<Decimal> => Array<Numeric>,
        items: Vec<Option<String>> => Array<Nullable<Text>>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        responses: Vec<String> => Array<Text>,
    } -> Integer,
    "INSERT INTO refund (journal, seq, member, order_id, refund_id, amount, items, request_hash, response)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9)
     RETURNING 1"
}

statement! {
    InsertDonations {
        journal: JournalId => SmallInt,
        donated: Vec<Timestamp> => Array<Timestamptz>,
        seqs: Vec<i64> => Array<BigInt>,
        points: Vec<i64> => Array<BigInt>,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Uuid> => Array<SqlUuid>,
        causes: Vec<Uuid> => Array<SqlUuid>,
    } -> Integer,
    "INSERT INTO donation (journal, donated_at, seq, points, id, member, cause)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7)
     RETURNING 1"
}

statement! {
    AddToTotals {
        journal: JournalId => SmallInt,
        causes: Vec<Uuid> => Array<SqlUuid>,
        points: Vec<i64> => Array<BigInt>,
        donations: Vec<i64> => Array<BigInt>,
    } -> Integer,
    "INSERT INTO cause_total (journal, cause, points, donations) SELECT $1, * FROM UNNEST($2, $3, $4)
     ON CONFLICT (journal, cause) DO UPDATE SET points = cause_total.points + EXCLUDED.points,
         donations = cause_total.donations + EXCLUDED.donations
     RETURNING 1"
}

statement! {
    InsertNotes {
        journal: JournalId => SmallInt,
        about: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Uuid> => Array<SqlUuid>,
        other_members: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        bodies: Vec<String> => Array<Text>,
    } -> Integer,
    "INSERT INTO note (journal, about, member, other_member, body) SELECT $1, * FROM UNNEST($2, $3, $4, $5)
     RETURNING 1"
}

statement! {
    InsertKeys {
        journal: JournalId => SmallInt,
        recorded_at: Timestamp => Timestamptz,
        callers: Vec<String> => Array<Text>,
        operations: Vec<String> => Array<Text>,
        keys: Vec<String> => Array<Text>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        refused: Vec<bool> => Array<Bool>,
        outcomes: Vec<String> => Array<Text>,
        members: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
    } -> Integer,
    "INSERT INTO idempotency (journal, recorded_at, caller, operation, key, request_hash, refused, outcome, member)
     SELECT $1, $2, * FROM UNNEST($3, $4, $5, $6, $7, $8, $9)
     RETURNING 1"
}

statement! {
    InsertVersion {
        journal: JournalId => SmallInt,
        version: i32 => Integer,
        effective_at: Timestamp => Timestamptz,
        published_at: Timestamp => Timestamptz,
        document: String => Text,
    } -> Integer,
    "INSERT INTO program_version (journal, version, effective_at, published_at, document)
     VALUES ($1, $2, $3, $4, $5)
     RETURNING 1"
}

statement! {
    InsertCause { journal: JournalId => SmallInt, id: Uuid => SqlUuid, terms: String => Text } -> Integer,
    "INSERT INTO cause (journal, id, terms) VALUES ($1, $2, $3)
     RETURNING 1"
}

statement! {
    PutRewards { journal: JournalId => SmallInt, ids: Vec<Uuid> => Array<SqlUuid>, terms: Vec<String> => Array<Text> }
    -> Integer,
    "INSERT INTO reward (journal, id, terms) SELECT $1, * FROM UNNEST($2, $3)
     ON CONFLICT (journal, id) DO UPDATE SET terms = EXCLUDED.terms
     RETURNING 1"
}

statement! {
    PutCounters {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        most: Vec<Option<i64>> => Array<Nullable<BigInt>>,
        taken: Vec<i64> => Array<BigInt>,
    } -> Integer,
    "INSERT INTO counter (journal, id, most, taken) SELECT $1, * FROM UNNEST($2, $3, $4)
     ON CONFLICT (journal, id) DO UPDATE SET most = EXCLUDED.most, taken = EXCLUDED.taken
     RETURNING 1"
}
