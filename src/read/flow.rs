//! Entries of a journal as they flow from the database, by [`copy`].

use diesel::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::ReadError;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::{Entry, Hash, Posting};
use crate::domain::time::Timestamp;
use crate::postgres::copy::{self, Malformed, Row};
use crate::postgres::statement::statement;

/// A posting as its row has it. The account names are what stands there.
#[derive(Debug, Clone, Copy)]
pub struct PostingRow<'a> {
    points: i64,
    lot: Option<Uuid>,
    debit: &'a str,
    credit: &'a str,
}

/// What replay needs of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The entry's number.
    pub seq: i64,
    /// The version of the programme that it was decided by.
    pub program_version: i32,
    /// Whom it is about.
    pub member: Option<Uuid>,
    /// What it says.
    pub kind: &'a str,
    /// Its payload.
    pub payload: &'a str,
    first: Option<PostingRow<'a>>,
}

/// An entry as its row has it.
#[derive(Debug, Clone, Copy)]
pub struct EntryRow<'a> {
    journal: JournalId,
    /// What replay needs of it.
    pub told: Told<'a>,
    v: i16,
    id: Uuid,
    actor: &'a str,
    command: Option<Uuid>,
    effective_at: Timestamp,
    recorded_at: Timestamp,
    hash: &'a [u8],
}

/// Hands the entries with numbers from `from` on and below `end` to `each`, in order, with their further postings.
/// Numbers are unique, so that there are no more of them than lie between.
pub fn each<E: From<ReadError>>(
    connection: &mut PgConnection,
    journal: JournalId,
    (from, end): (i64, i64),
    mut each: impl FnMut(EntryRow<'_>, &[PostingRow<'_>]) -> Result<(), E>,
) -> Result<(), E> {
    let range = [journal.into(), from, end];
    let mut postings = Vec::new();
    copy::read(connection, &FURTHER, &range, |row| {
        postings.extend_from_slice(&row.length().to_be_bytes());
        postings.extend_from_slice(row.rest());
        Ok::<(), ReadError>(())
    })?;
    let mut further = Further(&postings);
    let mut next = further.next().map_err(ReadError::from)?;
    let mut own = Vec::new();
    let mut said = Ok(());
    copy::read(connection, &ENTRIES, &range, |row| {
        let row = EntryRow::read(row, journal)?;
        own.clear();
        while let Some((seq, posting)) = next.filter(|(seq, _)| *seq <= row.told.seq) {
            // What belongs to no entry is none of this one's.
            own.extend((seq == row.told.seq).then_some(posting));
            next = further.next()?;
        }
        if said.is_ok() {
            said = each(row, &own);
        }
        Ok::<(), ReadError>(())
    })?;
    said
}

impl<'a> EntryRow<'a> {
    fn read(mut row: Row<'a>, journal: JournalId) -> Result<Self, Malformed> {
        let told = Told::read(&mut row)?;
        Ok(Self {
            journal,
            told,
            v: row.get()?,
            id: row.get()?,
            actor: row.get()?,
            command: row.maybe()?,
            effective_at: row.get()?,
            recorded_at: row.get()?,
            hash: row.get()?,
        })
    }

