//! Refunds: a part of an order is paid back, its points are reversed, and the points that paid it come back.
//!
//! Splitting changes nothing (invariant 11): everything follows from how much of the order was refunded so far, never
//! from the single refund.
//!
//! * Due = earned − what the amount now kept would have earned, by the version and the facts recorded with the earn,
//!   less what earlier refunds made due. The amount kept is eligible × (amount − refunded) ÷ amount, rounded down.
//! * Returned = floor(points paid × refunded ÷ amount), less what earlier refunds returned, and never more than is
//!   still captured: `return` takes from the same.
//!
//! What is returned comes back first, so that what is due can be taken from it.

#[cfg(test)]
mod tests;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::account::{Account, Part};
use super::decide::{Context, Event, Working};
use super::earning::{self, EarningFacts};
use super::entry::{Kind, Posting};
use super::fact::Fact;
use super::ids::{MemberId, RedemptionId};
use super::items::{Purchase, RefundItem};
use super::lot::{self, ACTIVE};
use super::member::{Balances, Misfit};
use super::items::{Purchase, RefundItem};
use super::lot::{self, ACTIVE};
use super::member::{Balances, Misfit};
use super::money;
use super::order::{CLOCK_TOLERANCE, OrderRecord};
use super::program::RefundPolicy;
use super::redemption;
use super::refusal::{Refusal, Rejected};
use super::time::{self, Timestamp};

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
    #[schema(value_type = String, pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", example = "10.00")]
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
    /// How many points of those that this refund made due could not be taken, and are waived for good.
    pub waived: i64,
}

/// What a refund did: the answer to the checkout.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
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
    /// The points that the order had brought and this refund reverses.
    pub points_reversed: PointsReversed,
    /// The points that had paid the order and came back.
    pub points_returned: i64,
    /// What remains of the order.
    pub remaining: Remaining,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// Where reversed points were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct PointsReversed {
    /// From what was not usable yet.
    pub pending: i64,
    /// From what was usable.
    pub active: i64,
    /// Left as debt, to be repaid from points to come.
    pub debt: i64,
    /// Not taken, for good: the programme's refund policy does not allow it.
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
    let kept = kept(&order, refunded)?;
    let facts = EarningFacts { amount: kept, occurred_at: order.occurred_at };
    let would_earn = earning::earn(&version.program, &facts).map_err(|_| Refusal::PointsOverLimit)?.points;
    let due = (order.points - would_earn - order.reversed).max(0);
    let back = to_return(work, &order, refunded)?;
    for (redemption, points) in &back {
        redemption::give_back(work, *redemption, Some(*points))?;
    }
    let (reversed, postings) = reverse(work, &order, due)?;
    let stated = Refunded {
        order_id: order.order_id.clone(),
        refund_id: request.refund_id.clone(),
        amount: request.amount,
        refunded,
        reversed: order.reversed + due,
        returned: order.returned + back.iter().map(|(_, points)| points).sum::<i64>(),
        waived: reversed.waived,
    };
    let remaining = Remaining { amount: order.amount - refunded, points: order.points - stated.reversed };
    let points_returned = stated.returned - order.returned;
    let event = Event::new(Kind::OrderRefunded, Fact::Refund(stated)).with_postings(postings);
    let entry = work.post(Event { effective_at: Some(occurred_at), ..event })?;
    let reply = RefundReply {
        refund_id: request.refund_id.clone(),
        order_id: order.order_id,
        member_id: work.member.id,
        amount: request.amount,
        points_reversed: reversed,
        points_returned,
        remaining,
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

// The part of the eligible amount that is kept when `refunded` of the order's amount is paid back.
fn kept(order: &OrderRecord, refunded: Decimal) -> Result<Decimal, Refusal> {
    if order.amount.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let minor = |amount| money::in_minor(amount, order.currency).ok_or(Refusal::PointsOverLimit);
    let (part, whole) = (minor(order.amount - refunded)?, minor(order.amount)?);
    money::share(order.amount - order.paid, part, whole, order.currency).ok_or(Refusal::PointsOverLimit)
}

// Takes `due` points: of the order's own first, from pending, then from active, then from what else is active, and then
// as the policy says.
fn reverse(work: &Working<'_>, order: &OrderRecord, due: i64) -> Result<(PointsReversed, Vec<Posting>), Misfit> {
    let policy = work.context().program().refunds.policy;
    let own = order.lot.map(|lot| work.member.lots.get(&lot).ok_or(Misfit::NotLoaded("a lot"))).transpose()?;
    let (own_pending, own_active) = own.map_or((0, 0), |lot| (lot.pending, lot.active));
    let pending = own_pending.min(due);
    let mut lines = vec![(Account::Member(Part::Pending), pending, order.lot)];
    let mut active = 0;
    if policy != RefundPolicy::OnlyPending {
        active = own_active.min(due - pending);
        lines.push((ACTIVE, active, order.lot));
        for lot::Taking { lot, points } in work.member.soonest(due - pending - active, order.lot) {
            active += points;
            lines.push((ACTIVE, points, Some(lot)));
        }
    }
    let left = due - pending - active;
    if left > 0 && policy != RefundPolicy::OnlyPending && work.member.balances.active > active {
        return Err(Misfit::NotLoaded("a lot"));
    }
    // Whoever has left owes nothing more.
    let owed = policy == RefundPolicy::Unlimited && !work.member.status.has_left();
    let (debt, waived) = if owed { (left, 0) } else { (0, left) };
    lines.push((Account::Member(Part::Debt), debt, None));
    let line = |(debit, points, lot)| Posting { debit, credit: Account::Issuance, points, lot };
    let postings = lines.into_iter().filter(|(_, points, _)| *points > 0).map(line).collect();
    Ok((PointsReversed { pending, active, debt, waived }, postings))
}

// Which redemptions give back how many points, the last of the order first.
fn to_return(work: &Working<'_>, order: &OrderRecord, refunded: Decimal) -> Result<Vec<(RedemptionId, i64)>, Rejected> {
    if order.redemptions.is_empty() {
        return Ok(Vec::new());
    }
    let minor = |amount| money::in_minor(amount, order.currency).map(i128::from).ok_or(Refusal::PointsOverLimit);
    let (refunded, amount) = (minor(refunded)?, minor(order.amount)?);
    // An order of nothing comes back whole, and with it the points that were given for it.
    let paid = i128::from(order.paid_points);
    let share = (paid * refunded).checked_div(amount).unwrap_or(paid);
    let mut left = i64::try_from(share).map_err(|_| Refusal::PointsOverLimit)? - order.returned;
    let mut back = Vec::new();
    for id in order.redemptions.iter().rev() {
        let redemption = work.member.redemptions.get(id).ok_or(Misfit::NotLoaded("a redemption"))?;
        let points = redemption.spent().min(left);
        if points > 0 {
            left -= points;
            back.push((*id, points));
        }
    }
    Ok(back)
}
