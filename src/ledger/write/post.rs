//! The rows of a journal's entries: in one statement, which is all that an award writes.

use std::collections::HashMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::Failure;
use super::super::batch::NewOrder;
use super::super::head::Head;
use super::{Place, check};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical;
use crate::domain::journal::entry::{CANONICAL_VERSION, Draft, Entry, Hash};
use crate::domain::member::Member;
use crate::domain::record::lot::Lot;
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_time;
use crate::postgres::statement::statement;

/// What goes into the tables of a journal with its entries.
pub struct Posted<'a> {
    /// The entries, in order.
    pub drafts: Vec<Draft>,
    /// The members who differ from what they were, in the order of their ids.
    pub changed: Vec<&'a Member>,
    /// What the members were.
    pub before: &'a HashMap<MemberId, Member>,
    /// The orders that they record.
    pub orders: &'a [NewOrder],
}

/// Numbers and chains the entries, writes them with their postings, the lots and orders that they bring and the wallets as
/// they leave them, and moves the head (invariant 7). Says where the head stands afterwards; none, with nothing written, if
/// it does not stand where it was seen, or the clock is another than was estimated.
///
/// Errors: a count that is another than was meant; the statement's.
pub fn post(
    connection: &mut PgConnection,
    place: &Place<'_>,
    (journal, head): (JournalId, &Head),
    posted: Posted<'_>,
) -> Result<Option<Head>, Failure> {
    let (rows, hash) = Post::of(place, (journal, head), posted)?;
    let meant = rows.meant();
    if meant == [0; 5] {
        return Ok(Some(head.clone()));
    }
    let next_seq = rows.next_seq;
    let (moved, written, (clock, ahead)): (i64, Counts, (DateTime<Utc>, i64)) = rows.get_result(connection)?;
    let read_at = Instant::now();
    if moved == 0 {
        return Ok(None);
    }
    let (entries, postings, lots, orders, wallets) = written;
    let tables = ["entry", "further_posting", "lot", "orders", "wallet"];
    let written = [entries, postings, lots, orders, wallets];
    for ((table, meant), written) in tables.into_iter().zip(meant).zip(written) {
        check(table, meant, written)?;
    }
    Ok(Some(Head { next_seq, hash, recorded_at: place.now, clock, ahead, read_at }))
}

type Counts = (i64, i64, i64, i64, i64);

