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

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Number, Value};

pub use self::json::Json;

/// The largest integer, 2⁵³ − 1, that every JSON reader holds exactly. Its negative is the smallest.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The deepest nesting of arrays and objects written: as deep as `serde_json` reads.
pub const MAX_DEPTH: usize = 127;

/// The canonical text of `value`.
///
/// # Errors
///
/// [`NotCanonical`] where the value leaves the subset.
pub fn to_string(value: &Value) -> Result<String, NotCanonical> {
    let mut out = String::with_capacity(256);
    write(&mut out, value)?;
    Ok(out)
}

/// The canonical text of what `state` is in JSON.
///
/// # Errors
///
/// [`NotCanonical`] where that leaves the subset, or there is no JSON.
pub fn text_of(state: &impl Serialize) -> Result<String, NotCanonical> {
    to_string(&serde_json::to_value(state).map_err(|_| NotCanonical::NoJson)?)
}

/// Appends the canonical text of `value` to `out`. After an error, `out` ends in a part of the text.
///
/// # Errors
///
/// [`NotCanonical`] where the value leaves the subset.
pub fn write(out: &mut String, value: &Value) -> Result<(), NotCanonical> {
    write_value(out, value, MAX_DEPTH)
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
    /// A number has a fraction or an exponent, or is negative zero.
    #[error("the number {number} is not an integer")]
    NotAnInteger {
        /// The number.
        number: Number,
    },
    /// An integer is beyond ±[`MAX_INTEGER`].
    #[error("the integer {number} is beyond ±(2^53 - 1)")]
    IntegerOutOfRange {
        /// The integer.
        number: Number,
    },
    /// A string or a key contains U+0000.
    #[error("a string contains U+0000")]
    NulInString,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("the nesting is deeper than {MAX_DEPTH}")]
    TooDeep,
}

fn write_value(out: &mut String, value: &Value, depth_left: usize) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_integer(out, number)?,
        Value::String(text) if text.contains('\0') => return Err(NotCanonical::NulInString),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            let depth_left = depth_left.checked_sub(1).ok_or(NotCanonical::TooDeep)?;
            write_array(out, items, depth_left)?;
        }
        Value::Object(members) => {
            let depth_left = depth_left.checked_sub(1).ok_or(NotCanonical::TooDeep)?;
            write_object(out, members, depth_left)?;
        }
    }
    Ok(())
}

fn write_array(out: &mut String, items: &[Value], depth_left: usize) -> Result<(), NotCanonical> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_value(out, item, depth_left)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(out: &mut String, members: &Map<String, Value>, depth_left: usize) -> Result<(), NotCanonical> {
    if let Some(key) = members.keys().find(|key| !key.is_ascii()) {
        return Err(NotCanonical::KeyNotAscii { key: key.clone() });
    }
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    // RFC 8785 sorts by UTF-16 code units, which for ASCII is the order of the bytes.
    members.sort_unstable_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if key.contains('\0') {
            return Err(NotCanonical::NulInString);
        }
        write_string(out, key);
        out.push(':');
        write_value(out, value, depth_left)?;
    }
    out.push('}');
    Ok(())
}

fn write_integer(out: &mut String, number: &Number) -> Result<(), NotCanonical> {
    let out_of_range = || NotCanonical::IntegerOutOfRange { number: number.clone() };
    match number.as_i64() {
        Some(integer) if integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => {
            push_integer(out, integer);
            Ok(())
        }
        Some(_) => Err(out_of_range()),
        None if number.is_u64() => Err(out_of_range()),
        None => Err(NotCanonical::NotAnInteger { number: number.clone() }),
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
