//! The first half of a verification: everything is read once, by several threads on one snapshot. Chains are followed on
//! the way, and what each member's part needs is put aside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use uuid::Uuid;

use super::finding::{Check, First};
use super::spool::Spool;
use crate::domain::audit::{Chain, Fault, readable};
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::Hash;
use crate::postgres::copy;
use crate::postgres::statement::statement;
use crate::read::compare::TABLES;
use crate::read::entries::HeadRow;
use crate::read::flow::{self, EntryRow, PostingRow};
use crate::read::not_verified::NotVerified;

/// How many blocks of a table are read at a time.
const BLOCKS: i64 = 256;

/// What marks a piece that is an entry; others are marked with their table's place.
pub const ENTRY: u8 = u8::MAX;

/// Reading under way, for all threads that take part in it.
pub struct Reading<'a> {
    /// The ledger.
    pub ledger: Uuid,
    /// How many entries are read at a time.
    pub range: i64,
    /// How many parts members are put into.
    pub parts: usize,
    /// Where faults go.
    pub first: &'a First,
    work: Mutex<Work>,
    ends: Mutex<Vec<End>>,
    checked: Mutex<(u64, &'a mut (dyn FnMut(u64) + Send))>,
    journals: Vec<JournalId>,
}

struct Work {
    /// Tables by their places, and the blocks that are still to be read.
    tables: Vec<(usize, i64, i64)>,
    /// Journals, the number of the next entry to be read, and behind the last.
    journals: Vec<(JournalId, i64, i64)>,
}

enum Task {
    Blocks(usize, [i64; 2]),
    Range(JournalId, (i64, i64)),
}

/// How far a range of a journal was followed.
struct End {
    journal: JournalId,
    from: i64,
    /// The last entry; none where there is not even the one before the range.
    chain: Option<Chain>,
    /// The first entry, where the one before the range is not there.
    behind_gap: Option<i64>,
    /// Is one of its entries wrong?
    wrong: bool,
}

impl<'a> Reading<'a> {
    /// Finds out what there is to be read.
    pub fn prepare(
        connection: &mut PgConnection,
        (ledger, heads): (Uuid, &[HeadRow]),
        (range, parts): (i64, usize),
        first: &'a First,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> QueryResult<Self> {
        let mut work = Work { tables: Vec::new(), journals: Vec::new() };
        for (table, (name, _)) in TABLES.iter().enumerate() {
            let blocks = LoadBlocks { table: (*name).to_owned() }.get_result(connection)?;
            work.tables.push((table, 0, blocks));
        }
        for (journal, ..) in heads {
            let last: Option<i64> = LoadLast { journal: *journal }.get_result(connection)?;
            work.journals.push((*journal, 1, last.map_or(1, |last| last.saturating_add(1))));
        }
        let journals = heads.iter().map(|head| head.0).collect();
        let (work, ends, checked) = (Mutex::new(work), Mutex::default(), Mutex::new((0, progress)));
        Ok(Self { ledger, range, parts, first, work, ends, checked, journals })
    }

    /// Reads until all is read.
    pub fn run(&self, connection: &mut PgConnection, spool: &mut Spool) -> Result<(), NotVerified> {
        while let Some(task) = self.next() {
            match task {
                Task::Blocks(table, blocks) => self.blocks(connection, spool, table, blocks)?,
                Task::Range(journal, range) => self.range(connection, spool, journal, range)?,
            }
        }
        Ok(())
    }

    /// Puts the ranges together: the chains of those journals in which no entry is wrong.
    pub fn chains(self) -> Vec<(JournalId, Chain)> {
        let mut ends = self.ends.into_inner().unwrap_or_else(PoisonError::into_inner);
        ends.sort_unstable_by_key(|end| (end.journal, end.from));
        let chain = |journal: &JournalId| {
            let mut chain = Chain::default();
            for end in ends.iter().filter(|end| end.journal == *journal) {
                if let Some(found) = end.behind_gap {
                    let fault = Fault::Gap { found, expected: chain.next_seq };
                    self.first.entry(*journal, found, Check::Link, fault);
                    return None;
                }
                if end.wrong {
                    return None;
                }
                chain = end.chain.clone().unwrap_or(chain);
            }
            Some((*journal, chain))
        };
        self.journals.iter().filter_map(chain).collect()
    }

