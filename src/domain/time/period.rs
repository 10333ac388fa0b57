//! Periods of the calendar: `30D`, `12M`, `2Y`, `36H`, and `12M_M` for "twelve months, then to the end of that
//! month".

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::calendar::{first_instant, local_midnight};
use super::{EARLIEST, LATEST, Timestamp};

/// A length of time as the programme document writes it: a whole number and `H`, `D`, `M` or `Y` (hours, days,
/// months, years), then perhaps `_D`, `_M` or `_Y` to round up to the end of that day, month or year.
///
/// At most 100 years. Every period has one text: no leading zeros, no signs, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    count: u32,
    unit: Unit,
    round_up_to: Option<Boundary>,
}

impl Period {
    /// `1H`
    pub const HOUR: Self = Self { count: 1, unit: Unit::Hours, round_up_to: None };

    /// `7D`
    pub const WEEK: Self = Self { count: 7, unit: Unit::Days, round_up_to: None };

    /// `12M`
    pub const TWELVE_MONTHS: Self = Self { count: 12, unit: Unit::Months, round_up_to: None };

    /// Whether this period ends as it begins, whenever that is.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.round_up_to.is_none()
    }

    /// Does it end where a local day, month or year does?
    pub fn rounds_up(&self) -> bool {
        self.round_up_to.is_some()
    }

    /// Whether this period lasts at least a day whenever it begins: 24 hours, or a day of the calendar, which a change of
    /// the clocks may make shorter. What is only rounded up, such as `0M_M`, may end at once.
    pub fn has_a_day(&self) -> bool {
        self.count >= if self.unit == Unit::Hours { 24 } else { 1 }
    }

    /// The instant at which this period ends when it begins at `from`. The end is exclusive: what lasts for the
    /// period is there strictly before it.
    ///
    /// Hours are counted on the time line. Days, months and years are counted in the calendar of `zone` and keep
    /// the local time of day: the day of the month is cut to the month's last where it must be (31 January and
    /// `1M` end on 28 or 29 February), and a local time that is skipped or shown twice on the day of arrival
    /// means the first instant at which the clocks show it or a later time. Rounded up, the period ends where
    /// the next local day, month or year begins; a period that arrives exactly at a day's beginning belongs to
    /// that day and lasts until its end.
    ///
    /// Never before `from`, and never after the year 9999. A `from` outside the years 1900 to 9999 counts as
    /// the nearest instant within.
    pub fn after(&self, from: Timestamp, zone: Tz) -> Timestamp {
        let from = from.clamp(EARLIEST, LATEST);
        let count = self.count;
        let by_the_clock = from + TimeDelta::hours(i64::from(count));
        let local = from.with_timezone(&zone).naive_local();
        // `None` is beyond chrono's calendar, which a hundred years after 9999 are not.
        let arrival = match self.unit {
            Unit::Hours => Some(by_the_clock.with_timezone(&zone).naive_local()),
            Unit::Days => local.checked_add_days(Days::new(u64::from(count))),
            Unit::Months => local.checked_add_months(Months::new(count)),
            Unit::Years => local.checked_add_months(Months::new(count * 12)),
        };
        let end = match (arrival, self.round_up_to) {
            (None, _) => LATEST,
            (Some(arrival), Some(boundary)) => {
                boundary.next(arrival.date()).map_or(LATEST, |date| local_midnight(date, zone))
            }
            (Some(_), None) if self.unit == Unit::Hours => by_the_clock,
            (Some(arrival), None) => first_instant(arrival, zone),
        };
        // An overlap may make the clocks show `from` an hour before `from`.
        end.max(from).min(LATEST)
    }

    /// Whether this period surely ends no later than `other` when both begin together, whenever that is.
    ///
    /// Errs towards `false` where the answer depends on the date: `30D` may outlast `1M`. (The few dates that a
    /// zone skipped whole, such as Samoa's 2011-12-30, are left out of account.)
    pub fn never_outlasts(&self, other: &Period) -> bool {
        let base_is_within = match (self.in_months(), other.in_months()) {
            (Some(mine), Some(others)) => mine <= others,
            _ if self.unit == other.unit => self.count <= other.count,
            _ => self.longest() <= other.shortest(),
        };
        let rounding = self.round_up_to.map_or(0, Boundary::longest);
        // Every coarse boundary is a fine one too, so rounding both up keeps their order.
        (base_is_within && self.round_up_to <= other.round_up_to) || self.longest() + rounding <= other.shortest()
    }

    fn in_months(&self) -> Option<u32> {
        match self.unit {
            Unit::Months => Some(self.count),
            Unit::Years => Some(self.count * 12),
            Unit::Hours | Unit::Days => None,
        }
    }

    /// An upper bound in hours, without the rounding.
    fn longest(&self) -> u64 {
        match self.count {
            0 => 0,
            count => u64::from(count) * self.unit.mean() / 1000 + self.unit.spread(),
        }
    }

    /// A lower bound in hours, without the rounding.
    fn shortest(&self) -> u64 {
        let mean = u64::from(self.count) * self.unit.mean() / 1000;
        mean.saturating_sub(self.unit.spread())
    }
}

