//! A quote: what would come of an order, without any effect.
//!
//! Nothing is worked out a second time. What the order would earn is decided as the order is, on a copy of the member
//! that is dropped; and so many points may pay it as neither their redemption nor the order that they pay is refused for.

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::decide::{Context, Working};
use crate::domain::ids::MemberId;
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::member::Member;
use crate::domain::money::{self, Currency};
use crate::domain::movement::order::{self, Earned, Order, OrderReply, Paid, TierChange};
use crate::domain::movement::redemption;
use crate::domain::record::order::OrderRecord;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::tier::shown::Progress;
use crate::domain::time::{self, Timestamp};

/// What would come of an order if it were posted now.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Quote {
    /// The order's currency, ISO 4217.
    pub currency: Currency,
    /// The order's amount, a decimal string.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "42.50")]
    pub amount: Decimal,
    /// What the redemptions that it names would pay of it; absent where it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paid: Option<Paid>,
    /// What is left to pay in money, a decimal string.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "42.50")]
    pub payable: Decimal,
    /// The points that it would earn, and why.
    pub earned: Earned,
    /// How many points may pay it besides.
    pub spendable: Spendable,
    /// What it would make of the member's tier; absent where the programme has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<TierOutlook>,
    /// The instant of which all this is true.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

/// What an order would make of its member's tier.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TierOutlook {
    /// Before it and after it.
    #[serde(flatten)]
    pub change: TierChange,
    /// What is missing for the next tier after it; null from the highest.
    pub progress: Option<Progress>,
}

/// How many points may pay a part of an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Spendable {
    /// The most that a redemption for the order may have; 0 where none can pay it.
    #[schema(minimum = 0, example = 369)]
    pub points: i64,
    /// What they are worth, a decimal string in the order's currency.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "3.69")]
    pub value: Decimal,
    /// The fewest points that are worth something; absent where points have no value in money.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, example = 1)]
    pub least: Option<i64>,
    /// What one point more is refused for.
    pub limited_by: SpendingLimit,
}

/// What limits the points that may pay an order. `balance`: the member has no more that are active. `least_value`: all
/// that are active are worth less than the smallest coin. `share`: points may pay a share of an order and no more, by the
/// programme of now or of the order's time. `amount`: they may pay all of it, and do. `no_value`: the programme gives them
/// no value in money. `currency`: by now it counts in another currency than the order's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpendingLimit {
    /// The active points.
    Balance,
    /// The smallest coin, which all of them are not worth.
    LeastValue,
    /// The programme's share of an order.
    Share,
    /// The order's amount.
    Amount,
    /// Points pay no money.
    NoValue,
    /// Points pay another currency.
    Currency,
}

/// The id of an order that was given none: none that an order can have.
pub const NO_ID: &str = "";

/// Who looks at an order and is no member yet: a member who has nothing. Its id is in no journal.
pub fn visitor(now: Timestamp) -> Member {
    Member::new(MemberId::new(0, Uuid::nil()), now)
}

/// What would come of `order` if `member` posted it now. Only time and programmes of the context count.
///
/// Errors: as the order.
pub fn quote(member: &Member, order: &Order, context: Context<'_>) -> Result<Quote, Rejected> {
    let mut work = Working::on(member, context);
    work.settle(context.now)?;
    make_way(&mut work.member, &order.order_id);
    // What the order itself earns pays no part of it.
    let active = work.member.balances.active;
    let OrderReply { earned, paid, tier, .. } = order::complete(&mut work, order)?.reply;
    let tier = work.seen(context.now.max(order.occurred_at)).map(|seen| TierOutlook {
        change: tier.unwrap_or(TierChange { before: None, after: None }),
        progress: seen.next.map(|next| Progress::of(&next, seen.level, order.currency)),
    });
    // Nor do points with which all that the member ever spent would be more than can be counted.
    let active = active.min(MAX_POINTS - work.member.lifetime.lifetime_spent);
    let value = paid.as_ref().map_or(Decimal::ZERO, |paid| paid.value);
    Ok(Quote {
        currency: order.currency,
        amount: money::in_minor_units(order.amount, order.currency),
        payable: money::in_minor_units(order.amount - value, order.currency),
        spendable: spendable(&context, order, active, value),
        paid,
        earned,
        tier,
        as_of: context.now,
    })
}

// A quote has no effect under its order's id, and so is not stopped by an order that was posted under it.
fn make_way(member: &mut Member, order_id: &str) {
    if let Some(posted) = member.orders.remove(order_id) {
        let renamed = OrderRecord { order_id: NO_ID.to_owned(), ..posted };
        member.orders.insert(renamed.order_id.clone(), renamed);
    }
}

// How many of `active` points may pay the order where redemptions pay `paid` of it already.
fn spendable(context: &Context<'_>, order: &Order, active: i64, paid: Decimal) -> Spendable {
    let rules = context.program();
    let least = rules.redemption.least_of_worth(rules.currency);
    let (points, value, limited_by) = match least {
        _ if rules.currency != order.currency => (0, Decimal::ZERO, SpendingLimit::Currency),
        None => (0, Decimal::ZERO, SpendingLimit::NoValue),
        Some(_) => most(active, order, |points| pays(context, order, points, paid)),
    };
    Spendable { points, value: money::in_minor_units(value, order.currency), least, limited_by }
}

// The most of `active` points that are not refused, what they pay, and what limits them. What points are worth grows with
// them, so that the first number that is too many is found by halves.
fn most(active: i64, order: &Order, pays: impl Fn(i64) -> Result<Decimal, Refusal>) -> (i64, Decimal, SpendingLimit) {
    let is_too_many = |points| !matches!(pays(points), Ok(_) | Err(Refusal::PointsWorthNothing { .. }));
    let (mut most, mut over) = (0, active + 1);
    while over - most > 1 {
        let half = most + (over - most) / 2;
        match is_too_many(half) {
            true => over = half,
            false => most = half,
        }
    }
    let all_may = over > active;
    let limit = match pays(over) {
        _ if all_may => SpendingLimit::Balance,
        Err(Refusal::OverOrderShare { maximum }) if maximum != money::format_amount(order.amount, order.currency) => {
            SpendingLimit::Share
        }
        _ => SpendingLimit::Amount,
    };
    match pays(most) {
        Ok(value) => (most, value, limit),
        Err(_) if all_may && active > 0 => (0, Decimal::ZERO, SpendingLimit::LeastValue),
        Err(_) => (0, Decimal::ZERO, limit),
    }
}

// What so many points more pay of the order, or why they are refused: their redemption, or then the order.
fn pays(context: &Context<'_>, order: &Order, points: i64, paid: Decimal) -> Result<Decimal, Refusal> {
    let (value, _) = redemption::worth(context, points, Some(order.amount))?;
    let value = value.unwrap_or_default();
    order::check_paid(order, &order::version(context, order).program, paid + value)?;
    Ok(value)
}
