use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[test]
fn a_timestamp_has_one_text() {
    for text in [
        "2026-01-31T23:59:59.000000Z",
        "1900-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
        "1969-12-31T23:59:59.999999Z",
        "2024-02-29T01:02:03.000004Z",
    ] {
        assert_eq!(canonical(parse(text).unwrap()), text);
    }
    assert_eq!(canonical(EARLIEST), "1900-01-01T00:00:00.000000Z", "the bounds are what they say");
    assert_eq!(canonical(LATEST), "9999-12-31T23:59:59.999999Z");
}

#[test]
fn offsets_are_converted_and_surplus_digits_are_cut_off() {
    let read = |text| canonical(parse(text).unwrap());
    assert_eq!(read("2026-02-01T01:00:00+02:00"), "2026-01-31T23:00:00.000000Z");
    assert_eq!(read("2026-01-31t18:59:59.1234569-05:00"), "2026-01-31T23:59:59.123456Z");
    assert_eq!(read("1969-12-31T23:59:59.9999999z"), "1969-12-31T23:59:59.999999Z");
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T23:59:59",
        "2026-01-31 23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59Z",
        "2026-1-31T23:59:59Z",
        "+2026-01-31T23:59:59Z",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59\u{2212}05:00",
        " 2026-01-31T23:59:59Z",
        "2026-01-31T23:59:59Z ",
        "Sat, 31 Jan 2026 23:59:59 +0000",
    ] {
        assert_eq!(parse(text), Err(TimeFault::NotATimestamp), "{text:?}");
    }
    let long = format!("2026-01-31T23:59:59.{}Z", "0".repeat(100));
    assert_eq!(parse(&long), Err(TimeFault::NotATimestamp));
}

#[test]
fn leap_seconds_are_refused() {
    let leap = parse("2016-12-31T23:59:60Z");
    assert_eq!(leap, Err(TimeFault::LeapSecond));
}

#[test]
fn years_before_1900_and_after_9999_are_refused_in_utc() {
    for text in [
        "1899-12-31T23:59:59.999999Z",
        "1900-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
    ] {
        assert_eq!(parse(text), Err(TimeFault::OutOfRange), "{text}");
    }
}

#[test]
fn the_ends_of_chronos_calendar_are_truncated_and_written_too() {
    for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert!(canonical(truncate(end)).ends_with('Z'));
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lot {
    #[serde(with = "serde_canonical")]
    active_at: Timestamp,
    #[serde(with = "serde_canonical::option", default)]
    expires_at: Option<Timestamp>,
}

#[test]
fn serde_writes_the_canonical_text_and_reads_rfc_3339() {
    let read: Lot = serde_json::from_str(r#"{"active_at":"2026-01-31T18:59:59-05:00","expires_at":null}"#).unwrap();
    let absent: Lot = serde_json::from_str(r#"{"active_at":"2026-01-31T23:59:59Z"}"#).unwrap();
    assert_eq!(read, absent);
    let lot = Lot { expires_at: Some(read.active_at), ..read };
    let text = serde_json::to_string(&lot).unwrap();
    assert_eq!(text, r#"{"active_at":"2026-01-31T23:59:59.000000Z","expires_at":"2026-01-31T23:59:59.000000Z"}"#);
    assert_eq!(serde_json::from_str::<Lot>(&text).unwrap(), lot);
    assert!(serde_json::from_str::<Lot>(r#"{"active_at":"2026-01-31"}"#).is_err());
    assert!(serde_json::from_str::<Lot>(r#"{"active_at":1769903999}"#).is_err());
}

proptest! {
    #[test]
    fn the_canonical_text_is_chronos_and_reads_back(micros in -2_208_988_800_000_000_i64..=253_402_300_799_999_999) {
        let instant = DateTime::from_timestamp_micros(micros).unwrap();
        let text = canonical(instant);
        prop_assert_eq!(&text, &instant.to_rfc3339_opts(SecondsFormat::Micros, true));
        prop_assert_eq!(parse(&text), Ok(instant));
    }

    #[test]
    fn truncating_drops_less_than_a_microsecond_and_only_once(seconds in -2_208_988_800_i64..253_402_300_799, nanos in 0_u32..1_000_000_000) {
        let instant = DateTime::from_timestamp(seconds, nanos).unwrap();
        let truncated = truncate(instant);
        let dropped = (instant - truncated).num_nanoseconds();
        prop_assert!(dropped.is_some_and(|nanos| (0..1000).contains(&nanos)));
        prop_assert_eq!(truncate(truncated), truncated);
    }
}
