//! Points in time and periods between them.
//!
//! A [`Timestamp`] is an instant in UTC, truncated to microseconds: what Postgres stores, and what the hashed
//! entries print. Calendar rules ([`Period`], [`local_midnight`]) work in a time zone that the caller names.
//! No function here reads a clock.

mod calendar;
mod period;
mod span;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};

pub use calendar::{local_midnight, year_before};
pub use period::{Period, PeriodFault};
pub use span::{SpanFault, parse_span};

/// An instant in UTC with microsecond precision. Whatever comes from outside passes through [`parse`] or
/// [`truncate`] first.
pub type Timestamp = DateTime<Utc>;

/// The first instant the service knows: 1900-01-01T00:00:00Z.
pub const EARLIEST: Timestamp = from_micros(-2_208_988_800_000_000);

/// The last instant the service knows: 9999-12-31T23:59:59.999999Z.
pub const LATEST: Timestamp = from_micros(253_402_300_799_999_999);

/// Cuts the digits after the microsecond off. A leap second counts as the second after it, as in Unix time.
pub fn truncate(instant: DateTime<Utc>) -> Timestamp {
    // Every `DateTime<Utc>` has its microseconds in an i64 that converts back, so the fallback is never taken.
    DateTime::from_timestamp_micros(instant.timestamp_micros()).unwrap_or(instant)
}

/// The one text of a timestamp, as in the hashed entries: `2026-01-31T23:59:59.000000Z`.
pub fn canonical(instant: Timestamp) -> String {
    let mut text = String::with_capacity("2026-01-31T23:59:59.000000Z".len());
    write_canonical(&mut text, instant);
    text
}

/// Appends the [`canonical`] text of `instant` to `out`.
pub fn write_canonical(out: &mut String, instant: Timestamp) {
    let date = instant.date_naive();
    let Ok(year @ 0..=9999) = u32::try_from(date.year()) else {
        // Neither `parse` nor `Period` makes such a time. ISO 8601 gives such years a sign.
        out.push_str(&instant.to_rfc3339_opts(SecondsFormat::Micros, true));
        return;
    };
    push_digits(out, year, 1000);
    out.push('-');
    push_digits(out, date.month(), 10);
    out.push('-');
    push_digits(out, date.day(), 10);
    out.push('T');
    push_digits(out, instant.hour(), 10);
    out.push(':');
    push_digits(out, instant.minute(), 10);
    out.push(':');
    push_digits(out, instant.second(), 10);
    out.push('.');
    push_digits(out, instant.timestamp_subsec_micros(), 100_000);
    out.push('Z');
}

/// Reads an RFC 3339 timestamp. The offset is mandatory, the separator is `T`, digits after the microsecond are
/// cut off. Leap seconds (`:60`) are refused: no clock that Accrue meets reports one, and moving them silently
/// would make two texts one instant.
///
/// # Errors
///
/// [`TimeFault`], whose sentence is a predicate for the field that held the text.
pub fn parse(text: &str) -> Result<Timestamp, TimeFault> {
    let shaped = text.is_ascii() && matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    if !shaped || text.len() > MAX_TEXT {
        return Err(TimeFault::NotATimestamp);
    }
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| TimeFault::NotATimestamp)?;
    if parsed.nanosecond() >= NANOS_PER_SECOND {
        return Err(TimeFault::LeapSecond);
    }
    let instant = truncate(parsed.to_utc());
    if (EARLIEST..=LATEST).contains(&instant) { Ok(instant) } else { Err(TimeFault::OutOfRange) }
}

/// Why a text is not a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// Another form, or no offset.
    #[error("must be an RFC 3339 timestamp with an offset, such as 2026-01-31T23:59:59Z")]
    NotATimestamp,
    /// Second 60.
    #[error("must not be a leap second")]
    LeapSecond,
    /// Before [`EARLIEST`] or after [`LATEST`], in UTC.
    #[error("must lie in the years 1900 to 9999, in UTC")]
    OutOfRange,
}

/// For `#[serde(with = "time::serde_canonical")]`: writes the [`canonical`] text, reads what [`parse`] reads.
pub mod serde_canonical {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    use super::Timestamp;

    /// Writes the canonical text.
    ///
    /// # Errors
    ///
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::canonical(*instant))
    }

    /// Reads an RFC 3339 text.
    ///
    /// # Errors
    ///
    /// When the value is not a string, or not one that [`parse`](super::parse) takes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_str(TimestampVisitor)
    }

    struct TimestampVisitor;

    impl Visitor<'_> for TimestampVisitor {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 timestamp")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
            super::parse(text).map_err(E::custom)
        }
    }

    /// The same for `Option<Timestamp>`. Add `#[serde(default)]` where the field may be absent.
    pub mod option {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::domain::time::Timestamp;

        #[derive(Serialize, Deserialize)]
        struct Canonical(#[serde(with = "super")] Timestamp);

        /// Writes the canonical text, or null.
        ///
        /// # Errors
        ///
        /// Only those of the serializer.
        pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            instant.map(Canonical).serialize(serializer)
        }

        /// Reads an RFC 3339 text, or null.
        ///
        /// # Errors
        ///
        /// When the value is neither null nor a text that [`parse`](crate::domain::time::parse) takes.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
            let read = Option::<Canonical>::deserialize(deserializer)?;
            Ok(read.map(|Canonical(instant)| instant))
        }
    }
}

/// Longer texts are refused unread. RFC 3339 sets no limit to the digits of a second.
const MAX_TEXT: usize = 64;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Appends the decimal digits of `value`, from the one that stands for `highest` (a power of ten) down.
fn push_digits(out: &mut String, value: u32, highest: u32) {
    let mut place = highest;
    while place > 0 {
        // A digit is below ten, so the cast keeps it whole.
        out.push(char::from(b'0' + (value / place % 10) as u8));
        place /= 10;
    }
}

const fn from_micros(micros: i64) -> Timestamp {
    match DateTime::from_timestamp_micros(micros) {
        Some(instant) => instant,
        None => panic!("evaluated at compile time, with constants that chrono can hold"),
    }
}
