//! Canonical JSON (RFC 8785), for the subset that the hashed entries use: one value, one text.
//!
//! Objects have their keys sorted; there is no space between tokens; strings are escaped only where JSON demands
//! it. The subset keeps out what readers in other languages disagree about: floats, integers beyond ±(2⁵³ − 1),
//! keys beyond ASCII (whose order differs between UTF-8 and UTF-16), and U+0000 (which Postgres cannot store).
//!
//! The order of `serde_json`'s maps is not relied upon: it changes with a feature that any dependency may enable.

mod json;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt::{Display, Write};

use serde::Serialize;
use serde_json::Number;

pub use self::json::Json;
pub(super) use self::writer::Writer;

/// The largest integer, 2⁵³ − 1, that every JSON reader holds exactly. Its negative is the smallest.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The deepest nesting of arrays and objects written: as deep as `serde_json` reads.
pub const MAX_DEPTH: usize = 127;

/// The canonical text of what `value` is in JSON, by the forms that `serde_json` gives.
///
/// # Errors
///
/// [`NotCanonical`] where that leaves the subset, or there is no JSON.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, NotCanonical> {
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.into_text())
}

/// Why a value has no canonical text here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// It has no form in JSON.
    #[error("it has no form in JSON")]
    NoJson,
    /// A key of an object has other than ASCII characters.
    #[error("the key {key:?} is not ASCII")]
    KeyNotAscii {
        /// The key.
        key: String,
    },
    /// An object has a key more than once: readers disagree about which of the values counts.
    #[error("the key {key:?} stands twice in an object")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// A number has a fraction or an exponent, or is negative zero.
    #[error("the number {number} is not an integer")]
    NotAnInteger {
        /// The number.
        number: Number,
    },
    /// An integer is beyond ±[`MAX_INTEGER`].
    #[error("the integer {number} is beyond ±(2^53 - 1)")]
    IntegerOutOfRange {
        /// The integer, in decimal digits: it may have more of them than any number of JSON here.
        number: String,
    },
    /// A string or a key contains U+0000.
    #[error("a string contains U+0000")]
    NulInString,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("the nesting is deeper than {MAX_DEPTH}")]
    TooDeep,
}

impl serde::ser::Error for NotCanonical {
    fn custom<T: Display>(_: T) -> Self {
        NotCanonical::NoJson
    }
}

/// Appends `integer` in decimal digits.
pub fn push_integer(out: &mut String, integer: i64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut left = integer.unsigned_abs();
    loop {
        first -= 1;
        // A digit is below ten, so the cast keeps it whole.
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if integer < 0 {
        out.push('-');
    }
    out.extend(digits[first..].iter().map(|digit| char::from(*digit)));
}

/// Appends `text` as a JSON string, escaped as RFC 8785 says.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        // Only ASCII bytes come here, so `at` and `at + 1` are boundaries of characters.
        out.push_str(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => {
                write!(out, "\\u{control:04x}").expect("a String takes all that is written to it");
            }
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
}
