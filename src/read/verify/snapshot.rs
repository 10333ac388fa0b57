//! Several connections that see one snapshot.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::postgres::statement::statement;
use crate::read::not_verified::NotVerified;

/// Makes a further connection to the same database.
pub type Open<'a> = &'a (dyn Fn() -> Result<PgConnection, ConnectionError> + Sync);

/// Exports the snapshot of a transaction, for as long as that lasts. A hot standby does it too.
pub fn export(connection: &mut PgConnection) -> QueryResult<String> {
    ExportSnapshot {}.get_result(connection)
}

/// Runs `work` on a further connection that sees the snapshot. Where there is no such connection to be had, nothing is
/// run: whoever has one does all.
pub fn beside(
    open: Open<'_>,
    snapshot: &str,
    work: impl FnOnce(&mut PgConnection) -> Result<(), NotVerified>,
) -> Result<(), NotVerified> {
    let Ok(mut connection) = open() else { return Ok(()) };
    let mut joined = false;
    let result = connection.build_transaction().read_only().repeatable_read().run(|connection| {
        // It is of digits, letters and dashes.
        connection.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{snapshot}'"))?;
        joined = true;
        work(connection)
    });
    if joined { result } else { Ok(()) }
}

statement! {
    ExportSnapshot {} -> Text,
    "SELECT pg_export_snapshot()"
}
