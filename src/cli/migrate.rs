//! `accrue migrate`

use anyhow::Result;

use super::args::{DatabaseArgs, MigrateArgs};
use super::database::Database;

/// Brings the schema up to date and adds journals.
pub fn run(database: &DatabaseArgs, args: &MigrateArgs) -> Result<()> {
    let database = Database::unprepared(database)?;
    let run = database.prepare(Some(args.mode.mode()), args.journals)?;
    match run.len() {
        0 => println!("the schema is up to date"),
        n => println!("ran {n} migration(s): {}", run.join(", ")),
    }
    Ok(())
}
