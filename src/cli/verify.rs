//! `accrue verify`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{DatabaseArgs, VerifyArgs};
use super::database::{self, Database};
use super::logs;
use crate::postgres::clock::Clock;
use crate::postgres::connect;
use crate::read::verify::{self, Means, NotVerified, Verified};

/// Checks and says what was found. Exit 0: right. 1: wrong. 2: could not be checked.
pub fn run(database: &DatabaseArgs, args: &VerifyArgs) -> ExitCode {
    match check(database, args) {
        Ok(Ok(verified)) => {
            logs::say(report(&verified));
            ExitCode::SUCCESS
        }
        Ok(Err(NotVerified::Unreadable(error))) => super::failed(&anyhow!(error)),
        Ok(Err(NotVerified::Empty)) => super::failed(&anyhow!(NotVerified::Empty)),
        Ok(Err(wrong)) => {
            logs::say(format!("wrong: {wrong}"));
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
            let open = || connect::auditor(&database.url);
            let means = Means { open: Some(&open), ..Means::default() };
            verify::database_by(&mut connection, &means, |entries| bar.set_position(entries)).and_then(|verified| {
                verify::present(&mut connection, &Clock::database())?;
                Ok(verified)
            })
        }
    };
    bar.finish_and_clear();
    Ok(result)
}

fn report(verified: &Verified) -> String {
    let mut lines: Vec<String> = verified.ledger.iter().map(|ledger| format!("ledger {ledger}")).collect();
    let journal = |(journal, entries, head): &_| format!("journal {journal}: {entries} entries, head {head}");
    lines.extend(verified.journals.iter().map(journal));
    let entries: i64 = verified.journals.iter().map(|journal| journal.1).sum();
    lines.push(format!("right: {entries} entries, {} members, {} lots", verified.members, verified.lots));
    lines.join("\n")
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} entries checked, {per_sec}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
