//! Loading what a batch names: a few statements, each set-based, none for what no command of the batch needs.
//!
//! Every statement has one plan that makes sense and no other that is possible: keys are looked up by equality, each
//! behind a lateral join with a fence (`OFFSET 0`), in an index that nothing else fits. The planner sees a new table as
//! empty, and a plan that it chose then is kept while the table grows: given the choice it reads a whole index for a
//! batch of one.

mod keys;
mod lots;
mod members;
mod needs;
mod program;
mod records;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bytea, SmallInt, Timestamptz};
use uuid::Uuid;

use self::needs::Needs;
pub use self::program::{program_book, program_versions};
use super::Failure;
use super::command::Request;
use super::state::State;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Hash;
use crate::domain::movement::transfer;
use crate::domain::program::ProgramBook;
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
    /// The programme's time once the lock was held.
    pub clock: DateTime<Utc>,
}

impl Head {
    /// The present of the journal, which is number `journal`.
    ///
    /// Errors: [`Failure::Ahead`].
    pub fn present(&self, journal: JournalId, clock: &Clock) -> Result<Timestamp, Failure> {
        let (recorded_at, now) = (self.recorded_at, clock.read(self.clock));
        clock.present(self.clock, recorded_at).ok_or(Failure::Ahead { journal, recorded_at, now })
    }
}

/// Locks the head of `journal`: from here to the end of the transaction nobody else writes to the journal or to
/// anything of its members. Statements after this one see all that the lock's last holder wrote.
pub fn head(connection: &mut PgConnection, journal: JournalId) -> Result<Head, Failure> {
    type Row = (i64, Vec<u8>, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = LockHead { journal }.load(connection)?;
    let (next_seq, hash, recorded_at, clock) = rows.into_iter().next().ok_or(Failure::NoJournal(journal))?;
    let hash = hash.try_into().map_err(|_| Failure::NoJournal(journal))?;
    Ok(Head { next_seq, hash, recorded_at, clock })
}

/// Where a key that another journal may hold is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the batch's journal: all that is ever needed unless two journals meet.
    Journal,
    /// In all journals, after a unique index has shown that some journal holds one.
    AllJournals,
}

/// The state that a batch names, and what to settle first if more is due than one transaction takes.
pub struct Loaded {
    /// The state.
    pub state: State,
    /// The journals in which that is so, each with the time up to which all that is due was loaded.
    pub cut: Vec<(JournalId, Timestamp)>,
}

/// What surrounds a load.
pub struct Around<'a> {
    /// The lane's journal, whose keys are looked up.
    pub journal: JournalId,
    /// Where they are looked up.
    pub reach: Reach,
    /// The present.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

/// Loads what `requests` name, from the `journals` whose heads are locked.
///
/// Members come with what their commands need, in three steps: what is named; then the stock of the rewards that this
/// touches, locked behind the heads; then the lots, since only now it is known how many points are asked for.
pub fn state(
    connection: &mut PgConnection,
    journals: &BTreeSet<JournalId>,
    requests: &[Request],
    around: &Around<'_>,
) -> Result<Loaded, Failure> {
    let mut needs = Needs::of(requests);
    let mut state = State::default();
    keys::load(connection, around, &needs, &mut state)?;
    for journal in journals {
        let records = records::named(connection, *journal, &mut needs, &mut state)?;
        members::load(connection, *journal, &needs, &mut state)?;
        records.attach(&mut state);
        records::claiming(connection, *journal, &state)?.attach(&mut state);
        let due = lots::due_members(&state, *journal, around.now);
        records::due(connection, *journal, due, around.now)?.attach(&mut state);
    }
    program::rewards(connection, &mut needs, &mut state)?;
    program::causes(connection, &needs, &mut state)?;
    let program = &around.programs.at(around.now).program;
    let limit = program.transfers.as_ref().and_then(|rules| rules.maximum_points_per_day);
    let day_begins = limit.map(|_| transfer::day_begins(program, around.now));
    let mut cut = Vec::new();
    for journal in journals {
        records::counted(connection, *journal, &needs, day_begins, &state)?.attach(&mut state);
        let until = lots::load(connection, *journal, around.now, &needs, &mut state)?;
        cut.extend(until.map(|until| (*journal, until)));
    }
    Ok(Loaded { state, cut })
}

fn of_journal(members: &BTreeSet<MemberId>, journal: JournalId) -> Vec<Uuid> {
    members.iter().filter(|member| member.journal() == journal).map(|member| member.uuid()).collect()
}

statement! {
    // The clock is read outside the subquery that locks: in the locking one it would be read before the wait. How far
    // a sandbox's was moved is seen as it was when the wait began, which is after these commands were taken: what is
    // asked once the clock was moved is decided by the time that it was moved to.
    LockHead { journal: JournalId => SmallInt } -> (BigInt, Bytea, Timestamptz, Timestamptz),
    concat!(
        "WITH head AS MATERIALIZED (
             SELECT next_seq, head_hash, recorded_at FROM journal WHERE id = $1 FOR UPDATE)
         SELECT next_seq, head_hash, recorded_at, ", programme_time!(), " FROM head"
    )
}
