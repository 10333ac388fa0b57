//! Reading an export back from a file, NDJSON or CSV.

use std::io::{self, BufRead, Read};

use serde_json::{Value, json};

use super::export::{COLUMNS, csv_rows};
use super::not_verified::NotVerified;
use crate::domain::journal::entry::{Entry, Hash};
use crate::domain::journal::export::{self, Unreadable};

/// The longest line that is read. An entry with thousands of postings fits.
const LONGEST_LINE: u64 = 64 << 20;

/// Hands every entry of an export to `each`, with the number of its line and its hash.
pub fn entries(
    mut input: impl BufRead,
    each: impl FnMut(u64, &Entry, &Hash) -> Result<(), NotVerified>,
) -> Result<(), NotVerified> {
    let is_csv = input.fill_buf().map_err(unreadable)?.first().is_some_and(|byte| *byte != b'{');
    if is_csv { from_csv(input, each) } else { from_ndjson(input, each) }
}

fn from_ndjson(
    mut input: impl BufRead,
    mut each: impl FnMut(u64, &Entry, &Hash) -> Result<(), NotVerified>,
) -> Result<(), NotVerified> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        let text = str::from_utf8(&bytes).map_err(|_| NotVerified::Line { line, fault: Unreadable::Damaged })?;
        let Some(text) = text.strip_suffix('\n') else {
            // The export ends every line; one without an end was cut off.
            return Err(NotVerified::Line { line, fault: Unreadable::CutOff });
        };
        let (entry, hash) = export::read_line(text).map_err(|fault| NotVerified::Line { line, fault })?;
        each(line, &entry, &hash)?;
    }
    Ok(())
}

// Rows that follow each other and agree in everything but the posting are one entry. It is read through the same
// door as a line of the other form.
fn from_csv(
    input: impl BufRead,
    mut each: impl FnMut(u64, &Entry, &Hash) -> Result<(), NotVerified>,
) -> Result<(), NotVerified> {
    let mut input = Ended { input, last: b'\n' };
    let mut reader = csv::Reader::from_reader(&mut input);
    let wrong = |line: u64, fault: Unreadable| NotVerified::Line { line, fault };
    // A file that cannot be read leaves nothing to say; one that is not an export's CSV is wrong.
    let failed = |error: csv::Error| match error.position().map(csv::Position::line) {
        _ if error.is_io_error() => unreadable(error),
        line => wrong(line.unwrap_or(1), Unreadable::Columns),
    };
    if reader.headers().map_err(failed)?.iter().ne(COLUMNS) {
        return Err(wrong(1, Unreadable::Columns));
    }
    let mut rows: Vec<csv::StringRecord> = Vec::new();
    let mut first_line = 2;
    let mut finish = |rows: &mut Vec<csv::StringRecord>, line: u64| {
        if rows.is_empty() {
            return Ok(());
        }
        let (entry, hash) = entry(rows).map_err(|fault| wrong(line, fault))?;
        rows.clear();
        each(line, &entry, &hash)
    };
    for record in reader.records() {
        let record = record.map_err(|error| match error.position().map(csv::Position::line) {
            Some(line) if !error.is_io_error() => wrong(line, Unreadable::Damaged),
            _ => unreadable(error),
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let same = rows.first().is_some_and(|first| first.iter().take(FACTS).eq(record.iter().take(FACTS)));
        if !same {
            finish(&mut rows, first_line)?;
            first_line = line;
        }
        rows.push(record);
    }
    drop(reader);
    if input.last != b'\n' {
        return Err(wrong(first_line, Unreadable::CutOff));
    }
    finish(&mut rows, first_line)
}

/// Remembers the last byte that was read: the export ends every line, the last one too.
struct Ended<R> {
    input: R,
    last: u8,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.last = buffer[..read].last().copied().unwrap_or(self.last);
        Ok(read)
    }
}

/// How many columns tell of the entry; those after them tell of the posting.
const FACTS: usize = 14;

fn entry(rows: &[csv::StringRecord]) -> Result<(Entry, Hash), Unreadable> {
    let first = rows.first().ok_or(Unreadable::Columns)?;
    let mut value = json!({});
    for (name, text) in COLUMNS.iter().zip(first).take(FACTS) {
        value[*name] = match *name {
            "v" | "journal" | "seq" | "program_version" => number(name, text)?,
            "payload" => serde_json::from_str(text).map_err(|_| Unreadable::Key("payload"))?,
            _ if text.is_empty() => Value::Null,
            _ => text.into(),
        };
    }
    let without_postings = rows.len() == 1 && first.iter().skip(FACTS).all(str::is_empty);
    let mut postings = Vec::new();
    for (n, row) in rows.iter().enumerate().filter(|_| !without_postings) {
        if row.get(FACTS) != Some(n.to_string().as_str()) {
            return Err(Unreadable::Key("n"));
        }
        let text = |column: usize| row.get(FACTS + column).unwrap_or_default();
        let lot = if text(4).is_empty() { Value::Null } else { text(4).into() };
        postings.push(json!({
            "debit": text(1), "credit": text(2), "points": number("points", text(3))?, "lot": lot,
        }));
    }
    value["postings"] = postings.into();
    let (entry, hash) = export::read_value(&value)?;
    // As with a line of the other form: the fields must be what the export would write.
    let same = csv_rows(&entry, &hash).iter().zip(rows).all(|(written, row)| row.iter().eq(written));
    if same { Ok((entry, hash)) } else { Err(Unreadable::NotCanonical) }
}

fn number(name: &'static str, text: &str) -> Result<Value, Unreadable> {
    let number: i64 = text.parse().map_err(|_| Unreadable::Key(name))?;
    // One number has one text: no plus sign, no zeros in front.
    if number.to_string() == text { Ok(number.into()) } else { Err(Unreadable::NotCanonical) }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> NotVerified {
    NotVerified::Unreadable(Box::new(error))
}
