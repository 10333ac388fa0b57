//! What a database needs before its first command: a ledger's id, journals, a programme; and what `open` checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, SmallInt, Text};
use uuid::Uuid;

use super::batch::Changes;
use super::head::{Head, Heads};
use super::sandbox::{Mode, check_mode};
use super::write::{self, Before, Place};
use super::{Failure, OpenError};
use crate::domain::ids::{JournalId, MAX_JOURNAL, PROGRAM_JOURNAL};
use crate::domain::movement::publication;
use crate::domain::program::Program;
use crate::load::{self, State};
use crate::postgres::clock::Clock;
use crate::postgres::guard::{self, Gaps};
use crate::postgres::migrate;
use crate::postgres::statement::statement;

/// Gives a migrated database its ledger's id, its mode and its journals: number 0 and, at the first time, `journals`
/// more or else `default`. Later, journals are only added, up to `journals` if it is given; they get new members a
/// minute later, when every instance knows them. The mode is for good; without one given, a new database is for
/// production and another stays what it is.
///
/// Runs as the owner. Errors: [`OpenError::OtherMode`]; the database's.
pub fn initialise(
    connection: &mut PgConnection,
    mode: Option<Mode>,
    default: JournalId,
    journals: Option<JournalId>,
) -> Result<(), OpenError> {
    let in_range = |journals: JournalId| journals.clamp(1, MAX_JOURNAL);
    AddLedger { id: Uuid::new_v4(), sandbox: mode == Some(Mode::Sandbox) }.execute(connection)?;
    if let Some(mode) = mode {
        check_mode(connection, mode)?;
    }
    AddJournals { first: in_range(default), more: journals.map(in_range) }.execute(connection)?;
    Ok(())
}

/// Publishes the first version of the programme; with one published already, checks that it is the same.
///
/// Errors: [`OpenError::OtherProgram`]; the database's.
pub fn seed(connection: &mut PgConnection, program: &Arc<Program>, clock: &Clock) -> Result<(), OpenError> {
    check_schema(connection)?;
    let ledger = load::ledger_id(connection)?;
    // The first programme is written by no lane: lanes start when there is a programme.
    #[expect(clippy::disallowed_methods, reason = "runs before any lane, on a connection of its own")]
    let seeded = connection.transaction(|connection| {
        let journal = PROGRAM_JOURNAL;
        let head = Head::lock(connection, journal)?.ok_or(Failure::NoJournal(journal))?;
        if let Some(first) = load::program_versions(connection, 0)?.first() {
            return Ok(first.program.document() == program.document());
        }
        let now = head.present(journal, clock)?;
        let caused_by = (now, Uuid::now_v7(), "system");
        let (draft, version) =
            publication::publish(None, program, now, caused_by).map_err(|_| Failure::NotCanonical)?;
        let entries = BTreeMap::from([(journal, vec![draft])]);
        let changes = Changes { entries, versions: vec![version], ..Changes::default() };
        let place = Place { ledger, journal, heads: &Heads::of(journal, head), now, estimate: None };
        write::batch(connection, &place, &Before::default(), &State::default(), changes)?;
        Ok(true)
    });
    match seeded {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::OtherProgram),
        Err(failure) => Err(OpenError::Failed(failure)),
    }
}

/// Was the demonstration begun here, with a programme that it found or seeded?
pub fn is_demonstration(connection: &mut PgConnection) -> Result<bool, OpenError> {
    Ok(IsDemonstration {}.get_result(connection)?)
}

/// How many days the demonstration's orders are moved forward: what was stored at the first call, else `days`.
///
/// Runs as the owner.
pub fn demo_shift(connection: &mut PgConnection, days: i32) -> Result<i32, OpenError> {
    let rows: Vec<i32> = KeepDemoShift { days }.load(connection)?;
    Ok(rows.into_iter().next().unwrap_or(days))
}

/// Were the demonstration's orders all posted?
pub fn demo_loaded(connection: &mut PgConnection) -> Result<bool, OpenError> {
    Ok(DemoLoaded {}.get_result(connection)?)
}

