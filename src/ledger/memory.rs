//! What a lane remembers of its journal from batch to batch: where the head stood, what the clock showed then, and the
//! members as it left them.
//!
//! The head is the version of all of it. Whoever changes anything of a member writes an entry about the member and moves the
//! head with it (invariant 3), so that what is remembered is right for as long as the head stands where it was left, and
//! once others have moved it, but for the members whom the entries since are about. Nothing here is trusted: what is decided
//! by it is written only if the head still stands there ([`super::quiet`]), or behind the head's lock.
//!
//! A row that somebody changes by hand moves no head: whoever mends a wallet stops the service first.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Failure;
use super::head::Head;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::Member;
use crate::postgres::clock::programme_time;
use crate::postgres::statement::statement;

/// How many members are remembered: some six megabytes for each lane. To read one again costs little.
const MOST_MEMBERS: usize = 20_000;

/// How many entries of others are looked at; after more, everything is read anew.
const MOST_ENTRIES: i64 = 1_000;

/// What a lane remembers. Empty at first.
#[derive(Default)]
pub struct Memory {
    head: Option<Head>,
    members: HashMap<MemberId, Member>,
}

impl Memory {
    /// Where the head stood.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Those of `wanted` that are remembered: without lots, records and orders, as their rows say who they are.
    pub fn recall(&self, wanted: &BTreeSet<MemberId>) -> HashMap<MemberId, Member> {
        let known = wanted.iter().filter_map(|id| self.members.get(id));
        known.map(|member| (member.id, member.clone())).collect()
    }

    /// Remembers what was committed: where the head stands now, and members as they stand there.
    pub fn keep(&mut self, head: Head, members: impl Iterator<Item = Member>) {
        self.head = Some(head);
        if self.members.len() > MOST_MEMBERS {
            self.members.clear();
        }
        for member in members {
            let due_beyond = member.points_due_at();
            let Member { id, status, joined_at, balances, lifetime, claimed, standing, spending, .. } = member;
            let new = Member { standing, spending, orders_since: None, ..Member::new(id, joined_at) };
            let member = Member { status, balances, lifetime, claimed, due_beyond, ..new };
            self.members.insert(id, member);
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Finds out where the head stands, and forgets the members whom others have written about since. Behind the head's
    /// lock as well as without it.
    pub fn catch_up(&mut self, connection: &mut PgConnection, journal: JournalId) -> Result<(), Failure> {
        let Some(seen) = self.head.take() else { return Ok(()) };
        let since = Since { journal, seq: seen.next_seq, most: MOST_ENTRIES };
        let found: Option<Found> = since.get_result(connection).optional()?;
        let read_at = Instant::now();
        let Some(((next_seq, hash, recorded_at), (clock, ahead), before, members)) = found else {
            self.forget();
            return Ok(());
        };
        // A head that was put back, or a journal that is another one by now.
        let goes_on = next_seq >= seen.next_seq && before.is_none_or(|before| before == seen.hash);
        if !goes_on || next_seq - seen.next_seq > MOST_ENTRIES {
            self.forget();
        }
        for id in members.into_iter().flatten() {
            let id = MemberId::try_from(id).map_err(|_| Failure::UnreadableRow("entry"))?;
            self.members.remove(&id);
        }
        let hash = hash.try_into().map_err(|_| Failure::NoJournal(journal))?;
        self.head = Some(Head { next_seq, hash, recorded_at, clock, ahead, read_at });
        Ok(())
    }
}

type Found = ((i64, Vec<u8>, DateTime<Utc>), (DateTime<Utc>, i64), Option<Vec<u8>>, Vec<Option<Uuid>>);

statement! {
    // The head, the clock, the hash of the entry before `seq`, and whom the entries from there on are about: one snapshot.
    Since { journal: JournalId => SmallInt, seq: i64 => BigInt, most: i64 => BigInt }
    -> (
        (BigInt, Bytea, Timestamptz),
        (Timestamptz, BigInt),
        Nullable<Bytea>,
        Array<Nullable<SqlUuid>>
    ),
    concat!(
        "SELECT next_seq, head_hash, recorded_at, ", programme_time!(), ", (SELECT clock_ahead FROM ledger),
             (SELECT hash FROM entry WHERE journal = $1 AND seq = $2 - 1),
             ARRAY(SELECT member FROM entry WHERE journal = $1 AND seq >= $2 AND seq < $2 + $3)
         FROM journal WHERE id = $1"
    )
}
