//! What a reader remembers of members from one read to the next, and how it finds out what of that is still right.
//!
//! It is done as lanes do it ([`crate::ledger`]): whoever changes anything of a member writes an entry about the member and
//! moves the journal's head with it (invariant 3). So a read begins with the heads and with whom the entries since are about.
//! Of the others what is remembered is what the database holds, as of that statement; a member who was written about is read
//! anew. After more entries than it would look at, a head that was put back or a query that failed, nothing is remembered.
//!
//! A row that somebody changes by hand moves no head: whoever mends a wallet stops the service first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::time::Timestamp;
use crate::postgres::clock::programme_present;
use crate::postgres::statement::statement;

/// How much is remembered, in bytes, about. Beyond it everything is forgotten: to read it again costs little.
const MOST_BYTES: usize = 32 << 20;

/// How many entries of a journal are looked at; after more, its members are read anew.
const MOST_ENTRIES: i64 = 1_000;

/// What is remembered of members, each as `T`. Nothing at first.
#[derive(Debug)]
pub struct Remembered<T> {
    heads: BTreeMap<JournalId, Head>,
    /// Each with how many bytes it takes, about.
    members: HashMap<MemberId, (T, usize)>,
    bytes: usize,
}

/// Members who are to be read, with the journal of each.
#[derive(Debug, Default)]
pub struct Left {
    /// The journals.
    pub journals: Vec<JournalId>,
    /// The members.
    pub members: Vec<Uuid>,
}

#[derive(Debug)]
struct Head {
    next_seq: i64,
    hash: Vec<u8>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { heads: BTreeMap::new(), members: HashMap::new(), bytes: 0 }
    }
}

impl<T> Remembered<T> {
    /// What `at` makes of those of `ids` who are remembered, as of the present of their journals; and who is left to be read.
    pub fn recall<A>(
        &mut self,
        view: &mut View<'_>,
        ids: &BTreeSet<MemberId>,
        at: impl Fn(&T, Timestamp) -> Option<A>,
    ) -> Result<(BTreeMap<MemberId, A>, Left), ReadError> {
        let presents = self.catch_up(view, ids)?;
        let (mut found, mut left) = (BTreeMap::new(), Left::default());
        for id in ids {
            let present = presents.get(&id.journal());
            match present.and_then(|present| at(self.get(id)?, *present)) {
                Some(answer) => {
                    found.insert(*id, answer);
                }
                None => {
                    left.journals.push(id.journal());
                    left.members.push(id.uuid());
                }
            }
        }
        Ok((found, left))
    }

    /// Reads with what is remembered, and forgets it if that fails: the connection may have been lost, and the database may be
    /// another one afterwards.
    pub fn or_forget<R>(&mut self, read: impl FnOnce(&mut Self) -> Result<R, ReadError>) -> Result<R, ReadError> {
        let answer = read(self);
        if answer.is_err() {
            *self = Self::default();
        }
        answer
    }

