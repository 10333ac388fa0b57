//! Spans of the clock: `30s`, `15m`, `1h`, `7d`.

use chrono::TimeDelta;

/// Reads a span: a whole number above zero with `s`, `m`, `h` or `d` (of 24 hours), of `most` at most.
///
/// # Errors
///
/// [`SpanFault`], whose sentence is a predicate for the field that held the text.
pub fn parse_span(text: &str, most: TimeDelta) -> Result<TimeDelta, SpanFault> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let read = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (digits, seconds) = read.ok_or(SpanFault::NotASpan)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SpanFault::NotASpan);
    }
    let total = digits.parse().ok().and_then(|count: i64| count.checked_mul(seconds));
    match total.and_then(TimeDelta::try_seconds) {
        Some(span) if span > TimeDelta::zero() && span <= most => Ok(span),
        _ => Err(SpanFault::OutOfRange { days: most.num_days() }),
    }
}

/// Why a text is not a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanFault {
    /// Another form.
    #[error("must be a whole number with s, m, h or d, such as 15m")]
    NotASpan,
    /// None, or too long.
    #[error("must be from 1s to {days}d")]
    OutOfRange {
        /// The longest, in days.
        days: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_numbers_with_a_unit() {
        let most = TimeDelta::days(30);
        for (text, seconds) in [("1s", 1), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000)] {
            assert_eq!(parse_span(text, most), Ok(TimeDelta::seconds(seconds)), "{text}");
        }
        for text in ["", "m", "15", "1.5h", "-1m", "+1m", "15M", "1h30m", " 1h", "1w", "\u{0661}m"] {
            assert_eq!(parse_span(text, most), Err(SpanFault::NotASpan), "{text}");
        }
        for text in ["0s", "31d", "99999999999999999999d", "9223372036854775807d"] {
            assert_eq!(parse_span(text, most), Err(SpanFault::OutOfRange { days: 30 }), "{text}");
        }
    }
}
