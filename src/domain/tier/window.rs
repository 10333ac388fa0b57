//! The periods whose orders count towards a tier, and how long a tier lasts.

use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use chrono_tz::Tz;

use crate::domain::money::Currency;
use crate::domain::program::ProgramVersion;
use crate::domain::program::tiers::{QualifyingPeriod, Term, TierRules};
use crate::domain::time::{EARLIEST, LATEST, Timestamp, local_midnight, year_before};

/// The smallest step of time: what is before an instant is at or before the instant less this.
pub const TICK: TimeDelta = TimeDelta::microseconds(1);

/// What a member's tier follows from besides its orders.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The rules.
    pub rules: &'a TierRules,
    /// The version of the programme that they are from.
    pub version: i32,
    /// The currency in which orders count.
    pub currency: Currency,
    /// The time zone in which years begin and end.
    pub zone: Tz,
    /// When the member joined.
    pub joined_at: Timestamp,
}

/// A period of time: from its first instant to the first one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl<'a> Scene<'a> {
    /// That of a member who joined then, by the tiers of a version; none if it has none.
    pub fn of(version: &'a ProgramVersion, joined_at: Timestamp) -> Option<Self> {
        let ProgramVersion { version, ref program, .. } = *version;
        let rules = program.tiers.as_ref()?;
        Some(Self { rules, version, currency: program.currency, zone: program.time_zone, joined_at })
    }
}

impl Scene<'_> {
    /// Does the period begin and end at times of its own, and not with the instant that is looked at?
    pub fn has_fixed_ends(&self) -> bool {
        self.rules.period != QualifyingPeriod::Rolling
    }

    /// The period whose orders count at `at`. A rolling one ends with `at` itself: what is as old as a year is out of it.
    pub fn window(&self, at: Timestamp) -> Window {
        match self.rules.period {
            QualifyingPeriod::Rolling => Window { from: year_before(at, self.zone) + TICK, until: at + TICK },
            QualifyingPeriod::CalendarYear => {
                let year = at.with_timezone(&self.zone).year();
                let begins =
                    |year| NaiveDate::from_ymd_opt(year, 1, 1).map_or(LATEST, |date| local_midnight(date, self.zone));
                // A zone that skips its new year's midnight begins the year a little later.
                match begins(year) {
                    from if from > at => Window { from: begins(year - 1), until: from },
                    from => Window { from, until: begins(year + 1) },
                }
            }
            QualifyingPeriod::MembershipYear => {
                let joined = self.joined_at.with_timezone(&self.zone).date_naive();
                let years = at.with_timezone(&self.zone).year() - joined.year();
                let begins = |years: i32| local_midnight(anniversary(joined, years), self.zone);
                let first = (years - 1..=years + 1).rev().find(|years| begins(*years) <= at).unwrap_or(years - 1);
                Window { from: begins(first), until: begins(first + 1) }
            }
        }
    }

    /// When a tier that is reached at `at` ends, without the grace.
    pub fn term(&self, at: Timestamp) -> Timestamp {
        match self.rules.term {
            Term::NextPeriod => self.window(self.window(at).until).until,
            Term::Span(span) => span.after(at, self.zone),
        }
    }

    /// When the term ends that follows one which ended at `end`.
    pub fn next_term(&self, end: Timestamp) -> Timestamp {
        match self.rules.term {
            Term::NextPeriod => self.window(end).until,
            // A term that is rounded up to the end of a month ends where the next month begins, and is still of the first.
            Term::Span(span) if span.rounds_up() => span.after(end - TICK, self.zone),
            Term::Span(span) => span.after(end, self.zone),
        }
    }

    /// The instant whose period says whether a tier is kept whose term, or grace, ends at `end`. A period with fixed ends is
    /// looked at before the next one begins. A rolling one is looked at as the term ends: by then the order that began a term
    /// of the same length is out of it, and does not keep the tier for another.
    pub fn judged_at(&self, end: Timestamp) -> Timestamp {
        if self.has_fixed_ends() { end - TICK } else { end }
    }

    /// When a tier whose term ends at `end` is decided anew.
    pub fn with_grace(&self, end: Timestamp) -> Timestamp {
        self.rules.grace.map_or(end, |grace| grace.after(end, self.zone))
    }
}

// The day so many years after that of joining: 29 February is the 28th where there is none.
fn anniversary(joined: NaiveDate, years: i32) -> NaiveDate {
    let months = Months::new(years.unsigned_abs() * 12);
    let day = if years < 0 { joined.checked_sub_months(months) } else { joined.checked_add_months(months) };
    day.unwrap_or(if years < 0 { EARLIEST.date_naive() } else { LATEST.date_naive() })
}