    fn next(&self) -> Option<Task> {
        let mut work = lock(&self.work);
        if let Some((table, from, _)) = work.tables.iter_mut().find(|(_, from, end)| from < end) {
            let blocks = [*from, *from + BLOCKS];
            *from += BLOCKS;
            return Some(Task::Blocks(*table, blocks));
        }
        let (journal, from, end) = work.journals.iter_mut().find(|(_, from, end)| from < end)?;
        let range = (*from, from.saturating_add(self.range).min(*end));
        *from = range.1;
        Some(Task::Range(*journal, range))
    }

    fn blocks(
        &self,
        connection: &mut PgConnection,
        spool: &mut Spool,
        table: usize,
        blocks: [i64; 2],
    ) -> Result<(), NotVerified> {
        copy::read(connection, &TABLES[table].1, &blocks, |mut row| {
            let (journal, member): (JournalId, Uuid) = (row.get()?, row.get()?);
            if self.journals.contains(&journal) {
                spool.put(part(Some(member), self.parts), |out| {
                    out.push(table as u8);
                    out.extend_from_slice(&journal.to_be_bytes());
                    out.extend_from_slice(member.as_bytes());
                    out.extend_from_slice(row.rest());
                })?;
            }
            Ok(())
        })
    }

    fn range(
        &self,
        connection: &mut PgConnection,
        spool: &mut Spool,
        journal: JournalId,
        (from, end): (i64, i64),
    ) -> Result<(), NotVerified> {
        let chain = (from == 1).then(Chain::default);
        let mut at = End { journal, from, chain, behind_gap: None, wrong: false };
        let mut seen = 0;
        // It begins with the entry in front, whose hash is taken as it is: the range before proves it.
        flow::each::<NotVerified>(connection, journal, (from - i64::from(from > 1), end), |row, further| {
            seen += u64::from(row.told.seq >= from);
            if at.wrong {
                return Ok(());
            }
            match self.look_at(&mut at, row, further) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    spool.put(part(row.told.member, self.parts), |out| {
                        out.push(ENTRY);
                        out.extend_from_slice(&journal.to_be_bytes());
                        row.told.write(out);
                        further.iter().for_each(|posting| posting.write(out));
                    })?;
                    Ok(())
                }
                Err(fault) => {
                    at.wrong = true;
                    match fault {
                        Ok(fault) => self.first.entry(journal, row.told.seq, Check::Link, fault),
                        Err(wrong) => self.first.unreadable(journal, row.told.seq, wrong),
                    }
                    Ok(())
                }
            }
        })?;
        lock(&self.ends).push(at);
        if seen == 0 {
            // A journal has no gaps, unless someone made one; it may be wide.
            let next = flow::first_from(connection, journal, end)?.unwrap_or(i64::MAX);
            let mut work = lock(&self.work);
            if let Some((_, from, end)) = work.journals.iter_mut().find(|(of, ..)| *of == journal) {
                *from = next.min(*end).max(*from);
            }
        }
        let mut checked = lock(&self.checked);
        checked.0 += seen;
        let all = checked.0;
        (checked.1)(all);
        Ok(())
    }

    // Follows the chain to an entry; false for the one in front of the range.
    fn look_at(
        &self,
        at: &mut End,
        row: EntryRow<'_>,
        further: &[PostingRow<'_>],
    ) -> Result<bool, Result<Fault, NotVerified>> {
        let (entry, hash): (_, Hash) = row.entry(self.ledger, further).map_err(|error| Err(error.into()))?;
        if entry.seq < at.from {
            let recorded_at = Some(entry.recorded_at);
            at.chain = Some(Chain { next_seq: at.from, head_hash: hash, recorded_at });
            return Ok(false);
        }
        readable(&entry).map_err(Ok)?;
        match &mut at.chain {
            Some(chain) => chain.link(&entry, &hash).map_err(Ok)?,
            None => {
                // What should be in front of it is only known when all ranges are read.
                (at.behind_gap, at.wrong) = (Some(entry.seq), true);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The part that a member is put into. What belongs to no member is in the first.
pub fn part(member: Option<Uuid>, parts: usize) -> usize {
    // The end of an id is random.
    member.map_or(0, |id| usize::from(u16::from_be_bytes([id.as_bytes()[14], id.as_bytes()[15]])) % parts)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

statement! {
    LoadBlocks { table: String => Text } -> BigInt,
    "SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::bigint"
}

statement! {
    LoadLast { journal: JournalId => SmallInt } -> Nullable<BigInt>,
    "SELECT max(seq) FROM entry WHERE journal = $1"
}
