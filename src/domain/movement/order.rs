//! A completed order becomes points.

mod receipt;

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

pub use self::receipt::{Earned, OrderReply, Paid, TierChange};
use crate::domain::decide::{CLOCK_TOLERANCE, Context, Event, Working};
use crate::domain::fields::{self, Wrong};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{Kind, Posting, derive_id};
use crate::domain::member::fact::Fact;
use crate::domain::money::{self, Currency};
use crate::domain::movement::redemption::{self, CaptureRequest};
use crate::domain::program::earning::{EarnFault, EarningFacts, ShownStep};
use crate::domain::program::{Program, ProgramVersion};
use crate::domain::record::items::Item;
use crate::domain::record::lot::NewLot;
use crate::domain::record::order::OrderRecord;
use crate::domain::record::redemption::{Redemption, RedemptionStatus};
use crate::domain::record::refund::Reversal;
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// A completed order, as the checkout posts it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = OrderRequest)]
pub struct Order {
    /// The shop's id of the order: the key under which it counts once. 1 to 64 visible ASCII characters.
    #[schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$", example = "A-1001")]
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// When, RFC 3339 with an offset; at most five minutes in the future. It decides the programme version, and with it activation, expiry, the share that points may pay and what refunds take.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub occurred_at: Timestamp,
    /// The programme's currency, ISO 4217.
    #[schema(value_type = String, example = "USD")]
    pub currency: Currency,
    /// The goods after discounts and before points, a decimal string; with items what they cost less the discount.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "29.33")]
    pub amount: Decimal,
    /// What was taken off the items' sum, a decimal string.
    #[serde(with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "5.00")]
    pub discount: Option<Decimal>,
    /// Where it was placed: 1 to 32 characters of a–z, 0–9, `_` and `-`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 32, pattern = "^[a-z0-9_-]+$", example = "app")]
    pub channel: Option<String>,
    /// What was bought; at most 2000 items.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 2_000)]
    pub items: Option<Vec<Item>>,
    /// The redemptions that pay a part of it, at most 10: what is held is captured with the order, what was captured
    /// before must have been made for this order. What they pay earns no points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub redemption_ids: Vec<RedemptionId>,
}

/// The most redemptions that pay one order.
pub const MOST_REDEMPTIONS: usize = 10;

impl Order {
    /// Reads an order's id: 1 to 64 visible ASCII characters, and neither `.` nor `..`, which no client can ask for in a
    /// path.
    pub fn read_id(value: &Value) -> Result<String, Wrong> {
        let id = fields::word(1..=64, |c| c.is_ascii_graphic(), "must be visible ASCII")(value)?;
        match id.as_str() {
            "." | ".." => Err(Wrong::new("wrong_format", "must not be . or ..")),
            _ => Ok(id),
        }
    }
}

/// An order's effect: what it is answered, and which of the decision's entries is its own.
pub struct Completed {
    /// The answer.
    pub reply: OrderReply,
    /// The place of its entry among those of the decision.
    pub entry: usize,
    /// Does the answer follow from the entry? See [`OrderReply::of_entry`].
    pub follows: bool,
}

/// Decides a completed order: settle, capture what pays it, earn on the rest by the version in force when it occurred,
/// settle again, so that the wallet is right at this instant also when the order is older than its points' activation
/// or expiry.
pub fn complete(work: &mut Working<'_>, order: &Order) -> Result<Completed, Rejected> {
    let context = *work.context();
    let Context { now, command, .. } = context;
    if order.occurred_at > now + CLOCK_TOLERANCE {
        return Err(Refusal::OccurredInFuture { minutes: CLOCK_TOLERANCE.num_minutes() }.into());
    }
    let version = version(&context, order);
    let program = &version.program;
    if order.currency != program.currency {
        return Err(Refusal::CurrencyMismatch { expected: program.currency.to_string() }.into());
    }
    work.may_begin()?;
    work.settle(now)?;
    let paid = pay(work, order, program)?;
    let eligible = order.amount - paid.as_ref().map_or(Decimal::ZERO, |paid| paid.value);
    let held = work.level();
    let level = held.and_then(|held| program.tiers.as_ref()?.level(&held.code));
    let facts = EarningFacts { amount: eligible, occurred_at: order.occurred_at, level };
    let earning = program.earn(&facts).map_err(|fault| refusal(fault, program.currency))?;

    let lot = (earning.points > 0).then(|| NewLot {
        id: derive_id(now, command.as_bytes(), &[b"lot"]),
        active_at: earning.active_at,
        expires_at: earning.expires_at,
    });
    let record = OrderRecord {
        order_id: order.order_id.clone(),
        occurred_at: order.occurred_at,
        currency: order.currency,
        amount: order.amount,
        discount: order.discount,
        channel: order.channel.clone(),
        paid: order.amount - eligible,
        paid_points: paid.as_ref().map_or(0, |paid| paid.points),
        redemptions: paying(order),
        points: earning.points,
        lot: lot.as_ref().map(|lot| lot.id),
        program_version: version.version,
        tier: held.map(|held| held.code.clone()),
        was_refunded: false,
        refunded: Decimal::ZERO,
        refunds: Vec::new(),
        reversed: 0,
        returned: 0,
        reversal: Reversal::default(),
    };
    let outlook = work.outlook(&record)?;
    let kind = if earning.points > 0 { Kind::PointsEarned } else { Kind::OrderRecorded };
    let mut event = Event {
        effective_at: Some(order.occurred_at),
        program_version: Some(version.version),
        ..Event::new(kind, Fact::Order(Box::new(record), outlook.spending))
    };
    event.payload.put("calculation", &earning.calculation);
    if let Some(lot) = lot {
        let credit = Account::Member(if earning.active_at <= now { Part::Active } else { Part::Pending });
        event.postings = vec![Posting { debit: Account::Issuance, credit, points: earning.points, lot: Some(lot.id) }];
        event.payload.put("points", &earning.points);
        event.lots = vec![lot];
    }
    let entry = work.post(event)?;
    work.take_stand(outlook.stands)?;
    work.settle(now)?;
    let reply = OrderReply {
        order_id: order.order_id.clone(),
        member_id: order.member_id,
        earned: Earned {
            points: earning.points,
            active_at: earning.active_at,
            expires_at: earning.expires_at,
            calculation: earning.calculation.into_iter().map(ShownStep::from).collect(),
        },
        paid,
        tier: TierChange::of(held, work.level()),
        wallet: work.member.balances,
    };
    // An entry states a life of points only with points, and the wallet as it was before time did the rest.
    let follows = earning.points > 0 && entry + 1 == work.entries.len();
    Ok(Completed { reply, entry, follows })
}

