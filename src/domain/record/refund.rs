//! What refunds of an order did, as the journal states it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::record::lot::Taking;
use crate::domain::time::{self, Timestamp};

/// A refund as the journal states it; sums are of all refunds of the order so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refunded {
    /// The order.
    pub order_id: String,
    /// The refund.
    pub refund_id: String,
    /// How much was paid back by it.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// How much was paid back so far.
    #[serde(with = "rust_decimal::serde::str")]
    pub refunded: Decimal,
    /// How many points became due so far.
    pub reversed: i64,
    /// How many points came back by refunds so far.
    pub returned: i64,
    /// How many points that are due could not be taken. The order's next refund asks for them again, but for those of
    /// entries without `reversal`, which are waived for good.
    pub waived: i64,
    /// When the money went back; absent in entries written before tiers were.
    #[serde(with = "time::serde_canonical::option", default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Where what is due came from so far; absent in entries written before claims were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Reversal>,
}

/// Where what an order's refunds made due came from so far. The journal states it with each refund, whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reversal {
    /// How many points are taken or owed, claims aside.
    pub covered: i64,
    /// How many are claimed of what is held.
    pub claimed: i64,
    /// How many were left as the member's debt.
    pub debt: i64,
    /// How many of the order's own points are held and stand behind that debt: if they expire, that much of it ends.
    #[serde(default, skip_serializing_if = "is_none")]
    pub secured: i64,
    /// Those that were taken from other lots than the order's own, in the order of taking.
    pub taken: Vec<Taking>,
    /// Those that came back to the wallet, longest-lived first.
    pub given: Vec<Given>,
    /// Those that came back and were set off, by the lots that they had paid from, longest-lived first.
    pub set_off: Vec<Taking>,
}

/// Points that came back to the wallet with a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The lot that they had paid from.
    pub lot: Uuid,
    /// The lot that they went to. Some entries state points without one: those expired as they came.
    pub into: Option<Uuid>,
    /// How many.
    pub points: i64,
}

impl Reversal {
    /// That of an order whose refunds were stated before there were reversals: what was made due then is settled.
    pub fn settled(covered: i64) -> Self {
        Self { covered, ..Self::default() }
    }

    /// How many of the held points it looks to.
    pub fn looks_to(&self) -> i64 {
        self.claimed + self.secured
    }

    /// The lots whose points a further refund of the order may move.
    pub fn lots(&self) -> impl Iterator<Item = Uuid> {
        let (taken, set_off) = (self.taken.iter(), self.set_off.iter());
        let given = self.given.iter().filter_map(|given| given.into);
        taken.chain(set_off).map(|taking| taking.lot).chain(given)
    }
}

/// Adds what was given to the last of the same way, or else behind it.
pub fn push(given: &mut Vec<Given>, new: Given) {
    match given.last_mut() {
        Some(last) if (last.lot, last.into) == (new.lot, new.into) => last.points += new.points,
        _ => given.push(new),
    }
}

// Entries of before had no such key, and one of nothing says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(points: &i64) -> bool {
    *points == 0
}
