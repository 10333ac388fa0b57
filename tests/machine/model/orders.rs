//! Orders and refunds, naively.

use std::sync::Arc;

use accrue::domain::earning::Rounding;
use accrue::domain::entry::derive_id;
use accrue::domain::ids::{MemberId, RedemptionId};
use accrue::domain::order::{Item, Order};
use accrue::domain::program::{Program, RefundPolicy};
use accrue::domain::redemption::CaptureRequest;
use accrue::domain::refund::RefundRequest;
use chrono::TimeDelta;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::super::rules::MAXIMUM_ORDER;
use super::spending::whole;
use super::{Lot, MOST, Model, Verdict};

/// An order as it stands; money in cents.
#[derive(Clone)]
pub struct Sale {
    pub id: String,
    pub member: MemberId,
    pub amount: i128,
    eligible: i128,
    program: Arc<Program>,
    redemptions: Vec<RedemptionId>,
    paid_points: i64,
    points: i64,
    lot: Option<Uuid>,
    pub refunded: i128,
    due: i64,
    returned: i64,
    /// What was bought, and how much of it came back; none once forgotten.
    pub items: Option<(Vec<Item>, u32)>,
}

impl Model {
    pub(super) fn order(&mut self, order: &Order) -> Verdict {
        let member = order.member_id;
        self.known_member(member)?;
        if order.occurred_at > self.now + TimeDelta::minutes(5) {
            return Err("occurred_in_future");
        }
        if order.currency.code() != "USD" {
            return Err("currency_mismatch");
        }
        self.may_begin(member)?;
        self.settle(member);
        let amount = whole(order.amount, 100);
        let (redemptions, paid_points, paid) = self.pay(order)?;
        if paid > amount {
            return Err("paid_over_amount");
        }
        if !redemptions.is_empty() && paid > amount * whole(self.program().redemption.order_share, 10_000) / 10_000 {
            return Err("over_order_share");
        }
        let eligible = amount - paid;
        if eligible > MAXIMUM_ORDER.into() {
            return Err("amount_over_limit");
        }
        let program = self.program_at(order.occurred_at.min(self.now));
        let points = earns(&program, eligible);
        let mut lot = None;
        if points > 0 {
            let zone = program.time_zone;
            let expires_at = program.earning.expiry.map(|expiry| expiry.after(order.occurred_at, zone));
            let active_at = program.earning.pending.after(order.occurred_at, zone);
            let id = derive_id(self.now, self.command.as_bytes(), &[b"lot"]);
            let is_active = active_at <= self.now;
            let person = self.person(member);
            person.lots.push(Lot::new(id, active_at, expires_at));
            person.earned += points;
            if is_active {
                person.arrive(&[(id, points)])?;
            } else {
                person.lot(id).pending = points;
                person.fits()?;
            }
            lot = Some(id);
        }
        self.settle(member);
        self.sales.push(Sale {
            id: order.order_id.clone(),
            member,
            amount,
            eligible,
            program,
            redemptions,
            paid_points,
            points,
            lot,
            refunded: 0,
            due: 0,
            returned: 0,
            items: order.items.clone().map(|items| (items, 0)),
        });
        Ok(())
    }

