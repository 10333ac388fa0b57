//! Writing a batch: one statement per table that changed, rows as arrays, the journal's head last.
//!
//! Wallets and lots are put with `ON CONFLICT`, which has one plan: a join of the table with the arrays has several,
//! and some read the whole table.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::Failure;
use super::command::Outcome;
use super::load::Head;
use super::state::{Changes, State};
use crate::domain::entry::{Entry, Hash};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Lot, Member};
use crate::domain::time::Timestamp;
use crate::postgres::statement::statement;

/// Where a batch is written: the ledger, the journal, its locked head, and the present.
pub struct Place<'a> {
    /// The ledger's id, which every entry carries.
    pub ledger: Uuid,
    /// The journal.
    pub journal: JournalId,
    /// Its head, as it was locked.
    pub head: &'a Head,
    /// When the entries are recorded.
    pub now: Timestamp,
}

/// Writes what a batch changed: `state` against the members as they were `before`, and `changes`.
///
/// Every statement's count of rows is checked: fewer than were meant means that the batch's picture of the
/// database was wrong, and the transaction must not commit.
pub fn batch(
    connection: &mut PgConnection,
    place: &Place<'_>,
    before: &HashMap<MemberId, Member>,
    state: &State,
    changes: Changes,
) -> Result<(), Failure> {
    let journal = place.journal;
    members(connection, journal, before, state, &changes)?;
    orders(connection, place, &changes)?;
    keys(connection, place, &changes)?;
    versions(connection, place, &changes)?;
    entries(connection, place, changes)
}

fn members(
    connection: &mut PgConnection,
    journal: JournalId,
    before: &HashMap<MemberId, Member>,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    enrolled(connection, journal, state, changes)?;
    let mut wallets = PutWallets { journal, ..PutWallets::default() };
    let mut lots = PutLots { journal, ..PutLots::default() };
    let mut changed: Vec<&Member> = state.members.values().filter(|m| before.get(&m.id) != Some(m)).collect();
    changed.sort_unstable_by_key(|member| member.id);
    for member in changed {
        let old = before.get(&member.id);
        wallets.push(member);
        for lot in member.lots.values().filter(|lot| old.and_then(|old| old.lots.get(&lot.id)) != Some(lot)) {
            lots.push(member.id, lot);
        }
    }
    run(connection, "wallet", wallets.members.len(), wallets)?;
    run(connection, "lot", lots.ids.len(), lots)?;
    changed_profiles(connection, journal, state, changes)
}

fn enrolled(
    connection: &mut PgConnection,
    journal: JournalId,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut rows = InsertMembers { journal, ..InsertMembers::default() };
    let mut enrolled = Vec::new();
    for new in &changes.enrolled {
        let (Some(member), Some(profile)) = (state.members.get(&new.id), state.profiles.get(&new.id)) else {
            return Err(Failure::Rows { table: "member", meant: 1, written: 0 });
        };
        enrolled.push((new, member, profile));
    }
    enrolled.sort_unstable_by_key(|(_, _, profile)| &profile.external_id);
    for (new, member, profile) in enrolled {
        rows.ids.push(new.id.uuid());
        rows.statuses.push(member.status.name().to_owned());
        rows.joined.push(member.joined_at);
        rows.external_ids.push(profile.external_id.clone());
        rows.birthdays.push(profile.birthday);
        rows.hashes.push(new.hash.to_vec());
        rows.responses.push(new.response.clone());
    }
    run(connection, "member", rows.ids.len(), rows)
}

// Changes of personal data are rare: one statement each.
fn changed_profiles(
    connection: &mut PgConnection,
    journal: JournalId,
    state: &State,
    changes: &Changes,
) -> Result<(), Failure> {
    let mut members = changes.changed_profiles.clone();
    members.sort_unstable();
    members.dedup();
    for member in members {
        if let Some(profile) = state.profiles.get(&member) {
            let (birthday, tags) = (profile.birthday, profile.tags.clone());
            run(connection, "member_profile", 1, UpdateProfile { journal, member: member.uuid(), birthday, tags })?;
        }
    }
    Ok(())
}

