//! Exactly so many points may pay an order as its quote says, for the reason that it says.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use crate::domain::decide::{Context, Working};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::member::Member;
use crate::domain::movement::order::{self, Order, OrderReply};
use crate::domain::movement::quote::{Quote, SpendingLimit};
use crate::domain::movement::redemption::{self, Purpose, RedemptionRequest};
use crate::domain::refusal::{Refusal, Rejected};

/// Panics unless exactly so many points may pay the order of a member, whose lots are all there, as its quote says.
pub fn check(member: &Member, order: &Order, context: Context<'_>, quoted: &Quote) {
    let (said, before) = (&quoted.spendable, quoted.paid.as_ref());
    if said.points > 0 {
        let paid = pay(member, order, context, said.points).expect("so many may pay it").paid.expect("they pay it");
        assert_eq!(paid.points - before.map_or(0, |paid| paid.points), said.points);
        assert_eq!(paid.value - before.map_or(Decimal::ZERO, |paid| paid.value), said.value, "{said:?}");
    }
    let refused = |points| match pay(member, order, context, points) {
        Err(Rejected::Refused(refusal)) => refusal,
        paid => panic!("{points} pay {paid:?}, not {said:?} alone"),
    };
    refused(said.points + 1);
    // Where none can pay it, the fewest that are worth something cannot either.
    let refusal = refused(said.least.unwrap_or(1).max(said.points + 1));
    assert!(is_for(&refusal, said.limited_by), "{refusal:?}, {said:?}");
    if said.limited_by == SpendingLimit::Balance {
        let mut work = Working::on(member, context);
        work.settle(context.now).expect("it can be settled");
        let spent = work.member.lifetime.lifetime_spent + before.map_or(0, |paid| paid.points);
        assert_eq!(work.member.balances.active.min(MAX_POINTS - spent), said.points, "{said:?}");
    }
}

// Can a quote that is limited so be refused so? Whoever lacks points may be asking for too many as well.
fn is_for(refusal: &Refusal, limit: SpendingLimit) -> bool {
    let too_many = matches!(refusal, Refusal::OverOrderShare { .. } | Refusal::PaidOverAmount { .. });
    match limit {
        SpendingLimit::Balance | SpendingLimit::LeastValue => {
            too_many || matches!(refusal, Refusal::InsufficientPoints { .. } | Refusal::PointsOverLimit)
        }
        SpendingLimit::Share => matches!(refusal, Refusal::OverOrderShare { .. }),
        SpendingLimit::Amount => too_many,
        SpendingLimit::NoValue => matches!(refusal, Refusal::PointsWithoutValue),
        SpendingLimit::Currency => matches!(refusal, Refusal::RedemptionOfAnotherOrder { .. }),
    }
}

// The order, paid by a hold of so many points that is made for it now.
fn pay(member: &Member, order: &Order, context: Context<'_>, points: i64) -> Result<OrderReply, Rejected> {
    let mut work = Working::on(member, context);
    let purpose = Purpose::Order { points, order_id: None, order_amount: Some(order.amount) };
    let asked = RedemptionRequest { member_id: member.id, purpose, hold: Some(TimeDelta::minutes(15)) };
    let held = redemption::redeem(&mut work, &asked, None)?.redemption.id;
    let mut order = order.clone();
    order.redemption_ids.push(held);
    Ok(order::complete(&mut work, &order)?.reply)
}
