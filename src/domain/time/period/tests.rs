use chrono::DateTime;
use proptest::prelude::*;

use super::*;

const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::America__New_York,
    Tz::America__Sao_Paulo,
    Tz::Asia__Beirut,
    Tz::Asia__Kolkata,
    Tz::Australia__Lord_Howe,
    Tz::Antarctica__Troll,
];

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn utc(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// Where `length`, begun at `from`, ends in `zone`.
fn end(length: &str, from: &str, zone: Tz) -> Timestamp {
    period(length).after(utc(from), zone)
}

#[test]
fn texts_are_read_and_written_alike() {
    for text in ["0D", "30D", "36H", "12M", "2Y", "30D_D", "12M_M", "1Y_Y", "0D_M", "36525D", "100Y_Y"] {
        assert_eq!(period(text).to_string(), text);
        assert_eq!(serde_json::to_string(&period(text)).unwrap(), format!("\"{text}\""));
    }
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "", "D", "30", "030D", "00D", "-1D", "+1D", " 1D", "1d", "1W", "1D_", "1D_H", "1D_D_D", "1_D", "1.5D", "٣D",
        "1DD", "P1D", "_M",
    ] {
        assert_eq!(text.parse::<Period>(), Err(PeriodFault::NotAPeriod), "{text:?}");
    }
    for text in ["101Y", "1201M", "36526D", "876601H", "99999999999999999999D"] {
        assert_eq!(text.parse::<Period>(), Err(PeriodFault::TooLong), "{text}");
    }
    assert!(serde_json::from_str::<Period>("\"1W\"").is_err());
}

#[test]
fn months_are_cut_to_the_last_day() {
    let new_york = Tz::America__New_York;
    let from = "2025-01-31T12:00:00Z";
    assert_eq!(end("1M", from, new_york), utc("2025-02-28T12:00:00Z"));
    assert_eq!(end("13M", from, Tz::UTC), utc("2026-02-28T12:00:00Z"));
    assert_eq!(end("37M", from, Tz::UTC), utc("2028-02-29T12:00:00Z"));
}

#[test]
fn a_leap_day_comes_back_as_the_28th_and_every_four_years_as_the_29th() {
    let from = "2024-02-29T08:30:00Z";
    assert_eq!(end("1Y", from, Tz::UTC), utc("2025-02-28T08:30:00Z"));
    assert_eq!(end("4Y", from, Tz::UTC), utc("2028-02-29T08:30:00Z"));
    assert_eq!(end("76Y", from, Tz::UTC), utc("2100-02-28T08:30:00Z"));
}

#[test]
fn twelve_months_from_a_leap_day_end_with_february() {
    let from = "2024-02-29T12:00:00Z";
    let zone = Tz::America__New_York;
    assert_eq!(end("12M_M", from, zone), utc("2025-03-01T05:00:00Z"));
    assert_eq!(end("12M_Y", from, zone), utc("2026-01-01T05:00:00Z"));
    assert_eq!(end("12M_D", from, zone), utc("2025-03-01T05:00:00Z"));
}

#[test]
fn the_month_is_the_zones_and_not_utcs() {
    // Still 31 January in New York, already 1 February in UTC.
    let from = "2026-02-01T03:00:00Z";
    let in_new_york = end("0D_M", from, Tz::America__New_York);
    assert_eq!(in_new_york, utc("2026-02-01T05:00:00Z"));
    assert_eq!(end("0D_M", from, Tz::UTC), utc("2026-03-01T00:00:00Z"));
}

#[test]
fn the_beginning_of_a_day_belongs_to_that_day() {
    let from = "2026-01-01T00:00:00Z";
    assert_eq!(end("0D_D", from, Tz::UTC), utc("2026-01-02T00:00:00Z"));
    assert_eq!(end("0D_Y", from, Tz::UTC), utc("2027-01-01T00:00:00Z"));
    assert_eq!(end("1D_D", from, Tz::UTC), utc("2026-01-03T00:00:00Z"));
}

#[test]
fn days_keep_the_local_time_over_a_change_of_the_clocks_and_hours_do_not() {
    let zone = Tz::America__New_York;
    // The clocks go forward on 8 March 2026 and back on 1 November 2026.
    let spring = "2026-03-07T17:00:00Z";
    assert_eq!(end("1D", spring, zone), utc("2026-03-08T16:00:00Z"));
    assert_eq!(end("24H", spring, zone), utc("2026-03-08T17:00:00Z"));
    let autumn = "2026-10-31T16:00:00Z";
    assert_eq!(end("1D", autumn, zone), utc("2026-11-01T17:00:00Z"));
    assert_eq!(end("24H", autumn, zone), utc("2026-11-01T16:00:00Z"));
}

#[test]
fn a_skipped_local_time_means_the_end_of_the_gap() {
    // 02:30 on 7 March; 02:30 on 8 March is skipped, the clocks jump from 02:00 to 03:00 at 07:00Z.
    let ends = end("1D", "2026-03-07T07:30:00.5Z", Tz::America__New_York);
    assert_eq!(ends, utc("2026-03-08T07:00:00Z"));
}

#[test]
fn a_local_time_shown_twice_means_the_first() {
    let ends = end("1D", "2026-10-31T05:30:00Z", Tz::America__New_York);
    assert_eq!(ends, utc("2026-11-01T05:30:00Z"));
}

