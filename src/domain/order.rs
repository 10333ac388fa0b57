//! A completed order becomes points.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::{Account, Part};
use super::decide::{Context, Event, Working};
use super::earning::{self, EarnFault, EarningFacts, Step};
use super::entry::{Kind, Posting, derive_id};
use super::fact::Fact;
use super::fields::{self, Wrong};
use super::ids::{MemberId, RedemptionId};
use super::items::Item;
use super::lot::NewLot;
use super::member::Balances;
use super::money::{self, Currency};
use super::program::Program;
use super::redemption::{self, CaptureRequest, RedemptionStatus};
use super::refund::Refunded;
use super::refusal::{Refusal, Rejected};
use super::reversal::Reversal;
use super::time::{self, Timestamp};

/// How far in the future an order may lie, for clocks that differ.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

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
    #[schema(value_type = String, pattern = r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", example = "29.33")]
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

/// What an order brought: the answer to the checkout, and again whenever the order is sent again.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OrderReply {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub member_id: MemberId,
    /// The points, and why.
    pub earned: Earned,
    /// What was paid with points, where redemptions paid a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paid: Option<Paid>,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// What points paid of an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Paid {
    /// How many.
    pub points: i64,
    /// What they are worth, a decimal string in the order's currency.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "5.00")]
    pub value: Decimal,
}

/// Points earned by an order.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Earned {
    /// How many; zero is possible.
    pub points: i64,
    /// When they become active.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; null if they never expire.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Rule by rule.
    pub calculation: Vec<Step>,
}

/// An order as the ledger remembers it: what its refunds follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The shop's id.
    pub order_id: String,
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// The goods after discounts and before points.
    pub amount: Decimal,
    /// What was taken off the items' sum.
    pub discount: Option<Decimal>,
    /// Where it was placed.
    pub channel: Option<String>,
    /// What points paid of it, in money.
    pub paid: Decimal,
    /// How many points paid it.
    pub paid_points: i64,
    /// The redemptions that paid it.
    pub redemptions: Vec<RedemptionId>,
    /// What it earned.
    pub points: i64,
    /// The lot that it brought.
    pub lot: Option<Uuid>,
    /// The programme version that it earned by.
    pub program_version: i32,
    /// Was anything of it refunded? A refund of nothing counts: of what was free.
    pub was_refunded: bool,
    /// How much of it was paid back so far.
    pub refunded: Decimal,
    /// How many points its refunds have made due so far, whether they were taken, had expired or were waived.
    pub reversed: i64,
    /// How many of the points that paid it came back by its refunds.
    pub returned: i64,
    /// Where what its refunds made due came from.
    pub reversal: Reversal,
}

impl OrderRecord {
    /// Takes up a refund.
    pub fn refund(&mut self, refund: &Refunded) {
        self.was_refunded = true;
        (self.refunded, self.reversed, self.returned) = (refund.refunded, refund.reversed, refund.returned);
        self.reversal = refund.reversal.clone().unwrap_or_else(|| Reversal::settled(refund.reversed));
    }

    /// What the journal keeps of it: what its points and refunds follow from. Items stay outside.
    pub fn stated(&self) -> Value {
        let money = |amount| money::format_amount(amount, self.currency);
        let mut facts = json!({
            "amount": money(self.amount),
            "currency": self.currency.code(),
            "occurred_at": time::canonical(self.occurred_at),
            "order_id": self.order_id,
        });
        if let Some(discount) = self.discount {
            facts["discount"] = money(discount).into();
        }
        if let Some(channel) = &self.channel {
            facts["channel"] = channel.as_str().into();
        }
        if !self.redemptions.is_empty() {
            facts["paid"] = money(self.paid).into();
            facts["paid_points"] = self.paid_points.into();
            facts["redemptions"] = json!(self.redemptions);
        }
        facts
    }

    /// The order that an entry by programme version `program_version` states in its payload, with what is stored of its
    /// refunds; none if that cannot be read.
    pub fn stored(payload: &str, program_version: i32, refunds: StoredRefunds) -> Option<Self> {
        let payload: Value = serde_json::from_str(payload).ok()?;
        let lots = NewLot::all_from(&payload).ok()?;
        let order = Self::read(payload.get("order")?, &payload, program_version, &lots)?;
        let (refunded, reversed, returned, reversal) = refunds;
        let reversed = reversed.unwrap_or_default();
        Some(Self {
            was_refunded: refunded.is_some(),
            refunded: refunded.unwrap_or_default(),
            reversed,
            returned: returned.unwrap_or_default(),
            reversal: match reversal {
                Some(reversal) => serde_json::from_str(&reversal).ok()?,
                None => Reversal::settled(reversed),
            },
            ..order
        })
    }

