//! `accrue migrate`

use std::io::{self, Write};

use anyhow::Result;

use super::args::{DatabaseArgs, MigrateArgs};
use super::database::Database;

/// Brings the schema up to date and adds journals.
pub fn run(database: &DatabaseArgs, args: &MigrateArgs) -> Result<()> {
    let database = Database::unprepared(database)?;
    let run = database.prepare(Some(args.mode.mode()), args.journals)?;
    match run.len() {
        0 => writeln!(io::stdout(), "the schema is up to date")?,
        n => writeln!(io::stdout(), "ran {n} migration(s): {}", run.join(", "))?,
    }
    Ok(())
}
