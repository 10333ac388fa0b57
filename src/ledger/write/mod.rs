//! Writing a batch: one statement per table that changed, rows as arrays, the journal's head last.
//!
//! What is looked up by key is put with `ON CONFLICT`, which has one plan: a join of the table with the arrays has
//! several, and some read the whole table.

mod members;
mod records;

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Failure;
use super::batch::Changes;
use super::head::{Head, Heads};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::{Draft, Entry, Hash};
use crate::domain::member::Member;
use crate::domain::movement::reward::RewardTerms;
use crate::domain::record::counter::Counter;
use crate::domain::time::Timestamp;
use crate::load::State;
use crate::postgres::statement::statement;

/// Where a batch is written: the ledger, the lane's journal, the heads of all journals that are locked, and the present.
pub struct Place<'a> {
    /// The ledger's id, which every entry carries.
    pub ledger: Uuid,
    /// The lane's journal, which keeps the batch's keys.
    pub journal: JournalId,
    /// The heads, as they were locked.
    pub heads: &'a Heads,
    /// When the entries are recorded.
    pub now: Timestamp,
}

/// What was loaded, before anything was decided.
#[derive(Default)]
pub struct Before {
    /// The members.
    pub members: HashMap<MemberId, Member>,
    /// The rewards.
    pub rewards: BTreeMap<Uuid, RewardTerms>,
    /// The counters.
    pub counters: BTreeMap<Uuid, Counter>,
}

impl Before {
    /// The part of `state` that the batch may change.
    pub fn of(state: &State) -> Self {
        let State { members, rewards, counters, .. } = state;
        Self { members: members.clone(), rewards: rewards.clone(), counters: counters.clone() }
    }
}

/// Writes what a batch changed: `state` against what it was `before`, and `changes`.
///
/// Every statement's count of rows is checked: fewer than were meant means that the batch's picture of the
/// database was wrong, and the transaction must not commit. (Erasure alone counts nothing: what it removes may never
/// have been there.)
pub fn batch(
    connection: &mut PgConnection,
    place: &Place<'_>,
    before: &Before,
    state: &State,
    mut changes: Changes,
) -> Result<(), Failure> {
    // What commands add is of the lane's journal; only wallets, what is in them and claims on it change in the
    // other ones too.
    members::enrolled(connection, place.journal, state, &changes)?;
    for (journal, _) in place.heads.iter() {
        members::write(connection, journal, &before.members, state)?;
    }
    members::profiles(connection, place.journal, state, &changes)?;
    records::donations(connection, place.journal, &changes)?;
    records::notes(connection, place.journal, &changes)?;
    records::orders(connection, place.journal, &changes)?;
    for (journal, _) in place.heads.iter() {
        records::refunded(connection, journal, &before.members, state, &changes)?;
    }
    records::keys(connection, place.journal, place.now, &changes)?;
    records::program(connection, place.now, before, state, &changes)?;
    for (journal, head) in place.heads.iter() {
        entries(connection, place, (journal, head), changes.entries.remove(&journal).unwrap_or_default())?;
    }
    // Erasure finds a member's orders by their entries, those of this batch included.
    members::erase(connection, place.journal, &changes)
}

// Numbers, chains and writes the entries of a journal, and moves its head (invariant 7).
fn entries(
    connection: &mut PgConnection,
    place: &Place<'_>,
    (journal, head): (JournalId, &Head),
    drafts: Vec<Draft>,
) -> Result<(), Failure> {
    if drafts.is_empty() {
        return Ok(());
    }
    let mut rows = Record { journal, recorded_at: place.now, ..Record::default() };
    let mut hash: Hash = head.hash;
    for (seq, draft) in (head.next_seq..).zip(drafts) {
        let entry = Entry::record(draft, (place.ledger, journal, seq), place.now).map_err(|_| Failure::NotCanonical)?;
        hash = entry.hash(&hash);
        rows.push(entry, &hash);
    }
    let (entries, postings) = (rows.seqs.len(), rows.posting_seqs.len());
    rows.next_seq = head.next_seq + entries as i64;
    rows.head_hash = hash.to_vec();
    let written: Vec<(i64, i64, i64)> = rows.load(connection)?;
    let written = written.first().copied().unwrap_or_default();
    check("entry", entries, written.0)?;
    check("posting", postings, written.1)?;
    check("journal", 1, written.2)
}

fn check(table: &'static str, meant: usize, written: i64) -> Result<(), Failure> {
    let written = usize::try_from(written).unwrap_or_default();
    if written == meant { Ok(()) } else { Err(Failure::Rows { table, meant, written }) }
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
