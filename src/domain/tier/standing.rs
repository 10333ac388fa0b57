//! What is kept of a member's tier.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::money::Currency;
use crate::domain::program::level::Level;
use crate::domain::program::tiers::{Counts, TierRules};
use crate::domain::record::order::OrderRecord;
use crate::domain::time::{self, EARLIEST, Timestamp};

/// A tier, and for how long it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rank {
    /// The code of its level; none: no tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Since when the member has it.
    #[serde(with = "time::serde_canonical::option", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When its term ends. None where there is no tier.
    #[serde(with = "time::serde_canonical::option", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A tier that an operator gave: the least that the member has until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// The code of its level.
    pub level: String,
    /// Since when.
    #[serde(with = "time::serde_canonical")]
    pub since: Timestamp,
    /// Until when.
    #[serde(with = "time::serde_canonical")]
    pub until: Timestamp,
}

/// What a member's orders come to.
///
/// For a period with fixed ends these are the sums of the period that begins at `from`. For a rolling one they are the sums of
/// everything since `from`, and so never less than those of the last twelve months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// The version of the programme by whose tiers it is counted.
    pub version: i32,
    /// What of an order counts by that version.
    pub counts: Counts,
    /// The currency in which it counts; absent in entries written before it was said, which count orders in any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// The first instant whose orders are in it.
    #[serde(with = "time::serde_canonical")]
    pub from: Timestamp,
    /// The latest that is known to have happened, of orders and refunds.
    #[serde(with = "time::serde_canonical")]
    pub latest: Timestamp,
    /// What counts of them.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// How many orders.
    pub orders: i64,
}

impl Spending {
    /// Takes a new order into account.
    pub fn count(&mut self, order: &OrderRecord) {
        if order.occurred_at >= self.from {
            self.amount += self.counted(order);
            self.orders += counted_orders(order);
            self.latest = self.latest.max(order.occurred_at);
        }
    }

    fn counted(&self, order: &OrderRecord) -> Decimal {
        counted_after(order, order.refunded, (self.counts, self.currency))
    }

    /// Takes into account what a refund made of an order that was `before`.
    pub fn recount(&mut self, before: &OrderRecord, after: &OrderRecord) {
        if after.occurred_at >= self.from {
            self.amount += self.counted(after) - self.counted(before);
            self.orders += counted_orders(after) - counted_orders(before);
        }
        self.latest = after.refunds.iter().map(|(at, _)| *at).fold(self.latest, Timestamp::max);
    }
}

/// Where a member stands: the tier that follows from its orders, and what it follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The version of the programme by whose tiers it was decided.
    pub version: i32,
    /// The code of the level that the member has: that which follows from the orders, or the assigned one where it is higher.
    /// None: no tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What follows from the orders.
    pub rank: Rank,
    /// When it is decided anew: at the end of its term and grace.
    #[serde(with = "time::serde_canonical::option", default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// What time or an operator last decided, and orders since then build upon.
    pub base: Rank,
    /// When that was.
    #[serde(with = "time::serde_canonical")]
    pub based_at: Timestamp,
    /// What an operator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Assigned>,
}

impl Standing {
    /// That of a member of whom nothing was decided yet: no tier.
    pub fn none(version: i32) -> Self {
        let (rank, base) = (Rank::default(), Rank::default());
        Self { version, tier: None, rank, ends_at: None, base, based_at: EARLIEST, assigned: None }
    }

    /// The same with the tier that its parts give by `rules`.
    pub fn with_tier(self, rules: &TierRules) -> Self {
        let place = |code: &String| rules.place(code);
        let assigned = self.assigned.as_ref().and_then(|assigned| place(&assigned.level));
        let held = self.rank.level.as_ref().and_then(place).max(assigned);
        Self { tier: held.map(|place| rules.levels[place].code.clone()), ..self }
    }

    /// The level that the member has, by the rules of its version.
    pub fn level<'a>(&self, rules: &'a TierRules) -> Option<&'a Level> {
        rules.level(self.tier.as_deref()?)
    }

    /// Since when the member has its tier, and until when if nothing more is ordered; none without one.
    pub fn lasts(&self) -> Option<(Timestamp, Timestamp)> {
        let tier = self.tier.as_ref()?;
        let by_orders = self.rank.since.zip(self.ends_at).filter(|_| self.rank.level.as_ref() == Some(tier));
        let assigned = self.assigned.as_ref().filter(|assigned| assigned.level == *tier);
        let assigned = assigned.map(|assigned| (assigned.since, assigned.until));
        match (by_orders, assigned) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        }
    }

    /// When time next changes it.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.ends_at.into_iter().chain(self.assigned.as_ref().map(|assigned| assigned.until)).min()
    }
}

/// What of an order counts once so much of it is refunded: the share that was not, rounded down to what the currency can
/// pay, so that it follows from how much was refunded and not from how that was split (invariant 11). Nothing of one in
/// another currency than the programme counts in by now, if that is said.
pub fn counted_after(
    order: &OrderRecord,
    refunded: Decimal,
    (counts, currency): (Counts, Option<Currency>),
) -> Decimal {
    if currency.is_some_and(|currency| order.currency != currency) {
        return Decimal::ZERO;
    }
    let whole = if counts == Counts::Money { order.amount - order.paid } else { order.amount };
    order.kept_of(whole, refunded).unwrap_or_default()
}

/// One for an order of which something is left, else none.
pub fn counted_orders(order: &OrderRecord) -> i64 {
    i64::from(!order.was_refunded || order.refunded < order.amount)
}