impl FromStr for Period {
    type Err = PeriodFault;

    fn from_str(text: &str) -> Result<Self, PeriodFault> {
        let (length, round_up_to) = match text.split_once('_') {
            None => (text, None),
            Some((length, boundary)) => (length, Some(Boundary::from_code(boundary)?)),
        };
        let (unit, digits) = Unit::at_the_end_of(length).ok_or(PeriodFault::NotAPeriod)?;
        let well_formed = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !well_formed {
            return Err(PeriodFault::NotAPeriod);
        }
        // Only too many digits are left to fail on.
        let count = digits.parse().map_err(|_| PeriodFault::TooLong)?;
        if count > unit.most() {
            return Err(PeriodFault::TooLong);
        }
        Ok(Self { count, unit, round_up_to })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.code())?;
        match self.round_up_to {
            Some(boundary) => write!(f, "_{}", boundary.code()),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodFault;

    fn try_from(text: String) -> Result<Self, PeriodFault> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.to_string()
    }
}

/// Why a text is not a [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodFault {
    /// Another form.
    #[error(
        "must be a period such as 30D, 12M or 2Y, with _D, _M or _Y appended to round up to the end of that day, month or year"
    )]
    NotAPeriod,
    /// More than a hundred years.
    #[error("must be at most 100 years")]
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Hours,
    Days,
    Months,
    Years,
}

impl Unit {
    /// The unit that `length` ends with, and the text before it.
    fn at_the_end_of(length: &str) -> Option<(Self, &str)> {
        [Self::Hours, Self::Days, Self::Months, Self::Years]
            .into_iter()
            .find_map(|unit| Some((unit, length.strip_suffix(unit.code())?)))
    }

    fn code(self) -> char {
        match self {
            Self::Hours => 'H',
            Self::Days => 'D',
            Self::Months => 'M',
            Self::Years => 'Y',
        }
    }

    /// As many as a hundred years have.
    fn most(self) -> u32 {
        match self {
            Self::Hours => 36_525 * 24,
            Self::Days => 36_525,
            Self::Months => 1200,
            Self::Years => 100,
        }
    }

    /// The mean length in thousandths of an hour; 400 Gregorian years have 146,097 days.
    fn mean(self) -> u64 {
        match self {
            Self::Hours => 1000,
            Self::Days => 24_000,
            Self::Months => 730_485,
            Self::Years => 8_765_820,
        }
    }

    /// How far, in hours, any number of these can be from as many mean ones: up to three hours for a change of
    /// the clocks, and three days for uneven months and the leap day that most centuries lack.
    fn spread(self) -> u64 {
        match self {
            Self::Hours => 0,
            Self::Days => 3,
            Self::Months | Self::Years => 4 * 24,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Boundary {
    Day,
    Month,
    Year,
}

impl Boundary {
    fn from_code(code: &str) -> Result<Self, PeriodFault> {
        match code {
            "D" => Ok(Self::Day),
            "M" => Ok(Self::Month),
            "Y" => Ok(Self::Year),
            _ => Err(PeriodFault::NotAPeriod),
        }
    }

    fn code(self) -> char {
        match self {
            Self::Day => 'D',
            Self::Month => 'M',
            Self::Year => 'Y',
        }
    }

    /// The first date of the day, month or year after the one that holds `date`. `None` beyond the calendar.
    fn next(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => date.succ_opt(),
            Self::Month => date.with_day(1)?.checked_add_months(Months::new(1)),
            Self::Year => NaiveDate::from_ymd_opt(date.year() + 1, 1, 1),
        }
    }

    /// An upper bound, in hours, of what rounding up can add.
    fn longest(self) -> u64 {
        const CLOCK_CHANGE: u64 = 3;
        let days = match self {
            Self::Day => 1,
            Self::Month => 31,
            Self::Year => 366,
        };
        days * 24 + CLOCK_CHANGE
    }
}

#[cfg(test)]
mod tests;