fn orders(connection: &mut PgConnection, place: &Place<'_>, changes: &Changes) -> Result<(), Failure> {
    let mut rows = InsertOrders { journal: place.journal, ..InsertOrders::default() };
    // Sorted, so that two lanes that meet in the index over all journals meet in the same order.
    let mut orders: Vec<_> = changes.orders.iter().collect();
    orders.sort_unstable_by_key(|new| &new.order.order_id);
    for new in orders {
        let order = &new.order;
        rows.seqs.push(place.head.next_seq + new.entry as i64);
        rows.occurred.push(order.occurred_at);
        rows.members.push(order.member_id.uuid());
        rows.order_ids.push(order.order_id.clone());
        rows.currencies.push(order.currency.to_string());
        rows.amounts.push(order.amount);
        rows.discounts.push(order.discount);
        rows.channels.push(order.channel.clone());
        let items = order.items.as_ref().map(serde_json::to_string).transpose();
        rows.items.push(items.map_err(|_| Failure::NotCanonical)?);
        rows.hashes.push(new.hash.to_vec());
        rows.responses.push(new.response.clone());
    }
    run(connection, "orders", rows.seqs.len(), rows)
}

fn keys(connection: &mut PgConnection, place: &Place<'_>, changes: &Changes) -> Result<(), Failure> {
    let mut rows = InsertKeys { journal: place.journal, recorded_at: place.now, ..InsertKeys::default() };
    let mut keys: Vec<_> = changes.keys.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| (&key.caller, &key.operation, &key.key));
    for (key, remembered) in keys {
        rows.callers.push(key.caller.clone());
        rows.operations.push(key.operation.clone());
        rows.keys.push(key.key.clone());
        rows.hashes.push(remembered.hash.clone());
        let (refused, outcome) = match &remembered.outcome {
            Outcome::Done(body) => (false, body.clone()),
            Outcome::Refused(refusal) => (true, serde_json::to_string(refusal).map_err(|_| Failure::NotCanonical)?),
        };
        rows.refused.push(refused);
        rows.outcomes.push(outcome);
    }
    run(connection, "idempotency", rows.keys.len(), rows)
}

fn versions(connection: &mut PgConnection, place: &Place<'_>, changes: &Changes) -> Result<(), Failure> {
    for version in &changes.versions {
        let row = InsertVersion {
            journal: place.journal,
            version: version.version,
            effective_at: version.effective_at,
            published_at: place.now,
            document: version.program.document().to_string(),
        };
        run(connection, "program_version", 1, row)?;
    }
    Ok(())
}

// Numbers, chains and writes the entries, and moves the head (invariant 7).
fn entries(connection: &mut PgConnection, place: &Place<'_>, changes: Changes) -> Result<(), Failure> {
    let Place { ledger, journal, head, now } = *place;
    if changes.entries.is_empty() {
        return Ok(());
    }
    let mut rows = Record { journal, recorded_at: now, ..Record::default() };
    let mut hash: Hash = head.hash;
    for (seq, draft) in (head.next_seq..).zip(changes.entries) {
        let entry = Entry::record(draft, (ledger, journal, seq), now).map_err(|_| Failure::NotCanonical)?;
        hash = entry.hash(&hash);
        rows.push(entry, &hash);
    }
    let (entries, postings) = (rows.seqs.len(), rows.posting_seqs.len());
    rows.next_seq = head.next_seq + entries as i64;
    rows.head_hash = hash.to_vec();
    let written: Vec<(i64, i64, i64)> = rows.load(connection)?;
    let written = written.first().copied().unwrap_or_default();
    for (table, meant, written) in
        [("entry", entries, written.0), ("posting", postings, written.1), ("journal", 1, written.2)]
    {
        let written = usize::try_from(written).unwrap_or_default();
        if written != meant {
            return Err(Failure::Rows { table, meant, written });
        }
    }
    Ok(())
}