#[test]
fn an_empty_period_ends_where_it_begins_even_in_a_repeated_hour() {
    let second_showing = "2026-11-01T06:30:00Z";
    let ends = end("0D", second_showing, Tz::America__New_York);
    assert_eq!(ends, utc(second_showing));
}

#[test]
fn a_period_is_empty_when_it_can_only_end_where_it_begins() {
    for empty in ["0H", "0D", "0M", "0Y"] {
        assert!(period(empty).is_empty(), "{empty}");
    }
    for text in ["0D_D", "0H_Y", "1H", "7D"] {
        assert!(!period(text).is_empty(), "{text}");
    }
    assert_eq!(period("7D"), Period::WEEK);
}

#[test]
fn rounding_up_to_a_day_without_midnight_ends_after_the_gap() {
    let from = "2018-11-02T15:00:00Z";
    let in_sao_paulo = end("1D_D", from, Tz::America__Sao_Paulo);
    assert_eq!(in_sao_paulo, utc("2018-11-04T03:00:00Z"));
    let in_beirut = end("0M_M", "2024-03-30T12:00:00Z", Tz::Asia__Beirut);
    assert_eq!(in_beirut, utc("2024-03-31T21:00:00Z"));
    let in_beirut = end("0D_D", "2024-03-30T12:00:00Z", Tz::Asia__Beirut);
    assert_eq!(in_beirut, utc("2024-03-30T22:00:00Z"));
}

#[test]
fn no_period_ends_after_the_year_9999() {
    for text in ["100Y_Y", "0D_Y", "36525D", "876600H", "1200M_M"] {
        for zone in ZONES {
            assert_eq!(period(text).after(LATEST, zone), LATEST, "{text} {zone}");
            let beyond = period(text).after(DateTime::<chrono::Utc>::MAX_UTC, zone);
            assert_eq!(beyond, LATEST);
        }
    }
    let from_the_beginning = period("0D").after(DateTime::<chrono::Utc>::MIN_UTC, Tz::UTC);
    assert_eq!(from_the_beginning, EARLIEST);
}

#[test]
fn one_period_outlasts_another_only_where_some_date_lets_it() {
    let never_outlasts = |one, other| period(one).never_outlasts(&period(other));
    assert!(never_outlasts("14D", "12M_M"));
    assert!(never_outlasts("12M", "1Y"));
    assert!(never_outlasts("1Y_M", "12M_M"));
    assert!(never_outlasts("14D_M", "3M"));
    assert!(never_outlasts("14D_M", "14D_Y"));
    assert!(never_outlasts("1H", "1D"));
    assert!(!never_outlasts("30D", "1M"));
    assert!(!never_outlasts("14D_M", "14D"));
    assert!(!never_outlasts("13M", "1Y"));
    assert!(!never_outlasts("0D_Y", "11M"));
}

prop_compose! {
    fn any_period()(count in 0_u32..=100, unit in 0..4_usize, rounding in 0..4_usize) -> Period {
        let scale = [24, 12, 1, 1][unit];
        let unit = ["H", "D", "M", "Y"][unit];
        let rounding = ["", "_D", "_M", "_Y"][rounding];
        format!("{}{unit}{rounding}", count * scale).parse().unwrap()
    }
}

prop_compose! {
    /// Between 1972 and 2098, which the time zone database covers.
    fn any_time()(micros in 63_072_000_000_000_i64..4_039_372_800_000_000) -> Timestamp {
        DateTime::from_timestamp_micros(micros).unwrap()
    }
}

proptest! {
    #[test]
    fn a_period_never_ends_before_it_begins(length in any_period(), from in any_time(), zone in 0..ZONES.len()) {
        prop_assert!(length.after(from, ZONES[zone]) >= from);
    }

    #[test]
    fn without_changes_of_the_clocks_a_later_beginning_never_means_an_earlier_end(
        length in any_period(), from in any_time(), later in 0_i64..100_000_000_000_000,
    ) {
        let later = from + TimeDelta::microseconds(later);
        for zone in [Tz::UTC, Tz::Etc__GMTMinus14] {
            prop_assert!(length.after(from, zone) <= length.after(later, zone));
        }
    }

    #[test]
    fn what_never_outlasts_another_never_does(
        one in any_period(), other in any_period(), from in any_time(), zone in 0..ZONES.len(),
    ) {
        let (one_ends, other_ends) = (one.after(from, ZONES[zone]), other.after(from, ZONES[zone]));
        if one.never_outlasts(&other) {
            prop_assert!(one_ends <= other_ends, "{one} {other}");
        }
    }

    #[test]
    fn a_rounded_end_begins_a_local_day(length in any_period(), from in any_time(), zone in 0..ZONES.len()) {
        let zone = ZONES[zone];
        let ends = length.after(from, zone);
        if length.round_up_to.is_some() {
            let date = ends.with_timezone(&zone).date_naive();
            prop_assert_eq!(ends, local_midnight(date, zone));
        }
    }
}

#[test]
fn what_lasts_a_day_does_so_whenever_it_begins() {
    for text in ["24H", "1D", "1D_D", "1M", "1Y", "12M_M", "36525D", "24H_D"] {
        assert!(period(text).has_a_day(), "{text}");
    }
    for text in ["0H", "23H", "23H_Y", "0D", "0D_D", "0M_M", "0Y_Y"] {
        assert!(!period(text).has_a_day(), "{text}");
    }
}
