//! Orders, naively.

use std::sync::Arc;

use accrue::domain::ids::{MemberId, RedemptionId};
use accrue::domain::journal::entry::derive_id;
use accrue::domain::movement::order::Order;
use accrue::domain::movement::redemption::CaptureRequest;
use accrue::domain::movement::refund::RefundRequest;
use accrue::domain::program::Program;
use accrue::domain::program::earning::Rounding;
use accrue::domain::quantity::Quantity;
use accrue::domain::record::items::Item;
use accrue::domain::time::Timestamp;
use chrono::TimeDelta;
use uuid::Uuid;

use super::super::rules::MAXIMUM_ORDER;
use super::spending::whole;
use super::{Lot, MOST, Model, Takings, Verdict};

/// An order as it stands; money in cents.
#[derive(Clone)]
pub struct Sale {
    pub id: String,
    pub member: MemberId,
    pub occurred_at: Timestamp,
    pub amount: i128,
    pub eligible: i128,
    pub program: Arc<Program>,
    pub redemptions: Vec<RedemptionId>,
    pub paid_points: i64,
    pub points: i64,
    pub lot: Option<Uuid>,
    pub refunded: i128,
    /// When each refund was, and how much was refunded by then.
    pub refunds: Vec<(Timestamp, i128)>,
    /// What its points are multiplied by, in hundredths.
    pub factor: i128,
    pub was_refunded: bool,
    /// How many points its refunds made due, and how many of those that paid it came back.
    pub due: i64,
    pub returned: i64,
    /// How many of those that are due were taken or are owed, are claimed, are owed, and how many held ones that may expire
    /// stand behind what is owed.
    pub covered: i64,
    pub claimed: i64,
    pub owed: i64,
    pub secured: i64,
    /// Other points that were taken.
    pub taken: Takings,
    /// What came back to the wallet: the lot that had paid, where it went, how many.
    pub given: Vec<(Uuid, Uuid, i64)>,
    /// What came back and went to what was due, by the lot that had paid.
    pub set_off: Takings,
    /// What was bought, and how much of it came back; none once forgotten.
    pub items: Option<(Vec<Item>, Quantity)>,
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
        let program = self.program_at(order.occurred_at.min(self.now));
        if !redemptions.is_empty() && paid > amount * whole(program.redemption.order_share, 10_000) / 10_000 {
            return Err("over_order_share");
        }
        let eligible = amount - paid;
        if eligible > MAXIMUM_ORDER.into() {
            return Err("amount_over_limit");
        }
        let code = self.tier_of(member);
        let level = code.and_then(|code| program.tiers.as_ref()?.level(&code));
        let factor = level.map_or(100, |level| whole(level.factor, 100));
        let points = earns(&program, eligible, factor);
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
        self.sales.push(Sale {
            id: order.order_id.clone(),
            member,
            occurred_at: order.occurred_at,
            amount,
            eligible,
            program,
            redemptions,
            paid_points,
            points,
            lot,
            refunded: 0,
            refunds: Vec::new(),
            factor,
            was_refunded: false,
            due: 0,
            returned: 0,
            covered: 0,
            claimed: 0,
            secured: 0,
            owed: 0,
            taken: Vec::new(),
            given: Vec::new(),
            set_off: Vec::new(),
            items: order.items.clone().map(|items| (items, Quantity::default())),
        });
        self.stand_by_order(member, order.occurred_at);
        self.settle(member);
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

    // Worlds sell one article in each order.
    pub(super) fn take_items_back(&mut self, n: usize, asked: &RefundRequest) -> Verdict {
        for back in asked.items.iter().flatten() {
            let Some((items, gone)) = &mut self.sales[n].items else { return Err("order_without_items") };
            let item = items.iter().find(|item| item.sku == back.sku).ok_or("refund_items")?;
            *gone = *gone + back.quantity;
            if *gone > item.quantity {
                return Err("refund_items");
            }
            if asked.amount > item.unit_price.expect("worlds tell prices") * back.quantity.decimal() {
                return Err("refund_over_items");
            }
        }
        Ok(())
    }
}

/// How many points so many cents earn, times so many hundredths: rounded once, at the end.
pub(super) fn earns(program: &Program, cents: i128, factor: i128) -> i64 {
    // A rate has at most six decimals.
    let (exact, one) = (cents * whole(program.earning.points_per_unit, 1_000_000) * factor, 10_000_000_000);
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
