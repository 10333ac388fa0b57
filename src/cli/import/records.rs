//! The lines of a CSV file, each with its number and what its columns hold.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::report::counted;
use super::split::{Stray, is_open_after, split};

/// How long a line may be, in bytes.
const MOST: usize = 64 * 1024;

/// What the header of a file names, in any order.
pub struct Columns {
    /// Those that must be there.
    pub required: &'static [&'static str],
    /// Those that may be missing; what is empty in them is left out.
    pub optional: &'static [&'static str],
}

/// A line, or several that a quote has made one.
pub struct Record {
    /// The number of its first line, from 1, which is the header.
    pub line: u64,
    /// How many lines it is.
    pub lines: u64,
    /// What its columns hold, an object of strings; or why it cannot be read.
    pub fields: Result<Value, Damage>,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is not UTF-8.
    NotText,
    /// It is longer than [`MOST`].
    TooLong,
    /// A quote stands in the midst of this column.
    QuoteWithin(String),
    /// A quote opens in this column and takes in so many lines more; the last number says where it is closed.
    QuoteOpen(String, u64, Option<u64>),
    /// It has so many fields, where the header has another number.
    Fields(u64, u64),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("is not text in UTF-8"),
            Self::TooLong => write!(f, "is longer than {MOST} bytes"),
            Self::QuoteWithin(column) => {
                write!(f, "a stray quote in {column}: a field with quotes begins and ends with one")
            }
            Self::QuoteOpen(column, 0, _) => write!(f, "a quote opens in {column} and is never closed"),
            Self::QuoteOpen(column, lines, end) => {
                let (closed, until) = match end {
                    Some(end) => (format!("is closed in line {end}"), " after this one"),
                    None => ("is never closed".to_owned(), ", to the end of the file"),
                };
                let lines = counted(*lines, "lines");
                write!(f, "a quote opens in {column} and {closed}: it swallowed {lines}{until}")
            }
            Self::Fields(found, meant) => {
                write!(f, "has {} where the header has {meant}", counted(*found, "fields"))
            }
        }
    }
}

/// The records of a file.
pub struct Records<R> {
    lines: Lines<R>,
    columns: &'static Columns,
    /// What stands where.
    header: Vec<String>,
    blank: u64,
}

impl<R: Read> Records<R> {
    /// Reads the header.
    ///
    /// Errors: the file cannot be read, or has other columns.
    pub fn open(source: R, columns: &'static Columns) -> Result<Self> {
        let mut lines = Lines { source: BufReader::new(source), number: 0, bytes: Vec::new(), too_long: false };
        lines.advance()?;
        let text = lines.bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&lines.bytes);
        let text = std::str::from_utf8(text).ok().context("the file must be CSV in UTF-8")?;
        let header = split(text).unwrap_or_default();
        let known = |name: &&str| header.iter().filter(|found| found == name).count() == 1;
        let named = columns.required.iter().chain(columns.optional).filter(|name| known(name)).count();
        if !columns.required.iter().all(known) || named != header.len() {
            let optional = match columns.optional {
                [] => String::new(),
                optional => format!(", and may have {}", optional.join(",")),
            };
            bail!("the file must have the columns {}{optional}; its header is {text:?}", columns.required.join(","));
        }
        Ok(Self { lines, columns, header, blank: 0 })
    }

    /// How many blank lines there were so far.
    pub fn blank(&self) -> u64 {
        self.blank
    }

    /// The next record; none at the end.
    ///
    /// Errors: the file cannot be read.
    pub fn next(&mut self) -> Result<Option<Record>> {
        while self.lines.advance()? {
            if self.lines.bytes.is_empty() {
                self.blank += 1;
                continue;
            }
            let (line, read) = (self.lines.number, self.read());
            let fields = match read {
                Err(Damage::QuoteOpen(column, ..)) => {
                    let end = self.close()?;
                    Err(Damage::QuoteOpen(column, self.lines.number - line, end))
                }
                read => read,
            };
            return Ok(Some(Record { line, lines: self.lines.number - line + 1, fields }));
        }
        Ok(None)
    }

    fn read(&self) -> Result<Value, Damage> {
        if self.lines.too_long {
            return Err(Damage::TooLong);
        }
        let text = std::str::from_utf8(&self.lines.bytes).map_err(|_| Damage::NotText)?;
        let column = |n: usize| self.header.get(n - 1).cloned().unwrap_or_else(|| format!("field {n}"));
        let fields = split(text).map_err(|stray| match stray {
            Stray::Open(n) => Damage::QuoteOpen(column(n), 0, None),
            Stray::Within(n) => Damage::QuoteWithin(column(n)),
        })?;
        if fields.len() != self.header.len() {
            return Err(Damage::Fields(fields.len() as u64, self.header.len() as u64));
        }
        let columns = self.header.iter().zip(fields);
        let columns =
            columns.filter(|(name, field)| !field.is_empty() || !self.columns.optional.contains(&name.as_str()));
        let columns: Map<String, Value> = columns.map(|(name, field)| (name.clone(), field.into())).collect();
        Ok(Value::Object(columns))
    }

    // Passes over what an open quote takes in, and says in which line it is closed.
    fn close(&mut self) -> Result<Option<u64>> {
        while self.lines.advance()? {
            if !is_open_after(&self.lines.bytes, true) {
                return Ok(Some(self.lines.number));
            }
        }
        Ok(None)
    }
}

