//! `accrue import orders`: a CSV file of orders through the posting path, many in flight.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::Days;
use chrono_tz::Tz;
use csv::StringRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use tokio::sync::oneshot::Receiver;

use super::args::{DatabaseArgs, ImportArgs, ImportWhat};
use super::database::{Database, unreachable};
use crate::domain::enrolment::Enrolment;
use crate::domain::fields::{self, Fault};
use crate::domain::ids::MemberId;
use crate::domain::money::Currency;
use crate::domain::order::Order;
use crate::domain::program::ProgramBook;
use crate::domain::time::{self, Timestamp};
use crate::ledger::{Answer, Command, Ledger, LedgerConfig, NoAnswer, Outcome, Priority, Request};
use crate::postgres::connect;
use crate::read::members;

/// Who posts imported orders, as entries name it.
const ACTOR: &str = "system:import";

/// The columns of the file.
const COLUMNS: [&str; 5] = ["order_id", "customer_id", "ordered_on", "items", "amount"];

/// How long a command may wait in its queue.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How often progress is said where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(2);

/// How many commands are under way at once.
const IN_FLIGHT: usize = 4_096;

/// How many rejected lines are shown; all are counted.
const SHOWN: usize = 20;

/// How often a command is sent again when the database is away.
const MOST_TRIES: u32 = 10;

/// What an import did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Orders posted by this run.
    pub posted: u64,
    /// Orders that an earlier run had posted.
    pub known: u64,
    /// Customers enrolled by this run.
    pub enrolled: u64,
    /// Lines that were rejected.
    pub rejected: u64,
    /// The first of them: line number and reason.
    pub reasons: Vec<(u64, String)>,
}

/// Imports, says what was done, and exits 1 if lines were rejected.
pub fn run(database: &DatabaseArgs, args: &ImportArgs) -> Result<ExitCode> {
    let ImportWhat::Orders { file, program, shift_days } = &args.what;
    let database = Database::beside(database)?;
    database.seed_file(program.as_deref())?;
    let ledger = Ledger::open(LedgerConfig::new(&database.url))?;
    let source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let began = Instant::now();
    let report = orders(&ledger, &database.url, source, *shift_days)?;
    ledger.close();
    for (line, reason) in &report.reasons {
        println!("line {line} rejected: {reason}");
    }
    if report.rejected > report.reasons.len() as u64 {
        println!("… and {} more lines", report.rejected - report.reasons.len() as u64);
    }
    println!("{}", summary(&report, began.elapsed()));
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A line that says what an import did.
pub fn summary(report: &Report, took: Duration) -> String {
    let Report { posted, known, enrolled, rejected, .. } = report;
    format!(
        "{posted} orders posted, {known} were there already, {enrolled} customers enrolled, {rejected} lines rejected, \
         in {:.1} s",
        took.as_secs_f64()
    )
}

/// Imports the orders in `source`, each moved forward by `shift_days`.
///
/// Errors: the source cannot be read or has other columns; the ledger gives no answer for long. What was
/// acknowledged by then is kept: run it again.
pub fn orders(ledger: &Ledger, url: &str, mut source: impl Read + Seek, shift_days: i32) -> Result<Report> {
    let programs = ledger.programs().book();
    let reader = Rows { programs: &programs, shift: Days::new(u64::try_from(shift_days)?) };
    let mut import = Import { ledger, report: Report::default(), in_flight: VecDeque::new() };
    let (customers, lines) = import.customers(&reader, &mut source)?;
    let bar = progress(lines);
    let members = import.enrol(url, customers)?;
    source.rewind()?;
    for row in csv::Reader::from_reader(&mut source).records() {
        // What is wrong with a line was said when the customers were read.
        let Ok(row) = row.map_err(|_| ()).and_then(|row| reader.read(&row).map_err(|_| ())) else { continue };
        if let Some(member_id) = members.get(&row.customer_id) {
            import.submit(row.line, Command::CompleteOrder(row.order(*member_id)))?;
            bar.inc(1);
        }
    }
    import.finish()?;
    bar.finish_and_clear();
    Ok(import.report)
}

/// How the lines of the file are read.
struct Rows<'a> {
    programs: &'a ProgramBook,
    shift: Days,
}

/// A line.
struct Row {
    line: u64,
    order_id: String,
    customer_id: String,
    occurred_at: Timestamp,
    currency: Currency,
    amount: Decimal,
}

impl Rows<'_> {
    fn read(&self, record: &StringRecord) -> Result<Row, Vec<Fault>> {
        let fields: Map<String, Value> =
            COLUMNS.iter().zip(record).map(|(name, text)| ((*name).to_owned(), text.into())).collect();
        fields::read(&Value::Object(fields), |row| {
            let order_id = row.required("order_id", Order::read_id);
            let customer_id = row.required("customer_id", fields::string(1..=128));
            let ordered_on = row.required("ordered_on", fields::date);
            // How many articles it had is not kept: the ledger's items have an article each.
            let items = row.required("items", fields::integer_in_text(0..=1_000_000));
            let day = ordered_on.and_then(|day| day.checked_add_days(self.shift));
            // Zone and currency of the day's own version: a version that is published later changes no line.
            let program = &self.programs.at(time::local_midnight(day.unwrap_or_default(), Tz::UTC)).program;
            let amount = row.required("amount", fields::amount(program.currency));
            items?;
            Some(Row {
                line: record.position().map_or(0, csv::Position::line),
                order_id: order_id?,
                customer_id: customer_id?,
                occurred_at: time::local_midnight(day?, program.time_zone),
                currency: program.currency,
                amount: amount?,
            })
        })
    }
}

