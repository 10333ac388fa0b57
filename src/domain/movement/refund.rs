//! Refunds: a part of an order is paid back, its points are reversed, and the points that paid it come back.
//!
//! Splitting changes nothing (invariant 11): everything follows from how much of the order was refunded so far, never
//! from the single refund.
//!
//! * Due = earned − what the amount now kept would have earned, by the version and the facts recorded with the earn.
//!   The amount kept is eligible × (amount − refunded) ÷ amount, rounded down. The policy is that version's, too.
//! * Coming back = floor(points paid × refunded ÷ amount), less what earlier refunds brought back, and never more than
//!   is still captured: `return` takes from the same. The longest-lived come back first.
//! * What is due is set off against what comes back, over all refunds of the order: [`reversal`] says how.
//! * Paid out in money = the refund's amount less the share of it that points had paid, cumulatively.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::decide::CLOCK_TOLERANCE;
use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{Kind, Posting};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::Balances;
use crate::domain::member::fact::Fact;
use crate::domain::money;
use crate::domain::movement::redemption::{self, Home};
use crate::domain::movement::reversal::{self, Asked, Plan};
use crate::domain::program::Program;
use crate::domain::program::earning::EarningFacts;
use crate::domain::record::items::{Purchase, RefundItem};
use crate::domain::record::lot::{self, ACTIVE, Taking};
use crate::domain::record::order::OrderRecord;
use crate::domain::record::redemption::Redemption;
use crate::domain::record::refund::{self, Given, Refunded};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// A part of an order to be paid back.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RefundRequest {
    /// The order.
    #[serde(skip)]
    #[schema(ignore)]
    pub order_id: String,
    /// Who ordered.
    #[serde(skip)]
    #[schema(ignore)]
    pub member_id: MemberId,
    /// The shop's id of the refund: the key under which it counts once for its order. 1 to 64 visible ASCII characters.
    #[schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$", example = "R-1")]
    pub refund_id: String,
    /// How much of the order's amount is paid back, a decimal string in the order's currency: above zero, or
    /// nothing for an order of nothing or for items that were free.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "10.00")]
    pub amount: Decimal,
    /// What comes back; at most 2000 items. Without it the refund is of the order as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 2_000)]
    pub items: Option<Vec<RefundItem>>,
    /// When the money went back, RFC 3339 with an offset: not before the order, and at most five minutes in the future.
    /// Now if it is left out. It dates the refund's entry; which points there are to take is judged when it is posted.
    #[serde(with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub occurred_at: Option<Timestamp>,
}

/// What a refund did: the answer to the checkout.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = RefundReceipt)]
pub struct RefundReply {
    /// The refund.
    pub refund_id: String,
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// How much was paid back, a decimal string.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "10.00")]
    pub amount: Decimal,
    /// When the money went back.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// How much of the amount is to be paid out in money, a decimal string: all but the share that points had paid.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "9.00")]
    pub paid_out: Decimal,
    /// The points that had paid the order and come back.
    pub returned: Returned,
    /// What becomes of the points that the order had brought.
    pub points_reversed: PointsReversed,
    /// What remains of the order.
    pub remaining: Remaining,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// What comes back of the points that paid an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Returned {
    /// How many.
    pub points: i64,
    /// The part of the refund's amount that points had paid, a decimal string: `amount` less `paid_out`.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "1.00")]
    pub value: Decimal,
    /// How many of the points can be used now: the others are set off against what the refund makes due, repay debt or
    /// have expired.
    pub usable: i64,
}

/// What becomes of the points that a refund reverses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct PointsReversed {
    /// Taken by this refund from what was not usable yet.
    pub pending: i64,
    /// Taken by this refund from what was usable; below zero where it gives back what an earlier refund of the order
    /// took.
    pub active: i64,
    /// Set off by this refund against the points that come back with it.
    pub set_off: i64,
    /// Left by this refund as debt, to be repaid from points to come; below zero where it makes good what an earlier
    /// refund of the order left.
    pub debt: i64,
    /// To be taken from what is held as soon as it comes back, for all refunds of the order so far.
    pub claimed: i64,
    /// Not taken because they had expired, for all refunds of the order so far.
    pub expired: i64,
    /// Not taken because there are none or the programme's refund policy does not allow it, for all refunds of the
    /// order so far; only a further refund of the order asks for them again.
    pub waived: i64,
}

/// What remains of an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Remaining {
    /// How much can still be refunded, a decimal string.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "32.50")]
    pub amount: Decimal,
    /// How many points it still stands for.
    pub points: i64,
}

/// A refund's effect: what it is answered, and which of the decision's entries is its own.
pub struct Completed {
    /// The answer.
    pub reply: RefundReply,
    /// The place of its entry among those of the decision.
    pub entry: usize,
}

