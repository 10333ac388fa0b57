//! Entries: a member's statement, the ledger's pages, and the journals' heads.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::members::{self, Settled};
use super::{ReadError, View, flow};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{Draft, Entry, Hash, Kind, Posting, hex};
use crate::domain::member::Balances;
use crate::domain::time::{self, Timestamp};
use crate::load;
use crate::postgres::statement::statement;

/// A journal's head.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Journal)]
pub struct JournalHead {
    /// The journal; 0 holds what belongs to no member.
    #[schema(value_type = i32, minimum = 0, maximum = 4095)]
    pub id: JournalId,
    /// The number that the next entry gets; the journal has one entry less.
    pub next_seq: i64,
    /// The hash of the last entry, 64 hexadecimal digits; zeros before the first.
    pub head_hash: String,
}

/// A journal's head as it is stored: its number, the number that the next entry gets, the hash of the last one, and when
/// that was written.
pub type HeadRow = (JournalId, i64, Vec<u8>, Timestamp);

/// Something that has fallen due by time and is not written yet: the next command of the member will write it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DueLine {
    /// What happened: `points.activated`, `points.expired`, `redemption.lapsed` or `transfer.lapsed`.
    #[schema(value_type = Kind)]
    pub kind: String,
    /// When it counts from.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// What the member gained (more than zero) or lost.
    pub points: i64,
    /// The wallet after it.
    pub balance_after: Balances,
}

impl DueLine {
    /// The line of an entry that settling would write.
    pub fn of(draft: Draft) -> Self {
        let payload = draft.payload.into_text().unwrap_or_default();
        let balance = Json::read(&payload).and_then(|payload| payload.get("balance")?.to());
        Self {
            kind: draft.kind.name().to_owned(),
            effective_at: draft.effective_at,
            points: draft.postings.iter().map(gain).sum(),
            balance_after: balance.unwrap_or_default(),
        }
    }
}

/// A line of a member's statement.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StatementLine {
    /// The entry's number in the member's journal.
    pub seq: i64,
    /// The entry's id.
    pub id: Uuid,
    /// What happened, such as `points.earned`.
    #[schema(value_type = Kind)]
    pub kind: String,
    /// When it counts from.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// When it was written.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// What the member gained (more than zero) or lost, over all parts of the wallet. Points that only move from
    /// one part to another, as in an activation, count zero.
    pub points: i64,
    /// The wallet after the entry: the running balance, in the order of `seq`.
    pub balance_after: Balances,
    /// The entry's payload, without the balance.
    #[schema(value_type = Object)]
    pub details: Value,
}

/// The journals' heads, in order.
pub fn journals(connection: &mut PgConnection) -> Result<Vec<JournalHead>, ReadError> {
    let heads = heads(connection)?.into_iter();
    Ok(heads.map(|(id, next_seq, hash, _)| JournalHead { id, next_seq, head_hash: hex(&hash) }).collect())
}

/// The journals' numbers, next sequence numbers and hashes, in order.
pub fn heads(connection: &mut PgConnection) -> Result<Vec<HeadRow>, ReadError> {
    Ok(LoadHeads {}.load(connection)?)
}

/// The ledger's id.
pub fn ledger_id(connection: &mut PgConnection) -> Result<Uuid, ReadError> {
    Ok(load::ledger_id(connection)?)
}

/// Which entries a statement shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of this kind alone.
    pub kind: Option<Kind>,
    /// That count from then on.
    pub from: Option<Timestamp>,
    /// That count from before then.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Does it let an entry through?
    pub fn takes(&self, kind: &str, effective_at: Timestamp) -> bool {
        self.kind.is_none_or(|wanted| wanted.name() == kind)
            && self.from.is_none_or(|from| from <= effective_at)
            && self.until.is_none_or(|until| effective_at < until)
    }
}

/// What a page of a statement holds.
pub struct StatementPage {
    /// What has fallen due and is not written yet; on the first page only.
    pub due: Vec<DueLine>,
    /// The entries.
    pub entries: Vec<StatementLine>,
}

/// A page of a member's statement, from the newest to the oldest: on the first page what has fallen due and is not
/// written yet, then the entries before number `before`, at most `limit`; of both what `filter` lets through. None if
/// there is no such member.
pub fn statement(
    view: &mut View<'_>,
    member: MemberId,
    filter: Filter,
    (before, limit): (Option<i64>, i64),
) -> Result<Option<StatementPage>, ReadError> {
    // One snapshot, so that what is due and what is written fit together.
    view.snapshot(|view| {
        let Some(Settled { entries, .. }) = members::settle(view, member)? else { return Ok(None) };
        let mut due: Vec<DueLine> = entries.into_iter().rev().map(DueLine::of).collect();
        due.retain(|line| before.is_none() && filter.takes(&line.kind, line.effective_at));
        Ok(Some(StatementPage { due, entries: lines(view.connection, member, filter, before, limit)? }))
    })
}

/// A page of a journal: the entries with numbers over `after_seq` and below `end`, at most `limit`, with their
/// hashes.
pub fn page(
    connection: &mut PgConnection,
    ledger: Uuid,
    journal: JournalId,
    (after_seq, end): (i64, i64),
    limit: i64,
) -> Result<Vec<(Entry, Hash)>, ReadError> {
    let (mut page, mut from) = (Vec::new(), after_seq.saturating_add(1));
    loop {
        let left = limit - page.len() as i64;
        let until = end.min(from.saturating_add(left));
        flow::each(connection, journal, (from, until), |row, further| {
            page.push(row.entry(ledger, further)?);
            Ok::<(), ReadError>(())
        })?;
        // A journal has no gaps, unless someone made one.
        let is_full = page.len() as i64 >= limit;
        match flow::first_from(connection, journal, until)?.filter(|next| !is_full && *next < end) {
            Some(next) => from = next,
            None => return Ok(page),
        }
    }
}

