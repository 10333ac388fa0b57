//! `accrue verify`

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{DatabaseArgs, VerifyArgs};
use super::database::{self, Database};
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::read::verify::{self, NotVerified, Verified};

/// Checks and says what was found. Exit 0: right. 1: wrong. 2: could not be checked.
pub fn run(database: &DatabaseArgs, args: &VerifyArgs) -> ExitCode {
    match check(database, args) {
        Ok(Ok(verified)) => {
            say(report(&verified));
            ExitCode::SUCCESS
        }
        Ok(Err(NotVerified::Unreadable(error))) => super::failed(&anyhow!(error)),
        Ok(Err(NotVerified::Empty)) => super::failed(&anyhow!(NotVerified::Empty)),
        Ok(Err(wrong)) => {
            say(writeln!(io::stdout(), "wrong: {wrong}"));
            ExitCode::from(1)
        }
        Err(error) => super::failed(&error),
    }
}

fn check(database_args: &DatabaseArgs, args: &VerifyArgs) -> Result<Result<Verified, NotVerified>> {
    let bar = progress();
    let result = match &args.file {
        Some(path) => {
            let input: Box<dyn BufRead> = match path.as_os_str() == "-" {
                true => Box::new(io::stdin().lock()),
                false => Box::new(BufReader::new(
                    File::open(path).with_context(|| format!("cannot read {}", path.display()))?,
                )),
            };
            verify::export(input, |entries| bar.set_position(entries))
        }
        None => {
            let database = Database::existing(database_args)?;
            let mut connection = connect::auditor(&database.url).map_err(database::unreachable)?;
            verify::database(&mut connection, |entries| bar.set_position(entries)).and_then(|verified| {
                verify::present(&mut connection, &Clock::database())?;
                Ok(verified)
            })
        }
    };
    bar.finish_and_clear();
    Ok(result)
}

// What was found stands in the exit code, whether or not anybody reads more.
fn say(said: io::Result<()>) {
    if let Err(error) = said {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

fn report(verified: &Verified) -> io::Result<()> {
    let mut out = io::stdout();
    if let Some(ledger) = verified.ledger {
        writeln!(out, "ledger {ledger}")?;
    }
    for (journal, entries, head) in &verified.journals {
        writeln!(out, "journal {journal}: {entries} entries, head {head}")?;
    }
    let entries: i64 = verified.journals.iter().map(|journal| journal.1).sum();
    writeln!(out, "right: {entries} entries, {} members, {} lots", verified.members, verified.lots)
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} entries checked, {per_sec}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