fn run<S>(connection: &mut PgConnection, table: &'static str, meant: usize, statement: S) -> Result<(), Failure>
where
    S: diesel::query_builder::QueryFragment<diesel::pg::Pg>
        + diesel::query_builder::QueryId
        + RunQueryDsl<PgConnection>,
{
    if meant == 0 {
        return Ok(());
    }
    let written = statement.execute(connection)?;
    if written == meant { Ok(()) } else { Err(Failure::Rows { table, meant, written }) }
}

statement! {
    InsertMembers {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        statuses: Vec<String> => Array<Text>,
        joined: Vec<Timestamp> => Array<Timestamptz>,
        external_ids: Vec<String> => Array<Text>,
        birthdays: Vec<Option<NaiveDate>> => Array<Nullable<Date>>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        responses: Vec<String> => Array<Text>,
    } -> (),
    "WITH new AS MATERIALIZED (
         SELECT * FROM UNNEST($2, $3, $4, $5, $6, $7, $8)
         AS new (id, status, joined_at, external_id, birthday, request_hash, response)
     ), profile AS (
         INSERT INTO member_profile (journal, member, external_id, birthday, request_hash, response)
         SELECT $1, id, external_id, birthday, request_hash, response FROM new
     )
     INSERT INTO member (journal, id, status, joined_at) SELECT $1, id, status, joined_at FROM new"
}

statement! {
    UpdateProfile {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        birthday: Option<NaiveDate> => Nullable<Date>,
        tags: Vec<String> => Array<Text>,
    } -> (),
    "UPDATE member_profile SET birthday = $3, tags = $4 WHERE journal = $1 AND member = $2"
}

statement! {
    PutWallets {
        journal: JournalId => SmallInt,
        members: Vec<Uuid> => Array<SqlUuid>,
        actives: Vec<i64> => Array<BigInt>,
        pendings: Vec<i64> => Array<BigInt>,
        helds: Vec<i64> => Array<BigInt>,
        debts: Vec<i64> => Array<BigInt>,
        dues: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>,
    } -> (),
    "INSERT INTO wallet (journal, member, active, pending, held, debt, next_due_at)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7)
     ON CONFLICT (journal, member) DO UPDATE SET active = EXCLUDED.active, pending = EXCLUDED.pending,
         held = EXCLUDED.held, debt = EXCLUDED.debt, next_due_at = EXCLUDED.next_due_at"
}

impl PutWallets {
    fn push(&mut self, member: &Member) {
        self.members.push(member.id.uuid());
        self.actives.push(member.balances.active);
        self.pendings.push(member.balances.pending);
        self.helds.push(member.balances.held);
        self.debts.push(member.balances.debt);
        self.dues.push(member.next_due_at());
    }
}

statement! {
    PutLots {
        journal: JournalId => SmallInt,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Uuid> => Array<SqlUuid>,
        earned: Vec<i64> => Array<BigInt>,
        pendings: Vec<i64> => Array<BigInt>,
        actives: Vec<i64> => Array<BigInt>,
        helds: Vec<i64> => Array<BigInt>,
        active_ats: Vec<Timestamp> => Array<Timestamptz>,
        expires_ats: Vec<Option<Timestamp>> => Array<Nullable<Timestamptz>>,
    } -> (),
    "INSERT INTO lot (journal, id, member, earned, pending, active, held, active_at, expires_at)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (journal, id) DO UPDATE SET pending = EXCLUDED.pending, active = EXCLUDED.active,
         held = EXCLUDED.held"
}

impl PutLots {
    fn push(&mut self, member: MemberId, lot: &Lot) {
        self.ids.push(lot.id);
        self.members.push(member.uuid());
        self.earned.push(lot.earned);
        self.pendings.push(lot.pending);
        self.actives.push(lot.active);
        self.helds.push(lot.held);
        self.active_ats.push(lot.active_at);
        self.expires_ats.push(lot.expires_at);
    }
}