// Captures the redemptions that pay the order. What was captured before must have been made for this very order, so that
// no points pay two; and what of it has come back since pays nothing.
fn pay(work: &mut Working<'_>, order: &Order, program: &Program) -> Result<Option<Paid>, Rejected> {
    if order.redemption_ids.is_empty() {
        return Ok(None);
    }
    let mut paid = Paid { points: 0, value: Decimal::ZERO };
    for id in paying(order) {
        let redemption = work.member.record::<Redemption>(id).ok_or(Refusal::RedemptionNotFound)?;
        let for_this = redemption.order_id.as_ref().map(|id| *id == order.order_id);
        let is_captured = redemption.status == RedemptionStatus::Captured;
        let other_money = redemption.currency.is_some_and(|currency| currency != order.currency);
        let spent_at_large = for_this.is_none() && is_captured;
        if redemption.reward_id.is_some() || for_this == Some(false) || spent_at_large || other_money {
            return Err(Refusal::RedemptionOfAnotherOrder { redemption_id: id.to_string() }.into());
        }
        let redemption = match redemption.status {
            RedemptionStatus::Captured => redemption.clone(),
            _ => {
                let whole = CaptureRequest { points: None, order_id: Some(order.order_id.clone()) };
                redemption::capture(work, id, &whole)?.redemption
            }
        };
        let spent = redemption.spent();
        paid.points += spent;
        paid.value += redemption.worth_of(spent, redemption.captured)?.unwrap_or_default();
    }
    check_paid(order, program, paid.value)?;
    Ok(Some(Paid { value: money::in_minor_units(paid.value, order.currency), ..paid }))
}

/// The version of the programme that an order goes by. One that takes effect within the tolerated future may not be known
/// to every instance yet.
pub(super) fn version<'a>(context: &Context<'a>, order: &Order) -> &'a ProgramVersion {
    context.programs.at(order.occurred_at.min(context.now))
}

/// Refuses an order that points worth `value` pay if they are more than it may be paid with. The share is of what was
/// ordered in the end, whatever amount the redemptions were asked for with, and by the `program` of the order's time: a
/// share that was lowered since strands no order.
pub(super) fn check_paid(order: &Order, program: &Program, value: Decimal) -> Result<(), Refusal> {
    if value > order.amount {
        let amount = money::format_amount(order.amount, order.currency);
        return Err(Refusal::PaidOverAmount { amount });
    }
    program.redemption.check_share(value, order.amount, order.currency)
}

// The redemptions that pay the order, each once however often it is named.
fn paying(order: &Order) -> Vec<RedemptionId> {
    let mut paying = Vec::new();
    for id in &order.redemption_ids {
        if !paying.contains(id) {
            paying.push(*id);
        }
    }
    paying
}

fn refusal(fault: EarnFault, currency: Currency) -> Refusal {
    match fault {
        EarnFault::AmountAboveMaximum { maximum } => {
            Refusal::AmountOverLimit { maximum: money::format_amount(maximum, currency) }
        }
        EarnFault::NegativeAmount | EarnFault::TooManyPoints => Refusal::PointsOverLimit,
    }
}