/// Decides a refund. `purchase` is what the order's items are known to be, and is changed with it.
pub fn refund(work: &mut Working<'_>, purchase: &mut Purchase, request: &RefundRequest) -> Result<Completed, Rejected> {
    let Context { now, programs, .. } = *work.context();
    work.settle(now)?;
    let order = work.member.orders.get(&request.order_id).ok_or(Refusal::OrderNotFound)?.clone();
    let occurred_at = occurred_at(request, &order, now)?;
    let left = order.amount - order.refunded;
    // An order of nothing comes back for nothing, once; any other with the items that were free.
    let whole_again = order.amount.is_zero() && order.was_refunded && request.items.is_none();
    if request.amount > left || whole_again {
        return Err(Refusal::RefundOverOrder { remaining: money::format_amount(left, order.currency) }.into());
    }
    match &request.items {
        Some(items) => purchase.take_back(items, request.amount, order.currency)?,
        None if request.amount.is_zero() && !order.amount.is_zero() => return Err(Refusal::RefundOfNothing.into()),
        None => {}
    }
    let refunded = order.refunded + request.amount;
    let version = programs.version(order.program_version).ok_or(Misfit::NotLoaded("a programme version"))?;
    let due = due(&order, &version.program, refunded)?;
    let coming = coming(work, &order, refunded)?;
    let (of_use, lost) = of_use(work, &coming);
    let asked = Asked { due, coming: &of_use, policy: version.program.refunds.policy, now };
    let mut plan = reversal::plan(&work.member, &order, &asked)?;
    let active_before = work.member.balances.active;
    for given in bring_back(work, &coming, &plan, &lost)? {
        refund::push(&mut plan.reversal.given, given);
    }
    let usable = work.member.balances.active - active_before;
    let points = lot::total(&of_use) + lot::total(&lost);
    let stated = Refunded {
        order_id: order.order_id.clone(),
        refund_id: request.refund_id.clone(),
        amount: request.amount,
        refunded,
        occurred_at: Some(occurred_at),
        reversed: due,
        returned: order.returned + points,
        waived: plan.waived,
        reversal: Some(plan.reversal.clone()),
    };
    let event = Event::new(Kind::OrderRefunded, Fact::Refund(stated)).with_postings(taken(&plan, order.lot));
    let (effective_at, program_version) = (Some(occurred_at), Some(order.program_version));
    let entry = work.post(Event { effective_at, program_version, ..event })?;
    work.stand_anew()?;
    let value = paid_by_points(&order, refunded) - paid_by_points(&order, order.refunded);
    let reply = RefundReply {
        refund_id: request.refund_id.clone(),
        order_id: order.order_id,
        member_id: work.member.id,
        amount: request.amount,
        occurred_at,
        paid_out: request.amount - value,
        returned: Returned { points, value, usable },
        points_reversed: plan.reply(),
        remaining: Remaining { amount: order.amount - refunded, points: order.points - due },
        wallet: work.member.balances,
    };
    Ok(Completed { reply, entry })
}

// When the refund occurred: within the time from the order to the present, or it is refused.
fn occurred_at(request: &RefundRequest, order: &OrderRecord, now: Timestamp) -> Result<Timestamp, Refusal> {
    let Some(occurred_at) = request.occurred_at else { return Ok(now.max(order.occurred_at)) };
    if occurred_at > now + CLOCK_TOLERANCE {
        return Err(Refusal::OccurredInFuture { minutes: CLOCK_TOLERANCE.num_minutes() });
    }
    if occurred_at < order.occurred_at {
        return Err(Refusal::RefundBeforeOrder { occurred_at: time::canonical(order.occurred_at) });
    }
    Ok(occurred_at)
}

// How many points are due once `refunded` of the order is paid back: what it earned less what the amount kept would have
// earned.
fn due(order: &OrderRecord, program: &Program, refunded: Decimal) -> Result<i64, Refusal> {
    let kept = order.kept_of(order.amount - order.paid, refunded).ok_or(Refusal::PointsOverLimit)?;
    let level = order.tier.as_ref().zip(program.tiers.as_ref()).and_then(|(code, tiers)| tiers.level(code));
    let facts = EarningFacts { amount: kept, occurred_at: order.occurred_at, level };
    let would_earn = program.earn(&facts).map_err(|_| Refusal::PointsOverLimit)?.points;
    Ok((order.points - would_earn).max(order.reversed))
}

// The part of `refunded` that points had paid.
fn paid_by_points(order: &OrderRecord, refunded: Decimal) -> Decimal {
    let minor = |amount| money::in_minor(amount, order.currency);
    let share = minor(refunded).zip(minor(order.amount));
    let paid = share.and_then(|(part, whole)| money::share(order.paid, part, whole, order.currency));
    money::in_minor_units(paid.unwrap_or_default(), order.currency)
}