statement! {
    InsertOrders {
        journal: JournalId => SmallInt,
        seqs: Vec<i64> => Array<BigInt>,
        occurred: Vec<Timestamp> => Array<Timestamptz>,
        members: Vec<Uuid> => Array<SqlUuid>,
        order_ids: Vec<String> => Array<Text>,
        currencies: Vec<String> => Array<Text>,
        amounts: Vec<Decimal> => Array<Numeric>,
        discounts: Vec<Option<Decimal>> => Array<Nullable<Numeric>>,
        channels: Vec<Option<String>> => Array<Nullable<Text>>,
        items: Vec<Option<String>> => Array<Nullable<Text>>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        responses: Vec<String> => Array<Text>,
    } -> (),
    "INSERT INTO orders (journal, seq, occurred_at, member, order_id, currency, amount, discount, channel, items,
         request_hash, response)
     SELECT $1, * FROM UNNEST($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
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
    } -> (),
    "INSERT INTO idempotency (journal, recorded_at, caller, operation, key, request_hash, refused, outcome)
     SELECT $1, $2, * FROM UNNEST($3, $4, $5, $6, $7, $8)"
}

statement! {
    InsertVersion {
        journal: JournalId => SmallInt,
        version: i32 => Integer,
        effective_at: Timestamp => Timestamptz,
        published_at: Timestamp => Timestamptz,
        document: String => Text,
    } -> (),
    "INSERT INTO program_version (journal, version, effective_at, published_at, document)
     VALUES ($1, $2, $3, $4, $5)"
}

statement! {
    // Entries, their postings and the head in one statement: two round trips less for every batch.
    Record {
        journal: JournalId => SmallInt,
        recorded_at: Timestamp => Timestamptz,
        next_seq: i64 => BigInt,
        head_hash: Vec<u8> => Bytea,
        seqs: Vec<i64> => Array<BigInt>,
        effective: Vec<Timestamp> => Array<Timestamptz>,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        commands: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        versions: Vec<i32> => Array<Integer>,
        vs: Vec<i16> => Array<SmallInt>,
        kinds: Vec<String> => Array<Text>,
        actors: Vec<String> => Array<Text>,
        payloads: Vec<String> => Array<Text>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        posting_seqs: Vec<i64> => Array<BigInt>,
        ns: Vec<i32> => Array<Integer>,
        points: Vec<i64> => Array<BigInt>,
        lots: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        debits: Vec<String> => Array<Text>,
        credits: Vec<String> => Array<Text>,
    } -> (BigInt, BigInt, BigInt),
    "WITH recorded AS (
         INSERT INTO entry (journal, recorded_at, seq, effective_at, id, member, command, program_version, v, kind,
             actor, payload, hash)
         SELECT $1, $2, * FROM UNNEST($5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         RETURNING 1
     ), posted AS (
         INSERT INTO posting (journal, seq, n, points, lot, debit, credit)
         SELECT $1, * FROM UNNEST($16, $17, $18, $19, $20, $21)
         RETURNING 1
     ), moved AS (
         UPDATE journal SET next_seq = $3, head_hash = $4, recorded_at = $2 WHERE id = $1 RETURNING 1
     )
     SELECT (SELECT count(*) FROM recorded), (SELECT count(*) FROM posted), (SELECT count(*) FROM moved)"
}

impl Record {
    fn push(&mut self, entry: Entry, hash: &Hash) {
        for (n, posting) in (0..).zip(&entry.postings) {
            self.posting_seqs.push(entry.seq);
            self.ns.push(n);
            self.points.push(posting.points);
            self.lots.push(posting.lot);
            self.debits.push(posting.debit.to_string());
            self.credits.push(posting.credit.to_string());
        }
        self.seqs.push(entry.seq);
        self.effective.push(entry.effective_at);
        self.ids.push(entry.id);
        self.members.push(entry.member);
        self.commands.push(entry.command);
        self.versions.push(entry.program_version);
        self.vs.push(entry.v);
        self.kinds.push(entry.kind);
        self.actors.push(entry.actor);
        self.payloads.push(entry.payload);
        self.hashes.push(hash.to_vec());
    }
}