statement! {
    // Elements are taken by their place: an UNNEST of each array would be a table of its own, which costs more than a small
    // batch does otherwise. The head comes first: nothing is inserted unless it stands where it was seen, and nobody else moves it afterwards.
    Post {
        journal: JournalId => SmallInt,
        recorded_at: Timestamp => Timestamptz,
        v: i16 => SmallInt,
        seen_seq: i64 => BigInt,
        seen_hash: Vec<u8> => Bytea,
        next_seq: i64 => BigInt,
        head_hash: Vec<u8> => Bytea,
        seqs: Vec<i64> => Array<BigInt>,
        effective: Vec<Timestamp> => Array<Timestamptz>,
        ids: Vec<Uuid> => Array<SqlUuid>,
        members: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        commands: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        versions: Vec<i32> => Array<Integer>,
        kinds: Vec<String> => Array<Text>,
        actors: Vec<String> => Array<Text>,
        payloads: Vec<String> => Array<Text>,
        hashes: Vec<Vec<u8>> => Array<Bytea>,
        points: Vec<Option<i64>> => Array<Nullable<BigInt>>,
        lots: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        debits: Vec<Option<String>> => Array<Nullable<Text>>,
        credits: Vec<Option<String>> => Array<Nullable<Text>>,
        further_seqs: Vec<i64> => Array<BigInt>,
        further_ns: Vec<i32> => Array<Integer>,
        further_points: Vec<i64> => Array<BigInt>,
        further_lots: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        further_debits: Vec<String> => Array<Text>,
        further_credits: Vec<String> => Array<Text>,
        lot_ids: Vec<Uuid> => Array<SqlUuid>,
        lot_members: Vec<Uuid> => Array<SqlUuid>,
        lot_earned: Vec<i64> => Array<BigInt>,
        lot_pendings: Vec<i64> => Array<BigInt>,
        lot_actives: Vec<i64> => Array<BigInt>,
        lot_helds: Vec<i64> => Array<BigInt>,
        lot_expired: Vec<i64> => Array<BigInt>,
        lot_active_ats: Vec<Timestamp> => Array<Timestamptz>,
        lot_expires_ats: Vec<Option<Timestamp>> => Array<Nullable<Timestamptz>>,
        order_seqs: Vec<i64> => Array<BigInt>,
        order_members: Vec<Uuid> => Array<SqlUuid>,
        order_ids: Vec<String> => Array<Text>,
        order_items: Vec<Option<String>> => Array<Nullable<Text>>,
        order_hashes: Vec<Vec<u8>> => Array<Bytea>,
        order_responses: Vec<Option<String>> => Array<Nullable<Text>>,
        wallets: Vec<Uuid> => Array<SqlUuid>,
        actives: Vec<i64> => Array<BigInt>,
        pendings: Vec<i64> => Array<BigInt>,
        helds: Vec<i64> => Array<BigInt>,
        debts: Vec<i64> => Array<BigInt>,
        earned: Vec<i64> => Array<BigInt>,
        spent: Vec<i64> => Array<BigInt>,
        claimed: Vec<i64> => Array<BigInt>,
        dues: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>,
        points_dues: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>,
        spendings: Vec<Option<String>> => Array<Nullable<Text>>,
        tiers: Vec<Option<String>> => Array<Nullable<Text>>,
        seen_recorded_at: Timestamp => Timestamptz,
        estimate: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        seen_ahead: i64 => BigInt,
    } -> (BigInt, (BigInt, BigInt, BigInt, BigInt, BigInt), (Timestamptz, BigInt)),
    concat!("WITH moved AS (
         UPDATE journal SET next_seq = $6, head_hash = $7, recorded_at = $2
         WHERE id = $1 AND next_seq = $4 AND head_hash = $5 AND recorded_at = $55
             AND ($56 IS NULL OR (SELECT clock_ahead FROM ledger) = $57
                  AND ", programme_time!(), " BETWEEN $56 - interval '1 second' AND $56 + interval '1 second')
         RETURNING 1
     ), recorded AS (
         INSERT INTO entry (journal, recorded_at, v, seq, effective_at, id, member, command, program_version, kind, actor,
             payload, hash, points, lot, debit, credit)
         SELECT $1, $2, $3, ($8)[n], ($9)[n], ($10)[n], ($11)[n], ($12)[n], ($13)[n], ($14)[n], ($15)[n], ($16)[n],
             ($17)[n], ($18)[n], ($19)[n], ($20)[n], ($21)[n]
         FROM moved, generate_series(1, cardinality($8)) AS n
         RETURNING 1
     ), posted AS (
         INSERT INTO further_posting (journal, seq, n, points, lot, debit, credit)
         SELECT $1, ($22)[n], ($23)[n], ($24)[n], ($25)[n], ($26)[n], ($27)[n]
         FROM moved, generate_series(1, cardinality($22)) AS n
         RETURNING 1
     ), lots AS (
         INSERT INTO lot (journal, id, member, earned, pending, active, held, expired, active_at, expires_at)
         SELECT $1, ($28)[n], ($29)[n], ($30)[n], ($31)[n], ($32)[n], ($33)[n], ($34)[n], ($35)[n], ($36)[n]
         FROM moved, generate_series(1, cardinality($28)) AS n
         RETURNING 1
     ), ordered AS (
         INSERT INTO orders (journal, seq, member, order_id, items, request_hash, response)
         SELECT $1, ($37)[n], ($38)[n], ($39)[n], ($40)[n], ($41)[n], ($42)[n]
         FROM moved, generate_series(1, cardinality($37)) AS n
         RETURNING 1
     ), wallets AS (
         INSERT INTO wallet (journal, member, active, pending, held, debt, lifetime_earned, lifetime_spent, claimed,
             next_due_at, points_due_at, spending, tier)
         SELECT $1, ($43)[n], ($44)[n], ($45)[n], ($46)[n], ($47)[n], ($48)[n], ($49)[n], ($50)[n], ($51)[n], ($52)[n],
             ($53)[n], ($54)[n]
         FROM moved, generate_series(1, cardinality($43)) AS n
         ON CONFLICT (journal, member) DO UPDATE SET active = EXCLUDED.active, pending = EXCLUDED.pending,
             held = EXCLUDED.held, debt = EXCLUDED.debt, lifetime_earned = EXCLUDED.lifetime_earned,
             lifetime_spent = EXCLUDED.lifetime_spent, claimed = EXCLUDED.claimed, next_due_at = EXCLUDED.next_due_at,
             points_due_at = EXCLUDED.points_due_at, spending = EXCLUDED.spending, tier = EXCLUDED.tier
         RETURNING 1
     )
     SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM recorded), (SELECT count(*) FROM posted),
         (SELECT count(*) FROM lots), (SELECT count(*) FROM ordered), (SELECT count(*) FROM wallets),
         ", programme_time!(), ", (SELECT clock_ahead FROM ledger)")
}

