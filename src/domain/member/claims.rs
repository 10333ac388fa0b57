//! What refunds look to among the points that are held: a claim, or what stands behind a debt.
//!
//! Both follow from the postings by which points leave `held`, so that replay finds what was written (invariant 3).

use uuid::Uuid;

use super::Member;
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::Posting;
use crate::domain::journal::misfit::Misfit;
use crate::domain::record::lot::HELD;
use crate::domain::record::order::OrderRecord;

impl Member {
    /// The orders whose refunds look to what is held, the oldest first.
    pub fn claiming(&self) -> Vec<&OrderRecord> {
        let mut orders: Vec<&OrderRecord> =
            self.orders.values().filter(|order| order.reversal.looks_to() > 0).collect();
        orders.sort_unstable_by_key(|order| (order.occurred_at, &order.order_id));
        orders
    }

    /// How many points are claimed no longer once these postings are applied: what expires of an order's own points is
    /// not asked for.
    pub fn claims_let_go(&self, postings: &[Posting]) -> i64 {
        let expiring = postings.iter().filter(|posting| is_expiry(posting));
        expiring.filter_map(|posting| Some(self.own(posting.lot?)?.reversal.claimed.min(posting.points))).sum()
    }

    /// How many held points of a lot stand behind the debt that refunds of its order left: they repay it also when they
    /// expire as they come back, since what expires of an order's own points is not asked for.
    pub fn secured(&self, lot: Uuid) -> i64 {
        self.own(lot).map_or(0, |order| order.reversal.secured)
    }

    // The order that looks to what is held and brought this lot. Most members have none, and some have many orders.
    fn own(&self, lot: Uuid) -> Option<&OrderRecord> {
        if self.claimed == 0 && self.balances.debt == 0 {
            return None;
        }
        self.orders.values().find(|order| order.lot == Some(lot) && order.reversal.looks_to() > 0)
    }

    /// Points leave `held`: they pay claims, expire, or go where refunds do not reach them.
    pub(super) fn leave_held(&mut self, posting: &Posting) -> Result<(), Misfit> {
        if posting.credit == Account::Issuance {
            self.pay_claims(posting.points)?;
        }
        let Some(own) = posting.lot.and_then(|lot| self.own(lot)) else { return Ok(()) };
        let (id, claimed) = (own.order_id.clone(), own.reversal.claimed);
        if is_expiry(posting) {
            self.less_claimed(claimed.min(posting.points), vec![id.clone()])?;
        }
        let held = posting.lot.and_then(|lot| self.lots.get(&lot)).map_or(0, |lot| lot.held);
        let repaid = if posting.credit == Account::Member(Part::Debt) { posting.points } else { 0 };
        let secured = &mut self.orders.get_mut(&id).ok_or(Misfit::UnknownOrder)?.reversal.secured;
        *secured = (*secured - repaid).clamp(0, held);
        Ok(())
    }

    /// A debt was repaid: no order has more stand behind it than is still owed.
    pub(super) fn cut_secured(&mut self) {
        let owed = self.balances.debt;
        for order in self.orders.values_mut() {
            order.reversal.secured = order.reversal.secured.min(owed);
        }
    }

    /// No more is claimed than is held; the youngest order's claim ends first.
    pub(super) fn let_claims_go(&mut self) -> Result<(), Misfit> {
        let over = self.claimed - self.balances.held;
        if over > 0 {
            let claims = self.claiming().into_iter().rev().map(|order| order.order_id.clone()).collect();
            self.less_claimed(over, claims)?;
        }
        Ok(())
    }

    // Points that come back from `held` pay claims, the oldest order's first.
    fn pay_claims(&mut self, points: i64) -> Result<(), Misfit> {
        let claims = self.claiming().into_iter().map(|order| order.order_id.clone()).collect();
        let paid = self.less_claimed(points, claims)?;
        for (order, points) in paid {
            let reversal = self.orders.get_mut(&order).map(|order| &mut order.reversal);
            reversal.ok_or(Misfit::UnknownOrder)?.covered += points;
        }
        Ok(())
    }

    // Ends claims on `points`, those of the `orders` in turn, and says how many of each.
    fn less_claimed(&mut self, points: i64, orders: Vec<String>) -> Result<Vec<(String, i64)>, Misfit> {
        let mut left = points;
        let mut ended = Vec::new();
        for id in orders {
            let order = self.orders.get_mut(&id).ok_or(Misfit::UnknownOrder)?;
            let here = left.min(order.reversal.claimed);
            order.reversal.claimed -= here;
            left -= here;
            ended.push((id, here));
        }
        self.claimed -= points;
        if left > 0 { Err(Misfit::NotLoaded("an order with a claim")) } else { Ok(ended) }
    }
}

fn is_expiry(posting: &Posting) -> bool {
    (&posting.debit, &posting.credit) == (&HELD, &Account::Breakage)
}
