//! Parsers of single values for [`Fields`](super::Fields). Their messages are predicates.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use icu_locale_core::LanguageIdentifier;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::Wrong;
use crate::domain::money::{self, Currency, MoneyFault};
use crate::domain::time::{self, EARLIEST, LATEST, Period, Timestamp};

/// A string of as many characters (Unicode scalar values) as `length` allows, without control characters;
/// U+0000 is one.
pub fn string(length: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<String, Wrong> {
    move |value| {
        let text = text(value)?;
        if !length.contains(&text.chars().count()) {
            let (least, most) = (length.start(), length.end());
            return Err(Wrong::new("wrong_length", format!("must have {least} to {most} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Wrong::new("wrong_form", "must not contain control characters"));
        }
        Ok(text.to_owned())
    }
}

/// As [`string`], of characters that `allowed` lets through; `form` is the predicate for those who sent others.
pub fn word(
    length: RangeInclusive<usize>,
    allowed: fn(char) -> bool,
    form: &'static str,
) -> impl Fn(&Value) -> Result<String, Wrong> {
    move |value| {
        let text = string(length.clone())(value)?;
        if text.chars().all(allowed) { Ok(text) } else { Err(Wrong::new("wrong_form", form)) }
    }
}

/// The most characters of a language tag; RFC 5646 finds that 35 are enough for all that are in use.
pub const MAX_LANGUAGE_TAG: usize = 35;

/// The pattern of what [`language_tag`] lets through.
pub const LANGUAGE_TAG: &str =
    "^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*$";

/// Checks the name of an entry: a BCP 47 language tag, such as `zh-Hant-TW`, without extensions. Only in the usual case,
/// and variants in the order of their letters, so that no language has two names; and no longer words than languages
/// have in the registry, since `english` is none of them.
pub fn language_tag(name: &str) -> Result<(), Wrong> {
    let tag = LanguageIdentifier::try_from_str(name);
    let is_usual = tag.is_ok_and(|tag| tag.language.as_str().len() <= 3 && tag.to_string() == name);
    if name.len() > MAX_LANGUAGE_TAG || !is_usual {
        return Err(Wrong::new(
            "wrong_form",
            "must be under a BCP 47 language tag in its usual case, such as en or zh-CN",
        ));
    }
    Ok(())
}

/// An integer within `range`. `1.0` and `"1"` are not integers.
pub fn integer(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, Wrong> {
    move |value| within(&range, value.as_i64())
}

/// An integer within `range` as a string, for what has no other values: parameters of a query, columns of a file.
pub fn integer_in_text(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, Wrong> {
    move |value| within(&range, value.as_str().and_then(|text| text.parse().ok()))
}

/// True or false.
pub fn boolean(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| Wrong::new("wrong_type", "must be true or false"))
}

/// An RFC 3339 timestamp with an offset, as [`time::parse`] reads it.
pub fn timestamp(value: &Value) -> Result<Timestamp, Wrong> {
    time::parse(text(value)?).map_err(|fault| Wrong::new("wrong_form", fault.to_string()))
}

/// A date of the years 1900 to 9999: `2026-01-31`.
pub fn date(value: &Value) -> Result<NaiveDate, Wrong> {
    let text = text(value)?;
    let shaped = text.len() == "2026-01-31".len()
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let years = EARLIEST.year()..=LATEST.year();
    match NaiveDate::from_str(text) {
        Ok(date) if shaped && years.contains(&date.year()) => Ok(date),
        _ => Err(Wrong::new("wrong_form", "must be a date of the years 1900 to 9999, such as 2026-01-31")),
    }
}

/// A period in which something can happen: one that is not empty.
pub fn lasting_period(value: &Value) -> Result<Period, Wrong> {
    let period: Period = parsed(value)?;
    if period.is_empty() {
        return Err(Wrong::new("out_of_range", "must be longer than nothing"));
    }
    Ok(period)
}

/// One of the listed words, for what it stands for.
pub fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let word = text(value)?;
        match choices.iter().find(|(name, _)| *name == word) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                Err(Wrong::new("not_one_of", format!("must be one of {}", names.join(", "))))
            }
        }
    }
}

/// A string that `T` reads; the message is that of its error, which must be a predicate.
pub fn parsed<T>(value: &Value) -> Result<T, Wrong>
where
    T: FromStr,
    T::Err: Display,
{
    text(value)?.parse().map_err(|fault: T::Err| Wrong::new("wrong_form", fault.to_string()))
}

/// A UUID.
pub fn uuid(value: &Value) -> Result<Uuid, Wrong> {
    Uuid::try_parse(text(value)?).map_err(|_| Wrong::new("wrong_form", "must be a UUID"))
}

/// An IANA time zone: `America/New_York`.
pub fn time_zone(value: &Value) -> Result<Tz, Wrong> {
    text(value)?.parse().map_err(|_| Wrong::new("wrong_form", "must be an IANA time zone, such as America/New_York"))
}

/// An amount of money in `currency`, as [`money::parse_amount`] reads it.
pub fn amount(currency: Currency) -> impl Fn(&Value) -> Result<Decimal, Wrong> {
    move |value| money::parse_amount(decimal_text(value)?, currency).map_err(Wrong::from)
}

/// A decimal string from 0 to `max`, as [`money::parse_decimal`] reads it.
pub fn decimal(allowed: u32, max: u64) -> impl Fn(&Value) -> Result<Decimal, Wrong> {
    move |value| money::parse_decimal(decimal_text(value)?, allowed, max).map_err(Wrong::from)
}

/// What `parse` reads, unless it is zero.
pub fn above_zero(parse: impl Fn(&Value) -> Result<Decimal, Wrong>) -> impl Fn(&Value) -> Result<Decimal, Wrong> {
    move |value| match parse(value)? {
        zero if zero.is_zero() => Err(Wrong::new("out_of_range", "must be above zero")),
        decimal => Ok(decimal),
    }
}

fn within(range: &RangeInclusive<i64>, integer: Option<i64>) -> Result<i64, Wrong> {
    integer.filter(|integer| range.contains(integer)).ok_or_else(|| {
        Wrong::new("out_of_range", format!("must be an integer from {} to {}", range.start(), range.end()))
    })
}

fn text(value: &Value) -> Result<&str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::new("wrong_type", "must be a string"))
}

/// JSON numbers are refused: readers of JSON make binary floats of them.
fn decimal_text(value: &Value) -> Result<&str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::new("wrong_type", MoneyFault::NotADecimal.to_string()))
}

impl From<MoneyFault> for Wrong {
    fn from(fault: MoneyFault) -> Self {
        let code = match fault {
            MoneyFault::NotADecimal => "wrong_form",
            MoneyFault::Negative => "negative",
            MoneyFault::TooManyDecimals { .. } => "too_many_decimals",
            MoneyFault::TooLarge { .. } => "too_large",
        };
        Wrong::new(code, fault.to_string())
    }
}