    /// The order that an entry by programme version `program_version` states under `order`, with the rest of its
    /// payload and its lots.
    pub fn read(order: &Value, payload: &Value, program_version: i32, lots: &[NewLot]) -> Option<Self> {
        let text = |key: &str| order.get(key)?.as_str();
        let money = |key: &str| text(key).map(|text| text.parse().ok());
        Some(Self {
            order_id: text("order_id")?.to_owned(),
            occurred_at: time::parse(text("occurred_at")?).ok()?,
            currency: text("currency")?.parse().ok()?,
            amount: money("amount")??,
            discount: money("discount").map_or(Some(None), |discount| discount.map(Some))?,
            channel: text("channel").map(ToOwned::to_owned),
            paid: money("paid").unwrap_or(Some(Decimal::ZERO))?,
            paid_points: order.get("paid_points").map_or(Some(0), Value::as_i64)?,
            redemptions: match order.get("redemptions") {
                Some(redemptions) => serde_json::from_value(redemptions.clone()).ok()?,
                None => Vec::new(),
            },
            points: payload.get("points").map_or(Some(0), Value::as_i64)?,
            lot: lots.first().map(|lot| lot.id),
            program_version,
            was_refunded: false,
            refunded: Decimal::ZERO,
            reversed: 0,
            returned: 0,
            reversal: Reversal::default(),
        })
    }
}

/// What is stored of an order's refunds, nothing before the first: how much was paid back, how many points are due, how
/// many came back, and the text of the [`Reversal`].
pub type StoredRefunds = (Option<Decimal>, Option<i64>, Option<i64>, Option<String>);

/// An order's effect: what it is answered, and which of the decision's entries is its own.
pub struct Completed {
    /// The answer.
    pub reply: OrderReply,
    /// The place of its entry among those of the decision.
    pub entry: usize,
}

/// Decides a completed order: settle, capture what pays it, earn on the rest by the version in force when it occurred,
/// settle again, so that the wallet is right at this instant also when the order is older than its points' activation
/// or expiry.
pub fn complete(work: &mut Working<'_>, order: &Order) -> Result<Completed, Rejected> {
    let Context { now, programs, command, .. } = *work.context();
    if order.occurred_at > now + CLOCK_TOLERANCE {
        return Err(Refusal::OccurredInFuture { minutes: CLOCK_TOLERANCE.num_minutes() }.into());
    }
    // A version that takes effect within the tolerated future may not be known to every instance yet.
    let version = programs.at(order.occurred_at.min(now));
    let program = &version.program;
    if order.currency != program.currency {
        return Err(Refusal::CurrencyMismatch { expected: program.currency.to_string() }.into());
    }
    work.may_begin()?;
    work.settle(now)?;
    let paid = pay(work, order, program)?;
    let eligible = order.amount - paid.as_ref().map_or(Decimal::ZERO, |paid| paid.value);
    let facts = EarningFacts { amount: eligible, occurred_at: order.occurred_at };
    let earning = earning::earn(program, &facts).map_err(|fault| refusal(fault, program.currency))?;

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
        was_refunded: false,
        refunded: Decimal::ZERO,
        reversed: 0,
        returned: 0,
        reversal: Reversal::default(),
    };
    let kind = if earning.points > 0 { Kind::PointsEarned } else { Kind::OrderRecorded };
    let mut event = Event {
        effective_at: Some(order.occurred_at),
        program_version: Some(version.version),
        ..Event::new(kind, Fact::Order(Box::new(record)))
    };
    event.payload.insert("calculation".to_owned(), json!(earning.calculation));
    if let Some(lot) = lot {
        let credit = Account::Member(if earning.active_at <= now { Part::Active } else { Part::Pending });
        event.postings = vec![Posting { debit: Account::Issuance, credit, points: earning.points, lot: Some(lot.id) }];
        event.payload.insert("points".to_owned(), earning.points.into());
        event.lots = vec![lot];
    }
    let entry = work.post(event)?;
    work.settle(now)?;
    let reply = OrderReply {
        order_id: order.order_id.clone(),
        member_id: order.member_id,
        earned: Earned {
            points: earning.points,
            active_at: earning.active_at,
            expires_at: earning.expires_at,
            calculation: earning.calculation,
        },
        paid,
        wallet: work.member.balances,
    };
    Ok(Completed { reply, entry })
}

// Captures the redemptions that pay the order. What was captured before must have been made for this very order, so that
// no points pay two; and what of it has come back since pays nothing.
fn pay(work: &mut Working<'_>, order: &Order, program: &Program) -> Result<Option<Paid>, Rejected> {
    if order.redemption_ids.is_empty() {
        return Ok(None);
    }
    let mut paid = Paid { points: 0, value: money::in_minor_units(Decimal::ZERO, order.currency) };
    for id in paying(order) {
        let redemption = work.member.redemptions.get(&id).ok_or(Refusal::RedemptionNotFound)?;
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
    if paid.value > order.amount {
        let amount = money::format_amount(order.amount, order.currency);
        return Err(Refusal::PaidOverAmount { amount }.into());
    }
    // The share is of what was ordered in the end, whatever amount the redemptions were asked for with, and by the
    // programme of that time: a share that was lowered since strands no order.
    program.redemption.check_share(paid.value, order.amount, order.currency)?;
    Ok(Some(paid))
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
