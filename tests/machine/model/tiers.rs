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

/// A member's tier, and what time or a version last made of it. Levels are places among those of the version.
#[derive(Clone)]
pub struct Tier {
    /// The place of the version by whose tiers it is.
    pub by: usize,
    pub level: Option<usize>,
    pub until: Option<Timestamp>,
    /// What an operator gave, and until when.
    pub given: Option<(usize, Timestamp)>,
    /// Did the member ever have one?
    pub had: bool,
    /// What orders since then build upon.
    pub base: (Option<usize>, Option<Timestamp>),
    pub based_at: Timestamp,
}

impl Default for Tier {
    fn default() -> Self {
        let (by, had) = (0, false);
        Self { by, level: None, until: None, given: None, had, base: (None, None), based_at: EARLIEST }
    }
}

const TICK: TimeDelta = TimeDelta::microseconds(1);

impl Model {
    /// The code of a member's tier, where there is one.
    pub(super) fn tier_of(&self, member: MemberId) -> Option<String> {
        let person = &self.people[&member];
        let tier = Some(&person.tier).filter(|_| !person.has_left())?;
        let level = tier.level.max(tier.given.map(|(level, _)| level))?;
        Some(self.tiers_by(tier.by)?.levels[level].code.clone())
    }

    /// Does a member have this tier or a higher one, by the rules that gave it its own?
    pub(super) fn has_tier(&self, member: MemberId, least: &str) -> bool {
        let Some(rules) = self.tiers_by(self.people[&member].tier.by) else { return false };
        let own = self.tier_of(member).and_then(|code| rules.place(&code));
        own.zip(rules.place(least)).is_some_and(|(own, least)| own >= least)
    }

    /// When time next changes a member's tier.
    pub(super) fn tier_ends_at(&self, member: MemberId) -> Option<Timestamp> {
        let person = &self.people[&member];
        let given = person.tier.given.map(|(_, until)| until).filter(|_| !person.has_left());
        self.term_ends_at(member).into_iter().chain(given).min()
    }

    /// When the term and grace of what follows from the orders end: of one that had ended when a version took hold, then.
    pub(super) fn term_ends_at(&self, member: MemberId) -> Option<Timestamp> {
        let person = &self.people[&member];
        let tier = &person.tier;
        let until = tier.until.filter(|_| !person.has_left())?;
        Some(self.with_grace(tier.by, until).max(tier.based_at))
    }

    fn with_grace(&self, by: usize, until: Timestamp) -> Timestamp {
        let grace = self.tiers_by(by).and_then(|rules| rules.grace);
        grace.map_or(until, |grace| grace.after(until, self.programs[by].1.time_zone))
    }

    /// Finds out where a member stands by its orders.
    pub(super) fn restand(&mut self, member: MemberId) {
        let tier = self.people[&member].tier.clone();
        let (program, zone) = (self.programs[tier.by].1.clone(), self.programs[tier.by].1.time_zone);
        let Some(rules) = &program.tiers else { return };
        let mut instants: Vec<Timestamp> = self.sales_of(member).map(|sale| sale.occurred_at).collect();
        instants.extend(self.sales_of(member).flat_map(|sale| sale.refunds.iter().map(|(at, _)| *at)));
        instants.push(tier.based_at);
        instants.retain(|at| *at >= tier.based_at);
        instants.sort();
        let (mut level, mut until) = tier.base;
        for at in instants {
            let is_over = until.is_some_and(|until| self.with_grace(tier.by, until) <= at);
            if is_over && at > tier.based_at {
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
        (tier.level, tier.until, tier.had) = (level, until, tier.had || level.is_some());
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
        self.take_hold(member, self.now);
        self.restand(member);
        let tier = &mut self.person(member).tier;
        (tier.given, tier.had) = (Some((level, asked.until)), true);
        self.settle(member);
        Ok(())
    }

    /// The term and grace of a member's tier have ended, or what an operator gave.
    pub(super) fn end_term(&mut self, member: MemberId, ends_at: Timestamp) {
        let given = &mut self.person(member).tier.given;
        *given = given.filter(|(_, until)| *until > ends_at);
        if self.take_hold(member, ends_at) {
            self.restand(member);
        }
        if self.term_ends_at(member).is_none_or(|at| at > ends_at) {
            return;
        }
        let Tier { by, level: held, until: Some(until), .. } = self.people[&member].tier.clone() else { return };
        let (program, zone) = (self.programs[by].1.clone(), self.programs[by].1.time_zone);
        let Some(rules) = &program.tiers else { return };
        if self.tiers_at(ends_at) > by {
            // By then the programme has none.
            let tier = &mut self.person(member).tier;
            (tier.level, tier.until, tier.base, tier.based_at) = (None, None, (None, None), ends_at);
            return;
        }
        // In a period that ends at a time of its own, before it ends; in a rolling one as the term does.
        let before = if rules.period == QualifyingPeriod::Rolling { TimeDelta::zero() } else { TICK };
        let reached =
            [until, ends_at].map(|end| self.reached(member, rules, zone, end - before)).into_iter().max().flatten();
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
