//! What belongs to no member: programme versions, counters, rewards, causes and their totals.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::needs::Needs;
use super::state::State;
use super::{Aim, Unloadable};
use crate::domain::ids::{JournalId, PROGRAM_JOURNAL};
use crate::domain::movement::donation::Cause;
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::domain::record::counter::Counter;
use crate::postgres::statement::statement;

/// The ledger's id.
pub fn ledger_id(connection: &mut PgConnection) -> QueryResult<Uuid> {
    LoadLedger {}.get_result(connection)
}

/// The programme's versions after `known`.
///
/// Errors: a stored document does not compile, which means that this program is older than the one that stored it.
pub fn program_versions(connection: &mut PgConnection, known: i32) -> Result<Vec<ProgramVersion>, Unloadable> {
    let rows: Vec<(i32, DateTime<Utc>, String)> = LoadVersions { journal: PROGRAM_JOURNAL, known }.load(connection)?;
    rows.into_iter()
        .map(|(version, effective_at, document)| {
            let document = serde_json::from_str(&document).map_err(|_| Unloadable::Program(version))?;
            let program = Program::read(&document).map_err(|_| Unloadable::Program(version))?;
            Ok(ProgramVersion { version, effective_at, program: program.into() })
        })
        .collect()
}

/// All versions of the programme; none before the first.
pub fn program_book(connection: &mut PgConnection) -> Result<Option<ProgramBook>, Unloadable> {
    Ok(ProgramBook::new(program_versions(connection, 0)?).ok())
}

/// Loads the counters that are needed: those of the rewards that were asked for, and those that records which were loaded
/// take of, since it may come back. To be kept they are locked, behind the heads and in the order of their ids, so that no two batches
/// wait for each other.
pub fn counters(connection: &mut PgConnection, aim: Aim, needs: &Needs, state: &mut State) -> Result<(), Unloadable> {
    let records = state.members.values().flat_map(|member| member.records.values());
    let taken_of = records.filter_map(|record| record.recorded().takes()).map(|(counter, _)| counter);
    let ids: BTreeSet<Uuid> = taken_of.chain(needs.rewards.iter().copied()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (journal, ids) = (PROGRAM_JOURNAL, ids.into_iter().collect());
    let rows: Vec<(Uuid, Option<i64>, i64)> = match aim {
        Aim::Keep => LockCounters { journal, ids }.load(connection)?,
        Aim::Show => LoadCounters { journal, ids }.load(connection)?,
    };
    state.counters.extend(rows.into_iter().map(|(id, most, taken)| (id, Counter { most, taken })));
    Ok(())
}

/// Loads the rewards that are needed, after their counters: whoever changes a reward locks that too.
pub fn rewards(connection: &mut PgConnection, needs: &mut Needs, state: &mut State) -> Result<(), Unloadable> {
    if needs.rewards.is_empty() {
        return Ok(());
    }
    let rewards = needs.rewards.iter().copied().collect();
    let rows: Vec<(Uuid, String)> = LoadRewards { journal: PROGRAM_JOURNAL, rewards }.load(connection)?;
    for (id, terms) in rows {
        let terms = serde_json::from_str(&terms).map_err(|_| Unloadable::Row("reward"))?;
        needs.cost_of(id, &terms);
        state.rewards.insert(id, terms);
    }
    Ok(())
}

/// Loads the causes that the batch names. Nothing is locked: each journal adds to a total of its own.
pub fn causes(connection: &mut PgConnection, needs: &Needs, state: &mut State) -> Result<(), Unloadable> {
    if needs.causes.is_empty() {
        return Ok(());
    }
    let causes = needs.causes.iter().copied().collect();
    let rows: Vec<(Uuid, String, i64, i64)> = LoadCauses { journal: PROGRAM_JOURNAL, causes }.load(connection)?;
    for (id, terms, total, donations) in rows {
        let terms = serde_json::from_str(&terms).map_err(|_| Unloadable::Row("cause"))?;
        state.causes.insert(id, Cause { id, terms, total, donations });
    }
    Ok(())
}

statement! {
    LoadLedger {} -> SqlUuid,
    "SELECT id FROM ledger"
}

statement! {
    LoadVersions { journal: JournalId => SmallInt, known: i32 => Integer } -> (Integer, Timestamptz, Text),
    "SELECT version, effective_at, document FROM program_version WHERE journal = $1 AND version > $2 ORDER BY version"
}

statement! {
    // One row after the other, in the order of the array, which is that of the ids.
    LockCounters { journal: JournalId => SmallInt, ids: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, Nullable<BigInt>, BigInt),
    "SELECT c.id, c.most, c.taken FROM UNNEST($2) WITH ORDINALITY AS wanted (id, n)
     CROSS JOIN LATERAL (SELECT * FROM counter WHERE journal = $1 AND id = wanted.id FOR UPDATE) AS c"
}

statement! {
    LoadCounters { journal: JournalId => SmallInt, ids: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, Nullable<BigInt>, BigInt),
    "SELECT c.id, c.most, c.taken FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM counter WHERE journal = $1 AND id = wanted.id OFFSET 0) AS c"
}

statement! {
    LoadRewards { journal: JournalId => SmallInt, rewards: Vec<Uuid> => Array<SqlUuid> } -> (SqlUuid, Text),
    "SELECT r.id, r.terms FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM reward WHERE journal = $1 AND id = wanted.id OFFSET 0) AS r"
}

statement! {
    LoadCauses { journal: JournalId => SmallInt, causes: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, Text, BigInt, BigInt),
    "SELECT c.id, c.terms, COALESCE(given.points, 0)::bigint, COALESCE(given.donations, 0)::bigint
     FROM UNNEST($2) AS wanted (id)
     CROSS JOIN LATERAL (SELECT * FROM cause WHERE journal = $1 AND id = wanted.id OFFSET 0) AS c
     CROSS JOIN LATERAL (
         SELECT sum(points) AS points, sum(donations) AS donations FROM cause_total WHERE cause = wanted.id
     ) AS given"
}