impl Post {
    fn of(
        place: &Place<'_>,
        (journal, head): (JournalId, &Head),
        Posted { drafts, changed, before, orders }: Posted<'_>,
    ) -> Result<(Self, Hash), Failure> {
        let mut rows = Self {
            journal,
            recorded_at: place.now,
            v: CANONICAL_VERSION,
            seen_seq: head.next_seq,
            seen_hash: head.hash.to_vec(),
            seen_recorded_at: head.recorded_at,
            estimate: place.estimate,
            seen_ahead: head.ahead,
            ..Self::default()
        };
        let mut hash = head.hash;
        for (seq, draft) in (head.next_seq..).zip(drafts) {
            let entry = Entry::record(draft, (place.ledger, journal, seq), place.now)?;
            hash = entry.hash(&hash);
            rows.entry(entry);
            rows.hashes.push(hash.to_vec());
        }
        rows.next_seq = head.next_seq + rows.seqs.len() as i64;
        rows.head_hash = hash.to_vec();
        for member in changed {
            rows.wallet(member)?;
            let old = before.get(&member.id);
            let is_new = |lot: &&Lot| old.is_none_or(|old| !old.lots.contains_key(&lot.id));
            member.lots.values().filter(is_new).for_each(|lot| rows.lot(member.id, lot));
        }
        // Sorted, so that two lanes that meet in the index over all journals meet in the same order.
        let mut orders: Vec<&NewOrder> = orders.iter().collect();
        orders.sort_unstable_by_key(|new| &new.order.order_id);
        orders.into_iter().try_for_each(|new| rows.order(new))?;
        Ok((rows, hash))
    }

    // How many rows there are to be of entries, further postings, lots, orders and wallets.
    fn meant(&self) -> [usize; 5] {
        [&self.seqs, &self.further_seqs, &self.lot_earned, &self.order_seqs, &self.actives].map(Vec::len)
    }

    fn entry(&mut self, entry: Entry) {
        let mut postings = entry.postings.into_iter();
        let first = postings.next();
        for (n, posting) in (1..).zip(postings) {
            self.further_seqs.push(entry.seq);
            self.further_ns.push(n);
            self.further_points.push(posting.points);
            self.further_lots.push(posting.lot);
            self.further_debits.push(posting.debit.to_string());
            self.further_credits.push(posting.credit.to_string());
        }
        self.points.push(first.as_ref().map(|first| first.points));
        self.lots.push(first.as_ref().and_then(|first| first.lot));
        self.debits.push(first.as_ref().map(|first| first.debit.to_string()));
        self.credits.push(first.as_ref().map(|first| first.credit.to_string()));
        self.seqs.push(entry.seq);
        self.effective.push(entry.effective_at);
        self.ids.push(entry.id);
        self.members.push(entry.member);
        self.commands.push(entry.command);
        self.versions.push(entry.program_version);
        self.kinds.push(entry.kind);
        self.actors.push(entry.actor);
        self.payloads.push(entry.payload);
    }

    fn lot(&mut self, member: MemberId, lot: &Lot) {
        self.lot_ids.push(lot.id);
        self.lot_members.push(member.uuid());
        self.lot_earned.push(lot.earned);
        self.lot_pendings.push(lot.pending);
        self.lot_actives.push(lot.active);
        self.lot_helds.push(lot.held);
        self.lot_expired.push(lot.expired);
        self.lot_active_ats.push(lot.active_at);
        self.lot_expires_ats.push(lot.expires_at);
    }

    fn order(&mut self, new: &NewOrder) -> Result<(), Failure> {
        let items = new.order.items.as_ref().map(serde_json::to_string).transpose();
        self.order_items.push(items.map_err(|_| Failure::NotCanonical)?);
        self.order_seqs.push(new.seq);
        self.order_members.push(new.order.member_id.uuid());
        self.order_ids.push(new.order.order_id.clone());
        self.order_hashes.push(new.hash.to_vec());
        self.order_responses.push(new.response.clone());
        Ok(())
    }

    fn wallet(&mut self, member: &Member) -> Result<(), Failure> {
        self.wallets.push(member.id.uuid());
        self.actives.push(member.balances.active);
        self.pendings.push(member.balances.pending);
        self.helds.push(member.balances.held);
        self.debts.push(member.balances.debt);
        self.earned.push(member.lifetime.lifetime_earned);
        self.spent.push(member.lifetime.lifetime_spent);
        self.claimed.push(member.claimed);
        self.dues.push(member.next_due_at());
        self.points_dues.push(member.points_due_at());
        self.spendings.push(member.spending.as_ref().map(canonical::to_string).transpose()?);
        self.tiers.push(member.tier().map(ToOwned::to_owned));
        Ok(())
    }
}
