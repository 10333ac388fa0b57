//! Tiers, naively: every instant is looked at anew, over all orders.

use accrue::domain::ids::MemberId;
use accrue::domain::movement::assignment::Assignment;
use accrue::domain::program::TierRules;
use accrue::domain::program::tiers::{Counts, Downgrade, QualifyingPeriod, Term, TierRefunds};
use accrue::domain::time::{EARLIEST, Timestamp, local_midnight};
use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use chrono_tz::Tz;

use super::spending::whole;
use super::{Model, Sale, Verdict};

/// A member's tier, and what time last made of it.
#[derive(Clone)]
pub struct Tier {
    pub level: Option<usize>,
    pub until: Option<Timestamp>,
    /// What an operator gave, and until when.
    pub given: Option<(usize, Timestamp)>,
    base: (Option<usize>, Option<Timestamp>),
    based_at: Timestamp,
}

impl Default for Tier {
    fn default() -> Self {
        Self { level: None, until: None, given: None, base: (None, None), based_at: EARLIEST }
    }
}

const TICK: TimeDelta = TimeDelta::microseconds(1);

impl Model {
    /// The code of a member's tier, where there is one.
    pub(super) fn tier_of(&self, member: MemberId) -> Option<String> {
        let person = &self.people[&member];
        let tier = Some(&person.tier).filter(|_| !person.has_left())?;
        let level = tier.level.max(tier.given.map(|(level, _)| level))?;
        Some(self.program().tiers.as_ref()?.levels[level].code.clone())
    }

    /// Does a member have this tier or a higher one?
    pub(super) fn has_tier(&self, member: MemberId, least: &str) -> bool {
        let program = self.program();
        let Some(rules) = &program.tiers else { return false };
        self.tier_of(member).and_then(|code| rules.place(&code)) >= rules.place(least)
    }

    /// When time next changes a member's tier.
    pub(super) fn tier_ends_at(&self, member: MemberId) -> Option<Timestamp> {
        let person = &self.people[&member];
        let given = person.tier.given.map(|(_, until)| until).filter(|_| !person.has_left());
        self.term_ends_at(member).into_iter().chain(given).min()
    }

    // When the term and grace of what follows from the orders end.
    fn term_ends_at(&self, member: MemberId) -> Option<Timestamp> {
        let person = &self.people[&member];
        let program = self.program();
        let until = person.tier.until.filter(|_| !person.has_left())?;
        Some(program.tiers.as_ref()?.grace.map_or(until, |grace| grace.after(until, program.time_zone)))
    }

    /// Finds out where a member stands by its orders.
    pub(super) fn restand(&mut self, member: MemberId) {
        let program = self.program();
        let Some(rules) = &program.tiers else { return };
        let zone = program.time_zone;
        let tier = self.people[&member].tier.clone();
        let mut instants: Vec<Timestamp> = self.sales_of(member).map(|sale| sale.occurred_at).collect();
        instants.extend(self.sales_of(member).flat_map(|sale| sale.refunds.iter().map(|(at, _)| *at)));
        instants.push(tier.based_at);
        instants.retain(|at| *at >= tier.based_at);
        instants.sort();
        let (mut level, mut until) = tier.base;
        for at in instants {
            let ends_at = until.map(|until| rules.grace.map_or(until, |grace| grace.after(until, zone)));
            if ends_at.is_some_and(|ends_at| ends_at <= at) {
                break;
            }
            let reached = self.reached(member, rules, zone, at);
            if reached > level {
                let term = match rules.term {
                    Term::NextPeriod => self.period(member, rules, zone, self.period(member, rules, zone, at).1).1,
                    Term::Span(span) => span.after(at, zone),
                };
                (level, until) = (reached, Some(term));
            }
        }
        let tier = &mut self.person(member).tier;
        (tier.level, tier.until) = (level, until);
    }

    /// An operator gives a member a tier.
    pub(super) fn assign(&mut self, member: MemberId, asked: &Assignment) -> Verdict {
        self.known_member(member)?;
        self.settle(member);
        if self.people[&member].has_left() {
            return Err("member_closed");
        }
        if asked.until <= self.now {
            return Err("assignment_ends_in_past");
        }
        let program = self.program();
        let level = program.tiers.as_ref().ok_or("no_tiers")?.place(&asked.tier).ok_or("unknown_tier")?;
        self.person(member).tier.given = Some((level, asked.until));
        Ok(())
    }

