//! What a member sees of the way up: how far the next level is, what it brings, and what keeps the present one.

use rust_decimal::Decimal;

use super::standing::Standing;
use super::sums::{Counted, Sums};
use super::window::{Scene, Window};
use crate::domain::program::level::Level;
use crate::domain::time::Timestamp;

/// What a level still asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// How much spend; none where the level asks for none.
    pub annual_spend: Option<Decimal>,
    /// How many orders; none where the level asks for none.
    pub orders: Option<i64>,
}

/// The next level, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next<'a> {
    /// The level.
    pub level: &'a Level,
    /// What is missing.
    pub missing: Missing,
    /// Until when that counts; none of a rolling period, from which orders go out one after the other.
    pub by: Option<Timestamp>,
}

/// What keeps the present level beyond its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// What is missing, if nothing more is ordered or refunded.
    pub missing: Missing,
    /// Until when that counts.
    pub by: Timestamp,
}

/// What a member sees of its tier at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The level.
    pub level: Option<&'a Level>,
    /// What counts of the orders of the period.
    pub annual_spend: Decimal,
    /// How many orders.
    pub orders: i64,
    /// The period.
    pub period: Window,
    /// The way up; none from the highest level.
    pub next: Option<Next<'a>>,
    /// The way to stay; none where there is nothing to keep.
    pub keep: Option<Keep>,
}

/// What is seen of a standing at `now`. `counted` are at least all orders of the period around `now`.
pub fn look<'a>(standing: &Standing, counted: &Counted, scene: &Scene<'a>, now: Timestamp) -> Seen<'a> {
    let mut sums = Sums::over(counted, scene);
    sums.go_to(now);
    let (annual_spend, orders) = (sums.amount, sums.orders);
    let period = scene.window(now);
    let level = standing.level(scene.rules);
    let place = level.and_then(|level| scene.rules.place(&level.code));
    let next = scene.rules.levels.get(place.map_or(0, |place| place + 1)).map(|level| Next {
        level,
        missing: missing(level, annual_spend, orders),
        by: scene.has_fixed_ends().then_some(period.until),
    });
    let held = standing.rank.level.as_ref().and_then(|code| scene.rules.level(code));
    let keep = held.zip(standing.rank.until).zip(standing.ends_at).map(|((level, until), ends_at)| {
        let last = scene.judged_at(if until > now { until } else { ends_at });
        sums.go_to(last.max(now));
        Keep { missing: missing(level, sums.amount, sums.orders), by: ends_at }
    });
    Seen { level, annual_spend, orders, period, next, keep }
}

// Where either is enough, both are said for as long as neither is there.
fn missing(level: &Level, spend: Decimal, orders: i64) -> Missing {
    let is_met = level.requirement.is_met(spend, orders);
    let left = |left: Decimal| if is_met { Decimal::ZERO } else { left.max(Decimal::ZERO) };
    Missing {
        annual_spend: level.requirement.annual_spend.map(|asked| left(asked - spend)),
        orders: level.requirement.orders.map(|asked| if is_met { 0 } else { (asked - orders).max(0) }),
    }
}
