//! `accrue program`: an example, the schema, and a check of what is written by them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::args::{ProgramArgs, ProgramWhat};
use super::logs;
use crate::domain::fields::Fault;
use crate::domain::program::ProgramDocument;
use crate::http;
use crate::http::strict_json;

/// The programme of a shop, with a word on each field.
const EXAMPLE: &str = include_str!("example.toml");

/// Prints what was asked for. Exit 1: a document that was to be checked is wrong.
pub fn run(args: &ProgramArgs) -> Result<ExitCode> {
    match &args.what {
        ProgramWhat::Example => write!(io::stdout(), "{EXAMPLE}")?,
        ProgramWhat::Schema => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&http::program_schema())?)?,
        ProgramWhat::Check { file } => return check(file),
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> Result<ExitCode> {
    let text = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin()).context("cannot read standard input")?,
        false => fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    };
    Ok(match read(&text) {
        Ok(document) => {
            logs::say(format!("right: {} ({}, {})", document.name, document.currency, document.time_zone));
            ExitCode::SUCCESS
        }
        Err(faults) => {
            logs::say(format!("wrong: {}", listed(&faults)));
            ExitCode::from(1)
        }
    })
}

/// Reads and checks a document: JSON where it begins with a brace, which TOML never does, and TOML otherwise.
///
/// Errors: every fault.
pub fn read(text: &str) -> Result<ProgramDocument, Vec<Fault>> {
    if !text.trim_start().starts_with('{') {
        return ProgramDocument::from_toml(text);
    }
    let value = strict_json::parse(text.as_bytes()).map_err(|error| {
        let message = format!("is not JSON in which each key stands once: {error}");
        vec![Fault { path: String::new(), code: "wrong_form".to_owned(), message }]
    })?;
    ProgramDocument::from_json(value)
}

/// The faults of a document, a line for each.
pub fn listed(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    format!("the programme document has {} fault(s):{}", faults.len(), lines.concat())
}
