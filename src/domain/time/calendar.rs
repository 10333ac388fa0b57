//! From what the clocks on the wall show to instants.
//!
//! One rule for every odd hour: a wall time means **the first instant at which the zone's clocks show it or a
//! later time**. So a time that the clocks skip (a gap) means the first instant after the gap, and a time that
//! they show twice (an overlap) means the earlier of the two. A later wall time never means an earlier instant.
//!
//! The zone's rules are those of the IANA database compiled into the program; after its last known change the
//! last offset stays.

use chrono::{Datelike, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::{EARLIEST, LATEST, Timestamp, truncate};

/// The instant at which `date` begins in `zone`: midnight there or, where the clocks skip midnight, the first
/// instant after the gap. Kept within the years 1900 to 9999.
pub fn local_midnight(date: NaiveDate, zone: Tz) -> Timestamp {
    first_instant(date.and_time(NaiveTime::MIN), zone)
}

/// The instant a year before `at`, by the calendar of `zone`: at the same time of day, on 28 February for 29 February. Kept
/// within [`EARLIEST`] and [`LATEST`].
pub fn year_before(at: Timestamp, zone: Tz) -> Timestamp {
    let wall = at.with_timezone(&zone).naive_local();
    wall.checked_sub_months(Months::new(12)).map_or(EARLIEST, |wall| first_instant(wall, zone))
}

/// The first instant at which the clocks of `zone` show `wall` or a later time, kept within [`EARLIEST`] and
/// [`LATEST`].
pub(super) fn first_instant(wall: NaiveDateTime, zone: Tz) -> Timestamp {
    if wall.year() > LATEST.year() + 1 {
        return LATEST;
    }
    let instant = match zone.from_local_datetime(&wall) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant),
        LocalResult::None => GapInfo::new(&wall, &zone).and_then(|gap| gap.end),
    };
    // A gap lies between two of the zone's known offsets, so it has an end and the fallback is never taken.
    let instant = instant.map_or_else(|| wall.and_utc(), |instant| instant.with_timezone(&Utc));
    truncate(instant).clamp(EARLIEST, LATEST)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Days};
    use chrono_tz::TZ_VARIANTS;

    use super::*;

    fn date(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn utc(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_day_begins_at_midnight_in_its_zone() {
        let new_york = Tz::America__New_York;
        let begins = |y, m, d| local_midnight(date(y, m, d), new_york);
        assert_eq!(begins(2026, 1, 31), utc("2026-01-31T05:00:00Z"));
        assert_eq!(begins(2026, 7, 1), utc("2026-07-01T04:00:00Z"));
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_after_the_gap() {
        let in_sao_paulo = local_midnight(date(2018, 11, 4), Tz::America__Sao_Paulo);
        assert_eq!(in_sao_paulo, utc("2018-11-04T03:00:00Z"));
        let in_beirut = local_midnight(date(2024, 3, 31), Tz::Asia__Beirut);
        assert_eq!(in_beirut, utc("2024-03-30T22:00:00Z"));
    }

    #[test]
    fn a_day_that_was_skipped_whole_begins_and_ends_at_the_change() {
        let apia = Tz::Pacific__Apia;
        let skipped = local_midnight(date(2011, 12, 30), apia);
        assert_eq!(skipped, utc("2011-12-30T10:00:00Z"));
        assert_eq!(skipped, local_midnight(date(2011, 12, 31), apia));
    }

    #[test]
    fn a_day_whose_midnight_comes_twice_begins_at_the_first() {
        // Havana falls back at 01:00, so 00:00 is shown twice.
        let begins = local_midnight(date(2024, 11, 3), Tz::America__Havana);
        assert_eq!(begins, utc("2024-11-03T04:00:00Z"));
    }

    #[test]
    fn the_ends_of_the_calendar_stay_within_the_known_years() {
        let zone = Tz::Pacific__Kiritimati;
        assert_eq!(local_midnight(NaiveDate::MAX, zone), LATEST);
        assert_eq!(local_midnight(NaiveDate::MIN, zone), EARLIEST);
        assert_eq!(local_midnight(date(10_000, 1, 2), zone), LATEST);
    }

    #[test]
    fn days_begin_in_order_in_every_zone() {
        for zone in TZ_VARIANTS {
            let mut previous = EARLIEST;
            for day in (0..9_500).map(|day| date(2005, 1, 1) + Days::new(day)) {
                let midnight = local_midnight(day, zone);
                assert!(previous <= midnight, "{zone} {day}");
                let shown = midnight.with_timezone(&zone).date_naive();
                assert!(shown >= day, "{zone} {day} begins on {shown}");
                previous = midnight;
            }
        }
    }
}