/// The lines of a file, without what ends them.
struct Lines<R> {
    source: BufReader<R>,
    number: u64,
    bytes: Vec<u8>,
    too_long: bool,
}

impl<R: Read> Lines<R> {
    // Goes on to the next line; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.bytes.clear();
        self.too_long = false;
        let mut is_there = false;
        loop {
            let there = self.source.fill_buf()?;
            let end = there.iter().position(|byte| *byte == b'\n');
            let part = &there[..end.unwrap_or(there.len())];
            is_there |= !there.is_empty();
            self.too_long |= self.bytes.len() + part.len() > MOST;
            if !self.too_long {
                self.bytes.extend_from_slice(part);
            }
            let (used, is_last) = (end.map_or(there.len(), |end| end + 1), end.is_some() || there.is_empty());
            self.source.consume(used);
            if is_last {
                break;
            }
        }
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        self.number += u64::from(is_there);
        Ok(is_there)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    static COLUMNS: Columns = Columns { required: &["a", "b"], optional: &["c"] };

    // Every record: its line, how many lines it is, and what it holds or why not.
    fn records(file: &[u8]) -> (Vec<(u64, u64, String)>, u64) {
        let mut records = Records::open(Cursor::new(file), &COLUMNS).unwrap();
        let mut all = Vec::new();
        while let Some(Record { line, lines, fields }) = records.next().unwrap() {
            all.push((line, lines, fields.map_or_else(|damage| damage.to_string(), |fields| fields.to_string())));
        }
        (all, records.blank())
    }

    fn record(line: u64, fields: &str) -> (u64, u64, String) {
        (line, 1, fields.to_owned())
    }

    #[test]
    fn lines_keep_their_numbers_whatever_ends_them_and_whatever_stands_between() {
        let (one, two) = (record(2, r#"{"a":"1","b":"2"}"#), record(3, r#"{"a":"3","b":"4"}"#));
        for file in ["a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\r\n3,4", "\u{FEFF}a,b\n1,2\n3,4\n"] {
            assert_eq!(records(file.as_bytes()), (vec![one.clone(), two.clone()], 0), "{file:?}");
        }
        let late = vec![record(3, r#"{"a":"1","b":"2"}"#), record(6, r#"{"a":"3","b":"4"}"#)];
        assert_eq!(records(b"a,b\n\n1,2\n\r\n\n3,4\n\n"), (late, 4));
        assert_eq!(records(b"a,b"), (vec![], 0));
        let columns = record(2, r#"{"a":"1","b":"2","c":"3"}"#);
        assert_eq!(records(b"c,b,a\n3,2,1\n,2,1"), (vec![columns, record(3, r#"{"a":"1","b":"2"}"#)], 0));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_one_record_of_all_the_lines_that_it_takes_in() {
        let (all, blank) = records(b"a,b\n1,\"2\n3,4\n\n5,6\"\n7,8\n9,\"10\n11,12");
        let (first, last) = (&all[0], &all[2]);
        assert_eq!((first.0, first.1, blank), (2, 4, 0));
        assert_eq!(first.2, "a quote opens in b and is closed in line 5: it swallowed 3 lines after this one");
        assert_eq!(all[1], record(6, r#"{"a":"7","b":"8"}"#));
        assert_eq!((last.0, last.1), (7, 2));
        assert_eq!(last.2, "a quote opens in b and is never closed: it swallowed 1 line, to the end of the file");
        assert_eq!(records(b"a,b\n1,\"2").0, [record(2, "a quote opens in b and is never closed")]);
    }

    #[test]
    fn a_damaged_line_damages_no_other() {
        let long = format!("{},2", "1".repeat(MOST));
        let damaged: [(&[u8], &str); 6] = [
            (b"1", "has 1 field where the header has 2"),
            (b"1,2,3", "has 3 fields where the header has 2"),
            (b" ", "has 1 field where the header has 2"),
            (b"\xFF,2", "is not text in UTF-8"),
            (b"1,2\"", "a stray quote in b: a field with quotes begins and ends with one"),
            (long.as_bytes(), "is longer than 65536 bytes"),
        ];
        for (line, reason) in damaged {
            let file = [b"a,b\n", line, b"\n3,4\n"].concat();
            assert_eq!(records(&file).0, [record(2, reason), record(3, r#"{"a":"3","b":"4"}"#)]);
        }
    }

    #[test]
    fn a_header_with_other_columns_is_refused() {
        for header in ["", "a", "a,b,d", "a,b,b", "b;a", "a,b,", "a,\"b", "A,b"] {
            let refused = Records::open(Cursor::new(header), &COLUMNS).err().unwrap().to_string();
            assert!(
                refused.starts_with("the file must have the columns a,b, and may have c; its header is "),
                "{refused}"
            );
        }
        let refused = Records::open(Cursor::new(b"\xFF\xFEa\0,\0b\0"), &COLUMNS).err().unwrap();
        assert_eq!(refused.to_string(), "the file must be CSV in UTF-8");
    }
}