    // Forgets whoever was written about since the last time, and gives the present of each journal of `ids`, as of which what
    // is remembered is so. Where nothing is remembered of them it asks nothing, and gives none.
    fn catch_up(
        &mut self,
        view: &mut View<'_>,
        ids: &BTreeSet<MemberId>,
    ) -> Result<BTreeMap<JournalId, Timestamp>, ReadError> {
        let is_needed = |id: &MemberId| self.members.contains_key(id) || !self.heads.contains_key(&id.journal());
        if !ids.iter().any(is_needed) {
            return Ok(BTreeMap::new());
        }
        let journals: BTreeSet<JournalId> = ids.iter().map(|id| id.journal()).collect();
        let seen = |journal: &JournalId| self.heads.get(journal).map_or(i64::MAX - MOST_ENTRIES, |head| head.next_seq);
        let seqs = journals.iter().map(seen).collect();
        let load = LoadSince { journals: journals.into_iter().collect(), seqs, most: MOST_ENTRIES };
        let rows: Vec<Row> = load.load(view.connection)?;
        let mut presents = BTreeMap::new();
        for ((journal, next_seq, hash, now), before, written) in rows {
            if let Some(seen) = self.heads.remove(&journal) {
                // A head that was put back, or a journal that is another one by now.
                let goes_on = next_seq >= seen.next_seq && before.is_none_or(|before| before == seen.hash);
                if !goes_on || next_seq - seen.next_seq > MOST_ENTRIES {
                    self.members.retain(|id, _| id.journal() != journal);
                    self.bytes = self.members.values().map(|(_, bytes)| bytes).sum();
                }
            }
            for id in written.into_iter().flatten() {
                let id = MemberId::try_from(id).map_err(|_| ReadError::Corrupt("an entry without a member's id"))?;
                self.bytes -= self.members.remove(&id).map_or(0, |(_, bytes)| bytes);
            }
            self.heads.insert(journal, Head { next_seq, hash });
            presents.insert(journal, view.clock.read(now));
        }
        Ok(presents)
    }

    fn get(&self, id: &MemberId) -> Option<&T> {
        self.members.get(id).map(|(value, _)| value)
    }

    /// Remembers what was read of a member after the heads: what was written in between is read again.
    pub fn keep(&mut self, id: MemberId, value: T, bytes: usize) {
        self.bytes -= self.members.remove(&id).map_or(0, |(_, bytes)| bytes);
        if self.bytes + bytes > MOST_BYTES {
            self.members.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.members.insert(id, (value, bytes));
    }
}

type Row = ((JournalId, i64, Vec<u8>, DateTime<Utc>), Option<Vec<u8>>, Vec<Option<Uuid>>);

statement! {
    // The heads, the hash of the entry before each `seq`, and whom the entries from there on are about: one snapshot.
    LoadSince {
        journals: Vec<JournalId> => Array<SmallInt>,
        seqs: Vec<i64> => Array<BigInt>,
        most: i64 => BigInt,
    } -> ((SmallInt, BigInt, Bytea, Timestamptz), Nullable<Bytea>, Array<Nullable<SqlUuid>>),
    concat!(
        "SELECT j.id, j.next_seq, j.head_hash, ", programme_present!("j.recorded_at"), ",
             (SELECT hash FROM entry WHERE journal = wanted.journal AND seq = wanted.seq - 1),
             ARRAY(
                 SELECT member FROM entry
                 WHERE journal = wanted.journal AND seq >= wanted.seq AND seq < wanted.seq + $3
             )
         FROM UNNEST($1, $2) AS wanted (journal, seq)
         CROSS JOIN LATERAL (SELECT * FROM journal WHERE id = wanted.journal OFFSET 0) AS j"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u128) -> MemberId {
        MemberId::new(1, Uuid::from_u128(0x019c_0000_0000_7000_8000_0000_0000_0000 + n))
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let mut remembered = Remembered::default();
        for _ in 0..3 {
            remembered.keep(member(1), "again", MOST_BYTES / 2);
        }
        remembered.keep(member(2), "beside", MOST_BYTES / 2);
        assert_eq!((remembered.get(&member(1)), remembered.get(&member(2))), (Some(&"again"), Some(&"beside")));
        remembered.keep(member(3), "one more", 1);
        assert_eq!((remembered.get(&member(1)), remembered.get(&member(3))), (None, Some(&"one more")));
    }

    #[test]
    fn after_a_failure_nothing_is_remembered() {
        let mut remembered = Remembered::default();
        remembered.keep(member(1), (), 1);
        assert!(remembered.or_forget(|_| Ok(())).is_ok() && remembered.get(&member(1)).is_some());
        assert!(remembered.or_forget(|_| Err::<(), _>(ReadError::Unavailable)).is_err());
        assert!(remembered.get(&member(1)).is_none());
    }
}