fn lines(
    connection: &mut PgConnection,
    member: MemberId,
    Filter { kind, from, until }: Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<StatementLine>, ReadError> {
    let (journal, before) = (member.journal(), before.unwrap_or(i64::MAX));
    let kind = kind.map(|kind| kind.name().to_owned());
    let rows: Vec<(LineRow, FirstPosting)> =
        LoadStatement { journal, member: member.uuid(), before, limit, kind, from, until }.load(connection)?;
    let seqs: Vec<i64> = rows.iter().map(|(row, _)| row.0).collect();
    let mut further = by_entry(journal, LoadFurther { journal, seqs }.load(connection)?)?;
    rows.into_iter()
        .map(|(row, first)| {
            let seq = row.0;
            line(journal, postings((journal, seq), first, further.remove(&seq).unwrap_or_default())?, row)
        })
        .collect()
}

// The posting in an entry's row: points, lot, debit, credit.
type FirstPosting = (Option<i64>, Option<Uuid>, Option<String>, Option<String>);

type PostingRow = (i64, i64, Option<Uuid>, String, String);

// The postings of an entry, in order: the one in its row, and the further ones.
fn postings(
    (journal, seq): (JournalId, i64),
    first: FirstPosting,
    further: Vec<Posting>,
) -> Result<Vec<Posting>, ReadError> {
    let (Some(points), lot, Some(debit), Some(credit)) = first else { return Ok(further) };
    let mut postings = vec![posting((journal, seq), points, lot, (debit, credit))?];
    postings.extend(further);
    Ok(postings)
}

fn posting(
    (journal, seq): (JournalId, i64),
    points: i64,
    lot: Option<Uuid>,
    (debit, credit): (String, String),
) -> Result<Posting, ReadError> {
    let fault = "a posting names an unknown account";
    let account = |name: String| name.parse().map_err(|_| ReadError::CorruptEntry { journal, seq, fault });
    Ok(Posting { debit: account(debit)?, credit: account(credit)?, points, lot })
}

fn by_entry(journal: JournalId, rows: Vec<PostingRow>) -> Result<HashMap<i64, Vec<Posting>>, ReadError> {
    let mut postings: HashMap<i64, Vec<Posting>> = HashMap::new();
    for (seq, points, lot, debit, credit) in rows {
        postings.entry(seq).or_default().push(posting((journal, seq), points, lot, (debit, credit))?);
    }
    Ok(postings)
}

type LineRow = (i64, Uuid, String, DateTime<Utc>, DateTime<Utc>, String);

fn line(journal: JournalId, postings: Vec<Posting>, row: LineRow) -> Result<StatementLine, ReadError> {
    let (seq, id, kind, effective_at, recorded_at, payload) = row;
    let fault = "its payload cannot be read";
    let unreadable = || ReadError::CorruptEntry { journal, seq, fault };
    let mut details: Value = serde_json::from_str(&payload).map_err(|_| unreadable())?;
    let balance = details.as_object_mut().and_then(|payload| payload.remove("balance")).ok_or_else(unreadable)?;
    Ok(StatementLine {
        seq,
        id,
        kind,
        effective_at,
        recorded_at,
        points: postings.iter().map(gain).sum(),
        balance_after: serde_json::from_value(balance).map_err(|_| unreadable())?,
        details,
    })
}

// What the member gains by a posting; what is owed counts against it.
fn gain(posting: &Posting) -> i64 {
    let own = |account: &Account| matches!(account, Account::Member(_));
    let credited = if own(&posting.credit) { posting.points } else { 0 };
    let debited = if own(&posting.debit) { posting.points } else { 0 };
    credited - debited
}

// The types of a `FirstPosting` in SQL.
type FirstPostingColumns = (Nullable<BigInt>, Nullable<SqlUuid>, Nullable<Text>, Nullable<Text>);

statement! {
    // The index has the order; a filter passes over what it does not let through.
    LoadStatement {
        journal: JournalId => SmallInt,
        member: Uuid => SqlUuid,
        before: i64 => BigInt,
        limit: i64 => BigInt,
        kind: Option<String> => Nullable<Text>,
        from: Option<Timestamp> => Nullable<Timestamptz>,
        until: Option<Timestamp> => Nullable<Timestamptz>,
    } -> ((BigInt, SqlUuid, Text, Timestamptz, Timestamptz, Text), FirstPostingColumns),
    "SELECT seq, id, kind, effective_at, recorded_at, payload, points, lot, debit, credit FROM entry
     WHERE journal = $1 AND member = $2 AND seq < $3 AND ($5::text IS NULL OR kind = $5)
         AND ($6::timestamptz IS NULL OR effective_at >= $6) AND ($7::timestamptz IS NULL OR effective_at < $7)
     ORDER BY journal DESC, member DESC, seq DESC LIMIT $4"
}

statement! {
    LoadHeads {} -> (SmallInt, BigInt, Bytea, Timestamptz),
    "SELECT id, next_seq, head_hash, recorded_at FROM journal ORDER BY id"
}

statement! {
    LoadFurther { journal: JournalId => SmallInt, seqs: Vec<i64> => Array<BigInt> }
    -> (BigInt, BigInt, Nullable<SqlUuid>, Text, Text),
    "SELECT p.seq, p.points, p.lot, p.debit, p.credit
     FROM UNNEST($2) AS wanted (seq)
     CROSS JOIN LATERAL (SELECT * FROM further_posting WHERE journal = $1 AND seq = wanted.seq ORDER BY n OFFSET 0) AS p"
}
