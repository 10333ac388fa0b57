//! What a database needs before its first command: a ledger's id, journals, a programme; and what `open` checks.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, SmallInt, Text, Timestamptz};
use uuid::Uuid;

use super::load;
use super::state::{Changes, State};
use super::write::{self, Place};
use super::{Failure, OpenError, schema};
use crate::domain::ids::{JournalId, MAX_JOURNAL};
use crate::domain::program::Program;
use crate::domain::publication;
use crate::domain::time::Timestamp;
use crate::postgres::clock::Clock;
use crate::postgres::migrate;
use crate::postgres::statement::statement;

/// Gives a migrated database its ledger's id and its journals: number 0 and `members` more. A database that has
/// more keeps them; missing ones are added and get new members a minute later, when every instance knows them.
///
/// Runs as the owner. Errors: the database's.
pub fn initialise(connection: &mut PgConnection, members: JournalId) -> Result<(), OpenError> {
    let last = members.clamp(1, MAX_JOURNAL);
    AddLedger { id: Uuid::new_v4() }.execute(connection)?;
    AddJournals { last }.execute(connection)?;
    Ok(())
}

/// Publishes the first version of the programme; with one published already, checks that it is the same.
///
/// Errors: [`OpenError::OtherProgram`]; the database's.
pub fn seed(connection: &mut PgConnection, program: &Arc<Program>, clock: &Clock) -> Result<(), OpenError> {
    let ledger = ledger_id(connection)?;
    // The first programme is written by no lane: lanes start when there is a programme.
    #[expect(clippy::disallowed_methods, reason = "runs before any lane, on a connection of its own")]
    let seeded = connection.transaction(|connection| {
        let journal = super::command::PROGRAM_JOURNAL;
        let head = load::head(connection, journal)?;
        if let Some(first) = load::program_versions(connection, 0)?.first() {
            return Ok(first.program.document() == program.document());
        }
        let now = clock.read(head.clock).max(head.recorded_at);
        let caused_by = (now, Uuid::now_v7(), "system");
        let (draft, version) =
            publication::publish(None, program, now, caused_by).map_err(|_| Failure::NotCanonical)?;
        let changes = Changes { entries: vec![draft], versions: vec![version], ..Changes::default() };
        let place = Place { ledger, journal, head: &head, now };
        write::batch(connection, &place, &Default::default(), &State::default(), changes)?;
        Ok(true)
    });
    match seeded {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::OtherProgram),
        Err(failure) => Err(OpenError::Failed(failure)),
    }
}

/// How many days the demonstration's orders are moved forward: what was stored at the first call, else `days`.
///
/// Runs as the owner.
pub fn demo_shift(connection: &mut PgConnection, days: i32) -> Result<i32, OpenError> {
    let rows: Vec<i32> = KeepDemoShift { days }.load(connection)?;
    Ok(rows.into_iter().next().unwrap_or(days))
}

/// The programme's time now, in UTC.
pub fn now(connection: &mut PgConnection, clock: &Clock) -> Result<Timestamp, OpenError> {
    let now: Vec<DateTime<Utc>> = ReadClock {}.load(connection)?;
    Ok(clock.read(now.into_iter().next().ok_or(diesel::result::Error::NotFound)?))
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

pub(super) fn ledger_id(connection: &mut PgConnection) -> Result<Uuid, OpenError> {
    Ok(schema::ledger::table.select(schema::ledger::id).first(connection)?)
}

pub(super) fn check_schema(connection: &mut PgConnection) -> Result<(), OpenError> {
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

// Invariant 1: whoever connects must not be able to change what is written, by ownership, grant or power.
pub(super) fn check_role(connection: &mut PgConnection) -> Result<(), OpenError> {
    let strong: Vec<(String, String)> = TooStrong {}.load(connection)?;
    match strong.into_iter().next() {
        Some((role, table)) => Err(OpenError::RoleTooStrong { role, table }),
        None => Ok(()),
    }
}

statement! {
    AddLedger { id: Uuid => diesel::sql_types::Uuid } -> (),
    "INSERT INTO ledger (id, created_at) VALUES ($1, clock_timestamp()) ON CONFLICT DO NOTHING"
}

statement! {
    // The first journals are open at once: no other instance can be running yet.
    AddJournals { last: JournalId => SmallInt } -> (),
    "INSERT INTO journal (id, recorded_at, created_at)
     SELECT n, 'epoch', CASE WHEN EXISTS (SELECT FROM journal) THEN clock_timestamp() ELSE 'epoch' END
     FROM generate_series(0, $1) AS n ON CONFLICT DO NOTHING"
}

statement! {
    KeepDemoShift { days: i32 => Integer } -> Integer,
    "UPDATE ledger SET demo_shift_days = COALESCE(demo_shift_days, $1) RETURNING demo_shift_days"
}

statement! {
    ReadClock {} -> Timestamptz,
    "SELECT clock_timestamp()"
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

statement! {
    TooStrong {} -> (Text, Text),
    "SELECT session_user::text, t.relname::text
     FROM pg_class t, pg_roles r
     WHERE t.oid IN ('entry'::regclass, 'posting'::regclass) AND r.rolname = session_user
       AND (r.rolsuper
            OR pg_has_role(session_user, t.relowner, 'MEMBER')
            OR has_table_privilege(session_user, t.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
            OR has_any_column_privilege(session_user, t.oid, 'UPDATE'))
     ORDER BY 2"
}
