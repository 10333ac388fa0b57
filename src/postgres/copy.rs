//! Reading many rows: by `COPY … TO STDOUT` in binary form, which costs server and client the least of each row, and
//! flows, so that both work at once.
//!
//! A COPY takes no binds. Its numbers are written into its text, and nothing but numbers may be.

use std::cell::RefCell;
use std::io::BufRead;
use std::mem;

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::pg::{CopyFormat, CopyTarget, Pg};
use diesel::query_builder::AstPass;
use diesel::result::{Error, QueryResult};
use uuid::Uuid;

/// The SELECT of a COPY, with the places `$1`, `$2`, … of numbers.
pub struct Select {
    /// Its text.
    pub text: &'static str,
    /// How many columns it has.
    pub columns: i16,
}

/// Declares a [`Select`]: the types of its numbers, of its columns, and its text. It registers itself for the test that
/// prepares all statements.
macro_rules! select {
    ($(#[$meta:meta])* $name:ident ($($sql:ty),* $(,)?) -> ($($column:ty),+ $(,)?), $text:expr) => {
        $(#[$meta])*
        const $name: $crate::postgres::copy::Select =
            $crate::postgres::copy::Select { text: $text, columns: [$(stringify!($column)),+].len() as i16 };

        // The types are for the test alone, and are checked all the same.
        const _: std::marker::PhantomData<($($sql,)* $($column,)+)> = std::marker::PhantomData;

        #[cfg(test)]
        inventory::submit! {
            $crate::postgres::statement::tests::Registered {
                name: concat!(module_path!(), "::", stringify!($name)),
                text: $text,
                parameters: || vec![$($crate::postgres::statement::tests::bind::<$sql>()),*],
                returns: <($($column,)+) as $crate::postgres::statement::tests::Types>::all,
            }
        }
    };
}

pub(crate) use select;

/// A row in binary form: of each column its length (−1 for NULL) and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    rest: &'a [u8],
}

/// What a column holds.
pub trait Column<'a>: Sized {
    /// The value of these bytes, if they are one.
    fn read(bytes: &'a [u8]) -> Option<Self>;
}

/// A row of another form than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a row of another form than was asked for")]
pub struct Malformed;

impl<'a> Row<'a> {
    /// The row of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next column.
    pub fn get<T: Column<'a>>(&mut self) -> Result<T, Malformed> {
        self.maybe()?.ok_or(Malformed)
    }

    /// The next column, which may be NULL.
    pub fn maybe<T: Column<'a>>(&mut self) -> Result<Option<T>, Malformed> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
        let (bytes, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        T::read(bytes).map(Some).ok_or(Malformed)
    }

    /// How many bytes are still to be read. No row has more than the server may send at once, 1 GB.
    pub fn length(&self) -> u32 {
        self.rest.len() as u32
    }

    /// The bytes that are still to be read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Error::DeserializationError(Box::new(malformed))
    }
}

/// Hands every row of `select` to `each`, which is asked no more once it fails.
pub fn read<E: From<Error>>(
    connection: &mut PgConnection,
    select: &Select,
    numbers: &[i64],
    mut each: impl FnMut(Row<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = select.text.to_owned();
    for (n, number) in numbers.iter().enumerate().rev() {
        text = text.replace(&format!("${}", n + 1), &format!("({number})"));
    }
    TEXT.set(text);
    let mut said = Ok(());
    let result = (|| -> QueryResult<()> {
        let broken = |error| Error::DeserializationError(Box::new(error));
        let mut stream = diesel::copy_to(Texts).with_format(CopyFormat::Binary).load_raw(connection)?;
        let (mut begun, mut ended) = (false, false);
        loop {
            let message = stream.fill_buf().map_err(broken)?;
            if message.is_empty() {
                break;
            }
            let length = message.len();
            // Each message is a row; the first begins with the header.
            let row = if begun { message } else { message.get(HEADER..).ok_or(Malformed)? };
            begun = true;
            match row.split_first_chunk().map(|(columns, rest)| (i16::from_be_bytes(*columns), rest)) {
                None => {}
                Some((-1, _)) => ended = true,
                Some((columns, _)) if columns != select.columns => return Err(Malformed.into()),
                Some((_, rest)) => said = mem::replace(&mut said, Ok(())).and_then(|()| each(Row::new(rest))),
            }
            stream.consume(length);
        }
        // What ends without the mark of the end was broken off.
        if ended { Ok(()) } else { Err(Malformed.into()) }
    })();
    // diesel leaves the command's end unread, which the next statement would stumble over.
    let drained = connection.batch_execute("SELECT");
    drained.and(result).map_err(E::from).and(said)
}

/// The signature, flags, and the length of what else may stand in a header: nothing so far.
const HEADER: usize = 19;

thread_local! {
    // diesel knows the text of a COPY by a type alone.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Texts;

impl CopyTarget for Texts {
    type Table = nothing::of_none::table;
    type SqlType = diesel::sql_types::Integer;

    fn walk_target(mut pass: AstPass<'_, '_, Pg>) -> QueryResult<()> {
        TEXT.with_borrow(|text| {
            pass.push_sql("(");
            pass.push_sql(text);
            pass.push_sql(")");
        });
        Ok(())
    }
}

// diesel asks of a COPY which table it is of.
mod nothing {
    diesel::table! {
        of_none (id) {
            id -> Integer,
        }
    }
}

impl<'a> Column<'a> for &'a [u8] {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        Some(bytes)
    }
}

impl<'a> Column<'a> for &'a str {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        str::from_utf8(bytes).ok()
    }
}

impl Column<'_> for bool {
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|byte| *byte != 0)
    }
}

impl Column<'_> for i16 {
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i16::from_be_bytes)
    }
}

impl Column<'_> for i32 {
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i32::from_be_bytes)
    }
}

impl Column<'_> for i64 {
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i64::from_be_bytes)
    }
}

impl Column<'_> for Uuid {
    fn read(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok()
    }
}

/// Microseconds from 1970 to 2000, from when Postgres counts.
const EPOCH: i64 = 946_684_800_000_000;

impl Column<'_> for DateTime<Utc> {
    fn read(bytes: &[u8]) -> Option<Self> {
        DateTime::from_timestamp_micros(i64::read(bytes)?.checked_add(EPOCH)?)
    }
}
