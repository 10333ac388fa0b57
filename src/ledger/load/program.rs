//! What belongs to no member: programme versions, rewards and their stock, causes and their totals.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::super::command::PROGRAM_JOURNAL;
use super::super::state::State;
use super::super::{Failure, schema};
use super::needs::Needs;
use crate::domain::ids::JournalId;
use crate::domain::movement::donation::Cause;
use crate::domain::movement::reward::Reward;
use crate::domain::program::{Program, ProgramBook, ProgramVersion};
use crate::postgres::statement::statement;

/// The programme's versions after `known`.
///
/// Errors: a stored document does not compile, which means that this program is older than the one that stored it.
pub fn program_versions(connection: &mut PgConnection, known: i32) -> Result<Vec<ProgramVersion>, Failure> {
    use schema::program_version::dsl;
    let rows: Vec<(i32, DateTime<Utc>, String)> = dsl::program_version
        .filter(dsl::journal.eq(PROGRAM_JOURNAL).and(dsl::version.gt(known)))
        .order(dsl::version)
        .select((dsl::version, dsl::effective_at, dsl::document))
        .load(connection)?;
    rows.into_iter()
        .map(|(version, effective_at, document)| {
            let document = serde_json::from_str(&document).map_err(|_| Failure::UnreadableProgram(version))?;
            let program = Program::read(&document).map_err(|_| Failure::UnreadableProgram(version))?;
            Ok(ProgramVersion { version, effective_at, program: program.into() })
        })
        .collect()
}

/// All versions of the programme; none before the first.
pub fn program_book(connection: &mut PgConnection) -> Result<Option<ProgramBook>, Failure> {
    Ok(ProgramBook::new(program_versions(connection, 0)?).ok())
}

/// Locks and loads the rewards that the batch touches: those that commands name, and those of the redemptions that were
/// loaded, whose units may come back. Behind the heads and in the order of their ids, so that no two batches wait for
/// each other.
pub fn rewards(connection: &mut PgConnection, needs: &mut Needs, state: &mut State) -> Result<(), Failure> {
    let records = state.members.values().flat_map(|member| member.records.values());
    needs.rewards.extend(records.filter_map(|record| record.recorded().takes()).map(|(reward, _)| reward));
    if needs.rewards.is_empty() {
        return Ok(());
    }
    let rewards = needs.rewards.iter().copied().collect();
    let rows: Vec<(Uuid, String, Option<i64>, i64)> =
        LockRewards { journal: PROGRAM_JOURNAL, rewards }.load(connection)?;
    for (id, terms, supplied, taken) in rows {
        let terms = serde_json::from_str(&terms).map_err(|_| Failure::UnreadableRow("reward"))?;
        let reward = Reward { id, terms, supplied, taken };
        needs.add_reward(&reward);
        state.rewards.insert(id, reward);
    }
    Ok(())
}

/// Loads the causes that the batch names. Nothing is locked: each journal adds to a total of its own.
pub fn causes(connection: &mut PgConnection, needs: &Needs, state: &mut State) -> Result<(), Failure> {
    if needs.causes.is_empty() {
        return Ok(());
    }
    let causes = needs.causes.iter().copied().collect();
    let rows: Vec<(Uuid, String, i64, i64)> = LoadCauses { journal: PROGRAM_JOURNAL, causes }.load(connection)?;
    for (id, terms, total, donations) in rows {
        let terms = serde_json::from_str(&terms).map_err(|_| Failure::UnreadableRow("cause"))?;
        state.causes.insert(id, Cause { id, terms, total, donations });
    }
    Ok(())
}

statement! {
    // One row after the other, in the order of the array, which is that of the ids.
    LockRewards { journal: JournalId => SmallInt, rewards: Vec<Uuid> => Array<SqlUuid> }
    -> (SqlUuid, Text, Nullable<BigInt>, BigInt),
    "SELECT r.id, r.terms, r.supplied, r.taken
     FROM UNNEST($2) WITH ORDINALITY AS wanted (id, n)
     CROSS JOIN LATERAL (SELECT * FROM reward WHERE journal = $1 AND id = wanted.id FOR UPDATE) AS r"
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