    // Which redemptions pay the order, each once, with how many points and cents.
    fn pay(&mut self, order: &Order) -> Result<(Vec<RedemptionId>, i64, i128), &'static str> {
        let (mut paying, mut points, mut paid) = (Vec::new(), 0, 0);
        for id in &order.redemption_ids {
            if paying.contains(id) {
                continue;
            }
            let n = self.spending(*id)?;
            let spending = &self.spendings[n];
            if spending.member != order.member_id {
                return Err("redemption_not_found");
            }
            let made_for_it = spending.order.as_ref() == Some(&order.order_id);
            let free = spending.order.is_none() && spending.status != "captured";
            if spending.reward.is_some() || !(made_for_it || free) {
                return Err("redemption_of_another_order");
            }
            if spending.status != "captured" {
                self.capture(*id, &CaptureRequest { points: None, order_id: Some(order.order_id.clone()) })?;
            }
            let spending = &self.spendings[n];
            // What came back before does not pay.
            let spent = spending.captured - spending.returned;
            let worth = spending.value.map(|value| value * i128::from(spent) / i128::from(spending.captured));
            if worth == Some(0) {
                return Err("points_worth_nothing");
            }
            points += spent;
            paid += worth.unwrap_or_default();
            paying.push(*id);
        }
        Ok((paying, points, paid))
    }

    pub(super) fn refund(&mut self, asked: &RefundRequest) -> Verdict {
        let member = asked.member_id;
        self.known_member(member)?;
        self.settle(member);
        let found = self.sales.iter().position(|sale| sale.id == asked.order_id && sale.member == member);
        let n = found.ok_or("order_not_found")?;
        let amount = whole(asked.amount, 100);
        if amount > self.sales[n].amount - self.sales[n].refunded {
            return Err("refund_over_order");
        }
        self.take_items_back(n, asked)?;
        let sale = &mut self.sales[n];
        sale.refunded += amount;
        let kept = sale.eligible * (sale.amount - sale.refunded) / sale.amount;
        let due = (sale.points - earns(&sale.program, kept) - sale.due).max(0);
        sale.due += due;
        let lot = sale.lot;
        self.return_paid(n)?;
        self.reverse(member, lot, due);
        Ok(())
    }

    // Its own points first, pending ones before active ones, then what else is active, then as the policy says.
    fn reverse(&mut self, member: MemberId, lot: Option<Uuid>, due: i64) {
        let policy = self.program().refunds.policy;
        let person = self.person(member);
        let mut left = due;
        if let Some(lot) = lot {
            let own = person.lot(lot);
            let pending = left.min(own.pending);
            own.pending -= pending;
            left -= pending;
        }
        if policy != RefundPolicy::OnlyPending {
            if let Some(lot) = lot {
                let own = person.lot(lot);
                let active = left.min(own.active);
                own.active -= active;
                left -= active;
            }
            left -= person.take_at_most(left).iter().map(|(_, points)| points).sum::<i64>();
        }
        if policy == RefundPolicy::Unlimited && !person.has_left() {
            person.debt += left;
            left = 0;
        }
        person.earned -= due - left;
    }

    // Of the points that paid the order, the share that was refunded so far, the redemption that was taken last first.
    fn return_paid(&mut self, n: usize) -> Verdict {
        let sale = self.sales[n].clone();
        let paying: Vec<usize> = sale.redemptions.iter().filter_map(|id| self.spending(*id).ok()).collect();
        let share = i128::from(sale.paid_points) * sale.refunded / sale.amount;
        let share = i64::try_from(share).expect("a part of it");
        let mut left = share - sale.returned;
        for spending in paying.into_iter().rev() {
            let spending = &self.spendings[spending];
            let points = left.min(spending.captured - spending.returned);
            if points > 0 {
                self.give_back(spending.id, Some(points))?;
                left -= points;
                self.sales[n].returned += points;
            }
        }
        Ok(())
    }

    // Worlds sell one article in each order.
    fn take_items_back(&mut self, n: usize, asked: &RefundRequest) -> Verdict {
        for back in asked.items.iter().flatten() {
            let Some((items, gone)) = &mut self.sales[n].items else { return Err("refund_items") };
            let item = items.iter().find(|item| item.sku == back.sku).ok_or("refund_items")?;
            *gone += back.quantity;
            if *gone > item.quantity {
                return Err("refund_items");
            }
            if asked.amount > item.unit_price * Decimal::from(back.quantity) {
                return Err("refund_over_items");
            }
        }
        Ok(())
    }
}

/// How many points so many cents earn: rounded once, at the end.
pub(super) fn earns(program: &Program, cents: i128) -> i64 {
    // A rate has at most six decimals.
    let (exact, one) = (cents * whole(program.earning.points_per_unit, 1_000_000), 100_000_000);
    let (below, rest) = (exact / one, exact % one);
    let up = match program.earning.rounding {
        Rounding::Down => false,
        Rounding::HalfUp => 2 * rest >= one,
        Rounding::HalfEven => 2 * rest > one || (2 * rest == one && below % 2 == 1),
        Rounding::Up => rest > 0,
    };
    let points = i64::try_from(below + i128::from(up)).expect("orders are limited");
    assert!(points <= MOST);
    points
}
