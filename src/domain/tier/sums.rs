//! What a member's orders come to, instant by instant.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::standing::{Spending, counted_after};
use super::window::Scene;
use crate::domain::program::tiers::TierRefunds;
use crate::domain::record::order::OrderRecord;
use crate::domain::time::{EARLIEST, Timestamp};

/// Something that changes the sums: an order, or a refund of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// When it counts.
    at: Timestamp,
    /// When the order occurred: a refund counts in the period of its order.
    occurred_at: Timestamp,
    amount: Decimal,
    orders: i64,
}

/// What counts of orders by the rules of a scene: all that changes the sums.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    since: Timestamp,
    // In the order of time.
    changes: Vec<Change>,
    latest: Timestamp,
}

impl Counted {
    /// What counts of those of `orders` that occurred since `since`. What comes of them must not depend on how many more
    /// are known.
    pub fn of<'o>(orders: impl Iterator<Item = &'o OrderRecord>, since: Timestamp, scene: &Scene<'_>) -> Self {
        let (mut changes, mut latest) = (Vec::new(), EARLIEST);
        for order in orders.filter(|order| order.occurred_at >= since) {
            latest = order.refunds.iter().map(|(at, _)| *at).fold(latest.max(order.occurred_at), Timestamp::max);
            changes.extend(self::changes(order, scene));
        }
        changes.sort_by_key(|change| (change.at, change.occurred_at));
        Self { since, changes, latest }
    }

    /// How many changes of the sums there are.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }
}

/// The sums of the period around an instant, which only moves on.
pub struct Sums<'a> {
    scene: &'a Scene<'a>,
    counted: &'a Counted,
    next: usize,
    // Those of the period, by when the order occurred.
    within: BTreeMap<(Timestamp, usize), (Decimal, i64)>,
    /// What counts of the orders.
    pub amount: Decimal,
    /// How many orders.
    pub orders: i64,
}

impl<'a> Sums<'a> {
    /// The sums before anything that counts.
    pub fn over(counted: &'a Counted, scene: &'a Scene<'a>) -> Self {
        Self { scene, counted, next: 0, within: BTreeMap::new(), amount: Decimal::ZERO, orders: 0 }
    }

    /// The next instant at which something changes.
    pub fn next(&self) -> Option<Timestamp> {
        self.counted.changes.get(self.next).map(|change| change.at)
    }

    /// Moves on to `at`, what happens at that instant included. Never back.
    pub fn go_to(&mut self, at: Timestamp) {
        let from = self.scene.window(at).from;
        while let Some(change) = self.counted.changes.get(self.next).filter(|change| change.at <= at) {
            if change.occurred_at >= from {
                self.within.insert((change.occurred_at, self.next), (change.amount, change.orders));
                (self.amount, self.orders) = (self.amount + change.amount, self.orders + change.orders);
            }
            self.next += 1;
        }
        while let Some(first) = self.within.first_entry().filter(|first| first.key().0 < from) {
            let (amount, orders) = first.remove();
            (self.amount, self.orders) = (self.amount - amount, self.orders - orders);
        }
    }

    /// The highest level that is reached now.
    pub fn reached(&self) -> Option<usize> {
        self.scene.rules.reached(self.amount, self.orders)
    }

    /// What all orders come to in the end, from the period of the last one on.
    pub fn spending(&self) -> Spending {
        let Counted { since, ref changes, latest } = *self.counted;
        let last_order = changes.iter().map(|change| change.occurred_at).max().unwrap_or(since);
        // Of what occurred before, nothing is in the sums.
        let from = self.scene.window(last_order).from.max(since);
        let within = changes.iter().filter(|change| change.occurred_at >= from);
        let sum = |sum: (Decimal, i64), change: &Change| (sum.0 + change.amount, sum.1 + change.orders);
        let (amount, orders) = within.fold((Decimal::ZERO, 0), sum);
        let Scene { version, currency, rules, .. } = *self.scene;
        Spending { version, counts: rules.counts, currency: Some(currency), from, latest, amount, orders }
    }
}

// What an order and its refunds change. A refund counts in the period of its order: by the rules from when it was, or as if
// the order had been that much less.
fn changes(order: &OrderRecord, scene: &Scene<'_>) -> Vec<Change> {
    let (occurred_at, counts) = (order.occurred_at, (scene.rules.counts, Some(scene.currency)));
    let mut counted = (counted_after(order, Decimal::ZERO, counts), 1);
    let mut changes = vec![Change { at: occurred_at, occurred_at, amount: counted.0, orders: counted.1 }];
    for (at, refunded) in &order.refunds {
        let left = (counted_after(order, *refunded, counts), i64::from(*refunded < order.amount));
        let at = if scene.rules.refunds == TierRefunds::AtTerm { *at } else { occurred_at };
        changes.push(Change { at, occurred_at, amount: left.0 - counted.0, orders: left.1 - counted.1 });
        counted = left;
    }
    changes
}
