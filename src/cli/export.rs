//! `accrue export`

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};

use super::args::{DatabaseArgs, ExportArgs};
use super::database::{self, Database};
use crate::postgres::connect;
use crate::read::export::Export;

/// Writes the ledger out.
pub fn run(database_args: &DatabaseArgs, args: &ExportArgs) -> Result<()> {
    let database = Database::existing(database_args)?;
    let mut connection = connect::auditor(&database.url).map_err(database::unreachable)?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?))
        }
        None => Box::new(io::stdout().lock()),
    };
    let mut export = Export::begin(&mut connection, args.format, None)?;
    while let Some(part) = export.next(&mut connection)? {
        out.write_all(&part).context("cannot write the export to its end")?;
    }
    out.flush().context("cannot write the export to its end")
}
