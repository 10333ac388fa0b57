//! Migrations. They run as the owner of the database; the service runs as another role.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

/// The migrations of this program.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Brings the schema up to this program's, one migrator at a time. Returns the names of what was run.
pub fn run(connection: &mut PgConnection) -> Result<Vec<String>, MigrateError> {
    connection.batch_execute("SELECT pg_advisory_lock(7283091)")?;
    let run = connection.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Migration)?;
    let run = run.into_iter().map(|version| version.to_string()).collect();
    connection.batch_execute("SELECT pg_advisory_unlock(7283091)")?;
    Ok(run)
}

/// The version of the last migration that this program knows.
pub fn latest() -> String {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap_or_default();
    migrations.iter().map(|migration| migration.name().version().to_string()).max().unwrap_or_default()
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A migration failed.
    #[error("a migration failed: {0}")]
    Migration(Box<dyn std::error::Error + Send + Sync>),
    /// The database refused something else.
    #[error("the database refused")]
    Database(#[from] diesel::result::Error),
}