// What comes back of the points that paid the order, of all its redemptions the longest-lived first, and of one lot those
// that were taken last. Of each redemption they come back in the reverse order of taking, which is the same order.
fn coming(work: &Working<'_>, order: &OrderRecord, refunded: Decimal) -> Result<Vec<(RedemptionId, Taking)>, Rejected> {
    let minor = |amount| money::in_minor(amount, order.currency).map(i128::from).ok_or(Refusal::PointsOverLimit);
    let (refunded, amount) = (minor(refunded)?, minor(order.amount)?);
    // An order of nothing comes back whole, and with it the points that were given for it.
    let paid = i128::from(order.paid_points);
    let share = (paid * refunded).checked_div(amount).unwrap_or(paid);
    let mut left = i64::try_from(share).map_err(|_| Refusal::PointsOverLimit)? - order.returned;
    let mut captured = Vec::new();
    for id in order.redemptions.iter().rev() {
        let redemption = work.member.record::<Redemption>(*id).ok_or(Misfit::NotLoaded("a redemption"))?;
        for taking in lot::from_the_end(&redemption.lots, redemption.returned, redemption.spent()) {
            captured.push((work.member.lots.get(&taking.lot).ok_or(Misfit::NotLoaded("a lot"))?, *id, taking.points));
        }
    }
    captured.sort_by(|(one, ..), (other, ..)| other.spent_before(one));
    let mut coming = Vec::new();
    for (lot, redemption, there) in captured {
        let points = there.min(left);
        left -= points;
        if points > 0 {
            coming.push((redemption, Taking { lot: lot.id, points }));
        }
    }
    Ok(coming)
}

// Those of `coming` that can be used once they are back, and those that expire as they come.
fn of_use(work: &Working<'_>, coming: &[(RedemptionId, Taking)]) -> (Vec<Taking>, Vec<Taking>) {
    let takings = coming.iter().map(|(_, taking)| taking.clone());
    takings.partition(|taking| redemption::is_of_use(work, taking.lot))
}

// Posts what comes back, an entry for each redemption, and says where those went that can be used.
fn bring_back(
    work: &mut Working<'_>,
    coming: &[(RedemptionId, Taking)],
    plan: &Plan,
    lost: &[Taking],
) -> Result<Vec<Given>, Rejected> {
    let mut homes = VecDeque::from([(Home::Debt, plan.debt_undone)]);
    homes.extend(plan.restored.iter().map(|taking| (Home::Restored(taking.lot), taking.points)));
    homes.extend(plan.given.iter().map(|taking| (Home::Lot(taking.lot), taking.points)));
    homes.push_back((Home::Due, plan.set_off - plan.debt_undone));
    homes.extend(lost.iter().map(|taking| (Home::Lot(taking.lot), taking.points)));
    let mut shares: Vec<(RedemptionId, i64)> = Vec::new();
    for (id, taking) in coming {
        match shares.iter_mut().find(|(redemption, _)| redemption == id) {
            Some((_, points)) => *points += taking.points,
            None => shares.push((*id, taking.points)),
        }
    }
    let mut given = Vec::new();
    for (id, points) in shares {
        given.extend(redemption::come_back(work, id, next(&mut homes, points))?.1);
    }
    Ok(given)
}

// The next `points` of `homes`.
fn next(homes: &mut VecDeque<(Home, i64)>, points: i64) -> Vec<(Home, i64)> {
    let (mut next, mut left) = (Vec::new(), points);
    while left > 0
        && let Some((home, there)) = homes.pop_front()
    {
        let here = there.min(left);
        left -= here;
        if here > 0 {
            next.push((home, here));
        }
        if there > here {
            homes.push_front((home, there - here));
        }
    }
    next
}

// The postings of what is taken for what is due.
fn taken(plan: &Plan, own: Option<Uuid>) -> Vec<Posting> {
    let mut lines = vec![(Account::Member(Part::Pending), plan.pending, own), (ACTIVE, plan.active, own)];
    let foreign = plan.again.iter().chain(&plan.others);
    lines.extend(foreign.map(|taking| (ACTIVE, taking.points, Some(taking.lot))));
    lines.push((Account::Member(Part::Debt), plan.debt, None));
    let line = |(debit, points, lot)| Posting { debit, credit: Account::Issuance, points, lot };
    lines.into_iter().filter(|(_, points, _)| *points > 0).map(line).collect()
}

impl Plan {
    fn reply(&self) -> PointsReversed {
        let others = lot::total(&self.again) + lot::total(&self.others) - lot::total(&self.restored);
        PointsReversed {
            pending: self.pending,
            active: self.active + others,
            set_off: self.set_off - self.debt_undone,
            debt: self.debt - self.debt_undone,
            claimed: self.reversal.claimed,
            expired: self.expired,
            waived: self.waived,
        }
    }
}
