//! The heads of journals, by whose locks batches take turns.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, SmallInt, Timestamptz};

use super::Failure;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::Hash;
use crate::domain::time::Timestamp;
use crate::postgres::clock::{Clock, programme_time};
use crate::postgres::statement::statement;

/// A journal's head, locked.
#[derive(Debug, Clone)]
pub struct Head {
    /// The number that the next entry gets.
    pub next_seq: i64,
    /// The hash of the last entry.
    pub hash: Hash,
    /// When the last entry was written.
    pub recorded_at: Timestamp,
    /// The programme's time when it was read, once the lock was held.
    pub clock: DateTime<Utc>,
    /// How many microseconds of that a sandbox's clock was moved ahead.
    pub ahead: i64,
    /// When it was read, by this machine's monotonic clock.
    pub read_at: Instant,
}

impl Head {
    /// Locks the head of `journal`: from here to the end of the transaction nobody else writes to the journal or to
    /// anything of its members. Statements after this one see all that the lock's last holder wrote.
    /// None if there is no such journal.
    pub fn lock(connection: &mut PgConnection, journal: JournalId) -> Result<Option<Self>, Failure> {
        type Row = (i64, Vec<u8>, DateTime<Utc>, DateTime<Utc>, i64);
        let rows: Vec<Row> = LockHead { journal }.load(connection)?;
        let Some((next_seq, hash, recorded_at, clock, ahead)) = rows.into_iter().next() else { return Ok(None) };
        let hash = hash.try_into().map_err(|_| Failure::NoJournal(journal))?;
        Ok(Some(Self { next_seq, hash, recorded_at, clock, ahead, read_at: Instant::now() }))
    }

    /// What the programme's clock shows by now, unless it or the database's was moved.
    pub fn clock_by_now(&self) -> DateTime<Utc> {
        self.clock + self.read_at.elapsed()
    }

    /// Does another reading show the head at the same place?
    pub fn stands_as(&self, other: &Self) -> bool {
        (self.next_seq, self.hash, self.recorded_at) == (other.next_seq, other.hash, other.recorded_at)
    }

    /// The present of the journal, which is number `journal`.
    ///
    /// Errors: [`Failure::Ahead`].
    pub fn present(&self, journal: JournalId, clock: &Clock) -> Result<Timestamp, Failure> {
        let (recorded_at, now) = (self.recorded_at, clock.read(self.clock));
        clock.present(self.clock, recorded_at).ok_or(Failure::Ahead { journal, recorded_at, now })
    }
}

/// The heads of all journals that a batch writes to, locked in ascending order, so that two lanes that need each other's
/// journal do not wait for each other.
#[derive(Debug, Default)]
pub struct Heads {
    locked: BTreeMap<JournalId, Head>,
    /// Journals that were named and are not there: the id of somebody else may name one that never was. Nobody has such
    /// an id, as the decision will say.
    absent: BTreeSet<JournalId>,
}

impl Heads {
    /// One head that is locked already.
    pub fn of(journal: JournalId, head: Head) -> Self {
        Self { locked: BTreeMap::from([(journal, head)]), absent: BTreeSet::new() }
    }

    /// Locks the heads of `journals` besides. Says no, and locks none, if one of them comes before one that is locked
    /// already.
    ///
    /// Errors: a statement fails.
    pub fn lock(
        &mut self,
        connection: &mut PgConnection,
        journals: impl IntoIterator<Item = JournalId>,
    ) -> Result<bool, Failure> {
        let is_new = |journal: &JournalId| !self.locked.contains_key(journal) && !self.absent.contains(journal);
        let new: BTreeSet<JournalId> = journals.into_iter().filter(is_new).collect();
        let last = self.locked.last_key_value().map(|(journal, _)| *journal);
        if new.first().zip(last).is_some_and(|(first, last)| *first < last) {
            return Ok(false);
        }
        for journal in new {
            match Head::lock(connection, journal)? {
                Some(head) => {
                    self.locked.insert(journal, head);
                }
                None => {
                    self.absent.insert(journal);
                }
            }
        }
        Ok(true)
    }

    /// The head of one of them.
    pub fn get(&self, journal: JournalId) -> Option<&Head> {
        self.locked.get(&journal)
    }

    /// The journals whose heads are locked.
    pub fn journals(&self) -> BTreeSet<JournalId> {
        self.locked.keys().copied().collect()
    }

    /// Each of them with its head, in order.
    pub fn iter(&self) -> impl Iterator<Item = (JournalId, &Head)> {
        self.locked.iter().map(|(journal, head)| (*journal, head))
    }

    /// The present of the lane's journal and of the others: the latest.
    ///
    /// Errors: [`Failure::NoJournal`] if the head of `own` is not locked; [`Failure::Ahead`].
    pub fn present(&self, own: JournalId, clock: &Clock) -> Result<Timestamp, Failure> {
        let mut now = self.locked.get(&own).ok_or(Failure::NoJournal(own))?.present(own, clock)?;
        for (journal, head) in self.iter() {
            now = now.max(head.present(journal, clock)?);
        }
        Ok(now)
    }
}

statement! {
    // The clock is read outside the subquery that locks: in the locking one it would be read before the wait. How far
    // a sandbox's was moved is seen as it was when the wait began, which is after these commands were taken: what is
    // asked once the clock was moved is decided by the time that it was moved to.
    LockHead { journal: JournalId => SmallInt } -> (BigInt, Bytea, Timestamptz, Timestamptz, BigInt),
    concat!(
        "WITH head AS MATERIALIZED (
             SELECT next_seq, head_hash, recorded_at FROM journal WHERE id = $1 FOR UPDATE)
         SELECT next_seq, head_hash, recorded_at, ", programme_time!(), ", (SELECT clock_ahead FROM ledger) FROM head"
    )
}