    /// The entry, with its hash.
    pub fn entry(&self, ledger: Uuid, further: &[PostingRow<'_>]) -> Result<(Entry, Hash), ReadError> {
        let (journal, seq) = (self.journal, self.told.seq);
        let fault = "its hash is not SHA-256";
        let hash = self.hash.try_into().map_err(|_| ReadError::CorruptEntry { journal, seq, fault })?;
        let entry = Entry {
            v: self.v,
            ledger,
            journal,
            seq,
            id: self.id,
            kind: self.told.kind.to_owned(),
            member: self.told.member,
            actor: self.actor.to_owned(),
            command: self.command,
            program_version: self.told.program_version,
            effective_at: self.effective_at,
            recorded_at: self.recorded_at,
            payload: self.told.payload.to_owned(),
            postings: self.told.postings(journal, further)?,
        };
        Ok((entry, hash))
    }
}

impl<'a> Told<'a> {
    /// Reads it from the bytes of an [`EntryRow`].
    pub fn read(row: &mut Row<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            seq: row.get()?,
            program_version: row.get()?,
            member: row.maybe()?,
            kind: row.get()?,
            payload: row.get()?,
            first: PostingRow::read(row)?,
        })
    }

    /// Appends what [`Self::read`] reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        put(out, Some(&self.seq.to_be_bytes()));
        put(out, Some(&self.program_version.to_be_bytes()));
        put(out, self.member.as_ref().map(|id| &id.as_bytes()[..]));
        put(out, Some(self.kind.as_bytes()));
        put(out, Some(self.payload.as_bytes()));
        match &self.first {
            Some(first) => first.write(out),
            None => (0..4).for_each(|_| put(out, None)),
        }
    }

    /// The postings, in order: the one in the entry's row, and the further ones.
    pub fn postings(&self, journal: JournalId, further: &[PostingRow<'_>]) -> Result<Vec<Posting>, ReadError> {
        let fault = "a posting names an unknown account";
        let unknown = |_| ReadError::CorruptEntry { journal, seq: self.seq, fault };
        let mut postings = Vec::with_capacity(further.len() + 1);
        for row in self.first.iter().chain(further) {
            let (debit, credit) = (row.debit.parse().map_err(unknown)?, row.credit.parse().map_err(unknown)?);
            postings.push(Posting { debit, credit, points: row.points, lot: row.lot });
        }
        Ok(postings)
    }
}

impl<'a> PostingRow<'a> {
    /// Appends what [`Self::read`] reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        put(out, Some(&self.points.to_be_bytes()));
        put(out, self.lot.as_ref().map(|id| &id.as_bytes()[..]));
        put(out, Some(self.debit.as_bytes()));
        put(out, Some(self.credit.as_bytes()));
    }

    /// Reads a posting; none where the columns are empty.
    pub fn read(row: &mut Row<'a>) -> Result<Option<Self>, Malformed> {
        let (points, lot, debit, credit) = (row.maybe()?, row.maybe()?, row.maybe()?, row.maybe()?);
        let (Some(points), Some(debit), Some(credit)) = (points, debit, credit) else { return Ok(None) };
        Ok(Some(Self { points, lot, debit, credit }))
    }
}

// Appends a column of a row in binary form. None is longer than what the server sends at once, 1 GB.
fn put(out: &mut Vec<u8>, column: Option<&[u8]>) {
    out.extend_from_slice(&column.map_or(-1, |bytes| bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(column.unwrap_or_default());
}

// Rows behind each other, each behind its length.
struct Further<'a>(&'a [u8]);

impl<'a> Further<'a> {
    fn next(&mut self) -> Result<Option<(i64, PostingRow<'a>)>, Malformed> {
        while let Some((length, rest)) = self.0.split_first_chunk() {
            let (row, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(Malformed)?;
            self.0 = rest;
            let mut row = Row::new(row);
            let seq = row.get()?;
            if let Some(posting) = PostingRow::read(&mut row)? {
                return Ok(Some((seq, posting)));
            }
        }
        Ok(None)
    }
}

/// The first number from `from` on that an entry of a journal has.
pub fn first_from(connection: &mut PgConnection, journal: JournalId, from: i64) -> QueryResult<Option<i64>> {
    LoadFirstFrom { journal, from }.get_result(connection)
}

statement! {
    LoadFirstFrom { journal: JournalId => SmallInt, from: i64 => BigInt } -> Nullable<BigInt>,
    "SELECT min(seq) FROM entry WHERE journal = $1 AND seq >= $2"
}

copy::select! {
    ENTRIES (SmallInt, BigInt, BigInt) -> (
        BigInt, Integer, Nullable<SqlUuid>, Text, Text, Nullable<BigInt>, Nullable<SqlUuid>, Nullable<Text>, Nullable<Text>,
        SmallInt, SqlUuid, Text, Nullable<SqlUuid>, Timestamptz, Timestamptz, Bytea,
    ),
    "SELECT seq, program_version, member, kind, payload, points, lot, debit, credit,
         v, id, actor, command, effective_at, recorded_at, hash
     FROM entry WHERE journal = $1 AND seq >= $2 AND seq < $3 ORDER BY journal, seq"
}

copy::select! {
    FURTHER (SmallInt, BigInt, BigInt) -> (BigInt, BigInt, Nullable<SqlUuid>, Text, Text),
    "SELECT seq, points, lot, debit, credit FROM further_posting
     WHERE journal = $1 AND seq >= $2 AND seq < $3 ORDER BY journal, seq, n"
}