impl Row {
    fn order(self, member_id: MemberId) -> Order {
        Order {
            order_id: self.order_id,
            member_id,
            occurred_at: self.occurred_at,
            currency: self.currency,
            amount: self.amount,
            discount: None,
            channel: None,
            items: None,
            redemption_ids: Vec::new(),
        }
    }
}

struct Import<'a> {
    ledger: &'a Ledger,
    report: Report,
    in_flight: VecDeque<InFlight>,
}

/// A command under way: its line, what it is, and where its answer will be.
struct InFlight {
    line: u64,
    command: Command,
    answer: Receiver<Result<Answer, NoAnswer>>,
}

impl Import<'_> {
    // Every customer with the time of the first order, and how many lines there are. Reports what is wrong with lines.
    fn customers(&mut self, rows: &Rows<'_>, source: &mut impl Read) -> Result<(HashMap<String, Timestamp>, u64)> {
        let mut reader = csv::Reader::from_reader(source);
        if reader.headers().context("the file cannot be read as CSV")?.iter().ne(COLUMNS) {
            bail!("the file must have the columns {}", COLUMNS.join(","));
        }
        let (mut customers, mut lines) = (HashMap::new(), 0);
        for record in reader.records() {
            lines += 1;
            match record {
                Ok(record) => match rows.read(&record) {
                    Ok(row) => {
                        let first = customers.entry(row.customer_id).or_insert(row.occurred_at);
                        *first = row.occurred_at.min(*first);
                    }
                    Err(faults) => {
                        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
                        self.reject(record.position().map_or(0, csv::Position::line), faults.join("; "));
                    }
                },
                Err(error) if error.is_io_error() => bail!("the file cannot be read: {error}"),
                Err(error) => self.reject(error.position().map_or(0, csv::Position::line), error.to_string()),
            }
        }
        Ok((customers, lines))
    }

    // Enrols who is not a member yet, as of the first order, and returns the ids of all.
    fn enrol(&mut self, url: &str, customers: HashMap<String, Timestamp>) -> Result<HashMap<String, MemberId>> {
        let mut connection = connect::plain(url).map_err(unreachable)?;
        let names: Vec<String> = customers.keys().cloned().collect();
        let mut members = members::ids_of(&mut connection, &names)?;
        let mut unknown: Vec<(String, Timestamp)> =
            customers.into_iter().filter(|(name, _)| !members.contains_key(name)).collect();
        unknown.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        let names: Vec<String> = unknown.iter().map(|(name, _)| name.clone()).collect();
        for (external_id, joined_at) in unknown {
            let id = self.ledger.new_member_id(&external_id);
            let enrolment = Enrolment { external_id, birthday: None, joined_at: Some(joined_at) };
            self.submit(0, Command::Enrol(id, enrolment))?;
        }
        self.finish()?;
        // An id made here may not be the one that was enrolled: another import may have been faster.
        members.extend(members::ids_of(&mut connection, &names)?);
        Ok(members)
    }

    fn submit(&mut self, line: u64, command: Command) -> Result<()> {
        if self.in_flight.len() >= IN_FLIGHT {
            self.settle_first()?;
        }
        let answer = self.send(command.clone())?;
        self.in_flight.push_back(InFlight { line, command, answer });
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        while !self.in_flight.is_empty() {
            self.settle_first()?;
        }
        Ok(())
    }

    fn settle_first(&mut self) -> Result<()> {
        let Some(InFlight { line, command, mut answer }) = self.in_flight.pop_front() else { return Ok(()) };
        for tries in 1.. {
            match answer.blocking_recv().unwrap_or(Err(NoAnswer::Fault)) {
                Ok(answer) => {
                    self.count(line, &command, answer);
                    break;
                }
                // Nothing is lost by sending a command again: its key is the order's, or the customer's, own.
                Err(NoAnswer::Fault) => {
                    self.reject(line, "an internal fault; the log says more".to_owned());
                    break;
                }
                Err(no_answer) if tries >= MOST_TRIES => bail!("{no_answer}; run the import again to go on"),
                Err(_) => {
                    thread::sleep(Duration::from_secs(1));
                    answer = self.send(command.clone())?;
                }
            }
        }
        Ok(())
    }

    fn send(&self, command: Command) -> Result<Receiver<Result<Answer, NoAnswer>>> {
        let request = Request::new(ACTOR.to_owned(), None, Instant::now() + PATIENCE, command);
        Ok(self.ledger.submit(request, Priority::Background)?)
    }

    fn count(&mut self, line: u64, command: &Command, answer: Answer) {
        let report = &mut self.report;
        match (answer.outcome, command) {
            (Outcome::Refused(refusal), _) => self.reject(line, refusal.to_string()),
            (Outcome::Done(_), Command::Enrol(..)) => report.enrolled += u64::from(!answer.replayed),
            (Outcome::Done(_), _) if answer.replayed => report.known += 1,
            (Outcome::Done(_), _) => report.posted += 1,
        }
    }

    fn reject(&mut self, line: u64, reason: String) {
        self.report.rejected += 1;
        if self.report.reasons.len() < SHOWN {
            self.report.reasons.push((line, reason));
        }
    }
}

// A bar on a terminal, a line every few seconds elsewhere.
fn progress(lines: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(Some(lines), ProgressDrawTarget::hidden());
        let shown = bar.clone();
        thread::spawn(move || {
            let mut last = 0;
            while !shown.is_finished() {
                thread::sleep(PLAIN_INTERVAL);
                if !shown.is_finished() && shown.position() != last {
                    last = shown.position();
                    eprintln!("{last} of {lines} orders");
                }
            }
        });
        return bar;
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} orders, {per_sec}, {eta} left");
    ProgressBar::new(lines).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