/// Remembers that they were. Runs as the owner.
pub fn set_demo_loaded(connection: &mut PgConnection) -> Result<(), OpenError> {
    SetDemoLoaded {}.execute(connection)?;
    Ok(())
}

/// A journal.
#[derive(Debug, Clone, Copy)]
pub struct JournalRow {
    /// Its number.
    pub id: JournalId,
    /// Do new members get it?
    pub open: bool,
}

pub(super) fn journals(connection: &mut PgConnection) -> Result<Vec<JournalRow>, OpenError> {
    let rows: Vec<(JournalId, bool)> = LoadJournals {}.load(connection)?;
    Ok(rows.into_iter().map(|(id, open)| JournalRow { id, open }).collect())
}

/// Checks that the schema is this program's.
pub fn check_schema(connection: &mut PgConnection) -> Result<(), OpenError> {
    let exists: Vec<bool> = SchemaExists {}.load(connection)?;
    let found = match exists.contains(&true) {
        true => LoadSchemaVersion {}.load::<String>(connection)?.into_iter().next(),
        false => None,
    };
    let needed = migrate::latest();
    match found {
        Some(found) if found == needed => Ok(()),
        found => Err(OpenError::Schema { found: found.unwrap_or_else(|| "nothing".to_owned()), needed }),
    }
}

// Invariant 1: whoever connects must not be able to change what is written, by ownership, grant or power, and nothing
// must be in the way of the triggers.
pub(super) fn check_guard(connection: &mut PgConnection) -> Result<(), OpenError> {
    if let Some(power) = guard::power(connection)? {
        return Err(OpenError::RoleTooStrong(power));
    }
    match guard::gaps(connection)? {
        gaps if gaps.is_empty() => Ok(()),
        gaps => Err(OpenError::Unguarded(Gaps(gaps))),
    }
}

statement! {
    AddLedger { id: Uuid => diesel::sql_types::Uuid, sandbox: bool => Bool } -> (),
    "INSERT INTO ledger (id, created_at, sandbox) VALUES ($1, clock_timestamp(), $2) ON CONFLICT DO NOTHING"
}

statement! {
    // The first journals are open at once: no other instance can be running yet.
    AddJournals { first: JournalId => SmallInt, more: Option<JournalId> => Nullable<SmallInt> } -> (),
    "INSERT INTO journal (id, recorded_at, created_at)
     SELECT n, 'epoch', CASE WHEN any_yet THEN clock_timestamp() ELSE 'epoch' END
     FROM (SELECT EXISTS (SELECT FROM journal) AS any_yet) AS now
     CROSS JOIN generate_series(0, CASE WHEN any_yet THEN COALESCE($2, 0) ELSE COALESCE($2, $1) END) AS n
     ON CONFLICT DO NOTHING"
}

statement! {
    KeepDemoShift { days: i32 => Integer } -> Integer,
    "UPDATE ledger SET demo_shift_days = COALESCE(demo_shift_days, $1) RETURNING demo_shift_days"
}

statement! {
    IsDemonstration {} -> Bool,
    "SELECT demo_shift_days IS NOT NULL FROM ledger"
}

statement! {
    DemoLoaded {} -> Bool,
    "SELECT demo_loaded FROM ledger"
}

statement! {
    SetDemoLoaded {} -> (),
    "UPDATE ledger SET demo_loaded = true"
}

statement! {
    LoadJournals {} -> (SmallInt, Bool),
    "SELECT id, id > 0 AND created_at < clock_timestamp() - interval '1 minute' FROM journal ORDER BY id"
}

statement! {
    SchemaExists {} -> Bool,
    "SELECT to_regclass('public.__diesel_schema_migrations') IS NOT NULL"
}

statement! {
    LoadSchemaVersion {} -> Text,
    "SELECT max(version)::text FROM __diesel_schema_migrations HAVING max(version) IS NOT NULL"
}
