//! `accrue import`: a CSV file of orders, balances or refunds through the posting path, many lines in flight.
//!
//! A file is read twice: first every line for what is wrong with it and for who the customers are, then the lines that
//! can be read, a chunk at a time, for what the ledger has of them already and what to send. The ledger decides, as it
//! does for every caller. Each line has a key of its own, so a file can be imported again after any interruption, and
//! after it grew.

mod balances;
mod customers;
mod flight;
mod orders;
mod records;
mod refunds;
mod report;
mod split;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use diesel::PgConnection;

use self::flight::Flight;
use self::records::{Columns, Record, Records};
pub use self::report::Report;
use super::args::{DatabaseArgs, ImportArgs, ImportWhat};
use super::database::{Database, unreachable};
use super::logs;
use crate::domain::fields::{self, Fault, Fields};
use crate::domain::program::{Program, ProgramBook};
use crate::domain::time::{self, Timestamp};
use crate::ledger::{Command, Ledger};
use crate::postgres::connect;

/// Who posts what is imported, as entries name it.
const ACTOR: &str = "system:import";

/// How many lines are looked up at once.
const CHUNK: usize = 1_000;

/// Imports, says what was done, and exits 1 if lines were rejected.
pub fn run(database: &DatabaseArgs, args: &ImportArgs) -> Result<ExitCode> {
    let (file, program) = match &args.what {
        ImportWhat::Orders { file, program, .. } | ImportWhat::Balances { file, program } => (file, program.as_deref()),
        ImportWhat::Refunds { file, .. } => (file, None),
    };
    let database = Database::beside(database)?;
    database.seed_file(program)?;
    let ledger = Ledger::open(database.ledger())?;
    let (source, began) = (open(file)?, Instant::now());
    let report = match &args.what {
        ImportWhat::Orders { shift_days, .. } => orders(&ledger, &database.url, source, *shift_days)?,
        ImportWhat::Balances { .. } => balances(&ledger, &database.url, source)?,
        ImportWhat::Refunds { shift_days, .. } => refunds(&ledger, &database.url, source, *shift_days)?,
    };
    ledger.close();
    logs::say(report.said(began.elapsed()));
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Imports the orders in `source`, each moved forward by `shift_days`.
///
/// Errors: the source cannot be read or has other columns; the ledger gives no answer for long. What was
/// acknowledged by then is kept: run it again.
pub fn orders(ledger: &Ledger, url: &str, source: impl Read + Seek, shift_days: i32) -> Result<Report> {
    import(ledger, url, source, |calendar, now| Ok(orders::Orders::new(ledger, calendar.shifted(shift_days)?, now)))
}

/// Imports the balances in `source`: as [`orders`].
pub fn balances(ledger: &Ledger, url: &str, source: impl Read + Seek) -> Result<Report> {
    import(ledger, url, source, |calendar, _| Ok(balances::Balances::new(ledger, calendar)))
}

/// Imports the refunds in `source`: as [`orders`].
pub fn refunds(ledger: &Ledger, url: &str, source: impl Read + Seek, shift_days: i32) -> Result<Report> {
    import(ledger, url, source, |calendar, _| Ok(refunds::Refunds::new(calendar.shifted(shift_days)?)))
}

fn open(file: &Path) -> Result<File> {
    File::open(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What is imported: how its lines are read, and what becomes of them.
trait Import {
    /// The columns of the file.
    const COLUMNS: Columns;
    /// What its lines are, in the plural.
    const LINES: &'static str;
    /// A line that can be read.
    type Row;

    /// Reads a line.
    fn read(&self, line: &mut Fields<'_>) -> Option<Self::Row>;

    /// Takes note of a row before any is sent.
    fn meet(&mut self, _row: Self::Row) {}

    /// Looks up, once, what it has taken note of.
    fn prepare(&mut self, _connection: &mut PgConnection) -> Result<()> {
        Ok(())
    }

    /// Looks rows up, and says what to do with each.
    fn resolve(&mut self, connection: &mut PgConnection, rows: Vec<Self::Row>) -> Result<Vec<Step>>;
}

/// What to do with a line.
enum Step {
    /// A command, under a key of the line unless it has a natural key.
    Send(Option<String>, Box<Command>),
    /// Nothing: an earlier run has done it.
    Known,
    /// Nothing, for a reason.
    Reject(String),
}

impl Step {
    fn send(key: Option<String>, command: Command) -> Self {
        Self::Send(key, Box::new(command))
    }
}

fn import<I: Import>(
    ledger: &Ledger,
    url: &str,
    mut source: impl Read + Seek,
    make: impl FnOnce(Calendar, Timestamp) -> Result<I>,
) -> Result<Report> {
    let mut connection = connect::plain(url).map_err(unreachable)?;
    let now = ledger.clock().look(&mut connection)?.now;
    let mut import = make(Calendar { programs: ledger.programs().book(), shift: Days::new(0) }, now)?;
    let mut report = Report::new(I::LINES);
    let lines = survey(&mut import, &mut source, &mut report)?;
    import.prepare(&mut connection)?;
    source.rewind()?;
    let mut flight = Flight::new(ledger, url, report);
    let bar = report::progress(lines, I::LINES);
    let mut records = Records::open(&mut source, &I::COLUMNS)?;
    loop {
        let (numbers, rows) = chunk(&import, &mut records)?;
        if rows.is_empty() {
            break;
        }
        for (line, step) in numbers.into_iter().zip(import.resolve(&mut connection, rows)?) {
            flight.take(line, step)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    flight.land()
}

// Reads every line once, says what is wrong with it, and returns how many are to be sent.
fn survey<I: Import>(import: &mut I, source: impl Read, report: &mut Report) -> Result<u64> {
    let mut records = Records::open(source, &I::COLUMNS)?;
    let mut good = 0;
    while let Some(record) = records.next()? {
        report.lines += record.lines;
        match row(import, &record) {
            Ok(row) => {
                import.meet(row);
                good += 1;
            }
            Err(reason) => report.reject(record.line, record.lines, reason),
        }
    }
    report.blank = records.blank();
    Ok(good)
}

// The next lines that can be read, with their numbers. What is wrong with the others was said before.
fn chunk<I: Import, R: Read>(import: &I, records: &mut Records<R>) -> Result<(Vec<u64>, Vec<I::Row>)> {
    let (mut numbers, mut rows) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
    while rows.len() < CHUNK
        && let Some(record) = records.next()?
    {
        if let Ok(row) = row(import, &record) {
            numbers.push(record.line);
            rows.push(row);
        }
    }
    Ok((numbers, rows))
}

fn row<I: Import>(import: &I, record: &Record) -> Result<I::Row, String> {
    let fields = record.fields.as_ref().map_err(ToString::to_string)?;
    fields::read(fields, |line| import.read(line)).map_err(|faults| listed(&faults))
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

/// A text that names what is wrong with a field, as [`Fault`] does.
fn fault(field: &str, wrong: fields::Wrong) -> String {
    Fault { path: format!("/{field}"), code: wrong.code.to_owned(), message: wrong.message }.to_string()
}

/// What the days of a file mean.
struct Calendar {
    programs: Arc<ProgramBook>,
    shift: Days,
}

impl Calendar {
    fn shifted(self, days: i32) -> Result<Self> {
        Ok(Self { shift: Days::new(u64::try_from(days)?), ..self })
    }

    /// The day, moved forward; none at the end of the calendar.
    fn moved(&self, day: NaiveDate) -> Option<NaiveDate> {
        day.checked_add_days(self.shift)
    }

    /// The programme of a day. Zone and currency are those of the day's own version: a version that is published later
    /// changes no line.
    fn program(&self, day: NaiveDate) -> &Program {
        &self.programs.at(time::local_midnight(day, Tz::UTC)).program
    }

    /// The instant at which a day begins where the programme is.
    fn begins(&self, day: NaiveDate) -> Timestamp {
        time::local_midnight(day, self.program(day).time_zone)
    }
}