    /// The term and grace of a member's tier have ended, or what an operator gave.
    pub(super) fn end_term(&mut self, member: MemberId, ends_at: Timestamp) {
        let given = &mut self.person(member).tier.given;
        *given = given.filter(|(_, until)| *until > ends_at);
        if self.term_ends_at(member).is_none_or(|at| at > ends_at) {
            return;
        }
        let program = self.program_at(ends_at);
        let Some(rules) = &program.tiers else { return };
        let zone = program.time_zone;
        let Tier { level: held, until: Some(until), .. } = self.people[&member].tier.clone() else { return };
        let reached =
            [until, ends_at].map(|end| self.reached(member, rules, zone, end - TICK)).into_iter().max().flatten();
        let level = match rules.downgrade {
            Downgrade::OneDown if reached < held => reached.max(held.and_then(|held| held.checked_sub(1))),
            _ => reached,
        };
        let term = match rules.term {
            Term::NextPeriod => self.period(member, rules, zone, until).1,
            // Up to the end of the month in which the old term ended.
            Term::Span(span) => span.after(if span.to_string().contains('_') { until - TICK } else { until }, zone),
        };
        let until = level.map(|_| term.max(ends_at + TICK));
        let tier = &mut self.person(member).tier;
        (tier.base, tier.based_at) = ((level, until), ends_at);
        self.restand(member);
    }

    // The highest level that is reached by what had occurred by `at`.
    fn reached(&self, member: MemberId, rules: &TierRules, zone: Tz, at: Timestamp) -> Option<usize> {
        let from = self.period(member, rules, zone, at).0;
        let (mut cents, mut orders) = (0, 0);
        for sale in self.sales_of(member).filter(|sale| sale.occurred_at >= from && sale.occurred_at <= at) {
            let seen = |when: &Timestamp| rules.refunds == TierRefunds::AtOnce || *when <= at;
            let refunded = sale.refunds.iter().filter(|(when, _)| seen(when)).map(|(_, refunded)| *refunded).max();
            let counts = if rules.counts == Counts::Money { sale.eligible } else { sale.amount };
            let left = sale.amount - refunded.unwrap_or_default();
            cents += if sale.amount == 0 { 0 } else { counts * left / sale.amount };
            orders += i64::from(refunded.is_none() || left > 0);
        }
        rules.levels.iter().rposition(|level| {
            let spends = level.requirement.annual_spend.is_none_or(|asked| cents >= whole(asked, 100));
            spends && level.requirement.orders.is_none_or(|asked| orders >= asked)
        })
    }

    // The period around `at`: its first instant, and the first one after it.
    fn period(&self, member: MemberId, rules: &TierRules, zone: Tz, at: Timestamp) -> (Timestamp, Timestamp) {
        let local = at.with_timezone(&zone);
        let first = match rules.period {
            QualifyingPeriod::Rolling => {
                let wall = local.naive_local().checked_sub_months(Months::new(12)).unwrap();
                // No world goes through an hour that the clocks skip or show twice.
                let before = wall.and_local_timezone(zone).earliest().unwrap_or(local - TimeDelta::days(365));
                return (before.to_utc() + TICK, at + TICK);
            }
            QualifyingPeriod::CalendarYear => NaiveDate::from_ymd_opt(2000, 1, 1).unwrap(),
            QualifyingPeriod::MembershipYear => self.people[&member].joined_at.with_timezone(&zone).date_naive(),
        };
        let year = |n: i32| {
            let months = Months::new((n - first.year()).unsigned_abs() * 12);
            let date = if n < first.year() { first - months } else { first + months };
            local_midnight(date, zone)
        };
        let now = local.year();
        if year(now) <= at { (year(now), year(now + 1)) } else { (year(now - 1), year(now)) }
    }

    fn sales_of(&self, member: MemberId) -> impl Iterator<Item = &Sale> {
        self.sales.iter().filter(move |sale| sale.member == member)
    }
}
